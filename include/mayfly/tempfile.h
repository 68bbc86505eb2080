/* SPDX-License-Identifier: MIT */
/* tempfile.h - temporary files, directories and names, and what vanishes with the process: Python's tempfile.
 *
 * Calling sequence
 * ----------------
 * A program that needs a file while it runs
 *
 *  - calls mayfly_temporary_file(), or mayfly_spooled_temporary_file() where it is mostly small, and has a file that no
 *    name leads to; or mayfly_named_temporary_file() where others are to open it by mayfly_file_path();
 *  - writes, seeks and reads with mayfly_file_write() and its like, or asks for a descriptor or a FILE;
 *  - ends it with mayfly_file_close(), and the file is gone; or before that gives it a lasting name at once and whole,
 *    with mayfly_file_persist().
 *
 *      mayfly_file *file;
 *      if (mayfly_temporary_file(NULL, &file) < 0)
 *        return report(mayfly_last_error());
 *      ... mayfly_file_write(file, data, size) ...
 *      if (mayfly_file_persist(file, "report.txt", MAYFLY_MODE_NEW, 0) < 0)
 *        ...
 *      mayfly_file_close(file);
 *
 * A program that needs a directory of its own for a while
 *
 *  - calls mayfly_temporary_directory() and gets an object for a fresh one, that only this user may enter;
 *  - takes its absolute path from mayfly_directory_path() and puts into it what it likes;
 *  - calls mayfly_directory_close(), which removes it with all that is in it. A program that ends without, by exit() or
 *    by a return from main(), leaves nothing behind either.
 *
 *      mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
 *      options.prefix = "build-";
 *      mayfly_directory *directory;
 *      if (mayfly_temporary_directory(&options, &directory) < 0)
 *        return report(mayfly_last_error());
 *      build_in(mayfly_directory_path(directory));
 *      ...
 *      if (mayfly_directory_close(directory) < 0)
 *        report(mayfly_last_error());
 *
 * One that wants to keep the result calls mayfly_directory_persist() with its lasting name before it closes. One that
 * must leave nothing behind even when it is killed sets MAYFLY_TEMP_CRASH_SAFE, and whoever comes next, itself at its
 * start or another program of this user, calls mayfly_sweep(). One that looks after the directory itself calls
 * mayfly_mkdtemp(): that one is the caller's, as in Python, and mayfly_rmtree() removes it.
 *
 * A program that is content with the system's choice of directory never calls mayfly_gettempdir() or
 * mayfly_settempdir(): each function finds the directory where `dir` is NULL.
 *
 * A program that may be ended by a signal calls mayfly_cleanup_on_signals() once, early in main(); then what the
 * library holds for it (temporary directories, named temporary files, sockets of listeners, the directory that
 * arbitrary addresses live in) is gone after a SIGTERM too. One that has signal handlers of its own calls
 * mayfly_cleanup() on its way out, not inside the handler.
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
 * A `char **` is yours and goes back to mayfly_free(). A `const char *` is the library's: an object's path until the
 * object is persisted or closed, any other for the life of the process, with the same text after mayfly_settempdir()
 * too.
 *
 * Errors
 * ------
 * As <mayfly/base.h> says. Nothing is left behind by a call that failed.
 *
 * Exit and fork
 * -------------
 * The library knows what must vanish with this process from before it is made until after it is gone. At exit(), or a
 * return from main(), what is left is removed, the newest first; not at _exit(), abort() or SIGKILL. A name is removed
 * only if it still leads to what was made under it: a stranger is left alone, as is a file that an editor puts in its
 * place. A forked child owns nothing of its parent's, draws other names than its parent, and its exit removes nothing
 * but what it made itself; in it, cleanup and close of an object that the parent made remove nothing. Of a child that
 * was made otherwise than by fork(3) the library learns at its exit only, which removes nothing.
 *
 * While a mayfly_directory lives, a shared flock(2) is held on it: systemd-tmpfiles, which removes what is old from the
 * temporary directory, passes over what is locked.
 *
 * Threads
 * -------
 * All of it may be called from any thread at any time, on different objects, but none of it from a signal handler.
 */
