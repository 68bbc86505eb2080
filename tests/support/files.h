/* SPDX-License-Identifier: MIT */
/* files.h - what the tests of temporary files do and look for again and again, on either system. */
#ifndef FILES_H
#define FILES_H

#include "result.h"
#include <mayfly/tempfile.h>

mayfly_temp_options files_in(const char *directory);
/* The same with those flags. */
mayfly_temp_options files_with(const char *directory, unsigned flags);

/* In DIRECTORY, with those flags; `max_size` only of a spooled one. */
mayfly_file *files_anonymous(const char *directory);
mayfly_file *files_in_memory(const char *directory);
mayfly_file *files_named(const char *directory, unsigned flags);
mayfly_file *files_spooled(const char *directory, size_t max_size);

void files_write(mayfly_file *file, const char *text);
void files_expect(mayfly_file *file, const char *text);   /* the whole content; the position stays */
void files_expect_at(const char *path, const char *text); /* of what has that name */
void files_put(const char *path, const char *text);       /* makes a file of that name by other means */
int files_exists(const char *path);                       /* a file that can be opened */
void files_remove(const char *path);
/* DIRECTORY, a separator, PREFIX, eight characters of Python's, SUFFIX. */
void files_expect_form(const char *path, const char *directory, const char *prefix, const char *suffix);

#endif
