/* SPDX-License-Identifier: MIT */
/* broken.c - what Windows may say of a connection that is broken, or of one that is not yet made, and Wine does not, or
 * not at that moment; and a thread pool that is late. So the calls are made to do it. */
#include "background.h"
#include "ends.h"
#include "fault.h"
#include "result.h"
#include "test.h"
#include <mayfly/mayfly.h>

#include <winsock2.h>
/* After winsock2.h. */
#include <mswsock.h>
#include <windows.h>

/* ---- the calls: of a DLL's a program calls a pointer, so that is what the linker wraps ---- */

static int saying; /* what the system says in a call that fails */

typedef int(WSAAPI *wsa_recv)(SOCKET, LPWSABUF, DWORD, LPDWORD, LPDWORD, LPWSAOVERLAPPED,
                              LPWSAOVERLAPPED_COMPLETION_ROUTINE);
typedef int(WSAAPI *wsa_send)(SOCKET, LPWSABUF, DWORD, LPDWORD, DWORD, LPWSAOVERLAPPED,
                              LPWSAOVERLAPPED_COMPLETION_ROUTINE);
typedef BOOL(WINAPI *connect_pipe)(HANDLE, LPOVERLAPPED);
typedef BOOL(WINAPI *peek_pipe)(HANDLE, LPVOID, DWORD, LPDWORD, LPDWORD, LPDWORD);
typedef BOOL(WINAPI *set_pipe_state)(HANDLE, LPDWORD, LPDWORD, LPDWORD);
typedef BOOL(WINAPI *register_wait)(PHANDLE, HANDLE, WAITORTIMERCALLBACK, PVOID, ULONG, ULONG);
extern const wsa_recv __real___imp_WSARecv;
extern const wsa_send __real___imp_WSASend;
extern const connect_pipe __real___imp_ConnectNamedPipe;
extern const peek_pipe __real___imp_PeekNamedPipe;
extern const set_pipe_state __real___imp_SetNamedPipeHandleState;
extern const register_wait __real___imp_RegisterWaitForSingleObject;
BOOL WINAPI __real_AcceptEx(SOCKET, SOCKET, PVOID, DWORD, DWORD, DWORD, LPDWORD, LPOVERLAPPED);

static int WSAAPI receive_or_fail(SOCKET socket, LPWSABUF pieces, DWORD count, LPDWORD size, LPDWORD flags,
                                  LPWSAOVERLAPPED operation, LPWSAOVERLAPPED_COMPLETION_ROUTINE done) {
  if (!fault_strikes("WSARecv"))
    return __real___imp_WSARecv(socket, pieces, count, size, flags, operation, done);
  WSASetLastError(saying);
  return SOCKET_ERROR;
}

static int WSAAPI send_or_fail(SOCKET socket, LPWSABUF pieces, DWORD count, LPDWORD size, DWORD flags,
                               LPWSAOVERLAPPED operation, LPWSAOVERLAPPED_COMPLETION_ROUTINE done) {
  if (!fault_strikes("WSASend"))
    return __real___imp_WSASend(socket, pieces, count, size, flags, operation, done);
  WSASetLastError(saying);
  return SOCKET_ERROR;
}

/* As Windows does it, which says "pending" before it tries. */
static BOOL WINAPI listen_or_fail(HANDLE pipe, LPOVERLAPPED operation) {
  if (!fault_strikes("ConnectNamedPipe"))
    return __real___imp_ConnectNamedPipe(pipe, operation);
  operation->Internal = STATUS_PENDING;
  SetLastError((DWORD)saying);
  return FALSE;
}

static HANDLE to_disconnect; /* just before a client of it looks at it */

static void disconnect(void) {
  HANDLE server = to_disconnect;
  to_disconnect = NULL;
  if (server != NULL)
    assert_true(DisconnectNamedPipe(server));
}

static BOOL WINAPI disconnect_and_peek(HANDLE pipe, LPVOID data, DWORD size, LPDWORD count, LPDWORD available,
                                       LPDWORD left) {
  disconnect();
  return __real___imp_PeekNamedPipe(pipe, data, size, count, available, left);
}

static BOOL WINAPI disconnect_and_set(HANDLE pipe, LPDWORD mode, LPDWORD count, LPDWORD timeout) {
  disconnect();
  return __real___imp_SetNamedPipeHandleState(pipe, mode, count, timeout);
}

static HANDLE never; /* is waited for instead, if it is not NULL: so late is the pool */

