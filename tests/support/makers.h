/* SPDX-License-Identifier: MIT */
/* makers.h - threads that never stop to listen on AF_UNIX paths and to close, each on a path of its own and on an
 * arbitrary one, and to make named files and to close them, until they are told to or the library says that the process
 * is ending. */
#ifndef MAKERS_H
#define MAKERS_H

#include <pthread.h>
#include <stdatomic.h>

enum { MAKERS = 4 };

struct makers {
  const char *directory;
  atomic_int stop;
  struct maker {
    struct makers *all;
    pthread_t thread;
    char name[8];
  } each[MAKERS];
  pthread_barrier_t begun; /* each has made something */
};

/* Back when all are at it. The struct must outlive the threads. */
void makers_start(struct makers *makers, const char *directory);
void makers_stop(struct makers *makers);
void makers_leave(struct makers *makers); /* nobody will stop them: the process ends first */

#endif
