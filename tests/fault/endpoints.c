/* SPDX-License-Identifier: MIT */
/* endpoints.c - listening, connecting, accepting and talking, with every call failing.
 *
 * The other side is a child, for whom nothing fails. It is told and heard by read and write, which are not in the list
 * of what fails here. */
#include "calls.h"
#include "child.h"
#include "each.h"
#include "expect.h"
#include "result.h"
#include "test.h"
#include <errno.h>
#include <mayfly/mayfly.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

static const struct fault_row rows[] = {
    {"malloc", ENOMEM, MAYFLY_ENOMEM},
    {"calloc", ENOMEM, MAYFLY_ENOMEM},
    {"realloc", ENOMEM, MAYFLY_ENOMEM},
    {"strdup", ENOMEM, MAYFLY_ENOMEM},
    {"getcwd", ENOMEM, MAYFLY_ENOMEM},
    {"open", EMFILE, MAYFLY_EMFILE},
    {"open", EINTR, 0},
    {"fchmod", EPERM, MAYFLY_EPERM},
    {"fchmodat", EPERM, MAYFLY_EPERM},
    {"flock", EINTR, 0},
    {"fcntl", EINVAL, MAYFLY_EINVAL},
    {"close", EINTR, 0},
    {"close", EIO, MAYFLY_EIO},
    {"pipe2", EMFILE, MAYFLY_EMFILE},
    {"socket", EMFILE, MAYFLY_EMFILE},
    {"socket", ENOBUFS, MAYFLY_ENOMEM},
    {"socketpair", EMFILE, MAYFLY_EMFILE},
    {"bind", EACCES, MAYFLY_EACCES},
    {"bind", EADDRINUSE, MAYFLY_EADDRINUSE},
    {"listen", EADDRINUSE, MAYFLY_EADDRINUSE},
    {"getsockname", ENOBUFS, MAYFLY_ENOMEM},
    {"accept4", EMFILE, MAYFLY_EMFILE},
    {"accept4", ENOMEM, MAYFLY_ENOMEM},
    {"accept4", EACCES, MAYFLY_EACCES},
    {"accept4", ECONNABORTED, 0},
    {"accept4", EINTR, 0},
    {"accept4", EAGAIN, 0},
    {"connect", ECONNREFUSED, MAYFLY_ECONNREFUSED},
    {"connect", EAGAIN, MAYFLY_EAGAIN},
    {"connect", EINTR, 0},
    {"shutdown", EIO, MAYFLY_EIO},
    {"poll", ENOMEM, MAYFLY_ENOMEM},
    {"poll", EINTR, 0},
    {"recv", ENOMEM, MAYFLY_ENOMEM},
    {"recv", ECONNRESET, MAYFLY_ECONNRESET},
    {"recv", EINTR, 0},
    {"send", ENOBUFS, MAYFLY_ENOMEM},
    {"send", EPIPE, MAYFLY_EPIPE},
    {"send", EINTR, 0},
    {"sendmsg", ENOBUFS, MAYFLY_ENOMEM},
    {"sendmsg", EPIPE, MAYFLY_EPIPE},
    {"sendmsg", EINTR, 0},
    {"getaddrinfo", EAI_MEMORY, MAYFLY_ENOMEM},
    {"getaddrinfo", EAI_AGAIN, MAYFLY_EADDRNOTAVAIL},
    {"getaddrinfo", EMFILE, MAYFLY_EMFILE},
    {"getentropy", EIO, MAYFLY_EIO},
};

/* After these something may stay: a lock file that could not be looked at or removed, for the next taker to use. */
static const struct fault_row rows_of_removal[] = {
    {"lstat", EACCES, MAYFLY_EACCES},
    {"fstat", EIO, MAYFLY_EIO},
    {"flock", ENOLCK, MAYFLY_EIO},
    {"unlink", EROFS, MAYFLY_EROFS},
};

static void fail_each(struct scenario scenario, const char *directory) {
  each_call_fails(&scenario, directory, rows, sizeof rows / sizeof rows[0]);
  scenario.removes = 1;
  each_call_fails(&scenario, directory, rows_of_removal, sizeof rows_of_removal / sizeof rows_of_removal[0]);
}

