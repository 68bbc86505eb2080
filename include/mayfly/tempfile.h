/* SPDX-License-Identifier: MIT */
/* tempfile.h - temporary directories and names, and what vanishes with the process: Python's tempfile.
 *
 * Calling sequence
 * ----------------
 * A program that needs a directory of its own
 *
 *  - calls mayfly_mkdtemp() and gets the absolute path of a fresh one, that only this user may enter;
 *  - uses it, and removes it and what it put there: what mayfly_mkdtemp() makes is the caller's, as in Python;
 *  - gives the path back to mayfly_free().
 *
 *      mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
 *      options.prefix = "build-";
 *      char *path;
 *      if (mayfly_mkdtemp(&options, &path) < 0)
 *        return report(mayfly_last_error());
 *      ...
 *      mayfly_free(path);
 *
 * A program that is content with the system's choice of directory never calls mayfly_gettempdir() or
 * mayfly_settempdir(): each function finds the directory where `dir` is NULL.
 *
 * A program that may be ended by a signal calls mayfly_cleanup_on_signals() once, early in main(); then what the
 * library itself holds for it (sockets of listeners, the directory that arbitrary addresses live in) is gone after a
 * SIGTERM too. One that has signal handlers of its own calls mayfly_cleanup() on its way out, not inside the handler.
 *
 * Names
 * -----
 * A name is prefix, 8 characters of a-z0-9_ from the system's random generator, suffix. MAYFLY_TMP_MAX names are tried.
 * A prefix or suffix that has a separator ("/", on Windows: also "\" and ":"), is "..", or is a name that the system
 * reserves, is MAYFLY_EINVAL, as is a prefix that begins with ".mayfly-", which this library keeps for itself. Python
 * takes them all, and may make the file somewhere else.
 *
 * Ownership
 * ---------
 * A `char **` is yours and goes back to mayfly_free(). A `const char *` is the library's, for the life of the process:
 * it stays valid, with the same text, after mayfly_settempdir() too.
 *
 * Errors
 * ------
 * As <mayfly/base.h> says. Nothing is left behind by a call that failed.
 *
 * Exit and fork
 * -------------
 * The library knows what must vanish with this process from before it is made until after it is gone. At exit(), or a
 * return from main(), what is left is removed, the newest first; not at _exit(), abort() or SIGKILL. A name is removed
 * only if it still leads to what was made under it: a stranger is left alone. A forked child owns nothing of its
 * parent's, draws other names than its parent, and its exit removes nothing but what it made itself.
 *
 * Threads
 * -------
 * All of it may be called from any thread at any time, but none of it from a signal handler.
 */
#ifndef MAYFLY_TEMPFILE_H
#define MAYFLY_TEMPFILE_H

#include <mayfly/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where a temporary thing is made and how it is called: the keyword arguments of Python's functions. */
typedef struct mayfly_temp_options {
  /* Of this struct, in bytes; set by MAYFLY_TEMP_OPTIONS_INIT. */
  size_t size;
  /* The directory; a relative one, and "", count from the working directory at the call. NULL: mayfly_gettempdir(). */
  const char *dir;
  /* What the name begins with. NULL: mayfly_gettempprefix(). */
  const char *prefix;
  /* What the name ends with. NULL: "". */
  const char *suffix;
  /* MAYFLY_TEMP_*; one that a function has no use for is MAYFLY_EINVAL. */
  unsigned flags;
} mayfly_temp_options;

/* Begins a mayfly_temp_options: all defaults. */
#define MAYFLY_TEMP_OPTIONS_INIT                                                                                       \
  { sizeof(mayfly_temp_options), NULL, NULL, NULL, 0 }

/* Nobody removes it: delete=False. */
#define MAYFLY_TEMP_KEEP                  (1u << 0)
/* Others may open the file by its name, and mayfly_file_release() and mayfly_file_detach() are possible:
 * delete_on_close=False. */
#define MAYFLY_TEMP_REOPENABLE            (1u << 1)
/* What of a directory can't be removed is left, and that is no failure: ignore_cleanup_errors=True. */
#define MAYFLY_TEMP_IGNORE_CLEANUP_ERRORS (1u << 2)
/* Made in this process's own directory, so that mayfly_sweep() removes it even after kill -9. Not with
 * MAYFLY_TEMP_KEEP. */
#define MAYFLY_TEMP_CRASH_SAFE            (1u << 3)
/* A file without a name that is in memory, where the system can do that; else as usual. */
#define MAYFLY_TEMP_MEMORY                (1u << 4)

/* The directory for temporary files, absolute. It is looked for at the first need and then remembered: $TMPDIR, $TEMP,
 * $TMP, then /tmp, /var/tmp, /usr/tmp, then the working directory; the first in which a file can be made, written and
 * removed. On Windows: the same three variables, then the system's usual places. Borrowed for ever. Stands for
 * gettempdir().
 *
 * NULL: none will do (MAYFLY_ENOENT), and mayfly_last_error() names those that were tried; or there is no memory or no
 * descriptor to try them with. The next call looks again. */
MAYFLY_API const char *mayfly_gettempdir(void);

/* The same as mayfly_gettempdir(): paths are bytes here. Stands for gettempdirb(). */
MAYFLY_API const char *mayfly_gettempdirb(void);

/* What names begin with if nothing else is asked for: "tmp". Borrowed for ever, never NULL. Stands for
 * gettempprefix(). */
