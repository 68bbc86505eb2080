/* SPDX-License-Identifier: MIT */
/* process.c - the clock, who we are, what a thread has for itself, the locks, and the end of the process.
 *
 * A console event's way: the system calls our handler in a thread of its own, which runs what was asked for and says
 * that it has not dealt with the event; so the next handler does, in the end the system's, which ends the process. */
#include "win32.h"
#include <sddl.h>
#include <stdio.h>
#include <stdlib.h>

int64_t mf_os_clock_us(void) {
  LARGE_INTEGER frequency, ticks;
  QueryPerformanceFrequency(&frequency);
  QueryPerformanceCounter(&ticks);
  return ticks.QuadPart / frequency.QuadPart * 1000000 +
         ticks.QuadPart % frequency.QuadPart * 1000000 / frequency.QuadPart;
}

DWORD mf_win32_timeout(int64_t deadline) {
  if (deadline == MF_OS_NEVER)
    return INFINITE;
  int64_t left = deadline - mf_os_clock_us();
  if (left <= 0)
    return 0;
  int64_t milliseconds = (left - 1) / 1000 + 1;
  return milliseconds < INT32_MAX ? (DWORD)milliseconds : INT32_MAX;
}

int64_t mf_os_process_id(void) {
  return GetCurrentProcessId();
}

int mf_os_forks(void) {
  return 0;
}

/* ---- what each thread has for itself ---- */

/* Compiler support for thread-local storage would make mingw's programs need another DLL. */
static DWORD slot = FLS_OUT_OF_INDEXES;
static INIT_ONCE slot_once = INIT_ONCE_STATIC_INIT;

static VOID WINAPI free_thread(PVOID thread) {
  free(thread);
}

/* The system keeps addresses of this library's code, in the slot, at exit and in the list of console handlers: so it
 * stays loaded. */
static BOOL CALLBACK make_slot(PINIT_ONCE once, PVOID parameter, PVOID *context) {
  HMODULE self;
  (void)once, (void)parameter, (void)context;
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, (LPCWSTR)(void *)&slot,
                     &self);
  slot = FlsAlloc(free_thread);
  return TRUE;
}

struct mf_os_thread *mf_os_thread(void) {
  InitOnceExecuteOnce(&slot_once, make_slot, NULL, NULL);
  if (slot == FLS_OUT_OF_INDEXES)
    return NULL;
  struct mf_os_thread *thread = FlsGetValue(slot);
  if (thread != NULL)
    return thread;
  thread = calloc(1, sizeof *thread);
  if (thread != NULL && !FlsSetValue(slot, thread)) {
    free(thread);
    thread = NULL;
  }
  return thread;
}

/* ---- locks ---- */

static struct {
  SRWLOCK lock;
  CONDITION_VARIABLE condition;
  volatile DWORD owner;    /* thread; 0: none */
} locks[MF_OS_LOCK_COUNT]; /* all zero is SRWLOCK_INIT and CONDITION_VARIABLE_INIT */

void mf_os_lock(enum mf_os_lock_id id) {
  AcquireSRWLockExclusive(&locks[id].lock);
  locks[id].owner = GetCurrentThreadId();
}

void mf_os_unlock(enum mf_os_lock_id id) {
  locks[id].owner = 0;
  ReleaseSRWLockExclusive(&locks[id].lock);
}

/* Nonzero: the process is ending, and of its threads only this one is left. */
static int last_thread(void) {
  typedef BOOLEAN(WINAPI * in_progress)(void);
  in_progress ask =
      (in_progress)(void (*)(void))GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "RtlDllShutdownInProgress");
  return ask != NULL && ask();
}

int mf_os_lock_for_exit(enum mf_os_lock_id id) {
  if (locks[id].owner == GetCurrentThreadId())
    return 0;
  if (!last_thread())
    AcquireSRWLockExclusive(&locks[id].lock);
  else if (!TryAcquireSRWLockExclusive(&locks[id].lock))
    return 0;
  locks[id].owner = GetCurrentThreadId();
  return 1;
}

int mf_os_lock_wait(enum mf_os_lock_id id, int64_t deadline) {
  if (last_thread())
    return 0;
  locks[id].owner = 0;
  SleepConditionVariableSRW(&locks[id].condition, &locks[id].lock, mf_win32_timeout(deadline), 0);
  locks[id].owner = GetCurrentThreadId();
  return 1;
}

void mf_os_lock_wake(enum mf_os_lock_id id) {
  WakeAllConditionVariable(&locks[id].condition);
}

/* ---- the end ---- */

int mf_os_hook(const struct mf_os_hooks *wished) {
  if (wished->at_exit != NULL && atexit(wished->at_exit) != 0)
    return mf_fail(MAYFLY_ENOMEM, "register what is to be done at exit: no memory");
  return 0;
}

static void (*on_signal)(void);
static volatile LONG catching;
static volatile LONG ending; /* by a console event */