static mayfly_endpoint_options keyed(void) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.authkey = "a key";
  options.authkey_size = 5;
  return options;
}

/* ---- listening ---- */

static int listen_at(const mayfly_address *address) {
  const mayfly_endpoint_options options = keyed();
  mayfly_listener *listener;
  int result = mayfly_listen(address, &options, &listener);
  calls_stop();
  return result < 0 ? result : mayfly_listener_close(listener);
}

static int listen_on_path(const char *directory) {
  mayfly_address address = {MAYFLY_AF_UNIX, 0, ""};
  scratch_path(address.name, directory, "given");
  return listen_at(&address);
}

static void listening_on_a_path(void **state) {
  fail_each((struct scenario){.run = listen_on_path}, *state);
}

static void a_socket_that_cannot_be_looked_at_is_not_left(void **state) {
  calls_fail("lstat", 1, 1, EACCES);
  assert_int_equal(listen_on_path(*state), MAYFLY_EACCES);
  assert_true(calls_stop());
}

static int listen_on_relative_path(const char *directory) {
  const mayfly_address address = {MAYFLY_AF_UNIX, 0, "given"};
  (void)directory;
  return listen_at(&address);
}

static void listening_on_a_relative_path(void **state) {
  char before[SCRATCH_PATH_SIZE];
  assert_non_null(getcwd(before, sizeof before));
  assert_return_code(chdir(*state), errno);
  fail_each((struct scenario){.run = listen_on_relative_path}, *state);
  assert_return_code(chdir(before), errno);
}

static int listen_on_arbitrary(const char *directory) {
  int result = mayfly_settempdir(directory);
  if (result == 0)
    result = listen_at(NULL);
  calls_stop();
  assert_ok(mayfly_cleanup());
  return result;
}

static void listening_on_an_arbitrary_path(void **state) {
  fail_each((struct scenario){.run = listen_on_arbitrary}, *state);
}

static void leave_dead_socket(const char *directory) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%.90s/given", directory);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  assert_return_code(fd, errno);
  assert_return_code(bind(fd, (const struct sockaddr *)&address, sizeof address), errno);
  close(fd);
}

/* Where it can't be taken, it stays. */
static int listen_on_dead_socket(const char *directory) {
  char path[SCRATCH_PATH_SIZE];
  int result = listen_on_path(directory);
  calls_stop();
  scratch_path(path, directory, "given");
  if (result < 0)
    unlink(path);
  return result;
}

static void taking_over_a_dead_socket(void **state) {
  fail_each((struct scenario){.run = listen_on_dead_socket, .prepare = leave_dead_socket, .also = MAYFLY_EADDRINUSE},
            *state);
}

static int listen_on_abstract(const char *directory) {
  mayfly_address address = {MAYFLY_AF_UNIX, 0, ""};
  snprintf(address.name, sizeof address.name, "@%.90s", directory);
  return listen_at(&address);
}

static void listening_on_an_abstract_name(void **state) {
  fail_each((struct scenario){.run = listen_on_abstract}, *state);
}

static int listen_on_localhost(const char *directory) {
  const mayfly_address address = {MAYFLY_AF_INET, 0, "localhost"};
  (void)directory;
  return listen_at(&address);
}

static void listening_on_a_host(void **state) {
  fail_each((struct scenario){.run = listen_on_localhost}, *state);
}

static int listen_everywhere(const char *directory) {
  const mayfly_address address = {MAYFLY_AF_INET, 0, ""};
  (void)directory;
  return listen_at(&address);
}

static void listening_on_every_interface(void **state) {
  fail_each((struct scenario){.run = listen_everywhere}, *state);
}

/* ---- talking ---- */

static const char small[] = "a few bytes";
static char large[100000];