#ifndef MAYFLY_TEMPFILE_H
#define MAYFLY_TEMPFILE_H

#include <mayfly/base.h>
#include <stdio.h>

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

/* Makes a file that only this user may read or write, and opens it for both: mode 0600, exactly and from the first
 * moment, whatever the umask. On Windows: an access list of its own for the user, SYSTEM and the administrators.
 * `options` NULL: all defaults. *fd is yours (mayfly_os_fd_close()), and *path, which is absolute, too (mayfly_free());
 * so is the file, which nobody removes for you. Stands for mkstemp().
 *
 * MAYFLY_EINVAL: a bad prefix, suffix, flag or `size`; an output that is NULL. MAYFLY_EEXIST: all names that were tried
 * are taken. MAYFLY_ENOENT: `dir` is not there, or there is no usable temporary directory. MAYFLY_ENOTDIR: `dir` is no
 * directory. MAYFLY_EPERM: the file system can't keep it private (FAT). MAYFLY_EACCES, MAYFLY_EROFS, MAYFLY_ENOSPC,
 * MAYFLY_ENAMETOOLONG, MAYFLY_ELOOP, MAYFLY_EMFILE, MAYFLY_EIO: open(2) could not. MAYFLY_ENOMEM. */
MAYFLY_API int mayfly_mkstemp(const mayfly_temp_options *options, mayfly_os_fd *fd, char **path);

/* Makes a directory that only this user may enter: mode 0700, exactly and from the first moment, whatever the umask. On
 * Windows: an access list of its own for the user, SYSTEM and the administrators. `options` NULL: all defaults. *path
 * is absolute and yours (mayfly_free()); so is the directory, which nobody removes for you. Stands for mkdtemp().
 *
 * MAYFLY_EINVAL: a bad prefix, suffix, flag or `size`. MAYFLY_EEXIST: all names that were tried are taken.
 * MAYFLY_ENOENT: `dir` is not there, or there is no usable temporary directory. MAYFLY_ENOTDIR: `dir` is no directory.
 * MAYFLY_EPERM: the file system can't keep it private (FAT). MAYFLY_EACCES, MAYFLY_EROFS, MAYFLY_ENOSPC,
 * MAYFLY_ENAMETOOLONG, MAYFLY_ELOOP, MAYFLY_EMFILE, MAYFLY_EIO: mkdir(2) could not. MAYFLY_ENOMEM. */
MAYFLY_API int mayfly_mkdtemp(const mayfly_temp_options *options, char **path);

/* A temporary file that is open for reading and writing. One thread at a time. What its functions may return besides
 * what stands with each: MAYFLY_EINVAL where `file` or a needed argument is NULL, MAYFLY_EBADF after
 * mayfly_file_release(), and what the system says: MAYFLY_EIO, MAYFLY_ENOSPC, MAYFLY_ENOMEM. */
typedef struct mayfly_file mayfly_file;

/* A file that no name leads to, so nothing of it is ever left: O_TMPFILE where the file system has it (it is tried each
 * time), else made under a name that is taken away at once. On Windows the name stays to be seen until the file is
 * closed, if only by a power cut. Flags: MAYFLY_TEMP_MEMORY. `options` NULL: all defaults; prefix and suffix count
 * where there is a name. *file is yours: mayfly_file_close(). Stands for TemporaryFile.
 *
 * The errors of mayfly_mkstemp(). MAYFLY_ECANCELED: the process is ending. */
MAYFLY_API int mayfly_temporary_file(const mayfly_temp_options *options, mayfly_file **file);

/* A file as mayfly_mkstemp() makes it, which mayfly_file_close() removes, or else the end of this process. Flags:
 * MAYFLY_TEMP_KEEP, MAYFLY_TEMP_REOPENABLE, MAYFLY_TEMP_CRASH_SAFE. `options` NULL: all defaults. *file is yours:
 * mayfly_file_close(). Stands for NamedTemporaryFile.
 *
 * On Windows a file without MAYFLY_TEMP_KEEP and MAYFLY_TEMP_REOPENABLE is removed by the system with its last
 * descriptor, even after a crash, and another program can open it only if it shares deleting. With one of them it must
 * share reading and writing, as fopen() does and a shell's redirection does not. So what any program may be given is
 * released first (mayfly_file_release()) and opened again afterwards (mayfly_file_reopen()), on every system.
 *
 * The errors of mayfly_mkstemp(). MAYFLY_ECANCELED: the process is ending. */
