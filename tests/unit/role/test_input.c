/* Reading a whole file, and the phrase for each way in which that fails. */
#include "role/input.h"

#include "base/buf.h"
#include "cli/exit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SIZE (200 * 1024) /* a few reads, and no whole number of them */

struct read {
    struct buf bytes;
    char reason[160];
    int rv;
};

static void read_path(const char *path, size_t max_bytes, struct read *ret)
{
    *ret = (struct read){0};
    ret->rv = role_input_read_all(path, max_bytes, &ret->bytes, ret->reason, sizeof(ret->reason));
}

static void read_file_of(size_t size, size_t max_bytes, struct read *ret)
{
    char path[] = "/tmp/test-input-XXXXXX";
    int fd = mkstemp(path);
    char *text = calloc(1, size);
    assert_non_null(text);
    memset(text, 'x', size);
    assert_int_equal(write(fd, text, size), size);
    close(fd);
    free(text);
    read_path(path, max_bytes, ret);
    unlink(path);
}

static void a_file_as_large_as_it_may_be_is_read_whole(void **state)
{
    (void)state;
    struct read read;
    read_file_of(SIZE, SIZE, &read);
    assert_int_equal(read.rv, 0);
    assert_int_equal(read.bytes.len, SIZE);
    assert_int_equal(buf_data(&read.bytes)[SIZE - 1], 'x');
    buf_deinit(&read.bytes);
}

static void a_larger_one_is_refused_by_its_size(void **state)
{
    (void)state;
    struct read read;
    read_file_of(SIZE + 1, SIZE, &read);
    assert_int_equal(read.rv, EXIT_USAGE);
    assert_string_equal(read.reason, "is larger than 200 KiB");
    buf_deinit(&read.bytes);
}

static void what_is_no_file_is_told_in_the_words_of_the_system(void **state)
{
    (void)state;
    struct read read;
    read_path("/no/such/file", SIZE, &read);
    assert_int_equal(read.rv, EXIT_USAGE);
    assert_string_equal(read.reason, "No such file or directory");
    read_path("/", SIZE, &read);
    assert_int_equal(read.rv, EXIT_USAGE);
    assert_string_equal(read.reason, "Is a directory");
    buf_deinit(&read.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_as_large_as_it_may_be_is_read_whole),
        cmocka_unit_test(a_larger_one_is_refused_by_its_size),
        cmocka_unit_test(what_is_no_file_is_told_in_the_words_of_the_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
