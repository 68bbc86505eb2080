/* SPDX-License-Identifier: MIT */
/* file.c - files, known by who they are.
 *
 * A file is held in one of two ways. With MF_OS_FILE_DELETE_ON_CLOSE its handle has DELETE access: it goes with that
 * handle, come what may, and meanwhile others can open it only if they share its deletion. Without, it is as open to
 * others as a file can be; whoever removes or renames it opens its name for a moment with DELETE access, and does it
 * by that handle, if it leads to the same file. */
#include "win32.h"
/* After windows.h, which they do not include. */
#include <aclapi.h>
#include <fcntl.h>
#include <io.h>
#include <stdlib.h>
#include <string.h>
#include <winternl.h>

enum { AT_ONCE_MAX = 1 << 30 };

/* What the headers show from Windows 10 on, where it was new. */
enum {
  DISPOSITION_INFO_EX = 21,
  RENAME_INFO_EX = 22,
  REMOVE_AT_ONCE = 0x1 | 0x2 | 0x10, /* delete, with the semantics of POSIX, even if it is read-only */
  RENAME_REPLACE = 0x1,
  RENAME_POSIX = 0x2
};

/* Such a call is not known to this system, or to the file system. */
static int is_unknown(DWORD error) {
  return error == ERROR_INVALID_FUNCTION || error == ERROR_INVALID_PARAMETER || error == ERROR_NOT_SUPPORTED;
}

int mf_win32_passes(DWORD error, unsigned *tries) {
  enum { TRIES_MAX = 32 }; /* half a second */
  if (error != ERROR_SHARING_VIOLATION && error != ERROR_LOCK_VIOLATION && error != ERROR_ACCESS_DENIED &&
      error != ERROR_DIR_NOT_EMPTY)
    return 0;
  if (*tries == TRIES_MAX)
    return 0;
  Sleep(*tries < 4 ? 1u << *tries : 16);
  ++*tries;
  return 1;
}

/* ---- who a file is ---- */

/* FAT knows the older question only, and gives an id to another file at once: there the birth tells as well. */
static int ask_older(HANDLE handle, struct mf_os_identity *identity) {
  const int64_t epoch = 116444736000000000; /* 1970, in the system's 100 ns since 1601 */
  BY_HANDLE_FILE_INFORMATION information;
  if (!GetFileInformationByHandle(handle, &information))
    return mf_win32_fail(GetLastError(), "ask a file who it is");
  int64_t born = (int64_t)information.ftCreationTime.dwHighDateTime << 32 | information.ftCreationTime.dwLowDateTime;
  *identity = (struct mf_os_identity){
      .volume = information.dwVolumeSerialNumber,
      .file = {(uint64_t)information.nFileIndexHigh << 32 | information.nFileIndexLow, 0},
      .born_ns = born != 0 ? (born - epoch) * 100 : 0,
  };
  return 0;
}

/* Elsewhere an id has a number in it that grows when it is used again. */
int mf_os_file_identity(mayfly_os_fd fd, struct mf_os_identity *identity) {
  FILE_ID_INFO information;
  if (!GetFileInformationByHandleEx((HANDLE)fd, FileIdInfo, &information, sizeof information))
    return ask_older((HANDLE)fd, identity);
  *identity = (struct mf_os_identity){.volume = information.VolumeSerialNumber};
  memcpy(identity->file, &information.FileId, sizeof identity->file);
  return 0;
}

/* Wine does not tell the volume of a handle whose name has changed. */
static int is_same_volume(uint64_t one, uint64_t other) {
  return one == other || one == 0 || other == 0;
}

int mf_win32_is(HANDLE handle, const struct mf_os_identity *identity) {
  struct mf_os_identity there;
  return mf_os_file_identity((mayfly_os_fd)handle, &there) == 0 && is_same_volume(there.volume, identity->volume) &&
         there.file[0] == identity->file[0] && there.file[1] == identity->file[1] && there.born_ns == identity->born_ns;
}

