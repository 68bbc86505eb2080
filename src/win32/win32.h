/* SPDX-License-Identifier: MIT */
/* win32.h - what the files of this backend share. It comes first: it says which Windows is asked for (8 and newer). */
#ifndef MF_WIN32_H
#define MF_WIN32_H

#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0602
#endif
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
/* winsock2.h is to be before windows.h. */
#include <winsock2.h>

#include <windows.h>

#ifndef ERROR_DIRECTORY_NOT_SUPPORTED /* mingw-w64 10 */
#define ERROR_DIRECTORY_NOT_SUPPORTED 336L
#endif

#include "../common/error.h"
#include "../common/os.h"

/* ---- error.c ---- */

/* What GetLastError() or WSAGetLastError() said, as one of ours; MAYFLY_EIO where it has no name of ours. */
int mf_win32_code(DWORD error);
/* The words, ": " and what the system says of `error`; returns its code. */
int mf_win32_fail(DWORD error, const char *format, ...) MF_PRINTF(2, 3);

/* ---- process.c ---- */

/* How long until `deadline`, for the system's waits: at most 24 days, so they are to be repeated. */
DWORD mf_win32_timeout(int64_t deadline);
/* Security attributes for what is to be ours alone: this user is the owner, and it, SYSTEM and the administrators have
 * full access; `others` is NULL or further entries in the system's notation (SDDL). mf_win32_private_free() ends it. */
int mf_win32_private(const char *others, SECURITY_ATTRIBUTES *attributes);
void mf_win32_private_free(SECURITY_ATTRIBUTES *attributes);
/* 1: the process runs as this user or as SYSTEM; 0: as another; -1: it is gone or can't be asked. */
int mf_win32_same_user(DWORD process);
int mf_win32_is_user(PSID sid); /* 1: it is this user */
/* This user's SID as text; yours to free. */
int mf_win32_user(char **sid);
/* 1: `owner` is this user, its token's default owner, SYSTEM or the administrators. */
int mf_win32_trusted_owner(PSID owner);

/* ---- path.c ---- */

/* Yours to free. MAYFLY_EILSEQ: no UTF-8. */
int mf_win32_wide(const char *text, wchar_t **wide);
int mf_win32_utf8(const wchar_t *wide, char **text);
/* `path` as the system takes it at any length: absolute, with the prefix that lifts the limit. Yours to free. */
int mf_win32_path(const char *path, wchar_t **wide);
/* ERROR_DIRECTORY where ERROR_PATH_NOT_FOUND means that a file stands in the place of a directory; else `error`. */
DWORD mf_win32_path_error(const wchar_t *path, DWORD error);

/* ---- file.c ---- */

enum {
  MF_WIN32_SHARE_ALL = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
  MF_WIN32_ITSELF = FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS /* even a link, even a directory */
};

/* How something new is to be made, and what that is called. */
struct mf_win32_new {
  const char *what;
  DWORD access, attributes, share, options;
};
/* Exclusively, owner only. The handle is synchronous. */
int mf_win32_create(const char *path, const struct mf_win32_new *how, HANDLE *made);
int mf_win32_is(HANDLE handle, const struct mf_os_identity *identity); /* 1: it is of that identity */
/* Opens `path` itself, even if it is a link or a directory, everything shared, if it is of that identity: 0.
 * ERROR_FILE_NOT_FOUND: nothing has the name. ERROR_FILE_INVALID: a stranger has it. */
DWORD mf_win32_open_known(const wchar_t *path, const struct mf_os_identity *identity, DWORD access, DWORD flags,
                          HANDLE *opened);
/* What others do for a moment (look for viruses, index, close the last handle of what is being removed) is waited for:
 * nonzero, try again. *tries is 0 at first. */
int mf_win32_passes(DWORD error, unsigned *tries);
/* 0: with the handle the name goes, on older systems with the last handle, even if it is read-only. */
DWORD mf_win32_mark_removed(HANDLE handle);
/* Removes the file or empty directory that `path` leads to; tried for a moment.
 * ERROR_FILE_NOT_FOUND: nothing has the name, or a stranger. */
DWORD mf_win32_remove(const wchar_t *path, const struct mf_os_identity *identity);
/* `to` as from mf_win32_path(). The handle has DELETE access. */
DWORD mf_win32_rename(HANDLE handle, const wchar_t *to, int replace);
/* The access list, by a handle with WRITE_DAC access: the owner's own, or what the directory of `path` gives. */
int mf_win32_set_private(HANDLE handle, const char *words);
int mf_win32_set_mode(HANDLE handle, int mode, int container, const char *path);

/* ---- directory.c ---- */

enum { MF_WIN32_HOLD = FILE_LIST_DIRECTORY | FILE_TRAVERSE | FILE_READ_ATTRIBUTES | SYNCHRONIZE };
/* What `size` characters of `name`, as they are in the list, lead to from `directory`, even if it is a link; none: the
 * directory itself. */
