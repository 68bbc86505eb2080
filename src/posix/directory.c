/* SPDX-License-Identifier: MIT */
/* directory.c - directories that are held by a descriptor: made, found, listed, renamed; and when one is to be removed,
 * tree.c is told where it lies.
 *
 * What is done to a path is done to its last name in the directory that it lies in, and not through a link. */
#include "posix.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mayfly/tempfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { OPEN_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

/* A directory that is only passed through need not be readable. */
#if defined(O_PATH)
enum { PASS_FLAGS = O_PATH };
#elif defined(O_SEARCH)
enum { PASS_FLAGS = O_SEARCH };
#else
enum { PASS_FLAGS = O_RDONLY };
#endif

static int is_dots(const char *name) {
  return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

int mf_posix_compare(int parent, const char *name, const struct stat *held) {
  struct stat there;
  if (fstatat(parent, name, &there, AT_SYMLINK_NOFOLLOW) != 0)
    return mf_posix_is_gone(errno) ? MF_POSIX_GONE : -1;
  return there.st_dev == held->st_dev && there.st_ino == held->st_ino ? MF_POSIX_SAME : MF_POSIX_STRANGER;
}

int mf_os_directory_still(const char *path, mayfly_os_fd held) {
  struct stat status;
  int found = fstat((int)held, &status) == 0 ? mf_posix_compare(AT_FDCWD, path, &status) : -1;
  return found < 0 ? mf_posix_fail("look at the directory %s", path) : found == MF_POSIX_SAME;
}

/* ---- made ---- */

/* A umask may have left a directory that even its owner can't open: then its mode is set by its name first. */
static int open_made(const char *path) {
  int fd;
  MF_POSIX_RETRY(fd, open(path, OPEN_FLAGS));
  if (fd >= 0 || errno != EACCES || fchmodat(AT_FDCWD, path, 0700, AT_SYMLINK_NOFOLLOW) != 0)
    return fd;
  MF_POSIX_RETRY(fd, open(path, OPEN_FLAGS));
  return fd;
}

/* 1: it has the mode, and the lock if it is to have one. 0: a sweep has removed it. -1: errno. */
static int make_private(int fd, int locked) {
  struct stat status;
  int result = 0;
  if (locked)
    MF_POSIX_RETRY(result, flock(fd, LOCK_SH));
  if (result == 0)
    result = fstat(fd, &status);
  if (result == 0 && (status.st_mode & 0777) != 0700)
    MF_POSIX_RETRY(result, fchmod(fd, 0700));
  if (result != 0)
    return -1;
  return status.st_nlink > 0;
}

/* MAYFLY_EAGAIN: a sweep was there first. */
static int create(const char *path, int locked, mayfly_os_fd *fd) {
  if (mkdir(path, 0700) != 0)
    return mf_posix_fail("make the directory %s", path);
  int made = open_made(path);
  int owned = made >= 0 ? make_private(made, locked) : -1;
  if (owned == 1) {
    *fd = made;
    return 0;
  }
  int swept = owned == 0 || (made < 0 && errno == ENOENT);
  int result = swept ? mf_fail(MAYFLY_EAGAIN, "make the directory %s: sweeps keep taking it", path)
                     : mf_posix_fail("make the directory %s: make it private", path);
  if (made >= 0)
    close(made);
  if (!swept)
    rmdir(path);
  return result;
}

int mf_os_directory_create(const char *path, int locked, mayfly_os_fd *fd) {
  enum { TRIES = 100 };
  int result = MAYFLY_EAGAIN;
  for (int i = 0; i < TRIES && result == MAYFLY_EAGAIN; i++)
    result = create(path, locked, fd);
  return result;
}

/* ---- found ---- */

/* Where a path leads, less its last name; no memory is asked for, since a process that has none left ends too. */
struct place {
  char copy[PATH_MAX];
  const char *parent, *name;
};

/* Slashes and "/." at the end would have the system follow a link there. */
static char *find_end(char *path) {
  char *end = path + strlen(path);
  for (;;) {
    while (end > path + 1 && end[-1] == '/')
      end--;
    if (end < path + 2 || end[-1] != '.' || end[-2] != '/')
      return end;
    end--;
  }
}

static int find_place(const char *path, struct place *place) {
  char *copy = place->copy;
  if (strlen(path) >= sizeof place->copy)
    return mf_fail(MAYFLY_ENAMETOOLONG, "remove %s: the path is longer than %zu bytes", path, sizeof place->copy - 1);
  strcpy(copy, path);
  *find_end(copy) = '\0';
  char *slash = strrchr(copy, '/');
  place->name = slash != NULL ? slash + 1 : copy;
  if (*place->name == '\0' || is_dots(place->name))
    return mf_fail(MAYFLY_EINVAL, "remove \"%s\": that is no name in a directory", path);
  place->parent = slash == copy ? "/" : slash == NULL ? "." : copy;
  if (slash != NULL)
    *slash = '\0';
  return 0;
}

/* -1: errno. */
static int open_parent(const struct place *place) {
  int fd;
  MF_POSIX_RETRY(fd, openat(AT_FDCWD, place->parent, PASS_FLAGS | O_DIRECTORY | O_CLOEXEC));
  return fd;
}

/* Takes permissions that its owner lacks off the way into a directory, by what it is and not by its name. */
#ifdef O_PATH
static void let_owner_in(int parent, const char *name) {
  char link[32];
  int fd;
  MF_POSIX_RETRY(fd, openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (fd < 0)
    return;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd); /* fchmod(2) does not take such a descriptor */
  (void)chmod(link, 0700);
  close(fd);
}
#else
static void let_owner_in(int parent, const char *name) {
  struct stat status;
  if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode))
    (void)fchmodat(parent, name, 0700, AT_SYMLINK_NOFOLLOW);
}
#endif

