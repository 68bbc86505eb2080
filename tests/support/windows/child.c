/* SPDX-License-Identifier: MIT */
/* child.c - child processes, each at the other end of two pipes. There is no fork: a test that wants one is skipped. A
 * child apart is this program once more, which is told where the function lies in it, and runs that before its main. */
#include "../child.h"
#include "../test.h"
#include "program.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

enum { CHILDREN_MAX = 64, PATIENCE_MS = 60000, CONTEXT_MAX = 1024 };

static const char apart[] = "--child-apart";

/* The places are what `fd` of a struct child counts; the first is the parent's. */
static struct {
  HANDLE process, to, from;
  pid_t pid; /* 0: unused */
} places[CHILDREN_MAX];

static int find(pid_t pid) {
  for (int i = 1; i < CHILDREN_MAX; i++)
    if (places[i].pid == pid)
      return i;
  fail_msg("child: %d at most, and %d is none of them", CHILDREN_MAX - 1, (int)pid);
  return 0;
}

/* Whatever is in it dies with this process. */
static HANDLE job(void) {
  static HANDLE made;
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
  if (made == NULL) {
    made = CreateJobObjectW(NULL, NULL);
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    SetInformationJobObject(made, JobObjectExtendedLimitInformation, &limits, sizeof limits);
  }
  return made;
}

/* ---- programs ---- */

static void command_line(const char *const *command, char *line, size_t size) {
  size_t used = 0;
  for (; *command != NULL; command++)
    used += (size_t)snprintf(line + used, size - used, "\"%s\" ", *command);
  assert_true(used < size);
}

