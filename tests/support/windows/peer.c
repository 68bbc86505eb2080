/* SPDX-License-Identifier: MIT */
/* peer.c - starts a Python for Windows, talks to it. */
#include "../peer.h"
#include "program.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PYTHONS_MAX = 4, ARGUMENTS_MAX = 16 };

/* ---- which there are ---------------------------------------------------------- */

static struct python pythons[PYTHONS_MAX];
static size_t pythons_count;

/* The modern handshake came with 3.12, and may be in a module that is newer than the interpreter around it. */
static void ask_version(struct python *python) {
  static const char question[] = "import sys, multiprocessing.connection as c;"
                                 "print('%d %d %d' % ((3, 13, 0) if hasattr(c, '_create_response')"
                                 " else sys.version_info[:3]), flush=True)";
  struct child child;
  char answer[64];
  program_start(&child, (const char *[]){python->path, "-E", "-c", question, NULL});
  size_t size = program_hear(&child, answer, sizeof answer - 1);
  answer[size] = '\0';
  if (sscanf(answer, "%d %d %d", &python->major, &python->minor, &python->micro) != 3) {
    fprintf(stderr, "peer: not a Python that runs: %s\n", python->path);
    exit(EXIT_FAILURE);
  }
  child_wait(&child);
}

int peer_is_legacy(const struct python *python) {
  return python->major == 3 && python->minor < 12;
}

const struct python *peer_pythons(size_t *count) {
  const char *list = getenv("MAYFLY_TEST_PYTHONS");
  if (pythons_count == 0 && list != NULL) {
    char *paths = strdup(list);
    for (char *path = strtok(paths, " "); path != NULL && pythons_count < PYTHONS_MAX; path = strtok(NULL, " ")) {
      pythons[pythons_count].path = path; /* so the paths live as long as the program */
      ask_version(&pythons[pythons_count++]);
    }
  }
  if (pythons_count < 2 || !peer_is_legacy(&pythons[0]) || peer_is_legacy(&pythons[pythons_count - 1])) {
    fprintf(stderr, "peer: MAYFLY_TEST_PYTHONS is to name one with the legacy handshake, then one with the modern\n");
    exit(EXIT_FAILURE);
  }
  *count = pythons_count;
  return pythons;
}

/* ---- one that runs ------------------------------------------------------------ */

void peer_start(struct peer *peer, const struct python *python, const char *script, const char *const *arguments,
                int inherited) {
  char path[4096];
  const char *source = getenv("MAYFLY_TEST_SOURCE");
  if (inherited >= 0) {
    print_message("skipped: no descriptor is inherited here\n");
    skip();
  }
  snprintf(path, sizeof path, "%s\\interop\\%s", source == NULL ? "." : source, script);
  const char *command[ARGUMENTS_MAX + 5] = {python->path, "-B", "-E", path};
  for (int i = 0; i < ARGUMENTS_MAX && arguments[i] != NULL; i++)
    command[4 + i] = arguments[i];
  peer->python = python;
  peer->script = script;
  peer->used = peer->size = 0;
  program_start(&peer->child, command);
}

void peer_tell(struct peer *peer, const char *format, ...) {
  char line[4096];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line - 1, format, arguments);
  va_end(arguments);
  assert_in_range(length, 1, sizeof line - 2);
  line[length] = '\n';
  program_tell(&peer->child, line, (size_t)length + 1);
}

static size_t read_more(struct peer *peer) {
  memmove(peer->lines, peer->lines + peer->used, peer->size - peer->used);
  peer->size -= peer->used;
  peer->used = 0;
  assert_true(peer->size < sizeof peer->lines);
  size_t got = program_hear(&peer->child, peer->lines + peer->size, sizeof peer->lines - peer->size);
  peer->size += got;
  return got;
}

const char *peer_hear(struct peer *peer) {
  char *end;
  while ((end = memchr(peer->lines + peer->used, '\n', peer->size - peer->used)) == NULL)
    if (read_more(peer) == 0)
      fail_msg("%s under Python 3.%d ended in the middle of the conversation", peer->script, peer->python->minor);
  *end = '\0';
  if (end > peer->lines && end[-1] == '\r')
    end[-1] = '\0';
  const char *line = peer->lines + peer->used;
  peer->used = (size_t)(end - peer->lines) + 1;
  return line;
}

void peer_expect(struct peer *peer, const char *line) {
  assert_string_equal(peer_hear(peer), line);
}

void peer_ask(struct peer *peer, const char *line, const char *answer) {
  peer_tell(peer, "%s", line);
  peer_expect(peer, answer);
}

void peer_end(struct peer *peer) {
  program_tell_no_more(&peer->child);
  while (read_more(peer) != 0)
    continue;
  if (peer->size != 0)
    fail_msg("%s under Python 3.%d had more to say: %.*s", peer->script, peer->python->minor, (int)peer->size,
             peer->lines);
  child_expect_exit(&peer->child, 0);
}
