/* SPDX-License-Identifier: MIT */
/* operations.c - operations NAME COUNT: one operation, COUNT times, and nothing else, for a tracer to count. */
#include "bench.h"
#include "operations_uv.h"
#include <mayfly/connection.h>
#include <mayfly/tempfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BURST = 100, READAHEAD = 1 << 16 };

static void receive(mayfly_connection *connection) {
  const void *data;
  size_t size;
  bench_check(mayfly_recv_bytes(connection, SIZE_MAX, &data, &size), "mayfly_recv_bytes");
}

static void send(mayfly_connection *connection, const void *data, size_t size) {
  bench_check(mayfly_send_bytes(connection, data, size), "mayfly_send_bytes");
}

static void open_pipe(mayfly_connection *ends[2], size_t readahead) {
  bench_check(mayfly_pipe(1, ends), "mayfly_pipe");
  bench_check(mayfly_connection_set_readahead(ends[1], readahead), "mayfly_connection_set_readahead");
}

static void messages(long count, size_t size, size_t readahead, int timeout_ms) {
  static const char data[1 << 16];
  mayfly_connection *ends[2];
  open_pipe(ends, readahead);
  mayfly_connection_set_timeouts(ends[1], timeout_ms, timeout_ms);
  for (long i = 0; i < count; i++) {
    send(ends[0], data, size);
    receive(ends[1]);
  }
}

static void message(long count) {
  messages(count, 16, 0, MAYFLY_FOREVER);
}

static void message_64k(long count) {
  messages(count, 1 << 16, 0, MAYFLY_FOREVER);
}

static void message_ahead(long count) {
  messages(count, 16, READAHEAD, MAYFLY_FOREVER);
}

static void message_timed(long count) {
  messages(count, 16, 0, 1000);
}

static void pipe_messages(long count, size_t size, int timeout_ms) {
  static const char data[1 << 15];
  mayfly_connection *ends[2];
  int fds[2];
  bench_need(pipe(fds) == 0, "pipe");
  for (int i = 0; i < 2; i++) {
    bench_check(mayfly_connection_adopt(fds[i], i == 0, i == 1, &ends[i]), "mayfly_connection_adopt");
    mayfly_connection_set_timeouts(ends[i], timeout_ms, timeout_ms);
  }
  for (long i = 0; i < count; i++) {
    send(ends[1], data, size);
    receive(ends[0]);
  }
}

static void pipe_message(long count) {
  pipe_messages(count, 16, MAYFLY_FOREVER);
}

static void pipe_32k(long count) {
  pipe_messages(count, 1 << 15, MAYFLY_FOREVER);
}

static void pipe_timed(long count) {
  pipe_messages(count, 16, 1000);
}

static void burst_ahead(long count) {
  mayfly_connection *ends[2];
  open_pipe(ends, READAHEAD);
  for (long i = 0; i < count; i++) {
    for (int j = 0; j < BURST; j++)
      send(ends[0], "", 1);
    for (int j = 0; j < BURST; j++)
      receive(ends[1]);
  }
}

static void poll_one(long count) {
  mayfly_connection *ends[2];
  open_pipe(ends, 0);
  send(ends[0], "", 1);
  for (long i = 0; i < count; i++)
    bench_check(mayfly_poll(ends[1], MAYFLY_FOREVER), "mayfly_poll");
}

static void wait_on(size_t many, long count) {
  struct rlimit descriptors;
  bench_need(getrlimit(RLIMIT_NOFILE, &descriptors) == 0, "getrlimit");
  descriptors.rlim_cur = descriptors.rlim_max;
  bench_need(setrlimit(RLIMIT_NOFILE, &descriptors) == 0, "setrlimit");
  mayfly_wait_item *items = calloc(many, sizeof *items);
  bench_need(items != NULL, "calloc");
  mayfly_connection *ends[2];
  for (size_t i = 0; i < many; i += 2) {
    open_pipe(ends, 0);
    items[i].connection = ends[0];
    items[i + 1].connection = ends[1];
  }
  send(ends[0], "", 1);
  for (long i = 0; i < count; i++)
    bench_check(mayfly_wait(items, many, MAYFLY_FOREVER), "mayfly_wait");
}

static void wait_100(long count) {
  wait_on(100, count);
}

static void wait_5000(long count) {
  wait_on(5000, count);
}

static void adopt(long count) {
  mayfly_connection *ends[2], *adopted;
  mayfly_os_fd fd;
  open_pipe(ends, 0);
  bench_check(mayfly_connection_os_fd(ends[0], &fd), "mayfly_connection_os_fd");
  for (long i = 0; i < count; i++) {
    bench_check(mayfly_connection_adopt(dup((int)fd), 1, 1, &adopted), "mayfly_connection_adopt");
    mayfly_connection_close(adopted);
  }
}

static void handle(long count) {
  mayfly_connection *ends[2];
  mayfly_os_fd fd;
  open_pipe(ends, 0);
  for (long i = 0; i < count; i++) {
    bench_check(mayfly_send_handle(ends[0], STDIN_FILENO), "mayfly_send_handle");
    bench_check(mayfly_recv_handle(ends[1], &fd), "mayfly_recv_handle");
    mayfly_os_fd_close(fd);
  }
}

