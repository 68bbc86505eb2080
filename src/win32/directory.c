/* SPDX-License-Identifier: MIT */
/* directory.c - directories that are ours alone: made, found, listed, renamed, removed once tree.c has emptied them.
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

enum { SHARE_LOCKED = FILE_SHARE_READ | FILE_SHARE_WRITE };

/* ---- handles ---- */

DWORD mf_win32_open_at(HANDLE directory, const wchar_t *name, size_t size, DWORD access, DWORD share, HANDLE *opened) {
  UNICODE_STRING text = {(USHORT)(size * sizeof *name), (USHORT)(size * sizeof *name), (wchar_t *)name};
  OBJECT_ATTRIBUTES attributes;
  IO_STATUS_BLOCK status;
  InitializeObjectAttributes(&attributes, &text, 0, directory, NULL);
  NTSTATUS result = NtOpenFile(opened, access, &attributes, &status, share,
                               FILE_OPEN_REPARSE_POINT | FILE_OPEN_FOR_BACKUP_INTENT |
                                   ((access & SYNCHRONIZE) != 0 ? FILE_SYNCHRONOUS_IO_NONALERT : 0));
  return result >= 0 ? 0 : RtlNtStatusToDosError(result);
}

DWORD mf_win32_attributes(HANDLE handle) {
  FILE_ATTRIBUTE_TAG_INFO information;
  return GetFileInformationByHandleEx(handle, FileAttributeTagInfo, &information, sizeof information)
             ? information.FileAttributes
             : 0;
}

int mf_win32_is_link(DWORD attributes) {
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
  DWORD attributes = mf_win32_attributes(handle);
  if ((attributes & FILE_ATTRIBUTE_DIRECTORY) != 0 && !mf_win32_is_link(attributes | named)) {
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
  DWORD error = mf_win32_open_at((HANDLE)*held, L"", 0, MF_WIN32_HOLD, share, &another);
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
  const struct mf_win32_new how = {"make the directory", MF_WIN32_HOLD, FILE_ATTRIBUTE_NORMAL,
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
  DWORD error = open_directory(wide, MF_WIN32_HOLD, MF_WIN32_SHARE_ALL, &opened);
  if (error == 0)
    *fd = (mayfly_os_fd)opened;
  else if (error == ERROR_DIRECTORY)
    result = mf_fail(MAYFLY_ENOTDIR, "open the directory %s: it is %s", path,
                     mf_win32_is_link(GetFileAttributesW(wide)) ? "a link" : "a file");
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
  DWORD error = open_directory(wide, MF_WIN32_HOLD | DELETE | READ_CONTROL, SHARE_LOCKED, &opened);
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

DWORD mf_win32_each_entry(HANDLE directory, union mf_win32_entries *list,
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
  union mf_win32_entries list;
  HANDLE opened = CreateFileW(path, FILE_LIST_DIRECTORY | FILE_READ_ATTRIBUTES | SYNCHRONIZE, MF_WIN32_SHARE_ALL, NULL,
                              OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
  if (opened == INVALID_HANDLE_VALUE)
    return mf_win32_path_error(path, GetLastError());
  DWORD error = (mf_win32_attributes(opened) & FILE_ATTRIBUTE_DIRECTORY) != 0
                    ? mf_win32_each_entry(opened, &list, visit_name, visitor)
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

/* ---- removed ---- */

/* Itself, by identity. */
static int remove_emptied(struct mf_win32_tree *tree, const wchar_t *wide, mayfly_os_fd *held) {
  struct mf_os_identity identity;
  int result = mf_os_file_identity(*held, &identity);
  if (result < 0)
    return result;
  DWORD error = hold_by_another(held, MF_WIN32_SHARE_ALL);
  if (error == 0)
    error = mf_win32_remove(wide, &identity);
  if (error == 0)
    mf_win32_tree_count(tree);
  if (error == 0 || error == ERROR_FILE_NOT_FOUND)
    return 0;
  hold_by_another(held, SHARE_LOCKED);
  return mf_win32_fail(error, "remove the directory %s", tree->path);
}

int mf_os_directory_remove(const char *path, mayfly_os_fd *held, int (*progress)(void *context, uint64_t removed),
                           void *context) {
  struct mf_win32_tree tree = {path, (HANDLE)*held, progress, context, 0};
  wchar_t *wide;
  int result = mf_win32_path(path, &wide);
  if (result < 0)
    return result;
  result = leads_to_held(path, wide, tree.held);
  if (result == 1) {
    result = mf_win32_tree_empty(&tree);
    if (result == 0)
      result = remove_emptied(&tree, wide, held);
  }
  if (result == 0)
    let_go(held);
  free(wide);
  return result;
}
