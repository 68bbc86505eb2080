/* SPDX-License-Identifier: MIT */
/* removal.c - trees that do not want to go: links, permissions, other users' directories, any depth, names of any
 * bytes. What lies beside the tree, in the same scratch directory, must be untouched. */
#include "child.h"
#include "expect.h"
#include "result.h"
#include "test.h"
#include "tree.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mayfly/mayfly.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Who is root can do everything, so permissions are for `nobody`, in a scratch directory that lets him in. */
static void as_nobody(child_function *run, void *scratch) {
  struct child child;
  if (!child_can_be_nobody())
    skip();
  assert_return_code(chmod(scratch, 0777), errno);
  child_start_as_nobody(&child, run, scratch);
  child_expect_exit(&child, 0);
}

static mode_t mode_of(const char *path) {
  struct stat status;
  expect(lstat(path, &status) == 0);
  return status.st_mode & 07777;
}

static void make_directory(char made[TREE_PATH_SIZE], const char *directory, const char *name) {
  expect(snprintf(made, TREE_PATH_SIZE, "%s/%s", directory, name) < TREE_PATH_SIZE);
  expect(tree_system_directory(made) == 0);
}

static void make_file(char made[TREE_PATH_SIZE], const char *directory, const char *name) {
  expect(snprintf(made, TREE_PATH_SIZE, "%s/%s", directory, name) < TREE_PATH_SIZE);
  expect(tree_system_file(made) == 0);
}

static mayfly_directory *make_temporary(const char *scratch, unsigned flags) {
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  mayfly_directory *directory;
  options.dir = scratch;
  options.flags = flags;
  expect_ok(mayfly_temporary_directory(&options, &directory));
  return directory;
}

/* ---- links ---- */

/* A victim: a directory with a file, which links are to lead to. */
static void make_victim(char victim[TREE_PATH_SIZE], char file[TREE_PATH_SIZE], const char *scratch) {
  make_directory(victim, scratch, "victim");
  make_file(file, victim, "file");
}

static void remove_victim(const char *victim, const char *file) {
  expect(unlink(file) == 0 && rmdir(victim) == 0);
}

static void link_in(const char *directory, const char *name, const char *target) {
  char path[TREE_PATH_SIZE];
  expect(snprintf(path, sizeof path, "%s/%s", directory, name) < TREE_PATH_SIZE);
  expect(symlink(target, path) == 0);
}

static void a_link_in_the_tree_goes_and_not_what_it_leads_to(void **state) {
  char victim[TREE_PATH_SIZE], file[TREE_PATH_SIZE], tree[TREE_PATH_SIZE], inner[TREE_PATH_SIZE];
  make_victim(victim, file, *state);
  make_directory(tree, *state, "tree");
  make_directory(inner, tree, "inner");
  link_in(tree, "to-directory", victim);
  link_in(inner, "to-file", file);
  link_in(inner, "up", "../../victim");
  link_in(inner, "to-itself", "to-itself");
  link_in(inner, "to-nothing", "nowhere");
  assert_ok(mayfly_rmtree(tree, NULL));
  assert_false(tree_exists(tree));
  assert_true(tree_exists(file));
  remove_victim(victim, file);
}

static void a_link_at_the_top_is_refused_however_it_is_spelled(void **state) {
  const char *const spelled[] = {"link", "link/", "link//", "link/.", "link/./", "link//.//"};
  char victim[TREE_PATH_SIZE], file[TREE_PATH_SIZE], path[TREE_PATH_SIZE];
  make_victim(victim, file, *state);
  link_in(*state, "link", victim);
  for (size_t i = 0; i < sizeof spelled / sizeof spelled[0]; i++) {
    tree_join(path, *state, spelled[i]);
    assert_error(mayfly_rmtree(path, NULL), MAYFLY_ENOTDIR, "is a link");
    assert_true(tree_exists(file));
  }
  tree_join(path, *state, "link");
  assert_return_code(unlink(path), errno);
  remove_victim(victim, file);
}

/* A link further up is the caller's way to a directory, as in every system call. */
static void a_link_on_the_way_to_the_tree_is_followed(void **state) {
  char real[TREE_PATH_SIZE], path[TREE_PATH_SIZE];
  make_directory(real, *state, "real");
  tree_make(real, "tree", 1, 1);
  link_in(*state, "link", "real");
  tree_join(path, *state, "link/tree");
  assert_ok(mayfly_rmtree(path, NULL));
  assert_return_code(rmdir(real), errno);
  tree_join(path, *state, "link");
  assert_return_code(unlink(path), errno);
}