MAYFLY_API const char *mayfly_gettempprefix(void);

/* The same as mayfly_gettempprefix(). Stands for gettempprefixb(). */
MAYFLY_API const char *mayfly_gettempprefixb(void);

/* Makes `dir` the directory for temporary files, for every thread. The text is taken as it is, like Python's: whether
 * it can be used is seen when something is made there. NULL forgets what is remembered, and the next use looks again.
 * What mayfly_gettempdir() returned earlier stays valid. Stands for tempfile.tempdir = dir.
 *
 * MAYFLY_EINVAL: "". MAYFLY_ENOMEM. */
MAYFLY_API int mayfly_settempdir(const char *dir);

/* How many names are tried before MAYFLY_EEXIST. Stands for TMP_MAX. */
#define MAYFLY_TMP_MAX 10000

/* A path that nothing has at this moment, absolute. Deprecated, as in Python: before the caller makes something there
 * another may have, so make it exclusively or use mayfly_mkdtemp(). `options` NULL: all defaults. *path is yours
 * (mayfly_free()). Stands for mktemp().
 *
 * MAYFLY_EINVAL: a bad prefix, suffix, flag or `size`. MAYFLY_EEXIST: all names that were tried are taken.
 * MAYFLY_ENOENT: there is no usable temporary directory. MAYFLY_ENAMETOOLONG, MAYFLY_EACCES, MAYFLY_ENOTDIR,
 * MAYFLY_ELOOP: a name can't be looked at there. MAYFLY_EMFILE, MAYFLY_ENOMEM, MAYFLY_EIO. */
MAYFLY_API int mayfly_mktemp(const mayfly_temp_options *options, char **path);

/* Makes a directory that only this user may enter: mode 0700, exactly and from the first moment, whatever the umask. On
 * Windows: an access list of its own for the user, SYSTEM and the administrators. `options` NULL: all defaults. *path
 * is absolute and yours (mayfly_free()); so is the directory, which nobody removes for you. Stands for mkdtemp().
 *
 * MAYFLY_EINVAL: a bad prefix, suffix, flag or `size`. MAYFLY_EEXIST: all names that were tried are taken.
 * MAYFLY_ENOENT: `dir` is not there, or there is no usable temporary directory. MAYFLY_ENOTDIR: `dir` is no directory.
 * MAYFLY_EACCES, MAYFLY_EROFS, MAYFLY_ENOSPC, MAYFLY_ENAMETOOLONG, MAYFLY_ELOOP, MAYFLY_EMFILE, MAYFLY_EIO: mkdir(2)
 * could not. MAYFLY_ENOMEM. */
MAYFLY_API int mayfly_mkdtemp(const mayfly_temp_options *options, char **path);

/* What a persist may do besides giving the name. */
#define MAYFLY_PERSIST_NOREPLACE (1u << 0) /* MAYFLY_EEXIST where something has the name already */
#define MAYFLY_PERSIST_SYNC      (1u << 1) /* content and name are on the disk when it returns */

/* The modes that are no bits of chmod(2). */
#define MAYFLY_MODE_PRIVATE      0 /* for the owner only: 0600, of a directory 0700; on Windows the owner's own ACL */
#define MAYFLY_MODE_NEW                                                                                                \
  (-1) /* what open(2) or mkdir(2) gives: 0666 or 0777 less the umask; on Windows the directory's ACL */

/* Removes now what would be removed at exit, the newest first: the names of all AF_UNIX listeners of this process and
 * the directory that arbitrary addresses live in. Listeners that other threads use lose their names only; accepted
 * connections live on, later closes succeed, and what is made afterwards is known again. For programs that leave by
 * _exit() or from their own signal handling; not to be called in a signal handler itself. Python has no such function:
 * its parts are atexit and the exit hooks of multiprocessing.util.
 *
 * The rest is still removed where one thing fails; the first failure is returned. MAYFLY_ESTOLEN: the directory's name
 * now belongs to something else and was left alone. MAYFLY_ENOTEMPTY: somebody put a directory into the directory.
 * MAYFLY_EACCES, MAYFLY_EPERM, MAYFLY_EROFS, MAYFLY_EIO: the system refused. */
MAYFLY_API int mayfly_cleanup(void);

/* From now on SIGINT, SIGTERM and SIGHUP clean up before they end the process; of these, only those whose action is
 * the default at this call, so that a handler of the program's own, or SIG_IGN, stays as it is. Called again, it covers
 * what has become default since. On Windows: CTRL_C, CTRL_BREAK and the console's close.
 *
 * What happens then: the handler only wakes a thread, which this call has started. The thread lets nothing more be
 * made that would have to vanish (mayfly_listen() and mayfly_arbitrary_address() give MAYFLY_ECANCELED), waits for what
 * is being made at that moment, cleans up as mayfly_cleanup(), puts the default action back and raises the signal
 * again: the exit status is the signal's. As pid 1 of a container, where the default action does nothing, the process
 * ends with 128 + signal. A thread that calls exit() meanwhile waits for the signal. In a forked child, which has not
 * called this function itself, the signal just takes its course. A handler that the program installs later takes the
 * place of this one, for its signal.
 *
 * MAYFLY_EAGAIN: the system has no thread to give. MAYFLY_EMFILE, MAYFLY_ENOMEM. Nothing is changed then. */
MAYFLY_API int mayfly_cleanup_on_signals(void);

#ifdef __cplusplus
}
#endif
#endif
