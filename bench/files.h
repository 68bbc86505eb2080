/* SPDX-License-Identifier: MIT */
/* files.h - what the programs about files share: rows that are taken in a directory, and the limit of emptying one. */
#ifndef FILES_H
#define FILES_H

#include "bench.h"
#include "peers.h"

struct files {
  const char *directory;
};

/* bench_row() and peers_rows(), named after the file system too; the peers' argument is the directory. */
void files_row(const char *name, double target, bench_run *limit, bench_run *mayfly, const struct files *work);
void files_peers(const char *name, bench_run *limit, const struct files *work, const char *kind,
                 peers_prepare *prepare);

/* Calls `rows` for each of the directories that the arguments name, or the temporary one. */
void files_in_each(int argc, char **argv, void (*rows)(const struct files *work));

/* Removes what is in the directory, one name after the other, and closes it; directories in it by `remove_directory`.
 */
void files_unlink_all(int fd, void (*remove_directory)(int parent, const char *name));
int files_open_directory(int parent, const char *name);

#endif
