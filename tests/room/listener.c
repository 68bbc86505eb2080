/* SPDX-License-Identifier: MIT */
/* listener.c - listening on every kind of address, accepting, and what becomes of the name. */
#include "background.h"
#include "child.h"
#include "ends.h"
#include "raw.h"
#include "result.h"
#include "test.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static mayfly_address unix_address(const char *directory, const char *name) {
  mayfly_address address = {.family = MAYFLY_AF_UNIX};
  scratch_path(address.name, directory, name);
  return address;
}

static mayfly_address parsed(const char *text) {
  mayfly_address address;
  assert_ok(mayfly_address_parse(text, &address));
  return address;
}

static mayfly_listener *listen_on(const mayfly_address *address, unsigned flags) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  mayfly_listener *listener;
  options.flags = flags;
  assert_ok(mayfly_listen(address, &options, &listener));
  return listener;
}

/* A client at that address, and the accepted connection, which must lead to each other. */
static void talk(mayfly_listener *listener, const mayfly_address *address) {
  struct ends ends;
  assert_ok(mayfly_connect(address, NULL, &ends.one));
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &ends.other));
  assert_ok(mayfly_send_bytes(ends.one, "ping", 4));
  ends_expect_message(ends.other, "ping", 4);
  assert_ok(mayfly_send_bytes(ends.other, "pong", 4));
  ends_expect_message(ends.one, "pong", 4);
  ends_close(&ends);
}

static int exists(const char *path) {
  struct stat status;
  return lstat(path, &status) == 0;
}

/* ---- addresses ----------------------------------------------------------------------- */

static void without_an_address_it_listens_on_a_fresh_one(void **state) {
  (void)state;
  mayfly_listener *listener, *other;
  assert_ok(mayfly_listen(NULL, NULL, &listener));
  assert_ok(mayfly_listen(NULL, NULL, &other));
  mayfly_address address = *mayfly_listener_address(listener);
  assert_int_equal(address.family, MAYFLY_AF_UNIX);
  assert_string_not_equal(address.name, mayfly_listener_address(other)->name);
  talk(listener, &address);
  talk(other, mayfly_listener_address(other));
  assert_ok(mayfly_listener_close(listener));
  assert_false(exists(address.name));
  assert_ok(mayfly_listener_close(other));
}

static void a_path_is_listened_on_and_removed(void **state) {
  mayfly_address address = unix_address(*state, "socket");
  for (int i = 0; i < 2; i++) {
    mayfly_listener *listener = listen_on(&address, 0);
    assert_memory_equal(mayfly_listener_address(listener), &address, sizeof address);
    talk(listener, &address);
    assert_true(exists(address.name));
    assert_ok(mayfly_listener_close(listener));
    assert_false(exists(address.name));
  }
}

static void a_path_of_every_length_that_fits_is_listened_on(void **state) {
  mayfly_address address = unix_address(*state, "");
  size_t begin = strlen(address.name);
  for (size_t length = begin + 1; length <= 107; length++) {
    memset(address.name + begin, 'x', length - begin);
    address.name[length] = '\0';
    mayfly_listener *listener = listen_on(&address, 0);
    talk(listener, &address);
    assert_ok(mayfly_listener_close(listener));
  }
  memset(address.name + begin, 'x', 108 - begin);
  mayfly_listener *none = NULL;
  mayfly_connection *connection = NULL;
  assert_error(mayfly_listen(&address, NULL, &none), MAYFLY_ENAMETOOLONG,
               "108 bytes, and a socket's path may have 107");
  assert_error(mayfly_connect(&address, NULL, &connection), MAYFLY_ENAMETOOLONG, "may have 107");
  assert_null(none);
  assert_null(connection);
}

static void an_abstract_name_has_its_exact_length(void **state) {
  (void)state;
  char text[64];
  snprintf(text, sizeof text, "@mayfly test %d", (int)getpid());
  mayfly_address address = parsed(text);
  mayfly_listener *listener = listen_on(&address, 0), *none = NULL;
  mayfly_connection *accepted;
  assert_string_equal(mayfly_listener_address(listener)->name, text);
  talk(listener, &address);
  int raw = raw_connect(&address);
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &accepted));
  assert_error(mayfly_listen(&address, NULL, &none), MAYFLY_EADDRINUSE, text);
  assert_null(none);
  close(raw);
  assert_ok(mayfly_connection_close(accepted));
  assert_ok(mayfly_listener_close(listener));
  listener = listen_on(&address, 0); /* it is free at once */
  assert_ok(mayfly_listener_close(listener));
}

