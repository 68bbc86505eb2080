/* SPDX-License-Identifier: MIT */
/* tree.c - how a directory is emptied, whatever is in it.
 *
 * Each directory is listed once: what is in it goes at once, but for directories, which wait on a stack of names. One
 * that was entered is open while the walk is in it or not far below; further below it is closed, and opened again by
 * its path from the top, if that still leads to it. What can't be removed is passed by. */
#include "win32.h"
#include <stdlib.h>
#include <string.h>

enum { OPEN_MAX = 64, PATH_PART_MAX = 1000, NOWHERE = -1 };

struct text {
  wchar_t *characters;
  size_t size, room;
};

/* A directory below the top: it waits, or the walk is in it or below it. */
struct place {
  size_t name; /* where it begins in `names`; it ends with the next one's */
  int entered;
  struct mf_os_identity identity; /* entered */
  ptrdiff_t outer;                /* the place that it lies in; NOWHERE: the top */
};

struct walk {
  struct mf_win32_tree *tree;
  struct place *places;
  size_t count, room;
  struct text names;
  struct text path;      /* from the top to where the walk is: "a\b" */
  ptrdiff_t here;        /* the place where it is */
  size_t depth;          /* of that, the top's being 0 */
  HANDLE open[OPEN_MAX]; /* of the entered places, by depth; NULL: not open */
  union mf_win32_entries list;
  unsigned tries; /* of the whole walk */
  int stopped;
  int result; /* the first failure, and its words */
  char words[MF_OS_WORDS_SIZE];
};

static int append(struct text *text, const wchar_t *characters, size_t size) {
  if (text->size + size > text->room) {
    size_t room = 2 * text->room + size + 64;
    wchar_t *larger = realloc(text->characters, room * sizeof *larger);
    if (larger == NULL)
      return -1;
    text->characters = larger;
    text->room = room;
  }
  memcpy(text->characters + text->size, characters, size * sizeof *characters);
  text->size += size;
  return 0;
}

/* ---- what becomes of it ---- */

/* Characters as UTF-8, or dots for what is longer than the words could hold. */
static void show(const wchar_t *characters, size_t size, char text[MF_OS_WORDS_SIZE]) {
  int length = WideCharToMultiByte(CP_UTF8, 0, characters, (int)size, text, MF_OS_WORDS_SIZE - 1, NULL, NULL);
  strcpy(text + length, length == 0 && size > 0 ? "..." : "");
}

/* Of `name` where the walk is. Only the first counts. */
static void fail(struct walk *walk, DWORD error, const wchar_t *name, size_t size) {
  char path[MF_OS_WORDS_SIZE], last[MF_OS_WORDS_SIZE];
  if (walk->result != 0)
    return;
  show(walk->path.characters, walk->path.size, path);
  show(name, size, last);
  walk->result = mf_win32_fail(error, "remove %s%s%s%s%s", walk->tree->path, *path != '\0' ? "\\" : "", path,
                               *last != '\0' ? "\\" : "", last);
  mf_words_keep(walk->words);
}

int mf_win32_tree_count(struct mf_win32_tree *tree) {
  tree->removed++;
  return tree->progress != NULL ? tree->progress(tree->context, tree->removed) : 0;
}

static void count(struct walk *walk) {
  if (mf_win32_tree_count(walk->tree) == 0)
    return;
  walk->stopped = 1;
  walk->result = mf_fail(MAYFLY_ECANCELED, "remove %s: stopped after %llu", walk->tree->path,
                         (unsigned long long)walk->tree->removed);
  mf_words_keep(walk->words);
}

static int is_gone(DWORD error) {
  return error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND;
}

/* What the list called a link and the handle does not, Wine has opened for what the link leads to. */
static DWORD remove_once(HANDLE directory, const wchar_t *name, size_t size, int listed_as_link) {
  HANDLE handle;
  DWORD error = mf_win32_open_at(directory, name, size, DELETE | FILE_READ_ATTRIBUTES, MF_WIN32_SHARE_ALL, &handle);
  if (error != 0)
    return error;
  error = listed_as_link && !mf_win32_is_link(mf_win32_attributes(handle)) ? ERROR_CANT_RESOLVE_FILENAME
                                                                           : mf_win32_mark_removed(handle);
  CloseHandle(handle);
  return error;
}

