/* Whole files, whatever their size and kind. */
#include "base/file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MAX_BYTES 10000

static char folder[] = "/tmp/test-file-XXXXXX";
static char path[64];
static char content[3 * MAX_BYTES];

static void put(int fd, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t count = write(fd, content + done, len - done);
        assert_true(count > 0);
        done += (size_t)count;
    }
    close(fd);
}

static void check_read(size_t len)
{
    char *bytes;
    size_t got;
    assert_int_equal(file_read(path, MAX_BYTES, &bytes, &got), 0);
    assert_int_equal(got, len <= MAX_BYTES ? len : MAX_BYTES + 1);
    assert_memory_equal(bytes, content, got);
    assert_int_equal(bytes[got], '\0');
    free(bytes);
}

static const size_t SIZES[] = {
    0,    1,    4095,          4096,      4097,          8192,          8193,
    9999, 9998, MAX_BYTES - 1, MAX_BYTES, MAX_BYTES + 1, MAX_BYTES + 2, 3 * MAX_BYTES};

static void a_file_is_read_whole_or_is_told_to_be_larger(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(SIZES); i++) {
        put(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600), SIZES[i]);
        check_read(SIZES[i]);
    }
    unlink(path);
}

static void *write_fifo(void *size)
{
    put(open(path, O_WRONLY), *(const size_t *)size);
    return NULL;
}

/* Whose size nobody knows. Who stops reading one that is larger would break it. */
static void so_is_a_pipe(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    for (size_t i = 0; i < ARRAY_SIZE(SIZES) && SIZES[i] <= MAX_BYTES + 1; i++) {
        pthread_t writer;
        size_t size = SIZES[i];
        pthread_create(&writer, NULL, write_fifo, &size);
        check_read(size);
        pthread_join(writer, NULL);
    }
    unlink(path);
}

static void what_cannot_be_read_says_why(void **state)
{
    (void)state;
    char *bytes = NULL;
    size_t len = 0;
    assert_int_equal(file_read(path, MAX_BYTES, &bytes, &len), ENOENT);
    assert_int_equal(file_read(folder, MAX_BYTES, &bytes, &len), EISDIR);
    assert_null(bytes);
}

static int make_folder(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(content); i++) {
        content[i] = (char)(i % 251);
    }
    int rv = mkdtemp(folder) == NULL;
    snprintf(path, sizeof(path), "%s/file", folder);
    return rv;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_whole_or_is_told_to_be_larger),
        cmocka_unit_test(so_is_a_pipe),
        cmocka_unit_test(what_cannot_be_read_says_why),
    };
    return cmocka_run_group_tests_name("base/file", tests, make_folder, remove_folder);
}
