/* SPDX-License-Identifier: MIT */
/* file.c - files, known by who they are. */
#include "win32.h"
#include <stdlib.h>
#include <string.h>

enum { SHARE_ALL = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE };

/* Whatever `path` is, even a link or a directory. */
static HANDLE open_itself(const wchar_t *path, DWORD access) {
  return CreateFileW(path, access | FILE_READ_ATTRIBUTES, SHARE_ALL, NULL, OPEN_EXISTING,
                     FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS, NULL);
}

int mf_win32_identity(HANDLE handle, FILE_ID_INFO *identity) {
  if (!GetFileInformationByHandleEx(handle, FileIdInfo, identity, sizeof *identity))
    return mf_win32_fail(GetLastError(), "ask a file who it is");
  return 0;
}

static int is(HANDLE handle, const FILE_ID_INFO *identity) {
  FILE_ID_INFO there;
  return GetFileInformationByHandleEx(handle, FileIdInfo, &there, sizeof there) &&
         there.VolumeSerialNumber == identity->VolumeSerialNumber &&
         memcmp(&there.FileId, &identity->FileId, sizeof there.FileId) == 0;
}

int mf_win32_same(const wchar_t *path, const FILE_ID_INFO *identity) {
  HANDLE handle = open_itself(path, 0);
  if (handle == INVALID_HANDLE_VALUE)
    return mf_win32_fail(GetLastError(), "look at %ls", path);
  int same = is(handle, identity);
  CloseHandle(handle);
  return same;
}

DWORD mf_win32_mark_removed(HANDLE handle) {
  FILE_DISPOSITION_INFO disposition = {TRUE};
  return SetFileInformationByHandle(handle, FileDispositionInfo, &disposition, sizeof disposition) ? 0 : GetLastError();
}

int mf_win32_remove(const wchar_t *path, const FILE_ID_INFO *identity) {
  HANDLE handle = open_itself(path, DELETE);
  if (handle == INVALID_HANDLE_VALUE)
    return mf_win32_fail(GetLastError(), "remove %ls", path);
  if (!is(handle, identity)) {
    CloseHandle(handle);
    return mf_fail(MAYFLY_ESTOLEN, "remove %ls: the name no longer leads to what was made", path);
  }
  DWORD error = mf_win32_mark_removed(handle);
  CloseHandle(handle);
  return error == 0 ? 0 : mf_win32_fail(error, "remove %ls", path);
}

/* "Access denied" is also what Windows says of a name that a directory, or a file that is being removed, has. */
static DWORD collision(const wchar_t *path, DWORD error) {
  return error == ERROR_ACCESS_DENIED && GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES ? ERROR_FILE_EXISTS
                                                                                             : error;
}

int mf_os_file_create(const char *path, mayfly_os_fd *fd) {
  SECURITY_ATTRIBUTES security;
  wchar_t *wide;
  int result = mf_win32_path(path, &wide);
  if (result < 0)
    return result;
  result = mf_win32_private(NULL, &security);
  if (result < 0) {
    free(wide);
    return result;
  }
  HANDLE made = CreateFileW(wide, GENERIC_READ | GENERIC_WRITE, SHARE_ALL, &security, CREATE_NEW,
                            FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
  if (made == INVALID_HANDLE_VALUE)
    result = mf_win32_fail(mf_win32_path_error(wide, collision(wide, GetLastError())), "create %s", path);
  else
    *fd = (mayfly_os_fd)made;
  mf_win32_private_free(&security);
  free(wide);
  return result;
}

int mf_os_file_write(mayfly_os_fd fd, const void *data, size_t size) {
  const char *next = data;
  while (size > 0) {
    DWORD count, some = size < INT32_MAX ? (DWORD)size : INT32_MAX;
    if (!WriteFile((HANDLE)fd, next, some, &count, NULL))
      return mf_win32_fail(GetLastError(), "write %zu bytes", size);
    next += count;
    size -= count;
  }
  return 0;
}

int mf_os_file_discard(mayfly_os_fd fd, const char *path) {
  FILE_ID_INFO identity;
  wchar_t *wide = NULL;
  int result = mf_win32_identity((HANDLE)fd, &identity);
  if (result == 0)
    result = mf_win32_path(path, &wide);
  if (result == 0)
    result = mf_win32_remove(wide, &identity);
  free(wide);
  CloseHandle((HANDLE)fd);
  return result;
}

int mf_os_fd_close(mayfly_os_fd fd) {
  int type;
  if (fd == MAYFLY_NO_FD)
    return 0;
  if (mf_win32_is_socket((HANDLE)fd, &type))
    return closesocket((SOCKET)fd) == 0
               ? 0
               : mf_win32_fail((DWORD)WSAGetLastError(), "close descriptor %lld", (long long)fd);
  return CloseHandle((HANDLE)fd) ? 0 : mf_win32_fail(GetLastError(), "close descriptor %lld", (long long)fd);
}

int mf_os_fd_set_inheritable(mayfly_os_fd fd, int inheritable) {
  if (!SetHandleInformation((HANDLE)fd, HANDLE_FLAG_INHERIT, inheritable ? HANDLE_FLAG_INHERIT : 0))
    return mf_win32_fail(GetLastError(), "say whether descriptor %lld is inheritable", (long long)fd);
  return 0;
}
