/* SPDX-License-Identifier: MIT */
/* file.h - what a mayfly_file is: its content in file.c, what becomes of it in persist.c.
 *
 *             | spool.max | named.fd | named.path
 *   in memory | content   | none     | NULL         a spooled file that has not rolled over; `template` says where to
 *   unnamed   |           | content  | NULL
 *   named     |           | content  | its name
 *   released  |           | none     | its name
 */
#ifndef MF_FILE_H
#define MF_FILE_H

#include "named_file.h"
#include "spool.h"
#include <mayfly/tempfile.h>

struct mayfly_file {
  struct mf_named_file named; /* first: the registry hands it back, where it has to outlive its owner */
  struct mf_spool spool;
  struct mf_template template; /* in memory: where to roll over to; path NULL: with all defaults */
  int in_memory;
  int64_t position;
  unsigned flags; /* MAYFLY_TEMP_* */
  int reopened;   /* another object's file */
};

/* MAYFLY_EINVAL: NULL. MAYFLY_EBADF: released. */
int mf_file_check(const mayfly_file *file, const char *function);
/* Puts the file before the words of a failure of the system's; `result`. */
int64_t mf_file_say_which(const mayfly_file *file, int64_t result);
/* Content in memory goes to a file of its own. On failure it is where it was. */
int mf_file_roll_over(mayfly_file *file);

#endif