/* One side of a conversation that ends with the same bytes on both; the first failure. */
static int speak(mayfly_connection *connection, const void *data, size_t size) {
  const void *heard;
  size_t heard_size;
  int result = mayfly_send_bytes(connection, data, size);
  if (result == 0)
    result = mayfly_recv_bytes(connection, SIZE_MAX, &heard, &heard_size);
  if (result == 0)
    expect(heard_size == size && memcmp(heard, data, size) == 0);
  return result;
}

static int echo(mayfly_connection *connection) {
  const void *heard;
  size_t size;
  int result = mayfly_recv_bytes(connection, SIZE_MAX, &heard, &size);
  return result < 0 ? result : mayfly_send_bytes(connection, heard, size);
}

static int first_failure(int result, int next) {
  return result < 0 ? result : next;
}

/* ---- connecting: the server is a child ---- */

static mayfly_address server; /* whom a scenario connects to */

static void serve(mayfly_listener *listener) {
  mayfly_connection *connection;
  if (mayfly_accept(listener, PATIENCE_MS, &connection) < 0)
    return; /* who has failed in its handshake */
  expect_ok(mayfly_connection_set_timeouts(connection, PATIENCE_MS, PATIENCE_MS));
  while (echo(connection) == 0)
    continue;
  expect_ok(mayfly_connection_close(connection));
}

/* Until the parent closes its end. */
static int serve_until_the_end(int parent, void *family) {
  const mayfly_endpoint_options options = keyed();
  mayfly_address address;
  mayfly_listener *listener;
  expect_ok(mayfly_settempdir(NULL));
  expect_ok(mayfly_arbitrary_address(*(mayfly_family *)family, &address));
  expect_ok(mayfly_listen(&address, &options, &listener));
  expect(write(parent, mayfly_listener_address(listener), sizeof address) == sizeof address);
  for (;;) {
    mayfly_wait_item items[2] = {{.listener = listener}, {.fd = parent}};
    expect_ok(mayfly_wait(items, 2, MAYFLY_FOREVER));
    if (items[1].ready)
      break;
    serve(listener);
  }
  expect_ok(mayfly_listener_close(listener));
  return 0;
}

static int connect_and_speak(const char *directory) {
  const mayfly_endpoint_options options = keyed();
  mayfly_connection *connection;
  (void)directory;
  int result = mayfly_connect(&server, &options, &connection);
  if (result < 0)
    return result;
  result = mayfly_connection_set_timeouts(connection, PATIENCE_MS, PATIENCE_MS);
  result = first_failure(result, speak(connection, small, sizeof small));
  if (result == 0)
    result = speak(connection, large, sizeof large);
  return first_failure(result, mayfly_connection_close(connection));
}

static void connect_with_each_failing(mayfly_family family, const char *directory) {
  struct child child;
  child_start(&child, serve_until_the_end, &family);
  assert_int_equal(read(child.fd, &server, sizeof server), sizeof server);
  const struct scenario scenario = {.run = connect_and_speak, .also = MAYFLY_EAUTH};
  fail_each(scenario, directory);
  each_call_fails(&scenario, directory, &(struct fault_row){"getsockopt", ENOBUFS, MAYFLY_ENOMEM}, 1);
  shutdown(child.fd, SHUT_RDWR);
  child_expect_exit(&child, 0);
}

static void connecting_to_a_path_and_talking(void **state) {
  connect_with_each_failing(MAYFLY_AF_UNIX, *state);
}

static void connecting_to_a_host_and_talking(void **state) {
  connect_with_each_failing(MAYFLY_AF_INET, *state);
}

/* ---- accepting: the client is a child ---- */

static mayfly_listener *listener;
static int client; /* where it is told to connect, and says that it is done */

/* Its parent's calls fail, so its own may too. */
static void connect_once(const mayfly_address *address) {
  const mayfly_endpoint_options options = keyed();
  mayfly_connection *connection;
  if (mayfly_connect(address, &options, &connection) < 0)
    return;
  mayfly_connection_set_timeouts(connection, PATIENCE_MS, PATIENCE_MS);
  speak(connection, small, sizeof small);
  expect_ok(mayfly_connection_close(connection));
}