static BOOL WINAPI console_event(DWORD event) {
  if (event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT && event != CTRL_CLOSE_EVENT)
    return FALSE;
  if (InterlockedExchange(&ending, 1) == 0)
    on_signal();
  return FALSE;
}

int mf_os_hook_signals(void (*wished)(void)) {
  on_signal = wished;
  if (InterlockedExchange(&catching, 1) == 0 && !SetConsoleCtrlHandler(console_event, TRUE)) {
    InterlockedExchange(&catching, 0);
    return mf_win32_fail(GetLastError(), "register what is to be done on console events");
  }
  return 0;
}

/* The system ends the process when the last handler has returned. But one that was registered before ours may have
 * dealt with the event: then no end comes, and the exit goes on. */
void mf_os_yield_to_signal(void) {
  enum { GRACE_MS = 2000 };
  if (ending && !last_thread()) {
    Sleep(GRACE_MS);
    InterlockedExchange(&ending, 0);
  }
}

/* ---- users ---- */

/* `what` of the token: a struct that ends with the SIDs it points to; free() it. NULL: GetLastError() knows. */
static void *token_information(HANDLE token, TOKEN_INFORMATION_CLASS what) {
  DWORD size = 0;
  GetTokenInformation(token, what, NULL, 0, &size);
  void *information = malloc(size > 0 ? size : 1);
  if (information == NULL) {
    SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    return NULL;
  }
  if (GetTokenInformation(token, what, information, size, &size))
    return information;
  DWORD error = GetLastError();
  free(information);
  SetLastError(error);
  return NULL;
}

static void *process_information(HANDLE process, TOKEN_INFORMATION_CLASS what) {
  HANDLE token;
  if (!OpenProcessToken(process, TOKEN_QUERY, &token))
    return NULL;
  void *information = token_information(token, what);
  DWORD error = GetLastError();
  CloseHandle(token);
  SetLastError(error);
  return information;
}

int mf_win32_is_user(PSID sid) {
  TOKEN_USER *user = process_information(GetCurrentProcess(), TokenUser);
  int is = user != NULL && EqualSid(sid, user->User.Sid);
  free(user);
  return is;
}

int mf_win32_user(char **sid) {
  TOKEN_USER *user = process_information(GetCurrentProcess(), TokenUser);
  if (user == NULL)
    return mf_win32_fail(GetLastError(), "ask who this user is");
  wchar_t *text;
  if (!ConvertSidToStringSidW(user->User.Sid, &text)) {
    int result = mf_win32_fail(GetLastError(), "ask who this user is");
    free(user);
    return result;
  }
  int result = mf_win32_utf8(text, sid);
  LocalFree(text);
  free(user);
  return result;
}

int mf_win32_private(const char *others, SECURITY_ATTRIBUTES *attributes) {
  char text[1024];
  char *sid;
  int result = mf_win32_user(&sid);
  if (result < 0)
    return result;
  snprintf(text, sizeof text, "O:%sD:P(A;OICI;GA;;;%s)(A;OICI;GA;;;SY)(A;OICI;GA;;;BA)%s", sid, sid,
           others != NULL ? others : "");
  free(sid);
  PSECURITY_DESCRIPTOR made;
  if (!ConvertStringSecurityDescriptorToSecurityDescriptorA(text, SDDL_REVISION_1, &made, NULL))
    return mf_win32_fail(GetLastError(), "make the access list %s", text);
  *attributes = (SECURITY_ATTRIBUTES){sizeof *attributes, made, FALSE};
  return 0;
}

void mf_win32_private_free(SECURITY_ATTRIBUTES *attributes) {
  LocalFree(attributes->lpSecurityDescriptor);
}

int mf_win32_same_user(DWORD process) {
  HANDLE handle = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, process);
  if (handle == NULL)
    return -1;
  TOKEN_USER *theirs = process_information(handle, TokenUser);
  TOKEN_USER *ours = process_information(GetCurrentProcess(), TokenUser);
  int same = -1;
  if (theirs != NULL && ours != NULL)
    same = EqualSid(theirs->User.Sid, ours->User.Sid) || IsWellKnownSid(theirs->User.Sid, WinLocalSystemSid);
  free(theirs);
  free(ours);
  CloseHandle(handle);
  return same;
}

int mf_win32_trusted_owner(PSID owner) {
  if (IsWellKnownSid(owner, WinLocalSystemSid) || IsWellKnownSid(owner, WinBuiltinAdministratorsSid))
    return 1;
  TOKEN_USER *user = process_information(GetCurrentProcess(), TokenUser);
  TOKEN_OWNER *usual = process_information(GetCurrentProcess(), TokenOwner);
  int trusted = (user != NULL && EqualSid(owner, user->User.Sid)) || (usual != NULL && EqualSid(owner, usual->Owner));
  free(user);
  free(usual);
  return trusted;
}
