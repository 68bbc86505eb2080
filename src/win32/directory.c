/* SPDX-License-Identifier: MIT */
/* directory.c - directories that are ours alone, and the removal of whole trees.
 *
 * What is held is the directory's own handle. Locked, it shares no deletion: nobody can remove or rename the directory,
 * and a sweep, which asks for that, sees that somebody is alive. So it is given up for a handle that shares everything
 * where the directory itself is to be renamed or removed. */
#include "win32.h"
/* After windows.h, which they do not include. */
#include <aclapi.h>
#include <stdlib.h>
#include <string.h>
#include <winternl.h>

enum {
  SHARE_LOCKED = FILE_SHARE_READ | FILE_SHARE_WRITE,
  HOLD = FILE_LIST_DIRECTORY | FILE_TRAVERSE | FILE_READ_ATTRIBUTES | SYNCHRONIZE
};

/* ---- handles ---- */

/* What `size` characters of `name`, as they are in the list, lead to from `directory`, even if it is a link; none: the
 * directory itself. */
static DWORD open_at(HANDLE directory, const wchar_t *name, size_t size, DWORD access, DWORD share, HANDLE *opened) {
  UNICODE_STRING text = {(USHORT)(size * sizeof *name), (USHORT)(size * sizeof *name), (wchar_t *)name};
  OBJECT_ATTRIBUTES attributes;
  IO_STATUS_BLOCK status;
  InitializeObjectAttributes(&attributes, &text, 0, directory, NULL);
  NTSTATUS result = NtOpenFile(opened, access, &attributes, &status, share,
                               FILE_OPEN_REPARSE_POINT | FILE_OPEN_FOR_BACKUP_INTENT |
                                   ((access & SYNCHRONIZE) != 0 ? FILE_SYNCHRONOUS_IO_NONALERT : 0));
  return result >= 0 ? 0 : RtlNtStatusToDosError(result);
}

/* The attributes of what was opened; 0: they are not told. */
static DWORD attributes_of(HANDLE handle) {
  FILE_ATTRIBUTE_TAG_INFO information;
  return GetFileInformationByHandleEx(handle, FileAttributeTagInfo, &information, sizeof information)
             ? information.FileAttributes
             : 0;
}

