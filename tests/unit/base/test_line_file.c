/* Files of lines: nothing is lost or torn while the file takes bytes, and when it does not nobody
 * waits and every line is counted. */
#include "base/line_file.h"

#include "base/clock.h"
#include "base/line_ring.h"
#include "base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define DEADLINE_MS  30000
#define LOSING_LINES 100000 /* of 64 bytes: more than the ring and a pipe hold */

static const struct log_source PROXY = {"proxy", NULL, "p"};

static char folder[64];
static char why[APPEND_ERROR_BYTES];

static int enter_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/test-line-file-XXXXXX");
    return mkdtemp(folder) == NULL || chdir(folder) != 0;
}

static int leave_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return chdir("/") != 0 || system(command) != 0;
}

static struct line_file *open_file(const char *path)
{
    struct line_file *file = line_file_open(path, "test log", &PROXY, NULL, why);
    assert_non_null(file);
    return file;
}

static void put(struct line_file *file, const char *line)
{
    line_file_put(file, NULL, line, strlen(line));
}

/* Numbered lines of 64 bytes. */
static void put_many(struct line_file *file, int who, int count)
{
    char line[96];
    for (int i = 0; i < count; i++) {
        snprintf(line, sizeof(line), "%02d %08d %051d\n", who, i, 0);
        put(file, line);
    }
}

static void wait_written(const struct line_file *file, uint64_t lines)
{
    uint64_t deadline_ms = clock_now_ms() + DEADLINE_MS;
    while (line_file_written(file) < lines) {
        assert_true(clock_now_ms() < deadline_ms);
        usleep(1000);
    }
}

