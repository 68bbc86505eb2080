/* SPDX-License-Identifier: MIT */
/* directory.c - temporary directories, and the removal of any.
 *
 * A mayfly_directory is in the registry, and `held`, from before anybody sees it until it is removed, made to last, or
 * found to be the parent process's. One that could not be removed goes back into the registry. */
#include "error.h"
#include "options.h"
#include "os.h"
#include "registry.h"
#include "template.h"
#include <mayfly/tempfile.h>
#include <stdlib.h>

/* ---- those that are the caller's ---- */

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

/* ---- those that vanish ---- */

struct mayfly_directory {
  struct mf_registry_entry entry; /* first: the registry hands it back */
  char *path;
  mayfly_os_fd held;
  unsigned flags; /* MAYFLY_TEMP_* */
};

static int ignored(int result, int ignore, const char *words) {
  if (result >= 0 || !ignore)
    return result;
  mf_words_put_back(words);
  return 0;
}

static int remove_directory(mayfly_directory *directory) {
  char words[MF_OS_WORDS_SIZE];
  mf_words_keep(words);
  int result = mf_os_directory_remove(directory->path, &directory->held, NULL, NULL);
  return ignored(result, (directory->flags & MAYFLY_TEMP_IGNORE_CLEANUP_ERRORS) != 0, words);
}

static struct mf_registry_entry *entry_if_held(mayfly_directory *directory) {
  return directory->held != MAYFLY_NO_FD ? &directory->entry : NULL;
}

/* One to be kept is known all the same: a forked child must find out that it is not its own. */
static int vanish(struct mf_registry_entry *entry) {
  mayfly_directory *directory = (mayfly_directory *)entry;
  int result = (directory->flags & MAYFLY_TEMP_KEEP) != 0 ? 0 : remove_directory(directory);
  if (entry_if_held(directory) != NULL)
    mf_registry_enter(entry);
  return result;
}

/* Its lock lives as long as anybody's copy of the descriptor. */
static void forget(struct mf_registry_entry *entry) {
  mayfly_directory *directory = (mayfly_directory *)entry;
  mf_os_fd_close(directory->held);
  directory->held = MAYFLY_NO_FD;
}

static int make_held(void *context, const char *path) {
  mayfly_directory *directory = context;
  return mf_os_directory_create(path, 1, &directory->held);
}

/* Takes the template's path. */
static int make(struct mf_template *template, mayfly_directory **directory) {
  mayfly_directory *made = calloc(1, sizeof *made);
  if (made == NULL)
    return mf_fail(MAYFLY_ENOMEM, "make a directory like %s: no memory", template->path);
  int result = mf_template_try(template, make_held, made);
  if (result < 0) {
    free(made);
    return result;
  }
  made->entry.vanish = vanish;
  made->entry.forget = forget;
  made->flags = template->flags;
  made->path = template->path;
  template->path = NULL;
  *directory = made;
  return 0;
}

static int make_in_flight(const mayfly_temp_options *options, mayfly_directory **directory) {
  const unsigned known = MAYFLY_TEMP_KEEP | MAYFLY_TEMP_IGNORE_CLEANUP_ERRORS | MAYFLY_TEMP_CRASH_SAFE;
  struct mf_template template;
  int result = mf_template_from_options(options, known, &template);
  if (result < 0)
    return result;
  result = make(&template, directory);
  mf_template_clear(&template);
  return result;
}

int mayfly_temporary_directory(const mayfly_temp_options *options, mayfly_directory **directory) {
  mayfly_directory *made = NULL;
  if (directory == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_temporary_directory: directory is NULL");
  int result = mf_registry_begin();
  if (result < 0)
    return result;
  result = make_in_flight(options, &made);
  mf_registry_end(made != NULL ? &made->entry : NULL);
  if (result == 0)
    *directory = made;
  return result;
}

const char *mayfly_directory_path(const mayfly_directory *directory) {
  return directory != NULL ? directory->path : NULL;
}

int mayfly_directory_cleanup(mayfly_directory *directory) {
  if (directory == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_directory_cleanup: directory is NULL");
  if (!mf_registry_take(&directory->entry))
    return 0;
  int result = remove_directory(directory);
  mf_registry_end(entry_if_held(directory));
  return result;
}

int mayfly_directory_close(mayfly_directory *directory) {
  int result = 0;
  if (directory == NULL)
    return 0;
  if (mf_registry_take(&directory->entry)) {
    result = (directory->flags & MAYFLY_TEMP_KEEP) != 0 ? 0 : remove_directory(directory);
    mf_registry_end(NULL);
  }
  mf_os_fd_close(directory->held);
  free(directory->path);
  free(directory);
  return result;
}

/* ---- made to last ---- */

static int check_persist(const mayfly_directory *directory, const char *path, int mode, unsigned flags) {
  const unsigned known = MAYFLY_PERSIST_NOREPLACE | MAYFLY_PERSIST_SYNC;
  if (directory == NULL || path == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_directory_persist: %s is NULL", directory == NULL ? "directory" : "path");
  if (*path == '\0')
    return mf_fail(MAYFLY_EINVAL, "mayfly_directory_persist: path is empty");
  if ((flags & ~known) != 0)
    return mf_fail(MAYFLY_EINVAL, "mayfly_directory_persist: flag 0x%x is of no use here", flags & ~known);
  if (mode < MAYFLY_MODE_NEW || mode > 07777)
    return mf_fail(MAYFLY_EINVAL, "mayfly_directory_persist: %d is no mode", mode);
  return 0;
}

static int persist(mayfly_directory *directory, char *path, int mode, unsigned flags) {
  if (!mf_registry_take(&directory->entry))
    return mf_fail(MAYFLY_EINVAL, "make %s last: it was removed, or made to last, or is another process's",
                   directory->path);
  int result = mf_os_directory_rename(&directory->held, directory->path, path, mode, flags);
  if (result == 0) {
    free(directory->path);
    directory->path = path;
  }
  mf_registry_end(entry_if_held(directory));
  return result;
}

int mayfly_directory_persist(mayfly_directory *directory, const char *path, int mode, unsigned flags) {
  char *absolute;
  int result = check_persist(directory, path, mode, flags);
  if (result == 0)
    result = mf_os_path_target(path, &absolute);
  if (result < 0)
    return result;
  result = persist(directory, absolute, mode, flags);
  if (result < 0)
    free(absolute);
  return result;
}

/* ---- any tree ---- */

static int remove_any(const char *path, const mayfly_rmtree_options *options) {
  mayfly_os_fd held;
  int result = mf_os_directory_open(path, &held);
  if (result < 0)
    return result;
  result = mf_os_directory_remove(path, &held, options->progress, options->context);
  mf_os_fd_close(held);
  return result;
}

int mayfly_rmtree(const char *path, const mayfly_rmtree_options *options) {
  const unsigned known = MAYFLY_RMTREE_IGNORE_ERRORS;
  mayfly_rmtree_options taken = MAYFLY_RMTREE_OPTIONS_INIT;
  char words[MF_OS_WORDS_SIZE];
  int result = mf_options_take(options, "mayfly_rmtree_options", &taken, sizeof taken);
  if (result < 0)
    return result;
  if (path == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_rmtree: path is NULL");
  if ((taken.flags & ~known) != 0)
    return mf_fail(MAYFLY_EINVAL, "mayfly_rmtree_options: flag 0x%x is of no use here", taken.flags & ~known);
  mf_words_keep(words);
  result = remove_any(path, &taken);
  int ignore = (taken.flags & known) != 0 && result != MAYFLY_EINVAL && result != MAYFLY_ECANCELED;
  return ignored(result, ignore, words);
}
