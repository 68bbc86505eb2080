/* SPDX-License-Identifier: MIT */
/* file.c - files, at the door: how others may open them, and what becomes of the name. */
#include "background.h"
#include "os.h"
#include "result.h"
#include "test.h"
#include <mayfly/tempfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wine.h"
/* After windows.h, which they do not include. */
#include <aclapi.h>
#include <sddl.h>

enum { SHARE_SOME = FILE_SHARE_READ | FILE_SHARE_WRITE, SHARE_ALL = SHARE_SOME | FILE_SHARE_DELETE };

static mayfly_os_fd make(char path[SCRATCH_PATH_SIZE], const char *directory, const char *name, unsigned flags,
                         struct mf_os_identity *identity) {
  mayfly_os_fd fd;
  scratch_path(path, directory, name);
  assert_ok(mf_os_file_create(path, flags, &fd, identity));
  assert_ok(mf_os_file_write_at(fd, "content", 7, 0));
  return fd;
}

static void make_and_close(char path[SCRATCH_PATH_SIZE], const char *directory, const char *name) {
  assert_ok(mf_os_fd_close(make(path, directory, name, 0, NULL)));
}

static HANDLE open_as_others(const char *path, DWORD access, DWORD share) {
  return CreateFileA(path, access, share, NULL, OPEN_EXISTING, 0, NULL);
}

static void expect_content(mayfly_os_fd fd, const char *content) {
  char buffer[64];
  int64_t size = assert_ok(mf_os_file_read_at(fd, buffer, sizeof buffer - 1, 0));
  buffer[size] = '\0';
  assert_string_equal(buffer, content);
}

static void expect_content_of(const char *path, const char *content) {
  HANDLE handle = open_as_others(path, GENERIC_READ, SHARE_ALL);
  assert_ptr_not_equal(handle, INVALID_HANDLE_VALUE);
  expect_content((mayfly_os_fd)handle, content);
  CloseHandle(handle);
}

/* ---- making ---- */

static void what_has_the_name_is_a_collision_and_else_it_is_an_error(void **state) {
  char path[SCRATCH_PATH_SIZE], under[SCRATCH_PATH_SIZE];
  mayfly_os_fd fd = 7;
  for (unsigned flags = 0; flags < 2; flags++) {
    make_and_close(path, *state, "name");
    assert_error(mf_os_file_create(path, flags, &fd, NULL), MAYFLY_EEXIST, "name");
    scratch_path(under, path, "under");
    assert_error(mf_os_file_create(under, flags, &fd, NULL), MAYFLY_ENOTDIR, "under");
    assert_true(DeleteFileA(path));
    assert_error(mf_os_file_create(under, flags, &fd, NULL), MAYFLY_ENOENT, "under");
    assert_true(CreateDirectoryA(path, NULL));
    assert_error(mf_os_file_create(path, flags, &fd, NULL), MAYFLY_EEXIST, "name");
    assert_true(RemoveDirectoryA(path));
  }
  assert_int_equal(fd, 7);
}

static void a_name_that_is_being_removed_is_a_collision(void **state) {
  char path[SCRATCH_PATH_SIZE];
  mayfly_os_fd fd;
  skip_under_wine("a file that is being removed can be opened, and has its name for nobody");
  make_and_close(path, *state, "name");
  HANDLE handle = open_as_others(path, DELETE, SHARE_ALL);
  FILE_DISPOSITION_INFO later = {TRUE};
  assert_true(SetFileInformationByHandle(handle, FileDispositionInfo, &later, sizeof later));
  assert_error(mf_os_file_create(path, 0, &fd, NULL), MAYFLY_EEXIST, "name");
  CloseHandle(handle);
}

/* ---- one that goes with its handle ---- */

static void others_open_it_only_if_they_share_its_deletion(void **state) {
  char path[SCRATCH_PATH_SIZE];
  mayfly_os_fd fd = make(path, *state, "file", MF_OS_FILE_DELETE_ON_CLOSE, NULL);
  assert_ptr_equal(open_as_others(path, GENERIC_READ, SHARE_SOME), INVALID_HANDLE_VALUE);
  assert_int_equal(GetLastError(), ERROR_SHARING_VIOLATION);
  HANDLE other = open_as_others(path, GENERIC_READ | GENERIC_WRITE, SHARE_ALL);
  assert_ptr_not_equal(other, INVALID_HANDLE_VALUE);
  assert_ok(mf_os_fd_close(fd));
  expect_content((mayfly_os_fd)other, "content"); /* it lives until its last handle is closed */
  CloseHandle(other);
  assert_int_equal(mf_os_path_exists(path), 0);
}