static int is_link(DWORD attributes) {
  return (attributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0;
}

/* Opens the directory that `path` is itself. A link is ERROR_DIRECTORY, as a file is: by its handle or, as Wine opens
 * what a link leads to, by its name. */
static DWORD open_directory(const wchar_t *path, DWORD access, DWORD share, HANDLE *opened) {
  DWORD named = GetFileAttributesW(path);
  if (named == INVALID_FILE_ATTRIBUTES)
    return GetLastError();
  HANDLE handle = CreateFileW(path, access, share, NULL, OPEN_EXISTING, MF_WIN32_ITSELF, NULL);
  if (handle == INVALID_HANDLE_VALUE)
    return GetLastError();
  DWORD attributes = attributes_of(handle);
  if ((attributes & FILE_ATTRIBUTE_DIRECTORY) != 0 && !is_link(attributes | named)) {
    *opened = handle;
    return 0;
  }
  CloseHandle(handle);
  return ERROR_DIRECTORY;
}

/* 1: `path` leads to what is held. 0: nothing has that name. MAYFLY_ESTOLEN: a stranger has it. */
static int leads_to_held(const char *path, const wchar_t *wide, HANDLE held) {
  struct mf_os_identity identity;
  HANDLE there;
  int result = mf_os_file_identity((mayfly_os_fd)held, &identity);
  if (result < 0)
    return result;
  DWORD error = mf_win32_open_known(wide, &identity, 0, 0, &there);
  if (error == ERROR_FILE_NOT_FOUND)
    return 0;
  if (error == ERROR_FILE_INVALID)
    return mf_fail(MAYFLY_ESTOLEN, "%s no longer leads to what was made", path);
  if (error != 0)
    return mf_win32_fail(error, "look at %s", path);
  CloseHandle(there);
  return 1;
}

/* Holds the directory by a handle that shares other things than the one so far does; without one that stays. */
static DWORD hold_by_another(mayfly_os_fd *held, DWORD share) {
  HANDLE another;
  DWORD error = open_at((HANDLE)*held, L"", 0, HOLD, share, &another);
  if (error == 0) {
    CloseHandle((HANDLE)*held);
    *held = (mayfly_os_fd)another;
  }
  return error;
}

static void let_go(mayfly_os_fd *held) {
  CloseHandle((HANDLE)*held);
  *held = MAYFLY_NO_FD;
}

/* ---- making, opening ---- */

int mf_os_directory_create(const char *path, int locked, mayfly_os_fd *fd) {
  const struct mf_win32_new how = {"make the directory", HOLD, FILE_ATTRIBUTE_NORMAL,
                                   locked ? SHARE_LOCKED : MF_WIN32_SHARE_ALL, FILE_DIRECTORY_FILE};
  HANDLE made;
  int result = mf_win32_create(path, &how, &made);
  if (result == 0)
    *fd = (mayfly_os_fd)made;
  return result;
}

/* `end` less the separators, and the components that are ".", before it. */
static const char *last_component_end(const char *path, const char *end) {
  for (;;) {
    while (end > path && (end[-1] == '/' || end[-1] == '\\'))
      end--;
    if (end == path || end[-1] != '.' || (end - path > 1 && end[-2] != '/' && end[-2] != '\\'))
      return end;
    end--;
  }
}

static int count_components(const char *path) {
  int count = 0;
  while (*(path += strspn(path, "/\\")) != '\0') {
    path += strcspn(path, "/\\");
    count++;
  }
  return count;
}

/* What is never removed, however it is spelled: the working directory, what it lies in, a drive, a share. Dots and
 * spaces at its end the system takes away from a name, and of some nothing is left then. */
static int is_no_name(const char *path) {
  const char *end = last_component_end(path, path + strlen(path)), *begin = end;
  if (strspn(path, "/\\") > 1 && count_components(path) < 3)
    return 1;
  while (begin > path && strchr("/\\:", begin[-1]) == NULL)
    begin--;
  return strspn(begin, ". ") >= (size_t)(end - begin);
}

int mf_os_directory_open(const char *path, mayfly_os_fd *fd) {
  HANDLE opened;
  wchar_t *wide;
  if (is_no_name(path))
    return mf_fail(MAYFLY_EINVAL, "remove \"%s\": that is the name of no directory in another", path);
  int result = mf_win32_path(path, &wide);
  if (result < 0)
    return result;
  DWORD error = open_directory(wide, HOLD, MF_WIN32_SHARE_ALL, &opened);
  if (error == 0)
    *fd = (mayfly_os_fd)opened;
  else if (error == ERROR_DIRECTORY)
    result = mf_fail(MAYFLY_ENOTDIR, "open the directory %s: it is %s", path,
                     is_link(GetFileAttributesW(wide)) ? "a link" : "a file");
  else
    result = mf_win32_fail(mf_win32_path_error(wide, error), "open the directory %s", path);
  free(wide);
  return result;
}

/* ---- a dead process's ---- */

static int is_this_users(HANDLE handle) {
  PSID owner;
  PSECURITY_DESCRIPTOR descriptor;
  if (GetSecurityInfo(handle, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION, &owner, NULL, NULL, NULL, &descriptor) != 0)
    return 0;
  int is = mf_win32_is_user(owner);
  LocalFree(descriptor);
  return is;
}

int mf_os_directory_claim(const char *path, mayfly_os_fd *fd) {
  HANDLE opened;
  wchar_t *wide;
  int result = mf_win32_path(path, &wide);
  if (result < 0)
    return result;
  DWORD error = open_directory(wide, HOLD | DELETE | READ_CONTROL, SHARE_LOCKED, &opened);
  free(wide);
  if (error == ERROR_NOT_ENOUGH_MEMORY || error == ERROR_TOO_MANY_OPEN_FILES)
    return mf_win32_fail(error, "look at the directory %s", path);
  if (error != 0)
    return MAYFLY_EAGAIN;
  if (is_this_users(opened)) {
    *fd = (mayfly_os_fd)opened;
    return 0;
  }
  CloseHandle(opened);
  return MAYFLY_EAGAIN;
}

int mf_os_directory_still(const char *path, mayfly_os_fd held) {
  wchar_t *wide;
  int result = mf_win32_path(path, &wide);
  if (result < 0)
    return result;
  result = leads_to_held(path, wide, (HANDLE)held);
  free(wide);
  return result == MAYFLY_ESTOLEN ? 0 : result;
}

/* ---- what is in a directory ---- */

/* In the room of a list that the system fills. */
union entries {
  FILE_ID_BOTH_DIR_INFO first; /* aligns the rest */
  char room[16384];
};

/* Calls `visit` for everything but "." and ".."; what it returns, if it is not 0, ends the list. */
static DWORD each_entry(HANDLE directory, union entries *list,
                        DWORD (*visit)(void *context, const FILE_ID_BOTH_DIR_INFO *entry), void *context) {
  FILE_INFO_BY_HANDLE_CLASS what = FileIdBothDirectoryRestartInfo; /* the handle remembers how far a list came */
  for (; GetFileInformationByHandleEx(directory, what, list, sizeof *list); what = FileIdBothDirectoryInfo) {
    const char *next = list->room;
    const FILE_ID_BOTH_DIR_INFO *entry;
    do {
      entry = (const FILE_ID_BOTH_DIR_INFO *)(const void *)next;
      size_t size = entry->FileNameLength / sizeof *entry->FileName;
      int is_dot = size <= 2 && entry->FileName[0] == L'.' && entry->FileName[size - 1] == L'.';
      DWORD result = is_dot ? 0 : visit(context, entry);
      if (result != 0)
        return result;
      next += entry->NextEntryOffset;
    } while (entry->NextEntryOffset != 0);
  }
  DWORD error = GetLastError();
  return error == ERROR_NO_MORE_FILES || error == ERROR_FILE_NOT_FOUND ? 0 : error; /* a root may have not even "." */
}

struct visitor {
  int (*visit)(void *context, const char *name);
  void *context;
  int result;
};

/* A name that is no text is not one of ours. */
static DWORD visit_name(void *context, const FILE_ID_BOTH_DIR_INFO *entry) {
  struct visitor *visitor = context;
  char name[3 * 255 + 1];
  int size =
      WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, entry->FileName,
                          (int)(entry->FileNameLength / sizeof *entry->FileName), name, sizeof name - 1, NULL, NULL);
  name[size] = '\0';
  if (size > 0)
    visitor->result = visitor->visit(visitor->context, name);
  return visitor->result != 0 ? ERROR_CANCELLED : 0;
}

