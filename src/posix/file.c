/* SPDX-License-Identifier: MIT */
/* file.c - files, known by who they are. */
#include "posix.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

/* ---- who a file is ---- */

int mf_posix_is_gone(int number) {
  return number == ENOENT || number == ENOTDIR;
}

int mf_posix_same(const char *path, const struct stat *status) {
  struct stat there;
  if (lstat(path, &there) != 0)
    return mf_posix_is_gone(errno) ? 0 : -1;
  return there.st_dev == status->st_dev && there.st_ino == status->st_ino;
}

static struct mf_os_identity identity_of(const struct stat *status) {
  return (struct mf_os_identity){.volume = (uint64_t)status->st_dev, .file = {status->st_ino, 0}};
}

#ifdef STATX_BTIME

/* Of the file that `fd` is or, where that is AT_FDCWD, of `path` itself; 0: it is not told. */
static int64_t born(int fd, const char *path) {
  struct statx status;
  int flags = *path == '\0' ? AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW;
  if (statx(fd, path, flags, STATX_BTIME, &status) != 0 || (status.stx_mask & STATX_BTIME) == 0)
    return 0;
  return status.stx_btime.tv_sec * 1000000000 + status.stx_btime.tv_nsec;
}

#elif defined(SYS_statx)

/* musl before 1.2.5 has the call's number alone, so this is the kernel's own structure, which has 256 bytes. */
struct statx_of_kernel {
  uint32_t mask, not_asked_for[19];
  int64_t born_s;
  uint32_t born_ns, rest[41];
};
_Static_assert(offsetof(struct statx_of_kernel, born_s) == 80 && sizeof(struct statx_of_kernel) == 256, "linux/stat.h");

static int64_t born(int fd, const char *path) {
  enum { BIRTH = 0x800 };
  struct statx_of_kernel status;
  int flags = *path == '\0' ? AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW;
  if (syscall(SYS_statx, fd, path, flags, BIRTH, &status) != 0 || (status.mask & BIRTH) == 0)
    return 0;
  return status.born_s * 1000000000 + status.born_ns;
}

#elif defined(__APPLE__)

static int64_t born(int fd, const char *path) {
  struct stat status;
  if ((*path == '\0' ? fstat(fd, &status) : lstat(path, &status)) != 0)
    return 0;
  return (int64_t)status.st_birthtimespec.tv_sec * 1000000000 + status.st_birthtimespec.tv_nsec;
}

#else

static int64_t born(int fd, const char *path) {
  (void)fd;
  (void)path;
  return 0;
}

#endif

/* 1: `path`, links not followed, leads to that file. 0: to another, or nowhere. -1: errno. */
static int leads_to(const char *path, const struct mf_os_identity *identity) {
  struct stat status = {.st_dev = (dev_t)identity->volume, .st_ino = (ino_t)identity->file[0]};
  int same = mf_posix_same(path, &status);
  if (same != 1 || identity->born_ns == 0)
    return same;
  int64_t there = born(AT_FDCWD, path);
  return there == 0 || there == identity->born_ns;
}

int mf_os_file_identity(mayfly_os_fd fd, struct mf_os_identity *identity) {
  struct stat status;
  if (fstat((int)fd, &status) != 0)
    return mf_posix_fail("ask a file who it is");
  *identity = identity_of(&status);
  identity->born_ns = born((int)fd, "");
  return 0;
}

/* ---- making ---- */

static int fail_and_discard(int fd, const char *path) {
  int result = mf_posix_fail("create %s: make it private", path);
  unlink(path);
  close(fd);
  return result;
}

