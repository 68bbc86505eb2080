/* SPDX-License-Identifier: MIT */
/* template.h - a path in which only the random characters change from one try to the next. */
#ifndef MF_TEMPLATE_H
#define MF_TEMPLATE_H

#include <mayfly/tempfile.h>

struct mf_template {
  char *path;
  char *random; /* into path: where its eight random characters are */
};

/* DIRECTORY/PREFIX????????SUFFIX, not filled in yet. On failure the template is clear. */
int mf_template_init(const char *directory, const char *prefix, const char *suffix, struct mf_template *template);
/* As the caller of a maker wishes it: the options are checked and their defaults filled in, the path is absolute;
 * `flags` are those the maker knows. */
int mf_template_from_options(const mayfly_temp_options *options, unsigned flags, struct mf_template *template);
int mf_template_next(struct mf_template *template);
void mf_template_clear(struct mf_template *template);

/* `size` characters (8 or 16) that nobody can guess, and a NUL. */
int mf_random_name(size_t size, char *name);

#endif
