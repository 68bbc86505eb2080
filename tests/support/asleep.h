/* SPDX-License-Identifier: MIT */
/* asleep.h - whether a thread of this process waits in a system call. */
#ifndef ASLEEP_H
#define ASLEEP_H

int asleep_self(void);     /* the calling thread, for the next; not 0 */
int asleep_is(int thread); /* nonzero: it waits, or has ended */

#endif