static void it_is_a_temporary_file_to_the_system(void **state) {
  char path[SCRATCH_PATH_SIZE];
  skip_under_wine("that attribute is not kept");
  mayfly_os_fd fd = make(path, *state, "file", MF_OS_FILE_DELETE_ON_CLOSE, NULL);
  FILE_BASIC_INFO information;
  assert_true(GetFileInformationByHandleEx((HANDLE)fd, FileBasicInfo, &information, sizeof information));
  assert_true((information.FileAttributes & FILE_ATTRIBUTE_TEMPORARY) != 0);
  assert_ok(mf_os_fd_close(fd));
}

static void it_is_opened_again_by_its_handle_and_by_its_name(void **state) {
  char path[SCRATCH_PATH_SIZE];
  struct mf_os_identity identity;
  mayfly_os_fd again[2], fd = make(path, *state, "file", MF_OS_FILE_DELETE_ON_CLOSE, &identity);
  assert_ok(mf_os_file_reopen(fd, NULL, &identity, &again[0]));
  assert_ok(mf_os_file_reopen(fd, path, &identity, &again[1]));
  assert_ok(mf_os_fd_close(fd));
  for (int i = 0; i < 2; i++) {
    expect_content(again[i], "content");
    assert_ok(mf_os_fd_close(again[i]));
  }
  assert_int_equal(mf_os_path_exists(path), 0);
}

static void it_is_copied_and_not_renamed(void **state) {
  char path[SCRATCH_PATH_SIZE], to[SCRATCH_PATH_SIZE];
  mayfly_os_fd fd = make(path, *state, "file", MF_OS_FILE_DELETE_ON_CLOSE, NULL);
  scratch_path(to, *state, "to");
  assert_error(mf_os_file_rename(fd, path, to, 0), MAYFLY_ENOTSUP, "to");
  scratch_path(to, *state, "absent\\to");
  assert_error(mf_os_file_rename(fd, path, to, 0), MAYFLY_ENOENT, "to");
  assert_error(mf_os_file_rename(fd, path, "d:\\mayfly-test-never-made", 0), MAYFLY_EXDEV, "never-made");
  assert_error(mf_os_file_link(fd, to), MAYFLY_ENOTSUP, "");
  assert_ok(mf_os_fd_close(fd));
}

/* ---- one that may outlive it ---- */

static void others_open_it_as_they_like_and_are_waited_for_in_its_removal(void **state) {
  char path[SCRATCH_PATH_SIZE];
  struct mf_os_identity identity;
  mayfly_os_fd fd = make(path, *state, "file", 0, &identity);
  HANDLE other = open_as_others(path, GENERIC_READ | GENERIC_WRITE, SHARE_SOME);
  assert_ptr_not_equal(other, INVALID_HANDLE_VALUE);
  assert_error(mf_os_file_remove(path, &identity), MAYFLY_EBUSY, "file");
  assert_int_equal(mf_os_path_exists(path), 1);
  CloseHandle(other);
  assert_int_equal(mf_os_file_remove(path, &identity), 1);
  assert_ok(mf_os_fd_close(fd));
  assert_int_equal(mf_os_path_exists(path), 0);
  assert_int_equal(mf_os_file_remove(path, &identity), 0);
}

static int close_in_a_moment(void *handle) {
  Sleep(100);
  return CloseHandle(handle) ? 0 : MAYFLY_EIO;
}