static int connect_when_told(int parent, void *address) {
  char word;
  while (read(parent, &word, 1) == 1) {
    connect_once(address);
    expect(write(parent, "d", 1) == 1);
  }
  return 0;
}

static int accept_and_echo(void) {
  mayfly_connection *connection;
  int result = mayfly_accept(listener, 0, &connection);
  if (result < 0)
    return result == MAYFLY_ETIMEDOUT ? 0 : result;
  result = mayfly_connection_set_timeouts(connection, PATIENCE_MS, PATIENCE_MS);
  result = first_failure(result, echo(connection));
  return first_failure(result, mayfly_connection_close(connection));
}

/* Goes on after a failure, until the client is done. */
static int accept_one(const char *directory) {
  int result = 0;
  char word;
  (void)directory;
  assert_int_equal(write(client, "c", 1), 1);
  for (;;) {
    mayfly_wait_item items[2] = {{.listener = listener}, {.fd = client}};
    int waited = mayfly_wait(items, 2, PATIENCE_MS);
    assert_int_not_equal(waited, 0);
    result = first_failure(result, waited);
    if (waited > 0 && items[0].ready)
      result = first_failure(result, accept_and_echo());
    if (waited > 0 && items[1].ready)
      break;
  }
  assert_int_equal(read(client, &word, 1), 1);
  return result < 0 ? result : 0;
}

static void accept_with_each_failing(mayfly_family family, const char *directory) {
  const mayfly_endpoint_options options = keyed();
  mayfly_address address = {family, 0, "localhost"};
  struct child child;
  if (family == MAYFLY_AF_UNIX)
    snprintf(address.name, sizeof address.name, "@%.90s", directory);
  assert_ok(mayfly_listen(&address, &options, &listener));
  address = *mayfly_listener_address(listener);
  child_start(&child, connect_when_told, &address);
  client = child.fd;
  fail_each((struct scenario){.run = accept_one, .also = MAYFLY_EAUTH}, directory);
  assert_ok(mayfly_listener_close(listener));
  shutdown(child.fd, SHUT_RDWR);
  child_expect_exit(&child, 0);
}

static void accepting_on_a_name_and_talking(void **state) {
  accept_with_each_failing(MAYFLY_AF_UNIX, *state);
}

static void accepting_on_a_host_and_talking(void **state) {
  accept_with_each_failing(MAYFLY_AF_INET, *state);
}

static void a_peer_whose_user_the_system_does_not_tell_is_turned_away(void **state) {
  mayfly_address address = {MAYFLY_AF_UNIX, 0, ""};
  mayfly_connection *connection, *accepted = NULL;
  snprintf(address.name, sizeof address.name, "@%.90s", (char *)*state);
  assert_ok(mayfly_listen(&address, NULL, &listener));
  assert_ok(mayfly_connect(&address, NULL, &connection));
  calls_fail("getsockopt", 1, 1, ENOBUFS);
  assert_error(mayfly_accept(listener, PATIENCE_MS, &accepted), MAYFLY_EPEER, "user");
  assert_true(calls_stop());
  assert_null(accepted);
  assert_ok(mayfly_connection_close(connection));
  assert_ok(mayfly_listener_close(listener));
}

/* A system that denies every accept: it would be tried without end. */
static void an_accept_that_is_denied_is_an_error_and_no_reason_to_try_again(void **state) {
  mayfly_address address = {MAYFLY_AF_UNIX, 0, ""};
  mayfly_connection *connection, *accepted = NULL;
  snprintf(address.name, sizeof address.name, "@%.90s", (char *)*state);
  assert_ok(mayfly_listen(&address, NULL, &listener));
  assert_ok(mayfly_connect(&address, NULL, &connection));
  calls_fail("accept4", 1, 1, EACCES);
  assert_error(mayfly_accept(listener, PATIENCE_MS, &accepted), MAYFLY_EACCES, "accept");
  assert_true(calls_stop());
  assert_null(accepted);
  assert_ok(mayfly_accept(listener, PATIENCE_MS, &accepted));
  assert_ok(mayfly_connection_close(accepted));
  assert_ok(mayfly_connection_close(connection));
  assert_ok(mayfly_listener_close(listener));
}

