/* SPDX-License-Identifier: MIT */
/* file_content.c - reading, writing, seeking, truncating: the same in memory, on the disk, and across a rollover. */
#include "files.h"
#include "test.h"
#include <mayfly/tempfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ON_DISK, IN_MEMORY, NAMED, SPOOLED, SPOOLED_SMALL, SPOOLED_TINY, KINDS };

static mayfly_file *make(int kind, const char *directory) {
  switch (kind) {
  case ON_DISK:
    return files_anonymous(directory);
  case IN_MEMORY:
    return files_in_memory(directory);
  case NAMED:
    return files_named(directory, 0);
  case SPOOLED:
    return files_spooled(directory, 0);
  case SPOOLED_SMALL:
    return files_spooled(directory, 30);
  default:
    return files_spooled(directory, 1);
  }
}

static void of_every_kind(const char *directory, void (*run)(mayfly_file *file)) {
  for (int kind = 0; kind < KINDS; kind++) {
    mayfly_file *file = make(kind, directory);
    run(file);
    assert_ok(mayfly_file_close(file));
  }
}

/* ---- one behaviour each, of every kind ---- */

static void writes_and_reads(mayfly_file *file) {
  char buffer[32];
  files_write(file, "hello, ");
  files_write(file, "world");
  assert_int_equal(mayfly_file_tell(file), 12);
  assert_int_equal(mayfly_file_read(file, buffer, sizeof buffer), 0);
  assert_int_equal(mayfly_file_seek(file, 7, SEEK_SET), 7);
  assert_int_equal(mayfly_file_read(file, buffer, sizeof buffer), 5);
  assert_memory_equal(buffer, "world", 5);
  assert_int_equal(mayfly_file_tell(file), 12);
  assert_int_equal(mayfly_file_read(file, buffer, 0), 0);
  assert_ok(mayfly_file_write(file, NULL, 0));
  assert_ok(mayfly_file_sync(file));
  files_expect(file, "hello, world");
}

static void what_was_written_is_read(void **state) {
  of_every_kind(*state, writes_and_reads);
}

static void writes_in_the_middle(mayfly_file *file) {
  files_write(file, "aaaaaaaa");
  assert_int_equal(mayfly_file_seek(file, 3, SEEK_SET), 3);
  files_write(file, "bb");
  assert_int_equal(mayfly_file_tell(file), 5);
  files_expect(file, "aaabbaaa");
}

static void what_is_written_in_the_middle_replaces_what_was_there(void **state) {
  of_every_kind(*state, writes_in_the_middle);
}

static void leaves_the_position(mayfly_file *file) {
  char buffer[8];
  files_write(file, "abcdef");
  assert_int_equal(mayfly_file_seek(file, 2, SEEK_SET), 2);
  assert_int_equal(mayfly_file_pread(file, buffer, 3, 1), 3);
  assert_memory_equal(buffer, "bcd", 3);
  assert_ok(mayfly_file_pwrite(file, "XYZ", 3, 5));
  assert_int_equal(mayfly_file_pread(file, buffer, 8, 6), 2);
  assert_int_equal(mayfly_file_pread(file, buffer, 8, 8), 0);
  assert_int_equal(mayfly_file_pread(file, buffer, 8, INT64_MAX - 8), 0);
  assert_int_equal(mayfly_file_tell(file), 2);
  files_expect(file, "abcdeXYZ");
}

static void pread_and_pwrite_leave_the_position(void **state) {
  of_every_kind(*state, leaves_the_position);
}

