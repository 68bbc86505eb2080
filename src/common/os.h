/* SPDX-License-Identifier: MIT */
/* os.h - the one door to the system.
 *
 * src/posix/ and src/win32/ each implement every function below, theme by theme, in files of the same names;
 * src/common/ and src/uv/ call nothing else of the system. So each may assume of the other:
 *
 *  - Results are 0 (or what the comment says) or a negative MAYFLY_E*; errno and GetLastError() never cross the
 *    door. The words are set where the failure is known, that is in here. Outputs come last and are untouched on
 *    failure.
 *  - Text is UTF-8 (on POSIX: bytes). Deadlines are mf_os_clock_us() values, MF_OS_NEVER for none: whoever has
 *    several steps hands the same deadline to each. One that has passed means "do not wait".
 *  - Every descriptor is born close-on-exec / not inheritable. EINTR is retried, SIGPIPE never raised. O_NONBLOCK is
 *    never set on what others may share.
 *  - No function here decides a default, prints, exits, or keeps state, but for the locks and hooks in process.c, and
 *    what crypto.c has looked up.
 */
#ifndef MF_OS_H
#define MF_OS_H

#include "digest.h"
#include "private.h"
#include <mayfly/address.h>
#include <mayfly/base.h>
#include <mayfly/connection.h>
#include <mayfly/tempfile.h>
#include <stdio.h>

/* ---- process.c: time, identity, locks, words, the end of the process ---------- */

#define MF_OS_NEVER INT64_MAX
MF_PRIVATE int64_t mf_os_clock_us(void); /* monotonic */
int64_t mf_os_process_id(void);          /* differs in a forked child */
/* Another number in a forked child, and no system call: for what must not be used in both processes. Negative: this
 * system can't tell. */
int mf_os_forks(void);

enum { MF_OS_WORDS_SIZE = 512, MF_OS_BATCH_SIZE = 256 };
struct mf_os_thread { /* what each thread has for itself, zero at first */
  char words[MF_OS_WORDS_SIZE];
  int in_flight; /* the registry's */
  struct {       /* random bytes in store, the template's; those used are zeros */
    uint8_t bytes[MF_OS_BATCH_SIZE];
    size_t left;
    int forks;
  } batch;
};
struct mf_os_thread *mf_os_thread(void); /* NULL: no memory for it */

/* The library's only locks, by name, so that they can be counted. They are not recursive, and made anew in a forked
 * child. */
enum mf_os_lock_id { MF_OS_LOCK_REGISTRY, MF_OS_LOCK_TEMPDIR, MF_OS_LOCK_LOOPS, MF_OS_LOCK_COUNT };
MF_PRIVATE void mf_os_lock(enum mf_os_lock_id id);
MF_PRIVATE void mf_os_unlock(enum mf_os_lock_id id);
/* Nonzero: held. 0: this very thread holds it already (exit() was called from a signal handler inside one of our
 * calls), or the system has ended the thread that did (Windows, DLL exit). Waits for living threads. */
int mf_os_lock_for_exit(enum mf_os_lock_id id);
/* With the lock held: give it up until somebody wakes its waiters or the deadline is reached, then take it again.
 * May come back early. 0: at once, since the system has ended all other threads (Windows, DLL exit). */
int mf_os_lock_wait(enum mf_os_lock_id id, int64_t deadline);
void mf_os_lock_wake(enum mf_os_lock_id id);

/* All once per process. */
struct mf_os_hooks {
  void (*at_exit)(void);
  void (*in_child)(void); /* after fork, with the locks made anew; only what is async-signal-safe */
};
int mf_os_hook(const struct mf_os_hooks *hooks);
/* From now on `on_signal` runs in a thread of its own when SIGINT, SIGTERM or SIGHUP (console: CTRL_C, CTRL_BREAK,
 * CTRL_CLOSE) arrives and its action was the default at this call; then the signal takes its course. Again: covers
 * what has become default since. */
int mf_os_hook_signals(void (*on_signal)(void));
/* Does not come back while a signal that was caught so is about to end the process: the exit status is the signal's,
 * not that of a thread which calls exit() meanwhile. */
