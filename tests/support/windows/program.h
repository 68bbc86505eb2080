/* SPDX-License-Identifier: MIT */
/* program.h - another program as a child: what child.h does by fork elsewhere. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "../child.h"

/* A child of its own program talks to the parent by this: its standard input and output. */
enum { PROGRAM_PARENT = 0 };

/* The program and its arguments, up to a NULL. It dies with this one. */
void program_start(struct child *child, const char *const *command);
/* One whose output and errors go into a file, so it can't be heard. */
void program_start_into(struct child *child, const char *const *command, const char *path);
/* What it says next, up to `size` bytes: how many. 0: it says no more. The test fails if nothing comes in a minute. */
size_t program_hear(struct child *child, char *buffer, size_t size);
void program_tell(struct child *child, const char *data, size_t size);
void program_tell_no_more(struct child *child);

#endif
