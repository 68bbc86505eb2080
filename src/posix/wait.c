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

/* Two places an item: a listener has the end of a pipe beside its socket, whatever else has nothing there. */
static void prepare(const struct mf_os_wait_item *item, struct pollfd polled[2]) {
  polled[0] = polled[1] = (struct pollfd){.fd = -1, .events = POLLIN};
  if (item->stream != NULL)
    polled[0].fd = item->stream->fd;
  else if (item->listener != NULL) {
    polled[0].fd = item->listener->fd;
    polled[1].fd = item->listener->wake[0];
  } else
    polled[0].fd = (int)item->fd;
}

static int collect(struct mf_os_wait_item *items, const struct pollfd *polled, size_t count) {
  int ready = 0;
  for (size_t i = 0; i < count; i++) {
    if (polled[2 * i].fd < 0 || (polled[2 * i].revents & POLLNVAL) != 0)
      return mf_fail(MAYFLY_EBADF, "wait for descriptor %d: it is not open", polled[2 * i].fd);
    if (polled[2 * i + 1].revents != 0) /* by us, or by another process that shares the listener since a fork */
      atomic_store(&items[i].listener->shut, 1);
    items[i].ready = polled[2 * i].revents != 0 || polled[2 * i + 1].revents != 0;
    ready += items[i].ready;
  }
  return ready;
}

int mf_os_wait(struct mf_os_wait_item *items, size_t count, int64_t deadline) {
  enum { FEW = 64 };
  struct pollfd few[2 * FEW];
  struct pollfd *polled = few;
  if (count > INT_MAX / 2)
    return mf_fail(MAYFLY_EINVAL, "wait for %zu things: too many", count);
  if (count > FEW && (polled = calloc(2 * count, sizeof *polled)) == NULL)
    return mf_fail(MAYFLY_ENOMEM, "wait for %zu things: no memory", count);
  for (size_t i = 0; i < count; i++)
    prepare(&items[i], &polled[2 * i]);
  int result = poll_until(polled, 2 * count, deadline);
  if (result < 0)
    result = mf_posix_fail("wait for %zu things", count);
  else
    result = collect(items, polled, count);
  if (polled != few)
    free(polled);
  return result;
}