MAYFLY_API int mayfly_named_temporary_file(const mayfly_temp_options *options, mayfly_file **file);

/* A file in memory, which becomes one without a name, as mayfly_temporary_file() makes it, before more than `max_size`
 * bytes would be in it, when its descriptor is asked for, or by mayfly_file_rollover(). `max_size` 0: never by size. No
 * flags. `options` NULL: all defaults, and the temporary directory is looked for when it rolls over; so is seen whether
 * `dir` can be used. *file is yours: mayfly_file_close(). Stands for SpooledTemporaryFile.
 *
 * All reads, writes, seeks and truncates do the same before and after. A write or a truncate that would roll over and
 * can't leaves content and position as they were.
 *
 * MAYFLY_EINVAL: a bad prefix, suffix, flag or `size`. MAYFLY_ENOENT: there is no usable temporary directory.
 * MAYFLY_ENOMEM. Where it rolls over: the errors of mayfly_temporary_file(). */
MAYFLY_API int mayfly_spooled_temporary_file(const mayfly_temp_options *options, size_t max_size, mayfly_file **file);

/* Reads at the position, which moves on. How many bytes that were: fewer than `size` near the end, or where `size` is
 * more than a GiB; 0 at or behind the end. Stands for read(size). */
MAYFLY_API int64_t mayfly_file_read(mayfly_file *file, void *buffer, size_t size);

/* Writes all of it at the position, which moves on; what lies between the end and the position becomes zeros. On
 * failure the position stays; how much was written is not said, but of a spooled file in memory: nothing. Stands for
 * write(). */
MAYFLY_API int mayfly_file_write(mayfly_file *file, const void *data, size_t size);

/* mayfly_file_read() at `offset`; the position stays. Stands for os.pread(). MAYFLY_EINVAL: a negative offset. */
MAYFLY_API int64_t mayfly_file_pread(mayfly_file *file, void *buffer, size_t size, int64_t offset);

/* mayfly_file_write() at `offset`; the position stays. Stands for os.pwrite(). MAYFLY_EINVAL: a negative offset. */
MAYFLY_API int mayfly_file_pwrite(mayfly_file *file, const void *data, size_t size, int64_t offset);

/* Reads until a newline is read, the file ends, or `size` - 1 bytes are in `buffer`, and adds a NUL. How many bytes
 * without that NUL, 0 at the end; a longer line comes in pieces, of which the last ends in the newline. Stands for
 * readline(). MAYFLY_EINVAL: `size` below 2. */
MAYFLY_API int64_t mayfly_file_readline(mayfly_file *file, char *buffer, size_t size);

/* Moves the position to `offset` from the beginning, itself or the end (SEEK_SET, SEEK_CUR, SEEK_END), which may be
 * behind the end; the new position. Stands for seek(). MAYFLY_EINVAL: a position before the beginning or beyond
 * INT64_MAX, another whence; the position stays. */
MAYFLY_API int64_t mayfly_file_seek(mayfly_file *file, int64_t offset, int whence);

/* The position. Stands for tell(). */
MAYFLY_API int64_t mayfly_file_tell(mayfly_file *file);

/* Makes the file `size` bytes large (-1: as many as the position says), with zeros where it grows. The position stays.
 * Stands for truncate(). MAYFLY_EINVAL: less than -1. */
MAYFLY_API int mayfly_file_truncate(mayfly_file *file, int64_t size);

/* Returns when what was written is on the disk; of what is in memory nothing is. Stands for os.fsync(). */
MAYFLY_API int mayfly_file_sync(mayfly_file *file);

