/* SPDX-License-Identifier: MIT */
/* scratch.h - a fresh directory for each test, which must be empty when the test is done. */
#ifndef SCRATCH_H
#define SCRATCH_H

enum { SCRATCH_PATH_SIZE = 256 };

/* CMocka fixtures; the state is the directory's path, a char *. The teardown removes the directory in any case. */
int scratch_setup(void **state);
int scratch_teardown(void **state);

/* directory/name; a path that does not fit ends the test. */
void scratch_path(char path[SCRATCH_PATH_SIZE], const char *directory, const char *name);
int scratch_is_empty(const char *directory); /* if it is not, what is in it is printed */

#endif
