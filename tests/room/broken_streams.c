/* SPDX-License-Identifier: MIT */
/* broken_streams.c - peers that end, are cut off, are reset, or announce what can't be. */
#include "child.h"
#include "ends.h"
#include "fault.h"
#include "raw.h"
#include "result.h"
#include "sanitizer.h"
#include "test.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Twice, since every error that ends reading stays; and no output is touched. */
static void expect_error(mayfly_connection *connection, int error, const char *words, const char *later) {
  const void *data = NULL;
  size_t size = 77;
  unsigned char buffer[4] = {1, 2, 3, 4};
  assert_error(mayfly_recv_bytes(connection, SIZE_MAX, &data, &size), error, words);
  assert_int_equal(mayfly_poll(connection, 0), 1);
  assert_error(mayfly_recv_bytes_into(connection, buffer, sizeof buffer, &size), error, later);
  assert_null(data);
  assert_int_equal(size, 77);
  assert_memory_equal(buffer, "\1\2\3\4", 4);
}

/* ---- ends ------------------------------------------------------------------------- */

static void end_between_messages(enum ends_kind kind) {
  struct ends ends;
  ends_open(&ends, kind);
  assert_ok(mayfly_send_bytes(ends.one, "last", 4));
  assert_ok(mayfly_connection_close(ends.one));
  ends.one = NULL;
  ends_expect_message(ends.other, "last", 4);
  expect_error(ends.other, MAYFLY_EOF, "the peer closed the connection", "the peer closed the connection");
  ends_close(&ends);
}

static void a_peer_that_closed_between_messages_is_an_end(void **state) {
  (void)state;
  ends_of_every_kind(end_between_messages);
}

/* What a peer said before it closed, after one good message; readahead or not. */
static void cut(enum ends_kind kind, size_t readahead, const char *bytes, size_t size) {
  char words[128];
  int raw;
  mayfly_connection *ours = ends_with_raw(kind, NULL, &raw);
  assert_ok(mayfly_connection_set_readahead(ours, readahead));
  raw_say_message(raw, "good", 4);
  raw_say(raw, bytes, size);
  close(raw);
  ends_expect_message(ours, "good", 4);
  snprintf(words, sizeof words, "inside a message, %zu bytes after its beginning", size);
  expect_error(ours, MAYFLY_EPROTO, words, "an earlier message");
  assert_ok(mayfly_connection_close(ours));
}

static void cut_off_everywhere(enum ends_kind kind) {
  static const char short_form[] = "\0\0\0\5hello";
  static const char long_form[] = "\xff\xff\xff\xff\0\0\0\0\0\0\0\2ab";
  for (size_t i = 1; i < sizeof short_form - 1; i++)
    cut(kind, i % 2 * 4096, short_form, i);
  for (size_t i = 1; i < sizeof long_form - 1; i++)
    cut(kind, i % 2 * 4096, long_form, i);
}

static void a_message_that_is_cut_off_is_never_delivered(void **state) {
  (void)state;
  ends_of_every_socket(cut_off_everywhere);
}

static void sending_goes_on_after_a_message_that_was_none(void **state) {
  (void)state;
  char heard[4];
  int raw;
  mayfly_connection *ours = ends_with_raw(ENDS_UNIX, NULL, &raw);
  raw_say_length(raw, (uint32_t)-2);
  expect_error(ours, MAYFLY_EPROTO, "a length that is none", "an earlier message");
  assert_ok(mayfly_send_bytes(ours, "word", 4));
  assert_int_equal(raw_hear_message(raw, heard, 4), 4);
  close(raw);
  assert_ok(mayfly_connection_close(ours));
}

/* ---- resets ------------------------------------------------------------------------ */

