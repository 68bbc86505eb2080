/* SPDX-License-Identifier: MIT */
/* endpoint_errors.c - what listeners and connections are asked wrongly: the error, its words, no output touched. */
#include "ends.h"
#include "raw.h"
#include "result.h"
#include "test.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* One of this system that nobody listens on. */
static mayfly_address fresh(void) {
  mayfly_address address;
  assert_ok(mayfly_arbitrary_address(mayfly_default_family(), &address));
  return address;
}

static char mark; /* where an output leads that must not be touched */

static void expect_no_listener(const mayfly_address *address, const mayfly_endpoint_options *options, int error,
                               const char *words) {
  mayfly_listener *const untouched = (void *)&mark;
  mayfly_listener *listener = untouched;
  assert_error(mayfly_listen(address, options, &listener), error, words);
  assert_ptr_equal(listener, untouched);
}

static void expect_no_connection(const mayfly_address *address, const mayfly_endpoint_options *options, int error,
                                 const char *words) {
  mayfly_connection *const untouched = (void *)&mark;
  mayfly_connection *connection = untouched;
  assert_error(mayfly_connect(address, options, &connection), error, words);
  assert_ptr_equal(connection, untouched);
}

static void expect_neither(const mayfly_address *address, const mayfly_endpoint_options *options, int error,
                           const char *words) {
  expect_no_listener(address, options, error, words);
  expect_no_connection(address, options, error, words);
}

/* ---- NULL ------------------------------------------------------------------------------ */

static void a_maker_needs_its_output(void **state) {
  (void)state;
  mayfly_address address = fresh();
  mayfly_connection *connection = NULL;
  assert_error(mayfly_listen(&address, NULL, NULL), MAYFLY_EINVAL, "mayfly_listen: listener is NULL");
  assert_error(mayfly_listen(NULL, NULL, NULL), MAYFLY_EINVAL, "mayfly_listen: listener is NULL");
  assert_error(mayfly_connect(&address, NULL, NULL), MAYFLY_EINVAL, "mayfly_connect: connection is NULL");
  assert_error(mayfly_connect(NULL, NULL, &connection), MAYFLY_EINVAL, "mayfly_connect: address is NULL");
  assert_error(mayfly_pipe(1, NULL), MAYFLY_EINVAL, "mayfly_pipe: ends is NULL");
  assert_error(mayfly_pipe(0, NULL), MAYFLY_EINVAL, "mayfly_pipe: ends is NULL");
  assert_null(connection);
}

static void null_is_no_listener(void **state) {
  (void)state;
  mayfly_connection *connection = NULL;
  mayfly_listener *listener = ends_listen(ENDS_UNIX, NULL);
  assert_error(mayfly_accept(NULL, 0, &connection), MAYFLY_EINVAL, "mayfly_accept: listener is NULL");
  assert_error(mayfly_accept(listener, 0, NULL), MAYFLY_EINVAL, "mayfly_accept: connection is NULL");
  assert_error(mayfly_listener_shutdown(NULL), MAYFLY_EINVAL, "mayfly_listener_shutdown: listener is NULL");
  assert_null(mayfly_listener_address(NULL));
  assert_string_equal(mayfly_last_error(), "mayfly_listener_address: listener is NULL");
  assert_null(mayfly_listener_last_accepted(NULL));
  assert_string_equal(mayfly_last_error(), "mayfly_listener_last_accepted: listener is NULL");
  assert_ok(mayfly_listener_close(NULL));
  assert_null(connection);
  assert_ok(mayfly_listener_close(listener));
}

