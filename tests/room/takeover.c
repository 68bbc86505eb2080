/* SPDX-License-Identifier: MIT */
/* takeover.c - AF_UNIX paths that are taken: by the dead, by the living, and by what is no socket. */
#include "child.h"
#include "ends.h"
#include "peer.h"
#include "raw.h"
#include "result.h"
#include "sanitizer.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static mayfly_address address_in(const char *directory) {
  mayfly_address address = {.family = MAYFLY_AF_UNIX};
  scratch_path(address.name, directory, "socket");
  return address;
}

static void lock_path(const mayfly_address *address, char path[SCRATCH_PATH_SIZE]) {
  assert_true(snprintf(path, SCRATCH_PATH_SIZE, "%s.lock", address->name) < SCRATCH_PATH_SIZE);
}

static int exists(const char *path) {
  struct stat status;
  return lstat(path, &status) == 0;
}

/* The socket of one who is dead. */
static void leave_stale(const mayfly_address *address) {
  close(raw_listen(address, 1));
}

static void expect_ours(const mayfly_address *address, mayfly_listener *listener) {
  struct ends ends;
  assert_ok(mayfly_connect(address, NULL, &ends.one));
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &ends.other));
  assert_int_equal(mayfly_connection_peer(ends.one)->pid, getpid());
  ends_close(&ends);
}

/* It works, and leaves nothing: the directory must be empty afterwards. */
static void take_over(const mayfly_address *address) {
  struct stat status;
  mayfly_listener *listener;
  assert_ok(mayfly_listen(address, NULL, &listener));
  assert_return_code(lstat(address->name, &status), errno);
  assert_true(S_ISSOCK(status.st_mode));
  assert_int_equal(status.st_mode & 07777, 0600);
  expect_ours(address, listener);
  assert_ok(mayfly_listener_close(listener));
  assert_false(exists(address->name));
}

static void expect_taken(const mayfly_address *address, const char *words) {
  mayfly_listener *listener = NULL;
  assert_error(mayfly_listen(address, NULL, &listener), MAYFLY_EADDRINUSE, words);
  assert_non_null(strstr(mayfly_last_error(), address->name));
  assert_null(listener);
}

/* ---- the dead ----------------------------------------------------------------------- */

static int listen_and_die(int parent, void *address) {
  mayfly_listener *listener;
  if (mayfly_listen(address, NULL, &listener) < 0)
    return 1;
  child_say(parent, 'l');
  child_hear(parent);
  return 2;
}

static void a_path_of_a_killed_process_is_taken_over(void **state) {
  struct child child;
  mayfly_address address = address_in(*state);
  child_start(&child, listen_and_die, &address);
  assert_int_equal(child_hear(child.fd), 'l');
  expect_taken(&address, "somebody listens there");
  child_kill(&child, SIGKILL);
  assert_true(exists(address.name));
  take_over(&address);
}

static void bind_only(int fd, const mayfly_address *address) {
  struct sockaddr_un where = {.sun_family = AF_UNIX};
  strcpy(where.sun_path, address->name);
  assert_return_code(fd, errno);
  assert_return_code(bind(fd, (struct sockaddr *)&where, sizeof where), errno);
}

static void every_kind_of_dead_socket_is_taken_over(void **state) {
  static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
  mayfly_address address = address_in(*state);
  for (int i = 0; i < 3; i++) {
    int fd = socket(AF_UNIX, types[i] | SOCK_CLOEXEC, 0);
    bind_only(fd, &address);
    close(fd);
    take_over(&address);
  }
}

static void a_relative_path_is_taken_over_too(void **state) {
  char before[4096];
  mayfly_address full = address_in(*state), address = {.family = MAYFLY_AF_UNIX, .name = "socket"};
  leave_stale(&full);
  assert_non_null(getcwd(before, sizeof before));
  assert_return_code(chdir(*state), errno);
  take_over(&address);
  assert_return_code(chdir(before), errno);
}

/* ---- what is no socket --------------------------------------------------------------- */

static void put_file(const char *path) {
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs("precious", file);
  assert_int_equal(fclose(file), 0);
}

static void put_directory(const char *path) {
  assert_return_code(mkdir(path, 0700), errno);
}

static void put_fifo(const char *path) {
  assert_return_code(mkfifo(path, 0600), errno);
}