/* As a shell's redirection. */
static void a_program_that_shares_no_writing_comes_to_it_once_it_is_released(void **state) {
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  mayfly_file *file, *again;
  char content[8];
  DWORD written;
  options.dir = *state;
  options.flags = MAYFLY_TEMP_REOPENABLE;
  assert_ok(mayfly_named_temporary_file(&options, &file));
  assert_ptr_equal(open_as_others(mayfly_file_path(file), GENERIC_WRITE, FILE_SHARE_READ), INVALID_HANDLE_VALUE);
  assert_int_equal(GetLastError(), ERROR_SHARING_VIOLATION);
  assert_ok(mayfly_file_release(file));
  HANDLE other = open_as_others(mayfly_file_path(file), GENERIC_WRITE, FILE_SHARE_READ);
  assert_ptr_not_equal(other, INVALID_HANDLE_VALUE);
  assert_true(WriteFile(other, "theirs", 6, &written, NULL));
  CloseHandle(other);
  assert_ok(mayfly_file_reopen(file, &again));
  assert_int_equal(assert_ok(mayfly_file_read(again, content, sizeof content)), 6);
  assert_memory_equal(content, "theirs", 6);
  assert_ok(mayfly_file_close(again));
  assert_ok(mayfly_file_close(file));
}

static void who_holds_it_for_a_moment_is_waited_for(void **state) {
  char path[SCRATCH_PATH_SIZE];
  struct mf_os_identity identity;
  struct background other;
  mayfly_os_fd fd = make(path, *state, "file", 0, &identity);
  background_start(&other, close_in_a_moment, open_as_others(path, GENERIC_READ, SHARE_SOME));
  assert_int_equal(mf_os_file_remove(path, &identity), 1);
  background_expect_ok(&other);
  assert_ok(mf_os_fd_close(fd));
}

static void it_goes_even_if_it_is_read_only(void **state) {
  char path[SCRATCH_PATH_SIZE];
  struct mf_os_identity identity;
  mayfly_os_fd fd = make(path, *state, "file", 0, NULL);
  assert_ok(mf_os_file_identity(fd, &identity));
  assert_ok(mf_os_fd_close(fd));
  assert_true(SetFileAttributesA(path, FILE_ATTRIBUTE_READONLY));
  assert_int_equal(mf_os_file_remove(path, &identity), 1);
  assert_int_equal(mf_os_path_exists(path), 0);
}

static void a_stranger_under_its_name_is_left_alone(void **state) {
  char path[SCRATCH_PATH_SIZE], other[SCRATCH_PATH_SIZE];
  struct mf_os_identity identity;
  mayfly_os_fd again = 7, fd = make(path, *state, "file", 0, &identity);
  scratch_path(other, *state, "moved");
  assert_true(MoveFileA(path, other));
  make_and_close(path, *state, "file");
  assert_int_equal(mf_os_file_remove(path, &identity), 0);
  assert_error(mf_os_file_reopen(fd, path, &identity, &again), MAYFLY_ESTOLEN, "file");
  assert_error(mf_os_file_rename(fd, path, "third", 0), MAYFLY_ESTOLEN, "third");
  assert_int_equal(again, 7);
  assert_true(DeleteFileA(path));
  assert_true(CreateDirectoryA(path, NULL));
  assert_int_equal(mf_os_file_remove(path, &identity), 0);
  assert_true(RemoveDirectoryA(path));
  assert_int_equal(mf_os_file_remove(other, &identity), 1);
  assert_ok(mf_os_fd_close(fd));
}

static void it_is_known_again_by_identity_alone(void **state) {
  char path[SCRATCH_PATH_SIZE];
  struct mf_os_identity identity, another;
  mayfly_os_fd fd = make(path, *state, "file", 0, NULL);
  assert_ok(mf_os_file_identity(fd, &identity));
  assert_ok(mf_os_fd_close(fd));
  another = identity;
  another.file[0]++;
  assert_error(mf_os_file_reopen(MAYFLY_NO_FD, path, &another, &fd), MAYFLY_ESTOLEN, "file");
  assert_ok(mf_os_file_reopen(MAYFLY_NO_FD, path, &identity, &fd));
  expect_content(fd, "content");
  assert_int_equal(mf_os_file_remove(path, &identity), 1);
  assert_ok(mf_os_fd_close(fd));
}

/* ---- another name ---- */

