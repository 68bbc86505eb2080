/* SPDX-License-Identifier: MIT */
/* meeting.c - connects this program with a Python. */
#include "meeting.h"
#include "pattern.h"
#include "result.h"
#include <string.h>

const struct way ways[WAYS] = {
    {"we listen on the local family, no key", LOCAL_FAMILY, 0, 0},
    {"we listen on the local family, with a key", LOCAL_FAMILY, 1, 0},
    {"we listen on AF_INET, no key", MAYFLY_AF_INET, 0, 0},
    {"we listen on AF_INET, with a key", MAYFLY_AF_INET, 1, 0},
    {"Python listens on the local family, no key", LOCAL_FAMILY, 0, 1},
    {"Python listens on the local family, with a key", LOCAL_FAMILY, 1, 1},
    {"Python listens on AF_INET, no key", MAYFLY_AF_INET, 0, 1},
    {"Python listens on AF_INET, with a key", MAYFLY_AF_INET, 1, 1},
};

const unsigned char meeting_key[25] = "a \0 key \xff that is no text";
const char meeting_key_digits[] = "612000206b657920ff2074686174206973206e6f2074657874";

const struct way *way_of(mayfly_family family, int keyed, int python_listens) {
  for (size_t i = 0; i < WAYS; i++)
    if (ways[i].family == family && ways[i].keyed == keyed && ways[i].python_listens == python_listens)
      return &ways[i];
  fail();
  return NULL;
}

mayfly_endpoint_options meeting_options(const struct way *way, const struct stage *stage) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  if (way->keyed) {
    options.authkey = meeting_key;
    options.authkey_size = sizeof meeting_key;
    options.flags |= peer_is_legacy(stage->interpreter) ? MAYFLY_ENDPOINT_ALLOW_MD5 : 0;
  } else if (way->family == MAYFLY_AF_INET && !way->python_listens)
    options.flags |= MAYFLY_ENDPOINT_ANY_USER;
  return options;
}

void python_listens(struct stage *stage, mayfly_family family, const char *key, mayfly_address *address) {
  static const char announced[] = "listening ";
  if (family == MAYFLY_AF_PIPE) {
    mayfly_address arbitrary;
    assert_ok(mayfly_arbitrary_address(family, &arbitrary));
    peer_tell(&stage->python, "listen AF_PIPE %s %s", arbitrary.name, key);
  } else if (family == MAYFLY_AF_UNIX)
    peer_tell(&stage->python, "listen AF_UNIX %s/python %s", stage->directory, key);
  else
    peer_tell(&stage->python, "listen AF_INET localhost:0 %s", key);
  const char *line = peer_hear(&stage->python);
  assert_memory_equal(line, announced, strlen(announced));
  assert_ok(mayfly_address_parse(line + strlen(announced), address));
}

void python_connects(struct peer *python, const mayfly_address *address, const char *key) {
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  assert_ok(mayfly_address_format(address, text, sizeof text));
  peer_tell(python, "connect %s %s", text, key);
}

static void meet_at_pythons(struct meeting *meeting, struct stage *stage) {
  mayfly_endpoint_options options = meeting_options(meeting->way, stage);
  mayfly_address address;
  python_listens(stage, meeting->way->family, meeting->way->keyed ? meeting_key_digits : "-", &address);
  peer_tell(meeting->python, "accept");
  assert_ok(mayfly_connect(&address, &options, &meeting->ours));
  peer_expect(meeting->python, "accepted");
}

static void meet_at_ours(struct meeting *meeting, struct stage *stage) {
  mayfly_endpoint_options options = meeting_options(meeting->way, stage);
  mayfly_address address;
  assert_ok(mayfly_arbitrary_address(meeting->way->family, &address));
  assert_ok(mayfly_listen(&address, &options, &meeting->listener));
  python_connects(meeting->python, mayfly_listener_address(meeting->listener),
                  meeting->way->keyed ? meeting_key_digits : "-");
  assert_ok(mayfly_accept(meeting->listener, MEETING_PATIENCE_MS, &meeting->ours));
  peer_expect(meeting->python, "connected");
}

struct meeting meet(struct stage *stage, const struct way *way) {
  struct meeting meeting = {.way = way, .python = &stage->python};
  if (way->python_listens)
    meet_at_pythons(&meeting, stage);
  else
    meet_at_ours(&meeting, stage);
  return meeting;
}

void part(struct meeting *meeting, const char *farewell) {
  assert_ok(mayfly_connection_close(meeting->ours));
  if (farewell != NULL)
    peer_expect(meeting->python, farewell);
  peer_ask(meeting->python, "close", "closed");
  if (meeting->way->python_listens)
    peer_ask(meeting->python, "stop_listening", "stopped");
  assert_ok(mayfly_listener_close(meeting->listener));
}

static void meet_and_talk(struct stage *stage, const struct way *way, void (*talk)(struct meeting *meeting)) {
  print_message("  %s\n", way->name);
  struct meeting meeting = meet(stage, way);
  talk(&meeting);
}

void meet_in_every_way(struct stage *stage, void (*talk)(struct meeting *meeting)) {
  for (size_t i = 0; i < WAYS; i++)
    meet_and_talk(stage, &ways[i], talk);
}

void meet_in_every_way_of_bytes(struct stage *stage, void (*talk)(struct meeting *meeting)) {
  for (size_t i = 0; i < WAYS; i++)
    if (ways[i].family != MAYFLY_AF_PIPE)
      meet_and_talk(stage, &ways[i], talk);
}

void expect_text(mayfly_connection *connection, const char *text) {
  const void *data;
  size_t size;
  assert_ok(mayfly_recv_bytes(connection, SIZE_MAX, &data, &size));
  assert_int_equal(size, strlen(text));
  assert_memory_equal(data, text, size);
}

void expect_pattern(mayfly_connection *connection, size_t size) {
  const void *data;
  size_t received;
  assert_ok(mayfly_recv_bytes(connection, SIZE_MAX, &data, &received));
  assert_int_equal(received, size);
  assert_true(pattern_is(data, size));
}