static void put_dangling_link(const char *path) {
  assert_return_code(symlink("/nowhere/at all", path), errno);
}

static void put_link_to_itself(const char *path) {
  assert_return_code(symlink(path, path), errno);
}

static void leave_in_peace(const mayfly_address *address, void (*put)(const char *path)) {
  struct stat before, after;
  put(address->name);
  assert_return_code(lstat(address->name, &before), errno);
  expect_taken(address, "something that is no socket is there");
  assert_return_code(lstat(address->name, &after), errno);
  assert_int_equal(before.st_ino, after.st_ino);
  assert_int_equal(before.st_mode, after.st_mode);
  assert_int_equal(before.st_size, after.st_size);
  assert_return_code(remove(address->name), errno);
}

static void what_is_no_socket_is_never_removed(void **state) {
  mayfly_address address = address_in(*state);
  leave_in_peace(&address, put_file);
  leave_in_peace(&address, put_directory);
  leave_in_peace(&address, put_fifo);
  leave_in_peace(&address, put_dangling_link);
  leave_in_peace(&address, put_link_to_itself);
}

static void a_link_to_a_dead_socket_is_not_followed(void **state) {
  mayfly_address address = address_in(*state), dead = address;
  strcat(dead.name, ".dead");
  leave_stale(&dead);
  assert_return_code(symlink(dead.name, address.name), errno);
  expect_taken(&address, "something that is no socket is there");
  assert_true(exists(dead.name));
  assert_return_code(unlink(address.name), errno);
  assert_return_code(unlink(dead.name), errno);
}

/* ---- the living ------------------------------------------------------------------------ */

static void a_living_listener_of_ours_sees_nothing_of_it(void **state) {
  mayfly_address address = address_in(*state);
  mayfly_listener *living;
  assert_ok(mayfly_listen(&address, NULL, &living));
  mayfly_wait_item item = {.listener = living};
  for (int i = 0; i < 20; i++)
    expect_taken(&address, "somebody listens there");
  assert_int_equal(mayfly_wait(&item, 1, 0), 0);
  expect_ours(&address, living);
  assert_ok(mayfly_listener_close(living));
}

static void a_socket_that_is_bound_and_not_yet_listening_is_alive(void **state) {
  mayfly_address address = address_in(*state);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bind_only(fd, &address);
  expect_taken(&address, "somebody listens there");
  assert_return_code(listen(fd, 4), errno);
  expect_taken(&address, "somebody listens there");
  int client = raw_connect(&address), accepted = raw_accept(fd);
  raw_say(client, "x", 1);
  char byte;
  assert_int_equal(raw_hear(accepted, &byte, 1), 1);
  assert_return_code(fcntl(fd, F_SETFL, O_NONBLOCK), errno);
  assert_int_equal(accept(fd, NULL, NULL), -1); /* and nobody else came */
  close(client);
  close(accepted);
  close(fd);
  take_over(&address);
}

static void sockets_of_another_type_are_alive_too(void **state) {
  static const int types[] = {SOCK_DGRAM, SOCK_SEQPACKET};
  mayfly_address address = address_in(*state);
  for (int i = 0; i < 2; i++) {
    char byte;
    int fd = socket(AF_UNIX, types[i] | SOCK_CLOEXEC, 0);
    bind_only(fd, &address);
    expect_taken(&address, "somebody listens there");
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1); /* nothing was said to it */
    assert_true(exists(address.name));
    close(fd);
    assert_return_code(unlink(address.name), errno);
  }
}

/* A datagram socket that takes from one peer only refuses to be asked. */
static void who_will_not_be_asked_is_left_alone(void **state) {
  mayfly_address address = address_in(*state);
  int pair[2];
  assert_return_code(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), errno);
  bind_only(pair[0], &address);
  expect_taken(&address, "ask whether somebody listens there");
  assert_true(exists(address.name));
  close(pair[0]);
  close(pair[1]);
  assert_return_code(unlink(address.name), errno);
}

static const char python_listener[] = "import multiprocessing.connection, sys\n"
                                      "listener = multiprocessing.connection.Listener(sys.argv[1], 'AF_UNIX')\n"
                                      "print('l', end='', flush=True)\n"
                                      "connection = listener.accept()\n"
                                      "connection.send_bytes(connection.recv_bytes())\n"
                                      "connection.close()\n"
                                      "listener.close()\n";

