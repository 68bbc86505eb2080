/* SPDX-License-Identifier: MIT */
/* files.c - what the programs about files share: rows that are taken in a directory, and the limit of emptying one. */
#include "files.h"
#include <dirent.h>
#include <fcntl.h>
#include <mayfly/tempfile.h>
#include <stdio.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { NAME_SIZE = 128, QUESTION_SIZE = 640 };

static const char *file_system(const char *directory) {
  enum { EXT4 = 0xEF53, TMPFS = 0x01021994 };
  struct statfs status;
  bench_need(statfs(directory, &status) == 0, directory);
  return status.f_type == EXT4 ? "ext4" : status.f_type == TMPFS ? "tmpfs" : directory;
}

static const char *full_name(char text[NAME_SIZE], const char *name, const struct files *work) {
  snprintf(text, NAME_SIZE, "%s, %s", name, file_system(work->directory));
  return text;
}

void files_row(const char *name, double target, bench_run *limit, bench_run *mayfly, const struct files *work) {
  char text[NAME_SIZE];
  bench_row(full_name(text, name, work), target, limit, mayfly, work);
}

void files_peers(const char *name, bench_run *limit, const struct files *work, const char *kind,
                 peers_prepare *prepare) {
  char text[NAME_SIZE], question[QUESTION_SIZE];
  snprintf(question, sizeof question, "%s %s", kind, work->directory);
  peers_rows(full_name(text, name, work), limit, work, question, prepare);
}

void files_in_each(int argc, char **argv, void (*rows)(const struct files *work)) {
  if (argc == 1)
    rows(&(struct files){mayfly_gettempdir()});
  for (int i = 1; i < argc; i++)
    rows(&(struct files){argv[i]});
}

void files_unlink_all(int fd, void (*remove_directory)(int parent, const char *name)) {
  const struct dirent *entry;
  DIR *stream = fdopendir(fd);
  bench_need(stream != NULL, "fdopendir");
  while ((entry = readdir(stream)) != NULL) {
    if (entry->d_name[0] == '.')
      continue;
    if (entry->d_type == DT_DIR)
      remove_directory(fd, entry->d_name);
    else
      bench_need(unlinkat(fd, entry->d_name, 0) == 0, "unlinkat");
  }
  closedir(stream);
}

int files_open_directory(int parent, const char *name) {
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  bench_need(fd >= 0, name);
  return fd;
}
