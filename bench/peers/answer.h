/* SPDX-License-Identifier: MIT */
/* answer.h - the end of a peer that is written in C: it has a table of answers, and answer.c the rest. See peers.h. */
#ifndef ANSWER_H
#define ANSWER_H

#include "bench.h"

/* `run` is called with the question's argument, a string, in a process of its own. */
struct answer {
  const char *kind;
  bench_run *run;
};
extern const struct answer answers[]; /* ends with one without a kind */

/* What all do. */
enum { ANSWER_CONTENT = 100, ANSWER_FEW = 10, ANSWER_PATH = 512, ANSWER_WARM_UP = 20 };
void answer_write_content(int fd);             /* ANSWER_CONTENT bytes */
void answer_make_files(const char *directory); /* ANSWER_FEW, empty */

#endif
