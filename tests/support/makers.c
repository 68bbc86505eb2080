/* SPDX-License-Identifier: MIT */
/* makers.c - threads that listen and close, and make files and close them. They may be in a child, so they expect
 * instead of asserting. */
#include "makers.h"
#include "expect.h"
#include "scratch.h"
#include <mayfly/connection.h>
#include <mayfly/tempfile.h>
#include <stdio.h>

/* 0: the process is ending. */
static int listen_and_close(const mayfly_address *address) {
  mayfly_listener *listener;
  int result = mayfly_listen(address, NULL, &listener);
  if (result == MAYFLY_ECANCELED)
    return 0;
  expect_ok(result);
  expect_ok(mayfly_listener_close(listener));
  return 1;
}

/* 0: the process is ending. */
static int make_file_and_close(const char *directory, unsigned flags) {
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  mayfly_file *file;
  options.dir = directory;
  options.flags = flags;
  int result = mayfly_named_temporary_file(&options, &file);
  if (result == MAYFLY_ECANCELED)
    return 0;
  expect_ok(result);
  expect_ok(mayfly_file_write(file, "content", 7));
  expect_ok(mayfly_file_close(file));
  return 1;
}

static int make_each(const struct maker *maker, const mayfly_address *given) {
  const char *directory = maker->all->directory;
  return listen_and_close(given) && listen_and_close(NULL) && make_file_and_close(directory, 0) &&
         make_file_and_close(directory, MAYFLY_TEMP_REOPENABLE);
}

static void *make(void *context) {
  struct maker *maker = context;
  mayfly_address given = {MAYFLY_AF_UNIX, 0, ""};
  int made = 0;
  snprintf(given.name, sizeof given.name, "%.200s/%s", maker->all->directory, maker->name);
  while (!atomic_load(&maker->all->stop)) {
    if (!make_each(maker, &given))
      break;
    if (made++ == 0)
      pthread_barrier_wait(&maker->all->begun);
  }
  return NULL;
}

void makers_start(struct makers *makers, const char *directory) {
  makers->directory = directory;
  atomic_init(&makers->stop, 0);
  expect(pthread_barrier_init(&makers->begun, NULL, MAKERS + 1) == 0);
  for (int i = 0; i < MAKERS; i++) {
    struct maker *maker = &makers->each[i];
    maker->all = makers;
    snprintf(maker->name, sizeof maker->name, "maker-%d", i);
    expect(pthread_create(&maker->thread, NULL, make, maker) == 0);
  }
  pthread_barrier_wait(&makers->begun);
}

void makers_leave(struct makers *makers) {
  for (int i = 0; i < MAKERS; i++)
    expect(pthread_detach(makers->each[i].thread) == 0);
}

void makers_stop(struct makers *makers) {
  atomic_store(&makers->stop, 1);
  for (int i = 0; i < MAKERS; i++)
    expect(pthread_join(makers->each[i].thread, NULL) == 0);
  pthread_barrier_destroy(&makers->begun);
}