/* CVE-2023-6597: modes were put right through links. */
static int links_in_closed_directories(int parent, void *scratch) {
  (void)parent;
  for (mode_t mode = 0; mode < 8; mode++) {
    char victim[TREE_PATH_SIZE], file[TREE_PATH_SIZE], closed[TREE_PATH_SIZE];
    make_victim(victim, file, scratch);
    expect(chmod(file, mode << 6) == 0 && chmod(victim, mode << 6) == 0);
    mayfly_directory *directory = make_temporary(scratch, 0);
    make_directory(closed, mayfly_directory_path(directory), "closed");
    link_in(closed, "to-file", file);
    link_in(closed, "to-directory", victim);
    link_in(mayfly_directory_path(directory), "to-directory", victim);
    expect(chmod(closed, 0500) == 0 && chmod(mayfly_directory_path(directory), 0500) == 0);
    expect_ok(mayfly_directory_close(directory));
    expect(mode_of(victim) == mode << 6);
    expect(chmod(victim, 0700) == 0 && mode_of(file) == mode << 6);
    remove_victim(victim, file);
  }
  return 0;
}

static void modes_are_never_changed_through_a_link(void **state) {
  as_nobody(links_in_closed_directories, *state);
}

/* ---- permissions ---- */

static void make_closed(const char *directory, int depth, mode_t mode);

/* NOLINTNEXTLINE(misc-no-recursion): three levels. */
static void make_closed_below(const char *directory, const char *name, int depth, mode_t mode) {
  char path[TREE_PATH_SIZE];
  make_directory(path, directory, name);
  make_closed(path, depth, mode);
  expect(chmod(path, mode) == 0);
}

/* Two files and two directories, each of that mode. NOLINTNEXTLINE(misc-no-recursion) */
static void make_closed(const char *directory, int depth, mode_t mode) {
  char path[TREE_PATH_SIZE];
  make_file(path, directory, "file-1");
  expect(chmod(path, mode) == 0);
  make_file(path, directory, "file-2");
  expect(chmod(path, mode) == 0);
  if (depth == 0)
    return;
  make_closed_below(directory, "directory-1", depth - 1, mode);
  make_closed_below(directory, "directory-2", depth - 1, mode);
}

static int every_owner_mode(int parent, void *scratch) {
  (void)parent;
  for (mode_t mode = 0; mode < 8; mode++) {
    mayfly_directory *directory = make_temporary(scratch, 0);
    make_closed(mayfly_directory_path(directory), 3, mode << 6);
    expect(chmod(mayfly_directory_path(directory), mode << 6) == 0);
    expect_ok(mayfly_directory_close(directory));
    expect(scratch_is_empty(scratch));
  }
  return 0;
}

static void directories_and_files_of_every_owner_mode_go(void **state) {
  as_nobody(every_owner_mode, *state);
}

static int closed_top_of_a_path(int parent, void *scratch) {
  (void)parent;
  for (mode_t mode = 0; mode < 8; mode++) {
    char tree[TREE_PATH_SIZE];
    make_directory(tree, scratch, "tree");
    make_closed(tree, 1, mode << 6);
    expect(chmod(tree, mode << 6) == 0);
    expect_ok(mayfly_rmtree(tree, NULL));
    expect(scratch_is_empty(scratch));
  }
  return 0;
}

static void a_closed_tree_goes_by_its_path_too(void **state) {
  as_nobody(closed_top_of_a_path, *state);
}

/* gh-157579: the temporary directory lies in a directory that is the caller's, not ours. */
static int closed_parent(int parent, void *scratch) {
  char outer[TREE_PATH_SIZE], path[TREE_PATH_SIZE];
  (void)parent;
  make_directory(outer, scratch, "outer");
  mayfly_directory *directory = make_temporary(outer, 0);
  snprintf(path, sizeof path, "%s", mayfly_directory_path(directory));
  expect(chmod(outer, 0555) == 0);
  expect_error(mayfly_directory_cleanup(directory), MAYFLY_EACCES, path);
  expect_error(mayfly_rmtree(path, NULL), MAYFLY_EACCES, path);
  expect(mode_of(outer) == 0555 && tree_exists(path));
  expect(chmod(outer, 0700) == 0);
  expect_ok(mayfly_directory_close(directory)); /* tried again */
  expect(rmdir(outer) == 0);
  return 0;
}

static void the_mode_of_what_the_tree_lies_in_is_never_changed(void **state) {
  as_nobody(closed_parent, *state);
}

