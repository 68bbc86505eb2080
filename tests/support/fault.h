/* SPDX-License-Identifier: MIT */
/* fault.h - the nth call of a function fails, and so do the next ones, as often as asked for.
 *
 * A test that is linked with --wrap=NAME (CMakeLists.txt: WRAP) writes the wrapper, which asks here first:
 *
 *   int __wrap_socket(int domain, int type, int protocol) {
 *     if (fault_strikes("socket")) {
 *       errno = EMFILE;
 *       return -1;
 *     }
 *     return __real_socket(domain, type, protocol);
 *   }
 *
 *   fault_arm("socket", 1, 1);      the next call fails, once
 *
 * To try a failure at every place in turn: for n = 1, 2, ... arm, run, until fault_struck() says that the nth call
 * never came.
 */
#ifndef FAULT_H
#define FAULT_H

/* From now on calls of `name` are counted from 1; those from `nth` on, `times` of them, fail. */
void fault_arm(const char *name, int nth, int times);
int fault_calls(const char *name);   /* counted since it was armed */
int fault_struck(const char *name);  /* of which so many failed */
int fault_strikes(const char *name); /* for the wrapper, in any thread: counts this call; nonzero: fail it */
void fault_reset(void);              /* nothing fails any more; every test ends with it */

#endif