int mf_posix_open_at(int parent, const char *name) {
  int fd;
  MF_POSIX_RETRY(fd, openat(parent, name, OPEN_FLAGS));
  return fd;
}

int mf_posix_open_in_any_case(int parent, const char *name) {
  int fd = mf_posix_open_at(parent, name);
  if (fd >= 0 || errno != EACCES)
    return fd;
  let_owner_in(parent, name);
  return mf_posix_open_at(parent, name);
}

static int fail_to_open(const char *path, const struct place *place, int parent) {
  struct stat status;
  int number = errno;
  if (fstatat(parent, place->name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode))
    return mf_fail(MAYFLY_ENOTDIR, "remove %s: it is a link, not a directory", path);
  errno = number;
  return mf_posix_fail("remove %s", path);
}

static int open_in_place(const char *path, const struct place *place, mayfly_os_fd *fd) {
  int parent = open_parent(place);
  if (parent < 0)
    return mf_posix_fail("remove %s", path);
  int opened = mf_posix_open_in_any_case(parent, place->name);
  int result = opened >= 0 ? 0 : fail_to_open(path, place, parent);
  if (opened >= 0)
    *fd = opened;
  close(parent);
  return result;
}

int mf_os_directory_open(const char *path, mayfly_os_fd *fd) {
  struct place place;
  int result = find_place(path, &place);
  return result < 0 ? result : open_in_place(path, &place, fd);
}

/* 1: this user's, and nobody else holds it from now on. 0: to be left alone. -1: errno. */
static int lock_dead(int fd) {
  struct stat status;
  int result = fstat(fd, &status);
  if (result == 0 && status.st_uid != geteuid())
    return 0;
  if (result == 0)
    MF_POSIX_RETRY(result, flock(fd, LOCK_EX | LOCK_NB));
  if (result != 0)
    return errno == EWOULDBLOCK ? 0 : -1;
  return 1;
}