static void localhost_0_becomes_a_number_and_a_port(void **state) {
  (void)state;
  mayfly_address address = parsed("localhost:0");
  mayfly_listener *listener = listen_on(&address, MAYFLY_ENDPOINT_ANY_USER);
  const mayfly_address *bound = mayfly_listener_address(listener);
  assert_int_equal(bound->family, MAYFLY_AF_INET);
  assert_string_equal(bound->name, "127.0.0.1");
  assert_int_not_equal(bound->port, 0);
  talk(listener, bound);
  address.port = bound->port;
  talk(listener, &address);
  mayfly_listener *none = NULL;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.flags = MAYFLY_ENDPOINT_ANY_USER;
  assert_error(mayfly_listen(&address, &options, &none), MAYFLY_EADDRINUSE, "listen on localhost:");
  assert_ok(mayfly_listener_close(listener));
  listener = listen_on(&address, MAYFLY_ENDPOINT_ANY_USER); /* though connections linger there */
  assert_ok(mayfly_listener_close(listener));
}

static int has_ipv6(void) {
  struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int bound = fd >= 0 && bind(fd, (struct sockaddr *)&loopback, sizeof loopback) == 0;
  if (fd >= 0)
    close(fd);
  if (!bound)
    print_message("skipped in part: no IPv6 here\n");
  return bound;
}

static void an_ipv6_number_is_listened_on(void **state) {
  (void)state;
  if (!has_ipv6())
    skip();
  mayfly_address address = parsed("[::1]:0");
  mayfly_listener *listener = listen_on(&address, MAYFLY_ENDPOINT_ANY_USER);
  char text[MAYFLY_ADDRESS_TEXT_SIZE], expected[MAYFLY_ADDRESS_TEXT_SIZE];
  const mayfly_address *bound = mayfly_listener_address(listener);
  assert_ok(mayfly_address_format(bound, text, sizeof text));
  snprintf(expected, sizeof expected, "[::1]:%u", (unsigned)bound->port);
  assert_string_equal(text, expected);
  talk(listener, bound);
  assert_string_equal(mayfly_listener_last_accepted(listener)->name, "::1");
  assert_ok(mayfly_listener_close(listener));
}

static void without_a_host_every_interface_is_listened_on(void **state) {
  (void)state;
  mayfly_address address = parsed(":0");
  mayfly_listener *listener = listen_on(&address, MAYFLY_ENDPOINT_ANY_USER);
  mayfly_address at = *mayfly_listener_address(listener);
  assert_string_equal(at.name, "");
  assert_int_not_equal(at.port, 0);
  talk(listener, &at);
  strcpy(at.name, "127.0.0.1");
  talk(listener, &at);
  if (has_ipv6()) {
    strcpy(at.name, "::1");
    talk(listener, &at);
  }
  assert_ok(mayfly_listener_close(listener));
}

/* ---- who came --------------------------------------------------------------------------- */

static void the_last_one_accepted_is_told(void **state) {
  (void)state;
  mayfly_listener *listener = ends_listen(ENDS_INET, NULL);
  assert_null(mayfly_listener_last_accepted(listener));
  for (int i = 0; i < 2; i++) {
    struct sockaddr_in own;
    socklen_t size = sizeof own;
    mayfly_connection *connection;
    int raw = raw_connect(mayfly_listener_address(listener));
    assert_return_code(getsockname(raw, (struct sockaddr *)&own, &size), errno);
    assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &connection));
    const mayfly_address *last = mayfly_listener_last_accepted(listener);
    assert_int_equal(last->family, MAYFLY_AF_INET);
    assert_string_equal(last->name, "127.0.0.1");
    assert_int_equal(last->port, ntohs(own.sin_port));
    assert_ok(mayfly_connection_close(connection));
    close(raw);
  }
  assert_ok(mayfly_listener_close(listener));
}

