/* SPDX-License-Identifier: MIT */
/* child.c - children, each at the other end of a socket. */
#include "child.h"
#include "test.h"
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN_MAX = 256 };

static struct child alive[CHILDREN_MAX]; /* pid 0: unused */

static struct child *find(pid_t pid) {
  for (int i = 0; i < CHILDREN_MAX; i++)
    if (alive[i].pid == pid)
      return &alive[i];
  fail_msg("child: %d at most, and %d is none of them", CHILDREN_MAX, (int)pid);
  return NULL;
}

/* A child that kept its siblings' ends open would keep them from seeing that the parent is gone. */
static void forget_siblings(void) {
  for (int i = 0; i < CHILDREN_MAX; i++)
    if (alive[i].pid != 0)
      close(alive[i].fd);
  memset(alive, 0, sizeof alive);
}

static void die_with(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent)
    _exit(EXIT_FAILURE);
}

pid_t child_fork(struct child *child, int *parent) {
  struct child *place = find(0);
  int ends[2];
  assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), errno);
  fflush(NULL);
  pid_t self = getpid();
  pid_t pid = fork();
  assert_return_code(pid, errno);
  if (pid == 0) {
    forget_siblings();
    close(ends[0]);
    *parent = ends[1];
    die_with(self);
    return 0;
  }
  close(ends[1]);
  *place = *child = (struct child){.pid = pid, .fd = ends[0]};
  return pid;
}

void child_start(struct child *child, child_function *run, void *context) {
  int parent;
  if (child_fork(child, &parent) == 0)
    exit(run(parent, context));
}

void child_start_apart(struct child *child, child_function *run, const void *context, size_t size) {
  (void)size;
  child_start(child, run, (void *)context);
}

static int become_nobody(void) {
  const struct passwd *nobody = getpwnam("nobody");
  return nobody == NULL || setgroups(0, NULL) != 0 || setresgid(nobody->pw_gid, nobody->pw_gid, nobody->pw_gid) != 0 ||
         setresuid(nobody->pw_uid, nobody->pw_uid, nobody->pw_uid) != 0;
}

void child_start_as_nobody(struct child *child, child_function *run, void *context) {
  int parent;
  if (child_fork(child, &parent) == 0) {
    pid_t self = getppid();
    if (become_nobody()) {
      perror("child: becoming nobody");
      _exit(EXIT_FAILURE);
    }
    die_with(self); /* the change of user took that back */
    exit(run(parent, context));
  }
}

int child_can_be_nobody(void) {
  if (geteuid() != 0) {
    print_message("skipped: a second user takes root to become it\n");
    return 0;
  }
  if (getpwnam("nobody") == NULL) {
    print_message("skipped: there is no user nobody\n");
    return 0;
  }
  return 1;
}

int child_say(int fd, char word) {
  return send(fd, &word, 1, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

int child_hear(int fd) {
  unsigned char word;
  ssize_t got;
  do {
    got = recv(fd, &word, 1, 0);
  } while (got < 0 && errno == EINTR);
  return got == 1 ? word : -1;
}

int child_hear_now(int fd) {
  unsigned char word;
  ssize_t got = recv(fd, &word, 1, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR))
    return 0;
  return got == 1 ? word : -1;
}

int child_wait(struct child *child) {
  int status = 0;
  pid_t pid;
  do {
    pid = waitpid(child->pid, &status, 0);
  } while (pid < 0 && errno == EINTR);
  assert_int_equal(pid, child->pid);
  close(child->fd);
  find(child->pid)->pid = 0;
  return status;
}

void child_expect_exit(struct child *child, int code) {
  int status = child_wait(child);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != code) {
    fail_msg("the child ended with %s %d instead of exiting with %d", WIFEXITED(status) ? "exit code" : "signal",
             WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), code);
  }
}

void child_kill(struct child *child, int number) {
  kill(child->pid, number);
  int status = child_wait(child);
  assert_true(WIFSIGNALED(status));
  assert_int_equal(WTERMSIG(status), number);
}

int child_end_all(void) {
  int left = 0;
  for (int i = 0; i < CHILDREN_MAX; i++) {
    if (alive[i].pid != 0) {
      fprintf(stderr, "child: %d was left alive\n", (int)alive[i].pid);
      kill(alive[i].pid, SIGKILL);
      struct child child = alive[i];
      child_wait(&child);
      left++;
    }
  }
  return left;
}
