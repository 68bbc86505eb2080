/* SPDX-License-Identifier: MIT */
/* listener.c - listen, admit, accept: many handshakes side by side, the first to finish wins.
 *
 * Who has connected is an opening: PROVING the key, THROUGH, or FAILED, in the order of arrival. accept and wait carry
 * all of them on, a step each time something has come for it; nobody is waited for. accept hands out the first that is
 * no longer PROVING. When opening_max are PROVING and another comes, the first of them fails: a peer that says nothing
 * delays nobody. Out of descriptors, the listener rests for a moment, since the system would call it ready at once. */
#include "listener.h"
#include "connection.h"
#include "error.h"
#include "listening.h"
#include "memory.h"
#include <stdlib.h>
#include <string.h>

enum { REST_US = 100000, FEW = 65 /* as many items need no memory: opening_max's default, and the listener */ };

enum state { PROVING, THROUGH, FAILED };

struct opening {
  struct opening *next;
  enum state state;
  mayfly_connection *connection; /* NULL: FAILED */
  struct mf_handshake handshake;
  int64_t deadline;
  mayfly_address from;
  int error;   /* FAILED */
  char *words; /* FAILED; NULL: there was no memory for them */
};

struct mayfly_listener {
  struct mf_listening at;
  mayfly_address last_accepted;
  int has_accepted;
  struct opening *openings; /* the oldest first */
  int proving;
  int failure;        /* of the listener's own, not told yet: MAYFLY_EMFILE, MAYFLY_ENOMEM */
  int64_t rest_until; /* 0: it does not rest */
};

/* ---- listening ---- */

