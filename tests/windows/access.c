/* SPDX-License-Identifier: MIT */
/* access.c - who may open what this library makes: access lists, read back, and the identity of a pipe's peer. */
#include "result.h"
#include "test.h"
#include <mayfly/mayfly.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wine.h"
/* After windows.h, which they do not include. */
#include <aclapi.h>
#include <sddl.h>

/* The owner and the access list, in the system's notation. */
static void read_back(HANDLE handle, char *text, size_t size) {
  PSECURITY_DESCRIPTOR descriptor;
  char *words;
  assert_int_equal(GetSecurityInfo(handle, SE_KERNEL_OBJECT, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION,
                                   NULL, NULL, NULL, NULL, &descriptor),
                   ERROR_SUCCESS);
  assert_true(ConvertSecurityDescriptorToStringSecurityDescriptorA(
      descriptor, SDDL_REVISION_1, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, &words, NULL));
  assert_in_range(snprintf(text, size, "%s", words), 1, size - 1);
  LocalFree(words);
  LocalFree(descriptor);
}

static void this_user(char *text, size_t size) {
  union {
    TOKEN_USER user;
    char room[256];
  } information;
  HANDLE token;
  DWORD length;
  char *words;
  assert_true(OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token));
  assert_true(GetTokenInformation(token, TokenUser, &information, sizeof information, &length));
  assert_true(ConvertSidToStringSidA(information.user.User.Sid, &words));
  snprintf(text, size, "%s", words);
  LocalFree(words);
  CloseHandle(token);
}

/* How often `part` is in the text. */
static int occurrences(const char *text, const char *part) {
  int count = 0;
  while ((text = strstr(text, part)) != NULL) {
    text += strlen(part);
    count++;
  }
  return count;
}

static void read_back_pipe(unsigned flags, char *text, size_t size) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  mayfly_listener *listener;
  mayfly_connection *client, *accepted;
  mayfly_os_fd pipe;
  options.flags = flags;
  assert_ok(mayfly_listen(NULL, &options, &listener));
  for (int i = 0; i < 2; i++) { /* the first instance and a later one */
    assert_ok(mayfly_connect(mayfly_listener_address(listener), NULL, &client));
    assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &accepted));
    assert_ok(mayfly_connection_os_fd(accepted, &pipe));
    read_back((HANDLE)pipe, text, size);
    assert_ok(mayfly_connection_close(client));
    assert_ok(mayfly_connection_close(accepted));
  }
  assert_ok(mayfly_listener_close(listener));
}

static void a_pipe_belongs_to_this_user_and_admits_nobody_else(void **state) {
  (void)state;
  char text[1024], sid[256], owner[300];
  this_user(sid, sizeof sid);
  read_back_pipe(0, text, sizeof text);
  print_message("  %s\n", text);
  snprintf(owner, sizeof owner, "O:%s", sid);
  assert_int_equal(occurrences(text, owner), 1);
  assert_int_equal(occurrences(text, "D:P"), 1); /* nothing is inherited */
  assert_int_equal(occurrences(text, "(A;"), 3);
  assert_int_equal(occurrences(text, "(D;"), 0);
  assert_int_equal(occurrences(text, sid), 2);
  assert_int_equal(occurrences(text, ";SY)"), 1);
  assert_int_equal(occurrences(text, ";BA)"), 1);
}

static void a_pipe_for_any_user_says_so(void **state) {
  (void)state;
  char text[1024];
  read_back_pipe(MAYFLY_ENDPOINT_ANY_USER, text, sizeof text);
  assert_int_equal(occurrences(text, "(A;"), 4);
  assert_int_equal(occurrences(text, ";WD)"), 1);
}

static void the_ends_of_a_pair_admit_nobody_else(void **state) {
  (void)state;
  mayfly_connection *ends[2];
  mayfly_os_fd pipe;
  char text[1024];
  assert_ok(mayfly_pipe(1, ends));
  for (int i = 0; i < 2; i++) {
    assert_ok(mayfly_connection_os_fd(ends[i], &pipe));
    read_back((HANDLE)pipe, text, sizeof text);
    assert_int_equal(occurrences(text, "(A;"), 3);
    assert_int_equal(occurrences(text, ";WD)"), 0);
    assert_ok(mayfly_connection_close(ends[i]));
  }
}