static void a_unix_client_mostly_has_no_name(void **state) {
  mayfly_connection *connection;
  mayfly_listener *listener = ends_listen(ENDS_UNIX, NULL);
  int raw = raw_connect(mayfly_listener_address(listener));
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &connection));
  assert_int_equal(mayfly_listener_last_accepted(listener)->family, MAYFLY_AF_UNIX);
  assert_string_equal(mayfly_listener_last_accepted(listener)->name, "");
  assert_ok(mayfly_connection_close(connection));
  close(raw);

  mayfly_address own = unix_address(*state, "client");
  struct sockaddr_un named = {.sun_family = AF_UNIX}, server = {.sun_family = AF_UNIX};
  strcpy(named.sun_path, own.name);
  strcpy(server.sun_path, mayfly_listener_address(listener)->name);
  raw = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_return_code(bind(raw, (struct sockaddr *)&named, sizeof named), errno);
  assert_return_code(connect(raw, (struct sockaddr *)&server, sizeof server), errno);
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &connection));
  assert_string_equal(mayfly_listener_last_accepted(listener)->name, own.name);
  assert_ok(mayfly_connection_close(connection));
  close(raw);
  assert_return_code(unlink(own.name), errno);
  assert_ok(mayfly_listener_close(listener));
}

/* ---- accepting ---------------------------------------------------------------------------- */

static void accept_in_time(enum ends_kind kind) {
  mayfly_connection *connection = NULL;
  mayfly_listener *listener = ends_listen(kind, NULL);
  assert_error(mayfly_accept(listener, 0, &connection), MAYFLY_ETIMEDOUT, "nobody was through within 0 ms");
  int64_t begin = now_ms();
  assert_error(mayfly_accept(listener, 30, &connection), MAYFLY_ETIMEDOUT, "nobody was through within 30 ms");
  assert_true(now_ms() - begin >= 29);
  assert_error(mayfly_accept(listener, -2, &connection), MAYFLY_EINVAL, "mayfly_accept: a timeout of -2 ms");
  assert_null(connection);
  int raw = raw_connect(mayfly_listener_address(listener));
  assert_ok(mayfly_accept(listener, kind == ENDS_UNIX ? 0 : MAYFLY_FOREVER, &connection));
  close(raw);
  assert_ok(mayfly_connection_close(connection));
  assert_ok(mayfly_listener_close(listener));
}

static void an_accept_takes_the_time_it_was_given(void **state) {
  (void)state;
  ends_of_every_socket(accept_in_time);
}

static void clients_are_accepted_in_the_order_they_came(void **state) {
  (void)state;
  enum { COUNT = 20 };
  int raw[COUNT];
  mayfly_connection *connection;
  mayfly_listener *listener = ends_listen(ENDS_UNIX, NULL);
  for (int i = 0; i < COUNT; i++) {
    raw[i] = raw_connect(mayfly_listener_address(listener));
    raw_say_message(raw[i], &i, sizeof i);
  }
  for (int i = 0; i < COUNT; i++) {
    assert_ok(mayfly_accept(listener, 0, &connection));
    ends_expect_message(connection, &i, sizeof i);
    assert_ok(mayfly_connection_close(connection));
    close(raw[i]);
  }
  assert_ok(mayfly_listener_close(listener));
}

static void a_client_that_came_wrote_and_left_is_accepted_all_the_same(void **state) {
  (void)state;
  mayfly_connection *connection;
  const void *data;
  size_t size;
  mayfly_listener *listener = ends_listen(ENDS_UNIX, NULL);
  int raw = raw_connect(mayfly_listener_address(listener));
  raw_say_message(raw, "bye", 3);
  close(raw);
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &connection));
  ends_expect_message(connection, "bye", 3);
  assert_error(mayfly_recv_bytes(connection, SIZE_MAX, &data, &size), MAYFLY_EOF, "");
  assert_ok(mayfly_connection_close(connection));
  assert_ok(mayfly_listener_close(listener));
}