/* Takes a spooled file out of memory, now; any other is as it should be. Stands for rollover(). The errors of
 * mayfly_temporary_file(), and then nothing has changed. */
MAYFLY_API int mayfly_file_rollover(mayfly_file *file);

/* 0: a spooled file that is in memory. 1: any other. Stands for _rolled. */
MAYFLY_API int mayfly_file_rolled(const mayfly_file *file);

/* The file's name, absolute; borrowed, until it is persisted or closed. NULL: it has none, or is another object's
 * (mayfly_file_reopen()). Stands for name. */
MAYFLY_API const char *mayfly_file_path(const mayfly_file *file);

/* The descriptor, borrowed until the file is closed, released or persisted; a spooled file rolls over first. The
 * position is put on it now; afterwards the two part (on Windows every read and write of ours moves the descriptor's).
 * Stands for fileno(). */
MAYFLY_API int mayfly_file_os_fd(mayfly_file *file, mayfly_os_fd *fd);

/* A FILE on a duplicate of the descriptor, which lives until you fclose() it, whatever becomes of `file`; a spooled
 * file rolls over first. It begins at the position; afterwards the two part. `mode` is "r", "w", "r+" or "w+", with or
 * without "b"; none truncates. FILEs belong to a C runtime: program and library must share it (Windows). Stands for the
 * file object itself. MAYFLY_EINVAL: another mode. MAYFLY_EMFILE. */
MAYFLY_API int mayfly_file_stream(mayfly_file *file, const char *mode, FILE **stream);

/* The same file in an object of its own, with a position of its own, at 0; a spooled file rolls over first. A released
 * file can be opened again too. *again is yours, mayfly_file_close(); closing it removes nothing, whichever is closed
 * first. Python opens the name again.
 *
 * MAYFLY_ESTOLEN: the name leads to something else. MAYFLY_ENOENT: it is gone. MAYFLY_EACCES: the mode was changed.
 * MAYFLY_EMFILE. */
MAYFLY_API int mayfly_file_reopen(mayfly_file *file, mayfly_file **again);

/* Closes the descriptor; the name stays, for others, until mayfly_file_close(). For programs that can't open a file
 * that somebody has open (Windows). Needs MAYFLY_TEMP_KEEP or MAYFLY_TEMP_REOPENABLE. Again: nothing. Stands for
 * close() with delete_on_close=False.
 *
 * MAYFLY_EINVAL: the file has neither flag, or is no longer this process's: it was cleaned up, or is the parent's of a
 * forked child. MAYFLY_EIO, MAYFLY_ENOSPC: what was written did not reach the disk; it is released all the same. */
MAYFLY_API int mayfly_file_release(mayfly_file *file);

/* The file stays for good under its name, and the object ends, as by mayfly_file_close(). *fd is yours then, at the
 * position; `fd` NULL: it is closed. Needs MAYFLY_TEMP_KEEP or MAYFLY_TEMP_REOPENABLE, on every system.
 *
 * MAYFLY_EINVAL: the file has neither flag, is MAYFLY_TEMP_CRASH_SAFE (persist it: it lies where a sweep would remove
 * it), or is no longer this process's. MAYFLY_EBADF: it was released, and `fd` is not NULL. The object lives on then.
 * MAYFLY_EIO, MAYFLY_ENOSPC, where `fd` is NULL: what was written did not reach the disk; the object has ended. */
MAYFLY_API int mayfly_file_detach(mayfly_file *file, mayfly_os_fd *fd);

/* What a persist may do besides giving the name. */
#define MAYFLY_PERSIST_NOREPLACE (1u << 0) /* MAYFLY_EEXIST where something has the name already */
#define MAYFLY_PERSIST_SYNC      (1u << 1) /* content and name are on the disk when it returns */

/* The modes that are no bits of chmod(2). For the owner only: 0600, of a directory 0700; on Windows the owner's own
 * access list. */
#define MAYFLY_MODE_PRIVATE      0
/* What open(2) or mkdir(2) gives: 0666 or 0777 less the umask; on Windows the directory's access list. (Of the bits of
 * chmod(2) only the owner's write counts there: without it a file is read-only.) */