void mf_os_yield_to_signal(void);

/* ---- crypto.c ---------------------------------------------------------------- */

int mf_os_random(void *buffer, size_t size);
mf_hmac_fn mf_os_hmac; /* see digest.h; absent digest: MAYFLY_ENOTSUP */

/* ---- path.c ------------------------------------------------------------------ */

/* Candidate for the temporary directory, as Python orders them; absolute. Yours to free. MAYFLY_EAGAIN: this one is
 * not given, take the next. MAYFLY_ENOENT: there are no more. From index MF_OS_TEMP_CANDIDATE_SYSTEM on they are the
 * system's, not the environment's. */
enum { MF_OS_TEMP_CANDIDATE_SYSTEM = 3 };
int mf_os_temp_candidate(size_t index, char **path);
int mf_os_path_absolute(const char *path, char **absolute); /* lexically, as os.path.abspath; yours to free */
/* The same for a name that is to be given: ".." leads where the system has it lead, which may be through a link. */
int mf_os_path_target(const char *path, char **absolute);
size_t mf_os_path_directory_size(const char *path); /* so many bytes of an absolute path are its directory */
char mf_os_path_separator(void);                    /* as it stands in an absolute path */
int mf_os_path_exists(const char *path);            /* 1, 0 or an error; links are not followed */
/* Where lasting endpoints belong, its separator included: "/run/"; yours to free. */
int mf_os_runtime_directory(mayfly_scope scope, char **path);
mayfly_family mf_os_default_family(void);
/* What a name begins and ends with: no separator, no "..", nothing that the system keeps for itself; MAYFLY_EINVAL. */
int mf_os_name_check(const char *prefix, const char *suffix);

/* ---- file.c: what was opened is known by identity, not by name --------------- */

/* Who a file or directory is. While a descriptor of it is held nobody else can be the same; afterwards ids are used
 * again, and only the time of birth tells. */
struct mf_os_identity {
  uint64_t volume;
  uint64_t file[2];
  int64_t born_ns; /* 0: not asked for, or the system does not say; then it is not compared */
};

enum {
  MF_OS_FILE_DELETE_ON_CLOSE = 1u << 0 /* Windows: FILE_FLAG_DELETE_ON_CLOSE; POSIX: nothing, who made it removes it */
};
/* Exclusively, for reading and writing, for the owner only whatever the umask, and from the first moment.
 * MAYFLY_EEXIST: something has that name. Of `identity` all but the birth is filled; NULL: not wanted. */
int mf_os_file_create(const char *path, unsigned flags, mayfly_os_fd *fd, struct mf_os_identity *identity);
/* In that directory, so that mf_os_file_link may give it a name there. MAYFLY_ENOTSUP: do it by name, with
 * MF_OS_FILE_DELETE_ON_CLOSE, then mf_os_file_unname. */
int mf_os_file_create_unnamed(const char *directory, mayfly_os_fd *fd);
int mf_os_file_create_in_memory(mayfly_os_fd *fd); /* MAYFLY_ENOTSUP: as usual, then */
/* Takes the name of a file just made away, which stays open. Windows: nothing, the name goes with the descriptor. */
int mf_os_file_unname(mayfly_os_fd fd, const char *path);
/* The same file once more, with a position of its own. `path` NULL: it has no name. `fd` MAYFLY_NO_FD: it is known by
 * `path` and `identity` alone. MAYFLY_ESTOLEN: the name leads to another file. */
int mf_os_file_reopen(mayfly_os_fd fd, const char *path, const struct mf_os_identity *identity, mayfly_os_fd *again);
/* With the birth, for who is about to give the descriptor up. Of a directory too. */
int mf_os_file_identity(mayfly_os_fd fd, struct mf_os_identity *identity);
/* Takes the name away if it still leads to that file. 1: removed, or will be when the last descriptor is closed
 * (Windows). 0: the name was gone, or is a stranger's, who was left alone. MAYFLY_EBUSY: somebody holds the file so
 * that it can't be (Windows); tried for a moment. A file that is read-only goes too. */
