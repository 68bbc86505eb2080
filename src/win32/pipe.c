/* SPDX-License-Identifier: MIT */
/* pipe.c - named pipes: a listener's instances, the dialect of a client, and pairs of connected ends.
 *
 * The type of a pipe is its server's choice and decides how both sides speak: over a message pipe each write is one
 * message and nothing is framed, over a byte pipe the frames of a socket are used. */
#include "win32.h"
#include <stdio.h>
#include <stdlib.h>
#include <winternl.h>

enum { BUFFER_SIZE = 8192 }; /* Python's */

/* ---- servers ---- */

static DWORD create_instance(const wchar_t *name, enum mf_win32_kind kind, DWORD access, DWORD instances,
                             SECURITY_ATTRIBUTES *security, HANDLE *made) {
  DWORD mode = kind == MF_WIN32_MESSAGES ? PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE : PIPE_TYPE_BYTE;
  HANDLE handle = CreateNamedPipeW(name, access | FILE_FLAG_OVERLAPPED, mode | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
                                   instances, BUFFER_SIZE, BUFFER_SIZE, 0, security);
  if (handle == INVALID_HANDLE_VALUE)
    return GetLastError();
  *made = handle;
  return 0;
}

static int next_instance(const mf_os_listener *listener, int first, HANDLE *made) {
  SECURITY_ATTRIBUTES security;
  int result = mf_win32_private(listener->any_user ? "(A;;GRGW;;;WD)" : NULL, &security);
  if (result < 0)
    return result;
  DWORD error =
      create_instance(listener->pipe, listener->kind, PIPE_ACCESS_DUPLEX | (first ? FILE_FLAG_FIRST_PIPE_INSTANCE : 0),
                      PIPE_UNLIMITED_INSTANCES, &security, made);
  mf_win32_private_free(&security);
  if (first && error == ERROR_ACCESS_DENIED) /* what the system says of a name that somebody has */
    return mf_fail(MAYFLY_EADDRINUSE, "listen on %ls: somebody has that name", listener->pipe);
  if (error == ERROR_NO_SYSTEM_RESOURCES || error == ERROR_NOT_ENOUGH_QUOTA)
    return mf_fail(MAYFLY_EMFILE, "listen on %ls: the system has no room for another instance", listener->pipe);
  return error == 0 ? 0 : mf_win32_fail(error, "listen on %ls", listener->pipe);
}

/* The operation's status is the system's to set only where it is pending. */
DWORD mf_win32_pipe_listen(struct mf_win32_pending *pending) {
  DWORD error = ConnectNamedPipe(pending->handle, &pending->operation) ? 0 : GetLastError();
  if (error == ERROR_IO_PENDING)
    return 0;
  if (error == ERROR_PIPE_CONNECTED || error == ERROR_NO_DATA) /* a client was faster, and may be gone already */
    error = 0;
  pending->operation.Internal = error == 0 ? 0 : (ULONG_PTR)STATUS_NO_MEMORY;
  return error;
}

int mf_win32_pipe_pending(mf_os_listener *listener, int first, struct mf_win32_pending **pending) {
  struct mf_win32_pending *made = calloc(1, sizeof *made);
  if (made == NULL)
    return mf_fail(MAYFLY_ENOMEM, "listen on %ls: no memory", listener->pipe);
  int result = next_instance(listener, first, &made->handle);
  if (result < 0) {
    free(made);
    return result;
  }
  made->operation.hEvent = listener->event;
  DWORD error = mf_win32_pipe_listen(made);
  if (error != 0) {
    CloseHandle(made->handle);
    free(made);
    return mf_win32_fail(error, "listen on %ls: wait for a client", listener->pipe);
  }
  *pending = made;
  return 0;
}

/* ---- clients ---- */

static int open_client(const mayfly_address *address, const wchar_t *name, int64_t deadline, HANDLE *made) {
  for (;;) {
    HANDLE handle = CreateFileW(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING,
                                FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, NULL);
    DWORD error = GetLastError();
    if (handle != INVALID_HANDLE_VALUE) {
      *made = handle;
      return 0;
    }
    DWORD timeout = mf_win32_timeout(deadline);
    if (error == ERROR_PIPE_BUSY && timeout == 0)
      return mf_fail(MAYFLY_ETIMEDOUT, "connect to %s: no connection in time", address->name);
    if (error == ERROR_PIPE_BUSY)
      error = WaitNamedPipeW(name, timeout) ? 0 : GetLastError();
    if (error != 0 && error != ERROR_SEM_TIMEOUT)
      return mf_win32_fail(error, "connect to %s", address->name);
  }
}

