/* SPDX-License-Identifier: MIT */
/* registry.h - what must vanish with this process.
 *
 * Calling sequence of a maker: mf_registry_begin(), make the thing, mf_registry_end() with its entry (or NULL where
 * nothing was made). Of a remover: mf_registry_take(); if that says so, remove the thing, then mf_registry_end(NULL).
 * What lies between is "in flight": mayfly_cleanup, the exit hook and the signal thread wait for it, then remove what
 * is entered, the newest first. So nothing is missed and nothing is removed twice.
 *
 * After mf_registry_take said no, the thing is gone, or belongs to the parent of this forked process.
 */
#ifndef MF_REGISTRY_H
#define MF_REGISTRY_H

struct mf_registry_entry {
  struct mf_registry_entry *newer, *older; /* the registry's; the rest is set by who enters it */
  int entered;
  int last;                                       /* removed after all that are not */
  int (*vanish)(struct mf_registry_entry *entry); /* remove the thing, not the memory; another thread may be using it */
  void (*forget)(struct mf_registry_entry *entry); /* in a forked child: it is the parent's; NULL: nothing to do */
};

int mf_registry_begin(void); /* MAYFLY_ECANCELED: this process is ending */
void mf_registry_end(struct mf_registry_entry *made);
int mf_registry_take(struct mf_registry_entry *entry); /* nonzero: it is yours to remove, and in flight */

/* For who needs the lock for longer: 0, and it is held, or MAYFLY_ECANCELED. */
int mf_registry_hold(void);
void mf_registry_enter(struct mf_registry_entry *entry); /* the lock is held */
void mf_registry_leave(struct mf_registry_entry *entry); /* the lock is held */
void mf_registry_release(void);

#endif
