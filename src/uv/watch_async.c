/* SPDX-License-Identifier: MIT */
/* watch_async.c - waiting for a listener, of which a thread of the system's tells, or for a socket that connects:
 * Windows. */
#include "internal.h"

/* ---- a listener ---- */

/* In a thread of the system's, once for each start. */
static void tell_loop(void *context) {
  struct mf_uv_watch *watch = context;
  uv_async_send(&watch->handle.async);
}

static int arm(struct mf_uv_watch *watch) {
  mayfly_os_fd none;
  return mf_os_listener_watch(watch->listener, tell_loop, watch, &none);
}

/* The watch is over with each telling. Without memory for the next one, the loop looks again in every turn. */
static void on_async(uv_async_t *handle) {
  struct mf_uv_watch *watch = (struct mf_uv_watch *)handle;
  if (!uv_has_ref(&watch->handle.any))
    return;
  watch->ready(watch);
  if (!uv_is_closing(&watch->handle.any) && uv_has_ref(&watch->handle.any) && arm(watch) < 0)
    uv_async_send(handle);
}

int mf_uv_watch_listener(struct mf_uv_watch *watch, uv_loop_t *uv, mf_os_listener *listener) {
  int result = uv_async_init(uv, &watch->handle.async, on_async);
  if (result < 0)
    return mf_fail(MAYFLY_EIO, "watch a listener: %s", uv_strerror(result));
  watch->listener = listener;
  uv_unref(&watch->handle.any);
  return 0;
}

/* Whether it is started shows in the reference, as that of a poll handle does. */
int mf_uv_watch_start(struct mf_uv_watch *watch) {
  int result = arm(watch);
  if (result == 0)
    uv_ref(&watch->handle.any);
  return result;
}

void mf_uv_watch_stop(struct mf_uv_watch *watch) {
  mayfly_os_fd none;
  mf_os_listener_watch(watch->listener, NULL, NULL, &none);
  uv_unref(&watch->handle.any);
}

/* ---- a socket ---- */

static void on_poll(uv_poll_t *handle, int status, int events) {
  struct mf_uv_watch *watch = (struct mf_uv_watch *)handle;
  (void)status, (void)events; /* whoever is told looks for itself, and is told an error so */
  watch->ready(watch);
}

int mf_uv_watch_stream(struct mf_uv_watch *watch, uv_loop_t *uv, const mf_os_stream *stream) {
  int result = uv_poll_init_socket(uv, &watch->handle.poll, (uv_os_sock_t)mf_os_stream_fd(stream));
  if (result < 0)
    return mf_fail(MAYFLY_EIO, "watch a socket: %s", uv_strerror(result));
  watch->listener = NULL;
  uv_poll_start(&watch->handle.poll, UV_WRITABLE, on_poll);
  return 0;
}

/* ---- either ---- */

static void on_closed(uv_handle_t *handle) {
  struct mf_uv_watch *watch = (struct mf_uv_watch *)handle;
  watch->closed(watch);
}

void mf_uv_watch_close(struct mf_uv_watch *watch) {
  if (watch->listener != NULL)
    mf_uv_watch_stop(watch);
  uv_close(&watch->handle.any, on_closed);
}