int mf_os_file_create(const char *path, unsigned flags, mayfly_os_fd *fd, struct mf_os_identity *identity) {
  struct stat status;
  int made;
  (void)flags;
  MF_POSIX_RETRY(made, open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (made < 0)
    return mf_posix_fail("create %s", path);
  int result = fstat(made, &status);
  if (result == 0 && (status.st_mode & 0777) != 0600) /* the umask */
    MF_POSIX_RETRY(result, fchmod(made, 0600));
  if (result != 0)
    return fail_and_discard(made, path);
  if (identity != NULL)
    *identity = identity_of(&status);
  *fd = made;
  return 0;
}

#ifdef O_TMPFILE

/* With O_EXCL it could never be given a name. An old kernel, or a file system, that knows nothing of it opens the
 * directory instead, and can't for writing. */
int mf_os_file_create_unnamed(const char *directory, mayfly_os_fd *fd) {
  int made;
  MF_POSIX_RETRY(made, open(directory, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
  if (made >= 0) {
    *fd = made;
    return 0;
  }
  if (errno == EISDIR || errno == EOPNOTSUPP || errno == EINVAL)
    return MAYFLY_ENOTSUP;
  return mf_posix_fail("create a file without a name in %s", directory);
}

#else

int mf_os_file_create_unnamed(const char *directory, mayfly_os_fd *fd) {
  (void)directory;
  (void)fd;
  return MAYFLY_ENOTSUP;
}

#endif

#ifdef MFD_CLOEXEC

int mf_os_file_create_in_memory(mayfly_os_fd *fd) {
  int made = memfd_create("mayfly", MFD_CLOEXEC);
  if (made >= 0) {
    *fd = made;
    return 0;
  }
  return errno == ENOSYS || errno == EPERM ? MAYFLY_ENOTSUP : mf_posix_fail("create a file in memory");
}

#else

int mf_os_file_create_in_memory(mayfly_os_fd *fd) {
  (void)fd;
  return MAYFLY_ENOTSUP;
}

#endif

int mf_os_file_unname(mayfly_os_fd fd, const char *path) {
  (void)fd;
  return unlink(path) == 0 || errno == ENOENT ? 0 : mf_posix_fail("take its name away from %s", path);
}

/* ---- once more ---- */

/* A file without a name may still have the mode that the umask left it. */
static int reopen_unnamed(int fd) {
  char path[32];
  int again;
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  MF_POSIX_RETRY(again, open(path, O_RDWR | O_CLOEXEC));
  if (again >= 0 || errno != EACCES || fchmod(fd, 0600) != 0)
    return again;
  MF_POSIX_RETRY(again, open(path, O_RDWR | O_CLOEXEC));
  return again;
}

static int is(int fd, const struct mf_os_identity *identity) {
  struct mf_os_identity there;
  int result = mf_os_file_identity(fd, &there);
  if (result < 0)
    return result;
  return there.volume == identity->volume && there.file[0] == identity->file[0] &&
         (there.born_ns == identity->born_ns || there.born_ns == 0 || identity->born_ns == 0);
}

static int fail_stolen(const char *path) {
  return mf_fail(MAYFLY_ESTOLEN, "open %s again: the name no longer leads to what was made", path);
}

/* A link, a directory and a socket can't be opened so, but what matters is whose they are. */
static int fail_to_reopen(const char *path, const struct mf_os_identity *identity) {
  int number = errno;
  if (!mf_posix_is_gone(number) && leads_to(path, identity) == 0)
    return fail_stolen(path);
  errno = number;
  return mf_posix_fail("open %s again", path);
}

static int reopen_named(const char *path, const struct mf_os_identity *identity, mayfly_os_fd *again) {
  int made;
  MF_POSIX_RETRY(made, open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)); /* a stranger's pipe would wait */
  if (made < 0)
    return fail_to_reopen(path, identity);
  int same = is(made, identity);
  if (same == 1 && fcntl(made, F_SETFL, 0) == 0) {
    *again = made;
    return 0;
  }
  int result = same < 0    ? mf_fail_in(same, "open %s again", path)
               : same == 0 ? fail_stolen(path)
                           : mf_posix_fail("open %s again", path);
  close(made);
  return result;
}

int mf_os_file_reopen(mayfly_os_fd fd, const char *path, const struct mf_os_identity *identity, mayfly_os_fd *again) {
  if (path != NULL)
    return reopen_named(path, identity, again);
  int made = reopen_unnamed((int)fd);
  if (made < 0)
    return mf_posix_fail("open a file without a name again");
  *again = made;
  return 0;
}

/* ---- names ---- */

int mf_os_file_remove(const char *path, const struct mf_os_identity *identity) {
  int same = leads_to(path, identity);
  if (same == 0)
    return 0;
  if (same < 0 || (unlink(path) != 0 && errno != ENOENT))
    return mf_posix_fail("remove %s", path);
  return 1;
}

/* For who has no descriptor of it any more. */
static void learn_birth(const char *path, struct mf_os_identity *identity) {
  if (identity->born_ns == 0 && leads_to(path, identity) == 1)
    identity->born_ns = born(AT_FDCWD, path);
}

/* Looked at while the descriptor still keeps the number from others, then closed, then removed: a file system like ext4
 * keeps a list of open files without names, for a crash, and is spared that. */
int mf_os_file_end(mayfly_os_fd *fd, const char *path, struct mf_os_identity *identity, int *closed) {
  int same = leads_to(path, identity);
  if (same < 0)
    return mf_posix_fail("remove %s", path);
  *closed = mf_os_fd_close(*fd);
  *fd = MAYFLY_NO_FD;
  if (same == 0 || unlink(path) == 0 || errno == ENOENT)
    return same;
  int number = errno;
  learn_birth(path, identity);
  errno = number;
  return mf_posix_fail("remove %s", path);
}

/* A directory entry of the file itself, whatever its other names are. */
int mf_os_file_link(mayfly_os_fd fd, const char *path) {
  char self[32];
  snprintf(self, sizeof self, "/proc/self/fd/%d", (int)fd);
  if (linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0)
    return 0;
  /* ENOENT: it had a name once, or there is no /proc, or no directory for `path`, which the copy will find out. */
  if (errno == ENOENT || errno == EPERM || errno == EOPNOTSUPP || errno == EMLINK)
    return MAYFLY_ENOTSUP;
  return mf_posix_fail("give a file the name %s", path);
}

int mf_posix_lacks_it(int number) {
  return number == ENOSYS || number == EINVAL || number == ENOTSUP;
}

static int link_then_unlink(const char *from, const char *to) {
  if (link(from, to) != 0)
    return -1;
  if (unlink(from) == 0)
    return 0;
  int saved = errno;
  unlink(to);
  errno = saved;
  return -1;
}

#if defined(RENAME_NOREPLACE)

int mf_posix_rename_to_free(const char *from, const char *to) {
  return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
}

#elif defined(RENAME_EXCL)

int mf_posix_rename_to_free(const char *from, const char *to) {
  return renamex_np(from, to, RENAME_EXCL);
}

#else

int mf_posix_rename_to_free(const char *from, const char *to) {
  (void)from;
  (void)to;
  errno = ENOSYS;
  return -1;
}

#endif

static int rename_noreplace(const char *from, const char *to) {
  if (mf_posix_rename_to_free(from, to) == 0)
    return 0;
  return mf_posix_lacks_it(errno) ? link_then_unlink(from, to) : -1;
}

/* The directory that `path` lies in. -1: errno. */
static int stat_parent(const char *path, struct stat *status) {
  char *parent = strndup(path, mf_os_path_directory_size(path));
  int result = parent != NULL ? stat(parent, status) : -1;
  free(parent);
  return result;
}

/* 1: both are one entry of one directory, however they are spelled. -1: errno. */
static int is_one_entry(const char *one, const char *other) {
  struct stat here, there;
  if (strcmp(strrchr(one, '/'), strrchr(other, '/')) != 0)
    return 0;
  if (stat_parent(one, &here) != 0 || stat_parent(other, &there) != 0)
    return -1;
  return here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

/* rename(2) of a file to another link of it does nothing: then the first name goes by itself. -1: errno. */
static int drop_other_link(const char *from, const char *to, const struct stat *status) {
  int left = status->st_nlink > 1 ? mf_posix_same(from, status) : 0;
  if (left != 1)
    return left;
  int one = is_one_entry(from, to);
  return one == 0 ? unlink(from) : one == 1 ? 0 : -1;
}

int mf_os_file_rename(mayfly_os_fd fd, const char *from, const char *to, unsigned flags) {
  struct stat status;
  int same = fstat((int)fd, &status) == 0 ? mf_posix_same(from, &status) : -1;
  if (same == 0)
    return mf_fail(MAYFLY_ESTOLEN, "rename %s to %s: the name no longer leads to what was made", from, to);
  if (same < 0 || ((flags & MAYFLY_PERSIST_NOREPLACE) != 0 ? rename_noreplace(from, to) : rename(from, to)) != 0 ||
      drop_other_link(from, to, &status) != 0)
    return mf_posix_fail("rename %s to %s", from, to);
  return 0;
}

int mf_os_file_parent(const char *path, mayfly_os_fd *directory) {
  char *parent = strndup(path, mf_os_path_directory_size(path));
  if (parent == NULL)
    return mf_posix_fail("open the directory of %s", path);
  int opened;
  MF_POSIX_RETRY(opened, open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  int result = opened >= 0 ? 0 : mf_posix_fail("open the directory %s", parent);
  free(parent);
  if (result == 0)
    *directory = opened;
  return result;
}

/* ---- modes ---- */

/* umask(2) tells it only by changing it, for every thread. Linux tells it here too. -1: it does not. */
static int read_umask(void) {
  char line[128];
  int mask = -1;
  FILE *status = fopen("/proc/self/status", "re");
  if (status == NULL)
    return -1;
  while (mask < 0 && fgets(line, sizeof line, status) != NULL)
    if (strncmp(line, "Umask:", 6) == 0)
      mask = (int)strtol(line + 6, NULL, 8);
  fclose(status);
  return mask;
}

/* What another thread makes in between is too private rather than too open. */
mode_t mf_posix_umask(void) {
  int told = read_umask();
  if (told >= 0)
    return (mode_t)told;
  mode_t mask = umask(0777);
  umask(mask);
  return mask;
}

int mf_os_file_set_mode(mayfly_os_fd fd, int mode, const char *path) {
  mode_t bits = (mode_t)mode;
  if (mode == MAYFLY_MODE_PRIVATE)
    bits = 0600;
  else if (mode == MAYFLY_MODE_NEW)
    bits = 0666 & ~mf_posix_umask();
  int result;
  MF_POSIX_RETRY(result, fchmod((int)fd, bits));
  return result == 0 ? 0 : mf_posix_fail("set the mode of what is to be %s", path);
}

/* ---- content ---- */

enum { AT_ONCE_MAX = 1 << 30 }; /* more is an error in some systems, and cut short in the others */

int64_t mf_os_file_read_at(mayfly_os_fd fd, void *buffer, size_t size, int64_t offset) {
  ssize_t count;
  MF_POSIX_RETRY(count, pread((int)fd, buffer, size < AT_ONCE_MAX ? size : AT_ONCE_MAX, (off_t)offset));
  return count >= 0 ? count : mf_posix_fail("read %zu bytes at %lld", size, (long long)offset);
}

int mf_os_file_write_at(mayfly_os_fd fd, const void *data, size_t size, int64_t offset) {
  const char *next = data;
  while (size > 0) {
    ssize_t count;
    MF_POSIX_RETRY(count, pwrite((int)fd, next, size < AT_ONCE_MAX ? size : AT_ONCE_MAX, (off_t)offset));
    if (count < 0)
      return mf_posix_fail("write %zu bytes at %lld", size, (long long)offset);
    next += count;
    size -= (size_t)count;
    offset += count;
  }
  return 0;
}

int64_t mf_os_file_size(mayfly_os_fd fd) {
  struct stat status;
  return fstat((int)fd, &status) == 0 ? (int64_t)status.st_size : mf_posix_fail("ask for the size of a file");
}

int mf_os_file_truncate(mayfly_os_fd fd, int64_t size) {
  int result;
  MF_POSIX_RETRY(result, ftruncate((int)fd, (off_t)size));
  return result == 0 ? 0 : mf_posix_fail("make a file %lld bytes large", (long long)size);
}

int mf_os_file_seek(mayfly_os_fd fd, int64_t offset) {
  return lseek((int)fd, (off_t)offset, SEEK_SET) >= 0 ? 0 : mf_posix_fail("seek to %lld", (long long)offset);
}

int mf_os_file_sync(mayfly_os_fd fd) {
  int result = 0;
  if (fd != MAYFLY_NO_FD)
    MF_POSIX_RETRY(result, fsync((int)fd));
  return result == 0 ? 0 : mf_posix_fail("put a file on the disk");
}

int mf_os_file_stream(mayfly_os_fd fd, const char *mode, FILE **stream) {
  int duplicate = fcntl((int)fd, F_DUPFD_CLOEXEC, 0);
  FILE *made = duplicate >= 0 ? fdopen(duplicate, mode) : NULL;
  if (made != NULL) {
    *stream = made;
    return 0;
  }
  int result = mf_posix_fail("open a stream of mode %s", mode);
  if (duplicate >= 0)
    close(duplicate);
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
