/* SPDX-License-Identifier: MIT */
/* registry.c - what must vanish with this process; see registry.h.
 *
 * An entry is in no list (before it is made, after it was taken or has vanished, and in a forked child), or in the
 * list, newest first. `in_flight` counts makers and removers; `ended` is set for good when the process ends, and turns
 * makers away. While somebody is `cleaning`, who would begin waits: threads that never stop making leave no moment in
 * which none is in flight. */
#include "registry.h"
#include "error.h"
#include "os.h"
#include <mayfly/tempfile.h>
#include <stddef.h>

enum { IN_FLIGHT_WAIT_US = 5000000 }; /* at most: a thread may have been ended in the middle */

static struct {
  struct mf_registry_entry *newest;
  int in_flight;
  int cleaning;
  int ended;
  int hooked;
  int64_t process; /* whose all this is, once it is hooked */
} registry;

/* This thread's own share: it does not wait for itself when a signal handler calls exit() in the middle of it. */
static int in_flight_here(void) {
  const struct mf_os_thread *thread = mf_os_thread();
  return thread != NULL ? thread->in_flight : 0;
}

static void count_in_flight(int change) {
  struct mf_os_thread *thread = mf_os_thread();
  registry.in_flight += change;
  if (thread != NULL && thread->in_flight + change >= 0)
    thread->in_flight += change;
}

void mf_registry_leave(struct mf_registry_entry *entry) {
  if (entry->newer != NULL)
    entry->newer->older = entry->older;
  else
    registry.newest = entry->older;
  if (entry->older != NULL)
    entry->older->newer = entry->newer;
  entry->newer = entry->older = NULL;
  entry->entered = 0;
}

/* ---- the end of the process ---- */

static void await_none_in_flight(void) {
  int64_t deadline = mf_os_clock_us() + IN_FLIGHT_WAIT_US;
  while (registry.in_flight > in_flight_here() && mf_os_clock_us() < deadline)
    if (!mf_os_lock_wait(MF_OS_LOCK_REGISTRY, deadline))
      return;
}

static int vanish_all(int last) {
  int result = 0;
  struct mf_registry_entry *older;
  for (struct mf_registry_entry *entry = registry.newest; entry != NULL; entry = older) {
    older = entry->older;
    if (entry->last != last)
      continue;
    mf_registry_leave(entry);
    int vanished = entry->vanish(entry);
    if (result == 0)
      result = vanished;
  }
  return result;
}

/* With the lock held. The first failure, after all was tried. */
static int clean(void) {
  registry.cleaning++;
  await_none_in_flight();
  int result = vanish_all(0);
  int last = vanish_all(1);
  registry.cleaning--;
  mf_os_lock_wake(MF_OS_LOCK_REGISTRY);
  return result < 0 ? result : last;
}

/* A child that was not made by fork(3) has not been told that all this is its parent's. */
static void end(void) {
  if (!mf_os_lock_for_exit(MF_OS_LOCK_REGISTRY))
    return;
  registry.ended = 1;
  if (registry.process == mf_os_process_id())
    clean();
  mf_os_unlock(MF_OS_LOCK_REGISTRY);
}

static void at_exit(void) {
  mf_os_yield_to_signal();
  end();
  mf_os_yield_to_signal();
}

static void in_child(void) {
  struct mf_registry_entry *older;
  for (struct mf_registry_entry *entry = registry.newest; entry != NULL; entry = older) {
    older = entry->older;
    mf_registry_leave(entry);
    if (entry->forget != NULL)
      entry->forget(entry);
  }
  registry.in_flight = in_flight_here();
  registry.cleaning = 0;
  registry.ended = 0;
  registry.process = mf_os_process_id();
}

/* With the lock held. */
static int hook(void) {
  static const struct mf_os_hooks hooks = {at_exit, in_child};
  int result = registry.hooked ? 0 : mf_os_hook(&hooks);
  if (result == 0 && !registry.hooked) {
    registry.hooked = 1;
    registry.process = mf_os_process_id();
  }
  return result;
}

int mayfly_cleanup(void) {
  mf_os_lock(MF_OS_LOCK_REGISTRY);
  int result = clean();
  mf_os_unlock(MF_OS_LOCK_REGISTRY);
  return result;
}

int mayfly_cleanup_on_signals(void) {
  mf_os_lock(MF_OS_LOCK_REGISTRY);
  int result = hook();
  if (result == 0)
    result = mf_os_hook_signals(end);
  mf_os_unlock(MF_OS_LOCK_REGISTRY);
  return result;
}

/* ---- makers and removers ---- */

/* With the lock held. What is begun already goes on, and may need more than one thing; at the end of the process makers
 * are turned away at once, and removers come to an end by themselves. */
static void await_clean(void) {
  while (registry.cleaning > 0 && !registry.ended && in_flight_here() == 0)
    mf_os_lock_wait(MF_OS_LOCK_REGISTRY, mf_os_clock_us() + IN_FLIGHT_WAIT_US);
}

int mf_registry_hold(void) {
  mf_os_lock(MF_OS_LOCK_REGISTRY);
  await_clean();
  int result = registry.ended ? mf_fail(MAYFLY_ECANCELED, "make something temporary: this process is ending") : hook();
  if (result < 0)
    mf_os_unlock(MF_OS_LOCK_REGISTRY);
  return result;
}

void mf_registry_release(void) {
  mf_os_unlock(MF_OS_LOCK_REGISTRY);
}

void mf_registry_enter(struct mf_registry_entry *entry) {
  entry->newer = NULL;
  entry->older = registry.newest;
  if (registry.newest != NULL)
    registry.newest->newer = entry;
  registry.newest = entry;
  entry->entered = 1;
}

int mf_registry_begin(void) {
  int result = mf_registry_hold();
  if (result < 0)
    return result;
  count_in_flight(1);
  mf_registry_release();
  return 0;
}

void mf_registry_end(struct mf_registry_entry *made) {
  mf_os_lock(MF_OS_LOCK_REGISTRY);
  if (made != NULL)
    mf_registry_enter(made);
  count_in_flight(-1);
  if (registry.cleaning > 0)
    mf_os_lock_wake(MF_OS_LOCK_REGISTRY);
  mf_os_unlock(MF_OS_LOCK_REGISTRY);
}

int mf_registry_take(struct mf_registry_entry *entry) {
  mf_os_lock(MF_OS_LOCK_REGISTRY);
  await_clean();
  int mine = entry->entered;
  if (mine) {
    mf_registry_leave(entry);
    count_in_flight(1);
  }
  mf_os_unlock(MF_OS_LOCK_REGISTRY);
  return mine;
}
