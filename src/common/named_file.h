/* SPDX-License-Identifier: MIT */
/* named_file.h - a file that is known by its name, from before anyone can see it until the name is gone or given away.
 *
 * Calling sequence: create; then either end, or take and give_back or let_go. */
#ifndef MF_NAMED_FILE_H
#define MF_NAMED_FILE_H

#include "os.h"
#include "registry.h"
#include "template.h"

struct mf_named_file {
  struct mf_registry_entry entry; /* first: the registry hands it back */
  mayfly_os_fd fd;                /* MAYFLY_NO_FD: given up, and `identity` has the birth */
  char *path;
  struct mf_os_identity identity;
  int kept; /* nobody removes it: it is never in the registry */
  int mode; /* MAYFLY_MODE_PRIVATE, as it is made, or what it was persisted with */
};

/* `flags`: MF_OS_FILE_*. The path is the template's, which is clear then. On failure `file` is as it was. */
int mf_named_file_create(struct mf_template *template, unsigned flags, int kept, struct mf_named_file *file);
/* The name goes, if there is one that is still the file's and this process's, and the descriptor is closed, *closed
 * being what mf_os_fd_close() said. On failure the registry will try again, and the descriptor may be open yet. */
int mf_named_file_end(struct mf_named_file *file, int *closed);
/* 0: it is ours to rename, to give away or to change, until one of the two that follow. MAYFLY_EINVAL: the name is the
 * parent's of this forked process, or was removed by mayfly_cleanup(). */
int mf_named_file_take(struct mf_named_file *file);
void mf_named_file_give_back(struct mf_named_file *file); /* all is as it was */
void mf_named_file_let_go(struct mf_named_file *file);    /* from now on it is kept */

#endif
