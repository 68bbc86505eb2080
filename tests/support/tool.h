/* SPDX-License-Identifier: MIT */
/* tool.h - the program mayfly(1), run as a user runs it.
 *
 *   struct tool tool = {.directory = scratch};
 *   assert_int_equal(run(&tool, "address", "unix"), OK);
 *   ... tool.said, tool.complained ...
 */
#ifndef TOOL_H
#define TOOL_H

#include "child.h"
#include <stdio.h>

enum { OK, FAILED, USAGE, CONNECTION, AUTHENTICATION }; /* what it exits with */

enum { TEXT_SIZE = 8192 };

struct tool {
  const char *key;       /* MAYFLY_AUTHKEY; NULL: not set */
  const char *directory; /* TMPDIR; NULL: as it is */
  const char *output;    /* the file that is its standard output; NULL: `out`; "": closed */
  struct child child;
  FILE *in, *out, *err; /* the other ends of its standard streams */
  char said[TEXT_SIZE]; /* by `out` and by `err`, since they were last listened to */
  char complained[TEXT_SIZE];
};

const char *tool_path(void);
void tool_start(struct tool *tool, const char *const *arguments);
/* The next line, without its end. */
const char *tool_hear(FILE *stream, char text[TEXT_SIZE]);
const char *tool_hear_out(struct tool *tool);
void tool_expect_complaint(struct tool *tool, const char *part);
void tool_end_input(struct tool *tool);
int tool_finish(struct tool *tool);              /* hears it out; its exit status */
void tool_end_by(struct tool *tool, int number); /* by that signal, and no other way */

#define start(tool, ...) tool_start(tool, (const char *const[]){__VA_ARGS__, NULL})
/* From its start to its end, with an empty standard input. */
#define run(tool, ...)   (start(tool, __VA_ARGS__), tool_finish(tool))

#endif