static void start_python(struct child *child, const char *path) {
  size_t count;
  const struct python *pythons = peer_pythons(&count);
  int parent;
  if (child_fork(child, &parent) == 0) {
    dup2(parent, STDOUT_FILENO);
    execl(pythons[count - 1].path, "python3", "-c", python_listener, path, (char *)NULL);
    _exit(127);
  }
}

/* Whatever asked before: the first that its accept sees is the client. */
static void a_living_python_is_neither_robbed_nor_disturbed(void **state) {
  struct child child;
  mayfly_connection *connection;
  mayfly_address address = address_in(*state);
  start_python(&child, address.name);
  assert_int_equal(child_hear(child.fd), 'l');
  for (int i = 0; i < 20; i++)
    expect_taken(&address, "somebody listens there");
  assert_ok(mayfly_connect(&address, NULL, &connection));
  assert_int_equal(mayfly_connection_peer(connection)->pid, child.pid);
  assert_ok(mayfly_send_bytes(connection, "first", 5));
  ends_expect_message(connection, "first", 5);
  assert_ok(mayfly_connection_close(connection));
  child_expect_exit(&child, 0);
}

/* ---- the lock ------------------------------------------------------------------------------ */

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int open_locked(const char *path) {
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  return fd >= 0 && flock(fd, LOCK_EX) == 0 ? fd : -1;
}

static void a_lock_that_is_never_given_up_is_an_error_in_words(void **state) {
  char lock[SCRATCH_PATH_SIZE];
  mayfly_address address = address_in(*state);
  lock_path(&address, lock);
  leave_stale(&address);
  int held = open_locked(lock);
  assert_return_code(held, errno);
  int64_t begin = now_ms();
  expect_taken(&address, lock);
  assert_true(now_ms() - begin >= 1990);
  assert_true(exists(lock)); /* it is not ours */
  assert_true(exists(address.name));
  close(held);
  take_over(&address); /* who held it is gone, and what it left is used again */
  assert_false(exists(lock));
}

static int lock_and_die(int parent, void *lock) {
  if (open_locked(lock) < 0)
    return 1;
  child_say(parent, 'l');
  child_hear(parent);
  return 2;
}

static void the_lock_of_a_killed_taker_is_used_again(void **state) {
  char lock[SCRATCH_PATH_SIZE];
  struct child child;
  mayfly_address address = address_in(*state);
  lock_path(&address, lock);
  leave_stale(&address);
  child_start(&child, lock_and_die, lock);
  assert_int_equal(child_hear(child.fd), 'l');
  child_kill(&child, SIGKILL);
  assert_true(exists(lock));
  take_over(&address);
  assert_false(exists(lock));
}

static void a_lock_that_is_a_link_is_not_followed(void **state) {
  char lock[SCRATCH_PATH_SIZE], victim[SCRATCH_PATH_SIZE];
  mayfly_address address = address_in(*state);
  lock_path(&address, lock);
  scratch_path(victim, *state, "victim");
  leave_stale(&address);
  assert_return_code(symlink(victim, lock), errno);
  expect_taken(&address, lock);
  assert_false(exists(victim));
  assert_true(exists(lock));
  assert_return_code(unlink(lock), errno);
  assert_return_code(unlink(address.name), errno);
}

/* What no taker can have made may belong to somebody who only happens to call a file so. */
static void what_is_no_lock_is_neither_used_nor_removed(void **state) {
  static void (*const put[])(const char *path) = {put_file, put_directory, put_fifo};
  char lock[SCRATCH_PATH_SIZE];
  mayfly_address address = address_in(*state);
  lock_path(&address, lock);
  leave_stale(&address);
  for (size_t i = 0; i < sizeof put / sizeof put[0]; i++) {
    struct stat before, after;
    put[i](lock);
    assert_return_code(lstat(lock, &before), errno);
    expect_taken(&address, lock);
    assert_return_code(lstat(lock, &after), errno);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(before.st_size, after.st_size);
    assert_return_code(remove(lock), errno);
  }
  take_over(&address);
}

