/* SPDX-License-Identifier: MIT */
/* tree.c - how a tree is removed.
 *
 * The walk needs no stack of the system's: its way down is an array of levels. A directory is read once, what is no
 * directory being removed on the way; the names of those that are lie behind one another in one buffer, those of a
 * level together, and the last of them is the one that the walk is in. Only the last few levels are held by a
 * descriptor: above them the way back is "..", taken if it leads to the very directory that was left.
 *
 * Level 0 is the directory that the tree lies in, where nothing but the tree's own name is touched, and level 1 is the
 * tree. A directory is only ever entered by one name in one that is held, and not through a link: so who puts a link
 * in the way can't lead the walk anywhere. */
#include "posix.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the walk's memory ---- */

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
  const struct mf_posix_tree *tree;
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

/* ---- failures ---- */

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
  walk->result = mf_posix_fail("remove %s%s%s", walk->tree->path, inside ? "/" : "", way);
  mf_words_keep(walk->words);
}

static void note_stolen(struct walk *walk, const char *what) {
  here(walk)->failed = 1;
  if (walk->result == 0)
    walk->result = mf_fail(MAYFLY_ESTOLEN, "remove %s: %s", walk->tree->path, what);
  mf_words_keep(walk->words);
}

static void count(struct walk *walk) {
  walk->removed++;
  if (walk->progress == NULL || walk->progress(walk->context, walk->removed) == 0)
    return;
  walk->stopped = 1;
  walk->result = mf_fail(MAYFLY_ECANCELED, "remove %s: it was stopped, with %llu names removed", walk->tree->path,
                         (unsigned long long)walk->removed);
  mf_words_keep(walk->words);
}

/* ---- what is in the way ---- */

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

/* ---- one directory ---- */

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
  int result = mf_posix_each_entry(here(walk)->fd, take, walk);
  if (result != 0 && clear_way(walk, "."))
    result = mf_posix_each_entry(here(walk)->fd, take, walk);
  if (result != 0)
    note(walk, ".");
}

/* ---- down and up ---- */

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
  int fd = mf_posix_open_at(here(walk)->fd, name);
  if (fd < 0 && errno == EACCES) {
    clear_way(walk, name);
    fd = mf_posix_open_in_any_case(here(walk)->fd, name);
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
  int fd = mf_posix_open_at(level->fd, "..");
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
  int found = mf_posix_compare(here(walk)->fd, name, &walk->tree->status);
  if (found < 0)
    note(walk, name);
  if (found == MF_POSIX_STRANGER)
    note_stolen(walk, "the name no longer leads to what was made");
  return found == MF_POSIX_SAME;
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

int mf_posix_tree_remove(const struct mf_posix_tree *tree, int (*progress)(void *context, uint64_t removed),
                         void *context) {
  struct walk walk = {.tree = tree, .progress = progress, .context = context};
  if (push_level(&walk, tree->parent) != 0 || push_name(&walk, tree->name) != 0 || push_level(&walk, tree->held) != 0) {
    walk.result = mf_fail(MAYFLY_ENOMEM, "remove %s: no memory", tree->path);
    mf_words_keep(walk.words);
  } else {
    read_here(&walk);
    while (walk.depth > 1 && !walk.stopped)
      if (walk.names_size > here(&walk)->names)
        enter(&walk);
      else
        leave(&walk);
  }
  end_walk(&walk);
  return walk.result;
}
