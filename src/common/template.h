/* SPDX-License-Identifier: MIT */
/* template.h - a path in which only the random characters change from one try to the next. */
#ifndef MF_TEMPLATE_H
#define MF_TEMPLATE_H

#include <mayfly/tempfile.h>
#include <stddef.h>

struct mf_template {
  char *path;
  char *random;          /* into path: where its eight random characters are */
  size_t directory_size; /* so many bytes of path are the directory */
  unsigned flags;        /* MAYFLY_TEMP_*: those of the options that it was made from */
};

/* DIRECTORY/PREFIX????????SUFFIX, not filled in yet. On failure the template is clear. */
int mf_template_init(const char *directory, const char *prefix, const char *suffix, struct mf_template *template);
/* As the caller of a maker wishes it: the options are checked and their defaults filled in, the path is absolute, and
 * with MAYFLY_TEMP_CRASH_SAFE lies in this process's own directory; `known` are the flags that the maker knows. */
int mf_template_from_options(const mayfly_temp_options *options, unsigned known, struct mf_template *template);
int mf_template_next(struct mf_template *template);
/* Fills names in until `make` takes one, whose result it is then: MAYFLY_EEXIST means the next, please. */
int mf_template_try(struct mf_template *template, int (*make)(void *context, const char *path), void *context);
void mf_template_clear(struct mf_template *template);

/* `size` characters (8 or 16) that nobody can guess, and a NUL. */
int mf_random_name(size_t size, char *name);

#endif