static void what_was_accepted_outlives_its_listener(void **state) {
  (void)state;
  struct ends ends;
  mayfly_connection *waiting;
  const void *data;
  size_t size;
  mayfly_listener *listener = ends_listen(ENDS_UNIX, NULL);
  assert_ok(mayfly_connect(mayfly_listener_address(listener), NULL, &ends.one));
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &ends.other));
  assert_ok(mayfly_connect(mayfly_listener_address(listener), NULL, &waiting));
  assert_ok(mayfly_listener_close(listener));
  assert_ok(mayfly_send_bytes(ends.one, "still", 5));
  ends_expect_message(ends.other, "still", 5);
  int result = mayfly_recv_bytes(waiting, SIZE_MAX, &data, &size); /* who was not accepted is dropped */
  assert_true(result == MAYFLY_EOF || result == MAYFLY_ECONNRESET);
  assert_ok(mayfly_connection_close(waiting));
  ends_close(&ends);
}

/* ---- a full backlog --------------------------------------------------------------------------- */

/* With a backlog of 1 the system keeps two. */
static void a_client_waits_for_room_in_a_full_backlog(void **state) {
  (void)state;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT, patient = MAYFLY_ENDPOINT_OPTIONS_INIT;
  mayfly_connection *connection = NULL, *accepted, *kept[2];
  struct background_connect client;
  options.backlog = 1;
  mayfly_listener *listener = ends_listen(ENDS_UNIX, &options);
  const mayfly_address *address = mayfly_listener_address(listener);
  assert_ok(mayfly_connect(address, NULL, &kept[0]));
  assert_ok(mayfly_connect(address, NULL, &kept[1]));

  options.open_timeout_ms = 40;
  int64_t begin = now_ms();
  assert_error(mayfly_connect(address, &options, &connection), MAYFLY_ETIMEDOUT, "no connection in time");
  assert_true(now_ms() - begin >= 39);
  assert_null(connection);

  const int times[] = {60000, MAYFLY_FOREVER};
  for (int i = 0; i < 2; i++) {
    patient.open_timeout_ms = times[i];
    background_connect(&client, address, &patient);
    background_await_asleep(&client.background);
    assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &accepted));
    background_expect_ok(&client.background);
    assert_ok(mayfly_connection_close(kept[i]));
    ends_close(&(struct ends){client.connection, accepted});
  }
  assert_ok(mayfly_listener_close(listener));
}

static void a_client_over_inet_runs_out_of_time_too(void **state) {
  (void)state;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  mayfly_connection *connection = NULL, *kept[2];
  options.backlog = 1;
  mayfly_listener *listener = ends_listen(ENDS_INET, &options);
  const mayfly_address *address = mayfly_listener_address(listener);
  assert_ok(mayfly_connect(address, NULL, &kept[0]));
  assert_ok(mayfly_connect(address, NULL, &kept[1]));
  options.open_timeout_ms = 60;
  assert_error(mayfly_connect(address, &options, &connection), MAYFLY_ETIMEDOUT, "connect to 127.0.0.1:");
  assert_null(connection);
  ends_close(&(struct ends){kept[0], kept[1]});
  assert_ok(mayfly_listener_close(listener));
}

/* ---- modes -------------------------------------------------------------------------------------- */

static void expect_mode(const mayfly_address *address, unsigned flags, mode_t mode) {
  static const mode_t masks[] = {0, 022, 077, 0777};
  for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
    struct stat status;
    mode_t before = umask(masks[i]);
    mayfly_listener *listener = listen_on(address, flags);
    umask(before);
    assert_return_code(lstat(address->name, &status), errno);
    assert_true(S_ISSOCK(status.st_mode));
    assert_int_equal(status.st_mode & 07777, mode);
    assert_ok(mayfly_listener_close(listener));
  }
}

static void a_socket_is_its_users_alone_whatever_the_umask(void **state) {
  mayfly_address address = unix_address(*state, "socket");
  expect_mode(&address, 0, 0600);
}

static void for_any_user_it_is_everybodys_whatever_the_umask(void **state) {
  mayfly_address address = unix_address(*state, "socket");
  expect_mode(&address, MAYFLY_ENDPOINT_ANY_USER, 0666);
}

/* ---- the name ------------------------------------------------------------------------------------ */