static void remove_name(struct walk *walk, HANDLE directory, const wchar_t *name, size_t size, int listed_as_link) {
  DWORD error;
  do
    error = remove_once(directory, name, size, listed_as_link);
  while ((error != ERROR_DIR_NOT_EMPTY || walk->result == 0) && mf_win32_passes(error, &walk->tries));
  if (error == 0)
    count(walk);
  else if (!is_gone(error))
    fail(walk, error, name, size);
}

/* ---- where it is ---- */

/* In parts that are not too long for the system's memory of a path. */
static DWORD open_path(HANDLE top, const wchar_t *path, size_t size, HANDLE *opened) {
  HANDLE from = top, next;
  for (;;) {
    size_t part = size;
    if (part > PATH_PART_MAX)
      for (part = PATH_PART_MAX; path[part] != L'\\'; part--)
        ;
    DWORD error = mf_win32_open_at(from, path, part, MF_WIN32_HOLD, MF_WIN32_SHARE_ALL, &next);
    if (from != top)
      CloseHandle(from);
    if (error != 0)
      return error;
    if (part == size) {
      *opened = next;
      return 0;
    }
    from = next;
    path += part + 1;
    size -= part + 1;
  }
}

/* The directory that the walk is in. */
static DWORD open_here(struct walk *walk, HANDLE *here) {
  HANDLE *slot = &walk->open[walk->depth % OPEN_MAX];
  if (walk->here == NOWHERE) {
    *here = walk->tree->held;
    return 0;
  }
  if (*slot == NULL) {
    DWORD error = open_path(walk->tree->held, walk->path.characters, walk->path.size, slot);
    if (error == 0 && !mf_win32_is(*slot, &walk->places[walk->here].identity)) {
      CloseHandle(*slot);
      error = ERROR_PATH_NOT_FOUND;
    }
    if (error != 0) {
      *slot = NULL;
      return error;
    }
  }
  *here = *slot;
  return 0;
}

static void close_slot(struct walk *walk) {
  HANDLE *slot = &walk->open[walk->depth % OPEN_MAX];
  if (*slot != NULL)
    CloseHandle(*slot);
  *slot = NULL;
}

static int push(struct walk *walk, const wchar_t *name, size_t size) {
  if (walk->count == walk->room) {
    size_t room = 2 * walk->room + 16;
    struct place *larger = realloc(walk->places, room * sizeof *larger);
    if (larger == NULL)
      return -1;
    walk->places = larger;
    walk->room = room;
  }
  size_t begin = walk->names.size;
  if (append(&walk->names, name, size) != 0)
    return -1;
  walk->places[walk->count++] = (struct place){.name = begin};
  return 0;
}

/* The last place's name, which is no longer needed in the list; it stays where it is until the next push. */
static const wchar_t *pop(struct walk *walk, size_t *size) {
  size_t begin = walk->places[--walk->count].name;
  *size = walk->names.size - begin;
  walk->names.size = begin;
  return walk->names.characters + begin;
}

/* ---- the walk ---- */

struct visit {
  struct walk *walk;
  HANDLE directory;
};