/* Both sides, each in its process. */
static void connect_with(long count, const char *key) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  mayfly_listener *listener;
  mayfly_connection *connection;
  options.authkey = key;
  options.authkey_size = key != NULL ? strlen(key) : 0;
  bench_check(mayfly_listen(NULL, &options, &listener), "mayfly_listen");
  pid_t peer = bench_fork();
  for (long i = 0; i < count; i++) {
    if (peer == 0)
      bench_check(mayfly_accept(listener, MAYFLY_FOREVER, &connection), "mayfly_accept");
    else
      bench_check(mayfly_connect(mayfly_listener_address(listener), &options, &connection), "mayfly_connect");
    mayfly_connection_close(connection);
  }
  if (peer == 0)
    bench_end_peer();
  bench_await_peer(peer);
  mayfly_listener_close(listener);
}

static void connect_open(long count) {
  connect_with(count, NULL);
}

static void connect_keyed(long count) {
  connect_with(count, "key");
}

/* ---- files ---- */

typedef int maker(const mayfly_temp_options *options, mayfly_file **file);

static int spooled(const mayfly_temp_options *options, mayfly_file **file) {
  (void)options;
  return mayfly_spooled_temporary_file(NULL, 4096, file);
}

static void files(long count, unsigned flags, maker *make, const char *target) {
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  options.flags = flags;
  for (long i = 0; i < count; i++) {
    mayfly_file *file;
    bench_check(make(&options, &file), "make a file");
    bench_check(mayfly_file_write(file, "content", 7), "mayfly_file_write");
    if (target != NULL)
      bench_check(mayfly_file_persist(file, target, MAYFLY_MODE_PRIVATE, 0), "mayfly_file_persist");
    bench_check(mayfly_file_close(file), "mayfly_file_close");
  }
  if (target != NULL)
    bench_need(remove(target) == 0, target);
}

/* By a call that the library does not make. */
static void make_ten_files(const char *directory) {
  char path[512];
  for (int i = 0; i < 10; i++) {
    snprintf(path, sizeof path, "%.400s/%d", directory, i);
    bench_need(mknod(path, S_IFREG | 0600, 0) == 0, path);
  }
}

static void directories(long count, unsigned flags) {
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  options.flags = flags;
  for (long i = 0; i < count; i++) {
    mayfly_directory *made;
    bench_check(mayfly_temporary_directory(&options, &made), "mayfly_temporary_directory");
    make_ten_files(mayfly_directory_path(made));
    bench_check(mayfly_directory_close(made), "mayfly_directory_close");
  }
}

static void directory(long count) {
  directories(count, 0);
}

static void crash_safe(long count) {
  directories(count, MAYFLY_TEMP_CRASH_SAFE);
}

/* Ten directories of ten files. */
static void rmtree(long count) {
  char path[512];
  snprintf(path, sizeof path, "%.400s/mayfly-bench-%ld", mayfly_gettempdir(), (long)getpid());
  for (long i = 0; i < count; i++) {
    char inner[512];
    bench_need(mkdir(path, 0700) == 0, path);
    for (int j = 0; j < 10; j++) {
      snprintf(inner, sizeof inner, "%.400s/%d", path, j);
      bench_need(mkdir(inner, 0700) == 0, inner);
      make_ten_files(inner);
    }
    bench_check(mayfly_rmtree(path, NULL), "mayfly_rmtree");
  }
}

static void file_unnamed(long count) {
  files(count, 0, mayfly_temporary_file, NULL);
}

static void file_memory(long count) {
  files(count, MAYFLY_TEMP_MEMORY, mayfly_temporary_file, NULL);
}

static void file_named(long count) {
  files(count, 0, mayfly_named_temporary_file, NULL);
}

static void file_spooled(long count) {
  files(count, 0, spooled, NULL);
}

static const char *target_beside(void) {
  static char target[512];
  snprintf(target, sizeof target, "%.400s/mayfly-bench-%ld", mayfly_gettempdir(), (long)getpid());
  return target;
}

static void file_persist(long count) {
  files(count, 0, mayfly_named_temporary_file, target_beside());
}

static void unnamed_persist(long count) {
  files(count, 0, mayfly_temporary_file, target_beside());
}

static const struct {
  const char *name;
  void (*run)(long count);
} operations[] = {
    {"message", message},
    {"message_64k", message_64k},
    {"message_ahead", message_ahead},
    {"message_timed", message_timed},
    {"pipe", pipe_message},
    {"pipe_32k", pipe_32k},
    {"pipe_timed", pipe_timed},
    {"burst_ahead", burst_ahead},
    {"poll", poll_one},
    {"wait_100", wait_100},
    {"wait_5000", wait_5000},
    {"adopt", adopt},
    {"handle", handle},
    {"connect", connect_open},
    {"connect_keyed", connect_keyed},
    {"directory", directory},
    {"crash_safe", crash_safe},
    {"rmtree", rmtree},
    {"file_unnamed", file_unnamed},
    {"file_memory", file_memory},
    {"file_named", file_named},
    {"file_spooled", file_spooled},
    {"file_persist", file_persist},
    {"unnamed_persist", unnamed_persist},
#ifdef WITH_UV
    {"loop_message", loop_message},
    {"loop_burst", loop_burst},
#endif
};

int main(int argc, char **argv) {
  bench_need(argc == 3, "usage: operations NAME COUNT");
  for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
    if (strcmp(argv[1], operations[i].name) == 0) {
      operations[i].run(atol(argv[2]));
      return 0;
    }
  bench_need(0, "no such operation");
}