#define MAYFLY_MODE_NEW          (-1)

/* Gives the file the lasting name `path`, at once and whole, or not at all: who looks finds what was there before or
 * the new file with all its content and its `mode`: MAYFLY_MODE_PRIVATE, MAYFLY_MODE_NEW or the bits of chmod(2).
 * `flags`: MAYFLY_PERSIST_*. Afterwards the file is open under that name, mayfly_file_path(), and closing it removes
 * nothing. A relative path counts from the working directory; a link at `path` is replaced, not followed. Python has
 * only os.replace(), and for files without a name nothing.
 *
 * A file without a name is linked, or, where it can't be (another file system, memory, Windows), copied under a random
 * name beside `path` and renamed; a named one is renamed (on Windows without MAYFLY_TEMP_REOPENABLE: copied). After a
 * copy, descriptors and FILEs that were given out are the old file's. A kill -9 in that moment may leave the random
 * name.
 *
 * On failure all is as it was; its mode is 0600 then, or that of an earlier persist. MAYFLY_EEXIST: see
 * MAYFLY_PERSIST_NOREPLACE. MAYFLY_EXDEV: a named file, and `path` is on another file system. MAYFLY_EISDIR: `path` is
 * a directory, or ends in a separator; MAYFLY_EBUSY: or in "..". MAYFLY_ENOENT, MAYFLY_ENOTDIR, MAYFLY_EACCES,
 * MAYFLY_EPERM, MAYFLY_EROFS, MAYFLY_ENAMETOOLONG, MAYFLY_EMFILE: the name can't be made there. MAYFLY_ESTOLEN: the
 * file's own name is gone, or leads to another file. MAYFLY_EINVAL: a bad mode or flag, "", a file opened again, or one
 * that is no longer this process's. MAYFLY_ECANCELED: the process is ending. One exception: where MAYFLY_PERSIST_SYNC
 * fails at the directory, with MAYFLY_EIO, the file has its name, but a crash may undo that. */
MAYFLY_API int mayfly_file_persist(mayfly_file *file, const char *path, int mode, unsigned flags);

/* Closes the file and removes its name, if it has one that is to be removed and still leads to it; a name that has gone
 * already, or that is a stranger's now, is no failure. The object is gone whatever this returns. NULL: nothing. Stands
 * for close().
 *
 * MAYFLY_EACCES, MAYFLY_EPERM, MAYFLY_EROFS, MAYFLY_EBUSY (Windows: somebody holds it): the name can't be removed now;
 * mayfly_cleanup() or the end of the process tries again. MAYFLY_EIO, MAYFLY_ENOSPC: what was written did not reach the
 * disk. */
MAYFLY_API int mayfly_file_close(mayfly_file *file);

/* A directory that this library looks after. */
typedef struct mayfly_directory mayfly_directory;

/* Makes a directory as mayfly_mkdtemp() does, which is removed with all that is in it by mayfly_directory_close(), or
 * at exit. Flags: MAYFLY_TEMP_KEEP, MAYFLY_TEMP_IGNORE_CLEANUP_ERRORS, MAYFLY_TEMP_CRASH_SAFE. `options` NULL: all
 * defaults. It holds one descriptor; on Windows nobody else can remove or rename it then. *directory is yours
 * (mayfly_directory_close()). Stands for TemporaryDirectory.
 *
 * As mayfly_mkdtemp(), and MAYFLY_ECANCELED: this process is ending. */
MAYFLY_API int mayfly_temporary_directory(const mayfly_temp_options *options, mayfly_directory **directory);

/* Its absolute path; borrowed until mayfly_directory_persist() or mayfly_directory_close(). It stays what it was after
 * the directory is gone. NULL: `directory` is. Stands for TemporaryDirectory.name. */
MAYFLY_API const char *mayfly_directory_path(const mayfly_directory *directory);