int mayfly_listen(const mayfly_address *address, const mayfly_endpoint_options *options, mayfly_listener **listener) {
  if (listener == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_listen: listener is NULL");
  mayfly_listener *made = calloc(1, sizeof *made);
  if (made == NULL)
    return mf_fail(MAYFLY_ENOMEM, "listen: no memory");
  int result = mf_listening_start(&made->at, address, options, 0);
  if (result < 0)
    free(made);
  else
    *listener = made;
  return result;
}

/* ---- one opening ---- */

static void end_proving(mayfly_listener *listener, struct opening *opening, enum state state) {
  opening->state = state;
  listener->proving--;
  mf_wipe(&opening->handshake, sizeof opening->handshake);
}

/* The words stand already; they are kept until accept tells them. */
static void fail(mayfly_listener *listener, struct opening *opening, int error) {
  mf_listening_name_peer(&listener->at, error, mayfly_connection_peer(opening->connection), &opening->from);
  opening->error = error;
  opening->words = mf_duplicate(mayfly_last_error(), strlen(mayfly_last_error()), 1);
  mayfly_connection_close(opening->connection);
  opening->connection = NULL;
  end_proving(listener, opening, FAILED);
}

static void step(mayfly_listener *listener, struct opening *opening) {
  int result = listener->at.endpoint.options.authkey == NULL
                   ? 1
                   : mf_connection_handshake_turn(opening->connection, &opening->handshake);
  if (result == 0)
    return;
  if (result < 0) {
    fail(listener, opening, result == MAYFLY_ENOMEM ? result : MAYFLY_EAUTH);
    return;
  }
  mf_connection_configure(opening->connection, &listener->at.endpoint.options);
  end_proving(listener, opening, THROUGH);
}

static void expire(mayfly_listener *listener, struct opening *opening, int64_t now) {
  if (opening->state != PROVING || now < opening->deadline)
    return;
  mf_fail(MAYFLY_EAUTH, "authentication failed: nothing came within %d ms (has the peer the key?)",
          listener->at.endpoint.options.open_timeout_ms);
  fail(listener, opening, MAYFLY_EAUTH);
}

static void displace_first(mayfly_listener *listener) {
  struct opening *opening = listener->openings;
  while (opening->state != PROVING)
    opening = opening->next;
  mf_fail(MAYFLY_EAUTH, "authentication failed: %d others were proving themselves too, and this one the longest",
          listener->proving);
  fail(listener, opening, MAYFLY_EAUTH);
}

/* ---- taking peers in ---- */

static void append(mayfly_listener *listener, struct opening *opening) {
  struct opening **end = &listener->openings;
  while (*end != NULL)
    end = &(*end)->next;
  *end = opening;
}

/* On failure the stream is closed. */
static int open_with(mayfly_listener *listener, mf_os_stream *stream, const mayfly_address *from) {
  struct opening *opening = calloc(1, sizeof *opening);
  if (opening == NULL) {
    mf_os_stream_close(stream);
    return mf_fail(MAYFLY_ENOMEM, "accept on %s: no memory", listener->at.text);
  }
  int result = mf_connection_new(stream, MF_READABLE | MF_WRITABLE, &opening->connection);
  if (result < 0) {
    free(opening);
    return result;
  }
  opening->from = *from;
  opening->deadline = mf_endpoint_deadline(listener->at.endpoint.options.open_timeout_ms);
  listener->proving++;
  append(listener, opening);
  result = mf_endpoint_admit_client(&listener->at.endpoint, mayfly_connection_peer(opening->connection));
  if (result == 0 && listener->at.endpoint.options.authkey != NULL)
    result = mf_endpoint_handshake(&listener->at.endpoint, MF_HANDSHAKE_SERVER, &opening->handshake);
  if (result < 0)
    fail(listener, opening, result);
  else
    step(listener, opening);
  return 0;
}

static void rest(mayfly_listener *listener, int error) {
  listener->failure = error;
  listener->rest_until = mf_os_clock_us() + REST_US;
}

static int take_in(mayfly_listener *listener) {
  mf_os_stream *stream;
  mayfly_address from;
  int result = mf_os_accept(listener->at.os, &stream, &from);
  if (result == MAYFLY_EAGAIN)
    return 0;
  if (result == 0 && listener->proving == listener->at.endpoint.options.opening_max)
    displace_first(listener);
  if (result == 0)
    result = open_with(listener, stream, &from);
  if (result != MAYFLY_EMFILE && result != MAYFLY_ENOMEM)
    return result;
  rest(listener, result);
  return 0;
}

/* ---- a wait's share ---- */

int mf_listener_is_ready(const mayfly_listener *listener) {
  const struct opening *opening = listener->openings;
  while (opening != NULL && opening->state == PROVING)
    opening = opening->next;
  return opening != NULL || listener->failure < 0 || mf_os_listener_is_shut(listener->at.os);
}

size_t mf_listener_item_count(const mayfly_listener *listener) {
  return 1 + (size_t)listener->proving;
}

size_t mf_listener_watch(const mayfly_listener *listener, struct mf_os_wait_item *items) {
  size_t count = 1;
  items[0] = (struct mf_os_wait_item){.listener = listener->at.os, .resting = listener->rest_until != 0};
  for (const struct opening *opening = listener->openings; opening != NULL; opening = opening->next)
    if (opening->state == PROVING)
      items[count++] = (struct mf_os_wait_item){.stream = mf_connection_stream(opening->connection)};
  return count;
}

int64_t mf_listener_deadline(const mayfly_listener *listener) {
  int64_t deadline = listener->rest_until != 0 ? listener->rest_until : MF_OS_NEVER;
  for (const struct opening *opening = listener->openings; opening != NULL; opening = opening->next)
    if (opening->state == PROVING && opening->deadline < deadline)
      deadline = opening->deadline;
  return deadline;
}

int mf_listener_advance(mayfly_listener *listener, const struct mf_os_wait_item *items, size_t count) {
  const struct mf_os_wait_item *end = items + count, *own = items++;
  int knocking = own->ready && !own->resting;
  int64_t now = listener->proving > 0 || listener->rest_until != 0 ? mf_os_clock_us() : 0;
  for (struct opening *opening = listener->openings; opening != NULL && items < end; opening = opening->next) {
    if (opening->state != PROVING)
      continue;
    if (items++->ready)
      step(listener, opening);
    expire(listener, opening, now);
  }
  if (listener->rest_until <= now)
    listener->rest_until = 0;
  int result = knocking ? take_in(listener) : 0;
  return result < 0 ? result : mf_listener_is_ready(listener);
}

/* ---- accepting ---- */

static struct opening *first_finished(mayfly_listener *listener) {
  struct opening **link = &listener->openings;
  while (*link != NULL && (*link)->state == PROVING)
    link = &(*link)->next;
  struct opening *opening = *link;
  if (opening != NULL)
    *link = opening->next;
  return opening;
}

static int hand_out(mayfly_listener *listener, struct opening *opening, mayfly_connection **connection) {
  int result = opening->state == FAILED ? opening->error : 0;
  if (result < 0)
    mf_fail(result, "%s", opening->words != NULL ? opening->words : "accept: a peer was turned away");
  else {
    listener->last_accepted = opening->from;
    listener->has_accepted = 1;
    *connection = opening->connection;
  }
  free(opening->words);
  free(opening);
  return result;
}

static int tell_failure(mayfly_listener *listener) {
  int failure = listener->failure;
  listener->failure = 0;
  return mf_fail(failure, "accept on %s: no %s left; it is tried again in %d ms", listener->at.text,
                 failure == MAYFLY_EMFILE ? "descriptors are" : "memory is", REST_US / 1000);
}

/* 1: somebody is through, or failed. */
static int await_one(mayfly_listener *listener, int64_t deadline) {
  struct mf_os_wait_item few[FEW];
  struct mf_os_wait_item *items = few;
  size_t most = mf_listener_item_count(listener);
  int64_t own = mf_listener_deadline(listener);
  if (most > FEW && (items = calloc(most, sizeof *items)) == NULL)
    return mf_fail(MAYFLY_ENOMEM, "accept on %s: no memory", listener->at.text);
  size_t count = mf_listener_watch(listener, items);
  int result = mf_os_wait(items, count, own < deadline ? own : deadline);
  if (result >= 0)
    result = mf_listener_advance(listener, items, count);
  if (items != few)
    free(items);
  return result;
}

static int accept_one(mayfly_listener *listener, int timeout_ms, mayfly_connection **connection) {
  int64_t deadline;
  if (listener == NULL || connection == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_accept: %s is NULL", listener == NULL ? "listener" : "connection");
  int result = mf_deadline_take(timeout_ms, "mayfly_accept", &deadline);
  while (result == 0 && !mf_listener_is_ready(listener)) {
    result = await_one(listener, deadline);
    if (result > 0)
      result = 0;
    if (result == 0 && !mf_listener_is_ready(listener) && mf_deadline_passed(deadline))
      return mf_fail(MAYFLY_ETIMEDOUT, "accept on %s: nobody was through within %d ms", listener->at.text, timeout_ms);
  }
  if (result < 0)
    return result;
  if (mf_os_listener_is_shut(listener->at.os))
    return mf_fail(MAYFLY_ECANCELED, "accept on %s: the listener was shut down", listener->at.text);
  struct opening *opening = first_finished(listener);
  return opening != NULL ? hand_out(listener, opening, connection) : tell_failure(listener);
}

int mayfly_accept(mayfly_listener *listener, int timeout_ms, mayfly_connection **connection) {
  char words[MF_OS_WORDS_SIZE];
  mf_words_keep(words);
  int result = accept_one(listener, timeout_ms, connection);
  if (result == 0) /* what other peers failed by meanwhile is told when it is their turn */
    mf_words_put_back(words);
  return result;
}

/* ---- the rest ---- */

const mayfly_address *mayfly_listener_address(const mayfly_listener *listener) {
  if (listener != NULL)
    return &listener->at.address;
  mf_fail(MAYFLY_EINVAL, "mayfly_listener_address: listener is NULL");
  return NULL;
}

const mayfly_address *mayfly_listener_last_accepted(const mayfly_listener *listener) {
  if (listener != NULL)
    return listener->has_accepted ? &listener->last_accepted : NULL;
  mf_fail(MAYFLY_EINVAL, "mayfly_listener_last_accepted: listener is NULL");
  return NULL;
}

int mayfly_listener_shutdown(mayfly_listener *listener) {
  if (listener == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_listener_shutdown: listener is NULL");
  return mf_os_listener_shutdown(listener->at.os);
}

static void drop_openings(mayfly_listener *listener) {
  while (listener->openings != NULL) {
    struct opening *opening = listener->openings;
    listener->openings = opening->next;
    mayfly_connection_close(opening->connection);
    mf_wipe(&opening->handshake, sizeof opening->handshake);
    free(opening->words);
    free(opening);
  }
}

int mayfly_listener_close(mayfly_listener *listener) {
  if (listener == NULL)
    return 0;
  drop_openings(listener);
  int result = mf_listening_stop(&listener->at);
  free(listener);
  return result;
}
