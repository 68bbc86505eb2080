/* SPDX-License-Identifier: MIT */
/* transport_poll.h - what carries a connection where it is a uv_poll_t. */
#ifndef MF_UV_TRANSPORT_H
#define MF_UV_TRANSPORT_H

#include <uv.h>

struct mf_uv_transport {
  union {
    uv_handle_t any; /* its data is the program's */
    uv_poll_t poll;
    uv_idle_t idle; /* closed for a connection that has no stream */
  } handle;
  mf_os_stream *stream; /* NULL: none */
};

#endif