/* A pipe whose owner the system does not tell (Wine, of some) counts as ours. */
static int check_owner(const mayfly_address *address, HANDLE pipe) {
  union {
    SECURITY_DESCRIPTOR descriptor; /* aligns the rest */
    char room[512];
  } security;
  DWORD size;
  PSID owner = NULL;
  BOOL defaulted;
  if (!GetKernelObjectSecurity(pipe, OWNER_SECURITY_INFORMATION, &security.descriptor, sizeof security, &size) ||
      !GetSecurityDescriptorOwner(&security.descriptor, &owner, &defaulted))
    return mf_win32_fail(GetLastError(), "connect to %s: ask who owns the pipe", address->name);
  if (owner != NULL && !mf_win32_trusted_owner(owner))
    return mf_fail(MAYFLY_EPEER, "connect to %s: the pipe belongs to another user", address->name);
  return 0;
}

/* A server that refuses to say is taken for one of Python's, whose pipes keep messages. One that has hung up already,
 * the first read tells of. */
static int learn_dialect(const mayfly_address *address, HANDLE pipe, enum mf_win32_kind *kind) {
  DWORD flags, mode = PIPE_READMODE_MESSAGE;
  if (GetNamedPipeInfo(pipe, &flags, NULL, NULL, NULL) && (flags & PIPE_TYPE_MESSAGE) == 0) {
    *kind = MF_WIN32_BYTES;
    return 0;
  }
  if (!SetNamedPipeHandleState(pipe, &mode, NULL, NULL) && GetLastError() != ERROR_PIPE_NOT_CONNECTED)
    return mf_win32_fail(GetLastError(), "connect to %s: read it message by message", address->name);
  *kind = MF_WIN32_MESSAGES;
  return 0;
}

int mf_win32_pipe_connect(const mayfly_address *address, int any_user, int64_t deadline, mf_os_stream **stream) {
  enum mf_win32_kind kind = MF_WIN32_BYTES;
  HANDLE pipe = INVALID_HANDLE_VALUE;
  wchar_t *name;
  int result = mf_win32_wide(address->name, &name);
  if (result < 0)
    return result;
  result = open_client(address, name, deadline, &pipe);
  free(name);
  if (result < 0)
    return result;
  if (!any_user)
    result = check_owner(address, pipe);
  if (result == 0)
    result = learn_dialect(address, pipe, &kind);
  if (result < 0) {
    CloseHandle(pipe);
    return result;
  }
  return mf_win32_stream_new(pipe, kind, stream);
}

/* ---- pipes of another's making ---- */

/* Microsoft has these in its headers for drivers alone (ntifs.h). */
NTSTATUS NTAPI NtQueryInformationFile(HANDLE file, PIO_STATUS_BLOCK status, PVOID answer, ULONG size,
                                      FILE_INFORMATION_CLASS question);
enum { ACCESS_INFORMATION = 8, MODE_INFORMATION = 16 }; /* the answers are a ULONG each */

/* What was asked for when the handle was made. */
static int learn_making(HANDLE pipe, ACCESS_MASK *access, ULONG *mode) {
  ACCESS_MASK granted;
  ULONG made;
  IO_STATUS_BLOCK status;
  NTSTATUS result =
      NtQueryInformationFile(pipe, &status, &granted, sizeof granted, (FILE_INFORMATION_CLASS)ACCESS_INFORMATION);
  if (result >= 0)
    result = NtQueryInformationFile(pipe, &status, &made, sizeof made, (FILE_INFORMATION_CLASS)MODE_INFORMATION);
  if (result < 0)
    return mf_win32_fail(RtlNtStatusToDosError(result), "adopt descriptor %d: ask how it was made",
                         (int)(intptr_t)pipe);
  *access = granted;
  *mode = made;
  return 0;
}

static int check_making(HANDLE pipe, int readable, int writable) {
  ACCESS_MASK access;
  ULONG mode;
  int result = learn_making(pipe, &access, &mode);
  if (result < 0)
    return result;
  if ((readable && (access & FILE_READ_DATA) == 0) || (writable && (access & FILE_WRITE_DATA) == 0))
    return mf_fail(MAYFLY_EINVAL, "adopt descriptor %d: it can only be %s", (int)(intptr_t)pipe,
                   (access & FILE_READ_DATA) == 0 ? "written" : "read");
  if ((mode & (FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT)) != 0)
    return mf_fail(MAYFLY_ENOTSUP, "adopt descriptor %d: a pipe that was made without FILE_FLAG_OVERLAPPED",
                   (int)(intptr_t)pipe);
  return 0;
}

