/* SPDX-License-Identifier: MIT */
/* answer.c - says what the peer knows, and answers what it is asked. */
#include "answer.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_SIZE = 1024 };

void answer_write_content(int fd) {
  static const char content[ANSWER_CONTENT];
  bench_need(write(fd, content, sizeof content) == sizeof content, "write");
}

void answer_make_files(const char *directory) {
  char path[ANSWER_PATH];
  for (int i = 0; i < ANSWER_FEW; i++) {
    snprintf(path, sizeof path, "%.400s/file-%d", directory, i);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bench_need(fd >= 0, path);
    close(fd);
  }
}

static bench_run *find(const char *kind) {
  for (const struct answer *answer = answers; answer->kind != NULL; answer++)
    if (strcmp(answer->kind, kind) == 0)
      return answer->run;
  bench_need(0, kind);
  return NULL;
}

/* In a process of its own, since some libraries can't be forked once they have begun. */
static void answer(char *question) {
  const char *kind = strtok(question, " "), *argument = strtok(NULL, " "), *count = strtok(NULL, " ");
  bench_need(count != NULL, "a question of three words");
  pid_t apart = bench_fork();
  if (apart == 0) {
    struct bench_cost cost = find(kind)(argument, strtol(count, NULL, 10));
    printf("%f %f\n", cost.processor, cost.wall);
    fflush(stdout);
    bench_end_peer();
  }
  bench_await_peer(apart);
}

int main(void) {
  char question[LINE_SIZE];
  for (const struct answer *known = answers; known->kind != NULL; known++)
    printf(" %s", known->kind);
  puts(" ");
  fflush(stdout);
  while (fgets(question, sizeof question, stdin) != NULL)
    answer(question);
  return 0;
}