static void close_with_something_unread(enum ends_kind kind) {
  struct ends ends;
  ends_open(&ends, kind);
  assert_ok(mayfly_send_bytes(ends.one, "first", 5));
  assert_ok(mayfly_send_bytes(ends.one, "second", 6));
  assert_ok(mayfly_send_bytes(ends.other, "never read", 10));
  mayfly_os_fd fd;
  assert_ok(mayfly_connection_os_fd(ends.one, &fd));
  raw_await((int)fd);
  assert_ok(mayfly_connection_close(ends.one));
  ends.one = NULL;
  ends_expect_message(ends.other, "first", 5);
  ends_expect_message(ends.other, "second", 6);
  const void *data;
  size_t size;
  assert_int_equal(mayfly_poll(ends.other, MAYFLY_FOREVER), 1);
  assert_error(mayfly_recv_bytes(ends.other, SIZE_MAX, &data, &size), MAYFLY_ECONNRESET, "receive on descriptor");
  expect_error(ends.other, MAYFLY_EOF, "closed", "closed");
  ends_close(&ends);
}

static void what_came_before_a_reset_is_delivered_first(void **state) {
  (void)state;
  ends_of_every_kind(close_with_something_unread);
}

static void a_reset_inside_a_message_cuts_it_off(void **state) {
  (void)state;
  const void *data;
  size_t size;
  mayfly_os_fd fd;
  int raw;
  mayfly_connection *ours = ends_with_raw(ENDS_INET, NULL, &raw);
  assert_ok(mayfly_connection_os_fd(ours, &fd));
  raw_say(raw, "\0\0\0\5hel", 7);
  while (raw_unread((int)fd) < 7)
    raw_await((int)fd);
  raw_reset(raw);
  assert_error(mayfly_recv_bytes(ours, SIZE_MAX, &data, &size), MAYFLY_ECONNRESET, "receive on descriptor");
  expect_error(ours, MAYFLY_EPROTO, "inside a message, 7 bytes", "an earlier message");
  assert_ok(mayfly_connection_close(ours));
}

/* ---- lengths ----------------------------------------------------------------------- */

static void announce(enum ends_kind kind, uint32_t length, int error, const char *words) {
  int raw;
  mayfly_connection *ours = ends_with_raw(kind, NULL, &raw);
  raw_say_length(raw, length);
  raw_say_message(raw, "more", 4);
  expect_error(ours, error, words, "an earlier message");
  close(raw);
  assert_ok(mayfly_connection_close(ours));
}

static void announce_long(enum ends_kind kind, uint64_t length, int error, const char *words) {
  int raw;
  mayfly_connection *ours = ends_with_raw(kind, NULL, &raw);
  raw_say_long_length(raw, length);
  expect_error(ours, error, words, "an earlier message");
  close(raw);
  assert_ok(mayfly_connection_close(ours));
}

static void announce_what_cannot_be(enum ends_kind kind) {
  announce(kind, (uint32_t)-2, MAYFLY_EPROTO, "a length that is none");
  announce(kind, UINT32_C(1) << 31, MAYFLY_EPROTO, "a length that is none");
  announce(kind, (UINT32_C(1) << 30) + 1, MAYFLY_EMSGSIZE, "over the limit of 1073741824 bytes");
  announce(kind, INT32_MAX, MAYFLY_EMSGSIZE, "over the limit of 1073741824 bytes");
  announce_long(kind, (UINT64_C(1) << 30) + 1, MAYFLY_EMSGSIZE, "over the limit of 1073741824 bytes");
  announce_long(kind, UINT64_C(1) << 31, MAYFLY_EMSGSIZE, "over the limit of 1073741824 bytes");
  announce_long(kind, UINT64_C(1) << 63, MAYFLY_EMSGSIZE, "over the limit of 1073741824 bytes");
  announce_long(kind, UINT64_MAX, MAYFLY_EMSGSIZE, "over the limit of 1073741824 bytes");
}

static void a_length_that_cannot_be_ends_reading(void **state) {
  (void)state;
  ends_of_every_socket(announce_what_cannot_be);
}

/* One line of /proc/self/status, in KiB. */
static long status_of(const char *name) {
  char line[256];
  long kilobytes = -1;
  FILE *status = fopen("/proc/self/status", "r");
  assert_non_null(status);
  while (fgets(line, sizeof line, status) != NULL)
    if (strncmp(line, name, strlen(name)) == 0)
      kilobytes = strtol(line + strlen(name), NULL, 10);
  fclose(status);
  assert_true(kilobytes >= 0);
  return kilobytes;
}