/* Makes it a lasting directory, at once or not at all: gives it the name `path`, with `mode` before anybody sees it
 * there (MAYFLY_MODE_PRIVATE, MAYFLY_MODE_NEW or the bits of chmod(2)), and looks after it no longer. What is in it
 * keeps its modes. An empty directory at `path` is replaced (on Windows: removed first). Flags:
 * MAYFLY_PERSIST_NOREPLACE, MAYFLY_PERSIST_SYNC (the directory and its new name; files in it are the caller's to sync).
 * Afterwards its path is the new one, and mayfly_directory_close() only frees. Python has no such function.
 *
 * On failure it is what it was, mode included, and vanishes as before. MAYFLY_EINVAL: NULL, "", a flag or a mode that
 * is none, a `path` in the directory itself; or it was removed or made to last already, or is the parent process's.
 * MAYFLY_EEXIST: something has the name, and MAYFLY_PERSIST_NOREPLACE was given. MAYFLY_ENOTEMPTY, MAYFLY_ENOTDIR:
 * there is a directory that is not empty, or something else. MAYFLY_EXDEV: `path` is on another file system.
 * MAYFLY_ENOENT: it is gone, or the directory that `path` lies in. MAYFLY_ESTOLEN: its old name leads to something
 * else. MAYFLY_EACCES, MAYFLY_EPERM, MAYFLY_EROFS, MAYFLY_ENOSPC, MAYFLY_ENAMETOOLONG, MAYFLY_ELOOP, MAYFLY_EBUSY,
 * MAYFLY_EMFILE, MAYFLY_EIO: the system refused. MAYFLY_ENOMEM. */
MAYFLY_API int mayfly_directory_persist(mayfly_directory *directory, const char *path, int mode, unsigned flags);

/* Removes it now, with all that is in it, as mayfly_rmtree() does; the object lives on. Once that is done, or somebody
 * else did it, or it was made to last, a further call does nothing; after a failure it tries again. MAYFLY_TEMP_KEEP
 * does not keep it from an explicit cleanup, as in Python. Stands for TemporaryDirectory.cleanup().
 *
 * Always 0 with MAYFLY_TEMP_IGNORE_CLEANUP_ERRORS. MAYFLY_EINVAL: `directory` is NULL. MAYFLY_ESTOLEN: its name leads
 * to something else, a link, a file or another directory, which is left alone. Else as mayfly_rmtree(). */
MAYFLY_API int mayfly_directory_cleanup(mayfly_directory *directory);

/* mayfly_directory_cleanup(), but for one with MAYFLY_TEMP_KEEP, and the end of the object, whatever comes of it. NULL:
 * nothing. Stands for leaving the with statement of a TemporaryDirectory. Errors as mayfly_directory_cleanup(). */
MAYFLY_API int mayfly_directory_close(mayfly_directory *directory);

/* How mayfly_rmtree() goes about it. */
typedef struct mayfly_rmtree_options {
  /* Of this struct, in bytes; set by MAYFLY_RMTREE_OPTIONS_INIT. */
  size_t size;
  /* MAYFLY_RMTREE_IGNORE_ERRORS, or 0. */
  unsigned flags;
  /* Called after each file and directory that was removed, with how many that makes. If it returns anything but 0, the
   * removal stops there: MAYFLY_ECANCELED. NULL: nobody wants to know. */
  int (*progress)(void *context, uint64_t removed);
  /* Handed to `progress`. */
  void *context;
} mayfly_rmtree_options;

/* Begins a mayfly_rmtree_options: all defaults. */
#define MAYFLY_RMTREE_OPTIONS_INIT                                                                                     \
  { sizeof(mayfly_rmtree_options), 0, NULL, NULL }

/* What can't be removed is left, and that is no failure; nor is it that there is nothing: ignore_errors=True. */
#define MAYFLY_RMTREE_IGNORE_ERRORS (1u << 0)