static DWORD open_once(const wchar_t *path, const struct mf_os_identity *identity, DWORD access, DWORD flags,
                       HANDLE *opened) {
  HANDLE handle = CreateFileW(path, access | FILE_READ_ATTRIBUTES, MF_WIN32_SHARE_ALL, NULL, OPEN_EXISTING,
                              MF_WIN32_ITSELF | flags, NULL);
  if (handle == INVALID_HANDLE_VALUE)
    return GetLastError() == ERROR_PATH_NOT_FOUND ? ERROR_FILE_NOT_FOUND : GetLastError();
  if (mf_win32_is(handle, identity)) {
    *opened = handle;
    return 0;
  }
  CloseHandle(handle);
  return ERROR_FILE_INVALID;
}

DWORD mf_win32_open_known(const wchar_t *path, const struct mf_os_identity *identity, DWORD access, DWORD flags,
                          HANDLE *opened) {
  unsigned tries = 0;
  DWORD error;
  do
    error = open_once(path, identity, access, flags, opened);
  while (mf_win32_passes(error, &tries));
  return error;
}

static int is_gone_or_a_strangers(DWORD error) {
  return error == ERROR_FILE_NOT_FOUND || error == ERROR_FILE_INVALID;
}

/* ---- making ---- */

/* By the native call, since CreateDirectory gives no handle, and CreateFile says "access denied" of a name that a
 * directory has, or a file that is being removed, as well as of a directory that may not be written to. */
static DWORD create(wchar_t *path, const struct mf_win32_new *how, PSECURITY_DESCRIPTOR security, HANDLE *made) {
  const NTSTATUS delete_pending = (NTSTATUS)0xC0000056, is_a_directory = (NTSTATUS)0xC00000BA;
  size_t size = wcslen(path) * sizeof *path;
  UNICODE_STRING name = {(USHORT)size, (USHORT)size, path};
  OBJECT_ATTRIBUTES attributes;
  IO_STATUS_BLOCK status;
  if (size > USHRT_MAX)
    return ERROR_FILENAME_EXCED_RANGE;
  path[1] = L'?'; /* \??\ is what the system itself calls \\?\ */
  InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, security);
  NTSTATUS result =
      NtCreateFile(made, how->access | SYNCHRONIZE, &attributes, &status, NULL, how->attributes, how->share,
                   FILE_CREATE, how->options | FILE_SYNCHRONOUS_IO_NONALERT | FILE_OPEN_REPARSE_POINT, NULL, 0);
  path[1] = L'\\';
  if (result == delete_pending || result == is_a_directory)
    return ERROR_FILE_EXISTS;
  return result >= 0 ? 0 : RtlNtStatusToDosError(result);
}

int mf_win32_create(const char *path, const struct mf_win32_new *how, HANDLE *made) {
  SECURITY_ATTRIBUTES security;
  wchar_t *wide;
  int result = mf_win32_path(path, &wide);
  if (result < 0)
    return result;
  result = mf_win32_private(NULL, &security);
  if (result == 0) {
    DWORD error = create(wide, how, security.lpSecurityDescriptor, made);
    if (error != 0)
      result = mf_win32_fail(mf_win32_path_error(wide, error), "%s %s", how->what, path);
    mf_win32_private_free(&security);
  }
  free(wide);
  return result;
}

static void unmake(HANDLE made) {
  HANDLE removing = ReOpenFile(made, DELETE, MF_WIN32_SHARE_ALL, 0);
  if (removing != INVALID_HANDLE_VALUE) {
    mf_win32_mark_removed(removing);
    CloseHandle(removing);
  }
  CloseHandle(made);
}

