/* SPDX-License-Identifier: MIT */
/* path.c - paths as text, UTF-8 on our side and UTF-16 on the system's, and the places that the system sets aside. */
#include "win32.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- text ---- */

int mf_win32_wide(const char *text, wchar_t **wide) {
  int size = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);
  if (size == 0)
    return mf_win32_fail(GetLastError(), "read %s as UTF-8", text);
  wchar_t *made = malloc((size_t)size * sizeof *made);
  if (made == NULL)
    return mf_fail(MAYFLY_ENOMEM, "read %s as UTF-8: no memory", text);
  MultiByteToWideChar(CP_UTF8, 0, text, -1, made, size);
  *wide = made;
  return 0;
}

int mf_win32_utf8(const wchar_t *wide, char **text) {
  int size = WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, wide, -1, NULL, 0, NULL, NULL);
  if (size == 0)
    return mf_win32_fail(GetLastError(), "write a name as UTF-8");
  char *made = malloc((size_t)size);
  if (made == NULL)
    return mf_fail(MAYFLY_ENOMEM, "write a name as UTF-8: no memory");
  WideCharToMultiByte(CP_UTF8, 0, wide, -1, made, size, NULL, NULL);
  *text = made;
  return 0;
}

/* ---- paths ---- */

/* Cuts the separator at the end, but a root's: that of a drive, or the fourth of a share or device. */
static void cut_separator(wchar_t *full, size_t length) {
  size_t separators = 0;
  for (const wchar_t *next = full; (next = wcschr(next, L'\\')) != NULL; next++)
    separators++;
  if (length > 3 && full[length - 1] == L'\\' && (full[1] != L'\\' || separators > 4))
    full[length - 1] = L'\0';
}

/* The absolute path, `room` characters into the block that is returned; NULL: GetLastError() knows. */
static wchar_t *full_path(const wchar_t *path, size_t room) {
  if (*path == L'\0')
    path = L".";
  DWORD size = GetFullPathNameW(path, 0, NULL, NULL);
  if (size == 0)
    return NULL;
  wchar_t *full = malloc((room + size) * sizeof *full);
  if (full == NULL) {
    SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    return NULL;
  }
  DWORD length = GetFullPathNameW(path, size, full + room, NULL);
  if (length > 0 && length < size) {
    cut_separator(full + room, length);
    return full;
  }
  free(full);
  SetLastError(length == 0 ? GetLastError() : ERROR_FILENAME_EXCED_RANGE); /* a thread changed the directory */
  return NULL;
}

int mf_os_path_absolute(const char *path, char **absolute) {
  wchar_t *wide;
  int result = mf_win32_wide(path, &wide);
  if (result < 0)
    return result;
  wchar_t *full = full_path(wide, 0);
  result = full != NULL ? mf_win32_utf8(full, absolute) : mf_win32_fail(GetLastError(), "make %s absolute", path);
  free(full);
  free(wide);
  return result;
}

/* The system itself takes ".." as text. */
int mf_os_path_target(const char *path, char **absolute) {
  return mf_os_path_absolute(path, absolute);
}

/* Lifts the limit of 260 characters, where there is one: not for devices. */
static void prefix(wchar_t *block, size_t room) {
  static const wchar_t local[] = L"\\\\?\\", share[] = L"\\\\?\\UNC";
  wchar_t *full = block + room;
  size_t length = wcslen(full) + 1;
  if (full[0] != L'\\' || full[1] != L'\\') {
    memcpy(block, local, sizeof local - sizeof *local);
    memmove(block + 4, full, length * sizeof *full);
  } else if (full[2] != L'.' && full[2] != L'?') {
    memcpy(block, share, sizeof share - sizeof *share);
    memmove(block + 7, full + 1, (length - 1) * sizeof *full);
  } else
    memmove(block, full, length * sizeof *full);
}

int mf_win32_path(const char *path, wchar_t **wide) {
  enum { ROOM = 8 };
  wchar_t *text;
  int result = mf_win32_wide(path, &text);
  if (result < 0)
    return result;
  wchar_t *full = full_path(text, ROOM);
  free(text);
  if (full == NULL)
    return mf_win32_fail(GetLastError(), "make %s absolute", path);
  prefix(full, ROOM);
  *wide = full;
  return 0;
}

DWORD mf_win32_path_error(const wchar_t *path, DWORD error) {
  size_t length = wcslen(path);
  wchar_t *parent = error == ERROR_PATH_NOT_FOUND ? malloc((length + 1) * sizeof *parent) : NULL;
  if (parent == NULL)
    return error;
  memcpy(parent, path, (length + 1) * sizeof *parent);
  DWORD attributes = INVALID_FILE_ATTRIBUTES;
  wchar_t *separator;
  while (attributes == INVALID_FILE_ATTRIBUTES && (separator = wcsrchr(parent, L'\\')) != NULL) {
    *separator = L'\0';
    attributes = GetFileAttributesW(parent);
  }
  free(parent);
  return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) == 0 ? ERROR_DIRECTORY
                                                                                               : error;
}

char mf_os_path_separator(void) {
  return '\\';
}

size_t mf_os_path_directory_size(const char *path) {
  size_t size = strlen(path);
  while (size > 1 && path[size - 1] != '\\' && path[size - 1] != '/')
    size--;
  return size > 1 && path[size - 2] != ':' ? size - 1 : size; /* a drive's root keeps its separator */
}

