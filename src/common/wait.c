/* SPDX-License-Identifier: MIT */
/* wait.c - mayfly_wait over connections, listeners and descriptors. */
#include "connection.h"
#include "error.h"
#include "listener.h"
#include <stdlib.h>

static int check(const mayfly_wait_item *items, size_t count) {
  if (items == NULL && count > 0)
    return mf_fail(MAYFLY_EINVAL, "mayfly_wait: items is NULL");
  for (size_t i = 0; i < count; i++) {
    if (items[i].connection != NULL && items[i].listener != NULL)
      return mf_fail(MAYFLY_EINVAL, "mayfly_wait: item %zu is a connection and a listener", i);
    if (items[i].connection == NULL && items[i].listener == NULL && items[i].fd == MAYFLY_NO_FD)
      return mf_fail(MAYFLY_EINVAL, "mayfly_wait: item %zu is nothing", i);
    if (items[i].connection != NULL) {
      int result = mf_connection_check(items[i].connection, "mayfly_wait", MF_READABLE);
      if (result < 0)
        return result;
    }
  }
  return 0;
}

static int is_ready(const mayfly_wait_item *item) {
  if (item->connection != NULL)
    return mf_connection_has_message(item->connection);
  return item->listener != NULL && mf_listener_is_ready(item->listener);
}

/* What an item waits for: fills its places in, returns how many it needs. */
static size_t watch(const mayfly_wait_item *item, struct mf_os_wait_item *places) {
  if (item->listener != NULL)
    return mf_listener_watch(item->listener, places);
  *places = (struct mf_os_wait_item){.fd = item->fd};
  if (item->connection != NULL)
    places->stream = mf_connection_stream(item->connection);
  return 1;
}

/* A listener that fails is ready: accept tells why. */
static int advance(const mayfly_wait_item *item, const struct mf_os_wait_item *places, size_t count) {
  return item->listener != NULL ? mf_listener_advance(item->listener, places, count) != 0 : places->ready;
}

enum { FEW = 64 }; /* up to here a wait needs no memory of its own */

struct share { /* of one item in a wait */
  int ready;
  size_t places;
};

/* One wait of the system's, over those that are not ready already: sets the shares, returns how many are ready. */
static int wait_once(const mayfly_wait_item *items, size_t count, struct share *shares, struct mf_os_wait_item *places,
                     int64_t deadline) {
  size_t used = 0;
  int found = 0;
  for (size_t i = 0; i < count; i++) {
    shares[i] = (struct share){is_ready(&items[i]), 0};
    found += shares[i].ready;
    if (shares[i].ready)
      continue;
    shares[i].places = watch(&items[i], places + used);
    used += shares[i].places;
    int64_t own = items[i].listener != NULL ? mf_listener_deadline(items[i].listener) : MF_OS_NEVER;
    deadline = own < deadline ? own : deadline;
  }
  int result = mf_os_wait(places, used, found > 0 ? 0 : deadline);
  for (size_t i = 0; result >= 0 && i < count; i++) {
    if (shares[i].ready)
      continue;
    shares[i].ready = advance(&items[i], places, shares[i].places);
    found += shares[i].ready;
    places += shares[i].places;
  }
  return result < 0 ? result : found;
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
  int result = check(items, count);
  if (result == 0)
    result = mf_deadline_take(timeout_ms, "mayfly_wait", &deadline);
  if (result != 0)
    return result;
  do /* a listener may have been busy with its peers only: then it goes on */
    result = wait_with_memory(items, count, deadline);
  while (result == 0 && !mf_deadline_passed(deadline));
  for (size_t i = 0; result == 0 && i < count; i++)
    items[i].ready = 0;
  return result;
}
