/* SPDX-License-Identifier: MIT */
/* peer.c - finds Pythons, starts one, talks to it. */
#include "peer.h"
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PYTHONS_MAX = 32, ARGUMENTS_MAX = 16, PATIENCE_MS = 60000 };

/* ---- which there are ---------------------------------------------------------- */

static struct python pythons[PYTHONS_MAX];
static size_t pythons_count;

static _Noreturn void give_up(const char *what, const char *path) {
  fprintf(stderr, "peer: %s%s\n", what, path);
  exit(EXIT_FAILURE);
}

/* Returns whether it runs. */
static int ask_version(struct python *python) {
  static const char question[] = "import sys; print('%d %d %d' % sys.version_info[:3])";
  char command[4096];
  snprintf(command, sizeof command, "'%s' -c \"%s\"", python->path, question);
  FILE *answer = popen(command, "r");
  if (answer == NULL)
    return 0;
  int fields = fscanf(answer, "%d %d %d", &python->major, &python->minor, &python->micro);
  return pclose(answer) == 0 && fields == 3;
}

static int is_older(const struct python *python, int major, int minor) {
  return python->major < major || (python->major == major && python->minor < minor);
}

int peer_is_legacy(const struct python *python) {
  return is_older(python, 3, 12);
}

static void add(const char *path) {
  struct python python = {.path = strdup(path)};
  if (python.path == NULL || pythons_count == PYTHONS_MAX || !ask_version(&python))
    give_up("not a Python that runs, or one too many: ", path);
  if (is_older(&python, 3, 8)) {
    free((char *)python.path);
    return;
  }
  pythons[pythons_count++] = python;
}

static void add_listed(const char *list) {
  char *paths = strdup(list), *rest = NULL;
  for (char *path = strtok_r(paths, " \t\n", &rest); path != NULL; path = strtok_r(NULL, " \t\n", &rest))
    add(path);
  free(paths);
}

static void add_found(void) {
  const char *root = getenv("PYENV_ROOT"), *home = getenv("HOME");
  char pattern[4096];
  if (root != NULL)
    snprintf(pattern, sizeof pattern, "%s/versions/*/bin/python3", root);
  else
    snprintf(pattern, sizeof pattern, "%s/.pyenv/versions/*/bin/python3", home == NULL ? "" : home);
  glob_t found;
  glob(pattern, 0, NULL, &found);
  glob("/usr/bin/python3", GLOB_APPEND, NULL, &found);
  for (size_t i = 0; i < found.gl_pathc; i++)
    add(found.gl_pathv[i]);
  globfree(&found);
}

static int compare(const void *left, const void *right) {
  const struct python *a = left, *b = right;
  int by_major = a->major - b->major, by_minor = a->minor - b->minor;
  return by_major != 0 ? by_major : by_minor != 0 ? by_minor : a->micro - b->micro;
}

const struct python *peer_pythons(size_t *count) {
  if (pythons_count == 0) {
    const char *list = getenv("MAYFLY_TEST_PYTHONS");
    if (list != NULL)
      add_listed(list);
    else
      add_found();
    qsort(pythons, pythons_count, sizeof pythons[0], compare);
    if (pythons_count == 0 || !peer_is_legacy(&pythons[0]) || peer_is_legacy(&pythons[pythons_count - 1])) {
      give_up("a Python from 3.8 to 3.11 and one from 3.12 on are needed, in pyenv, in /usr/bin or named by "
              "MAYFLY_TEST_PYTHONS",
              "");
    }
    for (size_t i = 0; i < pythons_count; i++)
      print_message("Python %d.%d.%d: %s\n", pythons[i].major, pythons[i].minor, pythons[i].micro, pythons[i].path);
  }
  *count = pythons_count;
  return pythons;
}

/* ---- one that runs ------------------------------------------------------------ */

/* -B and -E: nothing is written into the source tree, nothing of the environment changes what Python is. */
static _Noreturn void execute(const struct peer *peer, const char *const *arguments, int lines, int inherited) {
  char script[4096];
  const char *source = getenv("MAYFLY_TEST_SOURCE");
  snprintf(script, sizeof script, "%s/interop/%s", source == NULL ? "." : source, peer->script);
  const char *command[ARGUMENTS_MAX + 5] = {peer->python->path, "-B", "-E", script};
  for (int i = 0; i < ARGUMENTS_MAX && arguments[i] != NULL; i++)
    command[4 + i] = arguments[i];
  dup2(lines, STDIN_FILENO);
  dup2(lines, STDOUT_FILENO);
  if (inherited >= 0)
    fcntl(inherited, F_SETFD, 0);
  execv(command[0], (char *const *)command);
  perror(command[0]);
  _exit(127);
}

void peer_start(struct peer *peer, const struct python *python, const char *script, const char *const *arguments,
                int inherited) {
  peer->python = python;
  peer->script = script;
  peer->used = peer->size = 0;
  int lines;
  if (child_fork(&peer->child, &lines) == 0)
    execute(peer, arguments, lines, inherited);
}

void peer_tell(struct peer *peer, const char *format, ...) {
  char line[4096];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line - 1, format, arguments);
  va_end(arguments);
  assert_in_range(length, 1, sizeof line - 2);
  line[length] = '\n';
  assert_int_equal(send(peer->child.fd, line, (size_t)length + 1, MSG_NOSIGNAL), length + 1);
}

/* More of its lines. 0: it says no more. */
static size_t read_more(struct peer *peer) {
  memmove(peer->lines, peer->lines + peer->used, peer->size - peer->used);
  peer->size -= peer->used;
  peer->used = 0;
  assert_true(peer->size < sizeof peer->lines);
  struct pollfd readable = {.fd = peer->child.fd, .events = POLLIN};
  if (poll(&readable, 1, PATIENCE_MS) != 1)
    fail_msg("%s under Python 3.%d says nothing for %d ms", peer->script, peer->python->minor, PATIENCE_MS);
  ssize_t got = read(peer->child.fd, peer->lines + peer->size, sizeof peer->lines - peer->size);
  peer->size += got > 0 ? (size_t)got : 0;
  return got > 0 ? (size_t)got : 0;
}

const char *peer_hear(struct peer *peer) {
  char *end;
  while ((end = memchr(peer->lines + peer->used, '\n', peer->size - peer->used)) == NULL)
    if (read_more(peer) == 0)
      fail_msg("%s under Python 3.%d ended in the middle of the conversation", peer->script, peer->python->minor);
  *end = '\0';
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
  shutdown(peer->child.fd, SHUT_WR);
  while (read_more(peer) != 0)
    continue;
  if (peer->size != 0)
    fail_msg("%s under Python 3.%d had more to say: %.*s", peer->script, peer->python->minor, (int)peer->size,
             peer->lines);
  child_expect_exit(&peer->child, 0);
}
