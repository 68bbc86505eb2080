/* SPDX-License-Identifier: MIT */
/* wait.c - mayfly_wait over connections, listeners and descriptors. */
#include "connection.h"
#include "error.h"
#include "listener.h"
#include <stdlib.h>

static int check(const mayfly_wait_item *items, size_t i) {
  const mayfly_wait_item *item = &items[i];
  if (item->connection != NULL && item->listener != NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_wait: item %zu is a connection and a listener", i);
  if (item->connection != NULL)
    return mf_connection_check(item->connection, "mayfly_wait", MF_READABLE);
  if (item->listener == NULL && item->fd == MAYFLY_NO_FD)
    return mf_fail(MAYFLY_EINVAL, "mayfly_wait: item %zu is nothing", i);
  return 0;
}

struct share { /* of one item in a wait */
  int ready;
  unsigned places;
};

/* Fills in the places for what the item waits for, unless it is ready already. */
static struct share watch(const mayfly_wait_item *item, struct mf_os_wait_item *places) {
  mf_os_stream *stream = NULL;
  if (item->listener != NULL && mf_listener_is_ready(item->listener))
    return (struct share){1, 0};
  if (item->listener != NULL)
    return (struct share){0, (unsigned)mf_listener_watch(item->listener, places)};
  if (item->connection != NULL && (stream = mf_connection_awaits(item->connection)) == NULL)
    return (struct share){1, 0};
  *places = (struct mf_os_wait_item){.stream = stream, .fd = item->fd};
  return (struct share){0, 1};
}

/* What the system has found, item by item. A listener that fails is ready: accept tells why, and what its peers failed
 * by meanwhile. */
static int advance(const mayfly_wait_item *items, size_t count, struct share *shares,
                   const struct mf_os_wait_item *places) {
  int ready = 0;
  for (size_t i = 0; i < count; i++) {
    if (!shares[i].ready)
      shares[i].ready = items[i].listener != NULL
                            ? mf_listener_advance(items[i].listener, places, shares[i].places) != 0
                            : places->ready;
    ready += shares[i].ready;
    places += shares[i].places;
  }
  return ready;
}

enum { FEW = 64 }; /* up to here a wait needs no memory of its own */

/* One wait of the system's, over those that are not ready already: sets the shares, returns how many are ready. */
static int wait_once(const mayfly_wait_item *items, size_t count, struct share *shares, struct mf_os_wait_item *places,
                     int64_t deadline) {
  char words[MF_OS_WORDS_SIZE];
  size_t used = 0;
  int result = 0, listeners = 0;
  for (size_t i = 0; i < count; i++) {
    if ((result = check(items, i)) < 0)
      return result;
    shares[i] = watch(&items[i], places + used);
    used += shares[i].places;
    if (shares[i].ready)
      deadline = 0;
    if (items[i].listener == NULL)
      continue;
    int64_t own = mf_listener_deadline(items[i].listener);
    deadline = own < deadline ? own : deadline;
    listeners = 1;
  }
  result = mf_os_wait(places, used, deadline);
  if (result < 0)
    return result;
  if (listeners)
    mf_words_keep(words);
  result = advance(items, count, shares, places);
  if (listeners)
    mf_words_put_back(words);
  return result;
}

/* Places and shares lie in one block: glibc would give several of this size back to the system after each wait, and
 * take them anew for the next. `ready` is written if an item is. */
static int wait_with_memory(mayfly_wait_item *items, size_t count, int64_t deadline) {
  struct mf_os_wait_item few_places[FEW];
  struct share few_shares[FEW];
  struct mf_os_wait_item *places = few_places;
  struct share *shares = few_shares;
  size_t most = 0;
  for (size_t i = 0; i < count; i++)
    most += items[i].listener != NULL ? mf_listener_item_count(items[i].listener) : 1;
  if (most > FEW) {
    if ((places = malloc(most * sizeof *places + count * sizeof *shares)) == NULL)
      return mf_fail(MAYFLY_ENOMEM, "mayfly_wait: no memory for %zu items", count);
    shares = (struct share *)(places + most);
  }
  int result = wait_once(items, count, shares, places, deadline);
  for (size_t i = 0; result > 0 && i < count; i++)
    items[i].ready = shares[i].ready;
  if (places != few_places)
    free(places);
  return result;
}

int mayfly_wait(mayfly_wait_item *items, size_t count, int timeout_ms) {
  int64_t deadline;
  if (items == NULL && count > 0)
    return mf_fail(MAYFLY_EINVAL, "mayfly_wait: items is NULL");
  int result = mf_deadline_take(timeout_ms, "mayfly_wait", &deadline);
  if (result < 0)
    return result;
  do /* a listener may have been busy with its peers only: then it goes on */
    result = wait_with_memory(items, count, deadline);
  while (result == 0 && !mf_deadline_passed(deadline));
  for (size_t i = 0; result == 0 && i < count; i++)
    items[i].ready = 0;
  return result;
}
