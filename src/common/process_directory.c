/* SPDX-License-Identifier: MIT */
/* process_directory.c - this process's own locked 0700 directory, one for each parent directory in use, and the sweep
 * of those whose process is dead.
 *
 * Each is made (`held` is its descriptor, with a shared lock that says somebody is alive) or not made: never yet,
 * vanished, or the parent process's. The structs are never freed; all are behind the registry's lock. */
#include "process_directory.h"
#include "error.h"
#include "memory.h"
#include "name.h"
#include "os.h"
#include "registry.h"
#include "tempdir.h"
#include "template.h"
#include <mayfly/tempfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct process_directory {
  struct mf_registry_entry entry; /* first: the registry hands it back */
  struct process_directory *next;
  mayfly_os_fd held;
  size_t parent_size;
  char path[]; /* PARENT/.mayfly-???????????????? */
};

static struct process_directory *directories;

static const char prefix[] = ".mayfly-";

/* Its lock lives as long as anybody's copy of the descriptor: a child must not keep a dead parent's directory alive. */
static void forget(struct mf_registry_entry *entry) {
  struct process_directory *directory = (struct process_directory *)entry;
  mf_os_fd_close(directory->held);
  directory->held = MAYFLY_NO_FD;
}

/* What can't be removed now is tried again. */
static int vanish(struct mf_registry_entry *entry) {
  struct process_directory *directory = (struct process_directory *)entry;
  int result = mf_os_directory_remove(directory->path, &directory->held, NULL, NULL);
  if (result == MAYFLY_ESTOLEN)
    forget(entry);
  else if (result < 0)
    mf_registry_enter(entry);
  return result;
}

static struct process_directory *find(const char *parent) {
  size_t size = strlen(parent);
  for (struct process_directory *entry = directories; entry != NULL; entry = entry->next)
    if (entry->parent_size == size && memcmp(entry->path, parent, size) == 0)
      return entry;
  return NULL;
}

static struct process_directory *add(const char *parent) {
  size_t size = strlen(parent);
  struct process_directory *made = calloc(1, sizeof *made + size + 1 + sizeof prefix + MF_NAME_SECRET_SIZE);
  if (made == NULL)
    return NULL;
  made->entry.last = 1;
  made->entry.vanish = vanish;
  made->entry.forget = forget;
  made->held = MAYFLY_NO_FD;
  made->parent_size = size;
  memcpy(made->path, parent, size);
  made->path[size] = mf_os_path_separator();
  memcpy(made->path + size + 1, prefix, sizeof prefix);
  made->next = directories;
  directories = made;
  return made;
}

static int make(struct process_directory *directory) {
  int result = mf_random_name(MF_NAME_SECRET_SIZE, directory->path + directory->parent_size + sizeof prefix);
  if (result == 0)
    result = mf_os_directory_create(directory->path, 1, &directory->held);
  if (result == 0)
    mf_registry_enter(&directory->entry);
  return result;
}

/* Somebody may have removed it behind our back: then a new one is made. */
static int make_sure(struct process_directory *directory) {
  if (directory->held == MAYFLY_NO_FD)
    return make(directory);
  int still = mf_os_directory_still(directory->path, directory->held);
  if (still != 0)
    return still < 0 ? still : 0;
  mf_registry_leave(&directory->entry);
  forget(&directory->entry);
  return make(directory);
}

int mf_process_directory(const char *parent, char **path) {
  int result = mf_registry_hold();
  if (result < 0)
    return result;
  struct process_directory *directory = find(parent);
  if (directory == NULL)
    directory = add(parent);
  if (directory == NULL)
    result = mf_fail(MAYFLY_ENOMEM, "make a directory in %s: no memory", parent);
  else
    result = make_sure(directory);
  char *copy = result == 0 ? mf_duplicate(directory->path, strlen(directory->path), 1) : NULL;
  mf_registry_release();
  if (result == 0 && copy == NULL)
    return MAYFLY_ENOMEM;
  if (result == 0)
    *path = copy;
  return result;
}

/* ---- the sweep ---- */

struct sweep {
  const char *parent;
  uint64_t removed;
  int result; /* the first failure, and its words */
  char words[MF_OS_WORDS_SIZE];
};

static int has_the_form(const char *name) {
  static const char characters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
  const size_t begin = sizeof prefix - 1;
  return strncmp(name, prefix, begin) == 0 && strspn(name + begin, characters) == MF_NAME_SECRET_SIZE &&
         name[begin + MF_NAME_SECRET_SIZE] == '\0';
}

static int remove_dead(const char *path) {
  mayfly_os_fd held;
  int result = mf_os_directory_claim(path, &held);
  if (result < 0)
    return result;
  result = mf_os_directory_remove(path, &held, NULL, NULL);
  mf_os_fd_close(held);
  return result;
}

static void sweep_one(struct sweep *sweep, const char *path) {
  int result = remove_dead(path);
  if (result == 0)
    sweep->removed++;
  if (result == 0 || result == MAYFLY_EAGAIN || sweep->result < 0)
    return;
  sweep->result = result;
  mf_words_keep(sweep->words);
}

static int visit(void *context, const char *name) {
  struct sweep *sweep = context;
  if (!has_the_form(name))
    return 0;
  size_t size = strlen(sweep->parent) + strlen(name) + 2;
  char *path = malloc(size);
  if (path == NULL)
    return mf_fail(MAYFLY_ENOMEM, "sweep %s: no memory", sweep->parent);
  snprintf(path, size, "%s%c%s", sweep->parent, mf_os_path_separator(), name);
  sweep_one(sweep, path);
  free(path);
  return 0;
}

/* The words are those of the first failure, or those that stood there before. */
static int sweep_parent(const char *parent, uint64_t *removed) {
  struct sweep sweep = {.parent = parent};
  mf_words_keep(sweep.words);
  int result = mf_os_directory_list(parent, visit, &sweep);
  if (result < 0)
    return result;
  mf_words_put_back(sweep.words);
  if (sweep.result == 0 && removed != NULL)
    *removed = sweep.removed;
  return sweep.result;
}

int mayfly_sweep(const char *dir, uint64_t *removed) {
  char *parent = NULL;
  int result = dir != NULL ? 0 : mf_tempdir(&dir);
  if (result == 0)
    result = mf_os_path_absolute(dir, &parent);
  if (result < 0)
    return result;
  result = sweep_parent(parent, removed);
  free(parent);
  return result;
}