static void a_rename_replaces_a_file_or_says_why_not(void **state) {
  char path[SCRATCH_PATH_SIZE], to[SCRATCH_PATH_SIZE];
  struct mf_os_identity identity;
  mayfly_os_fd fd = make(path, *state, "from", 0, &identity);
  scratch_path(to, *state, "to");
  assert_true(CreateDirectoryA(to, NULL));
  assert_error(mf_os_file_rename(fd, path, to, 0), MAYFLY_EISDIR, "to");
  assert_error(mf_os_file_rename(fd, path, to, MAYFLY_PERSIST_NOREPLACE), MAYFLY_EEXIST, "to");
  assert_true(RemoveDirectoryA(to));
  assert_ok(mf_os_fd_close(make(to, *state, "to", 0, NULL)));
  assert_error(mf_os_file_rename(fd, path, to, MAYFLY_PERSIST_NOREPLACE), MAYFLY_EEXIST, "to");
  HANDLE other = open_as_others(to, GENERIC_READ, SHARE_SOME);
  assert_error(mf_os_file_rename(fd, path, to, 0), MAYFLY_EACCES, "to");
  CloseHandle(other);
  assert_ok(mf_os_file_write_at(fd, "renamed", 7, 0));
  assert_ok(mf_os_file_rename(fd, path, to, MAYFLY_PERSIST_SYNC));
  assert_int_equal(mf_os_path_exists(path), 0);
  expect_content_of(to, "renamed");
  assert_error(mf_os_file_rename(fd, to, "absent\\to", 0), MAYFLY_ENOENT, "absent");
  assert_true((GetFileAttributesA(to) & FILE_ATTRIBUTE_TEMPORARY) == 0);
  assert_int_equal(mf_os_file_remove(to, &identity), 1);
  assert_ok(mf_os_fd_close(fd));
}

/* ---- modes ---- */

static void read_access_list(const char *path, char *text, size_t size) {
  PSECURITY_DESCRIPTOR descriptor;
  char *words;
  assert_int_equal(GetNamedSecurityInfoA((char *)path, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL, NULL,
                                         NULL, &descriptor),
                   ERROR_SUCCESS);
  assert_true(ConvertSecurityDescriptorToStringSecurityDescriptorA(descriptor, SDDL_REVISION_1,
                                                                   DACL_SECURITY_INFORMATION, &words, NULL));
  assert_in_range(snprintf(text, size, "%s", words), 1, size - 1);
  LocalFree(words);
  LocalFree(descriptor);
}

static void the_mode_of_a_new_file_is_the_directorys(void **state) {
  char path[SCRATCH_PATH_SIZE], other[SCRATCH_PATH_SIZE], ours[1024], theirs[1024];
  struct mf_os_identity identity;
  mayfly_os_fd fd = make(path, *state, "file", 0, &identity);
  read_access_list(path, ours, sizeof ours);
  print_message("  %s\n", ours);
  assert_null(strstr(ours, ";WD)"));
  assert_ok(mf_os_file_set_mode(fd, MAYFLY_MODE_NEW, path));
  read_access_list(path, ours, sizeof ours);
  scratch_path(other, *state, "other");
  HANDLE made = CreateFileA(other, GENERIC_WRITE, 0, NULL, CREATE_NEW, 0, NULL);
  CloseHandle(made);
  read_access_list(other, theirs, sizeof theirs);
  print_message("  %s\n  %s\n", ours, theirs);
  assert_string_equal(ours, theirs);
  assert_ok(mf_os_file_set_mode(fd, MAYFLY_MODE_PRIVATE, path));
  read_access_list(path, ours, sizeof ours);
  assert_null(strstr(ours, ";WD)"));
  assert_true(DeleteFileA(other));
  assert_int_equal(mf_os_file_remove(path, &identity), 1);
  assert_ok(mf_os_fd_close(fd));
}

static void a_mode_without_the_owners_write_is_read_only(void **state) {
  char path[SCRATCH_PATH_SIZE];
  struct mf_os_identity identity;
  mayfly_os_fd fd = make(path, *state, "file", 0, &identity);
  assert_ok(mf_os_file_set_mode(fd, 0444, path));
  assert_true((GetFileAttributesA(path) & FILE_ATTRIBUTE_READONLY) != 0);
  assert_ok(mf_os_file_write_at(fd, "CONTENT", 7, 0)); /* who has it open goes on */
  expect_content(fd, "CONTENT");
  assert_ok(mf_os_file_set_mode(fd, 0644, path));
  assert_true((GetFileAttributesA(path) & FILE_ATTRIBUTE_READONLY) == 0);
  assert_int_equal(mf_os_file_remove(path, &identity), 1);
  assert_ok(mf_os_fd_close(fd));
}

/* ---- content ---- */

