/* SPDX-License-Identifier: MIT */
/* wait.c - waiting for streams, listeners and foreign handles, by one event for the whole call.
 *
 * A stream, or a foreign socket, gets a read of no bytes, which is over when there is something to read; all these
 * reads share the event. A listener has an event of its own, and counts as a foreign handle. The system waits for 64
 * handles at most; those beyond are watched by its thread pool, which sets the event. Before the call returns every
 * read has been cancelled and collected: what it found in the last moment counts. On a message pipe such a read
 * consumes an empty message; the stream remembers it for the next receive. */
#include "win32.h"
#include <stdlib.h>

struct probe {
  OVERLAPPED operation;
  DWORD error; /* of the read's issuing */
  enum { NO_PROBE, STREAM_PROBE, SOCKET_PROBE, HANDLE_PROBE, POOL_PROBE } how;
  HANDLE handle; /* or SOCKET */
  HANDLE registration;
  HANDLE event;
  volatile LONG ready;
};

struct call {
  HANDLE event;
  struct mf_os_wait_item *items;
  struct probe *probes;
  size_t count;
  HANDLE handles[MAXIMUM_WAIT_OBJECTS];
  struct probe *owners[MAXIMUM_WAIT_OBJECTS];
  DWORD handle_count;
};

/* ---- reads of no bytes ---- */

/* What the read has told. */
static void conclude(struct mf_os_wait_item *item, struct probe *probe) {
  DWORD count, flags, error = probe->error;
  if (probe->how == SOCKET_PROBE) {
    if (error == ERROR_IO_PENDING)
      error = WSAGetOverlappedResult((SOCKET)probe->handle, &probe->operation, &count, FALSE, &flags)
                  ? 0
                  : (DWORD)WSAGetLastError();
    probe->ready = error != ERROR_OPERATION_ABORTED;
    return;
  }
  if (error == ERROR_IO_PENDING)
    error = mf_win32_result(item->stream, &probe->operation, &count);
  if (error == 0 && item->stream->kind == MF_WIN32_MESSAGES)
    item->stream->empty_message = 1;
  probe->ready = error != ERROR_OPERATION_ABORTED || item->stream->shut;
}

static int is_pending_read(const struct probe *probe) {
  return (probe->how == STREAM_PROBE || probe->how == SOCKET_PROBE) && probe->error == ERROR_IO_PENDING;
}

static void probe_stream(struct mf_os_wait_item *item, struct probe *probe) {
  char nothing;
  if (item->stream->shut || item->stream->empty_message) {
    probe->ready = 1;
    return;
  }
  probe->how = STREAM_PROBE;
  probe->handle = item->stream->handle;
  probe->error = mf_win32_start_read(item->stream, &nothing, 0, &probe->operation);
  if (probe->error != ERROR_IO_PENDING)
    conclude(item, probe);
}

/* Of a datagram socket nothing may be consumed. The lowest bit of the event keeps the end of the read from a completion
 * port that somebody, a loop, may have put the socket on. */
static int probe_socket(struct mf_os_wait_item *item, struct probe *probe, int type) {
  WSABUF nothing = {0, NULL};
  DWORD flags = type == SOCK_DGRAM ? MSG_PEEK : 0;
  probe->how = SOCKET_PROBE;
  probe->operation.hEvent = (HANDLE)((uintptr_t)probe->operation.hEvent | 1);
  probe->error = WSARecv((SOCKET)probe->handle, &nothing, 1, NULL, &flags, &probe->operation, NULL) == 0
                     ? 0
                     : (DWORD)WSAGetLastError();
  if (probe->error == WSAENOTCONN || probe->error == WSAEINVAL) {
    probe->how = NO_PROBE;
    return mf_fail(MAYFLY_ENOTSUP, "wait for descriptor %d: a socket that is not connected", (int)item->fd);
  }
  if (probe->error != ERROR_IO_PENDING)
    conclude(item, probe);
  return 0;
}

/* ---- handles ---- */

static VOID CALLBACK signalled(PVOID context, BOOLEAN timed_out) {
  struct probe *probe = context;
  (void)timed_out;
  InterlockedExchange(&probe->ready, 1);
  SetEvent(probe->event);
}

/* The first place is the event's own. */
static int watch(struct call *call, struct probe *probe, HANDLE handle) {
  probe->handle = handle;
  if (call->handle_count < MAXIMUM_WAIT_OBJECTS) {
    probe->how = HANDLE_PROBE;
    call->owners[call->handle_count] = probe;
    call->handles[call->handle_count++] = handle;
    return 0;
  }
  probe->event = call->event;
  if (!RegisterWaitForSingleObject(&probe->registration, handle, signalled, probe, INFINITE, WT_EXECUTEONLYONCE))
    return mf_win32_fail(GetLastError(), "wait for descriptor %d", (int)(intptr_t)handle);
  probe->how = POOL_PROBE;
  return 0;
}

