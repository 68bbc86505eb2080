/* SPDX-License-Identifier: MIT */
/* file.c - files, known by who they are. */
#include "posix.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

int mf_posix_same(const char *path, const struct stat *status) {
  struct stat there;
  if (lstat(path, &there) != 0)
    return errno == ENOENT ? 0 : -1;
  return there.st_dev == status->st_dev && there.st_ino == status->st_ino;
}

static int fail_and_discard(int fd, const char *path) {
  int result = mf_posix_fail("set the mode of %s", path);
  unlink(path);
  close(fd);
  return result;
}

int mf_os_file_create(const char *path, mayfly_os_fd *fd) {
  struct stat status;
  int made;
  MF_POSIX_RETRY(made, open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (made < 0)
    return mf_posix_fail("create %s", path);
  int result = fstat(made, &status);
  if (result == 0 && (status.st_mode & 0777) != 0600) /* the umask */
    MF_POSIX_RETRY(result, fchmod(made, 0600));
  if (result != 0)
    return fail_and_discard(made, path);
  *fd = made;
  return 0;
}

int mf_os_file_write(mayfly_os_fd fd, const void *data, size_t size) {
  const char *next = data;
  while (size > 0) {
    ssize_t count = write((int)fd, next, size);
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return mf_posix_fail("write %zu bytes", size);
    next += count;
    size -= (size_t)count;
  }
  return 0;
}

int mf_os_file_discard(mayfly_os_fd fd, const char *path) {
  struct stat status;
  int result = 0;
  int same = fstat((int)fd, &status) == 0 ? mf_posix_same(path, &status) : -1;
  if (same == 0)
    result = mf_fail(MAYFLY_ESTOLEN, "remove %s: the name no longer leads to what was made", path);
  else if (same < 0 || unlink(path) != 0)
    result = mf_posix_fail("remove %s", path);
  close((int)fd);
  return result;
}

/* No number that only its lower half makes a descriptor. */
static int descriptor(mayfly_os_fd fd) {
  return fd >= 0 && fd <= INT_MAX ? (int)fd : -1;
}

int mf_os_fd_close(mayfly_os_fd fd) {
  if (fd != MAYFLY_NO_FD && close(descriptor(fd)) != 0 && errno != EINTR)
    return mf_posix_fail("close descriptor %lld", (long long)fd);
  return 0;
}

int mf_os_fd_set_inheritable(mayfly_os_fd fd, int inheritable) {
  int flags = fcntl(descriptor(fd), F_GETFD);
  if (flags >= 0)
    flags = fcntl(descriptor(fd), F_SETFD, inheritable ? flags & ~FD_CLOEXEC : flags | FD_CLOEXEC);
  if (flags < 0)
    return mf_posix_fail("say whether descriptor %lld is inheritable", (long long)fd);
  return 0;
}