static void content_is_read_and_written_where_it_is_said(void **state) {
  char path[SCRATCH_PATH_SIZE], buffer[64];
  mayfly_os_fd fd = make(path, *state, "file", MF_OS_FILE_DELETE_ON_CLOSE, NULL);
  assert_int_equal(mf_os_file_size(fd), 7);
  assert_int_equal(mf_os_file_read_at(fd, buffer, 3, 4), 3);
  assert_memory_equal(buffer, "ent", 3);
  assert_int_equal(mf_os_file_read_at(fd, buffer, 3, 7), 0);
  assert_int_equal(mf_os_file_read_at(fd, buffer, 3, 1000), 0);
  assert_ok(mf_os_file_write_at(fd, "!", 1, 9));
  assert_int_equal(mf_os_file_read_at(fd, buffer, sizeof buffer, 0), 10);
  assert_memory_equal(buffer, "content\0\0!", 10);
  assert_ok(mf_os_file_truncate(fd, 4));
  assert_ok(mf_os_file_truncate(fd, 6));
  assert_int_equal(mf_os_file_read_at(fd, buffer, sizeof buffer, 0), 6);
  assert_memory_equal(buffer, "cont\0\0", 6);
  assert_ok(mf_os_file_sync(fd));
  assert_ok(mf_os_file_sync(MAYFLY_NO_FD));
  assert_ok(mf_os_fd_close(fd));
}

static void a_stream_has_the_position_once_and_then_its_own(void **state) {
  char path[SCRATCH_PATH_SIZE], line[32];
  FILE *stream, *text;
  mayfly_os_fd fd = make(path, *state, "file", MF_OS_FILE_DELETE_ON_CLOSE, NULL);
  assert_ok(mf_os_file_seek(fd, 3));
  assert_ok(mf_os_file_stream(fd, "r+", &stream));
  assert_int_equal(mf_os_file_read_at(fd, line, 1, 0), 1);
  assert_non_null(fgets(line, sizeof line, stream));
  assert_string_equal(line, "tent");
  assert_true(fseek(stream, 0, SEEK_END) == 0 && fputs("\nx\x1a\n", stream) >= 0 && fclose(stream) == 0);
  assert_int_equal(mf_os_file_size(fd), 11);
  assert_ok(mf_os_file_seek(fd, 0));
  assert_ok(mf_os_file_stream(fd, "w+t", &text));
  assert_true(fseek(text, 0, SEEK_END) == 0 && fputs("\n", text) >= 0 && fclose(text) == 0);
  assert_int_equal(mf_os_file_size(fd), 13);
  for (const char *const *mode = (const char *const[]){"", "x", "rw", "r,ccs=UTF-8", "a", NULL}; *mode != NULL; mode++)
    assert_error(mf_os_file_stream(fd, *mode, &stream), MAYFLY_EINVAL, *mode);
  assert_ok(mf_os_fd_close(fd));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(what_has_the_name_is_a_collision_and_else_it_is_an_error),
      test_in_scratch(a_name_that_is_being_removed_is_a_collision),
      test_in_scratch(others_open_it_only_if_they_share_its_deletion),
      test_in_scratch(it_is_a_temporary_file_to_the_system),
      test_in_scratch(it_is_opened_again_by_its_handle_and_by_its_name),
      test_in_scratch(it_is_copied_and_not_renamed),
      test_in_scratch(others_open_it_as_they_like_and_are_waited_for_in_its_removal),
      test_in_scratch(a_program_that_shares_no_writing_comes_to_it_once_it_is_released),
      test_in_scratch(who_holds_it_for_a_moment_is_waited_for),
      test_in_scratch(it_goes_even_if_it_is_read_only),
      test_in_scratch(a_stranger_under_its_name_is_left_alone),
      test_in_scratch(it_is_known_again_by_identity_alone),
      test_in_scratch(a_rename_replaces_a_file_or_says_why_not),
      test_in_scratch(the_mode_of_a_new_file_is_the_directorys),
      test_in_scratch(a_mode_without_the_owners_write_is_read_only),
      test_in_scratch(content_is_read_and_written_where_it_is_said),
      test_in_scratch(a_stream_has_the_position_once_and_then_its_own),
  };
  return cmocka_run_group_tests_name("windows.file", tests, NULL, NULL);
}