static DWORD visit_entry(void *context, const FILE_ID_BOTH_DIR_INFO *entry) {
  const struct visit *visit = context;
  struct walk *walk = visit->walk;
  size_t size = entry->FileNameLength / sizeof *entry->FileName;
  if ((entry->FileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0 || mf_win32_is_link(entry->FileAttributes))
    remove_name(walk, visit->directory, entry->FileName, size, mf_win32_is_link(entry->FileAttributes));
  else if (push(walk, entry->FileName, size) != 0)
    fail(walk, ERROR_NOT_ENOUGH_MEMORY, entry->FileName, size);
  return walk->stopped ? ERROR_CANCELLED : 0;
}

static void list(struct walk *walk, HANDLE directory) {
  struct visit visit = {walk, directory};
  DWORD error = mf_win32_each_entry(directory, &walk->list, visit_entry, &visit);
  if (error != 0 && !walk->stopped)
    fail(walk, error, L"", 0);
}

/* Where its access list is in the way it is replaced: an owner always may. */
static DWORD open_place(HANDLE directory, const wchar_t *name, size_t size, HANDLE *opened) {
  HANDLE handle;
  DWORD error = mf_win32_open_at(directory, name, size, MF_WIN32_HOLD, MF_WIN32_SHARE_ALL, opened);
  if (error != ERROR_ACCESS_DENIED ||
      mf_win32_open_at(directory, name, size, WRITE_DAC, MF_WIN32_SHARE_ALL, &handle) != 0)
    return error;
  mf_win32_set_private(handle, "a directory");
  CloseHandle(handle);
  return mf_win32_open_at(directory, name, size, MF_WIN32_HOLD, MF_WIN32_SHARE_ALL, opened);
}

/* Goes down to the last place, and lists what is there. */
static DWORD go_down(struct walk *walk, HANDLE opened) {
  struct place *place = &walk->places[walk->count - 1];
  size_t before = walk->path.size;
  if ((before > 0 && append(&walk->path, L"\\", 1) != 0) ||
      append(&walk->path, walk->names.characters + place->name, walk->names.size - place->name) != 0) {
    walk->path.size = before;
    return ERROR_NOT_ENOUGH_MEMORY;
  }
  if (mf_os_file_identity((mayfly_os_fd)opened, &place->identity) < 0) {
    walk->path.size = before;
    return ERROR_INVALID_HANDLE;
  }
  place->entered = 1;
  place->outer = walk->here;
  walk->here = (ptrdiff_t)walk->count - 1;
  walk->depth++;
  close_slot(walk); /* of one that is OPEN_MAX above */
  walk->open[walk->depth % OPEN_MAX] = opened;
  list(walk, opened);
  return 0;
}

/* The last place has become something else, or can't be entered. */
static void enter(struct walk *walk) {
  const wchar_t *name = walk->names.characters + walk->places[walk->count - 1].name;
  size_t size = walk->names.size - walk->places[walk->count - 1].name;
  HANDLE here, opened;
  DWORD error = open_here(walk, &here);
  if (error == 0)
    error = open_place(here, name, size, &opened);
  if (error == 0) {
    DWORD attributes = mf_win32_attributes(opened);
    if ((attributes & FILE_ATTRIBUTE_DIRECTORY) != 0 && !mf_win32_is_link(attributes) &&
        (error = go_down(walk, opened)) == 0)
      return;
    CloseHandle(opened);
  }
  name = pop(walk, &size);
  if (error == 0)
    remove_name(walk, here, name, size, 0);
  else if (!is_gone(error))
    fail(walk, error, name, size);
}

/* The last place is where the walk is, and nothing waits in it. */
static void leave(struct walk *walk) {
  size_t size;
  HANDLE here;
  close_slot(walk);
  walk->here = walk->places[walk->count - 1].outer;
  walk->depth--;
  const wchar_t *name = pop(walk, &size);
  walk->path.size -= size;
  if (walk->path.size > 0)
    walk->path.size--; /* the separator */
  DWORD error = open_here(walk, &here);
  if (error == 0)
    remove_name(walk, here, name, size, 0);
  else if (!is_gone(error))
    fail(walk, error, name, size);
}

int mf_win32_tree_empty(struct mf_win32_tree *tree) {
  struct walk walk = {.tree = tree, .here = NOWHERE};
  list(&walk, tree->held);
  while (walk.count > 0 && !walk.stopped) {
    if (walk.places[walk.count - 1].entered)
      leave(&walk);
    else
      enter(&walk);
  }
  for (size_t i = 0; i < OPEN_MAX; i++)
    if (walk.open[i] != NULL)
      CloseHandle(walk.open[i]);
  free(walk.places);
  free(walk.names.characters);
  free(walk.path.characters);
  if (walk.result < 0)
    mf_words_put_back(walk.words);
  return walk.result;
}
