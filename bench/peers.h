/* SPDX-License-Identifier: MIT */
/* peers.h - other programs that do the same work, each in a process that does so many operations when it is asked.
 *
 * A peer is a program in peers/ and a line in the table of peers.c. It says on its output which kinds of work it knows,
 * " KIND KIND... " on a line. Then it reads questions, "KIND ARGUMENT COUNT" on a line, and answers each, when it has
 * done that work COUNT times, with the nanoseconds of processor and of elapsed time that an operation took. It ends
 * with its input. */
#ifndef PEERS_H
#define PEERS_H

#include "bench.h"

/* A row for each peer that knows the work, in turns with the limit. `question` is "KIND ARGUMENT". `prepare`, if not
 * NULL, is called before each answer and does not count; the limit, called with the same, prepares for itself. */
typedef void peers_prepare(const void *work, long count);
void peers_rows(const char *name, bench_run *limit, const void *work, const char *question, peers_prepare *prepare);

#endif
