/* SPDX-License-Identifier: MIT */
/* peers.c - the peers, and how they are started and asked. */
#include "peers.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_SIZE = 1024 };

static struct peer {
  const char *name;
  const char *command[3];
  FILE *answers, *questions;
  char works[LINE_SIZE]; /* empty: it is not here */
} peers[] = {
    {.name = "Python", .command = {"python3", PEERS_SOURCE "/python.py"}},
    {.name = "Go", .command = {PEERS_BINARY "/peer_go"}},
    {.name = "Rust's tempfile", .command = {PEERS_BINARY "/peer_rust"}},
    {.name = "GLib", .command = {PEERS_BINARY "/peer_glib"}},
    {.name = "libc", .command = {PEERS_BINARY "/peer_libc"}},
    {.name = "rm -rf", .command = {PEERS_BINARY "/peer_rm"}},
    {.name = "libuv by hand", .command = {PEERS_BINARY "/peer_libuv"}},
    {.name = "nng", .command = {PEERS_BINARY "/peer_nng"}},
    {.name = "ZeroMQ", .command = {PEERS_BINARY "/peer_zeromq"}},
};
enum { PEERS = sizeof peers / sizeof peers[0] };
_Static_assert((int)PEERS <= (int)BENCH_OTHERS, "all may know the same work");

/* ---- starting ---- */

static void become(struct peer *peer, int input, int output) {
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  execvp(peer->command[0], (char **)peer->command);
  _exit(127);
}

static void start(struct peer *peer) {
  int questions[2], answers[2];
  bench_need(pipe2(questions, O_CLOEXEC) == 0 && pipe2(answers, O_CLOEXEC) == 0, "pipe2");
  if (bench_fork() == 0)
    become(peer, questions[0], answers[1]);
  close(questions[0]);
  close(answers[1]);
  peer->questions = fdopen(questions[1], "w");
  peer->answers = fdopen(answers[0], "r");
  bench_need(peer->questions != NULL && peer->answers != NULL, "fdopen");
  if (fgets(peer->works, sizeof peer->works, peer->answers) == NULL)
    fprintf(stderr, "%s: not here, so it has no rows\n", peer->name);
}

static void start_all(void) {
  static int started;
  if (started)
    return;
  started = 1;
  for (int i = 0; i < PEERS; i++)
    start(&peers[i]);
}

/* ---- asking ---- */

struct asked {
  struct peer *peer;
  const char *question;
  peers_prepare *prepare;
  const void *work;
};

static int knows(const struct peer *peer, const char *question) {
  char kind[LINE_SIZE];
  snprintf(kind, sizeof kind, " %.*s ", (int)strcspn(question, " "), question);
  return strstr(peer->works, kind) != NULL;
}

static struct bench_cost ask(const void *argument, long count) {
  const struct asked *asked = argument;
  struct peer *peer = asked->peer;
  char answer[LINE_SIZE] = "";
  struct bench_cost cost;
  if (asked->prepare != NULL)
    asked->prepare(asked->work, count);
  fprintf(peer->questions, "%s %ld\n", asked->question, count);
  fflush(peer->questions);
  int numbers = 0;
  if (fgets(answer, sizeof answer, peer->answers) != NULL)
    numbers = sscanf(answer, "%lf %lf", &cost.processor, &cost.wall);
  bench_need(numbers == 2, peer->name);
  return cost;
}

void peers_rows(const char *name, bench_run *limit, const void *work, const char *question, peers_prepare *prepare) {
  struct bench_other others[BENCH_OTHERS];
  struct asked asked[BENCH_OTHERS];
  char names[BENCH_OTHERS][128];
  int number = 0;
  start_all();
  for (int i = 0; i < PEERS; i++) {
    if (!knows(&peers[i], question))
      continue;
    snprintf(names[number], sizeof names[number], "%s: %s", name, peers[i].name);
    asked[number] = (struct asked){&peers[i], question, prepare, work};
    others[number] = (struct bench_other){names[number], ask, &asked[number]};
    number++;
  }
  if (number > 0)
    bench_others(limit, work, others, number);
}
