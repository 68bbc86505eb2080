/* SPDX-License-Identifier: MIT */
/* tempdir.c - which directory is the temporary one. Each case is a child, since the answer is remembered for good. */
#include "child.h"
#include "expect.h"
#include "result.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <mayfly/tempfile.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a child with an environment of its own ---- */

struct search {
  const char *variables[3]; /* TMPDIR, TEMP, TMP; NULL: not set */
  const char *working_directory;
  const char *found; /* NULL: nothing */
};

static void set_environment(const struct search *search) {
  static const char *const names[] = {"TMPDIR", "TEMP", "TMP"};
  for (int i = 0; i < 3; i++) {
    if (search->variables[i] != NULL)
      expect(setenv(names[i], search->variables[i], 1) == 0);
    else
      expect(unsetenv(names[i]) == 0);
  }
  if (search->working_directory != NULL)
    expect(chdir(search->working_directory) == 0);
}

static int finds(int parent, void *context) {
  const struct search *search = context;
  (void)parent;
  set_environment(search);
  const char *found = mayfly_gettempdir();
  if (found == NULL || search->found == NULL || strcmp(found, search->found) != 0)
    fprintf(stderr, "found %s instead of %s\n", found == NULL ? "nothing" : found,
            search->found == NULL ? "nothing" : search->found);
  expect((found == NULL) == (search->found == NULL));
  expect(found == NULL || strcmp(found, search->found) == 0);
  return 0;
}

static void search_finds(struct search search) {
  struct child child;
  child_start(&child, finds, &search);
  child_expect_exit(&child, 0);
}

static void search_as_nobody_finds(struct search search) {
  struct child child;
  child_start_as_nobody(&child, finds, &search);
  child_expect_exit(&child, 0);
}

/* ---- what stands in the scratch directory ---- */

enum { PLACES_MAX = 8 };

static char places[PLACES_MAX][SCRATCH_PATH_SIZE];

/* scratch/name, whether it exists or not. */
static const char *place(const char *scratch, const char *name) {
  static int next;
  char *path = places[next++ % PLACES_MAX];
  scratch_path(path, scratch, name);
  return path;
}

static const char *make_directory(const char *scratch, const char *name) {
  const char *path = place(scratch, name);
  assert_return_code(mkdir(path, 0700), errno);
  return path;
}

static void make_file(const char *path) {
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
  assert_return_code(fd, errno);
  close(fd);
}

/* Fails where something was left in it. */
static void remove_directory(const char *path) {
  assert_true(scratch_is_empty(path));
  assert_return_code(rmdir(path), errno);
}

/* ---- candidates ---- */

static void the_environment_is_tried_in_pythons_order(void **state) {
  const char *a = make_directory(*state, "a"), *b = make_directory(*state, "b"), *c = make_directory(*state, "c");
  search_finds((struct search){{a, b, c}, NULL, a});
  search_finds((struct search){{NULL, b, c}, NULL, b});
  search_finds((struct search){{"", b, c}, NULL, b});
  search_finds((struct search){{NULL, NULL, c}, NULL, c});
  search_finds((struct search){{"", "", c}, NULL, c});
  search_finds((struct search){{NULL, NULL, NULL}, NULL, "/tmp"});
  remove_directory(a);
  remove_directory(b);
  remove_directory(c);
}

/* In a system of its own, whose root is the scratch directory. */
static int finds_in_root(int parent, void *context) {
  const struct search *search = context;
  expect(chroot(search->variables[0]) == 0 && chdir("/") == 0);
  struct search inside = {{NULL, NULL, NULL}, search->working_directory, search->found};
  finds(parent, &inside);
  _exit(0); /* a leak checker needs /proc */
}

static void search_in_root_finds(const char *root, const char *working_directory, const char *found) {
  struct search search = {{root}, working_directory, found};
  struct child child;
  child_start(&child, finds_in_root, &search);
  child_expect_exit(&child, 0);
}

