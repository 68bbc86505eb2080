/* SPDX-License-Identifier: MIT */
/* transport_stream.h - what carries a connection where it is a uv_pipe_t or a uv_tcp_t. */
#ifndef MF_UV_TRANSPORT_H
#define MF_UV_TRANSPORT_H

#include <uv.h>

struct mf_uv_transport {
  union {
    uv_handle_t any; /* its data is the program's */
    uv_stream_t stream;
    uv_pipe_t pipe;
    uv_tcp_t tcp;
    uv_idle_t idle; /* closed for a connection that has no stream */
  } handle;
  int begun; /* the handle is a stream's */
};

#endif