static void null_is_no_connection(void **state) {
  (void)state;
  const void *data = &data;
  size_t size = 77;
  char buffer[4];
  mayfly_os_fd fd = 77;
  assert_error(mayfly_connection_os_fd(NULL, &fd), MAYFLY_EINVAL, "mayfly_connection_os_fd: connection is NULL");
  assert_error(mayfly_connection_set_timeouts(NULL, 0, 0), MAYFLY_EINVAL, "set_timeouts: connection is NULL");
  assert_error(mayfly_connection_set_readahead(NULL, 0), MAYFLY_EINVAL, "set_readahead: connection is NULL");
  assert_error(mayfly_connection_set_message_size_max(NULL, 0), MAYFLY_EINVAL, "size_max: connection is NULL");
  assert_error(mayfly_connection_shutdown(NULL), MAYFLY_EINVAL, "mayfly_connection_shutdown: connection is NULL");
  assert_error(mayfly_send_bytes(NULL, "x", 1), MAYFLY_EINVAL, "mayfly_send_bytes: connection is NULL");
  assert_error(mayfly_send_gather(NULL, NULL, 0), MAYFLY_EINVAL, "mayfly_send_gather: connection is NULL");
  assert_error(mayfly_recv_bytes(NULL, 1, &data, &size), MAYFLY_EINVAL, "mayfly_recv_bytes: connection is NULL");
  assert_error(mayfly_recv_bytes_into(NULL, buffer, 4, &size), MAYFLY_EINVAL, "recv_bytes_into: connection is NULL");
  assert_error(mayfly_poll(NULL, 0), MAYFLY_EINVAL, "mayfly_poll: connection is NULL");
  assert_null(mayfly_connection_peer(NULL));
  assert_string_equal(mayfly_last_error(), "mayfly_connection_peer: connection is NULL");
  assert_ok(mayfly_connection_close(NULL));
  assert_ptr_equal(data, &data);
  assert_int_equal(size, 77);
  assert_int_equal(fd, 77);
}

static void a_call_needs_its_arguments(void **state) {
  (void)state;
  const void *data = &data;
  size_t size = 77;
  struct ends ends;
  ends_open(&ends, ENDS_UNIX);
  assert_ok(mayfly_send_bytes(ends.other, "there", 5));
  assert_error(mayfly_connection_os_fd(ends.one, NULL), MAYFLY_EINVAL, "mayfly_connection_os_fd: fd is NULL");
  assert_error(mayfly_send_bytes(ends.one, NULL, 1), MAYFLY_EINVAL, "is NULL");
  assert_error(mayfly_send_gather(ends.one, NULL, 1), MAYFLY_EINVAL, "mayfly_send_gather: slices is NULL");
  assert_error(mayfly_recv_bytes(ends.one, 9, NULL, &size), MAYFLY_EINVAL, "mayfly_recv_bytes: data is NULL");
  assert_error(mayfly_recv_bytes(ends.one, 9, &data, NULL), MAYFLY_EINVAL, "mayfly_recv_bytes: size is NULL");
  assert_error(mayfly_recv_bytes_into(ends.one, NULL, 9, &size), MAYFLY_EINVAL, "recv_bytes_into: buffer is NULL");
  assert_error(mayfly_recv_bytes_into(ends.one, &size, sizeof size, NULL), MAYFLY_EINVAL,
               "recv_bytes_into: size is NULL");
  assert_ptr_equal(data, &data);
  assert_int_equal(size, 77);
  ends_expect_message(ends.one, "there", 5); /* nothing was taken, and nothing sent */
  assert_int_equal(mayfly_poll(ends.other, 0), 0);
  ends_close(&ends);
}

/* ---- addresses --------------------------------------------------------------------------- */

static void what_is_no_address_is_refused(void **state) {
  (void)state;
  mayfly_address address = {.family = MAYFLY_AF_UNSPEC};
  expect_neither(&address, NULL, MAYFLY_EINVAL, "the address is of no family");
  address.family = (mayfly_family)99;
  expect_neither(&address, NULL, MAYFLY_EINVAL, "the address is of no family");
  address.family = MAYFLY_AF_UNIX;
  expect_neither(&address, NULL, MAYFLY_EINVAL, "the path of an AF_UNIX address is empty");
  strcpy(address.name, "@");
  expect_neither(&address, NULL, MAYFLY_EINVAL, "an abstract AF_UNIX address has a name");
  strcpy(address.name, "socket");
  address.port = 1;
  expect_neither(&address, NULL, MAYFLY_EINVAL, "only an AF_INET address has a port");
  memset(address.name, 'x', sizeof address.name);
  address.port = 0;
  expect_neither(&address, NULL, MAYFLY_EINVAL, "does not end within its 256 bytes");
}

static void a_family_that_the_system_lacks_is_named(void **state) {
  (void)state;
  mayfly_address address;
  if (mayfly_default_family() == MAYFLY_AF_UNIX) {
    assert_ok(mayfly_arbitrary_address(MAYFLY_AF_PIPE, &address));
    expect_neither(&address, NULL, MAYFLY_EAFNOSUPPORT, "this system has no AF_PIPE");
  } else {
    assert_ok(mayfly_address_parse("unix:d:/socket", &address));
    expect_neither(&address, NULL, MAYFLY_EAFNOSUPPORT, "this system has no AF_UNIX");
  }
}

