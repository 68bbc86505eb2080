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

int mf_win32_identity(HANDLE handle, FILE_ID_INFO *identity);
/* 1: `path`, links not followed, is the file or directory of that identity; 0: it is something else. */
int mf_win32_same(const wchar_t *path, const FILE_ID_INFO *identity);
/* Removes the file or empty directory that `path` leads to, if it is the one of that identity. */
int mf_win32_remove(const wchar_t *path, const FILE_ID_INFO *identity);
/* Zero, and the handle's file vanishes with its last handle; or what the system says. */
DWORD mf_win32_mark_removed(HANDLE handle);

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
/* MAYFLY_ETIMEDOUT: every instance was busy until then. */
int mf_win32_pipe_connect(const mayfly_address *address, int any_user, int64_t deadline, mf_os_stream **stream);
/* What a pipe of another's making is, if it can be used in these directions. */
int mf_win32_pipe_learn(HANDLE pipe, int readable, int writable, enum mf_win32_kind *kind, int *server);

#endif
