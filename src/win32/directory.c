/* SPDX-License-Identifier: MIT */
/* directory.c - directories that are ours alone.
 *
 * What is held is the directory's own handle, which shares no deletion: nobody can remove or rename the directory, and
 * a sweep sees that somebody is alive. */
#include "win32.h"
/* After windows.h, which it does not include. */
#include <stdlib.h>
#include <string.h>
#include <winternl.h>

static void name_of(wchar_t *text, USHORT size, UNICODE_STRING *name) {
  *name = (UNICODE_STRING){size, size, text};
}

/* By the native call, since CreateDirectory gives no handle. `path` begins with the prefix of mf_win32_path(). */
static DWORD create(wchar_t *path, PSECURITY_DESCRIPTOR security, int locked, HANDLE *made) {
  size_t size = wcslen(path) * sizeof *path;
  UNICODE_STRING name;
  OBJECT_ATTRIBUTES attributes;
  IO_STATUS_BLOCK status;
  if (size > USHRT_MAX)
    return ERROR_FILENAME_EXCED_RANGE;
  path[1] = L'?'; /* \??\ is what the system itself calls \\?\ */
  name_of(path, (USHORT)size, &name);
  InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, security);
  NTSTATUS result = NtCreateFile(
      made, FILE_LIST_DIRECTORY | FILE_TRAVERSE | FILE_READ_ATTRIBUTES | READ_CONTROL | SYNCHRONIZE, &attributes,
      &status, NULL, FILE_ATTRIBUTE_NORMAL, FILE_SHARE_READ | FILE_SHARE_WRITE | (locked ? 0 : FILE_SHARE_DELETE),
      FILE_CREATE, FILE_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT | FILE_OPEN_REPARSE_POINT, NULL, 0);
  path[1] = L'\\';
  return result >= 0 ? 0 : RtlNtStatusToDosError(result);
}

int mf_os_directory_create(const char *path, int locked, mayfly_os_fd *fd) {
  SECURITY_ATTRIBUTES security;
  HANDLE made;
  wchar_t *wide;
  int result = mf_win32_path(path, &wide);
  if (result < 0)
    return result;
  result = mf_win32_private(NULL, &security);
  if (result == 0) {
    DWORD error = create(wide, security.lpSecurityDescriptor, locked, &made);
    mf_win32_private_free(&security);
    if (error == 0)
      *fd = (mayfly_os_fd)made;
    else
      result = mf_win32_fail(mf_win32_path_error(wide, error), "make the directory %s", path);
  }
  free(wide);
  return result;
}

int mf_os_directory_still(const char *path, mayfly_os_fd held) {
  FILE_ID_INFO identity;
  wchar_t *wide = NULL;
  int result = mf_win32_identity((HANDLE)held, &identity);
  if (result == 0)
    result = mf_win32_path(path, &wide);
  if (result == 0)
    result = mf_win32_same(wide, &identity);
  free(wide);
  return result == MAYFLY_ENOENT ? 0 : result;
}

/* ---- removal ---- */

static int is_link(HANDLE handle) {
  FILE_ATTRIBUTE_TAG_INFO information;
  return GetFileInformationByHandleEx(handle, FileAttributeTagInfo, &information, sizeof information) &&
         (information.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0;
}

/* A link goes itself, never what it leads to. Wine opens what it leads to: then it stays. */
static void remove_entry(HANDLE directory, const FILE_ID_BOTH_DIR_INFO *entry) {
  HANDLE handle;
  UNICODE_STRING name;
  OBJECT_ATTRIBUTES attributes;
  IO_STATUS_BLOCK status;
  name_of((wchar_t *)entry->FileName, (USHORT)entry->FileNameLength, &name);
  InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, directory, NULL);
  if (NtOpenFile(&handle, DELETE | FILE_READ_ATTRIBUTES | SYNCHRONIZE, &attributes, &status,
                 FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                 FILE_NON_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT | FILE_OPEN_REPARSE_POINT) < 0)
    return;
  if ((entry->FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) == 0 || is_link(handle))
    mf_win32_mark_removed(handle);
  CloseHandle(handle);
}

/* What can't be removed is seen when the directory itself is to go. */
static int empty(HANDLE directory, const char *path) {
  union {
    FILE_ID_BOTH_DIR_INFO first; /* aligns the rest */
    char room[16384];
  } list;
  while (GetFileInformationByHandleEx(directory, FileIdBothDirectoryInfo, &list, sizeof list)) {
    const FILE_ID_BOTH_DIR_INFO *entry = &list.first;
    for (;;) {
      if ((entry->FileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0)
        remove_entry(directory, entry);
      if (entry->NextEntryOffset == 0)
        break;
      entry = (const FILE_ID_BOTH_DIR_INFO *)(const void *)((const char *)entry + entry->NextEntryOffset);
    }
  }
  DWORD error = GetLastError();
  return error == ERROR_NO_MORE_FILES ? 0 : mf_win32_fail(error, "list the directory %s", path);
}

/* The held handle shares no deletion, so it is closed before the name goes, by identity. */
static int remove_held(const char *path, const wchar_t *wide, HANDLE held) {
  FILE_ID_INFO identity;
  int result = mf_win32_identity(held, &identity);
  if (result == 0)
    result = mf_win32_same(wide, &identity);
  if (result == 0)
    result = mf_fail(MAYFLY_ESTOLEN, "remove %s: the name no longer leads to what was made", path);
  if (result == 1)
    result = empty(held, path);
  CloseHandle(held);
  if (result == 0)
    result = mf_win32_remove(wide, &identity);
  return result == MAYFLY_ENOENT ? 0 : result;
}

int mf_os_directory_remove(const char *path, mayfly_os_fd *held, int (*progress)(void *context, uint64_t removed),
                           void *context) {
  wchar_t *wide;
  int result = mf_win32_path(path, &wide);
  (void)progress;
  (void)context;
  if (result < 0)
    return result;
  result = remove_held(path, wide, (HANDLE)*held);
  *held = MAYFLY_NO_FD;
  free(wide);
  return result;
}