int mf_os_directory_claim(const char *path, mayfly_os_fd *fd) {
  int opened;
  MF_POSIX_RETRY(opened, open(path, OPEN_FLAGS));
  if (opened < 0)
    return errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == EACCES ? MAYFLY_EAGAIN
                                                                                    : mf_posix_fail("claim %s", path);
  int result = lock_dead(opened);
  if (result < 0)
    result = mf_posix_fail("claim %s", path);
  else if (result == 1)
    result = mf_os_directory_still(path, opened);
  if (result == 1)
    *fd = opened;
  else
    close(opened);
  return result == 1 ? 0 : result == 0 ? MAYFLY_EAGAIN : result;
}

/* ---- listed ---- */

#ifdef __GLIBC__
int mf_posix_each_entry(int fd, int (*visit)(void *context, const char *name, int type), void *context) {
  _Alignas(struct dirent64) char buffer[16384];
  ssize_t size = lseek(fd, 0, SEEK_SET) == 0 ? 1 : -1;
  while (size > 0 && (size = getdents64(fd, buffer, sizeof buffer)) > 0)
    for (const char *next = buffer; next < buffer + size;) {
      const struct dirent64 *entry = (const struct dirent64 *)(const void *)next;
      if (!is_dots(entry->d_name) && visit(context, entry->d_name, entry->d_type) != 0)
        return 0;
      next += entry->d_reclen;
    }
  return (int)size;
}
#else
/* Reading moves the position of an open directory, and fdopendir(3) takes it over: so another one is read. */
int mf_posix_each_entry(int fd, int (*visit)(void *context, const char *name, int type), void *context) {
  const struct dirent *entry = NULL;
  int again = mf_posix_open_at(fd, ".");
  DIR *stream = again >= 0 ? fdopendir(again) : NULL;
  while (stream != NULL) {
    errno = 0;
    entry = readdir(stream);
    if (entry == NULL || (!is_dots(entry->d_name) && visit(context, entry->d_name, entry->d_type) != 0))
      break;
  }
  int number = entry == NULL ? errno : 0;
  if (stream != NULL)
    closedir(stream);
  else if (again >= 0)
    close(again);
  errno = number;
  return number == 0 ? 0 : -1;
}
#endif

struct visitor {
  int (*visit)(void *context, const char *name);
  void *context;
  int result;
};

static int visit_name(void *context, const char *name, int type) {
  struct visitor *visitor = context;
  (void)type;
  visitor->result = visitor->visit(visitor->context, name);
  return visitor->result;
}

int mf_os_directory_list(const char *path, int (*visit)(void *context, const char *name), void *context) {
  struct visitor visitor = {visit, context, 0};
  int fd;
  MF_POSIX_RETRY(fd, open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd < 0 || mf_posix_each_entry(fd, visit_name, &visitor) != 0)
    visitor.result = mf_posix_fail("list the directory %s", path);
  if (fd >= 0)
    close(fd);
  return visitor.result;
}

/* ---- given a lasting name ---- */

/* A directory of our own is exclusively made there and replaced at once. */
static int rename_over_made(const char *from, const char *to) {
  if (mkdir(to, 0700) != 0)
    return -1;
  int result = rename(from, to);
  int number = errno;
  if (result != 0)
    rmdir(to);
  errno = number;
  return result;
}

static int put_name(const char *from, const char *to, unsigned flags) {
  if ((flags & MAYFLY_PERSIST_NOREPLACE) == 0)
    return rename(from, to);
  int result = mf_posix_rename_to_free(from, to);
  return result != 0 && mf_posix_lacks_it(errno) ? rename_over_made(from, to) : result;
}

/* What a move to another directory asks for. */
enum { MOVABLE = 0200 };

static int change_name(int held, const char *from, const char *to, mode_t mode, unsigned flags) {
  int result;
  MF_POSIX_RETRY(result, fchmod(held, mode | MOVABLE));
  if (result != 0)
    return mf_posix_fail("set the mode of %s", from);
  return put_name(from, to, flags) == 0 ? 0 : mf_posix_fail("rename %s to %s", from, to);
}

