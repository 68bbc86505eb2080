/* SPDX-License-Identifier: MIT */
/* template.c - a path in which only the random characters change from one try to the next. */
#include "template.h"
#include "error.h"
#include "memory.h"
#include "name.h"
#include "options.h"
#include "os.h"
#include "process_directory.h"
#include "tempdir.h"
#include <stdlib.h>
#include <string.h>

/* Fetched for many names at once: a system call for each costs up to a tenth of making a file. Never used twice, not
 * even in a forked child. `*random` is where they are: in store, or in `room`. */
static int draw(size_t size, uint8_t *room, uint8_t **random) {
  struct mf_os_thread *thread = mf_os_thread();
  int forks = mf_os_forks();
  *random = room;
  if (thread == NULL || forks < 0)
    return mf_os_random(room, size);
  if (thread->batch.left < size || thread->batch.forks != forks) {
    thread->batch.left = 0;
    int result = mf_os_random(thread->batch.bytes, sizeof thread->batch.bytes);
    if (result < 0)
      return result;
    thread->batch.left = sizeof thread->batch.bytes;
    thread->batch.forks = forks;
  }
  *random = thread->batch.bytes + sizeof thread->batch.bytes - thread->batch.left;
  thread->batch.left -= size;
  return 0;
}

int mf_random_name(size_t size, char *name) {
  uint8_t room[MF_NAME_SECRET_SIZE], *random;
  int result = draw(size, room, &random);
  if (result < 0)
    return result;
  mf_name_encode(random, size, name);
  mf_wipe(random, size);
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
  template->directory_size = directory_size;
  char *end = append(path, directory, directory_size);
  if (directory_size > 0 && end[-1] != mf_os_path_separator())
    *end++ = mf_os_path_separator();
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

int mf_template_try(struct mf_template *template, int (*make)(void *context, const char *path), void *context) {
  char words[MF_OS_WORDS_SIZE];
  int result = MAYFLY_EEXIST;
  mf_words_keep(words);
  for (int i = 0; i < MAYFLY_TMP_MAX && result == MAYFLY_EEXIST; i++) {
    result = mf_template_next(template);
    if (result == 0)
      result = make(context, template->path);
  }
  if (result == MAYFLY_EEXIST)
    return mf_fail(result, "no usable name like %s was free in %d tries", template->path, MAYFLY_TMP_MAX);
  if (result == 0)
    mf_words_put_back(words);
  return result;
}

void mf_template_clear(struct mf_template *template) {
  free(template->path);
  template->path = NULL;
}

/* ---- from options ---- */

/* Options that a newer program set and this library does not know are refused, all else is as if it were NULL. */
static int take_options(const mayfly_temp_options *options, unsigned known, mayfly_temp_options *taken) {
  const unsigned apart = MAYFLY_TEMP_KEEP | MAYFLY_TEMP_CRASH_SAFE;
  mayfly_temp_options defaults = MAYFLY_TEMP_OPTIONS_INIT;
  int result = mf_options_take(options, "mayfly_temp_options", &defaults, sizeof defaults);
  if (result < 0)
    return result;
  if ((defaults.flags & ~known) != 0)
    return mf_fail(MAYFLY_EINVAL, "mayfly_temp_options: flag 0x%x is of no use here", defaults.flags & ~known);
  if ((defaults.flags & apart) == apart)
    return mf_fail(MAYFLY_EINVAL,
                   "mayfly_temp_options: MAYFLY_TEMP_KEEP and MAYFLY_TEMP_CRASH_SAFE exclude each other");
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
  return mf_os_name_check(options->prefix, options->suffix);
}

/* The directory to make it in, yours to free. */
static int find_directory(const mayfly_temp_options *options, char **directory) {
  char *parent;
  int result = mf_os_path_absolute(options->dir, &parent);
  if (result < 0 || (options->flags & MAYFLY_TEMP_CRASH_SAFE) == 0) {
    if (result == 0)
      *directory = parent;
    return result;
  }
  result = mf_process_directory(parent, directory);
  free(parent);
  return result;
}

int mf_template_from_options(const mayfly_temp_options *options, unsigned known, struct mf_template *template) {
  mayfly_temp_options taken = MAYFLY_TEMP_OPTIONS_INIT;
  char *directory = NULL;
  int result = take_options(options, known, &taken);
  if (result == 0)
    result = check_name(&taken);
  if (result == 0)
    result = find_directory(&taken, &directory);
  if (result == 0)
    result = mf_template_init(directory, taken.prefix, taken.suffix, template);
  template->flags = taken.flags;
  free(directory);
  return result;
}