static int listen_when_told(int parent, void *address) {
  mayfly_listener *listener;
  child_hear(parent);
  int result = mayfly_listen(address, NULL, &listener);
  child_say(parent, result == 0 ? 'l' : 'f');
  child_hear(parent);
  return result == 0 ? mayfly_listener_close(listener) : 1;
}

static int has_something_to_say(const struct child *child, int timeout_ms) {
  struct pollfd readable = {.fd = child->fd, .events = POLLIN};
  return poll(&readable, 1, timeout_ms);
}

/* Who waited for a lock that is unlinked meanwhile must ask for the one that has the name now. */
static void a_lock_that_lost_its_name_is_none(void **state) {
  char lock[SCRATCH_PATH_SIZE];
  struct child child;
  mayfly_address address = address_in(*state);
  lock_path(&address, lock);
  leave_stale(&address);
  child_start(&child, listen_when_told, &address); /* first: a child would share the lock */
  int first = open_locked(lock);
  child_say(child.fd, 'g');
  assert_int_equal(has_something_to_say(&child, 50), 0);
  assert_return_code(unlink(lock), errno);
  int second = open_locked(lock);
  close(first);
  assert_int_equal(has_something_to_say(&child, 100), 0);
  assert_return_code(unlink(lock), errno);
  close(second);
  assert_int_equal(child_hear(child.fd), 'l');
  child_say(child.fd, 'e');
  child_expect_exit(&child, 0);
}

/* ---- its mode ---------------------------------------------------------------------------------- */

static int racing;

static struct stat born; /* the socket that was bound last, in its first moment */

int __real_bind(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size) {
  int result = __real_bind(fd, address, size);
  if (result == 0 && !racing)
    lstat(((const struct sockaddr_un *)address)->sun_path, &born);
  return result;
}

static void a_socket_is_its_users_alone_from_its_first_moment(void **state) {
  mayfly_address address = address_in(*state);
  mode_t before = umask(0);
  for (int stale = 0; stale < 2; stale++) {
    if (stale)
      leave_stale(&address);
    take_over(&address);
    assert_true(S_ISSOCK(born.st_mode));
    assert_int_equal(born.st_mode & 07777, 0600);
  }
  umask(before);
}

/* ---- races ------------------------------------------------------------------------------------ */

int __real_unlink(const char *path);
int __wrap_unlink(const char *path);

/* In a race the moment between asking and removing is long, so that whoever is not kept out gets in. */
int __wrap_unlink(const char *path) {
  const struct timespec moment = {0, 300000};
  if (racing && strstr(path, ".lock") == NULL)
    nanosleep(&moment, NULL);
  return __real_unlink(path);
}

enum { RACERS = 50, RACES = SANITIZED ? 60 : 300 };

struct race { /* shared by all */
  pthread_barrier_t barrier;
  mayfly_address address;
  int results[RACERS];
};

struct racer {
  struct race *race;
  int number;
};