/* What `path` leads to: the temporary directory may be a link. */
static DWORD list_names(const wchar_t *path, struct visitor *visitor) {
  union entries list;
  HANDLE opened = CreateFileW(path, FILE_LIST_DIRECTORY | FILE_READ_ATTRIBUTES | SYNCHRONIZE, MF_WIN32_SHARE_ALL, NULL,
                              OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
  if (opened == INVALID_HANDLE_VALUE)
    return mf_win32_path_error(path, GetLastError());
  DWORD error = (attributes_of(opened) & FILE_ATTRIBUTE_DIRECTORY) != 0 ? each_entry(opened, &list, visit_name, visitor)
                                                                        : ERROR_DIRECTORY;
  CloseHandle(opened);
  return error;
}

int mf_os_directory_list(const char *path, int (*visit)(void *context, const char *name), void *context) {
  struct visitor visitor = {visit, context, 0};
  wchar_t *wide;
  int result = mf_win32_path(path, &wide);
  if (result < 0)
    return result;
  DWORD error = list_names(wide, &visitor);
  free(wide);
  if (visitor.result != 0)
    return visitor.result;
  return error == 0 ? 0 : mf_win32_fail(error, "list the directory %s", path);
}

/* ---- another name ---- */

/* Why `to` can't be had by a directory; 0: it was an empty one, and is gone. The system replaces no directory. */
static DWORD make_free(const wchar_t *to, unsigned flags) {
  HANDLE there;
  if ((flags & MAYFLY_PERSIST_NOREPLACE) != 0)
    return ERROR_ALREADY_EXISTS;
  DWORD error = open_directory(to, DELETE | FILE_READ_ATTRIBUTES, MF_WIN32_SHARE_ALL, &there);
  if (error != 0)
    return error;
  error = mf_win32_mark_removed(there);
  CloseHandle(there);
  return error;
}

static DWORD rename_to(HANDLE handle, const wchar_t *to, unsigned flags) {
  unsigned tries = 0;
  DWORD error;
  do {
    error = mf_win32_rename(handle, to, 0);
    if ((error == ERROR_ACCESS_DENIED || error == ERROR_ALREADY_EXISTS) &&
        GetFileAttributesW(to) != INVALID_FILE_ATTRIBUTES && (error = make_free(to, flags)) == 0)
      error = mf_win32_rename(handle, to, 0);
  } while (error != ERROR_DIR_NOT_EMPTY && mf_win32_passes(error, &tries));
  return error;
}

static int rename_known(HANDLE held, const wchar_t *from, const wchar_t *to, int mode, unsigned flags,
                        const char *words) {
  struct mf_os_identity identity;
  HANDLE handle;
  int result = mf_os_file_identity((mayfly_os_fd)held, &identity);
  if (result < 0)
    return result;
  DWORD error = mf_win32_open_known(from, &identity, DELETE | WRITE_DAC | SYNCHRONIZE,
                                    (flags & MAYFLY_PERSIST_SYNC) != 0 ? FILE_FLAG_WRITE_THROUGH : 0, &handle);
  if (error == ERROR_FILE_NOT_FOUND || error == ERROR_FILE_INVALID)
    return mf_fail(MAYFLY_ESTOLEN, "rename a directory to %s: its name no longer leads to what was made", words);
  if (error != 0)
    return mf_win32_fail(error, "rename a directory to %s", words);
  result = mf_win32_set_mode(handle, mode, 1, words);
  if (result == 0) {
    error = rename_to(handle, to, flags);
    if (error != 0) {
      mf_win32_set_private(handle, words);
      result = mf_win32_fail(mf_win32_path_error(to, error), "rename a directory to %s", words);
    }
  }
  CloseHandle(handle);
  return result;
}

int mf_os_directory_rename(mayfly_os_fd *held, const char *from, const char *to, int mode, unsigned flags) {
  wchar_t *wide_from = NULL, *wide_to = NULL;
  int result = mf_win32_path(from, &wide_from);
  if (result == 0)
    result = mf_win32_path(to, &wide_to);
  if (result == 0) {
    DWORD error = hold_by_another(held, MF_WIN32_SHARE_ALL);
    result = error == 0 ? rename_known((HANDLE)*held, wide_from, wide_to, mode, flags, to)
                        : mf_win32_fail(error, "rename a directory to %s", to);
    if (result == 0)
      let_go(held);
    else
      hold_by_another(held, SHARE_LOCKED);
  }
  free(wide_from);
  free(wide_to);
  return result;
}

/* ---- removal ----
 *
 * Each directory is listed once: what is in it goes at once, but for directories, which wait on a stack of names. One
 * that was entered is open while the walk is in it or not far below; further below it is closed, and opened again by
 * its path from the top, if that still leads to it. What can't be removed is passed by. */

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
  const char *top;
  HANDLE held;
  struct place *places;
  size_t count, room;
  struct text names;
  struct text path;      /* from the top to where the walk is: "a\b" */
  ptrdiff_t here;        /* the place where it is */
  size_t depth;          /* of that, the top's being 0 */
  HANDLE open[OPEN_MAX]; /* of the entered places, by depth; NULL: not open */
  union entries list;
  int (*progress)(void *context, uint64_t removed);
  void *context;
  uint64_t removed;
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
  walk->result = mf_win32_fail(error, "remove %s%s%s%s%s", walk->top, *path != '\0' ? "\\" : "", path,
                               *last != '\0' ? "\\" : "", last);
  mf_words_keep(walk->words);
}