int mf_os_file_create(const char *path, unsigned flags, mayfly_os_fd *fd, struct mf_os_identity *identity) {
  static const struct mf_win32_new lasting = {"create", FILE_GENERIC_READ | FILE_GENERIC_WRITE | WRITE_DAC,
                                              FILE_ATTRIBUTE_NORMAL, MF_WIN32_SHARE_ALL, FILE_NON_DIRECTORY_FILE};
  static const struct mf_win32_new passing = {"create", FILE_GENERIC_READ | FILE_GENERIC_WRITE | WRITE_DAC | DELETE,
                                              FILE_ATTRIBUTE_TEMPORARY, MF_WIN32_SHARE_ALL,
                                              FILE_NON_DIRECTORY_FILE | FILE_DELETE_ON_CLOSE};
  struct mf_os_identity who;
  HANDLE made;
  int result = mf_win32_create(path, (flags & MF_OS_FILE_DELETE_ON_CLOSE) != 0 ? &passing : &lasting, &made);
  if (result < 0)
    return result;
  result = mf_os_file_identity((mayfly_os_fd)made, &who);
  if (result < 0) {
    unmake(made);
    return result;
  }
  if (identity != NULL)
    *identity = who;
  *fd = (mayfly_os_fd)made;
  return 0;
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

int mf_os_file_link(mayfly_os_fd fd, const char *path) {
  (void)fd, (void)path;
  return MAYFLY_ENOTSUP;
}

/* ---- once more ---- */

static int reopen_named(const char *path, const struct mf_os_identity *identity, HANDLE *again) {
  wchar_t *wide;
  int result = mf_win32_path(path, &wide);
  if (result < 0)
    return result;
  DWORD error = mf_win32_open_known(wide, identity, GENERIC_READ | GENERIC_WRITE, 0, again);
  free(wide);
  if (error == ERROR_FILE_INVALID)
    return mf_fail(MAYFLY_ESTOLEN, "open %s again: the name no longer leads to what was made", path);
  return error == 0 ? 0 : mf_win32_fail(error, "open %s again", path);
}

int mf_os_file_reopen(mayfly_os_fd fd, const char *path, const struct mf_os_identity *identity, mayfly_os_fd *again) {
  HANDLE made;
  if (path != NULL) {
    int result = reopen_named(path, identity, &made);
    if (result < 0)
      return result;
  } else if ((made = ReOpenFile((HANDLE)fd, GENERIC_READ | GENERIC_WRITE, MF_WIN32_SHARE_ALL, 0)) ==
             INVALID_HANDLE_VALUE)
    return mf_win32_fail(GetLastError(), "open a file without a name again");
  *again = (mayfly_os_fd)made;
  return 0;
}

/* ---- removal ---- */

/* By handles, so that it is this file's attribute and no other's: what `handle` tells is set through `changing`. A
 * second name of the file shares it. */
static DWORD set_read_only(HANDLE handle, HANDLE changing, int read_only) {
  const DWORD ours = FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_TEMPORARY;
  FILE_BASIC_INFO before, after = {.FileAttributes = 0}; /* times of 0 change nothing */
  if (!GetFileInformationByHandleEx(handle, FileBasicInfo, &before, sizeof before))
    return GetLastError();
  after.FileAttributes = (before.FileAttributes & ~ours) | (read_only ? FILE_ATTRIBUTE_READONLY : 0);
  if (after.FileAttributes == 0)
    after.FileAttributes = FILE_ATTRIBUTE_NORMAL; /* 0 would change nothing */
  return SetFileInformationByHandle(changing, FileBasicInfo, &after, sizeof after) ? 0 : GetLastError();
}

static DWORD clear_read_only(HANDLE handle) {
  FILE_BASIC_INFO information;
  if (!GetFileInformationByHandleEx(handle, FileBasicInfo, &information, sizeof information) ||
      (information.FileAttributes & FILE_ATTRIBUTE_READONLY) == 0)
    return 0;
  HANDLE changing = ReOpenFile(handle, FILE_WRITE_ATTRIBUTES, MF_WIN32_SHARE_ALL, MF_WIN32_ITSELF);
  if (changing == INVALID_HANDLE_VALUE)
    return GetLastError();
  DWORD error = set_read_only(handle, changing, 0);
  CloseHandle(changing);
  return error;
}

/* The name stays until the last handle is closed. */
static DWORD mark_removed_later(HANDLE handle) {
  FILE_DISPOSITION_INFO disposition = {TRUE};
  DWORD error = clear_read_only(handle);
  if (error != 0 || SetFileInformationByHandle(handle, FileDispositionInfo, &disposition, sizeof disposition))
    return error;
  return GetLastError();
}

DWORD mf_win32_mark_removed(HANDLE handle) {
  DWORD how = REMOVE_AT_ONCE;
  if (SetFileInformationByHandle(handle, (FILE_INFO_BY_HANDLE_CLASS)DISPOSITION_INFO_EX, &how, sizeof how))
    return 0;
  return is_unknown(GetLastError()) ? mark_removed_later(handle) : GetLastError();
}

static DWORD remove_once(const wchar_t *path, const struct mf_os_identity *identity) {
  HANDLE handle;
  DWORD error = open_once(path, identity, DELETE, 0, &handle);
  if (error == 0) {
    error = mf_win32_mark_removed(handle);
    CloseHandle(handle);
  }
  return error;
}

DWORD mf_win32_remove(const wchar_t *path, const struct mf_os_identity *identity) {
  unsigned tries = 0;
  DWORD error;
  do
    error = remove_once(path, identity);
  while (mf_win32_passes(error, &tries));
  return is_gone_or_a_strangers(error) ? ERROR_FILE_NOT_FOUND : error;
}

int mf_os_file_remove(const char *path, const struct mf_os_identity *identity) {
  wchar_t *wide;
  int result = mf_win32_path(path, &wide);
  if (result < 0)
    return result;
  DWORD error = mf_win32_remove(wide, identity);
  free(wide);
  if (error == ERROR_FILE_NOT_FOUND)
    return 0;
  return error == 0 ? 1 : mf_win32_fail(error, "remove %s", path);
}

int mf_os_file_end(mayfly_os_fd *fd, const char *path, struct mf_os_identity *identity, int *closed) {
  int removed = mf_os_file_remove(path, identity);
  if (removed < 0)
    return removed;
  *closed = mf_os_fd_close(*fd);
  *fd = MAYFLY_NO_FD;
  return removed;
}

/* ---- another name ---- */

DWORD mf_win32_rename(HANDLE handle, const wchar_t *to, int replace) {
  size_t size = wcslen(to) * sizeof *to;
  FILE_RENAME_INFO *information = calloc(1, sizeof *information + size);
  DWORD flags = RENAME_POSIX | (replace ? RENAME_REPLACE : 0), error = 0;
  if (information == NULL)
    return ERROR_NOT_ENOUGH_MEMORY;
  information->FileNameLength = (DWORD)size;
  memcpy(information->FileName, to, size);
  memcpy(information, &flags, sizeof flags); /* in the place of ReplaceIfExists */
  if (!SetFileInformationByHandle(handle, (FILE_INFO_BY_HANDLE_CLASS)RENAME_INFO_EX, information,
                                  (DWORD)(sizeof *information + size)))
    error = GetLastError();
  if (is_unknown(error)) {
    flags = 0;
    memcpy(information, &flags, sizeof flags);
    information->ReplaceIfExists = replace != 0;
    error = SetFileInformationByHandle(handle, FileRenameInfo, information, (DWORD)(sizeof *information + size))
                ? 0
                : GetLastError();
  }
  free(information);
  return error;
}

/* What was opened with MF_OS_FILE_DELETE_ON_CLOSE, nothing else has that access. */
static int goes_with_its_handle(HANDLE handle) {
  PUBLIC_OBJECT_BASIC_INFORMATION information;
  return NtQueryObject(handle, ObjectBasicInformation, &information, sizeof information, NULL) >= 0 &&
         (information.GrantedAccess & DELETE) != 0;
}

/* The directory that `path` lies in; INVALID_HANDLE_VALUE: GetLastError() knows. */
static HANDLE open_parent(const wchar_t *path) {
  wchar_t *parent = _wcsdup(path);
  if (parent == NULL) {
    SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    return INVALID_HANDLE_VALUE;
  }
  wcsrchr(parent, L'\\')[1] = L'\0'; /* of a root the separator is a part */
  HANDLE opened = CreateFileW(parent, FILE_READ_ATTRIBUTES, MF_WIN32_SHARE_ALL, NULL, OPEN_EXISTING,
                              FILE_FLAG_BACKUP_SEMANTICS, NULL);
  DWORD error = GetLastError();
  free(parent);
  SetLastError(error);
  return opened;
}

static int fail_rename(DWORD error, const wchar_t *to, const char *words) {
  if (is_gone_or_a_strangers(error))
    return mf_fail(MAYFLY_ESTOLEN, "rename a file to %s: its name no longer leads to what was made", words);
  return mf_win32_fail(mf_win32_path_error(to, error), "rename a file to %s", words);
}

/* Why a file that goes with its handle is not renamed: there it is to be copied, or it never can be. */
static int refuse_rename(HANDLE held, const wchar_t *from, const wchar_t *to, const char *words) {
  struct mf_os_identity ours, theirs;
  HANDLE handle, parent;
  int result = mf_os_file_identity((mayfly_os_fd)held, &ours);
  if (result < 0)
    return result;
  DWORD error = mf_win32_open_known(from, &ours, 0, 0, &handle);
  if (error != 0)
    return fail_rename(error, to, words);
  CloseHandle(handle);
  parent = open_parent(to);
  if (parent == INVALID_HANDLE_VALUE)
    return mf_win32_fail(mf_win32_path_error(to, GetLastError()), "rename a file to %s", words);
  result = mf_os_file_identity((mayfly_os_fd)parent, &theirs);
  CloseHandle(parent);
  if (result < 0)
    return result;
  return is_same_volume(ours.volume, theirs.volume)
             ? mf_fail(MAYFLY_ENOTSUP, "rename a file to %s: it goes with its handle", words)
             : mf_win32_fail(ERROR_NOT_SAME_DEVICE, "rename a file to %s", words);
}

/* Says why `to` can't be had where the system only says that access is denied. */
static DWORD rename_as_asked(HANDLE handle, const wchar_t *to, unsigned flags) {
  DWORD error = mf_win32_rename(handle, to, (flags & MAYFLY_PERSIST_NOREPLACE) == 0);
  DWORD attributes = error == ERROR_ACCESS_DENIED ? GetFileAttributesW(to) : INVALID_FILE_ATTRIBUTES;
  if (attributes == INVALID_FILE_ATTRIBUTES)
    return error;
  if ((flags & MAYFLY_PERSIST_NOREPLACE) != 0)
    return ERROR_ALREADY_EXISTS;
  return (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0 ? ERROR_DIRECTORY_NOT_SUPPORTED : error;
}

static int rename_known(HANDLE held, const wchar_t *from, const wchar_t *to, unsigned flags, const char *words) {
  struct mf_os_identity identity;
  unsigned tries = 0;
  HANDLE handle;
  int result = mf_os_file_identity((mayfly_os_fd)held, &identity);
  if (result < 0)
    return result;
  /* NTFS puts a rename on the disk, too, if it is asked to write through. */
  DWORD error = mf_win32_open_known(from, &identity, DELETE | SYNCHRONIZE,
                                    (flags & MAYFLY_PERSIST_SYNC) != 0 ? FILE_FLAG_WRITE_THROUGH : 0, &handle);
  if (error != 0)
    return fail_rename(error, to, words);
  do
    error = rename_as_asked(handle, to, flags);
  while (mf_win32_passes(error, &tries));
  CloseHandle(handle);
  return error == 0 ? 0 : mf_win32_fail(mf_win32_path_error(to, error), "rename a file to %s", words);
}

int mf_os_file_rename(mayfly_os_fd fd, const char *from, const char *to, unsigned flags) {
  wchar_t *wide_from = NULL, *wide_to = NULL;
  int result = mf_win32_path(from, &wide_from);
  if (result == 0)
    result = mf_win32_path(to, &wide_to);
  if (result == 0)
    result = goes_with_its_handle((HANDLE)fd) ? refuse_rename((HANDLE)fd, wide_from, wide_to, to)
                                              : rename_known((HANDLE)fd, wide_from, wide_to, flags, to);
  free(wide_from);
  free(wide_to);
  return result;
}

int mf_os_file_parent(const char *path, mayfly_os_fd *directory) {
  (void)path;
  *directory = MAYFLY_NO_FD;
  return 0;
}

/* ---- modes ---- */

/* What the system gives to something new in the directory that `path` is about to lie in: such a thing is made, and
 * goes with its handle. LocalFree() ends the descriptor. */
static DWORD inherited(const wchar_t *path, int container, PSECURITY_DESCRIPTOR *descriptor) {
  const struct mf_win32_new how = {NULL, READ_CONTROL | DELETE, FILE_ATTRIBUTE_NORMAL, MF_WIN32_SHARE_ALL,
                                   FILE_DELETE_ON_CLOSE | (container ? FILE_DIRECTORY_FILE : FILE_NON_DIRECTORY_FILE)};
  enum { NAME_SIZE = 32 };
  size_t parent = (size_t)(wcsrchr(path, L'\\') - path) + 1;
  uint32_t random[2];
  HANDLE made;
  wchar_t *name = malloc((parent + NAME_SIZE) * sizeof *name);
  if (name == NULL || mf_os_random(random, sizeof random) < 0) {
    free(name);
    return ERROR_NOT_ENOUGH_MEMORY;
  }
  memcpy(name, path, parent * sizeof *name);
  _snwprintf(name + parent, NAME_SIZE, L"mayfly-%08lx%08lx", (unsigned long)random[0], (unsigned long)random[1]);
  DWORD error = create(name, &how, NULL, &made);
  free(name);
  if (error != 0)
    return mf_win32_path_error(path, error);
  error = GetSecurityInfo(made, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL, NULL, NULL, descriptor);
  CloseHandle(made);
  return error;
}

static DWORD set_inherited(HANDLE handle, const wchar_t *path, int container) {
  PSECURITY_DESCRIPTOR made;
  DWORD error = inherited(path, container, &made);
  if (error != 0)
    return error;
  /* Without the request the system would not keep that it was inherited. */
  SetSecurityDescriptorControl(made, SE_DACL_AUTO_INHERIT_REQ, SE_DACL_AUTO_INHERIT_REQ);
  if (!SetKernelObjectSecurity(handle, DACL_SECURITY_INFORMATION | UNPROTECTED_DACL_SECURITY_INFORMATION, made))
    error = GetLastError();
  LocalFree(made);
  return error;
}

int mf_win32_set_private(HANDLE handle, const char *words) {
  SECURITY_ATTRIBUTES security;
  int result = mf_win32_private(NULL, &security);
  if (result < 0)
    return result;
  if (!SetKernelObjectSecurity(handle, DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION,
                               security.lpSecurityDescriptor))
    result = mf_win32_fail(GetLastError(), "make %s private", words);
  mf_win32_private_free(&security);
  return result;
}

int mf_win32_set_mode(HANDLE handle, int mode, int container, const char *path) {
  wchar_t *wide;
  if (mode != MAYFLY_MODE_NEW)
    return mf_win32_set_private(handle, path);
  int result = mf_win32_path(path, &wide);
  if (result < 0)
    return result;
  DWORD error = set_inherited(handle, wide, container);
  free(wide);
  return error == 0 ? 0 : mf_win32_fail(error, "set the access list of what is to be %s", path);
}

int mf_os_file_set_mode(mayfly_os_fd fd, int mode, const char *path) {
  int result = mf_win32_set_mode((HANDLE)fd, mode, 0, path);
  DWORD error = result == 0 ? set_read_only((HANDLE)fd, (HANDLE)fd, mode > 0 && (mode & 0200) == 0) : 0;
  return error == 0 ? result : mf_win32_fail(error, "set the attributes of what is to be %s", path);
}

/* ---- content ---- */

/* On a handle that is not overlapped this moves its position, too. */
static OVERLAPPED at(int64_t offset) {
  return (OVERLAPPED){.Offset = (DWORD)offset, .OffsetHigh = (DWORD)(offset >> 32)};
}

int64_t mf_os_file_read_at(mayfly_os_fd fd, void *buffer, size_t size, int64_t offset) {
  OVERLAPPED where = at(offset);
  DWORD count = 0;
  if (!ReadFile((HANDLE)fd, buffer, size < AT_ONCE_MAX ? (DWORD)size : AT_ONCE_MAX, &count, &where) &&
      GetLastError() != ERROR_HANDLE_EOF)
    return mf_win32_fail(GetLastError(), "read %zu bytes at %lld", size, (long long)offset);
  return count;
}

int mf_os_file_write_at(mayfly_os_fd fd, const void *data, size_t size, int64_t offset) {
  const char *next = data;
  while (size > 0) {
    OVERLAPPED where = at(offset);
    DWORD count;
    if (!WriteFile((HANDLE)fd, next, size < AT_ONCE_MAX ? (DWORD)size : AT_ONCE_MAX, &count, &where))
      return mf_win32_fail(GetLastError(), "write %zu bytes at %lld", size, (long long)offset);
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
  FILE_END_OF_FILE_INFO end;
  end.EndOfFile.QuadPart = size;
  if (!SetFileInformationByHandle((HANDLE)fd, FileEndOfFileInfo, &end, sizeof end))
    return mf_win32_fail(GetLastError(), "make a file %lld bytes large", (long long)size);
  return 0;
}

int mf_os_file_seek(mayfly_os_fd fd, int64_t offset) {
  LARGE_INTEGER to;
  to.QuadPart = offset;
  if (!SetFilePointerEx((HANDLE)fd, to, NULL, FILE_BEGIN))
    return mf_win32_fail(GetLastError(), "seek to %lld", (long long)offset);
  return 0;
}

int mf_os_file_sync(mayfly_os_fd fd) {
  if (fd != MAYFLY_NO_FD && !FlushFileBuffers((HANDLE)fd))
    return mf_win32_fail(GetLastError(), "put a file on the disk");
  return 0;
}

/* ---- stdio ---- */

/* Binary unless text is asked for. 0: the C runtime would end the program for it. */
static int complete_mode(const char *mode, char complete[4]) {
  if (*mode != 'r' && *mode != 'w')
    return 0;
  if (strspn(mode + 1, "+bt") != strlen(mode + 1))
    return 0;
  char *end = complete;
  *end++ = *mode;
  if (strchr(mode, '+') != NULL)
    *end++ = '+';
  *end++ = strchr(mode, 't') != NULL ? 't' : 'b';
  *end = '\0';
  return 1;
}

/* The same file and position, but from now on a position of its own: our reads and writes move that of `handle`. */
static HANDLE split(HANDLE handle) {
  LARGE_INTEGER none = {.QuadPart = 0}, position;
  HANDLE made = ReOpenFile(handle, GENERIC_READ | GENERIC_WRITE, MF_WIN32_SHARE_ALL, 0);
  if (made == INVALID_HANDLE_VALUE)
    return made;
  if (SetFilePointerEx(handle, none, &position, FILE_CURRENT) && SetFilePointerEx(made, position, NULL, FILE_BEGIN))
    return made;
  DWORD error = GetLastError();
  CloseHandle(made);
  SetLastError(error);
  return INVALID_HANDLE_VALUE;
}

int mf_os_file_stream(mayfly_os_fd fd, const char *mode, FILE **stream) {
  char complete[4];
  if (!complete_mode(mode, complete))
    return mf_fail(MAYFLY_EINVAL, "open a stream of mode %s: no such mode", mode);
  HANDLE handle = split((HANDLE)fd);
  if (handle == INVALID_HANDLE_VALUE)
    return mf_win32_fail(GetLastError(), "open a stream of mode %s", mode);
  int descriptor = _open_osfhandle((intptr_t)handle, _O_NOINHERIT | (strchr(complete, 't') != NULL ? _O_TEXT : 0));
  FILE *made = descriptor >= 0 ? _fdopen(descriptor, complete) : NULL;
  if (made != NULL) {
    *stream = made;
    return 0;
  }
  if (descriptor >= 0)
    _close(descriptor); /* and its handle */
  else
    CloseHandle(handle);
  return mf_fail(MAYFLY_EMFILE, "open a stream of mode %s: the C runtime has no more of them", mode);
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
