/* SPDX-License-Identifier: MIT */
/* socket.c - endpoints of AF_UNIX and AF_INET.
 *
 * Taking an AF_UNIX path: bind. Only if it is taken, look who has it: a datagram socket that connects to it is told
 * "wrong type" if a stream socket is bound there, without disturbing it, and "refused" if nobody is. Who finds it dead
 * locks a file beside it, PATH.lock, asks again, unlinks the socket and binds. Nothing else is ever removed than a dead
 * socket and that file, if it is one that we can have made. */
#include "posix.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { LOCK_WAIT_US = 2000000, LOCK_PAUSE_US = 5000 };

size_t mf_os_socket_path_max(void) {
  return sizeof((struct sockaddr_un *)0)->sun_path - 1;
}

/* ---- AF_UNIX: addresses ---- */

struct unix_name {
  struct sockaddr_un address;
  socklen_t size;
};

static int is_abstract(const mayfly_address *address) {
  return address->name[0] == '@';
}

static const struct sockaddr *generic(const struct unix_name *name) {
  return (const struct sockaddr *)&name->address;
}

static int unix_name(const mayfly_address *address, const char *what, struct unix_name *name) {
  size_t length = strlen(address->name);
  if (length > mf_os_socket_path_max())
    return mf_fail(MAYFLY_ENAMETOOLONG, "%s %s: %zu bytes, and a socket's path may have %zu", what, address->name,
                   length, mf_os_socket_path_max());
  memset(name, 0, sizeof *name);
  name->address.sun_family = AF_UNIX;
  memcpy(name->address.sun_path, address->name, length);
  name->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
  if (is_abstract(address)) {
    name->address.sun_path[0] = '\0';
    name->size--; /* its exact length: what follows would be part of the name */
  }
  return 0;
}

#ifdef __linux__
static int abstract_exists(const mayfly_address *address, const char *what) {
  (void)address;
  (void)what;
  return 0;
}
#else
static int abstract_exists(const mayfly_address *address, const char *what) {
  if (is_abstract(address))
    return mf_fail(MAYFLY_EAFNOSUPPORT, "%s %s: only Linux has abstract names", what, address->name);
  return 0;
}
#endif

/* ---- AF_UNIX: who has this path? ---- */

/* 0: nobody, and a socket is there. MAYFLY_EADDRINUSE, in words. */
static int path_is_dead(const mayfly_address *address, const struct unix_name *name) {
  struct stat status;
  if (lstat(address->name, &status) != 0)
    return mf_posix_fail("listen on %s: look at what is there", address->name);
  if (!S_ISSOCK(status.st_mode))
    return mf_fail(MAYFLY_EADDRINUSE, "listen on %s: something that is no socket is there", address->name);
  int fd = mf_posix_socket(AF_UNIX, SOCK_DGRAM);
  if (fd < 0)
    return mf_posix_fail("listen on %s: ask who is there", address->name);
  int result = 0;
  int connected;
  MF_POSIX_RETRY(connected, connect(fd, generic(name), name->size));
  if (connected == 0 || errno == EPROTOTYPE)
    result = mf_fail(MAYFLY_EADDRINUSE, "listen on %s: somebody listens there", address->name);
  else if (errno != ECONNREFUSED) {
    result = mf_posix_fail("listen on %s: ask whether somebody listens there", address->name);
    if (result != MAYFLY_ENOENT)
      result = mf_fail(MAYFLY_EADDRINUSE, "%s", mayfly_last_error());
  }
  close(fd);
  return result;
}

/* flock has no deadline, so it is asked again. */
static int lock_in_time(int fd, int64_t deadline) {
  const struct timespec pause = {0, LOCK_PAUSE_US * 1000L};
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      return -1;
    if (mf_os_clock_us() > deadline) {
      errno = ETIMEDOUT;
      return -1;
    }
    nanosleep(&pause, NULL);
  }
  return 0;
}

/* 1: the file is locked and still of that name: others unlink theirs when they are done. 0: they did. A file that no
 * taker can have made is nobody's lock, and is not to be removed afterwards either. */
static int lock_named(int fd, const char *path, int64_t deadline) {
  struct stat status;
  if (fstat(fd, &status) != 0)
    return -1;
  if (!S_ISREG(status.st_mode) || status.st_size != 0 || status.st_uid != geteuid()) {
    errno = EEXIST;
    return -1;
  }
  return lock_in_time(fd, deadline) == 0 ? mf_posix_same(path, &status) : -1;
}