enum { ANNOUNCERS = 8 };

/* A gigabyte each, of which nothing comes, then a little. */
static void memory_grows_with_what_has_come_not_with_what_was_announced(void **state) {
  (void)state;
  static const char little[50000];
  mayfly_connection *ours[ANNOUNCERS];
  int raw[ANNOUNCERS];
  const void *data;
  size_t size;
  for (int i = 0; i < ANNOUNCERS; i++) {
    ours[i] = ends_with_raw(ENDS_UNIX, NULL, &raw[i]);
    assert_ok(mayfly_connection_set_timeouts(ours[i], 0, 0));
  }
  long data_before = status_of("VmData:"), resident_before = status_of("VmRSS:");
  for (int i = 0; i < ANNOUNCERS; i++) {
    raw_say_length(raw[i], 1 << 30);
    assert_error(mayfly_recv_bytes(ours[i], SIZE_MAX, &data, &size), MAYFLY_ETIMEDOUT, "");
    raw_say(raw[i], little, sizeof little);
    assert_error(mayfly_recv_bytes(ours[i], SIZE_MAX, &data, &size), MAYFLY_ETIMEDOUT, "");
  }
  assert_in_range(status_of("VmData:") - data_before + 4096, 0, 4096 + ANNOUNCERS * 512);
  assert_in_range(status_of("VmRSS:") - resident_before + 4096, 0, 4096 + ANNOUNCERS * 512);
  for (int i = 0; i < ANNOUNCERS; i++) {
    close(raw[i]);
    assert_ok(mayfly_connection_close(ours[i]));
  }
}

enum { SIZE = 64 << 20 };

static int send_large_and_small(int parent, void *connection) {
  (void)parent;
  void *bytes = calloc(1, SIZE);
  int failed = mayfly_send_bytes(connection, bytes, SIZE) < 0 || mayfly_send_bytes(connection, "x", 1) < 0;
  free(bytes);
  return failed;
}

static void the_memory_of_a_large_message_is_not_kept(void **state) {
  (void)state;
  struct child child;
  struct ends ends;
  const void *data;
  size_t size;
  if (SANITIZED) {
    print_message("skipped: a sanitizer keeps what was freed\n");
    skip();
  }
  ends_open(&ends, ENDS_PIPE);
  child_start(&child, send_large_and_small, ends.one);
  long before = status_of("VmData:");
  assert_ok(mayfly_recv_bytes(ends.other, SIZE_MAX, &data, &size));
  assert_int_equal(size, SIZE);
  assert_true(status_of("VmData:") - before >= SIZE / 1024);
  ends_expect_message(ends.other, "x", 1);
  assert_in_range(status_of("VmData:") - before + 65536, 0, 65536 + 4096);
  child_expect_exit(&child, 0);
  ends_close(&ends);
}

/* ---- sending to nobody -------------------------------------------------------------- */

static int send_to_nobody(int parent, void *connection) {
  static const char bytes[100000];
  int result = 0;
  (void)parent;
  signal(SIGPIPE, SIG_DFL);
  for (int i = 0; i < 100 && result == 0; i++) /* AF_INET learns of it by the answer to the first */
    result = mayfly_send_bytes(connection, bytes, i % 2 == 0 ? 10 : sizeof bytes);
  if (result != MAYFLY_EPIPE || strstr(mayfly_last_error(), "the peer is gone") == NULL)
    return 1;
  result = mayfly_send_bytes(connection, "x", 1);
  return result == MAYFLY_EPIPE && strstr(mayfly_last_error(), "the peer is gone") != NULL ? 0 : 2;
}

static void send_without_signal(enum ends_kind kind) {
  struct child child;
  struct ends ends;
  ends_open(&ends, kind);
  assert_ok(mayfly_connection_close(ends.one));
  ends.one = NULL;
  child_start(&child, send_to_nobody, ends.other);
  child_expect_exit(&child, 0);
  ends_close(&ends);
}

static void sending_to_a_peer_that_is_gone_raises_no_signal(void **state) {
  (void)state;
  ends_of_every_kind(send_without_signal);
}

/* ---- a system that fails -------------------------------------------------------------- */