DWORD mf_win32_open_at(HANDLE directory, const wchar_t *name, size_t size, DWORD access, DWORD share, HANDLE *opened);
DWORD mf_win32_attributes(HANDLE handle); /* of what was opened; 0: they are not told */
int mf_win32_is_link(DWORD attributes);
/* The room of a list that the system fills. */
union mf_win32_entries {
  FILE_ID_BOTH_DIR_INFO first; /* aligns the rest */
  char room[16384];
};
/* Calls `visit` for everything but "." and ".."; what it returns, if it is not 0, ends the list. */
DWORD mf_win32_each_entry(HANDLE directory, union mf_win32_entries *list,
                          DWORD (*visit)(void *context, const FILE_ID_BOTH_DIR_INFO *entry), void *context);

/* ---- tree.c ---- */

struct mf_win32_tree {
  const char *path; /* for words */
  HANDLE held;
  int (*progress)(void *context, uint64_t removed); /* NULL: nobody asks */
  void *context;
  uint64_t removed;
};
/* Removes what is in the directory; it stays, and its handle is open. The first failure, after all was tried. */
int mf_win32_tree_empty(struct mf_win32_tree *tree);
int mf_win32_tree_count(struct mf_win32_tree *tree); /* one more is removed: what `progress` says to that */

/* ---- stream.c ---- */

enum mf_win32_kind { MF_WIN32_SOCKET, MF_WIN32_BYTES, MF_WIN32_MESSAGES };

struct mf_os_stream {
  HANDLE handle; /* a pipe's, or a SOCKET */
  enum mf_win32_kind kind;
  int server;        /* which end of a pipe this is */
  int empty_message; /* one that a wait has consumed, to be delivered by the next read */
  int reset;         /* has been told: what follows is the end */
  HANDLE read_done;  /* set when what was issued is over */
  HANDLE write_done;
  volatile LONG shut;
};

/* Takes `handle` over: on failure it is closed. */
int mf_win32_stream_new(HANDLE handle, enum mf_win32_kind kind, mf_os_stream **stream);
void mf_win32_close(HANDLE handle, enum mf_win32_kind kind);
/* Issues a read. 0 or ERROR_MORE_DATA: done; ERROR_IO_PENDING; else it failed. Cancelled if the stream is shut. */
DWORD mf_win32_start_read(mf_os_stream *stream, void *buffer, DWORD size, OVERLAPPED *operation);
/* What became of an operation that is over. */
DWORD mf_win32_result(const mf_os_stream *stream, OVERLAPPED *operation, DWORD *count);
/* Waits for what was issued with the outcome `error`, alone on its event. At the deadline it is cancelled, and then
 * too the result decides: ERROR_OPERATION_ABORTED, or whatever came first. */
DWORD mf_win32_finish(const mf_os_stream *stream, OVERLAPPED *operation, DWORD error, int64_t deadline, DWORD *count);
/* Until the operation is over, on an event that it may share with others. */
void mf_win32_await(const OVERLAPPED *operation);
/* Manual reset, not inheritable. */
int mf_win32_event(HANDLE *event);

/* ---- socket.c ---- */

int mf_win32_is_socket(HANDLE handle, int *type); /* 1: a socket, SOCK_STREAM or another; 0: something else */

enum { MF_WIN32_PENDING_MAX = 8, MF_WIN32_ADDRESS_ROOM = sizeof(SOCKADDR_STORAGE) + 16 };

/* An accept under way: an instance of the pipe, or a socket that the next peer will have. */
struct mf_win32_pending {
  HANDLE handle;
  OVERLAPPED operation;
  char addresses[2 * MF_WIN32_ADDRESS_ROOM];
};

struct mf_os_listener {
  HANDLE event; /* set while accept may have something to say */
  HANDLE watch; /* by the system's threads, for a loop; NULL: none */
  void (*ready)(void *context);
  void *context; /* for `ready`, which the watch calls */
  volatile LONG shut;
  SOCKET socket;                                          /* AF_INET; else INVALID_SOCKET */
  wchar_t *pipe;                                          /* AF_PIPE: its name; else NULL */
  enum mf_win32_kind kind;                                /* of the streams that come of it */
  int any_user;                                           /* for the pipe's further instances */
  struct mf_win32_pending *pending[MF_WIN32_PENDING_MAX]; /* the oldest first */
  size_t count;
};

/* ---- pipe.c ---- */

/* Issues the next accept; `first`: nobody else may have the name. */
int mf_win32_pipe_pending(mf_os_listener *listener, int first, struct mf_win32_pending **pending);
/* Zero: a client is awaited on that instance, or is there. Else what the system says. */
DWORD mf_win32_pipe_listen(struct mf_win32_pending *pending);
/* MAYFLY_ETIMEDOUT: every instance was busy until then. */
int mf_win32_pipe_connect(const mayfly_address *address, int any_user, int64_t deadline, mf_os_stream **stream);
/* What a pipe of another's making is, if it can be used in these directions. */
int mf_win32_pipe_learn(HANDLE pipe, int readable, int writable, enum mf_win32_kind *kind, int *server);

#endif