/* A parent that may be passed through but not listed. */
static int unlisted_parent(int parent, void *scratch) {
  char outer[TREE_PATH_SIZE];
  (void)parent;
  make_directory(outer, scratch, "outer");
  mayfly_directory *directory = make_temporary(outer, 0);
  expect(chmod(outer, 0300) == 0);
  expect_ok(mayfly_directory_close(directory));
  expect(rmdir(outer) == 0);
  return 0;
}

static void what_the_tree_lies_in_need_not_be_readable(void **state) {
  as_nobody(unlisted_parent, *state);
}

/* ---- what can't go ---- */

/* Told first where root has put a directory of its own. */
static int keeps_what_is_anothers(int parent, void *scratch) {
  char top[TREE_PATH_SIZE], inner[TREE_PATH_SIZE];
  mayfly_directory *strict = make_temporary(scratch, 0);
  mayfly_directory *lenient = make_temporary(scratch, MAYFLY_TEMP_IGNORE_CLEANUP_ERRORS);
  mayfly_directory *both[] = {strict, lenient};
  for (int i = 0; i < 2; i++) {
    snprintf(top, sizeof top, "%s", mayfly_directory_path(both[i]));
    make_file(inner, top, "before");
    make_file(inner, top, "zzz-after");
    expect(send(parent, top, sizeof top, MSG_NOSIGNAL) == sizeof top);
    child_hear(parent);
    expect(i == 0 ? mayfly_directory_cleanup(strict) == MAYFLY_EACCES : mayfly_directory_cleanup(lenient) == 0);
    if (i == 0)
      expect(strstr(mayfly_last_error(), "roots/file") != NULL);
    expect(!tree_exists(inner)); /* what can go is gone */
    child_say(parent, 'c');
    child_hear(parent);
    expect_ok(mayfly_directory_cleanup(both[i])); /* tried again */
    expect(!tree_exists(top));
    expect_ok(mayfly_directory_close(both[i]));
  }
  return 0;
}

static void what_can_not_go_stays_and_the_rest_goes(void **state) {
  struct child child;
  char top[TREE_PATH_SIZE], roots[TREE_PATH_SIZE], file[TREE_PATH_SIZE];
  if (!child_can_be_nobody())
    skip();
  assert_return_code(chmod(*state, 0777), errno);
  child_start_as_nobody(&child, keeps_what_is_anothers, *state);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(recv(child.fd, top, sizeof top, MSG_WAITALL), sizeof top);
    make_directory(roots, top, "roots");
    make_file(file, roots, "file");
    assert_return_code(chmod(roots, 0755), errno);
    child_say(child.fd, 'm');
    assert_int_equal(child_hear(child.fd), 'c');
    assert_int_equal(mode_of(roots), 0755);
    assert_return_code(unlink(file), errno);
    assert_return_code(rmdir(roots), errno);
    child_say(child.fd, 'r');
  }
  child_expect_exit(&child, 0);
}

/* Another user's directory that is empty and closed goes all the same: its name is in ours. */
static int removes_what_is_closed_and_empty(int parent, void *scratch) {
  mayfly_directory *directory = make_temporary(scratch, 0);
  char top[TREE_PATH_SIZE];
  snprintf(top, sizeof top, "%s", mayfly_directory_path(directory));
  expect(send(parent, top, sizeof top, MSG_NOSIGNAL) == sizeof top);
  child_hear(parent);
  expect_ok(mayfly_directory_close(directory));
  return 0;
}

static void an_empty_directory_that_can_not_be_opened_goes(void **state) {
  struct child child;
  char top[TREE_PATH_SIZE], roots[TREE_PATH_SIZE];
  if (!child_can_be_nobody())
    skip();
  assert_return_code(chmod(*state, 0777), errno);
  child_start_as_nobody(&child, removes_what_is_closed_and_empty, *state);
  assert_int_equal(recv(child.fd, top, sizeof top, MSG_WAITALL), sizeof top);
  make_directory(roots, top, "roots");
  child_say(child.fd, 'm');
  child_expect_exit(&child, 0);
}

/* ---- of every kind ---- */

static void sockets_pipes_and_hard_links_go(void **state) {
  char tree[TREE_PATH_SIZE], file[TREE_PATH_SIZE], other[TREE_PATH_SIZE];
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  make_directory(tree, *state, "tree");
  make_file(file, *state, "file");
  tree_join(other, tree, "hard-link");
  assert_return_code(link(file, other), errno);
  tree_join(other, tree, "pipe");
  assert_return_code(mkfifo(other, 0600), errno);
  snprintf(address.sun_path, sizeof address.sun_path, "%.90s/socket", tree);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  assert_return_code(bind(fd, (struct sockaddr *)&address, sizeof address), errno);
  assert_ok(mayfly_rmtree(tree, NULL));
  close(fd);
  assert_true(tree_exists(file));
  assert_return_code(unlink(file), errno);
}

