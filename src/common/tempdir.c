/* SPDX-License-Identifier: MIT */
/* tempdir.c - which directory is the temporary one: searched once, as Python does, each candidate with a real file.
 *
 * The text of every directory that was ever handed out stays for the life of the process, each once. */
#include "tempdir.h"
#include "error.h"
#include "os.h"
#include "template.h"
#include <mayfly/tempfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROBE_TRIES = 100 };

struct known {
  struct known *next;
  char path[];
};

static struct {
  struct known *known;
  const char *chosen; /* one of them; NULL: not searched yet */
} tempdir;

/* Keeps the text for good; NULL: no memory. */
static const char *keep(const char *path) {
  for (const struct known *entry = tempdir.known; entry != NULL; entry = entry->next)
    if (strcmp(entry->path, path) == 0)
      return entry->path;
  size_t size = strlen(path) + 1;
  struct known *made = malloc(sizeof *made + size);
  if (made == NULL) {
    mf_fail(MAYFLY_ENOMEM, "remember the temporary directory %s: no memory", path);
    return NULL;
  }
  memcpy(made->path, path, size);
  made->next = tempdir.known;
  tempdir.known = made;
  return made->path;
}

static int probe(const char *path) {
  static const char text[] = "blat"; /* Python's */
  mayfly_os_fd fd;
  struct mf_os_identity identity;
  int result = mf_os_file_create(path, 0, &fd, &identity);
  if (result < 0)
    return result;
  result = mf_os_file_write_at(fd, text, sizeof text - 1, 0);
  int removed = mf_os_file_remove(path, &identity);
  mf_os_fd_close(fd);
  return result < 0 || removed >= 0 ? result : removed;
}

static int try_names(struct mf_template *template) {
  int result = MAYFLY_EEXIST;
  for (int i = 0; i < PROBE_TRIES && result == MAYFLY_EEXIST; i++) {
    result = mf_template_next(template);
    if (result < 0)
      return result;
    result = probe(template->path);
  }
  if (result == 0)
    return 1;
  return result == MAYFLY_ENOMEM || result == MAYFLY_EMFILE ? result : 0; /* ours to blame, or the directory */
}

int mf_tempdir_is_usable(const char *directory) {
  struct mf_template template;
  int result = mf_template_init(directory, "", "", &template);
  if (result == 0)
    result = try_names(&template);
  mf_template_clear(&template);
  return result;
}

static int search(const char **chosen) {
  char tried[MF_OS_WORDS_SIZE] = "";
  char *path;
  int result;
  for (size_t index = 0; (result = mf_os_temp_candidate(index, &path)) != MAYFLY_ENOENT; index++) {
    if (result == MAYFLY_EAGAIN)
      continue;
    if (result < 0)
      return result;
    result = mf_tempdir_is_usable(path);
    if (result == 1 && (*chosen = keep(path)) == NULL)
      result = MAYFLY_ENOMEM;
    size_t used = strlen(tried);
    snprintf(tried + used, sizeof tried - used, "%s%s", used == 0 ? "" : ", ", path);
    free(path);
    if (result != 0)
      return result < 0 ? result : 0;
  }
  return mf_fail(MAYFLY_ENOENT, "find a usable temporary directory: none among %s", tried);
}

static int search_quietly(const char **chosen) {
  char words[MF_OS_WORDS_SIZE];
  mf_words_keep(words);
  int result = search(chosen);
  if (result == 0)
    mf_words_put_back(words);
  return result;
}

int mf_tempdir(const char **path) {
  mf_os_lock(MF_OS_LOCK_TEMPDIR);
  int result = tempdir.chosen != NULL ? 0 : search_quietly(&tempdir.chosen);
  if (result == 0)
    *path = tempdir.chosen;
  mf_os_unlock(MF_OS_LOCK_TEMPDIR);
  return result;
}

const char *mayfly_gettempdir(void) {
  const char *path;
  return mf_tempdir(&path) == 0 ? path : NULL;
}

const char *mayfly_gettempdirb(void) {
  return mayfly_gettempdir();
}

int mayfly_settempdir(const char *dir) {
  const char *chosen = NULL;
  if (dir != NULL && *dir == '\0')
    return mf_fail(MAYFLY_EINVAL, "set the temporary directory: its name is empty");
  mf_os_lock(MF_OS_LOCK_TEMPDIR);
  if (dir != NULL)
    chosen = keep(dir);
  int result = dir != NULL && chosen == NULL ? MAYFLY_ENOMEM : 0;
  if (result == 0)
    tempdir.chosen = chosen;
  mf_os_unlock(MF_OS_LOCK_TEMPDIR);
  return result;
}

const char *mayfly_gettempprefix(void) {
  return "tmp";
}

const char *mayfly_gettempprefixb(void) {
  return mayfly_gettempprefix();
}
