/* SPDX-License-Identifier: MIT */
/* process_directory.h - this process's own locked 0700 directory, one for each parent directory in use. */
#ifndef MF_PROCESS_DIRECTORY_H
#define MF_PROCESS_DIRECTORY_H

#include <stddef.h>

enum { MF_PROCESS_DIRECTORY_NAME_SIZE = 24 }; /* ".mayfly-" and 16 random characters: a contract between versions */

/* The path of the one under `parent`, an absolute path, made where it does not exist; yours to free. It vanishes with
 * the process, whatever is in it then. */
int mf_process_directory(const char *parent, char **path);

#endif