static void count(struct walk *walk) {
  walk->removed++;
  if (walk->progress == NULL || walk->progress(walk->context, walk->removed) == 0)
    return;
  walk->stopped = 1;
  walk->result =
      mf_fail(MAYFLY_ECANCELED, "remove %s: stopped after %llu", walk->top, (unsigned long long)walk->removed);
  mf_words_keep(walk->words);
}

static int is_gone(DWORD error) {
  return error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND;
}

/* What the list called a link and the handle does not, Wine has opened for what the link leads to. */
static DWORD remove_once(HANDLE directory, const wchar_t *name, size_t size, int listed_as_link) {
  HANDLE handle;
  DWORD error = open_at(directory, name, size, DELETE | FILE_READ_ATTRIBUTES, MF_WIN32_SHARE_ALL, &handle);
  if (error != 0)
    return error;
  error =
      listed_as_link && !is_link(attributes_of(handle)) ? ERROR_CANT_RESOLVE_FILENAME : mf_win32_mark_removed(handle);
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
    DWORD error = open_at(from, path, part, HOLD, MF_WIN32_SHARE_ALL, &next);
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
    *here = walk->held;
    return 0;
  }
  if (*slot == NULL) {
    DWORD error = open_path(walk->held, walk->path.characters, walk->path.size, slot);
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
  if ((entry->FileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0 || is_link(entry->FileAttributes))
    remove_name(walk, visit->directory, entry->FileName, size, is_link(entry->FileAttributes));
  else if (push(walk, entry->FileName, size) != 0)
    fail(walk, ERROR_NOT_ENOUGH_MEMORY, entry->FileName, size);
  return walk->stopped ? ERROR_CANCELLED : 0;
}

static void list(struct walk *walk, HANDLE directory) {
  struct visit visit = {walk, directory};
  DWORD error = each_entry(directory, &walk->list, visit_entry, &visit);
  if (error != 0 && !walk->stopped)
    fail(walk, error, L"", 0);
}

/* Where its access list is in the way it is replaced: an owner always may. */
static DWORD open_place(HANDLE directory, const wchar_t *name, size_t size, HANDLE *opened) {
  HANDLE handle;
  DWORD error = open_at(directory, name, size, HOLD, MF_WIN32_SHARE_ALL, opened);
  if (error != ERROR_ACCESS_DENIED || open_at(directory, name, size, WRITE_DAC, MF_WIN32_SHARE_ALL, &handle) != 0)
    return error;
  mf_win32_set_private(handle, "a directory");
  CloseHandle(handle);
  return open_at(directory, name, size, HOLD, MF_WIN32_SHARE_ALL, opened);
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
    DWORD attributes = attributes_of(opened);
    if ((attributes & FILE_ATTRIBUTE_DIRECTORY) != 0 && !is_link(attributes) && (error = go_down(walk, opened)) == 0)
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

static void walk_all(struct walk *walk) {
  list(walk, walk->held);
  while (walk->count > 0 && !walk->stopped) {
    if (walk->places[walk->count - 1].entered)
      leave(walk);
    else
      enter(walk);
  }
  for (size_t i = 0; i < OPEN_MAX; i++)
    if (walk->open[i] != NULL)
      CloseHandle(walk->open[i]);
  free(walk->places);
  free(walk->names.characters);
  free(walk->path.characters);
  if (walk->result < 0)
    mf_words_put_back(walk->words);
}

/* The top itself, by identity. */
static int remove_top(struct walk *walk, const wchar_t *wide, mayfly_os_fd *held) {
  struct mf_os_identity identity;
  int result = mf_os_file_identity(*held, &identity);
  if (result < 0)
    return result;
  DWORD error = hold_by_another(held, MF_WIN32_SHARE_ALL);
  if (error == 0)
    error = mf_win32_remove(wide, &identity);
  if (error == 0)
    count(walk);
  if (error == 0 || error == ERROR_FILE_NOT_FOUND)
    return 0;
  hold_by_another(held, SHARE_LOCKED);
  return mf_win32_fail(error, "remove the directory %s", walk->top);
}

int mf_os_directory_remove(const char *path, mayfly_os_fd *held, int (*progress)(void *context, uint64_t removed),
                           void *context) {
  struct walk walk = {.top = path, .held = (HANDLE)*held, .here = NOWHERE, .progress = progress, .context = context};
  wchar_t *wide;
  int result = mf_win32_path(path, &wide);
  if (result < 0)
    return result;
  result = leads_to_held(path, wide, walk.held);
  if (result == 1) {
    walk_all(&walk);
    result = walk.result < 0 ? walk.result : remove_top(&walk, wide, held);
  }
  if (result == 0)
    let_go(held);
  free(wide);
  return result;
}