/* `parent` MAYFLY_NO_FD: without fsync(2). */
static int settle(int held, mayfly_os_fd parent, const char *to, mode_t mode) {
  int result = 0;
  if ((mode & MOVABLE) == 0)
    MF_POSIX_RETRY(result, fchmod(held, mode));
  if (result != 0)
    return mf_posix_fail("set the mode of %s", to);
  if (parent != MAYFLY_NO_FD)
    result = mf_os_file_sync(held);
  if (result == 0)
    result = mf_os_file_sync(parent);
  return result == 0 ? 0 : mf_fail_in(result, "make %s", to);
}

static int publish(int held, mayfly_os_fd parent, const char *from, const char *to, mode_t mode, unsigned flags) {
  struct stat before;
  if (fstat(held, &before) != 0)
    return mf_posix_fail("look at the directory %s", from);
  int result = change_name(held, from, to, mode, flags);
  if (result == 0) {
    result = settle(held, parent, to, mode);
    if (result < 0)
      (void)rename(to, from);
  }
  if (result < 0)
    (void)fchmod(held, before.st_mode & 07777);
  return result;
}

static int check_name(const char *path, int held) {
  struct stat status;
  int found = fstat(held, &status) == 0 ? mf_posix_compare(AT_FDCWD, path, &status) : -1;
  if (found < 0)
    return mf_posix_fail("look at the directory %s", path);
  if (found == MF_POSIX_GONE)
    return mf_fail(MAYFLY_ENOENT, "rename %s: it is gone", path);
  return found == MF_POSIX_SAME ? 0
                                : mf_fail(MAYFLY_ESTOLEN, "rename %s: the name no longer leads to what was made", path);
}

static mode_t mode_bits(int mode) {
  if (mode == MAYFLY_MODE_NEW)
    return 0777 & ~mf_posix_umask();
  return mode == MAYFLY_MODE_PRIVATE ? 0700 : (mode_t)mode & 07777;
}

int mf_os_directory_rename(mayfly_os_fd *held, const char *from, const char *to, int mode, unsigned flags) {
  mayfly_os_fd parent = MAYFLY_NO_FD;
  int result = check_name(from, (int)*held);
  if (result == 0 && (flags & MAYFLY_PERSIST_SYNC) != 0)
    result = mf_os_file_parent(to, &parent);
  if (result == 0)
    result = publish((int)*held, parent, from, to, mode_bits(mode), flags);
  mf_os_fd_close(parent);
  if (result == 0) {
    close((int)*held);
    *held = MAYFLY_NO_FD;
  }
  return result;
}

/* ---- removed ---- */

static int remove_in_place(struct mf_posix_tree *tree, const struct place *place,
                           int (*progress)(void *context, uint64_t removed), void *context) {
  int result = 0;
  tree->name = place->name;
  tree->parent = open_parent(place);
  if (tree->parent < 0)
    return mf_posix_is_gone(errno) ? 0 : mf_posix_fail("remove %s", tree->path);
  int found = fstat(tree->held, &tree->status) == 0 ? mf_posix_compare(tree->parent, tree->name, &tree->status) : -1;
  if (found < 0)
    result = mf_posix_fail("remove %s", tree->path);
  else if (found == MF_POSIX_STRANGER)
    result = mf_fail(MAYFLY_ESTOLEN, "remove %s: the name no longer leads to what was made", tree->path);
  else if (found == MF_POSIX_SAME)
    result = mf_posix_tree_remove(tree, progress, context);
  close(tree->parent);
  return result;
}

int mf_os_directory_remove(const char *path, mayfly_os_fd *held, int (*progress)(void *context, uint64_t removed),
                           void *context) {
  struct mf_posix_tree tree = {.path = path, .held = (int)*held};
  struct place place;
  int result = find_place(path, &place);
  if (result < 0)
    return result;
  result = remove_in_place(&tree, &place, progress, context);
  if (result == 0) {
    close((int)*held);
    *held = MAYFLY_NO_FD;
  }
  return result;
}
