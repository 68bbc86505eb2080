/* SPDX-License-Identifier: MIT */
/* listener.h - what mayfly_wait needs of a listener: its part in one wait, and to be carried on after it. */
#ifndef MF_LISTENER_H
#define MF_LISTENER_H

#include "os.h"

/* How many items the listener needs in a wait, at the most, and what it waits for: fills them in, returns how many. */
size_t mf_listener_item_count(const mayfly_listener *listener);
size_t mf_listener_watch(const mayfly_listener *listener, struct mf_os_wait_item *items);
/* When it must be carried on whether or not something is ready. */
int64_t mf_listener_deadline(const mayfly_listener *listener);
/* 1: accept would not wait. 0: it would; whatever was ready of the items has been dealt with. */
int mf_listener_advance(mayfly_listener *listener, const struct mf_os_wait_item *items, size_t count);
int mf_listener_is_ready(const mayfly_listener *listener);

#endif
