/* SPDX-License-Identifier: MIT */
/* template.c - a path in which only the random characters change from one try to the next. */
#include "template.h"
#include "error.h"
#include "memory.h"
#include "name.h"
#include "options.h"
#include "os.h"
#include "tempdir.h"
#include <stdlib.h>
#include <string.h>

int mf_random_name(size_t size, char *name) {
  uint8_t random[MF_NAME_SECRET_SIZE];
  int result = mf_os_random(random, size);
  if (result < 0)
    return result;
  mf_name_encode(random, size, name);
  mf_wipe(random, sizeof random);
  return 0;
}

static char *append(char *end, const char *text, size_t size) {
  memcpy(end, text, size);
  return end + size;
}

int mf_template_init(const char *directory, const char *prefix, const char *suffix, struct mf_template *template) {
  size_t directory_size = strlen(directory), prefix_size = strlen(prefix), suffix_size = strlen(suffix);
  char *path = malloc(directory_size + prefix_size + suffix_size + MF_NAME_SIZE + 2);
  template->path = path;
  if (path == NULL)
    return mf_fail(MAYFLY_ENOMEM, "make a name in %s: no memory", directory);
  char *end = append(path, directory, directory_size);
  if (directory_size > 0 && end[-1] != '/')
    *end++ = '/';
  end = append(end, prefix, prefix_size);
  template->random = end;
  append(end + MF_NAME_SIZE, suffix, suffix_size + 1);
  return 0;
}

int mf_template_next(struct mf_template *template) {
  char name[MF_NAME_SIZE + 1];
  int result = mf_random_name(MF_NAME_SIZE, name);
  if (result == 0)
    memcpy(template->random, name, MF_NAME_SIZE);
  return result;
}

void mf_template_clear(struct mf_template *template) {
  free(template->path);
  template->path = NULL;
}

/* ---- from options ---- */

/* Options that a newer program set and this library does not know are refused, all else is as if it were NULL. */
static int take_options(const mayfly_temp_options *options, unsigned flags, mayfly_temp_options *taken) {
  mayfly_temp_options defaults = MAYFLY_TEMP_OPTIONS_INIT;
  int result = mf_options_take(options, "mayfly_temp_options", &defaults, sizeof defaults);
  if (result < 0)
    return result;
  if ((defaults.flags & ~flags) != 0)
    return mf_fail(MAYFLY_EINVAL, "mayfly_temp_options: flag 0x%x is of no use here", defaults.flags & ~flags);
  if (defaults.prefix == NULL)
    defaults.prefix = mayfly_gettempprefix();
  if (defaults.suffix == NULL)
    defaults.suffix = "";
  if (defaults.dir == NULL)
    result = mf_tempdir(&defaults.dir);
  *taken = defaults;
  return result;
}

static int check_name(const mayfly_temp_options *options) {
  static const char reserved[] = ".mayfly-"; /* what a sweep takes for a dead process's directory */
  if (strncmp(options->prefix, reserved, sizeof reserved - 1) == 0)
    return mf_fail(MAYFLY_EINVAL, "the prefix \"%s\" begins with \"%s\", which is reserved", options->prefix, reserved);
  int result = mf_os_name_check(options->prefix);
  return result < 0 ? result : mf_os_name_check(options->suffix);
}

int mf_template_from_options(const mayfly_temp_options *options, unsigned flags, struct mf_template *template) {
  mayfly_temp_options taken;
  char *directory = NULL;
  int result = take_options(options, flags, &taken);
  if (result == 0)
    result = check_name(&taken);
  if (result == 0)
    result = mf_os_path_absolute(taken.dir, &directory);
  if (result == 0)
    result = mf_template_init(directory, taken.prefix, taken.suffix, template);
  free(directory);
  return result;
}