ssize_t __real_send(int fd, const void *bytes, size_t size, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t size, int flags);
ssize_t __real_recv(int fd, void *bytes, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *bytes, size_t size, int flags);

static int failing_with = ENOBUFS;

ssize_t __wrap_send(int fd, const void *bytes, size_t size, int flags) {
  if (!fault_strikes("send"))
    return __real_send(fd, bytes, size, flags);
  errno = failing_with;
  return -1;
}

ssize_t __wrap_recv(int fd, void *bytes, size_t size, int flags) {
  if (!fault_strikes("recv"))
    return __real_recv(fd, bytes, size, flags);
  errno = failing_with;
  return -1;
}

/* Ends, if what they call can be made to fail. */
static void open_with_faults(struct ends *ends) {
  ends_open(ends, ENDS_UNIX);
  fault_arm("send", 2, 1);
  assert_ok(mayfly_send_bytes(ends->one, "", 0));
  ends_expect_message(ends->other, "", 0);
  if (fault_calls("send") == 0) {
    ends_close(ends);
    print_message("skipped: the library is shared, so its calls are its own\n");
    skip();
  }
}

static void a_send_that_failed_before_anything_left_may_be_repeated(void **state) {
  (void)state;
  struct ends ends;
  open_with_faults(&ends);
  fault_arm("send", 1, 1);
  assert_error(mayfly_send_bytes(ends.one, "once", 4), MAYFLY_ENOMEM, "send on descriptor");
  assert_ok(mayfly_send_bytes(ends.one, "again", 5));
  ends_expect_message(ends.other, "again", 5);
  ends_close(&ends);
}

/* Its first part leaves with the header, and then the system has no memory for the rest. */
static void a_send_that_failed_in_the_middle_is_the_last(void **state) {
  (void)state;
  static const char large[8 << 20];
  struct ends ends;
  open_with_faults(&ends);
  assert_ok(mayfly_connection_set_timeouts(ends.one, MAYFLY_FOREVER, 60000));
  fault_arm("send", 1, 1);
  assert_error(mayfly_send_bytes(ends.one, large, sizeof large), MAYFLY_EPIPE, "in the middle of a message");
  assert_int_equal(fault_struck("send"), 1);
  assert_error(mayfly_send_bytes(ends.one, "x", 1), MAYFLY_EPIPE, "an earlier message was cut off");
  ends_close(&ends);
}

/* What TCP says when the peer's machine, or the way to it, is silent for too long. */
static const int given_up[] = {ETIMEDOUT, ENETDOWN, ENETUNREACH, EHOSTUNREACH};

static void what_the_system_gave_up_is_broken_and_not_out_of_time(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof given_up / sizeof given_up[0]; i++) {
    struct ends ends;
    const void *data;
    size_t size;
    open_with_faults(&ends);
    failing_with = given_up[i];
    fault_arm("recv", 1, 1);
    assert_error(mayfly_recv_bytes(ends.one, SIZE_MAX, &data, &size), MAYFLY_ECONNRESET, "receive on descriptor");
    fault_arm("send", 1, 1);
    assert_error(mayfly_send_bytes(ends.one, "x", 1), MAYFLY_EPIPE, "the peer is gone");
    assert_error(mayfly_send_bytes(ends.one, "x", 1), MAYFLY_EPIPE, "an earlier message");
    failing_with = ENOBUFS;
    ends_close(&ends);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(a_peer_that_closed_between_messages_is_an_end),
      test(a_message_that_is_cut_off_is_never_delivered),
      test(sending_goes_on_after_a_message_that_was_none),
      test(what_came_before_a_reset_is_delivered_first),
      test(a_reset_inside_a_message_cuts_it_off),
      test(a_length_that_cannot_be_ends_reading),
      test(memory_grows_with_what_has_come_not_with_what_was_announced),
      test(the_memory_of_a_large_message_is_not_kept),
      test(sending_to_a_peer_that_is_gone_raises_no_signal),
      test(a_send_that_failed_before_anything_left_may_be_repeated),
      test(a_send_that_failed_in_the_middle_is_the_last),
      test(what_the_system_gave_up_is_broken_and_not_out_of_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
