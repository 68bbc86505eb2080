/* SPDX-License-Identifier: MIT */
/* directory.c - temporary directories. */
#include "error.h"
#include "os.h"
#include "template.h"
#include <mayfly/tempfile.h>

/* Tries names until `take` takes one: 0, MAYFLY_EEXIST: the next, please; else it is over. */
static int try_names(struct mf_template *template, int (*take)(const char *path), char **path) {
  char words[MF_OS_WORDS_SIZE];
  int result = MAYFLY_EEXIST;
  mf_words_keep(words);
  for (int i = 0; i < MAYFLY_TMP_MAX && result == MAYFLY_EEXIST; i++) {
    result = mf_template_next(template);
    if (result == 0)
      result = take(template->path);
  }
  if (result == 0) {
    mf_words_put_back(words);
    *path = template->path;
    return 0;
  }
  if (result == MAYFLY_EEXIST)
    mf_fail(result, "no usable name like %s was free in %d tries", template->path, MAYFLY_TMP_MAX);
  mf_template_clear(template);
  return result;
}

static int make_directory(const char *path) {
  mayfly_os_fd fd;
  int result = mf_os_directory_create(path, 0, &fd);
  if (result == 0)
    mf_os_fd_close(fd);
  return result;
}

static int is_free(const char *path) {
  int result = mf_os_path_exists(path);
  return result == 1 ? MAYFLY_EEXIST : result;
}

int mayfly_mkdtemp(const mayfly_temp_options *options, char **path) {
  struct mf_template template;
  if (path == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_mkdtemp: path is NULL");
  int result = mf_template_from_options(options, 0, &template);
  return result < 0 ? result : try_names(&template, make_directory, path);
}

int mayfly_mktemp(const mayfly_temp_options *options, char **path) {
  struct mf_template template;
  if (path == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_mktemp: path is NULL");
  int result = mf_template_from_options(options, 0, &template);
  return result < 0 ? result : try_names(&template, is_free, path);
}
