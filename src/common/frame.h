/* SPDX-License-Identifier: MIT */
/* frame.h - where one message ends and the next begins (docs/wire.md, section 1).
 * Pure: no I/O, no allocation, no state but the arguments. */
#ifndef MF_FRAME_H
#define MF_FRAME_H

#include "private.h"
#include <stddef.h>
#include <stdint.h>

enum { MF_FRAME_HEADER_MAX = 12 };

struct mf_frame {
  size_t header_size;
  uint64_t payload_size;
};

/* Write the header of a `payload_size`-byte message; returns its length, 4 or 12. */
MF_PRIVATE size_t mf_frame_encode(uint64_t payload_size, uint8_t header[MF_FRAME_HEADER_MAX]);

/* Read the header at the start of `bytes`. 1: *frame is filled. 0: more bytes are needed. MAYFLY_EPROTO: no such
 * length. MAYFLY_EMSGSIZE: over `payload_max`. The short form is decided by 4 bytes, the long one by all 12. */
MF_PRIVATE int mf_frame_decode(const uint8_t *bytes, size_t size, uint64_t payload_max, struct mf_frame *frame);

#endif
