/* SPDX-License-Identifier: MIT */
/* named_file.c - a file's name, and the registry. */
#include "named_file.h"
#include "error.h"
#include <stddef.h>

static int remove_name(const struct mf_named_file *file) {
  int removed = mf_os_file_remove(file->path, &file->identity);
  return removed < 0 ? removed : 0;
}

/* What can't be removed now is tried again. */
static int vanish(struct mf_registry_entry *entry) {
  int result = remove_name((const struct mf_named_file *)entry);
  if (result < 0)
    mf_registry_enter(entry);
  return result;
}

struct making {
  unsigned flags;
  mayfly_os_fd fd;
  struct mf_os_identity identity;
};

static int make(void *context, const char *path) {
  struct making *making = context;
  return mf_os_file_create(path, making->flags, &making->fd, &making->identity);
}

static int create(struct mf_template *template, unsigned flags, struct mf_named_file *file) {
  struct making making = {.flags = flags};
  int result = mf_template_try(template, make, &making);
  if (result < 0)
    return result;
  *file = (struct mf_named_file){.entry.vanish = vanish, .fd = making.fd, .identity = making.identity};
  file->path = template->path;
  template->path = NULL;
  return 0;
}

int mf_named_file_create(struct mf_template *template, unsigned flags, int kept, struct mf_named_file *file) {
  int result = kept ? 0 : mf_registry_begin();
  if (result < 0)
    return result;
  result = create(template, flags, file);
  if (result == 0)
    file->kept = kept;
  if (!kept)
    mf_registry_end(result == 0 ? &file->entry : NULL);
  return result;
}

int mf_named_file_end(struct mf_named_file *file, int *closed) {
  if (file->path == NULL || file->kept || !mf_registry_take(&file->entry)) {
    *closed = mf_os_fd_close(file->fd);
    return 0;
  }
  int result = mf_os_file_end(&file->fd, file->path, &file->identity, closed);
  mf_registry_end(result < 0 ? &file->entry : NULL);
  return result < 0 ? result : 0;
}

int mf_named_file_take(struct mf_named_file *file) {
  if (file->kept || mf_registry_take(&file->entry))
    return 0;
  return mf_fail(MAYFLY_EINVAL, "%s is no longer this process's: it was cleaned up, or is its parent's", file->path);
}

void mf_named_file_give_back(struct mf_named_file *file) {
  if (!file->kept)
    mf_registry_end(&file->entry);
}

void mf_named_file_let_go(struct mf_named_file *file) {
  if (!file->kept)
    mf_registry_end(NULL);
  file->kept = 1;
}
