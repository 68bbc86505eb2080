/* SPDX-License-Identifier: MIT */
/* directory.c - directories that are held by a descriptor, and how a tree is removed.
 *
 * The walk that removes needs no stack of the system's: its way down is an array of levels. A directory is read once,
 * what is no directory being removed on the way; the names of those that are lie behind one another in one buffer,
 * those of a level together, and the last of them is the one that the walk is in. Only the last few levels are held by
 * a descriptor: above them the way back is "..", taken if it leads to the very directory that was left.
 *
 * Level 0 is the directory that the tree lies in, where nothing but the tree's own name is touched, and level 1 is the
 * tree. A directory is only ever entered by one name in one that is held, and not through a link: so who puts a link
 * in the way can't lead the walk anywhere. */
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

enum { GONE, SAME, STRANGER };

/* What `name` in `parent` (AT_FDCWD: a path) is to the directory that is held. -1: errno. */
static int compare(int parent, const char *name, const struct stat *held) {
  struct stat there;
  if (fstatat(parent, name, &there, AT_SYMLINK_NOFOLLOW) != 0)
    return mf_posix_is_gone(errno) ? GONE : -1;
  return there.st_dev == held->st_dev && there.st_ino == held->st_ino ? SAME : STRANGER;
}

int mf_os_directory_still(const char *path, mayfly_os_fd held) {
  struct stat status;
  int found = fstat((int)held, &status) == 0 ? compare(AT_FDCWD, path, &status) : -1;
  return found < 0 ? mf_posix_fail("look at the directory %s", path) : found == SAME;
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

static int open_at(int parent, const char *name) {
  int fd;
  MF_POSIX_RETRY(fd, openat(parent, name, OPEN_FLAGS));
  return fd;
}

/* -1: errno. */
static int open_in_any_case(int parent, const char *name) {
  int fd = open_at(parent, name);
  if (fd >= 0 || errno != EACCES)
    return fd;
  let_owner_in(parent, name);
  return open_at(parent, name);
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
  int opened = open_in_any_case(parent, place->name);
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

/* Each entry of the open directory but "." and "..", from its beginning, until `visit` returns something else than 0;
 * `type` as in a struct dirent. -1: errno. */
#ifdef __GLIBC__
static int each_entry(int fd, int (*visit)(void *context, const char *name, int type), void *context) {
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
static int each_entry(int fd, int (*visit)(void *context, const char *name, int type), void *context) {
  const struct dirent *entry = NULL;
  int again = open_at(fd, ".");
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
  if (fd < 0 || each_entry(fd, visit_name, &visitor) != 0)
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
  int found = fstat(held, &status) == 0 ? compare(AT_FDCWD, path, &status) : -1;
  if (found < 0)
    return mf_posix_fail("look at the directory %s", path);
  if (found == GONE)
    return mf_fail(MAYFLY_ENOENT, "rename %s: it is gone", path);
  return found == SAME ? 0 : mf_fail(MAYFLY_ESTOLEN, "rename %s: the name no longer leads to what was made", path);
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

/* ---- removed: the walk's memory ---- */

enum {
  OPEN_LEVELS = 16, /* the last so many are held by a descriptor */
  PASSES = 100      /* over one directory, in which somebody keeps making things */
};

struct level {
  int fd; /* -1: closed, and known by: */
  dev_t device;
  ino_t inode;
  size_t names; /* where its own begin in the walk's */
  int passes;
  int failed; /* something in it stays */
};

struct walk {
  const char *path;
  struct stat tree; /* who it is */
  struct level *levels;
  size_t depth, levels_max; /* the last level is the one that the walk is in */
  char *names;
  size_t names_size, names_max;
  uint64_t removed;
  int (*progress)(void *context, uint64_t removed);
  void *context;
  int stopped;
  int result; /* the first failure, and its words */
  char words[MF_OS_WORDS_SIZE];
};

static struct level *here(const struct walk *walk) {
  return &walk->levels[walk->depth - 1];
}

/* The one that ends at `end`. */
static char *name_before(const struct walk *walk, size_t end) {
  char *name = walk->names + end - 1;
  while (name > walk->names && name[-1] != '\0')
    name--;
  return name;
}

/* NULL: errno, and `memory` is as it was. */
static void *grow(void *memory, size_t *max, size_t need, size_t size) {
  enum { FIRST = 64 };
  size_t more = *max > 0 ? *max : FIRST;
  while (more < need)
    more *= 2;
  void *grown = more > *max ? realloc(memory, more * size) : memory;
  if (grown != NULL)
    *max = more;
  return grown;
}

/* -1: errno. */
static int push_name(struct walk *walk, const char *name) {
  size_t size = strlen(name) + 1;
  char *names = grow(walk->names, &walk->names_max, walk->names_size + size, 1);
  if (names == NULL)
    return -1;
  walk->names = names;
  memcpy(names + walk->names_size, name, size);
  walk->names_size += size;
  return 0;
}

static void pop_name(struct walk *walk) {
  walk->names_size = (size_t)(name_before(walk, walk->names_size) - walk->names);
}

/* -1: errno. */
static int push_level(struct walk *walk, int fd) {
  struct level *levels = grow(walk->levels, &walk->levels_max, walk->depth + 1, sizeof *levels);
  if (levels == NULL)
    return -1;
  walk->levels = levels;
  levels[walk->depth++] = (struct level){.fd = fd, .names = walk->names_size};
  return 0;
}

/* ---- removed: failures ---- */

/* The way from the tree to `name`, of which only the end is told where it is long. */
static const char *tell_way(const struct walk *walk, const char *name, char *text, size_t size) {
  static const char cut[] = ".../";
  char *way = text + size - strlen(name) - 1;
  memcpy(way, name, strlen(name) + 1);
  for (size_t depth = walk->depth; depth > 2; depth--) {
    const char *above = name_before(walk, walk->levels[depth - 1].names);
    size_t length = strlen(above) + 1;
    int fits = (size_t)(way - text) >= length + sizeof cut;
    way -= fits ? length : sizeof cut - 1;
    memcpy(way, fits ? above : cut, fits ? length : sizeof cut - 1);
    if (!fits)
      break;
    way[length - 1] = '/';
  }
  return way;
}

/* `name`, where the walk is, stays: errno says why. */
static void note(struct walk *walk, const char *name) {
  char text[MF_OS_WORDS_SIZE - 128];
  int number = errno, inside = walk->depth > 1;
  here(walk)->failed = 1;
  if (walk->result < 0)
    return;
  const char *way = inside ? tell_way(walk, name, text, sizeof text) : "";
  errno = number;
  walk->result = mf_posix_fail("remove %s%s%s", walk->path, inside ? "/" : "", way);
  mf_words_keep(walk->words);
}

static void note_stolen(struct walk *walk, const char *what) {
  here(walk)->failed = 1;
  if (walk->result == 0)
    walk->result = mf_fail(MAYFLY_ESTOLEN, "remove %s: %s", walk->path, what);
  mf_words_keep(walk->words);
}

static void count(struct walk *walk) {
  walk->removed++;
  if (walk->progress == NULL || walk->progress(walk->context, walk->removed) == 0)
    return;
  walk->stopped = 1;
  walk->result = mf_fail(MAYFLY_ECANCELED, "remove %s: it was stopped, with %llu names removed", walk->path,
                         (unsigned long long)walk->removed);
  mf_words_keep(walk->words);
}

/* ---- removed: what is in the way ---- */

/* Flags that forbid even the owner. */
#ifdef UF_IMMUTABLE
static int clear_flags(int fd, const char *name) {
  int opened;
  MF_POSIX_RETRY(opened, openat(fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  int result = opened >= 0 ? fchflags(opened, 0) : -1;
  if (opened >= 0)
    close(opened);
  return result == 0;
}
#else
static int clear_flags(int fd, const char *name) {
  (void)fd, (void)name;
  return 0;
}
#endif

/* After a call on `name` failed: nonzero if what may have been in its way is gone. What the tree lies in is not ours;
 * keeps errno. */
static int clear_way(const struct walk *walk, const char *name) {
  int number = errno, cleared = 0;
  int fd = here(walk)->fd, ours = walk->depth > 1;
  if (number == EACCES && ours)
    cleared = fchmod(fd, 0700) == 0;
  if (number == EPERM)
    cleared = (ours && clear_flags(fd, ".")) | clear_flags(fd, name);
  errno = number;
  return cleared;
}

/* -1: errno. */
static int remove_name(struct walk *walk, const char *name, int flags) {
  int fd = here(walk)->fd;
  int result = unlinkat(fd, name, flags);
  if (result != 0 && clear_way(walk, name))
    result = unlinkat(fd, name, flags);
  if (result == 0)
    count(walk);
  return result;
}

/* ---- removed: one directory ---- */

/* After unlinkat(2) failed, whose errno it keeps: Linux says EISDIR, others EPERM. */
static int is_directory(const struct walk *walk, const char *name) {
  struct stat status;
  int number = errno;
  int is = (number == EISDIR || number == EPERM) && fstatat(here(walk)->fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISDIR(status.st_mode);
  errno = number;
  return is;
}

/* Not every file system says in the list what is a directory. */
static int take(void *context, const char *name, int type) {
  struct walk *walk = context;
  int directory = type == DT_DIR;
  if (!directory && remove_name(walk, name, 0) == 0)
    return walk->stopped;
  if (!directory)
    directory = is_directory(walk, name);
  if (directory ? push_name(walk, name) != 0 : errno != ENOENT)
    note(walk, name);
  return 0;
}

static void read_here(struct walk *walk) {
  here(walk)->passes++;
  int result = each_entry(here(walk)->fd, take, walk);
  if (result != 0 && clear_way(walk, "."))
    result = each_entry(here(walk)->fd, take, walk);
  if (result != 0)
    note(walk, ".");
}

/* ---- removed: down and up ---- */

/* Of the levels above, none but the first two, which are the caller's, need stay open. */
static void close_far(struct walk *walk) {
  struct stat status;
  if (walk->depth < OPEN_LEVELS + 3)
    return;
  struct level *far = &walk->levels[walk->depth - 1 - OPEN_LEVELS];
  if (far->fd < 0 || fstat(far->fd, &status) != 0)
    return;
  far->device = status.st_dev;
  far->inode = status.st_ino;
  close(far->fd);
  far->fd = -1;
}

/* errno says why `name` can't be entered; it may be something else by now, or empty. */
static void pass_over(struct walk *walk, const char *name) {
  int number = errno;
  int flags = number == ENOTDIR || number == ELOOP ? 0 : AT_REMOVEDIR;
  if (number != ENOENT && remove_name(walk, name, flags) != 0 && errno != ENOENT) {
    errno = flags != 0 ? number : errno;
    note(walk, name);
  }
  pop_name(walk);
}

static void enter(struct walk *walk) {
  const char *name = name_before(walk, walk->names_size);
  int fd = open_at(here(walk)->fd, name);
  if (fd < 0 && errno == EACCES) {
    clear_way(walk, name);
    fd = open_in_any_case(here(walk)->fd, name);
  }
  if (fd >= 0 && push_level(walk, fd) == 0) {
    close_far(walk);
    read_here(walk);
    return;
  }
  int number = errno;
  if (fd >= 0)
    close(fd);
  errno = number;
  pass_over(walk, name);
}

/* 0: the level above is not where it was, and the walk stops, since nothing else leads there. */
static int go_back(struct walk *walk) {
  const struct level *level = here(walk);
  struct level *above = &walk->levels[walk->depth - 2];
  struct stat status;
  if (above->fd >= 0)
    return 1;
  int fd = open_at(level->fd, "..");
  if (fd < 0 || fstat(fd, &status) != 0)
    note(walk, "..");
  else if (status.st_dev == above->device && status.st_ino == above->inode)
    above->fd = fd;
  else
    note_stolen(walk, "a directory in it was moved meanwhile");
  if (fd >= 0 && above->fd != fd)
    close(fd);
  walk->stopped = above->fd < 0;
  return !walk->stopped;
}

/* The system may hide names from who removes while he reads, and others may make new ones. */
static int is_worth_another_pass(const struct level *level) {
  return (errno == ENOTEMPTY || errno == EEXIST) && !level->failed && level->passes < PASSES;
}

static int is_still_the_tree(struct walk *walk, const char *name) {
  int found = compare(here(walk)->fd, name, &walk->tree);
  if (found < 0)
    note(walk, name);
  if (found == STRANGER)
    note_stolen(walk, "the name no longer leads to what was made");
  return found == SAME;
}

static void leave(struct walk *walk) {
  const struct level *level = here(walk);
  if (!go_back(walk))
    return;
  walk->depth--;
  const char *name = name_before(walk, walk->names_size);
  int is_tree = walk->depth == 1;
  if ((!is_tree || is_still_the_tree(walk, name)) && remove_name(walk, name, AT_REMOVEDIR) != 0 && errno != ENOENT) {
    if (is_worth_another_pass(level)) {
      walk->depth++;
      read_here(walk);
      return;
    }
    note(walk, name);
  }
  if (!is_tree)
    close(level->fd);
  pop_name(walk);
}

static void end_walk(struct walk *walk) {
  for (size_t i = 2; i < walk->depth; i++)
    if (walk->levels[i].fd >= 0)
      close(walk->levels[i].fd);
  free(walk->levels);
  free(walk->names);
  if (walk->result < 0)
    mf_words_put_back(walk->words);
}

static int remove_tree(struct walk *walk, int parent, const char *name, int held) {
  if (push_level(walk, parent) != 0 || push_name(walk, name) != 0 || push_level(walk, held) != 0) {
    walk->result = mf_fail(MAYFLY_ENOMEM, "remove %s: no memory", walk->path);
    mf_words_keep(walk->words);
  } else {
    read_here(walk);
    while (walk->depth > 1 && !walk->stopped)
      if (walk->names_size > here(walk)->names)
        enter(walk);
      else
        leave(walk);
  }
  end_walk(walk);
  return walk->result;
}

static int remove_in_place(struct walk *walk, const struct place *place, int held) {
  int parent = open_parent(place);
  if (parent < 0)
    return mf_posix_is_gone(errno) ? 0 : mf_posix_fail("remove %s", walk->path);
  int found = fstat(held, &walk->tree) == 0 ? compare(parent, place->name, &walk->tree) : -1, result = 0;
  if (found < 0)
    result = mf_posix_fail("remove %s", walk->path);
  else if (found == STRANGER)
    result = mf_fail(MAYFLY_ESTOLEN, "remove %s: the name no longer leads to what was made", walk->path);
  else if (found == SAME)
    result = remove_tree(walk, parent, place->name, held);
  close(parent);
  return result;
}

int mf_os_directory_remove(const char *path, mayfly_os_fd *held, int (*progress)(void *context, uint64_t removed),
                           void *context) {
  struct walk walk = {.path = path, .progress = progress, .context = context};
  struct place place;
  int result = find_place(path, &place);
  if (result < 0)
    return result;
  result = remove_in_place(&walk, &place, (int)*held);
  if (result == 0) {
    close((int)*held);
    *held = MAYFLY_NO_FD;
  }
  return result;
}