/* ---- a host of two addresses ---- */

/* As a resolver says of "localhost" where /etc/hosts has both. */
static int find_both(const char *port, struct addrinfo **list) {
  const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
  struct addrinfo *ipv4, *ipv6;
  calls_hooks.getaddrinfo = NULL;
  assert_int_equal(getaddrinfo("127.0.0.1", port, &hints, &ipv4), 0);
  assert_int_equal(getaddrinfo("::1", port, &hints, &ipv6), 0);
  calls_hooks.getaddrinfo = find_both;
  ipv6->ai_next = ipv4; /* IPv6 first, as most do */
  *list = ipv6;
  return 0;
}

static void a_port_that_is_taken_is_not_listened_on_at_the_hosts_next_address(void **state) {
  const mayfly_endpoint_options options = keyed();
  mayfly_address address = {MAYFLY_AF_INET, 0, "localhost"};
  mayfly_listener *first, *second = NULL;
  (void)state;
  calls_hooks.getaddrinfo = find_both;
  assert_ok(mayfly_listen(&address, &options, &first));
  assert_string_equal(mayfly_listener_address(first)->name, "127.0.0.1");
  address.port = mayfly_listener_address(first)->port;
  assert_error(mayfly_listen(&address, &options, &second), MAYFLY_EADDRINUSE, "localhost");
  assert_null(second);
  calls_hooks.getaddrinfo = NULL;
  assert_ok(mayfly_listener_close(first));
}

/* ---- pipes ---- */

enum { MANY = 100 };

static int use_pipe(mayfly_connection *ends[2]) {
  mayfly_slice slices[MANY];
  mayfly_wait_item items[MANY];
  const void *data;
  size_t size;
  for (int i = 0; i < MANY; i++) {
    slices[i] = (mayfly_slice){large, 100};
    items[i] = (mayfly_wait_item){.connection = ends[0]};
  }
  int result = mayfly_send_bytes(ends[1], small, sizeof small);
  if (result >= 0)
    result = mayfly_poll(ends[0], PATIENCE_MS);
  if (result >= 0)
    result = mayfly_wait(items, MANY, PATIENCE_MS);
  if (result >= 0)
    result = mayfly_recv_bytes(ends[0], SIZE_MAX, &data, &size);
  if (result >= 0)
    result = mayfly_send_gather(ends[1], slices, MANY);
  if (result >= 0)
    result = mayfly_recv_bytes(ends[0], SIZE_MAX, &data, &size);
  return result;
}

static int make_pipe_and_use_it(int duplex) {
  mayfly_connection *ends[2];
  int result = mayfly_pipe(duplex, ends);
  if (result < 0)
    return result;
  result = use_pipe(ends);
  result = first_failure(result, mayfly_connection_close(ends[0]));
  return first_failure(result, mayfly_connection_close(ends[1]));
}

static int make_two_way_pipe(const char *directory) {
  (void)directory;
  return make_pipe_and_use_it(1);
}

static int make_one_way_pipe(const char *directory) {
  (void)directory;
  return make_pipe_and_use_it(0);
}

static void pipes(void **state) {
  fail_each((struct scenario){.run = make_two_way_pipe}, *state);
  fail_each((struct scenario){.run = make_one_way_pipe}, *state);
}

