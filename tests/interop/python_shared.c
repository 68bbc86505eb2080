/* SPDX-License-Identifier: MIT */
/* python_shared.c - one end of a pipe that several processes have, which take turns by a lock: nothing is read beyond
 * the message that was asked for, so each gets whole ones. */
#include "background.h"
#include "expect.h"
#include "meeting.h"
#include "pattern.h"
#include "result.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { OURS = 3, SHARE = 100 /* that each is to have at least */, MOST = 100000, LONGEST = 5000 };

struct numbered { /* a message: its number, which says how much of the pattern follows */
  uint32_t number;
  unsigned char rest[LONGEST];
};

static size_t size_of(uint32_t number) {
  return sizeof number + number * 37 % LONGEST;
}

/* ---- who receives ---- */

struct shared {
  mayfly_connection *ends[2];
  char lock[SCRATCH_PATH_SIZE];
};

static int receive_one(mayfly_connection *end, int lock, const struct numbered **message, size_t *size) {
  const void *data = NULL;
  expect(flock(lock, LOCK_EX) == 0);
  int result = mayfly_recv_bytes(end, SIZE_MAX, &data, size);
  expect(flock(lock, LOCK_UN) == 0);
  *message = data;
  return result;
}

/* Tells of each by its number. */
static int receive_in_turns(int parent, void *context) {
  struct shared *shared = context;
  const struct numbered *message;
  size_t size;
  int lock = open(shared->lock, O_RDWR | O_CLOEXEC), result;
  expect(lock >= 0);
  expect_ok(mayfly_connection_close(shared->ends[1]));
  while ((result = receive_one(shared->ends[0], lock, &message, &size)) == 0) {
    uint32_t number;
    memcpy(&number, message, sizeof number);
    expect(size == size_of(number) && pattern_is(message->rest, size - sizeof number));
    expect(write(parent, &number, sizeof number) == sizeof number);
  }
  expect(result == MAYFLY_EOF);
  expect_ok(mayfly_connection_close(shared->ends[0]));
  close(lock);
  return 0;
}

/* ---- who sends ---- */

struct sender {
  struct background background;
  mayfly_connection *end;
  atomic_int stop;
  uint32_t sent;
};

static int send_until_stopped(void *context) {
  static struct numbered message;
  struct sender *sender = context;
  pattern_fill(message.rest, sizeof message.rest);
  for (sender->sent = 0; sender->sent < MOST && !atomic_load(&sender->stop); sender->sent++) {
    message.number = sender->sent;
    int result = mayfly_send_bytes(sender->end, &message, size_of(message.number));
    if (result < 0)
      return result;
  }
  return mayfly_connection_close(sender->end);
}

/* ---- who counts ---- */

static unsigned char taken[MOST];

static void count(uint32_t number) {
  assert_in_range(number, 0, MOST - 1);
  assert_int_equal(taken[number]++, 0);
}

/* 0: that child has no more to tell. */
static int hear_child(const struct child *child) {
  uint32_t number;
  ssize_t got = read(child->fd, &number, sizeof number);
  if (got == 0)
    return 0;
  assert_int_equal(got, sizeof number);
  count(number);
  return 1;
}

static int hear_python(struct peer *python) {
  char *end;
  const char *line = peer_hear(python);
  if (strncmp(line, "shared ", 7) == 0)
    return 0;
  count((uint32_t)strtoul(line, &end, 10));
  assert_string_equal(end, "");
  return 1;
}

/* Whoever is not heard for long can tell no more, and leaves the messages to the others: so each gets its share. */
static void hear_all(struct child *children, struct peer *python, struct sender *sender) {
  for (int i = 0; i < SHARE; i++) {
    for (int j = 0; j < OURS; j++)
      assert_true(hear_child(&children[j]));
    assert_true(hear_python(python));
  }
  atomic_store(&sender->stop, 1);
  for (int j = 0; j < OURS; j++)
    while (hear_child(&children[j]))
      continue;
  while (hear_python(python))
    continue;
  background_expect_ok(&sender->background);
  for (uint32_t i = 0; i < MOST; i++)
    assert_int_equal(taken[i], i < sender->sent);
}

static void start_python(struct peer *python, const struct stage *stage, const struct shared *shared) {
  mayfly_os_fd fd;
  char number[16];
  assert_ok(mayfly_connection_os_fd(shared->ends[0], &fd));
  snprintf(number, sizeof number, "%d", (int)fd);
  peer_start(python, stage->interpreter, "peer.py", (const char *[]){number, "r", NULL}, (int)fd);
  peer_tell(python, "share %s", shared->lock);
}

static void four_processes_that_share_a_reading_end_each_get_whole_messages_and_none_twice(struct stage *stage) {
  static struct peer python;
  struct child children[OURS];
  struct shared shared;
  memset(taken, 0, sizeof taken);
  scratch_path(shared.lock, stage->directory, "lock");
  close(open(shared.lock, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  assert_ok(mayfly_pipe(0, shared.ends));
  for (int i = 0; i < OURS; i++)
    child_start(&children[i], receive_in_turns, &shared);
  start_python(&python, stage, &shared);
  assert_ok(mayfly_connection_close(shared.ends[0]));
  struct sender sender = {.end = shared.ends[1]};
  background_start(&sender.background, send_until_stopped, &sender);
  hear_all(children, &python, &sender);
  for (int i = 0; i < OURS; i++)
    child_expect_exit(&children[i], 0);
  peer_end(&python);
  unlink(shared.lock);
}

int main(void) {
  static const struct stage_test tests[] = {
      stage_test(four_processes_that_share_a_reading_end_each_get_whole_messages_and_none_twice, ONE_OF_EACH_ERA),
  };
  return stage_run_tests("python_shared", tests, sizeof tests / sizeof tests[0]);
}
