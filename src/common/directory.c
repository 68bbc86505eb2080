/* SPDX-License-Identifier: MIT */
/* directory.c - temporary directories. */
#include "error.h"
#include "os.h"
#include "template.h"
#include <mayfly/tempfile.h>

static int make_directory(void *context, const char *path) {
  (void)context;
  mayfly_os_fd fd;
  int result = mf_os_directory_create(path, 0, &fd);
  if (result == 0)
    mf_os_fd_close(fd);
  return result;
}

static int is_free(void *context, const char *path) {
  (void)context;
  int result = mf_os_path_exists(path);
  return result == 1 ? MAYFLY_EEXIST : result;
}

/* The path that `make` takes; yours to free. */
static int make_path(const mayfly_temp_options *options, int (*make)(void *context, const char *path), char **path) {
  struct mf_template template;
  int result = mf_template_from_options(options, 0, &template);
  if (result < 0)
    return result;
  result = mf_template_try(&template, make, NULL);
  if (result == 0)
    *path = template.path;
  else
    mf_template_clear(&template);
  return result;
}

int mayfly_mkdtemp(const mayfly_temp_options *options, char **path) {
  return path != NULL ? make_path(options, make_directory, path)
                      : mf_fail(MAYFLY_EINVAL, "mayfly_mkdtemp: path is NULL");
}

int mayfly_mktemp(const mayfly_temp_options *options, char **path) {
  return path != NULL ? make_path(options, is_free, path) : mf_fail(MAYFLY_EINVAL, "mayfly_mktemp: path is NULL");
}
