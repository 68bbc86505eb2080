/* SPDX-License-Identifier: MIT */
/* Fuzz target: whatever stands at the start of a stream, and however much of it has come, the answer is the one that
 * the definition of the header gives.
 *
 * Input: 8 bytes of limit and number, then the stream. */
#include "frame.h"
#include "fuzz.h"
#include <mayfly/base.h>
#include <string.h>

/* The definition, read as Python's struct.unpack reads it. */
static int expected_answer(const uint8_t *stream, size_t size, uint64_t payload_max, struct mf_frame *frame) {
  if (size < 4)
    return 0;
  const int64_t top = stream[0] < 0x80 ? stream[0] : stream[0] - 0x100;
  const int64_t length = top * 0x1000000 + stream[1] * INT64_C(0x10000) + stream[2] * INT64_C(0x100) + stream[3];
  *frame = (struct mf_frame){4, (uint64_t)length};
  if (length < -1)
    return MAYFLY_EPROTO;
  if (length == -1) {
    if (size < 12)
      return 0;
    *frame = (struct mf_frame){12, 0};
    for (size_t i = 4; i < 12; i++)
      frame->payload_size = frame->payload_size * 0x100 + stream[i];
  }
  return frame->payload_size <= payload_max ? 1 : MAYFLY_EMSGSIZE;
}

static int decode_exactly(const uint8_t *stream, size_t size, uint64_t payload_max, struct mf_frame *frame) {
  uint8_t *arrived = malloc(size > 0 ? size : 1); /* of this size, so that AddressSanitizer sees what is behind it */
  CHECK(arrived != NULL);
  memcpy(arrived, stream, size);
  const int result = mf_frame_decode(arrived, size, payload_max, frame);
  free(arrived);
  return result;
}

static void check_stream(const uint8_t *stream, size_t size, uint64_t payload_max) {
  for (size_t arrived = 0; arrived <= size && arrived <= MF_FRAME_HEADER_MAX + 2; arrived++) {
    const struct mf_frame untouched = {77, 77};
    struct mf_frame expected, frame = untouched;
    const int answer = expected_answer(stream, arrived, payload_max, &expected);
    CHECK(decode_exactly(stream, arrived, payload_max, &frame) == answer);
    if (answer != 1)
      expected = untouched;
    CHECK(frame.header_size == expected.header_size && frame.payload_size == expected.payload_size);
  }
}

static void check_way_back(uint64_t number) {
  uint8_t header[MF_FRAME_HEADER_MAX];
  struct mf_frame frame;
  const size_t size = mf_frame_encode(number, header);
  CHECK(size == (number < UINT64_C(0x80000000) ? 4u : 12u));
  CHECK(decode_exactly(header, size, number, &frame) == 1);
  CHECK(frame.header_size == size && frame.payload_size == number);
  CHECK(number == 0 || decode_exactly(header, size, number - 1, &frame) == MAYFLY_EMSGSIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint64_t number;
  if (size < sizeof number)
    return 0;
  memcpy(&number, data, sizeof number);
  check_way_back(number);
  check_way_back(number >> (number & 63));
  check_stream(data + sizeof number, size - sizeof number, number);
  check_stream(data + sizeof number, size - sizeof number, UINT64_MAX);
  return 0;
}
