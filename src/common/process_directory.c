/* SPDX-License-Identifier: MIT */
/* process_directory.c - this process's own locked 0700 directory, one for each parent directory in use.
 *
 * Each is made (`held` is its descriptor, with a shared lock that says somebody is alive) or not made: never yet,
 * vanished, or the parent process's. The structs are never freed; all are behind the registry's lock. */
#include "process_directory.h"
#include "error.h"
#include "memory.h"
#include "name.h"
#include "os.h"
#include "registry.h"
#include "template.h"
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

static const char prefix[] = "/.mayfly-";

static int vanish(struct mf_registry_entry *entry) {
  struct process_directory *directory = (struct process_directory *)entry;
  int result = mf_os_directory_remove(directory->path, &directory->held, NULL, NULL);
  mf_os_fd_close(directory->held);
  directory->held = MAYFLY_NO_FD;
  return result;
}

/* Its lock lives as long as anybody's copy of the descriptor: a child must not keep a dead parent's directory alive. */
static void forget(struct mf_registry_entry *entry) {
  struct process_directory *directory = (struct process_directory *)entry;
  mf_os_fd_close(directory->held);
  directory->held = MAYFLY_NO_FD;
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
  struct process_directory *made = calloc(1, sizeof *made + size + sizeof prefix + MF_NAME_SECRET_SIZE);
  if (made == NULL)
    return NULL;
  made->entry.last = 1;
  made->entry.vanish = vanish;
  made->entry.forget = forget;
  made->held = MAYFLY_NO_FD;
  made->parent_size = size;
  memcpy(made->path, parent, size);
  memcpy(made->path + size, prefix, sizeof prefix);
  made->next = directories;
  directories = made;
  return made;
}

static int make(struct process_directory *directory) {
  int result = mf_random_name(MF_NAME_SECRET_SIZE, directory->path + directory->parent_size + sizeof prefix - 1);
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