int mf_os_file_remove(const char *path, const struct mf_os_identity *identity);
/* The same, and closes *fd, in the order that costs least. Where the descriptor is given up *fd is MAYFLY_NO_FD and
 * *closed what mf_os_fd_close() said, even where the name can't be removed; then `identity` has the birth. */
int mf_os_file_end(mayfly_os_fd *fd, const char *path, struct mf_os_identity *identity, int *closed);
/* MAYFLY_MODE_PRIVATE, MAYFLY_MODE_NEW or the bits of chmod(2); `path` is the name that the file is about to have:
 * Windows takes MAYFLY_MODE_NEW from its directory, and of the bits only whether the owner may write. */
int mf_os_file_set_mode(mayfly_os_fd fd, int mode, const char *path);
/* Gives a name to a file without one; MAYFLY_EEXIST. MAYFLY_ENOTSUP, MAYFLY_EXDEV: copy it. */
int mf_os_file_link(mayfly_os_fd fd, const char *path);
/* At once or not at all; `from` must lead to fd's file (MAYFLY_ESTOLEN). Of `flags` MAYFLY_PERSIST_NOREPLACE counts:
 * MAYFLY_EEXIST. MAYFLY_EXDEV comes before MAYFLY_ENOTSUP: copy it (Windows, MF_OS_FILE_DELETE_ON_CLOSE). */
int mf_os_file_rename(mayfly_os_fd fd, const char *from, const char *to, unsigned flags);
/* The directory that an absolute path lies in, for mf_os_file_sync to put on the disk what names are in it. Windows:
 * MAYFLY_NO_FD, there is nothing to be done. */
int mf_os_file_parent(const char *path, mayfly_os_fd *directory);
int64_t mf_os_file_read_at(mayfly_os_fd fd, void *buffer, size_t size, int64_t offset);  /* how many; 0: the end */
int mf_os_file_write_at(mayfly_os_fd fd, const void *data, size_t size, int64_t offset); /* all of it */
int64_t mf_os_file_size(mayfly_os_fd fd);
int mf_os_file_truncate(mayfly_os_fd fd, int64_t size); /* or extend, with zeros */
int mf_os_file_seek(mayfly_os_fd fd, int64_t offset);   /* the descriptor's own position, when it is handed out */
int mf_os_file_sync(mayfly_os_fd fd);                   /* MAYFLY_NO_FD: nothing */
/* On a duplicate, whose closing leaves `fd` open; `mode` as for fdopen(3), without "a". */
int mf_os_file_stream(mayfly_os_fd fd, const char *mode, FILE **stream);
MF_PRIVATE int mf_os_fd_close(mayfly_os_fd fd); /* MAYFLY_NO_FD: nothing */
int mf_os_fd_set_inheritable(mayfly_os_fd fd, int inheritable);

/* ---- directory.c: held by a descriptor, removed with all that is in it -------- */

/* Owner only, exactly, whatever the umask; MAYFLY_EEXIST. The descriptor that comes back is held while the directory
 * lives: it is its identity, and with `locked` it says to a sweep, and to systemd-tmpfiles, that somebody is alive.
 * Where a sweep has taken the directory before it was locked, another is made. */
int mf_os_directory_create(const char *path, int locked, mayfly_os_fd *fd);
/* The directory that is there, whoever made it, to be removed. Separators and "/." at the end of `path` do not count.
 * MAYFLY_EINVAL: it is "", ".", "..", a root, or ends in "/..". MAYFLY_ENOTDIR: a link, to whatever it leads, or
 * something else that is no directory; the words say which. */
int mf_os_directory_open(const char *path, mayfly_os_fd *fd);
/* What a dead process held with `locked`: nobody else can hold it so from now on. MAYFLY_EAGAIN: leave it alone, since
 * somebody is alive, it is another user's, no directory, or no longer there. */
int mf_os_directory_claim(const char *path, mayfly_os_fd *fd);
int mf_os_directory_still(const char *path, mayfly_os_fd held); /* 1: `path` leads to what is held; 0: no longer */
/* The names in a directory but "." and "..", in no order; they may be removed meanwhile. What `visit` returns, if it is
 * not 0, ends the list and is the result. */