/* 1: it is a socket, of that type. 0: a handle that can be waited for. */
static int is_socket(mayfly_os_fd fd, int *type) {
  DWORD flags;
  if (fd == MAYFLY_NO_FD || !GetHandleInformation((HANDLE)fd, &flags))
    return mf_fail(MAYFLY_EBADF, "wait for descriptor %d: it is not open", (int)fd);
  if (mf_win32_is_socket((HANDLE)fd, type))
    return 1;
  if (GetFileType((HANDLE)fd) != FILE_TYPE_PIPE)
    return 0;
  return mf_fail(MAYFLY_ENOTSUP, "wait for descriptor %d: a pipe tells nothing by its handle", (int)fd);
}

/* ---- the call ---- */

/* Reads first: each that is issued resets the event, which the pool's threads set. */
static int begin_read(struct mf_os_wait_item *item, struct probe *probe) {
  int type, result = 0;
  if (item->stream != NULL)
    probe_stream(item, probe);
  else if (item->listener == NULL) {
    probe->handle = (HANDLE)item->fd;
    result = is_socket(item->fd, &type);
    if (result == 1)
      result = probe_socket(item, probe, type);
  }
  return result;
}

static int begin_all(struct call *call) {
  int result = 0;
  for (size_t i = 0; i < call->count && result == 0; i++) {
    call->probes[i].operation.hEvent = call->event;
    result = begin_read(&call->items[i], &call->probes[i]);
  }
  for (size_t i = 0; i < call->count && result == 0; i++) {
    const struct mf_os_wait_item *item = &call->items[i];
    if (item->listener != NULL && item->resting)
      continue;
    if (item->listener != NULL)
      result = watch(call, &call->probes[i], item->listener->event);
    else if (item->stream == NULL && call->probes[i].how == NO_PROBE)
      result = watch(call, &call->probes[i], (HANDLE)item->fd);
  }
  return result;
}

static int any_ready(const struct call *call) {
  for (size_t i = 0; i < call->count; i++)
    if (call->probes[i].ready ||
        (is_pending_read(&call->probes[i]) && HasOverlappedIoCompleted(&call->probes[i].operation)))
      return 1;
  return 0;
}

static int sleep_until(struct call *call, int64_t deadline) {
  for (;;) {
    DWORD timeout = mf_win32_timeout(deadline);
    DWORD result = WaitForMultipleObjects(call->handle_count, call->handles, FALSE, timeout);
    if (result == WAIT_FAILED)
      return mf_win32_fail(GetLastError(), "wait for %zu things", call->count);
    if (result == WAIT_TIMEOUT && timeout != 0)
      continue;
    DWORD index = result >= WAIT_ABANDONED_0 ? result - WAIT_ABANDONED_0 : result - WAIT_OBJECT_0;
    if (result != WAIT_TIMEOUT && index > 0)
      call->owners[index]->ready = 1; /* which may have reset it */
    return 0;
  }
}

static void end_one(struct mf_os_wait_item *item, struct probe *probe) {
  if (is_pending_read(probe)) {
    CancelIoEx(probe->handle, &probe->operation);
    mf_win32_await(&probe->operation);
    conclude(item, probe);
    return;
  }
  if (probe->how == POOL_PROBE) /* whose threads may not have looked yet */
    UnregisterWaitEx(probe->registration, INVALID_HANDLE_VALUE);
  if ((probe->how == HANDLE_PROBE || probe->how == POOL_PROBE) && !probe->ready)
    probe->ready = WaitForSingleObject(probe->handle, 0) != WAIT_TIMEOUT;
}

static int end_all(struct call *call) {
  int ready = 0;
  for (size_t i = 0; i < call->count; i++) {
    end_one(&call->items[i], &call->probes[i]);
    call->items[i].ready = call->probes[i].ready != 0;
    ready += call->items[i].ready;
  }
  return ready;
}

int mf_os_wait(struct mf_os_wait_item *items, size_t count, int64_t deadline) {
  struct call call = {.items = items, .count = count, .handle_count = 1};
  int result = mf_win32_event(&call.event);
  if (result < 0)
    return result;
  call.handles[0] = call.event;
  call.probes = calloc(count > 0 ? count : 1, sizeof *call.probes);
  if (call.probes == NULL)
    result = mf_fail(MAYFLY_ENOMEM, "wait for %zu things: no memory", count);
  else {
    result = begin_all(&call);
    if (result == 0)
      result = sleep_until(&call, any_ready(&call) ? 0 : deadline);
    int ready = end_all(&call);
    result = result < 0 ? result : ready;
  }
  free(call.probes);
  CloseHandle(call.event);
  return result;
}