static void seeks(mayfly_file *file) {
  files_write(file, "0123456789");
  assert_int_equal(mayfly_file_seek(file, -3, SEEK_END), 7);
  assert_int_equal(mayfly_file_seek(file, -7, SEEK_CUR), 0);
  assert_int_equal(mayfly_file_seek(file, 4, SEEK_CUR), 4);
  assert_int_equal(mayfly_file_seek(file, 90, SEEK_END), 100);
  assert_int_equal(mayfly_file_tell(file), 100);
  char buffer[8];
  assert_int_equal(mayfly_file_seek(file, INT64_MAX, SEEK_SET), INT64_MAX);
  assert_int_equal(mayfly_file_read(file, buffer, sizeof buffer), 0);
  assert_int_equal(mayfly_file_readline(file, buffer, sizeof buffer), 0);
  assert_int_equal(mayfly_file_seek(file, INT64_MAX - 4, SEEK_SET), INT64_MAX - 4);
  assert_int_equal(mayfly_file_read(file, buffer, sizeof buffer), 0);
  assert_int_equal(mayfly_file_pread(file, buffer, sizeof buffer, INT64_MAX - 4), 0);
  assert_int_equal(mayfly_file_pread(file, buffer, sizeof buffer, INT64_MAX), 0);
  assert_int_equal(mayfly_file_seek(file, 4, SEEK_SET), 4);
  assert_error(mayfly_file_seek(file, -1, SEEK_SET), MAYFLY_EINVAL, "-1 from 0");
  assert_error(mayfly_file_seek(file, -5, SEEK_CUR), MAYFLY_EINVAL, "-5 from 4");
  assert_error(mayfly_file_seek(file, -11, SEEK_END), MAYFLY_EINVAL, "-11 from 10");
  assert_error(mayfly_file_seek(file, INT64_MIN, SEEK_END), MAYFLY_EINVAL, "from 10");
  assert_error(mayfly_file_seek(file, INT64_MAX, SEEK_CUR), MAYFLY_EINVAL, "from 4");
  assert_error(mayfly_file_seek(file, 0, 77), MAYFLY_EINVAL, "77");
  assert_int_equal(mayfly_file_tell(file), 4);
}

/* CPython's clamps in memory, and fails on the disk. */
static void a_position_before_the_beginning_is_refused_and_changes_nothing(void **state) {
  of_every_kind(*state, seeks);
}

static void leaves_a_gap(mayfly_file *file) {
  char buffer[64];
  files_write(file, "ab");
  assert_int_equal(mayfly_file_seek(file, 40, SEEK_SET), 40);
  assert_int_equal(mayfly_file_read(file, buffer, 8), 0);
  assert_int_equal(mayfly_file_seek(file, 0, SEEK_END), 2);
  assert_int_equal(mayfly_file_seek(file, 40, SEEK_SET), 40);
  files_write(file, "z");
  assert_int_equal(mayfly_file_pread(file, buffer, sizeof buffer, 0), 41);
  for (int i = 2; i < 40; i++)
    assert_int_equal(buffer[i], 0);
  assert_memory_equal(buffer, "ab", 2);
  assert_int_equal(buffer[40], 'z');
}

static void a_seek_past_the_end_extends_nothing_until_something_is_written(void **state) {
  of_every_kind(*state, leaves_a_gap);
}

static void truncates(mayfly_file *file) {
  char buffer[64];
  files_write(file, "0123456789");
  assert_ok(mayfly_file_truncate(file, 4));
  assert_int_equal(mayfly_file_tell(file), 10);
  files_expect(file, "0123");
  assert_ok(mayfly_file_truncate(file, 8));
  assert_int_equal(mayfly_file_pread(file, buffer, sizeof buffer, 0), 8);
  assert_memory_equal(buffer, "0123\0\0\0\0", 8);
  assert_int_equal(mayfly_file_seek(file, 2, SEEK_SET), 2);
  assert_ok(mayfly_file_truncate(file, -1));
  files_expect(file, "01");
  assert_ok(mayfly_file_truncate(file, 50));
  assert_int_equal(mayfly_file_seek(file, 0, SEEK_END), 50);
  assert_ok(mayfly_file_truncate(file, 0));
  files_expect(file, "");
  assert_int_equal(mayfly_file_tell(file), 50);
  assert_error(mayfly_file_truncate(file, -2), MAYFLY_EINVAL, "-2");
}

/* CPython's does not extend in memory. */
static void truncate_cuts_and_extends_with_zeros_and_leaves_the_position(void **state) {
  of_every_kind(*state, truncates);
}

static void reads_lines(mayfly_file *file) {
  static const char text[] = "first\n\nthird line\nlast";
  char line[8];
  assert_ok(mayfly_file_write(file, text, sizeof text - 1));
  assert_int_equal(mayfly_file_readline(file, line, sizeof line), 0);
  assert_string_equal(line, "");
  assert_int_equal(mayfly_file_seek(file, 0, SEEK_SET), 0);
  static const char *const lines[] = {"first\n", "\n", "third l", "ine\n", "last", ""};
  for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
    assert_int_equal(mayfly_file_readline(file, line, sizeof line), strlen(lines[i]));
    assert_string_equal(line, lines[i]);
  }
  assert_error(mayfly_file_readline(file, line, 1), MAYFLY_EINVAL, "no room");
  assert_error(mayfly_file_readline(file, NULL, 8), MAYFLY_EINVAL, "no room");
}

