/* SPDX-License-Identifier: MIT */
/* watch_poll.c - waiting for a listener or a stream that connects, by its descriptor: POSIX. */
#include "internal.h"

static void on_poll(uv_poll_t *handle, int status, int events) {
  struct mf_uv_watch *watch = (struct mf_uv_watch *)handle;
  (void)status, (void)events; /* whoever is told looks for itself, and is told an error so */
  watch->ready(watch);
}

static int init(struct mf_uv_watch *watch, uv_loop_t *uv, mayfly_os_fd fd) {
  int result = uv_poll_init_socket(uv, &watch->handle.poll, (uv_os_sock_t)fd);
  return result < 0 ? mf_fail(MAYFLY_EIO, "watch descriptor %lld: %s", (long long)fd, uv_strerror(result)) : 0;
}

int mf_uv_watch_listener(struct mf_uv_watch *watch, uv_loop_t *uv, mf_os_listener *listener) {
  mayfly_os_fd fd;
  int result = mf_os_listener_watch(listener, NULL, NULL, &fd);
  return result < 0 ? result : init(watch, uv, fd);
}

int mf_uv_watch_stream(struct mf_uv_watch *watch, uv_loop_t *uv, const mf_os_stream *stream) {
  int result = init(watch, uv, mf_os_stream_fd(stream));
  if (result == 0)
    uv_poll_start(&watch->handle.poll, UV_WRITABLE, on_poll);
  return result;
}

int mf_uv_watch_start(struct mf_uv_watch *watch) {
  int result = uv_poll_start(&watch->handle.poll, UV_READABLE, on_poll);
  return result < 0 ? mf_fail(MAYFLY_EIO, "watch a listener: %s", uv_strerror(result)) : 0;
}

void mf_uv_watch_stop(struct mf_uv_watch *watch) {
  uv_poll_stop(&watch->handle.poll);
}

static void on_closed(uv_handle_t *handle) {
  struct mf_uv_watch *watch = (struct mf_uv_watch *)handle;
  watch->closed(watch);
}

void mf_uv_watch_close(struct mf_uv_watch *watch) {
  uv_close(&watch->handle.any, on_closed);
}
