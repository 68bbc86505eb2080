/* SPDX-License-Identifier: MIT */
/* frame.h - where one message ends and the next begins (docs/wire.md, section 1): the length header of
 * multiprocessing.connection, a big-endian int32, or -1 and a uint64.
 * Pure: no I/O, no allocation, no state but the arguments. Inline: of a stream of small messages one comes every ten
 * nanoseconds, and a call would be a fifth of that. */
#ifndef MF_FRAME_H
#define MF_FRAME_H

#include <mayfly/base.h>
#include <stddef.h>
#include <stdint.h>

enum { MF_FRAME_SHORT_HEADER = 4, MF_FRAME_HEADER_MAX = 12 };
#define MF_FRAME_SHORT_MAX UINT32_C(0x7fffffff) /* bytes of payload behind a short header */
#define MF_FRAME_IS_LONG   UINT32_C(0xffffffff) /* int32 -1 */

struct mf_frame {
  size_t header_size;
  uint64_t payload_size;
};

/* Spelled out, so that the compiler sees one store of the processor's. */
static inline void mf_frame_put(uint32_t number, uint8_t *bytes) {
  bytes[0] = (uint8_t)(number >> 24);
  bytes[1] = (uint8_t)(number >> 16);
  bytes[2] = (uint8_t)(number >> 8);
  bytes[3] = (uint8_t)number;
}

static inline uint32_t mf_frame_get(const uint8_t *bytes) {
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Writes the header of a `payload_size`-byte message; returns its length, 4 or 12. */
static inline size_t mf_frame_encode(uint64_t payload_size, uint8_t header[MF_FRAME_HEADER_MAX]) {
  if (payload_size <= MF_FRAME_SHORT_MAX) {
    mf_frame_put((uint32_t)payload_size, header);
    return MF_FRAME_SHORT_HEADER;
  }
  mf_frame_put(MF_FRAME_IS_LONG, header);
  mf_frame_put((uint32_t)(payload_size >> 32), header + 4);
  mf_frame_put((uint32_t)(payload_size & UINT32_MAX), header + 8);
  return MF_FRAME_HEADER_MAX;
}

/* Reads the header at the start of `bytes`. 1: *frame is filled. 0: more bytes are needed. MAYFLY_EPROTO: no such
 * length. MAYFLY_EMSGSIZE: over `payload_max`. The short form is decided by 4 bytes, the long one by all 12. */
static inline int mf_frame_decode(const uint8_t *bytes, size_t size, uint64_t payload_max, struct mf_frame *frame) {
  if (size < MF_FRAME_SHORT_HEADER)
    return 0;
  size_t header_size = MF_FRAME_SHORT_HEADER;
  uint64_t payload_size = mf_frame_get(bytes);
  if (payload_size == MF_FRAME_IS_LONG) {
    if (size < MF_FRAME_HEADER_MAX)
      return 0;
    header_size = MF_FRAME_HEADER_MAX;
    payload_size = (uint64_t)mf_frame_get(bytes + 4) << 32 | mf_frame_get(bytes + 8);
  } else if (payload_size > MF_FRAME_SHORT_MAX) {
    return MAYFLY_EPROTO;
  }
  if (payload_size > payload_max)
    return MAYFLY_EMSGSIZE;
  *frame = (struct mf_frame){header_size, payload_size};
  return 1;
}

#endif