static BOOL WINAPI wait_late(PHANDLE wait, HANDLE handle, WAITORTIMERCALLBACK callback, PVOID context, ULONG timeout,
                             ULONG flags) {
  return __real___imp_RegisterWaitForSingleObject(wait, never != NULL ? never : handle, callback, context, timeout,
                                                  flags);
}

extern const wsa_recv __wrap___imp_WSARecv;
extern const wsa_send __wrap___imp_WSASend;
extern const connect_pipe __wrap___imp_ConnectNamedPipe;
extern const peek_pipe __wrap___imp_PeekNamedPipe;
extern const set_pipe_state __wrap___imp_SetNamedPipeHandleState;
extern const register_wait __wrap___imp_RegisterWaitForSingleObject;
const wsa_recv __wrap___imp_WSARecv = receive_or_fail;
const wsa_send __wrap___imp_WSASend = send_or_fail;
const connect_pipe __wrap___imp_ConnectNamedPipe = listen_or_fail;
const peek_pipe __wrap___imp_PeekNamedPipe = disconnect_and_peek;
const set_pipe_state __wrap___imp_SetNamedPipeHandleState = disconnect_and_set;
const register_wait __wrap___imp_RegisterWaitForSingleObject = wait_late;

BOOL WINAPI __wrap_AcceptEx(SOCKET, SOCKET, PVOID, DWORD, DWORD, DWORD, LPDWORD, LPOVERLAPPED);
BOOL WINAPI __wrap_AcceptEx(SOCKET listener, SOCKET next, PVOID output, DWORD size, DWORD own, DWORD peers,
                            LPDWORD count, LPOVERLAPPED operation) {
  if (!fault_strikes("AcceptEx"))
    return __real_AcceptEx(listener, next, output, size, own, peers, count, operation);
  WSASetLastError(saying);
  return FALSE;
}

/* ---- connections ---- */

/* What TCP says when the peer's machine, or the way to it, is silent for too long. */
static const int given_up[] = {WSAETIMEDOUT,   ERROR_SEM_TIMEOUT, WSAENETRESET,    WSAENETDOWN,
                               WSAENETUNREACH, WSAEHOSTDOWN,      WSAEHOSTUNREACH, WSAECONNABORTED};

static void a_receive_on_a_connection_that_the_system_gave_up_is_not_out_of_time(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof given_up / sizeof given_up[0]; i++) {
    struct ends ends;
    const void *data;
    size_t size;
    ends_open(&ends, ENDS_INET);
    saying = given_up[i];
    fault_arm("WSARecv", 1, 2);
    assert_error(mayfly_recv_bytes(ends.one, SIZE_MAX, &data, &size), MAYFLY_ECONNRESET, "receive on descriptor");
    assert_error(mayfly_recv_bytes(ends.one, SIZE_MAX, &data, &size), MAYFLY_EOF, "");
    ends_close(&ends);
  }
}

static void a_send_on_a_connection_that_the_system_gave_up_is_the_last(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof given_up / sizeof given_up[0]; i++) {
    struct ends ends;
    ends_open(&ends, ENDS_INET);
    saying = given_up[i];
    fault_arm("WSASend", 1, 1);
    assert_error(mayfly_send_bytes(ends.one, "x", 1), MAYFLY_EPIPE, "the peer is gone");
    assert_error(mayfly_send_bytes(ends.one, "x", 1), MAYFLY_EPIPE, "an earlier message");
    ends_close(&ends);
  }
}

/* ---- servers that disconnect ---- */

static HANDLE make_server(mayfly_address *address) {
  assert_ok(mayfly_arbitrary_address(MAYFLY_AF_PIPE, address));
  HANDLE server = CreateNamedPipeA(address->name, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED,
                                   PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE, 1, 1 << 16, 1 << 16, 0, NULL);
  assert_ptr_not_equal(server, INVALID_HANDLE_VALUE);
  return server;
}

/* Which takes away what was not read yet: the rest of a message that is too long for one read. */
static void a_message_whose_rest_is_taken_away_is_cut_off_and_not_delivered(void **state) {
  (void)state;
  static char message[20000];
  mayfly_address address;
  mayfly_connection *client;
  const void *data;
  size_t size;
  DWORD written;
  OVERLAPPED operation = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
  HANDLE server = make_server(&address);
  assert_ok(mayfly_connect(&address, NULL, &client));
  WriteFile(server, message, sizeof message, NULL, &operation);
  assert_true(GetOverlappedResult(server, &operation, &written, TRUE));
  to_disconnect = server;
  assert_error(mayfly_recv_bytes(client, SIZE_MAX, &data, &size), MAYFLY_EPROTO, "inside a message");
  assert_null(to_disconnect);
  assert_ok(mayfly_connection_close(client));
  CloseHandle(server);
  CloseHandle(operation.hEvent);
}