static void names_of_any_bytes_go(void **state) {
  char tree[TREE_PATH_SIZE], path[TREE_PATH_SIZE], name[256];
  make_directory(tree, *state, "tree");
  for (int first = 1; first < 256; first++) {
    if (first == '/')
      continue;
    snprintf(name, sizeof name, "%c\n\xff-%d", first, first);
    if (first % 2 == 0)
      make_directory(path, tree, name);
    else
      make_file(path, tree, name);
  }
  memset(name, 0xfe, 255);
  name[255] = '\0';
  make_directory(path, tree, name);
  assert_ok(mayfly_rmtree(tree, NULL));
  assert_false(tree_exists(tree));
}

static void the_working_directory_may_be_inside(void **state) {
  char *before = getcwd(NULL, 0);
  mayfly_directory *directory = make_temporary(*state, 0);
  tree_make(mayfly_directory_path(directory), "tree", 2, 2);
  assert_return_code(chdir(mayfly_directory_path(directory)), errno);
  assert_return_code(chdir("tree/directory-0"), errno);
  assert_ok(mayfly_directory_close(directory));
  assert_return_code(chdir(before), errno);
  free(before);
}

static void a_relative_path_counts_from_the_working_directory(void **state) {
  char *before = getcwd(NULL, 0), other[TREE_PATH_SIZE];
  tree_make(*state, "tree", 2, 2);
  make_directory(other, *state, "other");
  tree_make(other, "tree", 1, 1);
  assert_return_code(chdir(other), errno);
  assert_ok(mayfly_rmtree("../tree", NULL));
  assert_ok(mayfly_rmtree("tree", NULL));
  assert_return_code(chdir(before), errno);
  assert_return_code(rmdir(other), errno);
  free(before);
}

static int changes_the_working_directory(void *context, uint64_t removed) {
  (void)removed;
  return chdir(context);
}

static void a_progress_that_changes_the_working_directory_does_not_matter(void **state) {
  mayfly_rmtree_options options = MAYFLY_RMTREE_OPTIONS_INIT;
  char *before = getcwd(NULL, 0), other[TREE_PATH_SIZE], path[TREE_PATH_SIZE];
  tree_make(*state, "tree", 2, 3);
  make_directory(other, *state, "other");
  tree_make(other, "tree", 2, 3);
  options.progress = changes_the_working_directory;
  options.context = other;
  assert_return_code(chdir(*state), errno);
  assert_ok(mayfly_rmtree("tree", &options));
  assert_return_code(chdir(before), errno);
  tree_join(path, other, "tree/directory-1/directory-1/directory-1/file-1");
  assert_true(tree_exists(path));
  assert_ok(mayfly_rmtree(other, NULL));
  free(before);
}

/* Where "/" and ".." lead no further than the scratch directory. */
static int refuses_what_is_no_name(int parent, void *scratch) {
  const char *const paths[] = {"/", "//", "/.", "/..", ".", "..", "./", "../", "./.", "../.", "inner/..", "inner/../"};
  mayfly_rmtree_options options = MAYFLY_RMTREE_OPTIONS_INIT;
  (void)parent;
  options.flags = MAYFLY_RMTREE_IGNORE_ERRORS; /* that is a mistake, and no failure to be ignored */
  expect(chroot(scratch) == 0 && chdir("/directory") == 0);
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    expect_error(mayfly_rmtree(paths[i], NULL), MAYFLY_EINVAL, paths[i]);
    expect_error(mayfly_rmtree(paths[i], &options), MAYFLY_EINVAL, paths[i]);
  }
  expect(tree_exists("/directory/inner"));
  _exit(0); /* a leak checker finds no /proc here */
}

static void a_path_without_a_name_at_its_end_is_refused(void **state) {
  char directory[TREE_PATH_SIZE];
  struct child child;
  if (geteuid() != 0)
    skip(); /* chroot(2) */
  make_directory(directory, *state, "directory");
  tree_directory(directory, "inner");
  child_start(&child, refuses_what_is_no_name, *state);
  child_expect_exit(&child, 0);
  assert_ok(mayfly_rmtree(directory, NULL));
}

/* ---- deep ---- */

enum { DEPTH = 12000, STACK = 64 * 1024, DESCRIPTORS = 64 };