static void assert_holds(const char *path, const char *text)
{
    char bytes[256] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    bytes[fread(bytes, 1, sizeof(bytes) - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(bytes, text);
}

/* ---- good days ------------------------------------------------------------------------------- */

static void lines_are_appended_and_all_are_there_at_the_end(void **state)
{
    (void)state;
    struct stat status;
    umask(0);
    struct line_file *file = open_file("a");
    put(file, "one\n");
    wait_written(file, 1); /* by itself */
    line_file_close(file);
    file = open_file("a");
    put(file, "two\n");
    put(file, "three\n");
    line_file_close(file);
    assert_holds("a", "one\ntwo\nthree\n");
    assert_int_equal(stat("a", &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
}

static void a_line_that_was_torn_by_another_is_ended(void **state)
{
    (void)state;
    FILE *torn = fopen("torn", "w");
    fputs("whole\nto", torn);
    fclose(torn);
    assert_int_equal(link("torn", "torn.2"), 0);
    struct line_file *file = open_file("torn");
    put(file, "one\n");
    wait_written(file, 1);
    line_file_reopen(file); /* the same one: nothing is torn */
    put(file, "two\n");
    line_file_close(file);
    assert_holds("torn.2", "whole\nto\none\ntwo\n");
}

static void a_renamed_file_is_left_at_the_next_reopen(void **state)
{
    (void)state;
    struct line_file *file = open_file("b");
    put(file, "one\n");
    wait_written(file, 1);
    assert_int_equal(rename("b", "b.1"), 0);
    put(file, "two\n");
    wait_written(file, 2);
    line_file_reopen(file);
    put(file, "three\n");
    wait_written(file, 3);
    line_file_close(file);
    assert_holds("b.1", "one\ntwo\n");
    assert_holds("b", "three\n");
}

static void a_file_that_cannot_be_reopened_is_written_on(void **state)
{
    (void)state;
    struct line_file *file = open_file("d");
    assert_int_equal(rename("d", "d.1"), 0);
    assert_int_equal(mkdir("d", 0700), 0);
    line_file_reopen(file);
    put(file, "one\n");
    wait_written(file, 1);
    line_file_close(file);
    assert_holds("d.1", "one\n");
}

struct writer {
    struct line_file *file;
    int who;
};

static void *write_lines(void *arg)
{
    struct writer *writer = arg;
    put_many(writer->file, writer->who, 10000);
    return NULL;
}

static void lines_of_many_threads_are_whole_and_each_in_order(void **state)
{
    (void)state;
    pthread_t threads[4];
    struct writer writers[4];
    int next[4] = {0};
    char line[128];
    struct line_file *file = open_file("e");
    for (int i = 0; i < 4; i++) {
        writers[i] = (struct writer){file, i};
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &writers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    line_file_close(file);
    FILE *in = fopen("e", "r");
    while (fgets(line, sizeof(line), in) != NULL) {
        int who;
        int number;
        assert_int_equal(strlen(line), 64);
        assert_int_equal(sscanf(line, "%d %d", &who, &number), 2);
        assert_int_equal(number, next[who]++);
    }
    fclose(in);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(next[i], 10000);
    }
}

/* ---- bad days -------------------------------------------------------------------------------- */

static void what_cannot_be_opened_is_said(void **state)
{
    (void)state;
    assert_null(line_file_open(".", "test log", &PROXY, NULL, why));
    assert_string_equal(why, ".: Is a directory");
    assert_null(line_file_open("no/where", "test log", &PROXY, NULL, why));
    assert_string_equal(why, "no/where: No such file or directory");
    assert_int_equal(mkfifo("unread", 0600), 0);
    assert_null(line_file_open("unread", "test log", &PROXY, NULL, why));
    assert_string_equal(why, "unread: nobody reads this FIFO");
}

/* Reads to the end, and returns how many whole lines came. */
static uint64_t read_lines(int fd)
{
    static char bytes[65536];
    uint64_t lines = 0;
    ssize_t n;
    while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            lines += bytes[i] == '\n';
        }
    }
    return lines;
}

static void *read_to_the_end(void *fd)
{
    return (void *)(uintptr_t)read_lines(*(int *)fd);
}

static void a_reader_that_stalls_costs_lines_and_nobodys_time(void **state)
{
    (void)state;
    void *read;
    pthread_t reader;
    assert_int_equal(mkfifo("slow", 0600), 0);
    int fd = open("slow", O_RDONLY | O_NONBLOCK);
    struct line_file *file = open_file("slow");
    fcntl(fd, F_SETFL, 0);
    put_many(file, 1, LOSING_LINES); /* returns, although nobody reads */
    uint64_t lost = line_file_dropped(file);
    assert_in_range(lost, 1, LOSING_LINES - LINE_FILE_BYTES / 64);
    assert_int_equal(pthread_create(&reader, NULL, read_to_the_end, &fd), 0);
    wait_written(file, LOSING_LINES - lost);
    put_many(file, 2, 100); /* there is room again */
    line_file_close(file);
    pthread_join(reader, &read);
    assert_int_equal((uint64_t)(uintptr_t)read, LOSING_LINES - lost + 100);
    close(fd);
}

static size_t write_gap(char out[static LINE_FILE_LINE_BYTES], uint64_t lines)
{
    return (size_t)sprintf(out, "%d lines are missing\n", (int)lines);
}

/* Reads what there is; `tail` keeps the end of all that was read. */
static void read_on(int fd, char tail[static 128])
{
    char bytes[4096];
    for (ssize_t n = 0; (n = read(fd, bytes, sizeof(bytes))) > 0;) {
        size_t fresh = n < 127 ? (size_t)n : 127;
        memmove(tail, tail + fresh, 127 - fresh);
        memcpy(tail + 127 - fresh, bytes + n - fresh, fresh);
    }
}

static void a_gap_has_a_line_behind_what_came_before_it(void **state)
{
    (void)state;
    char tail[128] = "";
    char expected[64];
    assert_int_equal(mkfifo("gap", 0600), 0);
    int fd = open("gap", O_RDONLY | O_NONBLOCK);
    struct line_file *file = line_file_open("gap", "test log", &PROXY, write_gap, why);
    assert_non_null(file);
    put_many(file, 1, LOSING_LINES);
    uint64_t lost = line_file_dropped(file);
    uint64_t begin_ms = clock_now_ms();
    while (line_file_written(file) < LOSING_LINES - lost + 1) {
        read_on(fd, tail);
        assert_true(clock_now_ms() - begin_ms < DEADLINE_MS);
    }
    put(file, "behind\n");
    line_file_close(file);
    read_on(fd, tail);
    snprintf(expected, sizeof(expected), "%d lines are missing\nbehind\n", (int)lost);
    assert_string_equal(tail + 127 - strlen(expected), expected);
    close(fd);
}

static void a_reader_that_stalls_for_good_does_not_hold_up_the_end(void **state)
{
    (void)state;
    assert_int_equal(mkfifo("stuck", 0600), 0);
    int fd = open("stuck", O_RDONLY | O_NONBLOCK);
    struct line_file *file = open_file("stuck");
    put_many(file, 1, LOSING_LINES / 2);
    uint64_t begin_ms = clock_now_ms();
    line_file_close(file);
    assert_in_range(clock_now_ms() - begin_ms, 900, 10000); /* it was waited for, not for ever */
    close(fd);
}

static void a_reader_that_goes_away_may_come_back(void **state)
{
    (void)state;
    assert_int_equal(mkfifo("gone", 0600), 0);
    int fd = open("gone", O_RDONLY | O_NONBLOCK);
    struct line_file *file = open_file("gone");
    close(fd);
    put(file, "one\n");
    fd = open("gone", O_RDONLY | O_NONBLOCK);
    wait_written(file, 1);
    line_file_close(file);
    assert_int_equal(read_lines(fd), 1);
    close(fd);
}

static void a_full_disk_is_no_end_and_what_it_costs_is_counted(void **state)
{
    (void)state;
    struct line_file *file = open_file("/dev/full");
    put_many(file, 1, LOSING_LINES);
    assert_true(line_file_dropped(file) > 0);
    assert_int_equal(line_file_written(file), 0);
    uint64_t begin_ms = clock_now_ms();
    line_file_close(file);
    assert_true(clock_now_ms() - begin_ms < DEADLINE_MS);
}

/* ---- shares ---------------------------------------------------------------------------------- */

#define NOISY_MAX   64
#define QUIET       99
#define QUIET_LINES 100

static void put_of(struct line_file *file, struct line_author *author, int who, int number)
{
    char line[96];
    snprintf(line, sizeof(line), "%02d %08d %051d\n", who, number, 0);
    line_file_put(file, author, line, strlen(line));
}

/* Counts the lines of each. */
static void *count_lines(void *fd)
{
    static uint64_t counts[100];
    char line[128];
    FILE *in = fdopen(*(int *)fd, "r");
    memset(counts, 0, sizeof(counts));
    while (fgets(line, sizeof(line), in) != NULL) {
        counts[(line[0] - '0') * 10 + line[1] - '0']++;
    }
    fclose(in);
    return counts;
}

/* While nobody reads, `noisy` writers write in turns far more than there is room for, and one
 * writes a line now and then. */
static void check_quiet_one(const char *path, int noisy)
{
    struct line_author noisy_ones[NOISY_MAX] = {0};
    struct line_author quiet = {0};
    void *counts;
    pthread_t reader;
    assert_int_equal(mkfifo(path, 0600), 0);
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    struct line_file *file = open_file(path);
    fcntl(fd, F_SETFL, 0);
    for (int i = 0; i < 2 * LOSING_LINES; i++) {
        put_of(file, &noisy_ones[i % noisy], i % noisy, i);
        if (i % (2 * LOSING_LINES / QUIET_LINES) == 0) {
            put_of(file, &quiet, QUIET, i);
        }
    }
    uint64_t lost = line_file_dropped(file);
    assert_in_range(lost, LOSING_LINES, 2 * LOSING_LINES - LINE_FILE_BYTES / 64 / 2);
    assert_int_equal(pthread_create(&reader, NULL, count_lines, &fd), 0);
    wait_written(file, 2 * LOSING_LINES + QUIET_LINES - lost);
    line_file_close(file);
    pthread_join(reader, &counts);
    assert_int_equal(((uint64_t *)counts)[QUIET], QUIET_LINES);
}

static void who_writes_much_loses_its_own_lines(void **state)
{
    (void)state;
    check_quiet_one("noisy.1", 1);
    check_quiet_one("noisy.2", 2);
    check_quiet_one("noisy.16", 16);
    check_quiet_one("noisy.64", NOISY_MAX);
}

/* While nobody reads, one comes from the same place as another author for each line, far more often
 * than there is room for; from elsewhere a new one comes now and then. */
static void who_comes_anew_for_each_line_loses_its_own(void **state)
{
    (void)state;
    void *counts;
    pthread_t reader;
    assert_int_equal(mkfifo("anew", 0600), 0);
    int fd = open("anew", O_RDONLY | O_NONBLOCK);
    struct line_file *file = open_file("anew");
    fcntl(fd, F_SETFL, 0);
    for (int i = 0; i < 2 * LOSING_LINES; i++) {
        put_of(file, &(struct line_author){.origin = 1}, 1, i);
        if (i % (2 * LOSING_LINES / QUIET_LINES) == 0) {
            put_of(file, &(struct line_author){.origin = 2 + (uint64_t)i}, QUIET, i);
        }
    }
    uint64_t lost = line_file_dropped(file);
    assert_int_equal(pthread_create(&reader, NULL, count_lines, &fd), 0);
    wait_written(file, 2 * LOSING_LINES + QUIET_LINES - lost);
    line_file_close(file);
    pthread_join(reader, &counts);
    /* but for one that falls together with the noisy one's */
    assert_in_range(((uint64_t *)counts)[QUIET], QUIET_LINES - 10, QUIET_LINES);
}

static void who_writes_much_loses_nothing_while_there_is_room(void **state)
{
    (void)state;
    struct line_author author = {0};
    const int count = LINE_FILE_BYTES / 64 / 10 * 7;
    assert_int_equal(mkfifo("burst", 0600), 0);
    int fd = open("burst", O_RDONLY | O_NONBLOCK);
    struct line_file *file = open_file("burst");
    for (int i = 0; i < count; i++) {
        put_of(file, &author, 1, i);
    }
    assert_int_equal(line_file_dropped(file), 0);
    line_file_close(file);
    close(fd);
}

/* The limit of a file's size, so that a write ends within a line. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_line_that_a_new_file_cannot_have_is_told_there(void **state)
{
    (void)state;
    struct line_file *file = line_file_open("cut", "test log", &PROXY, write_gap, why);
    assert_non_null(file);
    limit_files(6);
    put(file, "one\n");
    wait_written(file, 1);
    put(file, "two\n");
    uint64_t begin_ms = clock_now_ms();
    struct stat status = {0};
    while (stat("cut", &status) != 0 || status.st_size < 6) {
        assert_true(clock_now_ms() - begin_ms < DEADLINE_MS);
        usleep(1000);
    }
    assert_int_equal(rename("cut", "cut.1"), 0);
    line_file_reopen(file);
    while (line_file_dropped(file) == 0) {
        assert_true(clock_now_ms() - begin_ms < DEADLINE_MS);
        usleep(1000);
    }
    limit_files(RLIM_INFINITY);
    wait_written(file, 2); /* by itself */
    put(file, "three\n");
    line_file_close(file);
    assert_holds("cut.1", "one\ntw");
    assert_holds("cut", "1 lines are missing\nthree\n");
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* as a loop does */
    log_configure(LOG_ERROR, LOG_TEXT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_appended_and_all_are_there_at_the_end),
        cmocka_unit_test(a_line_that_was_torn_by_another_is_ended),
        cmocka_unit_test(a_renamed_file_is_left_at_the_next_reopen),
        cmocka_unit_test(a_file_that_cannot_be_reopened_is_written_on),
        cmocka_unit_test(lines_of_many_threads_are_whole_and_each_in_order),
        cmocka_unit_test(what_cannot_be_opened_is_said),
        cmocka_unit_test(a_reader_that_stalls_costs_lines_and_nobodys_time),
        cmocka_unit_test(a_gap_has_a_line_behind_what_came_before_it),
        cmocka_unit_test(a_reader_that_stalls_for_good_does_not_hold_up_the_end),
        cmocka_unit_test(a_reader_that_goes_away_may_come_back),
        cmocka_unit_test(a_full_disk_is_no_end_and_what_it_costs_is_counted),
        cmocka_unit_test(who_writes_much_loses_its_own_lines),
        cmocka_unit_test(who_comes_anew_for_each_line_loses_its_own),
        cmocka_unit_test(who_writes_much_loses_nothing_while_there_is_room),
        cmocka_unit_test(a_line_that_a_new_file_cannot_have_is_told_there),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
