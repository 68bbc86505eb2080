/* SPDX-License-Identifier: MIT */
/* shut_between.c - a shutdown from another thread that comes between the library's look at the connection and the
 * system call: Winsock and the pipes then say various things, and the caller is told of the shutdown. */
#include "ends.h"
#include "result.h"
#include "test.h"
#include <string.h>

#include <winsock2.h>
/* After winsock2.h. */
#include <windows.h>

/* What a program calls of a DLL's is a pointer, so that is what the linker wraps. */
typedef BOOL(WINAPI *read_file)(HANDLE, LPVOID, DWORD, LPDWORD, LPOVERLAPPED);
typedef BOOL(WINAPI *write_file)(HANDLE, LPCVOID, DWORD, LPDWORD, LPOVERLAPPED);
typedef int(WSAAPI *wsa_recv)(SOCKET, LPWSABUF, DWORD, LPDWORD, LPDWORD, LPWSAOVERLAPPED,
                              LPWSAOVERLAPPED_COMPLETION_ROUTINE);
typedef int(WSAAPI *wsa_send)(SOCKET, LPWSABUF, DWORD, LPDWORD, DWORD, LPWSAOVERLAPPED,
                              LPWSAOVERLAPPED_COMPLETION_ROUTINE);
extern const read_file __real___imp_ReadFile;
extern const write_file __real___imp_WriteFile;
extern const wsa_recv __real___imp_WSARecv;
extern const wsa_send __real___imp_WSASend;

static mayfly_connection *to_shut;

static void shut(void) {
  mayfly_connection *connection = to_shut;
  to_shut = NULL;
  if (connection != NULL)
    assert_ok(mayfly_connection_shutdown(connection));
}

static BOOL WINAPI shut_and_read(HANDLE handle, LPVOID data, DWORD size, LPDWORD count, LPOVERLAPPED operation) {
  shut();
  return __real___imp_ReadFile(handle, data, size, count, operation);
}

static BOOL WINAPI shut_and_write(HANDLE handle, LPCVOID data, DWORD size, LPDWORD count, LPOVERLAPPED operation) {
  if (operation != NULL) /* else it is what the test prints */
    shut();
  return __real___imp_WriteFile(handle, data, size, count, operation);
}

static int WSAAPI shut_and_receive(SOCKET socket, LPWSABUF pieces, DWORD count, LPDWORD size, LPDWORD flags,
                                   LPWSAOVERLAPPED operation, LPWSAOVERLAPPED_COMPLETION_ROUTINE done) {
  shut();
  return __real___imp_WSARecv(socket, pieces, count, size, flags, operation, done);
}

static int WSAAPI shut_and_send(SOCKET socket, LPWSABUF pieces, DWORD count, LPDWORD size, DWORD flags,
                                LPWSAOVERLAPPED operation, LPWSAOVERLAPPED_COMPLETION_ROUTINE done) {
  shut();
  return __real___imp_WSASend(socket, pieces, count, size, flags, operation, done);
}

extern const read_file __wrap___imp_ReadFile;
extern const write_file __wrap___imp_WriteFile;
extern const wsa_recv __wrap___imp_WSARecv;
extern const wsa_send __wrap___imp_WSASend;
const read_file __wrap___imp_ReadFile = shut_and_read;
const write_file __wrap___imp_WriteFile = shut_and_write;
const wsa_recv __wrap___imp_WSARecv = shut_and_receive;
const wsa_send __wrap___imp_WSASend = shut_and_send;

static void receive(mayfly_connection *connection) {
  const void *data;
  size_t size;
  assert_error(mayfly_recv_bytes(connection, SIZE_MAX, &data, &size), MAYFLY_ECANCELED, "was shut down");
}

static void receive_in_time(mayfly_connection *connection) {
  char buffer[8];
  size_t size;
  assert_ok(mayfly_connection_set_timeouts(connection, 60000, 60000));
  assert_error(mayfly_recv_bytes_into(connection, buffer, sizeof buffer, &size), MAYFLY_ECANCELED, "was shut down");
}

/* A pipe takes it all the same, and then it has left. */
static void send_one(mayfly_connection *connection) {
  if (mayfly_send_bytes(connection, "x", 1) != 0)
    assert_non_null(strstr(mayfly_last_error(), "was shut down"));
  assert_error(mayfly_send_bytes(connection, "x", 1), MAYFLY_ECANCELED, "was shut down");
}

static void poll_once(mayfly_connection *connection) {
  assert_error(mayfly_poll(connection, MAYFLY_FOREVER), MAYFLY_ECANCELED, "was shut down");
}

static void wait_for_it(mayfly_connection *connection) {
  mayfly_wait_item item = {.connection = connection};
  assert_int_equal(mayfly_wait(&item, 1, MAYFLY_FOREVER), 1);
  receive(connection);
}

static void deliver_challenge(mayfly_connection *connection) {
  assert_error(mayfly_deliver_challenge(connection, "key", 3, 0), MAYFLY_ECANCELED, "was shut down");
}

static void shut_in(enum ends_kind kind, void (*call)(mayfly_connection *connection)) {
  struct ends ends;
  ends_open(&ends, kind);
  to_shut = ends.one;
  call(ends.one);
  assert_null(to_shut);
  ends_close(&ends);
}

static void shut_in_every_call(enum ends_kind kind) {
  shut_in(kind, receive);
  shut_in(kind, receive_in_time);
  shut_in(kind, send_one);
  shut_in(kind, poll_once);
  shut_in(kind, wait_for_it);
  shut_in(kind, deliver_challenge);
}

static void a_shutdown_just_before_the_system_call_is_told_as_such(void **state) {
  (void)state;
  ends_of_every_kind(shut_in_every_call);
}

/* Its end of the stream says less than the shutdown. */
static void a_shutdown_is_told_before_an_end_that_comes_with_it(void **state) {
  (void)state;
  struct ends ends;
  ends_open(&ends, ENDS_INET);
  assert_ok(mayfly_connection_close(ends.other));
  to_shut = ends.one;
  receive(ends.one);
  ends_close(&(struct ends){ends.one, NULL});
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(a_shutdown_just_before_the_system_call_is_told_as_such),
      test(a_shutdown_is_told_before_an_end_that_comes_with_it),
  };
  return cmocka_run_group_tests_name("windows.shut_between", tests, NULL, NULL);
}
