/* SPDX-License-Identifier: MIT */
/* persist.c - what becomes of a temporary file: opened again, released, kept under its name or another, or gone.
 *
 * A lasting name appears at once or not at all: the mode is set and the content written before, under a random name
 * beside it where there is no other way. */
#include "error.h"
#include "file.h"
#include "memory.h"
#include <stdlib.h>
#include <string.h>

/* ---- once more ---- */

int mayfly_file_reopen(mayfly_file *file, mayfly_file **again) {
  if (file == NULL || again == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_file_reopen: %s is NULL", file == NULL ? "file" : "again");
  mayfly_file *made = calloc(1, sizeof *made);
  if (made == NULL)
    return mf_fail(MAYFLY_ENOMEM, "open a temporary file again: no memory");
  made->reopened = 1;
  struct mf_os_identity identity = file->named.identity; /* unknown of what had no name when it was made */
  int result = mf_file_roll_over(file);
  if (result == 0 && file->named.path != NULL && file->named.fd != MAYFLY_NO_FD)
    result = (int)mf_file_say_which(file, mf_os_file_identity(file->named.fd, &identity));
  if (result == 0)
    result = mf_os_file_reopen(file->named.fd, file->named.path, &identity, &made->named.fd);
  if (result == 0)
    *again = made;
  else
    free(made);
  return result;
}

/* ---- kept ---- */

static int check_outlives(const mayfly_file *file, const char *function) {
  if (file == NULL)
    return mf_fail(MAYFLY_EINVAL, "%s: file is NULL", function);
  if (file->named.path == NULL || (file->flags & (MAYFLY_TEMP_KEEP | MAYFLY_TEMP_REOPENABLE)) == 0)
    return mf_fail(MAYFLY_EINVAL, "%s: takes a named file with MAYFLY_TEMP_KEEP or MAYFLY_TEMP_REOPENABLE", function);
  return 0;
}

/* The descriptor goes; from now on the birth tells the file from one that has its number later. */
static int give_up_descriptor(struct mf_named_file *file) {
  int result = mf_os_file_identity(file->fd, &file->identity);
  int closed = mf_os_fd_close(file->fd);
  file->fd = MAYFLY_NO_FD;
  return result < 0 ? result : closed;
}

int mayfly_file_release(mayfly_file *file) {
  int result = check_outlives(file, "mayfly_file_release");
  if (result < 0 || file->named.fd == MAYFLY_NO_FD)
    return result;
  result = mf_named_file_take(&file->named);
  if (result < 0)
    return result;
  result = give_up_descriptor(&file->named);
  mf_named_file_give_back(&file->named);
  return (int)mf_file_say_which(file, result);
}

static void free_file(mayfly_file *file) {
  mf_spool_clear(&file->spool);
  mf_template_clear(&file->template);
  free(file->named.path);
  free(file);
}

static int check_detach(const mayfly_file *file, const mayfly_os_fd *fd) {
  int result = check_outlives(file, "mayfly_file_detach");
  if (result == 0 && (file->flags & MAYFLY_TEMP_CRASH_SAFE) != 0)
    result = mf_fail(MAYFLY_EINVAL, "mayfly_file_detach: a crash-safe file lies where a sweep removes it: persist it");
  if (result == 0 && fd != NULL)
    result = mf_file_check(file, "mayfly_file_detach");
  return result;
}

int mayfly_file_detach(mayfly_file *file, mayfly_os_fd *fd) {
  int result = check_detach(file, fd);
  if (result == 0 && fd != NULL)
    result = (int)mf_file_say_which(file, mf_os_file_seek(file->named.fd, file->position));
  if (result == 0)
    result = mf_named_file_take(&file->named);
  if (result < 0)
    return result;
  mf_named_file_let_go(&file->named);
  if (fd != NULL)
    *fd = file->named.fd;
  else
    result = (int)mf_file_say_which(file, mf_os_fd_close(file->named.fd));
  free_file(file);
  return result;
}

/* ---- under a lasting name ---- */

struct publication {
  const char *target; /* absolute */
  int mode;
  unsigned flags;
};

/* What failed need not have known what it was for. */
static int say_for_what(int result, const char *target) {
  return result < 0 ? mf_fail_in(result, "make %s", target) : 0;
}

/* All that is to be true before the name appears. */
static int prepare(mayfly_os_fd fd, const struct publication *publication) {
  int result = mf_os_file_set_mode(fd, publication->mode, publication->target);
  if (result == 0 && (publication->flags & MAYFLY_PERSIST_SYNC) != 0)
    result = say_for_what(mf_os_file_sync(fd), publication->target);
  return result;
}

static void give_mode_back(mayfly_os_fd fd, int mode, const char *path) {
  char words[MF_OS_WORDS_SIZE];
  mf_words_keep(words);
  mf_os_file_set_mode(fd, mode, path);
  mf_words_put_back(words);
}

/* A random name in the target's directory. */
static int name_beside(const char *target, struct mf_template *template) {
  char *directory = mf_duplicate(target, mf_os_path_directory_size(target), 1);
  if (directory == NULL)
    return MAYFLY_ENOMEM;
  int result = mf_template_init(directory, mayfly_gettempprefix(), "", template);
  free(directory);
  return result;
}

static int copy_content(mayfly_os_fd from, mayfly_os_fd to) {
  enum { PIECE = 1 << 16 };
  char *piece = malloc(PIECE);
  if (piece == NULL)
    return mf_fail(MAYFLY_ENOMEM, "copy a temporary file: no memory");
  int64_t count, offset = 0;
  int result = 0;
  while (result == 0 && (count = mf_os_file_read_at(from, piece, PIECE, offset)) != 0) {
    result = count < 0 ? (int)count : mf_os_file_write_at(to, piece, (size_t)count, offset);
    offset += count;
  }
  free(piece);
  return result;
}

static int rename_copy(struct mf_named_file *copy, const struct publication *publication) {
  int result = mf_named_file_take(copy);
  if (result < 0)
    return result;
  result = mf_os_file_rename(copy->fd, copy->path, publication->target, publication->flags);
  if (result < 0)
    mf_named_file_give_back(copy);
  else
    mf_named_file_let_go(copy);
  return result;
}

/* Whatever has happened to it, for `copy` is not to be remembered. */
static void discard_copy(struct mf_named_file *copy) {
  char words[MF_OS_WORDS_SIZE];
  mf_words_keep(words);
  if (mf_named_file_take(copy) == 0) {
    mf_os_file_remove(copy->path, &copy->identity);
    mf_named_file_let_go(copy);
  }
  mf_os_fd_close(copy->fd);
  mf_words_put_back(words);
}

/* `*fd` is the copy's, which has the name then. */
static int publish_copy(mayfly_os_fd from, const struct publication *publication, mayfly_os_fd *fd) {
  struct mf_template template;
  struct mf_named_file copy;
  int result = name_beside(publication->target, &template);
  if (result < 0)
    return result;
  result = mf_named_file_create(&template, 0, 0, &copy);
  mf_template_clear(&template);
  if (result < 0)
    return say_for_what(result, publication->target);
  result = say_for_what(copy_content(from, copy.fd), publication->target);
  if (result == 0)
    result = prepare(copy.fd, publication);
  if (result == 0)
    result = rename_copy(&copy, publication);
  if (result == 0)
    *fd = copy.fd;
  else
    discard_copy(&copy);
  free(copy.path);
  return result;
}

static int link_to(void *context, const char *path) {
  return mf_os_file_link(*(const mayfly_os_fd *)context, path);
}

static int rename_link(mayfly_os_fd fd, const char *path, const char *target) {
  char words[MF_OS_WORDS_SIZE];
  int result = mf_os_file_rename(fd, path, target, 0);
  if (result == 0)
    return 0;
  mf_words_keep(words);
  mf_os_file_unname(fd, path);
  mf_words_put_back(words);
  return result;
}

/* No system gives a file without a name one that is another's, so it gets one beside it first. */
static int link_and_rename(mayfly_os_fd fd, const struct publication *publication) {
  struct mf_template template;
  int result = name_beside(publication->target, &template);
  if (result < 0)
    return result;
  result = mf_registry_begin();
  if (result == 0) {
    result = mf_template_try(&template, link_to, &fd);
    if (result == 0)
      result = rename_link(fd, template.path, publication->target);
    mf_registry_end(NULL);
  }
  mf_template_clear(&template);
  return say_for_what(result, publication->target);
}

static int publish_link(mayfly_os_fd fd, const struct publication *publication) {
  int result = prepare(fd, publication);
  if (result == 0)
    result = (publication->flags & MAYFLY_PERSIST_NOREPLACE) != 0 ? mf_os_file_link(fd, publication->target)
                                                                  : link_and_rename(fd, publication);
  if (result < 0)
    give_mode_back(fd, MAYFLY_MODE_PRIVATE, publication->target);
  return result;
}

static int publish_rename(struct mf_named_file *named, const struct publication *publication) {
  int result = mf_named_file_take(named);
  if (result < 0)
    return result;
  result = prepare(named->fd, publication);
  if (result == 0)
    result = mf_os_file_rename(named->fd, named->path, publication->target, publication->flags);
  if (result == 0) {
    mf_named_file_let_go(named);
    return 0;
  }
  give_mode_back(named->fd, named->mode, named->path);
  mf_named_file_give_back(named);
  return result;
}

/* The copy takes the place of the original, whose name goes. */
static int publish_by_copy(struct mf_named_file *named, const struct publication *publication) {
  mayfly_os_fd fd = MAYFLY_NO_FD;
  int closed;
  int result = publish_copy(named->fd, publication, &fd);
  if (result < 0)
    return result;
  if (mf_named_file_end(named, &closed) < 0)
    mf_os_fd_close(named->fd);
  named->fd = fd;
  named->kept = 1;
  return 0;
}

/* A way that leads nowhere and another that does are a success, which does not change the words. */
static int publish(struct mf_named_file *named, const struct publication *publication) {
  int has_name = named->path != NULL;
  char words[MF_OS_WORDS_SIZE];
  mf_words_keep(words);
  int result = has_name ? publish_rename(named, publication) : publish_link(named->fd, publication);
  if (result == MAYFLY_ENOTSUP || (result == MAYFLY_EXDEV && !has_name))
    result = publish_by_copy(named, publication);
  if (result == 0)
    mf_words_put_back(words);
  return result;
}

/* The directory is opened before, so that only the disk itself can fail once the file has its name. */
static int publish_and_sync(mayfly_file *file, char *target, int mode, unsigned flags) {
  const struct publication publication = {target, mode, flags};
  mayfly_os_fd directory = MAYFLY_NO_FD;
  int result = (flags & MAYFLY_PERSIST_SYNC) != 0 ? mf_os_file_parent(target, &directory) : 0;
  if (result == 0)
    result = publish(&file->named, &publication);
  if (result == 0) {
    free(file->named.path);
    file->named.path = target;
    file->named.kept = 1;
    file->named.mode = mode;
    file->flags = MAYFLY_TEMP_KEEP;
    result = say_for_what(mf_os_file_sync(directory), target);
  }
  mf_os_fd_close(directory);
  return result;
}

static int ends_in_separator(const char *path) {
  char last = path[strlen(path) - 1];
  return last == '/' || last == mf_os_path_separator();
}

static int check_persist(const mayfly_file *file, const char *path, int mode, unsigned flags) {
  const unsigned known = MAYFLY_PERSIST_NOREPLACE | MAYFLY_PERSIST_SYNC;
  int result = mf_file_check(file, "mayfly_file_persist");
  if (result < 0)
    return result;
  if (file->reopened)
    return mf_fail(MAYFLY_EINVAL, "mayfly_file_persist: a file opened again has no name of its own");
  if (path == NULL || *path == '\0')
    return mf_fail(MAYFLY_EINVAL, "mayfly_file_persist: path is %s", path == NULL ? "NULL" : "empty");
  if (ends_in_separator(path))
    return mf_fail(MAYFLY_EISDIR, "mayfly_file_persist: %s is a name for a directory", path);
  if (mode < MAYFLY_MODE_NEW || mode > 07777)
    return mf_fail(MAYFLY_EINVAL, "mayfly_file_persist: a mode of 0%o", (unsigned)mode);
  if ((flags & ~known) != 0)
    return mf_fail(MAYFLY_EINVAL, "mayfly_file_persist: flag 0x%x is of no use here", flags & ~known);
  return 0;
}

int mayfly_file_persist(mayfly_file *file, const char *path, int mode, unsigned flags) {
  char *target = NULL;
  int result = check_persist(file, path, mode, flags);
  if (result == 0)
    result = mf_os_path_target(path, &target);
  if (result == 0)
    result = say_for_what(mf_file_roll_over(file), target);
  if (result == 0)
    result = publish_and_sync(file, target, mode, flags);
  if (file != NULL && file->named.path != target)
    free(target);
  return result;
}

/* ---- the end ---- */

static int vanish_orphan(struct mf_registry_entry *entry) {
  mayfly_file *file = (mayfly_file *)entry;
  int removed = mf_os_file_remove(file->named.path, &file->named.identity);
  if (removed < 0)
    mf_registry_enter(entry);
  else
    free_file(file);
  return removed < 0 ? removed : 0;
}

/* Somebody holds it, or the directory is closed to us: then each cleanup and the end of the process try again. */
static int leave_to_registry(mayfly_file *file, int result) {
  char words[MF_OS_WORDS_SIZE];
  mf_words_keep(words);
  int gone = mf_named_file_take(&file->named);
  if (file->named.fd != MAYFLY_NO_FD)
    give_up_descriptor(&file->named);
  file->named.entry.vanish = vanish_orphan;
  if (gone == 0)
    mf_named_file_give_back(&file->named);
  else
    free_file(file);
  mf_words_put_back(words);
  return result;
}

int mayfly_file_close(mayfly_file *file) {
  int closed = 0;
  if (file == NULL)
    return 0;
  int result = mf_named_file_end(&file->named, &closed);
  if (result < 0)
    return leave_to_registry(file, result);
  result = (int)mf_file_say_which(file, closed);
  free_file(file);
  return result;
}