static void a_host_that_is_none_comes_with_the_resolvers_words(void **state) {
  (void)state;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  mayfly_address address = {.family = MAYFLY_AF_INET, .port = 1, .name = "fe80::1%nosuch"};
  options.flags = MAYFLY_ENDPOINT_ANY_USER;
  expect_neither(&address, &options, MAYFLY_EADDRNOTAVAIL, "[fe80::1%nosuch]:1: ");
  strcpy(address.name, "192.0.2.1"); /* of nobody */
  expect_no_listener(&address, &options, MAYFLY_EADDRNOTAVAIL, "listen on 192.0.2.1:1");
}

/* ---- options ------------------------------------------------------------------------------- */

struct newer { /* as a later version of the library may have it */
  mayfly_endpoint_options options;
  unsigned char more[16];
};

static void options_have_a_size(void **state) {
  (void)state;
  mayfly_address address = fresh();
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.size = 0;
  expect_neither(&address, &options, MAYFLY_EINVAL, "mayfly_endpoint_options: a size of 0");
  options.size = 4;
  expect_neither(&address, &options, MAYFLY_EINVAL, "mayfly_endpoint_options: a size of 4");
}

static void a_newer_struct_is_taken_while_its_new_members_are_unset(void **state) {
  (void)state;
  mayfly_address address = fresh();
  struct newer newer = {.options = MAYFLY_ENDPOINT_OPTIONS_INIT};
  mayfly_listener *listener;
  newer.options.size = sizeof newer;
  assert_ok(mayfly_listen(&address, &newer.options, &listener));
  assert_ok(mayfly_listener_close(listener));
  newer.more[15] = 1;
  expect_neither(&address, &newer.options, MAYFLY_EINVAL, "a member is set that this version");
  newer.more[15] = 0;
  newer.more[0] = 1;
  expect_neither(&address, &newer.options, MAYFLY_EINVAL, "a member is set that this version");
}

/* Of an older struct that ends behind open_timeout_ms nothing further is looked at. */
static void an_older_struct_is_taken_as_far_as_it_goes(void **state) {
  (void)state;
  enum { OLDER = offsetof(mayfly_endpoint_options, backlog) };
  mayfly_address address = fresh();
  mayfly_listener *listener;
  char *older = malloc(OLDER); /* so that a sanitizer sees who looks further */
  assert_non_null(older);
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.size = OLDER;
  options.open_timeout_ms = -5;
  memcpy(older, &options, OLDER);
  expect_neither(&address, (void *)older, MAYFLY_EINVAL, "open_timeout_ms is -5"); /* it is read that far */
  options.open_timeout_ms = 0;
  memcpy(older, &options, OLDER);
  assert_ok(mayfly_listen(&address, (void *)older, &listener));
  assert_ok(mayfly_listener_close(listener));
  free(older);
}

static void flags_of_no_use_are_named(void **state) {
  (void)state;
  mayfly_address address = fresh();
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  mayfly_listener *listener;
  options.flags = 1u << 4;
  expect_neither(&address, &options, MAYFLY_EINVAL, "flag 0x10 is of no use here");
  options.flags = 1u << 31 | MAYFLY_ENDPOINT_ANY_USER;
  expect_neither(&address, &options, MAYFLY_EINVAL, "flag 0x80000000 is of no use here");
  options.flags = MAYFLY_ENDPOINT_PIPE_BYTES;
  expect_no_connection(&address, &options, MAYFLY_EINVAL, "flag 0x4 is of no use here");
  assert_ok(mayfly_listen(&address, &options, &listener));
  assert_ok(mayfly_listener_close(listener));
  options.flags = MAYFLY_ENDPOINT_PIPE_MESSAGES;
  expect_no_connection(&address, &options, MAYFLY_EINVAL, "flag 0x8 is of no use here");
  assert_ok(mayfly_listen(&address, &options, &listener));
  assert_ok(mayfly_listener_close(listener));
  options.flags = MAYFLY_ENDPOINT_PIPE_BYTES | MAYFLY_ENDPOINT_PIPE_MESSAGES;
  expect_no_listener(&address, &options, MAYFLY_EINVAL, "exclude each other");
}

static void a_key_is_whole_or_absent(void **state) {
  (void)state;
  mayfly_address address = fresh();
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.authkey = "";
  expect_neither(&address, &options, MAYFLY_EINVAL, "authkey is empty");
  options.authkey = NULL;
  options.authkey_size = 6;
  expect_neither(&address, &options, MAYFLY_EINVAL, "authkey is NULL");
}