static void a_relative_path_is_removed_after_a_chdir_too(void **state) {
  char before[4096], other[SCRATCH_PATH_SIZE], path[SCRATCH_PATH_SIZE], decoy[SCRATCH_PATH_SIZE];
  assert_non_null(getcwd(before, sizeof before));
  scratch_path(other, *state, "other");
  scratch_path(path, *state, "socket");
  scratch_path(decoy, *state, "other/socket");
  assert_return_code(mkdir(other, 0700), errno);
  assert_return_code(chdir(*state), errno);
  mayfly_address address = parsed("socket");
  mayfly_listener *listener = listen_on(&address, 0);
  assert_string_equal(mayfly_listener_address(listener)->name, "socket");
  assert_return_code(chdir("other"), errno);
  mayfly_listener *twin = listen_on(&address, 0); /* of the same relative name, elsewhere */
  assert_return_code(chdir("/"), errno);
  assert_true(exists(path));
  assert_true(exists(decoy));
  assert_ok(mayfly_listener_close(listener));
  assert_false(exists(path));
  assert_true(exists(decoy));
  assert_ok(mayfly_listener_close(twin));
  assert_false(exists(decoy));
  assert_return_code(chdir(before), errno);
  assert_return_code(rmdir(other), errno);
}

/* DIRECTORY/link/../socket lies where the link leads to, not in DIRECTORY. */
static void a_path_through_a_link_is_removed_where_it_leads(void **state) {
  char real[SCRATCH_PATH_SIZE], inner[SCRATCH_PATH_SIZE], link[SCRATCH_PATH_SIZE], path[SCRATCH_PATH_SIZE];
  scratch_path(real, *state, "real");
  scratch_path(inner, *state, "real/inner");
  scratch_path(link, *state, "link");
  scratch_path(path, *state, "real/socket");
  assert_return_code(mkdir(real, 0700), errno);
  assert_return_code(mkdir(inner, 0700), errno);
  assert_return_code(symlink("real/inner", link), errno);
  mayfly_address address = unix_address(*state, "link/../socket");
  mayfly_listener *listener = listen_on(&address, 0);
  talk(listener, &address);
  assert_true(exists(path));
  assert_ok(mayfly_listener_close(listener));
  assert_false(exists(path));
  assert_return_code(unlink(link), errno);
  assert_return_code(rmdir(inner), errno);
  assert_return_code(rmdir(real), errno);
}

static void a_closed_listener_unlinks_only_its_own_socket(void **state) {
  mayfly_address address = unix_address(*state, "socket"), moved = unix_address(*state, "moved");
  mayfly_listener *first = listen_on(&address, 0);
  assert_return_code(rename(address.name, moved.name), errno);
  mayfly_listener *second = listen_on(&address, 0);
  assert_ok(mayfly_listener_close(first));
  assert_true(exists(address.name));
  talk(second, &address);
  assert_ok(mayfly_listener_close(second));
  assert_false(exists(address.name));
  assert_return_code(unlink(moved.name), errno);
}

static void leave_the_stranger(const mayfly_address *address, void (*put)(const char *path),
                               int (*take)(const char *)) {
  mayfly_listener *listener = listen_on(address, 0);
  assert_return_code(unlink(address->name), errno);
  if (put != NULL)
    put(address->name);
  assert_ok(mayfly_listener_close(listener));
  if (put == NULL)
    assert_false(exists(address->name));
  else
    assert_return_code(take(address->name), errno);
}

static void put_file(const char *path) {
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_int_equal(fclose(file), 0);
}

static void put_directory(const char *path) {
  assert_return_code(mkdir(path, 0700), errno);
}

static void put_link(const char *path) {
  assert_return_code(symlink("/nowhere", path), errno);
}

static void a_stranger_that_took_the_name_is_left_alone(void **state) {
  mayfly_address address = unix_address(*state, "socket");
  leave_the_stranger(&address, put_file, unlink);
  leave_the_stranger(&address, put_directory, rmdir);
  leave_the_stranger(&address, put_link, unlink);
  leave_the_stranger(&address, NULL, NULL); /* the name is gone already */
}

static int close_in_child(int parent, void *listener) {
  (void)parent;
  return mayfly_listener_close(listener) == 0 ? 0 : 1;
}