/* The very same call, on the same connection. */
static void a_call_that_failed_for_want_of_memory_works_again(void **state) {
  mayfly_connection *ends[2];
  mayfly_wait_item item;
  const void *data;
  size_t size = 1;
  (void)state;
  assert_ok(mayfly_pipe(0, ends));
  item = (mayfly_wait_item){.connection = ends[0], .ready = 7};
  calls_fail("send", 1, 1, ENOBUFS);
  assert_error(mayfly_send_bytes(ends[1], small, sizeof small), MAYFLY_ENOMEM, "send");
  assert_ok(mayfly_send_bytes(ends[1], small, sizeof small));
  calls_fail("poll", 1, 1, ENOMEM);
  assert_error(mayfly_wait(&item, 1, PATIENCE_MS), MAYFLY_ENOMEM, "wait");
  assert_int_equal(item.ready, 7);
  assert_int_equal(mayfly_wait(&item, 1, PATIENCE_MS), 1);
  calls_fail("realloc", 1, 1, ENOMEM);
  assert_error(mayfly_recv_bytes(ends[0], SIZE_MAX, &data, &size), MAYFLY_ENOMEM, "memory");
  calls_fail("recv", 1, 1, ENOMEM);
  assert_error(mayfly_recv_bytes(ends[0], SIZE_MAX, &data, &size), MAYFLY_ENOMEM, "receive");
  assert_int_equal(size, 1);
  calls_fail("recv", 2, 1, ENOMEM); /* the length is there, the message is not */
  assert_error(mayfly_recv_bytes(ends[0], SIZE_MAX, &data, &size), MAYFLY_ENOMEM, "receive");
  calls_stop();
  assert_ok(mayfly_recv_bytes(ends[0], SIZE_MAX, &data, &size));
  assert_int_equal(size, sizeof small);
  assert_memory_equal(data, small, size);
  assert_ok(mayfly_connection_close(ends[0]));
  assert_ok(mayfly_connection_close(ends[1]));
}

/* ---- a provider of cryptography without MD5 ---- */

/* As a Python before 3.12 asks and welcomes. */
static void ask_for_md5(mayfly_connection *connection) {
  static const char challenge[] = "#CHALLENGE#0123456789abcdefghij", welcome[] = "#WELCOME#";
  assert_ok(mayfly_send_bytes(connection, challenge, strlen(challenge)));
  assert_ok(mayfly_send_bytes(connection, welcome, strlen(welcome)));
}

static void where_md5_is_not_to_be_had_the_words_say_so(void **state) {
  mayfly_connection *ends[2];
  (void)state;
  assert_ok(mayfly_pipe(1, ends));
  ask_for_md5(ends[1]);
  calls_fail("EVP_MAC_CTX_set_params", 1, 1, 0);
  assert_error(mayfly_answer_challenge(ends[0], "a key", 5, MAYFLY_ENDPOINT_ALLOW_MD5), MAYFLY_EAUTH,
               "HMAC-MD5 is not available");
  assert_true(calls_stop());
  assert_ok(mayfly_connection_close(ends[0]));
  assert_ok(mayfly_connection_close(ends[1]));
  assert_ok(mayfly_pipe(1, ends));
  ask_for_md5(ends[1]);
  assert_ok(mayfly_answer_challenge(ends[0], "a key", 5, MAYFLY_ENDPOINT_ALLOW_MD5));
  assert_ok(mayfly_connection_close(ends[0]));
  assert_ok(mayfly_connection_close(ends[1]));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(listening_on_a_path),
      test_in_scratch(a_socket_that_cannot_be_looked_at_is_not_left),
      test_in_scratch(listening_on_a_relative_path),
      test_in_scratch(listening_on_an_arbitrary_path),
      test_in_scratch(taking_over_a_dead_socket),
      test_in_scratch(listening_on_an_abstract_name),
      test_in_scratch(listening_on_a_host),
      test_in_scratch(listening_on_every_interface),
      test_in_scratch(connecting_to_a_path_and_talking),
      test_in_scratch(connecting_to_a_host_and_talking),
      test_in_scratch(accepting_on_a_name_and_talking),
      test_in_scratch(accepting_on_a_host_and_talking),
      test_in_scratch(a_peer_whose_user_the_system_does_not_tell_is_turned_away),
      test_in_scratch(an_accept_that_is_denied_is_an_error_and_no_reason_to_try_again),
      test(a_port_that_is_taken_is_not_listened_on_at_the_hosts_next_address),
      test_in_scratch(pipes),
      test(a_call_that_failed_for_want_of_memory_works_again),
      test(where_md5_is_not_to_be_had_the_words_say_so),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