int mf_os_directory_list(const char *path, int (*visit)(void *context, const char *name), void *context);
/* Gives what is held the lasting name `to`, with `mode` before anybody sees it there: MAYFLY_MODE_* or the bits of
 * chmod(2). An empty directory at `to` is replaced, but with MAYFLY_PERSIST_NOREPLACE; else MAYFLY_ENOTEMPTY,
 * MAYFLY_ENOTDIR, MAYFLY_EEXIST. MAYFLY_EXDEV: another file system. MAYFLY_ESTOLEN: `from` leads elsewhere. On success
 * *held is closed and MAYFLY_NO_FD; on failure the directory is what it was, and *held still holds it (on Windows
 * perhaps by another handle). */
int mf_os_directory_rename(mayfly_os_fd *held, const char *from, const char *to, int mode, unsigned flags);
/* Everything in the directory that *held leads to, however deep, then itself if `path` still leads there; never through
 * a link, in constant stack and with few descriptors. Permissions and attributes that are in the way are taken off
 * what is in it and itself, never off what it lies in. `progress` (NULL: none) is called after each thing removed with
 * their number so far; what it returns, if it is not 0, stops the walk with MAYFLY_ECANCELED. What can't be removed is
 * left and the rest removed all the same; the first failure is the result, and its words name the path.
 * MAYFLY_ESTOLEN: `path` leads to a stranger, and nothing was touched. Nothing of that name is no failure. On success
 * *held is closed and MAYFLY_NO_FD; on failure it still holds the directory (on Windows perhaps by another handle, and
 * then unlocked), so that it can be tried again. */
int mf_os_directory_remove(const char *path, mayfly_os_fd *held, int (*progress)(void *context, uint64_t removed),
                           void *context);

/* ---- socket.c: endpoints ----------------------------------------------------- */

typedef struct mf_os_stream mf_os_stream;
typedef struct mf_os_listener mf_os_listener;

size_t mf_os_socket_path_max(void); /* bytes that an AF_UNIX path may have; 0: this system has none */

/* Of `flags` MAYFLY_ENDPOINT_ANY_USER and _PIPE_BYTES count. `bound` gets the address that peers connect to. */
int mf_os_listen(const mayfly_address *address, unsigned flags, int backlog, mf_os_listener **listener,
                 mayfly_address *bound);
/* MAYFLY_EAGAIN: nobody is waiting. `from` gets the peer's own address (AF_UNIX: mostly a path of ""). */
MF_PRIVATE int mf_os_accept(mf_os_listener *listener, mf_os_stream **stream, mayfly_address *from);
/* From any thread or a signal handler: the listener is ready, and accept gives MAYFLY_ECANCELED. */
int mf_os_listener_shutdown(mf_os_listener *listener);
int mf_os_listener_is_shut(const mf_os_listener *listener);
/* Its own, and only its own, once. Another thread may be using the listener. */
int mf_os_listener_remove_name(mf_os_listener *listener);
int mf_os_listener_close(mf_os_listener *listener); /* leaves the name */
/* For a loop. POSIX: *fd, borrowed, is readable while accept may succeed. Windows: *fd is MAYFLY_NO_FD, and `ready` is
 * called once, from a thread of the system's, as soon as accept may succeed; then watch again. NULL, or the close, ends
 * the watch; when they return, it is not being called. */
MF_PRIVATE int mf_os_listener_watch(mf_os_listener *listener, void (*ready)(void *context), void *context,
                                    mayfly_os_fd *fd);

/* Of `flags` MAYFLY_ENDPOINT_ANY_USER counts. */
int mf_os_connect(const mayfly_address *address, unsigned flags, int64_t deadline, mf_os_stream **stream);
/* For a loop, which has resolved the host: the name is numeric. 0: connected. 1: it will be, or not, once *stream is
 * writable: then mf_os_connect_finish. MAYFLY_EAGAIN: the listener is full or busy, try again later. */
MF_PRIVATE int mf_os_connect_start(const mayfly_address *numeric, unsigned flags, mf_os_stream **stream);
MF_PRIVATE int mf_os_connect_finish(mf_os_stream *stream);