static void a_line_comes_with_its_newline_and_a_longer_one_in_pieces(void **state) {
  of_every_kind(*state, reads_lines);
}

static void reads_a_long_line(mayfly_file *file) {
  static char text[3000], line[4000];
  memset(text, 'x', sizeof text);
  text[2000] = '\n';
  assert_ok(mayfly_file_write(file, text, sizeof text));
  assert_int_equal(mayfly_file_seek(file, 0, SEEK_SET), 0);
  assert_int_equal(mayfly_file_readline(file, line, sizeof line), 2001);
  assert_memory_equal(line, text, 2001);
  assert_int_equal(mayfly_file_tell(file), 2001);
  assert_int_equal(mayfly_file_readline(file, line, sizeof line), 999);
}

static void a_long_line_comes_whole_where_there_is_room(void **state) {
  of_every_kind(*state, reads_a_long_line);
}

static void refuses(mayfly_file *file) {
  char byte;
  files_write(file, "ab");
  assert_error(mayfly_file_read(file, NULL, 1), MAYFLY_EINVAL, "1 bytes at NULL");
  assert_error(mayfly_file_write(file, NULL, 1), MAYFLY_EINVAL, "1 bytes at NULL");
  assert_error(mayfly_file_pread(file, &byte, 1, -1), MAYFLY_EINVAL, "an offset of -1");
  assert_error(mayfly_file_pwrite(file, &byte, 1, -1), MAYFLY_EINVAL, "an offset of -1");
  assert_error(mayfly_file_pwrite(file, &byte, 1, INT64_MAX), MAYFLY_EINVAL, "end where no file does");
  assert_error(mayfly_file_os_fd(file, NULL), MAYFLY_EINVAL, "fd is NULL");
  assert_error(mayfly_file_stream(file, "r", NULL), MAYFLY_EINVAL, "stream is NULL");
  files_expect(file, "ab");
  assert_int_equal(mayfly_file_tell(file), 2);
}

static void what_can_not_be_is_refused_and_changes_nothing(void **state) {
  of_every_kind(*state, refuses);
}

static void talks_through_a_stream(mayfly_file *file) {
  FILE *stream;
  char line[32];
  files_write(file, "one\ntwo\n");
  assert_int_equal(mayfly_file_seek(file, 4, SEEK_SET), 4);
  assert_ok(mayfly_file_stream(file, "rb", &stream));
  assert_non_null(fgets(line, sizeof line, stream));
  assert_string_equal(line, "two\n");
  assert_int_equal(fclose(stream), 0);
  assert_int_equal(mayfly_file_tell(file), 4);
  assert_ok(mayfly_file_stream(file, "w+b", &stream));
  assert_int_equal(fprintf(stream, "2"), 1);
  assert_int_equal(fclose(stream), 0);
  files_expect(file, "one\n2wo\n"); /* ours is still open */
  static const char *const modes[] = {"a", "a+", "rw", "", "x", "+r", "rx", "rt", "r++", "rbb", "r+b+"};
  for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
    assert_error(mayfly_file_stream(file, modes[i], &stream), MAYFLY_EINVAL, "the mode is");
  assert_error(mayfly_file_stream(file, NULL, &stream), MAYFLY_EINVAL, "NULL");
}

static void a_stream_begins_at_the_position_and_ends_alone(void **state) {
  of_every_kind(*state, talks_through_a_stream);
}

/* ---- anything, in any order ---- */

enum { MODEL_SIZE = 400, STEPS = 3000 };

struct model {
  char bytes[MODEL_SIZE];
  int64_t size, position;
};

static unsigned draw(unsigned *state, unsigned below) {
  *state = *state * 1103515245u + 12345u;
  return (*state >> 16) % below;
}

static void step_write(mayfly_file *file, struct model *model, unsigned *random) {
  char data[40];
  size_t size = draw(random, sizeof data);
  int64_t end = model->position + (int64_t)size;
  if (end > MODEL_SIZE)
    return;
  memset(data, 'a' + (int)draw(random, 26), sizeof data);
  assert_ok(mayfly_file_write(file, data, size));
  if (size > 0) {
    if (model->position > model->size)
      memset(model->bytes + model->size, 0, (size_t)(model->position - model->size));
    memcpy(model->bytes + model->position, data, size);
    model->size = end > model->size ? end : model->size;
  }
  model->position = end;
}

