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

int mf_os_file_create(const char *path, unsigned flags, mayfly_os_fd *fd, struct mf_os_identity *identity) {
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
  (void)flags;
  HANDLE made = CreateFileW(wide, GENERIC_READ | GENERIC_WRITE, SHARE_ALL, &security, CREATE_NEW,
                            FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
  if (made == INVALID_HANDLE_VALUE)
    result = mf_win32_fail(mf_win32_path_error(wide, collision(wide, GetLastError())), "create %s", path);
  else if (identity == NULL || (result = mf_os_file_identity((mayfly_os_fd)made, identity)) == 0)
    *fd = (mayfly_os_fd)made;
  mf_win32_private_free(&security);
  free(wide);
  return result;
}

int mf_os_file_create_unnamed(const char *directory, mayfly_os_fd *fd) {
  (void)directory, (void)fd;
  return MAYFLY_ENOTSUP;
}

int mf_os_file_create_in_memory(mayfly_os_fd *fd) {
  (void)fd;
  return MAYFLY_ENOTSUP;
}

int mf_os_file_unname(mayfly_os_fd fd, const char *path) {
  (void)fd, (void)path;
  return 0;
}

int mf_os_file_reopen(mayfly_os_fd fd, const char *path, const struct mf_os_identity *identity, mayfly_os_fd *again) {
  (void)fd, (void)identity, (void)again;
  return mf_fail(MAYFLY_ENOTSUP, "open %s again", path);
}

int mf_os_file_identity(mayfly_os_fd fd, struct mf_os_identity *identity) {
  FILE_ID_INFO there;
  int result = mf_win32_identity((HANDLE)fd, &there);
  if (result < 0)
    return result;
  memset(identity, 0, sizeof *identity);
  identity->volume = there.VolumeSerialNumber;
  memcpy(identity->file, &there.FileId, sizeof there.FileId);
  return 0;
}

int mf_os_file_remove(mayfly_os_fd fd, const char *path, const struct mf_os_identity *identity) {
  FILE_ID_INFO who = {.VolumeSerialNumber = identity->volume};
  wchar_t *wide;
  int result = mf_win32_path(path, &wide);
  if (result < 0)
    return result;
  (void)fd;
  memcpy(&who.FileId, identity->file, sizeof who.FileId);
  result = mf_win32_remove(wide, &who);
  free(wide);
  return result == MAYFLY_ENOENT || result == MAYFLY_ESTOLEN ? 0 : result < 0 ? result : 1;
}

int mf_os_file_set_mode(mayfly_os_fd fd, int mode, const char *path) {
  (void)fd, (void)mode, (void)path;
  return 0;
}

int mf_os_file_link(mayfly_os_fd fd, const char *path) {
  (void)fd, (void)path;
  return MAYFLY_ENOTSUP;
}

int mf_os_file_rename(mayfly_os_fd fd, const char *from, const char *to, unsigned flags) {
  (void)fd, (void)flags;
  return mf_fail(MAYFLY_ENOTSUP, "rename %s to %s", from, to);
}

int mf_os_file_parent(const char *path, mayfly_os_fd *directory) {
  (void)path;
  *directory = MAYFLY_NO_FD;
  return 0;
}

static OVERLAPPED at(int64_t offset) {
  return (OVERLAPPED){.Offset = (DWORD)offset, .OffsetHigh = (DWORD)(offset >> 32)};
}

int64_t mf_os_file_read_at(mayfly_os_fd fd, void *buffer, size_t size, int64_t offset) {
  OVERLAPPED where = at(offset);
  DWORD count = 0;
  if (!ReadFile((HANDLE)fd, buffer, size < INT32_MAX ? (DWORD)size : INT32_MAX, &count, &where) &&
      GetLastError() != ERROR_HANDLE_EOF)
    return mf_win32_fail(GetLastError(), "read %zu bytes", size);
  return count;
}

int mf_os_file_write_at(mayfly_os_fd fd, const void *data, size_t size, int64_t offset) {
  const char *next = data;
  while (size > 0) {
    OVERLAPPED where = at(offset);
    DWORD count, some = size < INT32_MAX ? (DWORD)size : INT32_MAX;
    if (!WriteFile((HANDLE)fd, next, some, &count, &where))
      return mf_win32_fail(GetLastError(), "write %zu bytes", size);
    next += count;
    size -= count;
    offset += count;
  }
  return 0;
}

int64_t mf_os_file_size(mayfly_os_fd fd) {
  LARGE_INTEGER size;
  return GetFileSizeEx((HANDLE)fd, &size) ? size.QuadPart : mf_win32_fail(GetLastError(), "ask for the size of a file");
}

int mf_os_file_truncate(mayfly_os_fd fd, int64_t size) {
  FILE_END_OF_FILE_INFO end = {.EndOfFile.QuadPart = size};
  if (!SetFileInformationByHandle((HANDLE)fd, FileEndOfFileInfo, &end, sizeof end))
    return mf_win32_fail(GetLastError(), "make a file %lld bytes large", (long long)size);
  return 0;
}

int mf_os_file_seek(mayfly_os_fd fd, int64_t offset) {
  LARGE_INTEGER to = {.QuadPart = offset};
  return SetFilePointerEx((HANDLE)fd, to, NULL, FILE_BEGIN) ? 0 : mf_win32_fail(GetLastError(), "seek");
}

int mf_os_file_sync(mayfly_os_fd fd) {
  if (fd != MAYFLY_NO_FD && !FlushFileBuffers((HANDLE)fd))
    return mf_win32_fail(GetLastError(), "put a file on the disk");
  return 0;
}

int mf_os_file_stream(mayfly_os_fd fd, const char *mode, FILE **stream) {
  (void)fd, (void)stream;
  return mf_fail(MAYFLY_ENOTSUP, "open a stream of mode %s", mode);
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
