/* SPDX-License-Identifier: MIT */
/* tool.h - what the commands of mayfly(1) share: how one is run, how it ends, how it fails in words. */
#ifndef TOOL_H
#define TOOL_H

#include <mayfly/tempfile.h>

/* What a command returns, and up to TOOL_AUTHENTICATION what the program exits with. */
enum {
  TOOL_OK,
  TOOL_FAILED,         /* a file, the standard streams, memory */
  TOOL_USAGE,          /* arguments that can't be; the user is sent to --help */
  TOOL_CONNECTION,     /* no listening, no connecting, or a connection that broke */
  TOOL_AUTHENTICATION, /* the wrong key, or a peer that is not let in */
  TOOL_HELP = 256,     /* asked for: the command's help, then 0 */
  TOOL_RAN = 512       /* and what the user's COMMAND exited with, which is what the program exits with */
};

/* The commands. argv[0] is the program's name, the command's own arguments follow. */
int tool_address(int argc, char **argv);
int tool_directory(int argc, char **argv);
int tool_file(int argc, char **argv);
int tool_listen(int argc, char **argv);
int tool_remove(int argc, char **argv);
int tool_send(int argc, char **argv);
int tool_sweep(int argc, char **argv);
int tool_tempdir(int argc, char **argv);

/* --dir, --prefix, --suffix, and what stands behind "--", NULL if nothing does; TOOL_OK, or what the command returns.
 */
int tool_temp_options(int argc, char **argv, mayfly_temp_options *taken, char ***command);

/* tool_failure() where nothing is connected. */
int tool_temp_failure(int result);

/* Nonzero: somebody looks at standard error. Each system has its own. */
int tool_is_watched(void);

/* Runs the user's COMMAND, in whose arguments "{}" stands for `path`, which is also its MAYFLY_PATH. Signals that are
 * sent to us meanwhile are passed on to it. TOOL_RAN and what it exited with, as a shell tells it. */
int tool_run(char **command, const char *path);

/* That, with nothing to fill in; what it exited with, or 126 or 127 where it can't be run, in words. Each
 * system has its own. */
int tool_spawn(char **command, const char *path);

/* Sends what was printed on its way, and prints why if that is not possible: TOOL_OK or TOOL_FAILED. */
int tool_flush(void);

/* Prints mayfly's words about its failure; returns the status that stands for it. */
int tool_failure(int result);

/* Prints errno's words about `what`, which is TOOL_FAILED. */
void tool_system_failure(const char *what);

/* Prints what is wrong with the arguments; returns TOOL_USAGE. */
int tool_misuse(const char *why);

#endif