static void a_server_that_disconnects_while_its_client_connects_is_at_its_end(void **state) {
  (void)state;
  mayfly_address address;
  mayfly_connection *client;
  const void *data;
  size_t size;
  HANDLE server = make_server(&address);
  to_disconnect = server;
  assert_ok(mayfly_connect(&address, NULL, &client));
  assert_null(to_disconnect);
  assert_error(mayfly_recv_bytes(client, SIZE_MAX, &data, &size), MAYFLY_EOF, "closed");
  assert_error(mayfly_send_bytes(client, "x", 1), MAYFLY_EPIPE, "the peer is gone");
  assert_ok(mayfly_connection_close(client));
  CloseHandle(server);
}

/* ---- accepts ---- */

static void expect_a_client(mayfly_listener *listener) {
  struct background_connect client;
  mayfly_connection *accepted;
  background_connect(&client, mayfly_listener_address(listener), NULL);
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &accepted));
  background_expect_ok(&client.background);
  ends_close(&(struct ends){client.connection, accepted});
}

static void a_peer_that_was_gone_before_its_accept_was_issued_does_not_count(void **state) {
  (void)state;
  saying = WSAECONNRESET;
  fault_arm("AcceptEx", 1, 2);
  mayfly_listener *listener = ends_listen(ENDS_INET, NULL);
  assert_int_equal(fault_struck("AcceptEx"), 2);
  fault_arm("AcceptEx", 1, 2);
  expect_a_client(listener);
  assert_int_equal(fault_struck("AcceptEx"), 2);
  assert_ok(mayfly_listener_close(listener));
}

static int listen_on_a_pipe(void *listener) {
  return mayfly_listen(NULL, NULL, listener);
}

/* With the thread that issued them the system ends the accepts. */
static void an_accept_that_cannot_be_issued_again_is_tried_later(void **state) {
  (void)state;
  struct background thread;
  mayfly_listener *listener = NULL;
  mayfly_connection *accepted;
  background_start(&thread, listen_on_a_pipe, &listener);
  background_expect_ok(&thread);
  saying = ERROR_NO_SYSTEM_RESOURCES;
  fault_arm("ConnectNamedPipe", 1, 1);
  assert_error(mayfly_accept(listener, MAYFLY_FOREVER, &accepted), MAYFLY_ENOMEM, "no memory is left");
  assert_int_equal(fault_struck("ConnectNamedPipe"), 1);
  expect_a_client(listener);
  assert_ok(mayfly_listener_close(listener));
}

/* ---- waits ---- */

enum { EVENTS = 80 }; /* the system itself waits for 64 at most, its pool for the others */

static void what_is_ready_is_found_without_waiting_however_late_the_pool_is(void **state) {
  (void)state;
  mayfly_wait_item items[EVENTS];
  HANDLE events[EVENTS];
  never = CreateEventW(NULL, TRUE, FALSE, NULL);
  for (int i = 0; i < EVENTS; i++) {
    events[i] = CreateEventW(NULL, TRUE, FALSE, NULL);
    items[i] = (mayfly_wait_item){.fd = (mayfly_os_fd)events[i]};
  }
  for (int i = 0; i < EVENTS; i += EVENTS - 1) {
    SetEvent(events[i]);
    assert_int_equal(mayfly_wait(items, EVENTS, 0), 1);
    assert_true(items[i].ready);
    ResetEvent(events[i]);
  }
  for (int i = 0; i < EVENTS; i++)
    SetEvent(events[i]);
  assert_int_equal(mayfly_wait(items, EVENTS, 0), EVENTS);
  for (int i = 0; i < EVENTS; i++)
    CloseHandle(events[i]);
  CloseHandle(never);
  never = NULL;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(a_receive_on_a_connection_that_the_system_gave_up_is_not_out_of_time),
      test(a_send_on_a_connection_that_the_system_gave_up_is_the_last),
      test(a_message_whose_rest_is_taken_away_is_cut_off_and_not_delivered),
      test(a_server_that_disconnects_while_its_client_connects_is_at_its_end),
      test(a_peer_that_was_gone_before_its_accept_was_issued_does_not_count),
      test(an_accept_that_cannot_be_issued_again_is_tried_later),
      test(what_is_ready_is_found_without_waiting_however_late_the_pool_is),
  };
  return cmocka_run_group_tests_name("windows.broken", tests, NULL, NULL);
}
