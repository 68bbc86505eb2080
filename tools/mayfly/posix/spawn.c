/* SPDX-License-Identifier: MIT */
/* spawn.c - a command in a process of its own, which gets the signals that are meant for it. */
#define _POSIX_C_SOURCE 200809L
#include "../tool.h"
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { NOT_RUNNABLE = 126, NOT_FOUND = 127, SIGNALED = 128 }; /* a shell's */

extern char **environ;

static const int passed_on[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
enum { PASSED_ON = sizeof passed_on / sizeof passed_on[0] };

static volatile sig_atomic_t running; /* the command's process; 0: it has ended */

/* Those of a terminal, which no process has sent, go to the whole group: the command has them already. */
static void pass_on(int number, siginfo_t *information, void *context) {
  int saved = errno;
  (void)context;
  if (running != 0 && information->si_pid != 0)
    kill(running, number);
  errno = saved;
}

/* What is ignored stays so, here and in the command. */
static void catch_signals(void) {
  struct sigaction action = {.sa_sigaction = pass_on, .sa_flags = SA_SIGINFO | SA_RESTART}, before;
  sigemptyset(&action.sa_mask);
  for (int i = 0; i < PASSED_ON; i++) {
    sigaction(passed_on[i], NULL, &before);
    if ((before.sa_flags & SA_SIGINFO) != 0 || before.sa_handler != SIG_IGN)
      sigaction(passed_on[i], &action, NULL);
  }
}

/* 0, or errno. The command starts with the mask of signals that we had, and what breaks ends it as usual. */
static int start(char **command, const sigset_t *mask, pid_t *pid) {
  posix_spawnattr_t attributes;
  sigset_t defaults;
  int number = posix_spawnattr_init(&attributes);
  if (number != 0)
    return number;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  sigaddset(&defaults, SIGXFSZ);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setsigmask(&attributes, mask);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  number = posix_spawnp(pid, command[0], NULL, &attributes, command, environ);
  posix_spawnattr_destroy(&attributes);
  return number;
}

/* Its number may be another's from the moment that it is collected: by then nothing is passed on any more. */
static int await_end(pid_t pid) {
  siginfo_t information;
  int status;
  while (waitid(P_PID, (id_t)pid, &information, WEXITED | WNOWAIT) != 0 && errno == EINTR)
    continue;
  running = 0;
  if (waitpid(pid, &status, 0) != pid)
    return NOT_RUNNABLE;
  return WIFSIGNALED(status) ? SIGNALED + WTERMSIG(status) : WEXITSTATUS(status);
}

int tool_spawn(char **command, const char *path) {
  sigset_t held, before;
  pid_t pid = 0;
  sigemptyset(&held);
  for (int i = 0; i < PASSED_ON; i++)
    sigaddset(&held, passed_on[i]);
  sigprocmask(SIG_BLOCK, &held, &before);
  errno = setenv("MAYFLY_PATH", path, 1) == 0 ? start(command, &before, &pid) : ENOMEM;
  int number = errno;
  if (number == 0) {
    running = (sig_atomic_t)pid;
    catch_signals();
  } else {
    tool_system_failure(command[0]);
  }
  sigprocmask(SIG_SETMASK, &before, NULL);
  if (number != 0)
    return number == ENOENT ? NOT_FOUND : NOT_RUNNABLE;
  return await_end(pid);
}