/* ---- stream.c, pipe.c: one connected byte stream ------------------------------ */

int mf_os_stream_pair(int duplex, mf_os_stream *ends[2]); /* not duplex: reader, writer */
/* Takes over a socket or a pipe that can be used in these directions, and makes it not inheritable; on failure it stays
 * as it is. MAYFLY_ENOTSUP: it is something else. A pipe of POSIX can't be shut down (MAYFLY_ENOTSUP). */
int mf_os_stream_adopt(mayfly_os_fd fd, int readable, int writable, mf_os_stream **stream);
MF_PRIVATE int mf_os_stream_keeps_messages(const mf_os_stream *stream); /* nonzero: a message-type pipe, so no frames */
/* Some bytes: their number; MAYFLY_EOF at the end. Running out of time loses nothing. Where messages are kept: one
 * message or a part of it, 0 being an empty one, and in *left how much of it is still there (else 0). */
MF_PRIVATE int64_t mf_os_stream_read(mf_os_stream *stream, void *buffer, size_t size, int64_t deadline, uint64_t *left);
/* All of them, in one system call where the system can; one message where messages are kept. MAYFLY_ETIMEDOUT: nothing
 * has left. MAYFLY_EPIPE: ran out of time in the middle, or the peer is gone. */
int mf_os_stream_write(mf_os_stream *stream, const mayfly_slice *slices, size_t count, int64_t deadline);
/* For a loop: as much as fits now, how much that was. MAYFLY_EAGAIN: nothing fits. */
MF_PRIVATE int64_t mf_os_stream_write_some(mf_os_stream *stream, const mayfly_slice *slices, size_t count);
int mf_os_stream_poll(mf_os_stream *stream, int64_t deadline); /* 1: a read would not wait; 0: too late */
/* A descriptor as multiprocessing.reduction sends it, with one byte outside any frame. MAYFLY_ENOTSUP: not over this
 * stream. MAYFLY_EPROTO: what came is none, and what follows is out of step. */
int mf_os_stream_send_fd(mf_os_stream *stream, mayfly_os_fd fd, int64_t deadline);
int mf_os_stream_receive_fd(mf_os_stream *stream, int64_t deadline, mayfly_os_fd *fd);
MF_PRIVATE void mf_os_stream_peer(const mf_os_stream *stream, mayfly_peer *peer); /* -1 where the system does not say */
/* Whether a peer that takes nothing more may be there all the same, and speak (shutdown(2), SHUT_RD). Windows: no, and
 * a read of ours is sure to end. */
MF_PRIVATE int mf_os_stream_peer_may_be_deaf(void);
/* From any thread or a signal handler: reads, writes and polls then give MAYFLY_ECANCELED. */
int mf_os_stream_shutdown(mf_os_stream *stream);
int mf_os_stream_is_shut(const mf_os_stream *stream);
MF_PRIVATE mayfly_os_fd mf_os_stream_fd(const mf_os_stream *stream);
MF_PRIVATE int mf_os_stream_close(mf_os_stream *stream);
MF_PRIVATE mayfly_os_fd mf_os_stream_release(mf_os_stream *stream); /* the stream is freed, its descriptor lives */
MF_PRIVATE int mf_os_stream_is_inet(const mf_os_stream *stream);    /* nonzero: over AF_INET */
/* The descriptor of a pipe for libuv. POSIX: its own. Windows: another that leads to the same, since libuv's C library
 * takes a handle over for good, whether it can use it or not. */
MF_PRIVATE int mf_os_stream_lend(const mf_os_stream *stream, mayfly_os_fd *fd);

/* ---- wait.c ------------------------------------------------------------------ */

struct mf_os_wait_item { /* one of the three; fd counts where both pointers are NULL */
  mf_os_stream *stream;
  mf_os_listener *listener;
  mayfly_os_fd fd;
  int resting; /* of a listener: who comes there is not waited for, its shutdown is (Windows: neither) */
  int ready;
};
/* How many are ready: something can be read, accepted, or has ended. 0: too late. */
int mf_os_wait(struct mf_os_wait_item *items, size_t count, int64_t deadline);

#endif