static struct race *make_race(const char *directory) {
  pthread_barrierattr_t shared;
  struct race *race = mmap(NULL, sizeof *race, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_ptr_not_equal(race, MAP_FAILED);
  pthread_barrierattr_init(&shared);
  pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
  assert_int_equal(pthread_barrier_init(&race->barrier, &shared, RACERS + 1), 0);
  pthread_barrierattr_destroy(&shared);
  race->address = address_in(directory);
  return race;
}

static void meet(struct race *race) {
  pthread_barrier_wait(&race->barrier);
}

static int run_racer(int parent, void *context) {
  const struct racer *racer = context;
  struct race *race = racer->race;
  (void)parent;
  racing = 1;
  for (int i = 0; i < RACES; i++) {
    mayfly_listener *listener = NULL;
    meet(race); /* a stale path is there */
    race->results[racer->number] = mayfly_listen(&race->address, NULL, &listener);
    meet(race); /* all have tried */
    meet(race); /* the parent has looked */
    mayfly_listener_close(listener);
    meet(race); /* the path is free */
  }
  return 0;
}

/* The number of the one who won. */
static int find_winner(const struct race *race) {
  int winner = -1;
  for (int i = 0; i < RACERS; i++) {
    if (race->results[i] == 0) {
      assert_int_equal(winner, -1);
      winner = i;
    } else
      assert_int_equal(race->results[i], MAYFLY_EADDRINUSE);
  }
  assert_int_not_equal(winner, -1);
  return winner;
}

static void of_fifty_that_race_for_a_stale_path_one_wins(void **state) {
  char lock[SCRATCH_PATH_SIZE];
  struct child children[RACERS];
  struct race *race = make_race(*state);
  lock_path(&race->address, lock);
  if (SANITIZED)
    print_message("  %d rounds only, under a sanitizer\n", RACES);
  for (int i = 0; i < RACERS; i++)
    child_start(&children[i], run_racer, &(struct racer){race, i});
  for (int i = 0; i < RACES; i++) {
    mayfly_connection *connection;
    leave_stale(&race->address);
    meet(race);
    meet(race);
    int winner = find_winner(race);
    assert_ok(mayfly_connect(&race->address, NULL, &connection));
    assert_int_equal(mayfly_connection_peer(connection)->pid, children[winner].pid);
    assert_ok(mayfly_connection_close(connection));
    assert_false(exists(lock));
    meet(race);
    meet(race);
    assert_false(exists(race->address.name));
  }
  for (int i = 0; i < RACERS; i++)
    child_expect_exit(&children[i], 0);
  pthread_barrier_destroy(&race->barrier);
  munmap(race, sizeof *race);
}

enum { SETTLERS = 4, STAYS = 200 };

/* Whoever listens must find itself there, for as long as it listens. */
static int stay_and_look(const mayfly_address *address) {
  mayfly_listener *listener;
  mayfly_connection *connection;
  int result = mayfly_listen(address, NULL, &listener);
  if (result < 0)
    return result == MAYFLY_EADDRINUSE ? 0 : 1;
  for (int i = 0; i < 3; i++) {
    if (mayfly_connect(address, NULL, &connection) < 0)
      return 2;
    int64_t pid = mayfly_connection_peer(connection)->pid;
    mayfly_connection_close(connection);
    if (pid != getpid())
      return 3;
  }
  return mayfly_listener_close(listener) < 0 ? 4 : 0;
}

/* Now and then it leaves a dead socket behind, if nobody else is there. */
static int settle(int parent, void *context) {
  const mayfly_address *address = context;
  struct sockaddr_un where = {.sun_family = AF_UNIX};
  (void)parent;
  racing = 1;
  strcpy(where.sun_path, address->name);
  for (int i = 0; i < STAYS; i++) {
    int failed = stay_and_look(address);
    if (failed != 0)
      return failed;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && i % 3 == 0)
      (void)!bind(fd, (struct sockaddr *)&where, sizeof where);
    close(fd);
  }
  return 0;
}

static void nobody_is_robbed_while_listeners_come_and_go(void **state) {
  struct child children[SETTLERS];
  mayfly_address address = address_in(*state);
  for (int i = 0; i < SETTLERS; i++)
    child_start(&children[i], settle, &address);
  for (int i = 0; i < SETTLERS; i++)
    child_expect_exit(&children[i], 0);
  if (exists(address.name))
    take_over(&address);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(a_path_of_a_killed_process_is_taken_over),
      test_in_scratch(every_kind_of_dead_socket_is_taken_over),
      test_in_scratch(a_relative_path_is_taken_over_too),
      test_in_scratch(what_is_no_socket_is_never_removed),
      test_in_scratch(a_link_to_a_dead_socket_is_not_followed),
      test_in_scratch(a_living_listener_of_ours_sees_nothing_of_it),
      test_in_scratch(a_socket_that_is_bound_and_not_yet_listening_is_alive),
      test_in_scratch(sockets_of_another_type_are_alive_too),
      test_in_scratch(who_will_not_be_asked_is_left_alone),
      test_in_scratch(a_living_python_is_neither_robbed_nor_disturbed),
      test_in_scratch(a_lock_that_is_never_given_up_is_an_error_in_words),
      test_in_scratch(the_lock_of_a_killed_taker_is_used_again),
      test_in_scratch(a_lock_that_is_a_link_is_not_followed),
      test_in_scratch(what_is_no_lock_is_neither_used_nor_removed),
      test_in_scratch(a_lock_that_lost_its_name_is_none),
      test_in_scratch(a_socket_is_its_users_alone_from_its_first_moment),
      test_in_scratch(of_fifty_that_race_for_a_stale_path_one_wins),
      test_in_scratch(nobody_is_robbed_while_listeners_come_and_go),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