static int take_lock(const char *path) {
  int64_t deadline = mf_os_clock_us() + LOCK_WAIT_US;
  for (;;) {
    int fd;
    MF_POSIX_RETRY(fd, open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
    if (fd < 0)
      return -1;
    int same = lock_named(fd, path, deadline);
    if (same == 1)
      return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    if (same < 0)
      return -1;
  }
}

static int bind_name(int fd, const mayfly_address *address, const struct unix_name *name) {
  if (bind(fd, generic(name), name->size) != 0)
    return mf_posix_fail("listen on %s", address->name);
  return 0;
}

static int replace_dead(int fd, const mayfly_address *address, const struct unix_name *name) {
  int result = path_is_dead(address, name);
  if (result < 0 && result != MAYFLY_ENOENT)
    return result;
  if (result == 0 && unlink(address->name) != 0 && errno != ENOENT)
    return mf_posix_fail("listen on %s: remove the socket that a dead process left", address->name);
  return bind_name(fd, address, name);
}

static int take_over(int fd, const mayfly_address *address, const struct unix_name *name) {
  char path[sizeof address->name + sizeof ".lock"];
  int result = path_is_dead(address, name);
  if (result == MAYFLY_ENOENT) /* gone meanwhile */
    return bind_name(fd, address, name);
  if (result < 0)
    return result;
  snprintf(path, sizeof path, "%s.lock", address->name);
  int lock = take_lock(path);
  if (lock < 0) {
    mf_posix_fail("listen on %s: lock %s, to take over what a dead process left", address->name, path);
    return mf_fail(MAYFLY_EADDRINUSE, "%s", mayfly_last_error());
  }
  result = replace_dead(fd, address, name);
  unlink(path); /* while it is locked: who waits for it sees that the name is gone */
  close(lock);
  return result;
}

/* ---- listeners ---- */

static int listener_new(int fd, mf_os_listener **listener) {
  mf_os_listener *made = calloc(1, sizeof *made);
  if (made == NULL) {
    close(fd);
    return mf_fail(MAYFLY_ENOMEM, "listen: no memory");
  }
  made->fd = fd;
  if (mf_posix_pipe(made->wake) != 0) {
    int result = mf_posix_fail("listen: make the pipe that a shutdown wakes by");
    close(fd);
    free(made);
    return result;
  }
  atomic_init(&made->shut, 0);
  atomic_init(&made->removed, 0);
  *listener = made;
  return 0;
}

/* The mode is the descriptor's before bind where the system heeds that (Linux), less the umask; then the path's. */
static int set_mode(const mayfly_address *address, mode_t mode, struct stat *status) {
  if (lstat(address->name, status) != 0) {
    int result = mf_posix_fail("listen on %s: look at the new socket", address->name);
    unlink(address->name);
    return result;
  }
  if ((status->st_mode & 0777) != mode && fchmodat(AT_FDCWD, address->name, mode, AT_SYMLINK_NOFOLLOW) != 0)
    return mf_posix_fail("listen on %s: set the mode of the socket", address->name);
  return 0;
}

/* As the system resolves it, ".." through links included: so not lexically. */
static int independent_of_chdir(const char *name, char **path) {
  char *cwd = name[0] == '/' ? strdup("") : getcwd(NULL, 0);
  if (cwd == NULL)
    return mf_posix_fail("listen on %s: get the current directory", name);
  size_t size = strlen(cwd) + strlen(name) + 2;
  char *made = malloc(size);
  if (made != NULL)
    snprintf(made, size, "%s%s%s", cwd, *cwd == '\0' ? "" : "/", name);
  free(cwd);
  if (made == NULL)
    return mf_fail(MAYFLY_ENOMEM, "listen on %s: no memory", name);
  *path = made;
  return 0;
}

static int bind_path(mf_os_listener *listener, const mayfly_address *address, const struct unix_name *name,
                     mode_t mode) {
  char *path = NULL;
  int result = independent_of_chdir(address->name, &path);
  if (result < 0)
    return result;
  fchmod(listener->fd, mode);
  if (bind(listener->fd, generic(name), name->size) != 0) {
    result =
        errno == EADDRINUSE ? take_over(listener->fd, address, name) : mf_posix_fail("listen on %s", address->name);
    if (result < 0) {
      free(path);
      return result;
    }
  }
  listener->path = path;
  return set_mode(address, mode, &listener->status);
}

static int listen_unix(mf_os_listener *listener, const mayfly_address *address, int any_user, int backlog) {
  struct unix_name name;
  int result = unix_name(address, "listen on", &name);
  if (result == 0)
    result = abstract_exists(address, "listen on");
  if (result == 0)
    result = is_abstract(address) ? bind_name(listener->fd, address, &name)
                                  : bind_path(listener, address, &name, any_user ? 0666 : 0600);
  if (result == 0 && listen(listener->fd, backlog) != 0)
    result = mf_posix_fail("listen on %s", address->name);
  return result;
}

/* ---- AF_INET ---- */

/* IPv4 first, whatever the resolver prefers: Python's peers know nothing else. */
static struct addrinfo *ipv4_first(struct addrinfo *list) {
  struct addrinfo *first = NULL, *rest = NULL, **first_end = &first, **rest_end = &rest;
  for (struct addrinfo *entry = list; entry != NULL; entry = entry->ai_next) {
    struct addrinfo ***end = entry->ai_family == AF_INET ? &first_end : &rest_end;
    **end = entry;
    *end = &entry->ai_next;
  }
  *rest_end = NULL;
  *first_end = rest;
  return first;
}

static int resolve(const mayfly_address *address, int flags, const char *what, struct addrinfo **list) {
  struct addrinfo hints = {.ai_flags = flags, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  char port[8], text[MAYFLY_ADDRESS_TEXT_SIZE];
  snprintf(port, sizeof port, "%u", (unsigned)address->port);
  int number = getaddrinfo(address->name[0] == '\0' ? "localhost" : address->name, port, &hints, list);
  if (number == EAI_SYSTEM)
    return mf_posix_fail("%s %s", what, mf_address_words(address, text));
  if (number == EAI_MEMORY)
    return mf_fail(MAYFLY_ENOMEM, "%s %s: no memory", what, mf_address_words(address, text));
  if (number != 0)
    return mf_fail(MAYFLY_EADDRNOTAVAIL, "%s %s: %s", what, mf_address_words(address, text), gai_strerror(number));
  *list = ipv4_first(*list);
  return 0;
}

static int listen_at(const struct sockaddr *where, socklen_t size, int backlog) {
  const int on = 1, off = 0;
  int fd = mf_posix_socket(where->sa_family, SOCK_STREAM);
  if (fd < 0)
    return -1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* what is accepted inherits it */
  if (where->sa_family == AF_INET6)
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (bind(fd, where, size) == 0 && listen(fd, backlog) == 0)
    return fd;
  int saved = errno;
  close(fd);
  errno = saved;
  return -1;
}

/* One socket for IPv6 and IPv4 where the system has both. */
static int listen_everywhere(uint16_t port, int backlog) {
  struct sockaddr_in6 both = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_ANY_INIT};
  struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(port)};
  int fd = listen_at((const struct sockaddr *)&both, sizeof both, backlog);
  if (fd >= 0 || (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL))
    return fd;
  return listen_at((const struct sockaddr *)&ipv4, sizeof ipv4, backlog);
}

