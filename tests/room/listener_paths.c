/* SPDX-License-Identifier: MIT */
/* listener_paths.c - listening on AF_UNIX names: paths and abstract ones, their modes, and what becomes of them. */
#include "child.h"
#include "ends.h"
#include "raw.h"
#include "result.h"
#include "test.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static mayfly_address unix_address(const char *directory, const char *name) {
  mayfly_address address = {.family = MAYFLY_AF_UNIX};
  scratch_path(address.name, directory, name);
  return address;
}

static int exists(const char *path) {
  struct stat status;
  return lstat(path, &status) == 0;
}

/* ---- addresses ----------------------------------------------------------------------- */

static void a_path_is_listened_on_and_removed(void **state) {
  mayfly_address address = unix_address(*state, "socket");
  for (int i = 0; i < 2; i++) {
    mayfly_listener *listener = ends_listen_on(&address, 0);
    assert_memory_equal(mayfly_listener_address(listener), &address, sizeof address);
    ends_talk(listener, &address);
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
    mayfly_listener *listener = ends_listen_on(&address, 0);
    ends_talk(listener, &address);
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
  mayfly_address address;
  snprintf(text, sizeof text, "@mayfly test %d", (int)getpid());
  assert_ok(mayfly_address_parse(text, &address));
  mayfly_listener *listener = ends_listen_on(&address, 0), *none = NULL;
  mayfly_connection *accepted;
  assert_string_equal(mayfly_listener_address(listener)->name, text);
  ends_talk(listener, &address);
  int raw = raw_connect(&address);
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &accepted));
  assert_error(mayfly_listen(&address, NULL, &none), MAYFLY_EADDRINUSE, text);
  assert_null(none);
  close(raw);
  assert_ok(mayfly_connection_close(accepted));
  assert_ok(mayfly_listener_close(listener));
  listener = ends_listen_on(&address, 0); /* it is free at once */
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

/* ---- modes -------------------------------------------------------------------------------------- */

static void expect_mode(const mayfly_address *address, unsigned flags, mode_t mode) {
  static const mode_t masks[] = {0, 022, 077, 0777};
  for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
    struct stat status;
    mode_t before = umask(masks[i]);
    mayfly_listener *listener = ends_listen_on(address, flags);
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
  mayfly_address address = {.family = MAYFLY_AF_UNIX, .name = "socket"};
  mayfly_listener *listener = ends_listen_on(&address, 0);
  assert_string_equal(mayfly_listener_address(listener)->name, "socket");
  assert_return_code(chdir("other"), errno);
  mayfly_listener *twin = ends_listen_on(&address, 0); /* of the same relative name, elsewhere */
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
  mayfly_listener *listener = ends_listen_on(&address, 0);
  ends_talk(listener, &address);
  assert_true(exists(path));
  assert_ok(mayfly_listener_close(listener));
  assert_false(exists(path));
  assert_return_code(unlink(link), errno);
  assert_return_code(rmdir(inner), errno);
  assert_return_code(rmdir(real), errno);
}

static void a_closed_listener_unlinks_only_its_own_socket(void **state) {
  mayfly_address address = unix_address(*state, "socket"), moved = unix_address(*state, "moved");
  mayfly_listener *first = ends_listen_on(&address, 0);
  assert_return_code(rename(address.name, moved.name), errno);
  mayfly_listener *second = ends_listen_on(&address, 0);
  assert_ok(mayfly_listener_close(first));
  assert_true(exists(address.name));
  ends_talk(second, &address);
  assert_ok(mayfly_listener_close(second));
  assert_false(exists(address.name));
  assert_return_code(unlink(moved.name), errno);
}

static void leave_the_stranger(const mayfly_address *address, void (*put)(const char *path),
                               int (*take)(const char *)) {
  mayfly_listener *listener = ends_listen_on(address, 0);
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
  mayfly_listener *listener = ends_listen_on(&address, 0);
  child_function *const ways[] = {close_in_child, exit_in_child};
  for (int i = 0; i < 2; i++) {
    struct child child;
    child_start(&child, ways[i], listener);
    child_expect_exit(&child, 0);
    assert_true(exists(address.name));
    ends_talk(listener, &address);
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

static void connecting_to_a_path_that_nobody_listens_on_is_refused(void **state) {
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
  address = (mayfly_address){.family = MAYFLY_AF_UNIX, .name = "@mayfly that nobody has"};
  assert_error(mayfly_connect(&address, NULL, &connection), MAYFLY_ECONNREFUSED, "connect to @mayfly");
  assert_null(connection);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(a_path_is_listened_on_and_removed),
      test_in_scratch(a_path_of_every_length_that_fits_is_listened_on),
      test(an_abstract_name_has_its_exact_length),
      test_in_scratch(a_unix_client_mostly_has_no_name),
      test_in_scratch(a_socket_is_its_users_alone_whatever_the_umask),
      test_in_scratch(for_any_user_it_is_everybodys_whatever_the_umask),
      test_in_scratch(a_relative_path_is_removed_after_a_chdir_too),
      test_in_scratch(a_path_through_a_link_is_removed_where_it_leads),
      test_in_scratch(a_closed_listener_unlinks_only_its_own_socket),
      test_in_scratch(a_stranger_that_took_the_name_is_left_alone),
      test_in_scratch(a_forked_child_removes_no_name_of_its_parent),
      test_in_scratch(a_listener_that_is_open_at_exit_loses_its_name),
      test_in_scratch(connecting_to_a_path_that_nobody_listens_on_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
