/* SPDX-License-Identifier: MIT */
/* process.c - the clock, who we are, the locks, this thread's words, and the end of the process.
 *
 * A signal's way: the handler writes its number into a pipe and returns; the thread that waits there calls what was
 * asked for, puts the default action back and raises the signal again. Nothing of ours ever runs inside a handler. */
#include "posix.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int64_t mf_os_clock_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t mf_os_process_id(void) {
  return getpid();
}

struct mf_os_thread *mf_os_thread(void) {
  static _Thread_local struct mf_os_thread thread;
  return &thread;
}

/* ---- locks ---- */

static pthread_mutex_t locks[MF_OS_LOCK_COUNT];
static pthread_cond_t conditions[MF_OS_LOCK_COUNT];
static pthread_once_t locks_once = PTHREAD_ONCE_INIT;
static int locks_error;
static int forks; /* that this process has come out of */
static struct mf_os_hooks hooked;

/* Set before the lock is asked for, so that a signal handler that interrupts the asking sees it too. */
static _Thread_local volatile sig_atomic_t wanted[MF_OS_LOCK_COUNT];

static void forget_signals(void);

static void before_fork(void) {
  for (int id = 0; id < MF_OS_LOCK_COUNT; id++) {
    wanted[id] = 1;
    pthread_mutex_lock(&locks[id]);
  }
}

static void after_fork_in_parent(void) {
  for (int id = MF_OS_LOCK_COUNT - 1; id >= 0; id--) {
    pthread_mutex_unlock(&locks[id]);
    wanted[id] = 0;
  }
}

static void after_fork_in_child(void) {
  for (int id = 0; id < MF_OS_LOCK_COUNT; id++) {
    pthread_mutex_init(&locks[id], NULL);
    pthread_cond_init(&conditions[id], NULL);
    wanted[id] = 0;
  }
  forks++;
  forget_signals();
  if (hooked.in_child != NULL)
    hooked.in_child();
}

static void make_locks(void) {
  for (int id = 0; id < MF_OS_LOCK_COUNT; id++) {
    pthread_mutex_init(&locks[id], NULL);
    pthread_cond_init(&conditions[id], NULL);
  }
  locks_error = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

int mf_os_forks(void) {
  pthread_once(&locks_once, make_locks);
  return locks_error == 0 ? forks : -1;
}

void mf_os_lock(enum mf_os_lock_id id) {
  pthread_once(&locks_once, make_locks);
  wanted[id] = 1;
  pthread_mutex_lock(&locks[id]);
}

void mf_os_unlock(enum mf_os_lock_id id) {
  pthread_mutex_unlock(&locks[id]);
  wanted[id] = 0;
}

int mf_os_lock_for_exit(enum mf_os_lock_id id) {
  if (wanted[id])
    return 0;
  mf_os_lock(id);
  return 1;
}

int mf_os_lock_wait(enum mf_os_lock_id id, int64_t deadline) {
  struct timespec until;
  int64_t left = deadline - mf_os_clock_us();
  if (left <= 0)
    return 1;
  clock_gettime(CLOCK_REALTIME, &until); /* a condition that waits on the monotonic clock is not everywhere */
  int64_t nanoseconds = until.tv_nsec + left % 1000000 * 1000;
  until.tv_sec += (time_t)(left / 1000000 + nanoseconds / 1000000000);
  until.tv_nsec = (long)(nanoseconds % 1000000000);
  pthread_cond_timedwait(&conditions[id], &locks[id], &until);
  return 1;
}

void mf_os_lock_wake(enum mf_os_lock_id id) {
  pthread_cond_broadcast(&conditions[id]);
}

int mf_os_hook(const struct mf_os_hooks *hooks) {
  pthread_once(&locks_once, make_locks);
  if (locks_error != 0)
    locks_error = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
  errno = locks_error;
  if (locks_error != 0)
    return mf_posix_fail("register what is to be done after fork");
  if (hooks->at_exit != NULL && atexit(hooks->at_exit) != 0)
    return mf_fail(MAYFLY_ENOMEM, "register what is to be done at exit: no memory");
  hooked = *hooks;
  return 0;
}

/* ---- signals ---- */

static const int ending[] = {SIGINT, SIGTERM, SIGHUP};

static void (*hooked_signal)(void);
static int caught[2] = {-1, -1};    /* pipe: the handler's end is [1] */
static atomic_int caught_by;        /* the process whose thread reads it; 0: none */
static atomic_int ending_by_signal; /* its number, once the thread has taken it */

static void forget_signals(void) {
  atomic_store(&ending_by_signal, 0);
  if (atomic_exchange(&caught_by, 0) == 0)
    return;
  close(caught[0]);
  close(caught[1]);
}

static void end_by(int number) {
  struct sigaction action = {.sa_handler = SIG_DFL};
  sigset_t set;
  sigaction(number, &action, NULL);
  sigemptyset(&set);
  sigaddset(&set, number);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  raise(number);
}

/* A forked child has no thread to wake; nor has who closed our pipe behind our back. A pipe that is full: somebody has
 * asked already. */
static void handler(int number) {
  int saved = errno;
  unsigned char byte = (unsigned char)number;
  if (atomic_load(&caught_by) != getpid() || (write(caught[1], &byte, 1) < 0 && errno != EAGAIN))
    end_by(number);
  errno = saved;
}

static void *end_when_caught(void *context) {
  unsigned char number;
  ssize_t count;
  do
    count = read(caught[0], &number, 1);
  while (count < 0 && errno == EINTR);
  if (count != 1) { /* closed behind our back */
    atomic_store(&caught_by, 0);
    return context;
  }
  atomic_store(&ending_by_signal, number);
  hooked_signal();
  end_by(number);
  _exit(128 + number); /* the default action does nothing to a container's first process */
}

void mf_os_yield_to_signal(void) {
  while (atomic_load(&ending_by_signal) != 0)
    pause();
}

/* With every signal blocked, so that the program's own handlers run in the program's own threads. */
static int start_thread(void) {
  sigset_t all, before;
  pthread_t thread;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int number = pthread_create(&thread, NULL, end_when_caught, NULL);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (number == 0)
    pthread_detach(thread);
  return number;
}

static int start_catching(void (*on_signal)(void)) {
  hooked_signal = on_signal;
  if (mf_posix_pipe(caught) != 0)
    return mf_posix_fail("make the pipe that signals come through");
  errno = start_thread();
  if (errno == 0) {
    atomic_store(&caught_by, getpid());
    return 0;
  }
  int result = mf_posix_fail("start the thread that cleans up on signals");
  close(caught[0]);
  close(caught[1]);
  return result;
}

int mf_os_hook_signals(void (*on_signal)(void)) {
  int result = atomic_load(&caught_by) == getpid() ? 0 : start_catching(on_signal);
  for (size_t i = 0; result == 0 && i < sizeof ending / sizeof ending[0]; i++) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    struct sigaction before;
    sigaction(ending[i], NULL, &before);
    if ((before.sa_flags & SA_SIGINFO) == 0 && before.sa_handler == SIG_DFL)
      sigaction(ending[i], &action, NULL);
  }
  return result;
}