static void read_back_directory(const char *parent, char *text, size_t size) {
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  char *path;
  options.dir = parent;
  assert_ok(mayfly_mkdtemp(&options, &path));
  HANDLE handle = CreateFileA(path, READ_CONTROL, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                              OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
  assert_ptr_not_equal(handle, INVALID_HANDLE_VALUE);
  read_back(handle, text, size);
  CloseHandle(handle);
  assert_true(RemoveDirectoryA(path));
  mayfly_free(path);
}

static void a_temporary_directory_has_no_entry_for_others(void **state) {
  char text[1024];
  read_back_directory(*state, text, sizeof text);
  print_message("  %s\n", text);
  assert_int_equal(occurrences(text, ";WD)"), 0);
  assert_int_equal(occurrences(text, ";BU)"), 0);
  assert_int_equal(occurrences(text, ";AU)"), 0);
}

static void a_temporary_directory_inherits_nothing(void **state) {
  char text[1024];
  skip_under_wine("a file's access list is read back without its protection and the administrators' entry");
  read_back_directory(*state, text, sizeof text);
  assert_int_equal(occurrences(text, "D:P"), 1);
  assert_int_equal(occurrences(text, "(A;"), 3);
}

static void expect_nobody_else(mayfly_os_fd fd) {
  char text[1024];
  read_back((HANDLE)fd, text, sizeof text);
  assert_int_equal(occurrences(text, ";WD)"), 0);
  assert_int_equal(occurrences(text, ";BU)"), 0);
  assert_int_equal(occurrences(text, ";AU)"), 0);
}

static void expect_of_each_kind(const mayfly_temp_options *options, unsigned flags) {
  mayfly_temp_options changed = *options;
  mayfly_file *file;
  mayfly_os_fd fd;
  changed.flags = flags;
  assert_ok(mayfly_named_temporary_file(&changed, &file));
  assert_ok(mayfly_file_os_fd(file, &fd));
  expect_nobody_else(fd);
  DWORD inherited;
  assert_true(GetHandleInformation((HANDLE)fd, &inherited));
  assert_int_equal(inherited & HANDLE_FLAG_INHERIT, 0);
  assert_ok(mayfly_file_close(file));
}

static void a_temporary_file_has_no_entry_for_others(void **state) {
  static const unsigned flags[] = {0, MAYFLY_TEMP_REOPENABLE, MAYFLY_TEMP_CRASH_SAFE};
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  mayfly_file *file;
  mayfly_os_fd fd;
  char *path;
  options.dir = *state;
  for (int i = 0; i < 3; i++)
    expect_of_each_kind(&options, flags[i]);
  assert_ok(mayfly_temporary_file(&options, &file));
  assert_ok(mayfly_file_os_fd(file, &fd));
  expect_nobody_else(fd);
  assert_ok(mayfly_file_close(file));
  assert_ok(mayfly_spooled_temporary_file(&options, 0, &file));
  assert_ok(mayfly_file_os_fd(file, &fd)); /* it rolls over */
  expect_nobody_else(fd);
  assert_ok(mayfly_file_close(file));
  assert_ok(mayfly_mkstemp(&options, &fd, &path));
  expect_nobody_else(fd);
  assert_ok(mayfly_os_fd_close(fd));
  assert_true(DeleteFileA(path));
  mayfly_free(path);
  assert_ok(mayfly_cleanup());
}

static void a_temporary_file_inherits_nothing(void **state) {
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  mayfly_file *file;
  mayfly_os_fd fd;
  char text[1024];
  skip_under_wine("a file's access list is read back without its protection and the administrators' entry");
  options.dir = *state;
  assert_ok(mayfly_temporary_file(&options, &file));
  assert_ok(mayfly_file_os_fd(file, &fd));
  read_back((HANDLE)fd, text, sizeof text);
  assert_int_equal(occurrences(text, "D:P"), 1);
  assert_int_equal(occurrences(text, "(A;"), 3);
  assert_ok(mayfly_file_close(file));
}

static void what_is_opened_is_not_inherited(void **state) {
  (void)state;
  mayfly_listener *listener;
  mayfly_connection *connections[6];
  mayfly_address inet = {MAYFLY_AF_INET, 0, "localhost"};
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.flags = MAYFLY_ENDPOINT_ANY_USER;
  for (int i = 0; i < 2; i++) {
    assert_ok(mayfly_listen(i == 0 ? NULL : &inet, &options, &listener));
    assert_ok(mayfly_connect(mayfly_listener_address(listener), NULL, &connections[2 * i]));
    assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &connections[2 * i + 1]));
    assert_ok(mayfly_listener_close(listener));
  }
  assert_ok(mayfly_pipe(1, connections + 4));
  for (int i = 0; i < 6; i++) {
    mayfly_os_fd fd;
    DWORD flags;
    assert_ok(mayfly_connection_os_fd(connections[i], &fd));
    assert_true(GetHandleInformation((HANDLE)fd, &flags));
    assert_int_equal(flags & HANDLE_FLAG_INHERIT, 0);
    assert_ok(mayfly_connection_close(connections[i]));
  }
}