/* One that is taken ends it: at "localhost" two would listen, one at its IPv4 and one at its IPv6 address. */
static int listen_at_first(const struct addrinfo *list, int backlog) {
  int fd = -1;
  for (errno = 0; list != NULL && fd < 0 && errno != EADDRINUSE; list = list->ai_next)
    fd = listen_at(list->ai_addr, list->ai_addrlen, backlog);
  return fd;
}

/* A socket's address as one of ours; AF_UNIX mostly has an empty name. */
static void address_of(const struct sockaddr_storage *from, socklen_t size, mayfly_address *address) {
  memset(address, 0, sizeof *address);
  if (from->ss_family == AF_UNIX) {
    const struct sockaddr_un *un = (const struct sockaddr_un *)from;
    size_t length = size > offsetof(struct sockaddr_un, sun_path) ? size - offsetof(struct sockaddr_un, sun_path) : 0;
    address->family = MAYFLY_AF_UNIX;
    memcpy(address->name, un->sun_path, length);
    if (length > 0 && un->sun_path[0] == '\0')
      address->name[0] = '@';
    return;
  }
  char port[8] = "0";
  address->family = MAYFLY_AF_INET;
  getnameinfo((const struct sockaddr *)from, size, address->name, sizeof address->name, port, sizeof port,
              NI_NUMERICHOST | NI_NUMERICSERV);
  address->port = (uint16_t)strtoul(port, NULL, 10);
}

