/* SPDX-License-Identifier: MIT */
/* directory.c - directories that are ours alone. */
#include "posix.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* A umask may have left a directory that even its owner can't open: then its mode is set by its name first. */
static int open_made(const char *path) {
  const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  int fd;
  MF_POSIX_RETRY(fd, open(path, flags));
  if (fd >= 0 || errno != EACCES || fchmodat(AT_FDCWD, path, 0700, AT_SYMLINK_NOFOLLOW) != 0)
    return fd;
  MF_POSIX_RETRY(fd, open(path, flags));
  return fd;
}

static int make_private(int fd, int locked) {
  struct stat status;
  int result = fstat(fd, &status);
  if (result == 0 && (status.st_mode & 0777) != 0700)
    MF_POSIX_RETRY(result, fchmod(fd, 0700));
  if (result == 0 && locked)
    MF_POSIX_RETRY(result, flock(fd, LOCK_SH));
  return result;
}

int mf_os_directory_create(const char *path, int locked, mayfly_os_fd *fd) {
  if (mkdir(path, 0700) != 0)
    return mf_posix_fail("make the directory %s", path);
  int made = open_made(path);
  if (made >= 0 && make_private(made, locked) == 0) {
    *fd = made;
    return 0;
  }
  int result = mf_posix_fail("make the directory %s: make it private", path);
  if (made >= 0)
    close(made);
  rmdir(path);
  return result;
}

/* 1: `path` leads to what is held. 0: nothing has that name. MAYFLY_ESTOLEN: a stranger has it. */
static int leads_to_held(const char *path, int held) {
  struct stat status, there;
  if (fstat(held, &status) != 0)
    return mf_posix_fail("look at the directory %s that is held", path);
  if (lstat(path, &there) != 0)
    return errno == ENOENT ? 0 : mf_posix_fail("look at %s", path);
  if (there.st_dev != status.st_dev || there.st_ino != status.st_ino)
    return mf_fail(MAYFLY_ESTOLEN, "remove %s: the name no longer leads to what was made", path);
  return 1;
}

int mf_os_directory_still(const char *path, mayfly_os_fd held) {
  int result = leads_to_held(path, (int)held);
  return result == MAYFLY_ESTOLEN ? 0 : result;
}

/* How many entries were removed; a directory stays. */
static int remove_entries(DIR *directory) {
  int removed = 0;
  struct dirent *entry;
  rewinddir(directory);
  while ((entry = readdir(directory)) != NULL) {
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
        unlinkat(dirfd(directory), entry->d_name, 0) == 0)
      removed++;
  }
  return removed;
}

static int empty(int held, const char *path) {
  int fd;
  MF_POSIX_RETRY(fd,
                 openat(held, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)); /* reading moves the open file's position */
  DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
  if (directory == NULL) {
    int result = mf_posix_fail("list the directory %s", path);
    if (fd >= 0)
      close(fd);
    return result;
  }
  while (remove_entries(directory) > 0) /* removing while reading may hide some */
    ;
  closedir(directory);
  return 0;
}

int mf_os_directory_remove(const char *path, mayfly_os_fd *held, int (*progress)(void *context, uint64_t removed),
                           void *context) {
  int result = leads_to_held(path, (int)*held);
  (void)progress;
  (void)context;
  if (result == 1) {
    result = empty((int)*held, path);
    if (result == 0 && rmdir(path) != 0)
      result = mf_posix_fail("remove the directory %s", path);
  }
  if (result == 0) {
    close((int)*held);
    *held = MAYFLY_NO_FD;
  }
  return result;
}
