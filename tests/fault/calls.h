/* SPDX-License-Identifier: MIT */
/* calls.h - the calls of the system that the tests in this folder can make fail: the linker sends them here first. */
#ifndef CALLS_H
#define CALLS_H

#include <netdb.h>
#include <stddef.h>
#include <sys/types.h>

/* The nth call of `name` from now on fails, with that errno (getaddrinfo: or its own number), and so do the next ones,
 * `times` in all. */
void calls_fail(const char *name, int nth, int times, int number);
int calls_stop(void); /* none fails any more; nonzero: it had come to that call */

/* What some of them do first, or instead; NULL: nothing. */
extern struct calls_hooks {
  int (*getentropy)(void *buffer, size_t size);
  void (*bind)(void);
  void (*mkdir)(mode_t mode);
  void (*open)(mode_t mode);                        /* only one that makes a file */
  int (*refuse_open)(int flags);                    /* the errno to fail with; 0: go on */
  void (*naming)(const char *from, const char *to); /* linkat, link, rename, renameat2 */
  int (*getaddrinfo)(const char *port, struct addrinfo **list);
  int lacks_pwritev2;
} calls_hooks;

#endif
