/* SPDX-License-Identifier: MIT */
/* each.h - every call of a scenario fails in turn: the first, the second, until there is no further one.
 *
 * Each time the scenario must succeed or fail with the error that the fault stands for, in words; leave no descriptor
 * open and nothing in its directory; and then succeed.
 */
#ifndef EACH_H
#define EACH_H

#include <stddef.h>

struct fault_row {
  const char *call;
  int number; /* errno */
  int error;  /* what may come of it; 0: success only */
};

struct scenario {
  int (*run)(const char *directory); /* calls of the library, the first failure of which is returned; undoes them */
  void (*prepare)(const char *directory); /* before each run, when nothing fails; NULL: nothing */
  int removes;                            /* it removes things: what it fails to remove may stay */
  int also;                               /* what else most failures may be: MAYFLY_EAUTH in a handshake; 0: nothing */
};

void each_call_fails(const struct scenario *scenario, const char *directory, const struct fault_row *rows,
                     size_t count);

#endif
