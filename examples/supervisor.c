/* SPDX-License-Identifier: MIT */
/* supervisor.c - keeps three processes alive and tells clients which they are; all of it is one mayfly_wait().
 *
 *   supervisor COMMAND...  prints its address, keeps COMMAND running three times, tells the ids; until SIGTERM */
#include <mayfly/mayfly.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 3, CLIENTS = 100, MOST = 1 + CHILDREN + CLIENTS };

static mayfly_wait_item items[MOST]; /* the listener, then the children, then the clients */
static size_t count = 1 + CHILDREN;
static pid_t pids[1 + CHILDREN]; /* our own, then the children's, by their items */

static void stop(int number) {
  (void)number;
  if (getpid() != pids[0]) /* a child of ours, before its exec: the signal is meant to end it */
    _exit(1);
  mayfly_listener_shutdown(items[0].listener); /* which wakes the wait, and accept says why */
}

/* Only the child holds the other end of its pipe, so ours is ready when the child has ended. */
static int start_child(size_t i, char **command) {
  mayfly_connection *ends[2];
  mayfly_os_fd fd;
  if (mayfly_pipe(0, ends) < 0)
    return -1;
  items[i] = (mayfly_wait_item){.connection = ends[0]};
  pids[i] = fork();
  if (pids[i] == 0) {
    if (mayfly_connection_os_fd(ends[1], &fd) == 0 && mayfly_os_fd_set_inheritable(fd, 1) == 0)
      execvp(command[0], command);
    _exit(127);
  }
  mayfly_connection_close(ends[1]);
  return pids[i] < 0 ? -1 : 0;
}

static void end_child(size_t i) {
  mayfly_connection_close(items[i].connection);
  if (pids[i] > 0 && kill(pids[i], SIGTERM) == 0)
    waitpid(pids[i], NULL, 0);
}

static void answer_client(size_t i) {
  char answer[64];
  const void *data;
  size_t size;
  int length = snprintf(answer, sizeof answer, "%d %d %d", (int)pids[1], (int)pids[2], (int)pids[3]);
  if (mayfly_recv_bytes(items[i].connection, SIZE_MAX, &data, &size) == 0 &&
      mayfly_send_bytes(items[i].connection, answer, (size_t)length) == 0)
    return;
  mayfly_connection_close(items[i].connection);
  items[i] = items[--count];
}

static int take_client(void) {
  mayfly_connection *client;
  int result = mayfly_accept(items[0].listener, 0, &client);
  if (result == 0 && count < MOST)
    items[count++] = (mayfly_wait_item){.connection = client};
  else if (result == 0)
    mayfly_connection_close(client);
  return result == MAYFLY_ECANCELED ? result : 0; /* after other failures the listener goes on */
}

static int supervise(char **command) {
  int result = mayfly_wait(items, count, MAYFLY_FOREVER);
  for (size_t i = count - 1; i > CHILDREN && result >= 0; i--) /* backwards: the last fills a gap */
    if (items[i].ready)
      answer_client(i);
  for (size_t i = 1; i <= CHILDREN && result >= 0; i++)
    if (items[i].ready) {
      end_child(i);
      result = start_child(i, command);
    }
  return result >= 0 && items[0].ready ? take_client() : result;
}

int main(int argc, char **argv) {
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  int result = argc < 2 ? -1 : mayfly_listen(NULL, NULL, &items[0].listener);
  for (size_t i = 1; i <= CHILDREN && result == 0; i++)
    result = start_child(i, argv + 1);
  pids[0] = getpid();
  sigaction(SIGTERM, &(struct sigaction){.sa_handler = stop}, NULL);
  if (result == 0 && mayfly_address_format(mayfly_listener_address(items[0].listener), text, sizeof text) == 0)
    printf("%s\n", text);
  fflush(stdout);
  while (result >= 0)
    result = supervise(argv + 1);
  for (size_t i = 1; i < count; i++)
    i <= CHILDREN ? end_child(i) : (void)mayfly_connection_close(items[i].connection);
  if (result != MAYFLY_ECANCELED)
    fprintf(stderr, "supervisor: %s\n", argc < 2 ? "which COMMAND?" : mayfly_last_error());
  return mayfly_listener_close(items[0].listener) < 0 || result != MAYFLY_ECANCELED;
}