static void numbers_that_cannot_be_are_named(void **state) {
  (void)state;
  mayfly_address address = fresh();
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.open_timeout_ms = -2;
  expect_neither(&address, &options, MAYFLY_EINVAL, "open_timeout_ms is -2");
  options.open_timeout_ms = INT_MIN;
  expect_neither(&address, &options, MAYFLY_EINVAL, "open_timeout_ms is -2147483648");
  options = (mayfly_endpoint_options)MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.backlog = -1;
  expect_no_listener(&address, &options, MAYFLY_EINVAL, "backlog is -1");
  options = (mayfly_endpoint_options)MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.opening_max = -1;
  expect_no_listener(&address, &options, MAYFLY_EINVAL, "opening_max is -1");
  options = (mayfly_endpoint_options)MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.readahead = SIZE_MAX;
  expect_neither(&address, &options, MAYFLY_EINVAL, "readahead");
}

static void the_largest_numbers_are_taken(void **state) {
  (void)state;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  struct ends ends;
  options.open_timeout_ms = INT_MAX;
  options.backlog = INT_MAX;
  options.opening_max = INT_MAX;
  options.message_size_max = UINT64_MAX;
  ends_open_with(&ends, ENDS_UNIX, &options);
  assert_ok(mayfly_send_bytes(ends.one, "x", 1));
  ends_expect_message(ends.other, "x", 1);
  ends_close(&ends);
}

static void what_only_listeners_use_is_not_looked_at_for_a_client(void **state) {
  (void)state;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  mayfly_connection *connection;
  mayfly_listener *listener = ends_listen(ENDS_UNIX, NULL);
  options.backlog = -1;
  options.opening_max = -1;
  options.queue_low = SIZE_MAX; /* nor those that are for event loops */
  assert_ok(mayfly_connect(mayfly_listener_address(listener), &options, &connection));
  assert_ok(mayfly_connection_close(connection));
  assert_ok(mayfly_listener_close(listener));
}

/* ---- the peer is gone ------------------------------------------------------------------------- */

static void use_what_is_left(enum ends_kind kind) {
  const void *data = &data;
  size_t size = 77;
  mayfly_os_fd fd;
  char buffer[4];
  struct ends ends;
  ends_open(&ends, kind);
  assert_ok(mayfly_connection_close(ends.one));
  mayfly_connection *left = ends.other;
  mayfly_wait_item item = {.connection = left};
  assert_int_equal(mayfly_poll(left, MAYFLY_FOREVER), 1);
  assert_int_equal(mayfly_wait(&item, 1, MAYFLY_FOREVER), 1);
  assert_error(mayfly_recv_bytes(left, SIZE_MAX, &data, &size), MAYFLY_EOF, "the peer closed the connection");
  assert_error(mayfly_recv_bytes_into(left, buffer, 4, &size), MAYFLY_EOF, "the peer closed the connection");
  int result = 0;
  for (int i = 0; i < 1000 && result == 0; i++) /* over AF_INET the first one is still taken */
    result = mayfly_send_bytes(left, "x", 1);
  assert_error(result, MAYFLY_EPIPE, "the peer is gone");
  assert_error(mayfly_send_gather(left, NULL, 0), MAYFLY_EPIPE, "the peer is gone");
  assert_ok(mayfly_connection_os_fd(left, &fd));
  assert_non_null(mayfly_connection_peer(left));
  assert_ok(mayfly_connection_set_timeouts(left, 0, 0));
  assert_ok(mayfly_connection_set_readahead(left, 0));
  assert_ok(mayfly_connection_shutdown(left));
  assert_ptr_equal(data, &data);
  assert_int_equal(size, 77);
  ends_close(&(struct ends){left, NULL});
}

static void a_connection_whose_peer_is_gone_says_so(void **state) {
  (void)state;
  ends_of_every_kind(use_what_is_left);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(a_maker_needs_its_output),
      test(null_is_no_listener),
      test(null_is_no_connection),
      test(a_call_needs_its_arguments),
      test(what_is_no_address_is_refused),
      test(a_family_that_the_system_lacks_is_named),
      test(a_host_that_is_none_comes_with_the_resolvers_words),
      test(options_have_a_size),
      test(a_newer_struct_is_taken_while_its_new_members_are_unset),
      test(an_older_struct_is_taken_as_far_as_it_goes),
      test(flags_of_no_use_are_named),
      test(a_key_is_whole_or_absent),
      test(numbers_that_cannot_be_are_named),
      test(the_largest_numbers_are_taken),
      test(what_only_listeners_use_is_not_looked_at_for_a_client),
      test(a_connection_whose_peer_is_gone_says_so),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