static int bound_address(int fd, const mayfly_address *address, mayfly_address *bound) {
  struct sockaddr_storage storage = {0};
  socklen_t size = sizeof storage;
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  if (getsockname(fd, (struct sockaddr *)&storage, &size) != 0)
    return mf_posix_fail("listen on %s: ask for the bound address", mf_address_words(address, text));
  address_of(&storage, size, bound);
  if (address->name[0] == '\0')
    bound->name[0] = '\0';
  return 0;
}

static int listen_inet(const mayfly_address *address, int backlog, int *fd) {
  struct addrinfo *list = NULL;
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  int made;
  if (address->name[0] == '\0')
    made = listen_everywhere(address->port, backlog);
  else {
    int result = resolve(address, 0, "listen on", &list);
    if (result < 0)
      return result;
    made = listen_at_first(list, backlog);
  }
  int result = made < 0 ? mf_posix_fail("listen on %s", mf_address_words(address, text)) : 0;
  if (list != NULL)
    freeaddrinfo(list);
  if (result == 0)
    *fd = made;
  return result;
}

/* ---- the door: listeners ---- */

static int listen_unix_at(const mayfly_address *address, int any_user, int backlog, mf_os_listener **listener) {
  mf_os_listener *made;
  int fd = mf_posix_socket(AF_UNIX, SOCK_STREAM);
  if (fd < 0)
    return mf_posix_fail("listen on %s", address->name);
  int result = listener_new(fd, &made);
  if (result < 0)
    return result;
  result = listen_unix(made, address, any_user, backlog);
  if (result == 0) {
    *listener = made;
    return 0;
  }
  mf_os_listener_remove_name(made);
  mf_os_listener_close(made);
  return result;
}

static int listen_inet_at(const mayfly_address *address, int backlog, mf_os_listener **listener,
                          mayfly_address *bound) {
  mayfly_address named;
  int fd = -1;
  int result = listen_inet(address, backlog, &fd);
  if (result < 0)
    return result;
  result = bound_address(fd, address, &named);
  if (result < 0) {
    close(fd);
    return result;
  }
  result = listener_new(fd, listener);
  if (result == 0)
    *bound = named;
  return result;
}

int mf_os_listen(const mayfly_address *address, unsigned flags, int backlog, mf_os_listener **listener,
                 mayfly_address *bound) {
  if (address->family == MAYFLY_AF_INET)
    return listen_inet_at(address, backlog, listener, bound);
  if (address->family != MAYFLY_AF_UNIX)
    return mf_fail(MAYFLY_EAFNOSUPPORT, "listen on %s: this system has no AF_PIPE", address->name);
  int result = listen_unix_at(address, (flags & MAYFLY_ENDPOINT_ANY_USER) != 0, backlog, listener);
  if (result == 0)
    *bound = *address;
  return result;
}

/* What concerns one peer that is gone again, or its network, is no failure of the listener's (accept(2) names them). */
static int accept_failed(void) {
  static const int passing[] = {EAGAIN,       ECONNABORTED, EPROTO,     ENETDOWN,  ENETUNREACH, EHOSTDOWN,
                                EHOSTUNREACH, ENOPROTOOPT,  EOPNOTSUPP, ETIMEDOUT, EWOULDBLOCK, ECONNRESET};
  for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++)
    if (errno == passing[i])
      return MAYFLY_EAGAIN;
  return mf_posix_fail("accept");
}

int mf_os_accept(mf_os_listener *listener, mf_os_stream **stream, mayfly_address *from) {
  struct sockaddr_storage storage;
  socklen_t size;
  int fd;
  do {
    if (atomic_load(&listener->shut))
      return mf_fail(MAYFLY_ECANCELED, "accept: the listener was shut down");
    size = sizeof storage;
    fd = mf_posix_accept(listener->fd, (struct sockaddr *)&storage, &size);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0)
    return accept_failed();
  mayfly_address peer;
  address_of(&storage, size, &peer);
  int result = mf_posix_stream_new(fd, storage.ss_family, stream);
  if (result == 0)
    *from = peer;
  return result;
}