static int exit_in_child(int parent, void *listener) {
  (void)parent;
  (void)listener;
  return 0; /* by exit(3), with all its hooks */
}

static void a_forked_child_removes_no_name_of_its_parent(void **state) {
  mayfly_address address = unix_address(*state, "socket");
  mayfly_listener *listener = listen_on(&address, 0);
  child_function *const ways[] = {close_in_child, exit_in_child};
  for (int i = 0; i < 2; i++) {
    struct child child;
    child_start(&child, ways[i], listener);
    child_expect_exit(&child, 0);
    assert_true(exists(address.name));
    talk(listener, &address);
  }
  assert_ok(mayfly_listener_close(listener));
  assert_false(exists(address.name));
}

static int listen_and_exit(int parent, void *address) {
  static mayfly_listener *listener; /* never closed */
  (void)parent;
  return mayfly_listen(address, NULL, &listener) == 0 ? 0 : 1;
}

static void a_listener_that_is_open_at_exit_loses_its_name(void **state) {
  struct child child;
  mayfly_address address = unix_address(*state, "socket");
  child_start(&child, listen_and_exit, &address);
  child_expect_exit(&child, 0);
  assert_false(exists(address.name));
}

/* ---- nobody there ---------------------------------------------------------------------------------- */

static void connecting_to_nobody_is_refused(void **state) {
  mayfly_connection *connection = NULL;
  mayfly_address address = unix_address(*state, "none");
  assert_error(mayfly_connect(&address, NULL, &connection), MAYFLY_ENOENT, address.name);
  put_file(address.name);
  assert_error(mayfly_connect(&address, NULL, &connection), MAYFLY_ECONNREFUSED, address.name);
  assert_return_code(unlink(address.name), errno);
  int stale = raw_listen(&address, 1);
  close(stale);
  assert_error(mayfly_connect(&address, NULL, &connection), MAYFLY_ECONNREFUSED, "connect to ");
  assert_return_code(unlink(address.name), errno);
  address = parsed("@mayfly that nobody has");
  assert_error(mayfly_connect(&address, NULL, &connection), MAYFLY_ECONNREFUSED, "connect to @mayfly");
  mayfly_listener *listener = ends_listen(ENDS_INET, NULL);
  address = *mayfly_listener_address(listener);
  assert_ok(mayfly_listener_close(listener));
  assert_error(mayfly_connect(&address, NULL, &connection), MAYFLY_ECONNREFUSED, "connect to 127.0.0.1:");
  assert_null(connection);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(without_an_address_it_listens_on_a_fresh_one),
      test_in_scratch(a_path_is_listened_on_and_removed),
      test_in_scratch(a_path_of_every_length_that_fits_is_listened_on),
      test(an_abstract_name_has_its_exact_length),
      test(localhost_0_becomes_a_number_and_a_port),
      test(an_ipv6_number_is_listened_on),
      test(without_a_host_every_interface_is_listened_on),
      test(the_last_one_accepted_is_told),
      test_in_scratch(a_unix_client_mostly_has_no_name),
      test(an_accept_takes_the_time_it_was_given),
      test(clients_are_accepted_in_the_order_they_came),
      test(a_client_that_came_wrote_and_left_is_accepted_all_the_same),
      test(what_was_accepted_outlives_its_listener),
      test(a_client_waits_for_room_in_a_full_backlog),
      test(a_client_over_inet_runs_out_of_time_too),
      test_in_scratch(a_socket_is_its_users_alone_whatever_the_umask),
      test_in_scratch(for_any_user_it_is_everybodys_whatever_the_umask),
      test_in_scratch(a_relative_path_is_removed_after_a_chdir_too),
      test_in_scratch(a_path_through_a_link_is_removed_where_it_leads),
      test_in_scratch(a_closed_listener_unlinks_only_its_own_socket),
      test_in_scratch(a_stranger_that_took_the_name_is_left_alone),
      test_in_scratch(a_forked_child_removes_no_name_of_its_parent),
      test_in_scratch(a_listener_that_is_open_at_exit_loses_its_name),
      test_in_scratch(connecting_to_nobody_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