static void the_systems_directories_are_tried_in_pythons_order(void **state) {
  if (geteuid() != 0) {
    print_message("skipped: another root directory takes root\n");
    skip();
  }
  const char *var = make_directory(*state, "var"), *usr = make_directory(*state, "usr");
  const char *work = make_directory(*state, "work"), *tmp = make_directory(*state, "tmp");
  const char *var_tmp = make_directory(*state, "var/tmp"), *usr_tmp = make_directory(*state, "usr/tmp");
  search_in_root_finds(*state, "/work", "/tmp");
  remove_directory(tmp);
  search_in_root_finds(*state, "/work", "/var/tmp");
  remove_directory(var_tmp);
  make_file(var_tmp);
  search_in_root_finds(*state, "/work", "/usr/tmp");
  remove_directory(usr_tmp);
  search_in_root_finds(*state, "/work", "/work");
  search_in_root_finds(*state, "/", "/");
  assert_return_code(unlink(var_tmp), errno);
  remove_directory(var);
  remove_directory(usr);
  remove_directory(work);
}

static void a_candidate_that_cannot_be_used_is_passed_over(void **state) {
  const char *good = make_directory(*state, "good");
  const char *missing = place(*state, "missing"), *file = place(*state, "file");
  const char *dangling = place(*state, "dangling"), *loop = place(*state, "loop");
  make_file(file);
  assert_return_code(symlink(missing, dangling), errno);
  assert_return_code(symlink(loop, loop), errno);
  search_finds((struct search){{missing, good}, NULL, good});
  search_finds((struct search){{file, good}, NULL, good});
  search_finds((struct search){{dangling, good}, NULL, good});
  search_finds((struct search){{loop, good}, NULL, good});
  search_finds((struct search){{missing, file, good}, NULL, good});
  search_finds((struct search){{missing, file, dangling}, NULL, "/tmp"});
  assert_return_code(unlink(file), errno);
  assert_return_code(unlink(dangling), errno);
  assert_return_code(unlink(loop), errno);
  remove_directory(good);
}

static void a_directory_that_may_not_be_written_to_is_passed_over(void **state) {
  if (!child_can_be_nobody())
    skip();
  const char *theirs = make_directory(*state, "theirs"), *anyones = make_directory(*state, "anyones");
  assert_return_code(chmod(*state, 0755), errno);
  assert_return_code(chmod(theirs, 0755), errno);
  assert_return_code(chmod(anyones, 0777), errno);
  search_as_nobody_finds((struct search){{theirs, anyones}, NULL, anyones});
  remove_directory(theirs);
  remove_directory(anyones);
}

static void a_link_to_a_directory_stays_a_link(void **state) {
  const char *real = make_directory(*state, "real"), *link = place(*state, "link");
  assert_return_code(symlink(real, link), errno);
  search_finds((struct search){{link}, NULL, link});
  assert_return_code(unlink(link), errno);
  remove_directory(real);
}

static void the_path_is_made_absolute_as_text(void **state) {
  const char *directory = make_directory(*state, "Dir"), *scratch = *state;
  char spelled[SCRATCH_PATH_SIZE];
  search_finds((struct search){{"Dir"}, scratch, directory});
  search_finds((struct search){{"."}, directory, directory});
  search_finds((struct search){{"./Dir/../Dir//"}, scratch, directory});
  scratch_path(spelled, directory, "/");
  search_finds((struct search){{spelled}, NULL, directory});
  scratch_path(spelled, directory, "missing/..");
  search_finds((struct search){{spelled}, NULL, directory});
  remove_directory(directory);
}

static int finds_without_a_working_directory(int parent, void *context) {
  const struct search *search = context;
  expect(rmdir(search->working_directory) == 0);
  struct search rest = {{search->variables[0], search->variables[1], search->variables[2]}, NULL, search->found};
  return finds(parent, &rest);
}

static void a_relative_candidate_is_passed_over_where_the_working_directory_is_gone(void **state) {
  const char *good = make_directory(*state, "good"), *gone = make_directory(*state, "gone");
  struct search search = {{"relative", good}, gone, good};
  struct child child;
  int parent;
  if (child_fork(&child, &parent) == 0) {
    expect(chdir(gone) == 0);
    exit(finds_without_a_working_directory(parent, &search));
  }
  child_expect_exit(&child, 0);
  remove_directory(good);
}

