/* SPDX-License-Identifier: MIT */
/* tree_system.c - what a tree is made of, on Windows: paths of any length. */
#include "../test.h"
#include "../tree.h"
#include <stdlib.h>
#include <string.h>

#include <windows.h>

/* Yours to free. */
static wchar_t *wide(const char *path) {
  static const wchar_t prefix[] = L"\\\\?\\";
  size_t start = wcslen(prefix);
  wchar_t *text = calloc(TREE_PATH_SIZE + start, sizeof *text);
  assert_non_null(text);
  wcscpy(text, prefix);
  assert_true(MultiByteToWideChar(CP_UTF8, 0, path, -1, text + start, TREE_PATH_SIZE) > 0);
  for (wchar_t *next = text; *next != L'\0'; next++)
    if (*next == L'/')
      *next = L'\\';
  return text;
}

int tree_system_directory(const char *path) {
  wchar_t *text = wide(path);
  int made = CreateDirectoryW(text, NULL);
  free(text);
  return made ? 0 : -1;
}

int tree_system_file(const char *path) {
  wchar_t *text = wide(path);
  HANDLE made = CreateFileW(text, GENERIC_WRITE, 0, NULL, CREATE_NEW, 0, NULL);
  free(text);
  return made != INVALID_HANDLE_VALUE && CloseHandle(made) ? 0 : -1;
}

int tree_exists(const char *path) {
  wchar_t *text = wide(path);
  DWORD attributes = GetFileAttributesW(text);
  free(text);
  return attributes != INVALID_FILE_ATTRIBUTES;
}