int mf_os_listener_shutdown(mf_os_listener *listener) {
  int saved = errno; /* it may be called from a signal handler */
  atomic_store(&listener->shut, 1);
  if (write(listener->wake[1], "", 1) < 0)
    errno = saved; /* full: they are awake */
  errno = saved;
  return 0;
}

int mf_os_listener_is_shut(const mf_os_listener *listener) {
  return atomic_load(&listener->shut);
}

int mf_os_listener_remove_name(mf_os_listener *listener) {
  if (listener->path == NULL || atomic_exchange(&listener->removed, 1))
    return 0;
  int same = mf_posix_same(listener->path, &listener->status);
  if (same < 0 || (same == 1 && unlink(listener->path) != 0 && errno != ENOENT))
    return mf_posix_fail("remove the socket %s", listener->path);
  return 0;
}

int mf_os_listener_close(mf_os_listener *listener) {
  int result = mf_os_fd_close(listener->fd);
  close(listener->wake[0]);
  close(listener->wake[1]);
  free(listener->path);
  free(listener);
  return result;
}

int mf_os_listener_watch(mf_os_listener *listener, void (*ready)(void *context), void *context, mayfly_os_fd *fd) {
  (void)ready, (void)context;
  *fd = listener->fd;
  return 0;
}

/* ---- connecting ---- */

static int timed_out(const mayfly_address *address) {
  return mf_fail(MAYFLY_ETIMEDOUT, "connect to %s: no connection in time", address->name);
}

/* AF_UNIX, with the listener's backlog full: connect(2) waits as long as a send may take, and nothing else tells when
 * there is room. */
static int await_room(int fd, const struct unix_name *name, const mayfly_address *address, int64_t deadline) {
  const struct timeval none = {0, 0};
  int connected;
  mf_posix_blocking(fd);
  do {
    int64_t left = deadline - mf_os_clock_us();
    if (left <= 0)
      return timed_out(address);
    struct timeval limit = {(time_t)(left / 1000000), (suseconds_t)(left % 1000000)};
    if (deadline == MF_OS_NEVER)
      limit = none;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    connected = connect(fd, generic(name), name->size);
  } while (connected != 0 && (errno == EINTR || errno == EAGAIN));
  if (connected != 0)
    return mf_posix_fail("connect to %s", address->name);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none);
  return 0;
}

/* MAYFLY_EAGAIN: the listener's backlog is full. */
static int connect_unix_now(int fd, const mayfly_address *address, struct unix_name *name) {
  int result = unix_name(address, "connect to", name);
  if (result == 0)
    result = abstract_exists(address, "connect to");
  if (result < 0)
    return result;
  int connected;
  MF_POSIX_RETRY(connected, connect(fd, generic(name), name->size));
  return connected == 0 ? 0 : mf_posix_fail("connect to %s", address->name);
}

static int connect_unix(int fd, const mayfly_address *address, int64_t deadline) {
  struct unix_name name;
  int result = connect_unix_now(fd, address, &name);
  return result == MAYFLY_EAGAIN ? await_room(fd, &name, address, deadline) : result;
}

/* A port that nobody listens on may be handed to the very socket that connects to it, which then talks to itself. */
static int met_itself(int fd) {
  struct sockaddr_storage own, peer;
  socklen_t own_size = sizeof own, peer_size = sizeof peer;
  memset(&own, 0, sizeof own);
  memset(&peer, 0, sizeof peer);
  return getsockname(fd, (struct sockaddr *)&own, &own_size) == 0 &&
         getpeername(fd, (struct sockaddr *)&peer, &peer_size) == 0 && own_size == peer_size &&
         memcmp(&own, &peer, own_size) == 0;
}

/* 0: connected. 1: it will be, or not, once it is writable. -1: errno. */
static int begin_inet(int fd, const struct addrinfo *entry) {
  if (connect(fd, entry->ai_addr, entry->ai_addrlen) == 0)
    return 0;
  return errno == EINPROGRESS || errno == EINTR ? 1 : -1;
}

/* What came of it. 0; -1: errno. */
static int finish_inet(int fd) {
  const int on = 1;
  int number = 0;
  socklen_t size = sizeof number;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size) != 0)
    return -1;
  errno = number != 0 ? number : ECONNREFUSED;
  if (number != 0 || met_itself(fd))
    return -1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return 0;
}

