/* SPDX-License-Identifier: MIT */
/* address.h - where a listener is and a client goes: the addresses of multiprocessing.connection, as values.
 *
 * Calling sequence
 * ----------------
 * The caller takes a `mayfly_address` of its own, on the stack or wherever it likes, and
 *
 *  - fills it with one of
 *      mayfly_address_parse()      from text: a command line, a configuration file, what another process printed
 *      mayfly_service_address()    the lasting address of a service, found by its name
 *      mayfly_arbitrary_address()  a fresh one, that nobody has
 *    or by hand: all members but the family 0, then those that the family has;
 *  - hands it to mayfly_listen() or mayfly_connect() (<mayfly/connection.h>), which copy it;
 *  - tells others of it as text, from mayfly_address_format(). A listener's own address, with the port that the
 *    system chose, is mayfly_listener_address().
 *
 * As text, and as the value that comes of it:
 *
 *      HOST:PORT, [::1]:PORT, :PORT       MAYFLY_AF_INET  name "HOST", "::1", ""       ('HOST', PORT) in Python
 *      \\.\pipe\NAME                      MAYFLY_AF_PIPE  name as the text             the same text in Python
 *      @NAME                              MAYFLY_AF_UNIX  name as the text             '\0NAME' in Python
 *      any other, unix:ANY                MAYFLY_AF_UNIX  name is the path             the path in Python
 *
 * A text is AF_INET if it has no slash and ends in a colon and digits, AF_PIPE if it begins with two backslashes.
 * `unix:` makes a path of what would read as another family; the path of a file whose name begins with "@" is written
 * "./@...". "@NAME" is Linux's abstract namespace: no file, and no permissions that could keep another user out.
 *
 * Ownership, errors, exit, fork, threads
 * --------------------------------------
 * An address owns nothing: copy it by assignment, forget it when you like. Errors are as <mayfly/base.h> says, and
 * what can be checked without the system is checked by each function that is handed an address: MAYFLY_EINVAL for a
 * family that is none, for a port where the family has none, and for a name without its NUL or not of the
 * family's form. Only mayfly_arbitrary_address() makes something, a directory: it vanishes at exit, and a forked
 * child makes one of its own. All functions may be called from any thread.
 */
#ifndef MAYFLY_ADDRESS_H
#define MAYFLY_ADDRESS_H

#include <mayfly/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What kind of address: the `family` argument of Listener() and Client(). */
typedef enum mayfly_family {
  MAYFLY_AF_UNSPEC, /* none                                                                     (None) */
  MAYFLY_AF_INET,   /* TCP, over IPv4 or IPv6                                              ('AF_INET') */
  MAYFLY_AF_UNIX,   /* a socket in the file system, or in Linux's abstract namespace       ('AF_UNIX') */
  MAYFLY_AF_PIPE    /* a named pipe of Windows                                             ('AF_PIPE') */
} mayfly_family;

/* Whom a service is for. */
typedef enum mayfly_scope {
  MAYFLY_SCOPE_USER,  /* this user: as many services of one name as there are users */
  MAYFLY_SCOPE_SYSTEM /* the machine: one, that root / SYSTEM runs */
} mayfly_scope;

/* An address. Two that are equal byte for byte in `family`, `port` and `name` up to its NUL are the same. */
typedef struct mayfly_address {
  /* Says how the other two are read. */
  mayfly_family family;
  /* AF_INET: 0 lets a listener have one that the system chooses. Else 0. */
  uint16_t port;
  /* Ends in a NUL. AF_INET: a name or a number, without brackets; "": every interface of this machine to listen on,
   * this machine to connect to. AF_UNIX: a path, or "@name". AF_PIPE: \\.\pipe\name. */
  char name[256];
} mayfly_address;

/* The size of a buffer that is enough for mayfly_address_format(), whatever the address. */
#define MAYFLY_ADDRESS_TEXT_SIZE 272

/* A fresh address to listen on, of `family`. Stands for arbitrary_address(family).
 *
 *  - AF_INET is "localhost:0": the port is the system's choice, once a listener is there.
 *  - AF_UNIX is a free path, "sock-" and 8 random characters, in a directory that this process owns alone (mode 0700),
 *    made at the first need under mayfly_gettempdir() and removed at exit (or by mayfly_cleanup()). Where the temporary
 *    directory's own path is too long for a socket, it is under the first of /tmp, /var/tmp, /usr/tmp and the working
 *    directory that will do.
 *  - AF_PIPE is "\\.\pipe\pyc-PID-COUNTER-" and 16 random characters. It can be had on POSIX too, as text.
 *
 * MAYFLY_EAFNOSUPPORT: no family; on Windows: AF_UNIX. MAYFLY_ENAMETOOLONG: no directory has a path that is short
 * enough. MAYFLY_ENOENT: there is no usable temporary directory. MAYFLY_EEXIST: all names that were tried are taken.
 * MAYFLY_ECANCELED: the process is ending. Else what making a directory can give: MAYFLY_EACCES, MAYFLY_EROFS,
 * MAYFLY_ENOSPC, MAYFLY_EMFILE, MAYFLY_ENOMEM, MAYFLY_EIO. */
MAYFLY_API int mayfly_arbitrary_address(mayfly_family family, mayfly_address *address);

/* The lasting address of the service that is called `service`: the same for its server and for each client, now and
 * after the next start. MAYFLY_SCOPE_USER: $XDG_RUNTIME_DIR/SERVICE.sock. MAYFLY_SCOPE_SYSTEM: /run/SERVICE.sock. On
 * Windows: a name under \\.\pipe\, for a user's service with the user's SID in it. Nothing is made. Python has no such
 * function.
 *
 * MAYFLY_EINVAL: a scope that is none; a name that is empty, has a separator ("/", on Windows: also "\" and ":"), is
 * ".." or, on Windows: is reserved. MAYFLY_ENOENT: XDG_RUNTIME_DIR is not set; no name under /tmp is guessed instead.
 * MAYFLY_ENAMETOOLONG: too long for a socket. MAYFLY_ENOMEM. */
MAYFLY_API int mayfly_service_address(const char *service, mayfly_scope scope, mayfly_address *address);

/* The family that mayfly_address_parse() would take the text for, which it may yet refuse; MAYFLY_AF_UNSPEC for NULL
 * and "". Sets no words. Stands for address_type(address). */
MAYFLY_API mayfly_family mayfly_address_type(const char *text);

/* The family that a listener without an address has: MAYFLY_AF_UNIX. On Windows: MAYFLY_AF_PIPE. Stands for
 * default_family. */
MAYFLY_API mayfly_family mayfly_default_family(void);

/* Reads `text`, of the forms above. Whether there is such a host or path is not looked at, so any family can be read
 * on any system.
 *
 * MAYFLY_EINVAL: empty text, a port over 65535, an IPv6 number without brackets, a name that its family can't have.
 * MAYFLY_ENAMETOOLONG: a name of more than 255 bytes. */
MAYFLY_API int mayfly_address_parse(const char *text, mayfly_address *address);

/* Writes the address as text that mayfly_address_parse() reads back as the same address, with a NUL, into `buffer` of
 * `size` bytes.
 *
 * MAYFLY_EINVAL: not an address. MAYFLY_ERANGE: the buffer is too small; MAYFLY_ADDRESS_TEXT_SIZE never is. */
MAYFLY_API int mayfly_address_format(const mayfly_address *address, char *buffer, size_t size);

#ifdef __cplusplus
}
#endif
#endif