static void step_read(mayfly_file *file, struct model *model, unsigned *random) {
  char data[40];
  int64_t size = draw(random, sizeof data), left = model->size - model->position;
  int64_t expected = left <= 0 ? 0 : left < size ? left : size;
  assert_int_equal(mayfly_file_read(file, data, (size_t)size), expected);
  assert_memory_equal(data, model->bytes + model->position, (size_t)expected);
  model->position += expected;
}

static void step_truncate(mayfly_file *file, struct model *model, unsigned *random) {
  int64_t size = draw(random, MODEL_SIZE);
  if (draw(random, 4) != 0)
    size = size % 60;
  assert_ok(mayfly_file_truncate(file, size));
  if (size > model->size)
    memset(model->bytes + model->size, 0, (size_t)(size - model->size));
  model->size = size;
}

static void step(mayfly_file *file, struct model *model, unsigned *random) {
  switch (draw(random, 4)) {
  case 0:
    step_write(file, model, random);
    break;
  case 1:
    step_read(file, model, random);
    break;
  case 2:
    step_truncate(file, model, random);
    break;
  default:
    model->position = draw(random, 100);
    assert_int_equal(mayfly_file_seek(file, model->position, SEEK_SET), model->position);
  }
}

static void every_kind_behaves_like_an_array_of_bytes(void **state) {
  for (int kind = 0; kind < KINDS; kind++) {
    struct model model = {.size = 0};
    unsigned random = 1;
    mayfly_file *file = make(kind, *state);
    for (int i = 0; i < STEPS; i++) {
      char content[MODEL_SIZE + 1];
      if (i % 100 == 99) { /* a fresh one, or the spooled ones are in memory only at first */
        assert_ok(mayfly_file_close(file));
        file = make(kind, *state);
        model = (struct model){.size = 0};
      }
      step(file, &model, &random);
      assert_int_equal(mayfly_file_tell(file), model.position);
      assert_int_equal(mayfly_file_pread(file, content, sizeof content, 0), model.size);
      assert_memory_equal(content, model.bytes, (size_t)model.size);
    }
    assert_ok(mayfly_file_close(file));
  }
}

/* ---- when a spooled file rolls over ---- */

static void expect_rolled(const mayfly_file *file, int rolled) {
  assert_int_equal(mayfly_file_rolled(file), rolled);
}

static void it_rolls_over_before_more_than_its_limit_would_be_in_it(void **state) {
  mayfly_file *file = files_spooled(*state, 30);
  expect_rolled(file, 0);
  files_write(file, "12345678901234567890");
  files_write(file, "1234567890");
  expect_rolled(file, 0); /* exactly 30 */
  files_write(file, "1");
  expect_rolled(file, 1);
  files_expect(file, "1234567890123456789012345678901");
  files_write(file, "and on");
  assert_int_equal(mayfly_file_tell(file), 37);
  assert_ok(mayfly_file_close(file));
}

static void writing_the_same_place_again_and_again_does_not_roll_it_over(void **state) {
  mayfly_file *file = files_spooled(*state, 30);
  for (int i = 0; i < 20; i++) {
    assert_int_equal(mayfly_file_seek(file, 0, SEEK_SET), 0);
    files_write(file, "12345");
  }
  expect_rolled(file, 0);
  assert_ok(mayfly_file_close(file));
}

static void a_seek_past_the_limit_does_not_roll_it_over_but_the_write_there_does(void **state) {
  mayfly_file *file = files_spooled(*state, 30);
  assert_int_equal(mayfly_file_seek(file, 100, SEEK_SET), 100);
  expect_rolled(file, 0);
  assert_ok(mayfly_file_write(file, "", 0)); /* which is none */
  expect_rolled(file, 0);
  files_write(file, "x");
  expect_rolled(file, 1);
  assert_int_equal(mayfly_file_seek(file, 0, SEEK_END), 101);
  assert_ok(mayfly_file_close(file));
}

