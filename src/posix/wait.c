/* SPDX-License-Identifier: MIT */
/* wait.c - poll(2), for one descriptor and for many. */
#include "posix.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>

/* What is left, for poll(2): rounded up, or it would spin through the last millisecond. */
static int left_ms(int64_t deadline) {
  if (deadline == MF_OS_NEVER)
    return -1;
  int64_t left = deadline <= 0 ? 0 : deadline - mf_os_clock_us();
  if (left <= 0)
    return 0;
  return left > (int64_t)INT_MAX * 1000 - 999 ? INT_MAX : (int)((left + 999) / 1000);
}

/* poll(2) until the deadline: how many are ready, or -1 and errno. */
static int poll_until(struct pollfd *polled, size_t count, int64_t deadline) {
  for (;;) {
    int timeout = left_ms(deadline);
    int ready = poll(polled, (nfds_t)count, timeout);
    if (ready > 0 || (ready == 0 && timeout == 0) || (ready < 0 && errno != EINTR))
      return ready;
  }
}

int mf_posix_wait(int fd, short events, int64_t deadline) {
  struct pollfd polled = {.fd = fd, .events = events};
  int ready = poll_until(&polled, 1, deadline);
  if (ready < 0)
    return mf_posix_fail("wait for descriptor %d", fd);
  return ready;
}

/* One place an item, for a listener two: the end of a pipe beside its socket. No more, since poll(2) takes no more
 * places than the process may have descriptors. Returns how many. */
static size_t prepare(const struct mf_os_wait_item *item, struct pollfd *polled) {
  if (item->listener == NULL) {
    polled[0] = (struct pollfd){.fd = item->stream != NULL ? item->stream->fd : (int)item->fd, .events = POLLIN};
    return 1;
  }
  polled[0] = (struct pollfd){.fd = item->resting ? -1 : item->listener->fd, .events = POLLIN};
  polled[1] = (struct pollfd){.fd = item->listener->wake[0], .events = POLLIN};
  return 2;
}

static int not_open(mayfly_os_fd fd) {
  return mf_fail(MAYFLY_EBADF, "wait for descriptor %lld: it is not open", (long long)fd);
}

/* How many places they take; poll(2) would pass over a negative number in silence. No more memory than for those is
 * asked for: with twice as many, for thousands of items, glibc would give it back to the system after each wait and
 * take it anew for the next. */
static int count_places(const struct mf_os_wait_item *items, size_t count, size_t *places) {
  *places = count;
  if (count > INT_MAX / 2)
    return mf_fail(MAYFLY_EINVAL, "wait for %zu things: too many", count);
  for (size_t i = 0; i < count; i++) {
    if (items[i].stream == NULL && items[i].listener == NULL && (items[i].fd < 0 || items[i].fd > INT_MAX))
      return not_open(items[i].fd);
    *places += items[i].listener != NULL;
  }
  return 0;
}

static int collect(struct mf_os_wait_item *items, size_t count, const struct pollfd *polled) {
  int ready = 0;
  for (size_t i = 0; i < count; i++, polled++) {
    if ((polled->revents & POLLNVAL) != 0)
      return not_open(polled->fd);
    items[i].ready = polled->revents != 0;
    if (items[i].listener != NULL && (++polled)->revents != 0) {
      atomic_store(&items[i].listener->shut, 1); /* by us, or by another process that shares it since a fork */
      items[i].ready = 1;
    }
    ready += items[i].ready;
  }
  return ready;
}

int mf_os_wait(struct mf_os_wait_item *items, size_t count, int64_t deadline) {
  enum { FEW = 64 };
  struct pollfd few[2 * FEW];
  struct pollfd *polled = few;
  size_t places, used = 0;
  int result = count_places(items, count, &places);
  if (result < 0)
    return result;
  if (count > FEW && (polled = calloc(places, sizeof *polled)) == NULL)
    return mf_fail(MAYFLY_ENOMEM, "wait for %zu things: no memory", count);
  for (size_t i = 0; i < count; i++)
    used += prepare(&items[i], &polled[used]);
  result = poll_until(polled, used, deadline);
  if (result < 0)
    result = mf_posix_fail("wait for %zu things", count);
  else
    result = collect(items, count, polled);
  if (polled != few)
    free(polled);
  return result;
}
