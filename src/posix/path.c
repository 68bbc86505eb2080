/* SPDX-License-Identifier: MIT */
/* path.c - paths as text, and the places that the system sets aside. */
#include "posix.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int copy_text(const char *text, char **copy) {
  char *made = strdup(text);
  if (made == NULL)
    return mf_posix_fail("copy the path %s", text);
  *copy = made;
  return 0;
}

static int current_directory(char **path) {
  char *cwd = getcwd(NULL, 0);
  if (cwd == NULL && errno == ENOMEM)
    return mf_posix_fail("get the current directory");
  if (cwd == NULL)
    return copy_text(".", path);
  *path = cwd;
  return 0;
}

/* A relative one is no candidate where the working directory is gone. */
static int candidate(const char *value, char **path) {
  if (value == NULL || *value == '\0')
    return MAYFLY_EAGAIN;
  int result = mf_os_path_absolute(value, path);
  return result == 0 || result == MAYFLY_ENOMEM ? result : MAYFLY_EAGAIN;
}

int mf_os_temp_candidate(size_t index, char **path) {
  static const char *const variables[MF_OS_TEMP_CANDIDATE_SYSTEM] = {"TMPDIR", "TEMP", "TMP"};
  static const char *const directories[] = {"/tmp", "/var/tmp", "/usr/tmp"};
  const size_t count = sizeof directories / sizeof directories[0];
  if (index < MF_OS_TEMP_CANDIDATE_SYSTEM)
    return candidate(getenv(variables[index]), path);
  if (index < MF_OS_TEMP_CANDIDATE_SYSTEM + count)
    return copy_text(directories[index - MF_OS_TEMP_CANDIDATE_SYSTEM], path);
  if (index == MF_OS_TEMP_CANDIDATE_SYSTEM + count)
    return current_directory(path);
  return MAYFLY_ENOENT;
}

/* Appends one component to the absolute path of `length` bytes; "." and, if `lexical`, ".." as text only. Returns the
 * new length. */
static size_t append_component(char *path, size_t length, const char *part, size_t size, int lexical) {
  if (size == 0 || (size == 1 && part[0] == '.'))
    return length;
  if (lexical && size == 2 && memcmp(part, "..", 2) == 0) {
    while (length > 0 && path[--length] != '/')
      ;
    return length;
  }
  path[length++] = '/';
  memcpy(path + length, part, size);
  return length + size;
}

static size_t append_path(char *path, size_t length, const char *more, int lexical) {
  while (*more != '\0') {
    size_t size = strcspn(more, "/");
    length = append_component(path, length, more, size, lexical);
    more += size + (more[size] == '/');
  }
  return length;
}

static int make_absolute(const char *path, int lexical, char **absolute) {
  char *cwd = NULL;
  if (path[0] != '/' && (cwd = getcwd(NULL, 0)) == NULL)
    return mf_posix_fail("make %s absolute: get the current directory", path);
  char *made = malloc((cwd != NULL ? strlen(cwd) : 0) + strlen(path) + 3);
  if (made == NULL) {
    free(cwd);
    return mf_fail(MAYFLY_ENOMEM, "make %s absolute: no memory", path);
  }
  size_t length = append_path(made, cwd != NULL ? append_path(made, 0, cwd, lexical) : 0, path, lexical);
  if (length == 0)
    made[length++] = '/';
  made[length] = '\0';
  free(cwd);
  *absolute = made;
  return 0;
}

int mf_os_path_absolute(const char *path, char **absolute) {
  return make_absolute(path, 1, absolute);
}

int mf_os_path_target(const char *path, char **absolute) {
  return make_absolute(path, 0, absolute);
}

char mf_os_path_separator(void) {
  return '/';
}

size_t mf_os_path_directory_size(const char *path) {
  size_t size = (size_t)(strrchr(path, '/') - path);
  return size > 0 ? size : 1;
}

int mf_os_path_exists(const char *path) {
  struct stat status;
  if (lstat(path, &status) == 0)
    return 1;
  if (errno == ENOENT)
    return 0;
  return mf_posix_fail("look for %s", path);
}

int mf_os_runtime_directory(mayfly_scope scope, char **path) {
  if (scope == MAYFLY_SCOPE_SYSTEM)
    return copy_text("/run/", path);
  const char *value = getenv("XDG_RUNTIME_DIR");
  if (value == NULL || value[0] != '/')
    return mf_fail(MAYFLY_ENOENT, "find this user's runtime directory: XDG_RUNTIME_DIR is %s",
                   value == NULL ? "not set" : "no absolute path");
  char *made = malloc(strlen(value) + 2);
  if (made == NULL)
    return mf_fail(MAYFLY_ENOMEM, "copy the path %s: no memory", value);
  strcpy(made, value);
  *path = strcat(made, "/");
  return 0;
}

mayfly_family mf_os_default_family(void) {
  return MAYFLY_AF_UNIX;
}

static int check_part(const char *part) {
  if (strchr(part, '/') != NULL)
    return mf_fail(MAYFLY_EINVAL, "\"%s\" is to be part of a name, but has a separator in it", part);
  if (strcmp(part, "..") == 0)
    return mf_fail(MAYFLY_EINVAL, "\"..\" is no part of a name");
  return 0;
}

int mf_os_name_check(const char *prefix, const char *suffix) {
  int result = check_part(prefix);
  return result < 0 ? result : check_part(suffix);
}
