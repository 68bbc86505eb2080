/* SPDX-License-Identifier: MIT */
/* meeting.h - one connection between this program and a Python, in each of the ways that there are. */
#ifndef MEETING_H
#define MEETING_H

#include "stage.h"
#include <mayfly/connection.h>

/* The one that both this system and its Python prefer. */
#ifdef _WIN32
#define LOCAL_FAMILY MAYFLY_AF_PIPE
#else
#define LOCAL_FAMILY MAYFLY_AF_UNIX
#endif
/* One over which messages are bytes, so that half of one can be said: Python's pipes on Windows keep messages. */
#ifdef _WIN32
#define STREAM_FAMILY MAYFLY_AF_INET
#else
#define STREAM_FAMILY MAYFLY_AF_UNIX
#endif

struct way {
  const char *name;
  mayfly_family family;
  int keyed;
  int python_listens;
};

enum { WAYS = 8 };
extern const struct way ways[WAYS];
const struct way *way_of(mayfly_family family, int keyed, int python_listens);

struct meeting {
  const struct way *way;
  struct peer *python;
  mayfly_listener *listener; /* NULL: Python's */
  mayfly_connection *ours;
};

/* A Python that has not come by then will not come. */
enum { MEETING_PATIENCE_MS = 60000 };

/* The key of a keyed way, which is no text, and the same in hexadecimal digits, for Python. */
extern const unsigned char meeting_key[25];
extern const char meeting_key_digits[];

/* The options of our side: key, HMAC-MD5 for a legacy Python, any user for a listener that could not tell. */
mayfly_endpoint_options meeting_options(const struct way *way, const struct stage *stage);

/* Python listens on an arbitrary address of that family; `key` in hexadecimal digits, "-": none. */
void python_listens(struct stage *stage, mayfly_family family, const char *key, mayfly_address *address);
/* Python, told so, connects; what comes of it is what it says next. */
void python_connects(struct peer *python, const mayfly_address *address, const char *key);

/* Connected, in that way. */
struct meeting meet(struct stage *stage, const struct way *way);
/* Our side closes. Python says its farewell, if there is one, closes and stops listening. */
void part(struct meeting *meeting, const char *farewell);

/* Meets in every way, one after the other; `talk` parts. */
void meet_in_every_way(struct stage *stage, void (*talk)(struct meeting *meeting));

void meet_in_every_way_of_bytes(struct stage *stage, void (*talk)(struct meeting *meeting));

/* The next message is that. */
void expect_text(mayfly_connection *connection, const char *text);
void expect_pattern(mayfly_connection *connection, size_t size);

#endif
