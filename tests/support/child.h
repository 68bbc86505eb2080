/* SPDX-License-Identifier: MIT */
/* child.h - a function of this program in a child process, told and heard, never waited for by the clock.
 *
 *   static int listen_and_die(int parent, void *address) {
 *     ...
 *     child_say(parent, 'l');
 *     child_hear(parent);         sleeps until it is killed
 *     return 0;
 *   }
 *
 *   child_start(&child, listen_and_die, &address);
 *   assert_int_equal(child_hear(child.fd), 'l');
 *   child_kill(&child, SIGKILL);
 *
 * Windows has no fork: there child_start() skips the test, and child_start_apart() runs this program once more.
 *
 * The function must not use CMocka's assertions: it says what went wrong by what it returns. Children die with the
 * program; one that a test leaves alive is killed at its end, and the test fails.
 */
#ifndef CHILD_H
#define CHILD_H

#include <stddef.h>
#include <sys/types.h>

struct child {
  pid_t pid;
  int fd; /* to say and hear */
};

/* What it returns is the exit status, by exit(3). */
typedef int child_function(int parent, void *context);

void child_start(struct child *child, child_function *run, void *context);
/* One that needs nothing of this process but a copy of its context, `size` bytes: so it can be where there is no fork.
 */
void child_start_apart(struct child *child, child_function *run, const void *context, size_t size);
/* As the user `nobody`, in no group of ours. Only where child_can_be_nobody(), which says why not. */
void child_start_as_nobody(struct child *child, child_function *run, void *context);
int child_can_be_nobody(void);

/* One byte, from either side to the other. */
int child_say(int fd, char word); /* 0; -1: the other side is gone */
int child_hear(int fd);           /* the next one; -1: the other side is gone */
int child_hear_now(int fd);       /* the same; 0: nothing has been said yet */

int child_wait(struct child *child);                   /* the status as waitpid(2) gives it */
void child_expect_exit(struct child *child, int code); /* waits; the test fails if it ended otherwise */
void child_kill(struct child *child, int number);      /* and waits until that signal has ended it */
int child_end_all(void);                               /* kills those that are left; how many they were */

/* For those who execute another program: fork, with one end of a socket in each process. In the child, which dies
 * with its parent, 0. */
pid_t child_fork(struct child *child, int *parent);

#endif
