/* SPDX-License-Identifier: MIT */
/* python_large.c - a message so large that its length takes the long header, to a real Python and back. */
#include "meeting.h"
#include "pattern.h"
#include "result.h"
#include "sanitizer.h"
#include "watchdog.h"
#include <stdio.h>

#define LARGE ((size_t)INT32_MAX + 1000)

enum { NEEDED_MIB = 12 << 10, SLICES = INT32_MAX / PATTERN_BLOCK + 2 };

static long available_mib(void) {
  FILE *file = fopen("/proc/meminfo", "r");
  assert_non_null(file);
  char line[256];
  long kib = 0;
  while (fgets(line, sizeof line, file) != NULL && sscanf(line, "MemAvailable: %ld", &kib) != 1) {
  }
  fclose(file);
  return kib >> 10;
}

static int is_affordable(void) {
  if (SANITIZED) {
    print_message("skipped: a sanitizer multiplies the memory that a message of 2 GiB takes\n");
    return 0;
  }
  if (available_mib() < NEEDED_MIB) {
    print_message("skipped: a message of 2 GiB takes up to %d MiB in the two processes, and %ld MiB are free\n",
                  NEEDED_MIB, available_mib());
    return 0;
  }
  return 1;
}

/* The same block again and again, so that only the receivers need the memory. */
static int send_large(mayfly_connection *connection) {
  static unsigned char block[PATTERN_BLOCK];
  static mayfly_slice slices[SLICES];
  pattern_fill(block, sizeof block);
  size_t count = 0;
  for (size_t left = LARGE; left > 0; left -= slices[count++].size)
    slices[count] = (mayfly_slice){block, left < sizeof block ? left : sizeof block};
  return mayfly_send_gather(connection, slices, count);
}

static void a_message_of_more_than_2_gib_comes_back_whole(struct stage *stage) {
  if (!is_affordable()) {
    peer_end(&stage->python);
    skip();
  }
  watchdog_grow_patient();
  struct meeting meeting = meet(stage, way_of(LOCAL_FAMILY, 0, 0));
  assert_ok(mayfly_connection_set_message_size_max(meeting.ours, (uint64_t)4 << 30));
  peer_tell(meeting.python, "echo");
  assert_ok(send_large(meeting.ours));
  expect_pattern(meeting.ours, LARGE);
  part(&meeting, "echoed 1 whole");
}

int main(void) {
  static const struct stage_test tests[] = {
      stage_test(a_message_of_more_than_2_gib_comes_back_whole, NEWEST_PYTHON),
  };
  return stage_run_tests("python_large", tests, sizeof tests / sizeof tests[0]);
}