/* Removes a directory with all that is in it: any depth, names of any bytes, in constant stack and with at most 20
 * descriptors. No link is followed, neither in the tree, which a link only loses itself from, nor at its top, however
 * many slashes are behind `path`, nor one that is put in the way meanwhile: everything is removed by the directory that
 * holds it and not by its path. Permissions that keep their owner out (on Windows: the read-only attribute) are taken
 * off what is to be removed, as Python does for a TemporaryDirectory, but never off the directory that `path` lies in.
 * `options` NULL: all defaults. Stands for shutil.rmtree().
 *
 * What can't be removed is left, the rest is removed all the same, and the first failure is returned: its words name
 * the path. MAYFLY_EINVAL: bad options, or a `path` whose last name is none ("", ".", "..", "/"). MAYFLY_ENOENT:
 * nothing is there. MAYFLY_ENOTDIR: a link or a file is. MAYFLY_ECANCELED: `progress` said so. MAYFLY_ESTOLEN: a
 * directory was moved away, or replaced, meanwhile. MAYFLY_EACCES, MAYFLY_EPERM, MAYFLY_EROFS, MAYFLY_EBUSY (on
 * Windows: somebody has a file open; a mount point), MAYFLY_ENOTEMPTY (somebody keeps making files), MAYFLY_EMFILE,
 * MAYFLY_ENAMETOOLONG, MAYFLY_ELOOP, MAYFLY_EIO: the system refused. MAYFLY_ENOMEM. */
MAYFLY_API int mayfly_rmtree(const char *path, const mayfly_rmtree_options *options);

/* Removes from `dir` what killed processes left there: the directories that MAYFLY_TEMP_CRASH_SAFE and arbitrary
 * AF_UNIX addresses are made in, of which each process has its own, of this user only, and not while their process
 * lives, or a child that it forked and that has not executed another program. Any process may call it at any time,
 * several at once too. `dir` NULL: mayfly_gettempdir(). *removed is how many processes' directories there were; NULL:
 * not wanted. Python has no such function.
 *
 * The rest is swept where one can't be removed; the first failure is returned. MAYFLY_ENOENT, MAYFLY_ENOTDIR,
 * MAYFLY_EACCES: `dir` can't be listed. Else as mayfly_rmtree(). */
MAYFLY_API int mayfly_sweep(const char *dir, uint64_t *removed);

/* Removes now what would be removed at exit, the newest first: temporary directories and named temporary files, the
 * names of all its AF_UNIX listeners and the directories that both may lie in. Listeners that other threads use lose
 * their names only; accepted connections live on, later closes succeed, and what is made afterwards is known again. For
 * programs that leave by _exit() or from their own signal handling; not to be called in a signal handler itself. Python
 * has no such function: its parts are atexit and the exit hooks of multiprocessing.util.
 *
 * The rest is still removed where one thing fails; the first failure is returned. MAYFLY_ESTOLEN: a directory's name
 * now belongs to something else and was left alone. Else as mayfly_rmtree(). */
MAYFLY_API int mayfly_cleanup(void);

/* From now on SIGINT, SIGTERM and SIGHUP clean up before they end the process; of these, only those whose action is
 * the default at this call, so that a handler of the program's own, or SIG_IGN, stays as it is. Called again, it covers
 * what has become default since. On Windows: CTRL_C, CTRL_BREAK and the console's close.
 *
 * What happens then: the handler only wakes a thread, which this call has started. The thread lets nothing more be
 * made that would have to vanish (MAYFLY_ECANCELED, as from mayfly_temporary_directory() or mayfly_listen()), waits for
 * what is being made at that moment (five seconds at most), cleans up as mayfly_cleanup(), puts the default action back
 * and raises the signal again: the exit status is the signal's. As pid 1 of a container, where the default action does
 * nothing, the process ends with 128 + signal. A thread that calls exit() meanwhile waits for the signal. In a forked
 * child, which has not called this function itself, the signal just takes its course. A handler that the program
 * installs later takes the place of this one, for its signal. On Windows a later handler is called first, and may keep
 * the event to itself; an earlier one may still deal with it after the cleanup: then nothing more is made, and exit()
 * waits two seconds.
 *
 * MAYFLY_EAGAIN: the system has no thread to give. MAYFLY_EMFILE, MAYFLY_ENOMEM. Nothing is changed then. */
MAYFLY_API int mayfly_cleanup_on_signals(void);

#ifdef __cplusplus
}
#endif
#endif