/* 0; -1: errno. */
static int connect_inet_to(int fd, const struct addrinfo *entry, int64_t deadline) {
  int begun = begin_inet(fd, entry);
  int ready = begun == 1 ? mf_posix_wait(fd, POLLOUT, deadline) : begun + 1;
  if (ready == 0 && begun == 1)
    errno = ETIMEDOUT;
  return ready <= 0 ? -1 : finish_inet(fd);
}

static int connect_inet(const mayfly_address *address, int64_t deadline, int *fd) {
  struct addrinfo *list;
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  int made = -1;
  int result = resolve(address, 0, "connect to", &list);
  if (result < 0)
    return result;
  for (const struct addrinfo *entry = list; entry != NULL && made < 0; entry = entry->ai_next) {
    made = mf_posix_socket(entry->ai_family, SOCK_STREAM);
    if (made >= 0 && connect_inet_to(made, entry, deadline) != 0) {
      int saved = errno;
      close(made);
      made = -1;
      errno = saved;
    }
  }
  if (made < 0)
    result = mf_posix_fail("connect to %s", mf_address_words(address, text));
  freeaddrinfo(list);
  if (result < 0)
    return result;
  *fd = made;
  return 0;
}

static int connect_unix_to(const mayfly_address *address, int64_t deadline, int *fd) {
  int made = mf_posix_socket(AF_UNIX, SOCK_STREAM);
  if (made < 0)
    return mf_posix_fail("connect to %s", address->name);
  int result = connect_unix(made, address, deadline);
  if (result < 0)
    close(made);
  else
    *fd = made;
  return result;
}

int mf_os_connect(const mayfly_address *address, unsigned flags, int64_t deadline, mf_os_stream **stream) {
  (void)flags; /* only a pipe has an owner to look at before it is used */
  int fd = -1;
  int result;
  if (address->family == MAYFLY_AF_INET)
    result = connect_inet(address, deadline, &fd);
  else if (address->family == MAYFLY_AF_UNIX)
    result = connect_unix_to(address, deadline, &fd);
  else
    result = mf_fail(MAYFLY_EAFNOSUPPORT, "connect to %s: this system has no AF_PIPE", address->name);
  if (result < 0)
    return result;
  mf_posix_blocking(fd);
  return mf_posix_stream_new(fd, address->family == MAYFLY_AF_UNIX ? AF_UNIX : AF_INET, stream);
}

/* ---- connecting, for a loop ---- */

/* 0 or 1, as mf_os_connect_start. */
static int start_inet(const mayfly_address *numeric, int *fd) {
  struct addrinfo *list;
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  int result = resolve(numeric, AI_NUMERICHOST, "connect to", &list);
  if (result < 0)
    return result;
  int made = mf_posix_socket(list->ai_family, SOCK_STREAM);
  int begun = made < 0 ? -1 : begin_inet(made, list);
  if (begun == 0)
    begun = finish_inet(made);
  if (begun < 0)
    result = mf_posix_fail("connect to %s", mf_address_words(numeric, text));
  freeaddrinfo(list);
  if (begun < 0) {
    mf_os_fd_close(made);
    return result;
  }
  *fd = made;
  return begun;
}

static int start_unix(const mayfly_address *address, int *fd) {
  struct unix_name name;
  int made = mf_posix_socket(AF_UNIX, SOCK_STREAM);
  if (made < 0)
    return mf_posix_fail("connect to %s", address->name);
  int result = connect_unix_now(made, address, &name);
  if (result < 0)
    close(made);
  else
    *fd = made;
  return result;
}

int mf_os_connect_start(const mayfly_address *numeric, unsigned flags, mf_os_stream **stream) {
  (void)flags;
  int fd = -1;
  int begun;
  if (numeric->family == MAYFLY_AF_INET)
    begun = start_inet(numeric, &fd);
  else if (numeric->family == MAYFLY_AF_UNIX)
    begun = start_unix(numeric, &fd);
  else
    begun = mf_fail(MAYFLY_EAFNOSUPPORT, "connect to %s: this system has no AF_PIPE", numeric->name);
  if (begun < 0)
    return begun;
  int result = mf_posix_stream_new(fd, numeric->family == MAYFLY_AF_UNIX ? AF_UNIX : AF_INET, stream);
  return result < 0 ? result : begun;
}

int mf_os_connect_finish(mf_os_stream *stream) {
  return finish_inet(stream->fd) == 0 ? 0 : mf_posix_fail("connect");
}