static void a_truncate_rolls_it_over_only_past_the_limit(void **state) {
  mayfly_file *file = files_spooled(*state, 10);
  files_write(file, "abc");
  assert_ok(mayfly_file_truncate(file, 0));
  assert_ok(mayfly_file_truncate(file, 4));
  assert_ok(mayfly_file_truncate(file, 10));
  expect_rolled(file, 0);
  assert_ok(mayfly_file_truncate(file, 20));
  expect_rolled(file, 1);
  assert_int_equal(mayfly_file_seek(file, 0, SEEK_END), 20);
  assert_ok(mayfly_file_close(file));
}

static void without_a_limit_it_never_rolls_over_by_size(void **state) {
  static const char data[100000];
  mayfly_file *file = files_spooled(*state, 0);
  for (int i = 0; i < 10; i++)
    assert_ok(mayfly_file_write(file, data, sizeof data));
  assert_ok(mayfly_file_truncate(file, 2000000));
  expect_rolled(file, 0);
  assert_ok(mayfly_file_rollover(file));
  expect_rolled(file, 1);
  assert_int_equal(mayfly_file_seek(file, 0, SEEK_END), 2000000);
  assert_ok(mayfly_file_close(file));
}

static void its_descriptor_and_its_stream_roll_it_over(void **state) {
  mayfly_file *file = files_spooled(*state, 30);
  mayfly_os_fd fd;
  FILE *stream;
  files_write(file, "abc");
  assert_ok(mayfly_file_os_fd(file, &fd));
  expect_rolled(file, 1);
  files_expect(file, "abc");
  assert_ok(mayfly_file_close(file));
  file = files_spooled(*state, 30);
  files_write(file, "abc");
  assert_ok(mayfly_file_stream(file, "r", &stream));
  expect_rolled(file, 1);
  fclose(stream);
  assert_ok(mayfly_file_close(file));
}

static void asked_to_it_rolls_over_once_and_keeps_content_and_position(void **state) {
  mayfly_file *file = files_spooled(*state, 30);
  files_write(file, "abcdef");
  assert_int_equal(mayfly_file_seek(file, 3, SEEK_SET), 3);
  assert_ok(mayfly_file_rollover(file));
  assert_ok(mayfly_file_rollover(file));
  expect_rolled(file, 1);
  assert_int_equal(mayfly_file_tell(file), 3);
  files_expect(file, "abcdef");
  assert_ok(mayfly_file_close(file));
  file = files_named(*state, 0);
  expect_rolled(file, 1);
  assert_ok(mayfly_file_rollover(file)); /* nothing to do */
  assert_ok(mayfly_file_close(file));
}

static void an_empty_one_rolls_over_too(void **state) {
  mayfly_file *file = files_spooled(*state, 30);
  assert_ok(mayfly_file_rollover(file));
  expect_rolled(file, 1);
  files_expect(file, "");
  assert_ok(mayfly_file_close(file));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(what_was_written_is_read),
      test_in_scratch(what_is_written_in_the_middle_replaces_what_was_there),
      test_in_scratch(pread_and_pwrite_leave_the_position),
      test_in_scratch(a_position_before_the_beginning_is_refused_and_changes_nothing),
      test_in_scratch(a_seek_past_the_end_extends_nothing_until_something_is_written),
      test_in_scratch(truncate_cuts_and_extends_with_zeros_and_leaves_the_position),
      test_in_scratch(a_line_comes_with_its_newline_and_a_longer_one_in_pieces),
      test_in_scratch(a_long_line_comes_whole_where_there_is_room),
      test_in_scratch(what_can_not_be_is_refused_and_changes_nothing),
      test_in_scratch(a_stream_begins_at_the_position_and_ends_alone),
      test_in_scratch(every_kind_behaves_like_an_array_of_bytes),
      test_in_scratch(it_rolls_over_before_more_than_its_limit_would_be_in_it),
      test_in_scratch(writing_the_same_place_again_and_again_does_not_roll_it_over),
      test_in_scratch(a_seek_past_the_limit_does_not_roll_it_over_but_the_write_there_does),
      test_in_scratch(a_truncate_rolls_it_over_only_past_the_limit),
      test_in_scratch(without_a_limit_it_never_rolls_over_by_size),
      test_in_scratch(its_descriptor_and_its_stream_roll_it_over),
      test_in_scratch(asked_to_it_rolls_over_once_and_keeps_content_and_position),
      test_in_scratch(an_empty_one_rolls_over_too),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