static void make_pipe(HANDLE *read_end, HANDLE *write_end, HANDLE *inherited) {
  assert_true(CreatePipe(read_end, write_end, NULL, 0));
  SetHandleInformation(*inherited, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
}

static void start_with(struct child *child, const char *const *command, int place, HANDLE output, HANDLE errors) {
  char line[8192];
  HANDLE input;
  PROCESS_INFORMATION made;
  command_line(command, line, sizeof line);
  make_pipe(&input, &places[place].to, &input);
  STARTUPINFOA start = {.cb = sizeof start,
                        .dwFlags = STARTF_USESTDHANDLES,
                        .hStdInput = input,
                        .hStdOutput = output,
                        .hStdError = errors};
  if (!CreateProcessA(NULL, line, NULL, NULL, TRUE, CREATE_SUSPENDED, NULL, NULL, &start, &made))
    fail_msg("%s: error %lu", line, GetLastError());
  AssignProcessToJobObject(job(), made.hProcess);
  ResumeThread(made.hThread);
  CloseHandle(made.hThread);
  CloseHandle(input);
  CloseHandle(output);
  places[place].process = made.hProcess;
  places[place].pid = (pid_t)made.dwProcessId;
  *child = (struct child){.pid = places[place].pid, .fd = place};
}

void program_start(struct child *child, const char *const *command) {
  int place = find(0);
  HANDLE output;
  make_pipe(&places[place].from, &output, &output);
  start_with(child, command, place, output, GetStdHandle(STD_ERROR_HANDLE));
}

void program_start_into(struct child *child, const char *const *command, const char *path) {
  SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
  HANDLE file =
      CreateFileA(path, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_DELETE, &inherited, CREATE_ALWAYS, 0, NULL);
  assert_ptr_not_equal(file, INVALID_HANDLE_VALUE);
  start_with(child, command, find(0), file, file);
}

static int has_something(HANDLE pipe) {
  DWORD available = 0;
  return !PeekNamedPipe(pipe, NULL, 0, NULL, &available, NULL) || available > 0;
}

size_t program_hear(struct child *child, char *buffer, size_t size) {
  DWORD got = 0, begun = GetTickCount();
  while (!has_something(places[child->fd].from)) { /* an anonymous pipe has neither deadlines nor events */
    if (GetTickCount() - begun > PATIENCE_MS)
      fail_msg("child %d says nothing for %d ms", (int)child->pid, PATIENCE_MS);
    Sleep(1);
  }
  return ReadFile(places[child->fd].from, buffer, (DWORD)size, &got, NULL) ? got : 0;
}

void program_tell(struct child *child, const char *data, size_t size) {
  DWORD written;
  assert_true(WriteFile(places[child->fd].to, data, (DWORD)size, &written, NULL));
}

static void close_end(HANDLE *end) {
  if (*end != NULL)
    CloseHandle(*end);
  *end = NULL;
}

void program_tell_no_more(struct child *child) {
  close_end(&places[child->fd].to);
}

/* ---- child.h ---- */

pid_t child_fork(struct child *child, int *parent) {
  (void)child, (void)parent;
  print_message("skipped: there is no fork here\n");
  skip();
  return -1;
}

void child_start(struct child *child, child_function *run, void *context) {
  int parent;
  (void)run, (void)context;
  child_fork(child, &parent);
}

static char *image(void) {
  return (char *)GetModuleHandleA(NULL);
}

void child_start_apart(struct child *child, child_function *run, const void *context, size_t size) {
  char self[MAX_PATH], offset[32], bytes[2 * CONTEXT_MAX + 2] = "-";
  assert_true(size <= CONTEXT_MAX);
  GetModuleFileNameA(NULL, self, sizeof self);
  snprintf(offset, sizeof offset, "%llx", (unsigned long long)((char *)(uintptr_t)run - image()));
  for (size_t i = 0; i < size; i++)
    snprintf(bytes + 1 + 2 * i, 3, "%02x", ((const unsigned char *)context)[i]);
  program_start(child, (const char *[]){self, apart, offset, bytes, NULL});
}

/* As its arguments say. */
__attribute__((constructor)) static void be_a_child_apart(void) {
  static unsigned char context[CONTEXT_MAX];
  if (__argc != 4 || strcmp(__argv[1], apart) != 0)
    return;
  char *run = image() + strtoull(__argv[2], NULL, 16);
  for (size_t i = 0; i < CONTEXT_MAX && sscanf(__argv[3] + 1 + 2 * i, "%2hhx", &context[i]) == 1; i++)
    continue;
  exit(((child_function *)(uintptr_t)run)(PROGRAM_PARENT, context));
}

void child_start_as_nobody(struct child *child, child_function *run, void *context) {
  child_start(child, run, context);
}

int child_can_be_nobody(void) {
  print_message("skipped: there is no second user here\n");
  return 0;
}

int child_say(int fd, char word) {
  DWORD written;
  HANDLE to = fd == PROGRAM_PARENT ? GetStdHandle(STD_OUTPUT_HANDLE) : places[fd].to;
  return WriteFile(to, &word, 1, &written, NULL) ? 0 : -1;
}

int child_hear(int fd) {
  unsigned char word;
  DWORD got = 0;
  HANDLE from = fd == PROGRAM_PARENT ? GetStdHandle(STD_INPUT_HANDLE) : places[fd].from;
  return ReadFile(from, &word, 1, &got, NULL) && got == 1 ? word : -1;
}

int child_hear_now(int fd) {
  HANDLE from = fd == PROGRAM_PARENT ? GetStdHandle(STD_INPUT_HANDLE) : places[fd].from;
  return has_something(from) ? child_hear(fd) : 0;
}

int child_wait(struct child *child) {
  DWORD code = 0;
  int place = find(child->pid);
  assert_int_equal(WaitForSingleObject(places[place].process, PATIENCE_MS), WAIT_OBJECT_0);
  GetExitCodeProcess(places[place].process, &code);
  close_end(&places[place].to);
  close_end(&places[place].from);
  close_end(&places[place].process);
  places[place].pid = 0;
  return (int)code;
}

void child_expect_exit(struct child *child, int code) {
  assert_int_equal(child_wait(child), code);
}

void child_kill(struct child *child, int number) {
  TerminateProcess(places[find(child->pid)].process, (UINT)number + 128);
  assert_int_equal(child_wait(child), number + 128);
}

int child_end_all(void) {
  int left = 0;
  for (int i = 1; i < CHILDREN_MAX; i++) {
    if (places[i].pid != 0) {
      struct child child = {.pid = places[i].pid, .fd = i};
      fprintf(stderr, "child: %d was left alive\n", (int)child.pid);
      TerminateProcess(places[i].process, 1);
      child_wait(&child);
      left++;
    }
  }
  return left;
}
