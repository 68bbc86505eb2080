/* SPDX-License-Identifier: MIT */
/* frame.c - the length header of multiprocessing.connection: a big-endian int32, or -1 and a uint64. */
#include "frame.h"
#include <mayfly/base.h>

enum { SHORT_HEADER = 4, LONG_HEADER = MF_FRAME_HEADER_MAX };
#define SHORT_PAYLOAD_MAX UINT32_C(0x7fffffff)
#define LONG_FORM         UINT32_C(0xffffffff) /* int32 -1 */

static void put_big_endian(uint64_t number, uint8_t *bytes, size_t size) {
  for (size_t i = size; i-- > 0; number >>= 8)
    bytes[i] = (uint8_t)(number & 0xff);
}

/* Spelled out, so that the compiler sees one load of the processor's. */
static uint32_t get_big_endian(const uint8_t *bytes) {
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

size_t mf_frame_encode(uint64_t payload_size, uint8_t header[MF_FRAME_HEADER_MAX]) {
  if (payload_size <= SHORT_PAYLOAD_MAX) {
    put_big_endian(payload_size, header, SHORT_HEADER);
    return SHORT_HEADER;
  }
  put_big_endian(LONG_FORM, header, SHORT_HEADER);
  put_big_endian(payload_size, header + SHORT_HEADER, LONG_HEADER - SHORT_HEADER);
  return LONG_HEADER;
}

int mf_frame_decode(const uint8_t *bytes, size_t size, uint64_t payload_max, struct mf_frame *frame) {
  if (size < SHORT_HEADER)
    return 0;
  size_t header_size = SHORT_HEADER;
  uint64_t payload_size = get_big_endian(bytes);
  if (payload_size == LONG_FORM) {
    if (size < LONG_HEADER)
      return 0;
    header_size = LONG_HEADER;
    payload_size = (uint64_t)get_big_endian(bytes + 4) << 32 | get_big_endian(bytes + 8);
  } else if (payload_size > SHORT_PAYLOAD_MAX) {
    return MAYFLY_EPROTO;
  }
  if (payload_size > payload_max)
    return MAYFLY_EMSGSIZE;
  *frame = (struct mf_frame){header_size, payload_size};
  return 1;
}
