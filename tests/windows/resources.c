/* SPDX-License-Identifier: MIT */
/* resources.c - sends for which the system has no room: Wine always has, so WriteFile and WSASend are made to fail. */
#include "ends.h"
#include "fault.h"
#include "result.h"
#include "test.h"
#include <string.h>

#include <winsock2.h>
/* After winsock2.h. */
#include <windows.h>

/* What a program calls of a DLL's is a pointer, so that is what the linker wraps. */
typedef BOOL(WINAPI *write_file)(HANDLE, LPCVOID, DWORD, LPDWORD, LPOVERLAPPED);
typedef int(WSAAPI *wsa_send)(SOCKET, LPWSABUF, DWORD, LPDWORD, DWORD, LPWSAOVERLAPPED,
                              LPWSAOVERLAPPED_COMPLETION_ROUTINE);
extern const write_file __real___imp_WriteFile;
extern const wsa_send __real___imp_WSASend;

static BOOL WINAPI write_or_fail(HANDLE handle, LPCVOID data, DWORD size, LPDWORD written, LPOVERLAPPED operation) {
  if (operation != NULL && fault_strikes("WriteFile")) {
    SetLastError(ERROR_NO_SYSTEM_RESOURCES);
    return FALSE;
  }
  return __real___imp_WriteFile(handle, data, size, written, operation);
}

static int WSAAPI send_or_fail(SOCKET socket, LPWSABUF pieces, DWORD count, LPDWORD sent, DWORD flags,
                               LPWSAOVERLAPPED operation, LPWSAOVERLAPPED_COMPLETION_ROUTINE done) {
  if (fault_strikes("WSASend")) {
    WSASetLastError(WSAENOBUFS);
    return SOCKET_ERROR;
  }
  return __real___imp_WSASend(socket, pieces, count, sent, flags, operation, done);
}

extern const write_file __wrap___imp_WriteFile;
extern const wsa_send __wrap___imp_WSASend;
const write_file __wrap___imp_WriteFile = write_or_fail;
const wsa_send __wrap___imp_WSASend = send_or_fail;

static char message[1 << 20];

static void fail_as_a_whole(enum ends_kind kind) {
  struct ends ends;
  ends_open(&ends, kind);
  fault_arm(kind == ENDS_INET ? "WSASend" : "WriteFile", 1, 1);
  assert_error(mayfly_send_bytes(ends.one, message, 5000), MAYFLY_ENOMEM, "larger than the system can hold at once");
  assert_ok(mayfly_send_bytes(ends.one, "smaller", 7)); /* nothing of the other has left */
  ends_expect_message(ends.other, "smaller", 7);
  ends_close(&ends);
}

static void a_message_that_the_system_has_no_room_for_is_refused_in_words_and_a_smaller_one_sent(void **state) {
  (void)state;
  ends_of_every_kind(fail_as_a_whole);
}

/* A byte pipe takes the length of a large one first. */
static void without_room_for_the_rest_of_a_message_sending_is_over(void **state) {
  (void)state;
  struct ends ends;
  const void *data;
  size_t size;
  ends_open(&ends, ENDS_UNIX);
  fault_arm("WriteFile", 2, 1);
  assert_error(mayfly_send_bytes(ends.one, message, sizeof message), MAYFLY_EPIPE, "in the middle of a message");
  assert_non_null(strstr(mayfly_last_error(), "larger than the system can hold"));
  assert_error(mayfly_send_bytes(ends.one, "smaller", 7), MAYFLY_EPIPE, "an earlier message was cut off");
  assert_ok(mayfly_connection_close(ends.one));
  assert_error(mayfly_recv_bytes(ends.other, SIZE_MAX, &data, &size), MAYFLY_EPROTO, "");
  ends_close(&(struct ends){ends.other, NULL});
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(a_message_that_the_system_has_no_room_for_is_refused_in_words_and_a_smaller_one_sent),
      test(without_room_for_the_rest_of_a_message_sending_is_over),
  };
  return cmocka_run_group_tests_name("windows.resources", tests, NULL, NULL);
}