static void go_down(const char *name, int number) {
  int made = mkdir(name, 0700);
  int fd = open("file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd >= 0)
    close(fd);
  if (made != 0 || fd < 0 || chdir(name) != 0)
    fail_msg("level %d: %s", number, strerror(errno));
}

/* In the working directory, which is far below afterwards. */
static void make_deep(const char *name, int depth) {
  for (int i = 0; i < depth; i++)
    go_down(name, i);
}

static void *remove_it(void *path) {
  static int result;
  result = mayfly_rmtree(path, NULL);
  return &result;
}

static void remove_in_small_stack(const char *path) {
  pthread_t thread;
  pthread_attr_t attributes;
  struct rlimit before, few;
  void *result;
  assert_return_code(getrlimit(RLIMIT_NOFILE, &before), errno);
  few = before;
  few.rlim_cur = DESCRIPTORS;
  assert_return_code(setrlimit(RLIMIT_NOFILE, &few), errno);
  assert_int_equal(pthread_attr_init(&attributes), 0);
  assert_int_equal(pthread_attr_setstacksize(&attributes, STACK), 0);
  assert_int_equal(pthread_create(&thread, &attributes, remove_it, (void *)path), 0);
  assert_int_equal(pthread_join(thread, &result), 0);
  pthread_attr_destroy(&attributes);
  assert_return_code(setrlimit(RLIMIT_NOFILE, &before), errno);
  assert_ok(*(int *)result);
}

static void a_tree_of_twelve_thousand_levels_goes_with_little_stack_and_few_descriptors(void **state) {
  char *before = getcwd(NULL, 0), path[TREE_PATH_SIZE];
  assert_return_code(chdir(*state), errno);
  make_deep("d", DEPTH);
  assert_return_code(chdir(before), errno);
  tree_join(path, *state, "d");
  remove_in_small_stack(path);
  assert_false(tree_exists(path));
  tree_join(path, *state, "file");
  assert_return_code(unlink(path), errno);
  free(before);
}

static void names_of_255_bytes_go_three_hundred_levels_deep(void **state) {
  char *before = getcwd(NULL, 0), name[256] = "", path[TREE_PATH_SIZE];
  for (int i = 0; i < 85; i++)
    strcat(name, "\xed\x95\x9c"); /* Korean */
  assert_return_code(chdir(*state), errno);
  make_deep(name, 300);
  assert_return_code(chdir(before), errno);
  tree_join(path, *state, name);
  assert_ok(mayfly_rmtree(path, NULL));
  tree_join(path, *state, "file");
  assert_return_code(unlink(path), errno);
  free(before);
}

/* At every level a directory beside the deep one: the way back is needed for it. */
static void what_is_beside_a_deep_directory_goes_too(void **state) {
  char *before = getcwd(NULL, 0), path[TREE_PATH_SIZE];
  assert_return_code(chdir(*state), errno);
  for (int i = 0; i < 200; i++) {
    tree_make(".", "a", 1, 1);
    tree_make(".", "z", 1, 1);
    go_down("m", i);
  }
  assert_return_code(chdir(before), errno);
  assert_ok(mayfly_rmtree((tree_join(path, *state, "m"), path), NULL));
  assert_ok(mayfly_rmtree((tree_join(path, *state, "a"), path), NULL));
  assert_ok(mayfly_rmtree((tree_join(path, *state, "z"), path), NULL));
  assert_return_code(unlink((tree_join(path, *state, "file"), path)), errno);
  free(before);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(a_link_in_the_tree_goes_and_not_what_it_leads_to),
      test_in_scratch(a_link_at_the_top_is_refused_however_it_is_spelled),
      test_in_scratch(a_link_on_the_way_to_the_tree_is_followed),
      test_in_scratch(modes_are_never_changed_through_a_link),
      test_in_scratch(directories_and_files_of_every_owner_mode_go),
      test_in_scratch(a_closed_tree_goes_by_its_path_too),
      test_in_scratch(the_mode_of_what_the_tree_lies_in_is_never_changed),
      test_in_scratch(what_the_tree_lies_in_need_not_be_readable),
      test_in_scratch(what_can_not_go_stays_and_the_rest_goes),
      test_in_scratch(an_empty_directory_that_can_not_be_opened_goes),
      test_in_scratch(sockets_pipes_and_hard_links_go),
      test_in_scratch(names_of_any_bytes_go),
      test_in_scratch(the_working_directory_may_be_inside),
      test_in_scratch(a_relative_path_counts_from_the_working_directory),
      test_in_scratch(a_path_without_a_name_at_its_end_is_refused),
      test_in_scratch(a_progress_that_changes_the_working_directory_does_not_matter),
      test_in_scratch(a_tree_of_twelve_thousand_levels_goes_with_little_stack_and_few_descriptors),
      test_in_scratch(names_of_255_bytes_go_three_hundred_levels_deep),
      test_in_scratch(what_is_beside_a_deep_directory_goes_too),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