int mf_os_path_exists(const char *path) {
  wchar_t *wide;
  int result = mf_win32_path(path, &wide);
  if (result < 0)
    return result;
  result = GetFileAttributesW(wide) != INVALID_FILE_ATTRIBUTES;
  DWORD error = result ? 0 : mf_win32_path_error(wide, GetLastError());
  free(wide);
  if (error != 0 && error != ERROR_FILE_NOT_FOUND && error != ERROR_PATH_NOT_FOUND)
    return mf_win32_fail(error, "look for %s", path);
  return result;
}

/* ---- places ---- */

/* `text` with its %VARIABLES% put in, absolute. MAYFLY_EAGAIN: there is no such variable, or it is empty or no path. */
static int expand(const wchar_t *text, char **path) {
  wchar_t expanded[32768];
  DWORD size = ExpandEnvironmentStringsW(text, expanded, sizeof expanded / sizeof expanded[0]);
  if (size <= 1 || size > sizeof expanded / sizeof expanded[0] || expanded[0] == L'%')
    return MAYFLY_EAGAIN;
  wchar_t *full = full_path(expanded, 0);
  int result = full != NULL ? mf_win32_utf8(full, path)
                            : mf_win32_fail(GetLastError(), "make a candidate for the temporary directory absolute");
  free(full);
  return result == 0 || result == MAYFLY_ENOMEM ? result : MAYFLY_EAGAIN;
}

int mf_os_temp_candidate(size_t index, char **path) {
  static const wchar_t *const candidates[] = {L"%TMPDIR%",
                                              L"%TEMP%",
                                              L"%TMP%",
                                              L"%USERPROFILE%\\AppData\\Local\\Temp",
                                              L"%SYSTEMROOT%\\Temp",
                                              L"c:\\temp",
                                              L"c:\\tmp",
                                              L"\\temp",
                                              L"\\tmp",
                                              L"."};
  if (index >= sizeof candidates / sizeof candidates[0])
    return MAYFLY_ENOENT;
  int result = expand(candidates[index], path);
  if (result == MAYFLY_EAGAIN && index == MF_OS_TEMP_CANDIDATE_SYSTEM) /* as Python's expanduser */
    result = expand(L"%HOMEDRIVE%%HOMEPATH%\\AppData\\Local\\Temp", path);
  return result;
}

/* Pipes have no directories: what a user's names begin with keeps them apart. */
int mf_os_runtime_directory(mayfly_scope scope, char **path) {
  static const char pipes[] = "\\\\.\\pipe\\";
  char *sid = NULL;
  int result = scope == MAYFLY_SCOPE_USER ? mf_win32_user(&sid) : 0;
  if (result < 0)
    return result;
  size_t length = sid != NULL ? strlen(sid) : 0;
  size_t size = sizeof pipes + length + 1;
  char *made = malloc(size);
  if (made != NULL)
    snprintf(made, size, "%s%s%s", pipes, sid != NULL ? sid : "", sid != NULL ? "-" : "");
  free(sid);
  if (made == NULL)
    return mf_fail(MAYFLY_ENOMEM, "find where lasting pipes belong: no memory");
  *path = made;
  return 0;
}

mayfly_family mf_os_default_family(void) {
  return MAYFLY_AF_PIPE;
}

/* A device's number: a digit but 0, or one of Latin-1's superscripts, in UTF-8. */
static int is_device_number(const char *text, size_t size) {
  static const char superscripts[] = "\xC2\xB9\xC2\xB2\xC2\xB3";
  if (size == 1)
    return *text >= '1' && *text <= '9';
  for (const char *next = superscripts; size == 2 && *next != '\0'; next += 2)
    if (memcmp(text, next, 2) == 0)
      return 1;
  return 0;
}

/* Devices that would be opened in the place of a file, whatever comes after a dot. */
static int is_device(const char *prefix) {
  static const char *const devices[] = {"con", "prn", "aux", "nul"};
  size_t size = strcspn(prefix, ".");
  if (prefix[size] == '\0')
    return 0; /* more of the name follows */
  while (size > 0 && prefix[size - 1] == ' ')
    size--;
  if (size > 3 && (_strnicmp(prefix, "com", 3) == 0 || _strnicmp(prefix, "lpt", 3) == 0))
    return is_device_number(prefix + 3, size - 3);
  for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++)
    if (size == 3 && _strnicmp(prefix, devices[i], 3) == 0)
      return 1;
  return 0;
}

static int check_part(const char *part) {
  if (strpbrk(part, "/\\:") != NULL)
    return mf_fail(MAYFLY_EINVAL, "\"%s\" is to be part of a name, but has a separator in it", part);
  if (strcmp(part, "..") == 0)
    return mf_fail(MAYFLY_EINVAL, "\"..\" is no part of a name");
  for (const unsigned char *next = (const unsigned char *)part; *next != '\0'; next++)
    if (*next < ' ' || strchr("<>\"|?*", *next) != NULL)
      return mf_fail(MAYFLY_EINVAL, "\"%s\" is to be part of a name, but has a character that Windows reserves", part);
  return 0;
}

int mf_os_name_check(const char *prefix, const char *suffix) {
  size_t size = strlen(suffix);
  int result = check_part(prefix);
  if (result == 0)
    result = check_part(suffix);
  if (result == 0 && is_device(prefix))
    result = mf_fail(MAYFLY_EINVAL, "\"%s\" would make the name of a device", prefix);
  if (result == 0 && size > 0 && (suffix[size - 1] == '.' || suffix[size - 1] == ' '))
    result = mf_fail(MAYFLY_EINVAL, "\"%s\" is to end a name, but Windows takes its last character away", suffix);
  return result;
}