/* An end that only writes may not ask. */
static DWORD state_of(HANDLE pipe) {
  DWORD state;
  return GetNamedPipeHandleStateW(pipe, &state, NULL, NULL, NULL, NULL, 0) ? state : PIPE_WAIT | PIPE_READMODE_BYTE;
}

int mf_win32_pipe_learn(HANDLE pipe, int readable, int writable, enum mf_win32_kind *kind, int *server) {
  DWORD flags, mode = PIPE_READMODE_MESSAGE;
  int result = check_making(pipe, readable, writable);
  if (result < 0)
    return result;
  DWORD state = state_of(pipe);
  if ((state & PIPE_NOWAIT) != 0) /* to which being empty is an end */
    return mf_fail(MAYFLY_ENOTSUP, "adopt descriptor %d: a pipe that does not wait (PIPE_NOWAIT)", (int)(intptr_t)pipe);
  if (!GetNamedPipeInfo(pipe, &flags, NULL, NULL, NULL))
    flags = PIPE_TYPE_MESSAGE; /* an end of Python's that only writes may not ask */
  if ((flags & PIPE_TYPE_MESSAGE) != 0 && readable && (state & PIPE_READMODE_MESSAGE) == 0 &&
      !SetNamedPipeHandleState(pipe, &mode, NULL, NULL))
    return mf_win32_fail(GetLastError(), "adopt descriptor %d: read it message by message", (int)(intptr_t)pipe);
  *kind = (flags & PIPE_TYPE_MESSAGE) != 0 ? MF_WIN32_MESSAGES : MF_WIN32_BYTES;
  *server = (flags & PIPE_SERVER_END) != 0;
  return 0;
}

/* ---- pairs ---- */

static int pair_name(wchar_t *name, size_t size) {
  uint64_t secret[2];
  int result = mf_os_random(secret, sizeof secret);
  if (result == 0)
    swprintf(name, size, L"\\\\.\\pipe\\mayfly-%lu-%016llx%016llx", GetCurrentProcessId(),
             (unsigned long long)secret[0], (unsigned long long)secret[1]);
  return result;
}

/* A client that only writes needs one right more, to learn the pipe's type. */
static DWORD open_pair(int duplex, const wchar_t *name, SECURITY_ATTRIBUTES *security, HANDLE ends[2]) {
  DWORD mode = PIPE_READMODE_MESSAGE;
  DWORD error = create_instance(name, MF_WIN32_MESSAGES,
                                (duplex ? PIPE_ACCESS_DUPLEX : PIPE_ACCESS_INBOUND) | FILE_FLAG_FIRST_PIPE_INSTANCE, 1,
                                security, &ends[0]);
  if (error != 0)
    return error;
  ends[1] = CreateFileW(name, GENERIC_WRITE | (duplex ? GENERIC_READ : FILE_READ_ATTRIBUTES), 0, NULL, OPEN_EXISTING,
                        FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, NULL);
  if (ends[1] != INVALID_HANDLE_VALUE && (!duplex || SetNamedPipeHandleState(ends[1], &mode, NULL, NULL)))
    return 0;
  error = GetLastError();
  if (ends[1] != INVALID_HANDLE_VALUE)
    CloseHandle(ends[1]);
  CloseHandle(ends[0]);
  return error;
}

static int pair_of_handles(int duplex, HANDLE ends[2]) {
  SECURITY_ATTRIBUTES security;
  wchar_t name[96];
  int result = pair_name(name, sizeof name / sizeof name[0]);
  if (result == 0)
    result = mf_win32_private(NULL, &security);
  if (result < 0)
    return result;
  DWORD error = open_pair(duplex, name, &security, ends);
  mf_win32_private_free(&security);
  return error == 0 ? 0 : mf_win32_fail(error, "make a pipe");
}

int mf_os_stream_pair(int duplex, mf_os_stream *ends[2]) {
  mf_os_stream *made[2];
  HANDLE handles[2] = {INVALID_HANDLE_VALUE, INVALID_HANDLE_VALUE};
  int result = pair_of_handles(duplex, handles);
  if (result < 0)
    return result;
  result = mf_win32_stream_new(handles[0], MF_WIN32_MESSAGES, &made[0]);
  if (result < 0) {
    CloseHandle(handles[1]);
    return result;
  }
  result = mf_win32_stream_new(handles[1], MF_WIN32_MESSAGES, &made[1]);
  if (result < 0) {
    mf_os_stream_close(made[0]);
    return result;
  }
  made[0]->server = 1;
  ends[0] = made[0];
  ends[1] = made[1];
  return 0;
}