/* ---- probing ---- */

static void let_no_file_grow(void) {
  struct rlimit none = {0, 0};
  expect(getrlimit(RLIMIT_FSIZE, &none) == 0);
  none.rlim_cur = 0;
  signal(SIGXFSZ, SIG_IGN);
  expect(setrlimit(RLIMIT_FSIZE, &none) == 0);
}

static void let_files_grow(void) {
  struct rlimit limit;
  expect(getrlimit(RLIMIT_FSIZE, &limit) == 0);
  limit.rlim_cur = limit.rlim_max;
  expect(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static int names_all_that_were_tried(int parent, void *context) {
  const struct search *search = context;
  const char *const expected[] = {search->variables[0], search->variables[1], search->variables[2],     "/tmp",
                                  "/var/tmp",           "/usr/tmp",           search->working_directory};
  char *path = (char *)"untouched";
  (void)parent;
  set_environment(search);
  let_no_file_grow();
  expect(mayfly_gettempdir() == NULL);
  const char *words = mayfly_last_error();
  for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
    words = strstr(words, expected[i]);
    expect(words != NULL);
    words += strlen(expected[i]);
  }
  expect_error(mayfly_mkdtemp(NULL, &path), MAYFLY_ENOENT, search->variables[0]);
  expect_error(mayfly_mktemp(NULL, &path), MAYFLY_ENOENT, search->working_directory);
  expect(strcmp(path, "untouched") == 0);
  let_files_grow();
  const char *found = mayfly_gettempdir();
  expect(found != NULL && strcmp(found, search->variables[0]) == 0);
  return 0;
}

static void where_no_file_can_be_written_all_are_named_nothing_is_left_and_the_next_call_looks_again(void **state) {
  const char *a = make_directory(*state, "a"), *b = make_directory(*state, "b"), *c = make_directory(*state, "c");
  const char *work = make_directory(*state, "work");
  struct search search = {{a, b, c}, work, NULL};
  struct child child;
  child_start(&child, names_all_that_were_tried, &search);
  child_expect_exit(&child, 0);
  remove_directory(a);
  remove_directory(b);
  remove_directory(c);
  remove_directory(work);
}

static int cuts_long_words(int parent, void *context) {
  struct search *search = context;
  char *path = malloc(4000);
  (void)parent;
  expect(path != NULL);
  memset(path, 'd', 3999);
  path[0] = '/';
  path[3999] = '\0';
  search->variables[0] = search->variables[1] = path;
  set_environment(search);
  let_no_file_grow();
  expect(mayfly_gettempdir() == NULL);
  size_t length = strlen(mayfly_last_error());
  expect(length > 400 && strcmp(mayfly_last_error() + length - 3, "...") == 0);
  free(path);
  return 0;
}

static void words_that_name_long_candidates_are_cut_and_end_in_dots(void **state) {
  struct search search = {{NULL, NULL, *state}, *state, NULL};
  struct child child;
  child_start(&child, cuts_long_words, &search);
  child_expect_exit(&child, 0);
}

static int finds_without_a_word(int parent, void *context) {
  const struct search *search = context;
  (void)parent;
  set_environment(search);
  expect_error(mayfly_settempdir(""), MAYFLY_EINVAL, "empty");
  const char *found = mayfly_gettempdir();
  expect(found != NULL && strcmp(found, search->variables[2]) == 0);
  expect(strstr(mayfly_last_error(), "empty") != NULL);
  return 0;
}

static void candidates_that_failed_are_not_spoken_of_once_one_is_found(void **state) {
  const char *missing = place(*state, "missing");
  struct search search = {{missing, missing, *state}, NULL, NULL};
  struct child child;
  child_start(&child, finds_without_a_word, &search);
  child_expect_exit(&child, 0);
}

/* ---- what is remembered ---- */

static int remembers(int parent, void *context) {
  const struct search *search = context;
  (void)parent;
  set_environment(search);
  const char *first = mayfly_gettempdir();
  expect(first != NULL && strcmp(first, search->variables[0]) == 0);
  setenv("TMPDIR", search->variables[1], 1);
  expect(mayfly_gettempdir() == first);
  expect(rmdir(first) == 0);
  expect(mayfly_gettempdir() == first);
  expect(strcmp(first, search->variables[0]) == 0);
  return 0;
}

static void the_answer_is_remembered_and_the_environment_not_read_again(void **state) {
  const char *a = make_directory(*state, "a"), *b = make_directory(*state, "b");
  struct search search = {{a, b}, NULL, NULL};
  struct child child;
  child_start(&child, remembers, &search);
  child_expect_exit(&child, 0);
  remove_directory(b);
}

static int takes_any_text(int parent, void *context) {
  const struct search *search = context;
  (void)parent;
  set_environment(search);
  const char *found = mayfly_gettempdir();
  expect_ok(mayfly_settempdir("no/such directory"));
  const char *set = mayfly_gettempdir();
  expect(set != NULL && strcmp(set, "no/such directory") == 0);
  expect_error(mayfly_settempdir(""), MAYFLY_EINVAL, "empty");
  expect(mayfly_gettempdir() == set);
  setenv("TMPDIR", search->variables[1], 1);
  expect_ok(mayfly_settempdir(NULL));
  const char *again = mayfly_gettempdir();
  expect(again != NULL && strcmp(again, search->variables[1]) == 0);
  expect(strcmp(found, search->variables[0]) == 0);
  expect(strcmp(set, "no/such directory") == 0);
  return 0;
}

static void settempdir_takes_any_text_and_null_searches_again(void **state) {
  const char *a = make_directory(*state, "a"), *b = make_directory(*state, "b");
  struct search search = {{a, b}, NULL, NULL};
  struct child child;
  child_start(&child, takes_any_text, &search);
  child_expect_exit(&child, 0);
  remove_directory(a);
  remove_directory(b);
}

static int copies_what_it_is_given(int parent, void *context) {
  char text[] = "first";
  (void)parent, (void)context;
  expect_ok(mayfly_settempdir(text));
  const char *first = mayfly_gettempdir();
  memcpy(text, "other", 5);
  expect(strcmp(first, "first") == 0);
  return 0;
}

static void settempdir_copies_the_text(void **state) {
  struct child child;
  (void)state;
  child_start(&child, copies_what_it_is_given, NULL);
  child_expect_exit(&child, 0);
}

/* The same pointer for the same text: so the memory is bounded by the number of different texts. */
static int keeps_each_text_once(int parent, void *context) {
  const char *pointers[10];
  char text[32];
  (void)parent, (void)context;
  for (int i = 0; i < 100000; i++) {
    snprintf(text, sizeof text, "/directory/%d", i % 10);
    expect_ok(mayfly_settempdir(text));
    const char *set = mayfly_gettempdir();
    expect(i < 10 || set == pointers[i % 10]);
    expect(strcmp(set, text) == 0);
    pointers[i % 10] = set;
  }
  return 0;
}

static void setting_the_same_directory_again_takes_no_more_memory(void **state) {
  struct child child;
  (void)state;
  child_start(&child, keeps_each_text_once, NULL);
  child_expect_exit(&child, 0);
}

static int has_twins(int parent, void *context) {
  (void)parent, (void)context;
  expect(mayfly_gettempdir() != NULL);
  expect(mayfly_gettempdir() == mayfly_gettempdirb());
  expect_ok(mayfly_settempdir("/other"));
  expect(mayfly_gettempdir() == mayfly_gettempdirb());
  return 0;
}

static void the_functions_for_bytes_say_the_same(void **state) {
  struct child child;
  (void)state;
  assert_string_equal(mayfly_gettempprefix(), "tmp");
  assert_ptr_equal(mayfly_gettempprefix(), mayfly_gettempprefixb());
  child_start(&child, has_twins, NULL);
  child_expect_exit(&child, 0);
}

/* ---- threads ---- */

enum { THREADS = 8, ROUNDS = 500 };

static pthread_barrier_t together;

static void *ask(void *context) {
  const char **answer = context;
  pthread_barrier_wait(&together);
  *answer = mayfly_gettempdir();
  return NULL;
}

static int agrees_in_all_threads(int parent, void *context) {
  const struct search *search = context;
  pthread_t threads[THREADS];
  const char *answers[THREADS];
  (void)parent;
  set_environment(search);
  pthread_barrier_init(&together, NULL, THREADS);
  for (int i = 0; i < THREADS; i++)
    expect(pthread_create(&threads[i], NULL, ask, &answers[i]) == 0);
  for (int i = 0; i < THREADS; i++)
    expect(pthread_join(threads[i], NULL) == 0);
  for (int i = 0; i < THREADS; i++)
    expect(answers[i] != NULL && answers[i] == answers[0]);
  expect(strcmp(answers[0], search->found) == 0);
  pthread_barrier_destroy(&together);
  return 0;
}

static void threads_that_ask_at_once_get_one_answer(void **state) {
  const char *a = make_directory(*state, "a");
  struct search search = {{a}, NULL, a};
  for (int i = 0; i < 20; i++) {
    struct child child;
    child_start(&child, agrees_in_all_threads, &search);
    child_expect_exit(&child, 0);
  }
  remove_directory(a);
}

static void *set_and_ask(void *context) {
  const char *own = context;
  pthread_barrier_wait(&together);
  for (int i = 0; i < ROUNDS; i++) {
    expect_ok(mayfly_settempdir(i % 10 == 0 ? NULL : own));
    const char *found = mayfly_gettempdir();
    expect(found != NULL && (strncmp(found, "/set by ", 8) == 0 || strcmp(found, getenv("TMPDIR")) == 0));
  }
  return NULL;
}

static int survives_setting_in_all_threads(int parent, void *context) {
  pthread_t threads[4];
  char texts[4][16];
  (void)parent;
  set_environment(context);
  pthread_barrier_init(&together, NULL, 4);
  for (int i = 0; i < 4; i++) {
    snprintf(texts[i], sizeof texts[i], "/set by %d", i);
    expect(pthread_create(&threads[i], NULL, set_and_ask, texts[i]) == 0);
  }
  for (int i = 0; i < 4; i++)
    expect(pthread_join(threads[i], NULL) == 0);
  pthread_barrier_destroy(&together);
  return 0;
}

static void threads_may_set_and_ask_at_the_same_time(void **state) {
  const char *a = make_directory(*state, "a");
  struct search search = {{a}, NULL, NULL};
  struct child child;
  child_start(&child, survives_setting_in_all_threads, &search);
  child_expect_exit(&child, 0);
  remove_directory(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(the_environment_is_tried_in_pythons_order),
      test_in_scratch(the_systems_directories_are_tried_in_pythons_order),
      test_in_scratch(a_candidate_that_cannot_be_used_is_passed_over),
      test_in_scratch(a_directory_that_may_not_be_written_to_is_passed_over),
      test_in_scratch(a_link_to_a_directory_stays_a_link),
      test_in_scratch(the_path_is_made_absolute_as_text),
      test_in_scratch(a_relative_candidate_is_passed_over_where_the_working_directory_is_gone),
      test_in_scratch(where_no_file_can_be_written_all_are_named_nothing_is_left_and_the_next_call_looks_again),
      test_in_scratch(words_that_name_long_candidates_are_cut_and_end_in_dots),
      test_in_scratch(candidates_that_failed_are_not_spoken_of_once_one_is_found),
      test_in_scratch(the_answer_is_remembered_and_the_environment_not_read_again),
      test_in_scratch(settempdir_takes_any_text_and_null_searches_again),
      test(settempdir_copies_the_text),
      test(setting_the_same_directory_again_takes_no_more_memory),
      test(the_functions_for_bytes_say_the_same),
      test_in_scratch(threads_that_ask_at_once_get_one_answer),
      test_in_scratch(threads_may_set_and_ask_at_the_same_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