static void the_peer_of_a_pipe_is_known(void **state) {
  (void)state;
  mayfly_listener *listener;
  mayfly_connection *ends[2];
  assert_ok(mayfly_listen(NULL, NULL, &listener));
  assert_ok(mayfly_connect(mayfly_listener_address(listener), NULL, &ends[0]));
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &ends[1]));
  for (int i = 0; i < 2; i++) {
    const mayfly_peer *peer = mayfly_connection_peer(ends[i]);
    assert_int_equal(peer->pid, GetCurrentProcessId());
    assert_int_equal(peer->same_user, 1);
    assert_int_equal(peer->uid, -1);
    assert_ok(mayfly_connection_close(ends[i]));
  }
  assert_ok(mayfly_listener_close(listener));
}

/* A pipe of somebody else's, as far as one process can make it: its owner is named so. */
static void a_client_sends_nothing_to_a_pipe_of_another_owner(void **state) {
  (void)state;
  mayfly_address address;
  mayfly_connection *connection;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  SECURITY_ATTRIBUTES security = {.nLength = sizeof security};
  assert_ok(mayfly_arbitrary_address(MAYFLY_AF_PIPE, &address));
  assert_true(ConvertStringSecurityDescriptorToSecurityDescriptorA("O:S-1-5-21-1-2-3-4D:(A;;GA;;;WD)", SDDL_REVISION_1,
                                                                   &security.lpSecurityDescriptor, NULL));
  for (int i = 0; i < 2; i++) {
    HANDLE pipe = CreateNamedPipeA(address.name, PIPE_ACCESS_DUPLEX, PIPE_TYPE_MESSAGE, 1, 4096, 4096, 0, &security);
    if (pipe == INVALID_HANDLE_VALUE) {
      print_message("skipped: this user may not make what is another's\n");
      skip();
    }
    options.flags = i == 0 ? 0 : MAYFLY_ENDPOINT_ANY_USER;
    if (i == 0)
      assert_error(mayfly_connect(&address, &options, &connection), MAYFLY_EPEER, "another user");
    else {
      assert_ok(mayfly_connect(&address, &options, &connection));
      assert_ok(mayfly_connection_close(connection));
    }
    CloseHandle(pipe);
  }
  LocalFree(security.lpSecurityDescriptor);
}

/* How far a server may act in the name of its client, which has said something to it. */
static SECURITY_IMPERSONATION_LEVEL level_of_client(HANDLE pipe) {
  SECURITY_IMPERSONATION_LEVEL level;
  HANDLE token;
  DWORD size;
  char byte;
  ReadFile(pipe, &byte, 1, &size, NULL);
  assert_true(ImpersonateNamedPipeClient(pipe));
  int opened = OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, TRUE, &token);
  RevertToSelf();
  assert_true(opened);
  assert_true(GetTokenInformation(token, TokenImpersonationLevel, &level, sizeof level, &size));
  CloseHandle(token);
  return level;
}

static void a_server_may_learn_who_its_client_is_and_not_act_in_its_name(void **state) {
  (void)state;
  mayfly_address address;
  mayfly_connection *connection;
  skip_under_wine("a server may act in its client's name, whatever the client allows");
  assert_ok(mayfly_arbitrary_address(MAYFLY_AF_PIPE, &address));
  HANDLE pipe = CreateNamedPipeA(address.name, PIPE_ACCESS_DUPLEX, PIPE_TYPE_MESSAGE, 1, 4096, 4096, 0, NULL);
  assert_ptr_not_equal(pipe, INVALID_HANDLE_VALUE);
  assert_ok(mayfly_connect(&address, NULL, &connection));
  assert_ok(mayfly_send_bytes(connection, "x", 1));
  SECURITY_IMPERSONATION_LEVEL level = level_of_client(pipe);
  assert_ok(mayfly_connection_close(connection));
  CloseHandle(pipe);
  assert_int_equal(level, SecurityIdentification);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(a_pipe_belongs_to_this_user_and_admits_nobody_else),
      test(a_pipe_for_any_user_says_so),
      test(the_ends_of_a_pair_admit_nobody_else),
      test_in_scratch(a_temporary_directory_has_no_entry_for_others),
      test_in_scratch(a_temporary_directory_inherits_nothing),
      test_in_scratch(a_temporary_file_has_no_entry_for_others),
      test_in_scratch(a_temporary_file_inherits_nothing),
      test(what_is_opened_is_not_inherited),
      test(the_peer_of_a_pipe_is_known),
      test(a_client_sends_nothing_to_a_pipe_of_another_owner),
      test(a_server_may_learn_who_its_client_is_and_not_act_in_its_name),
  };
  return cmocka_run_group_tests_name("windows.access", tests, NULL, NULL);
}
