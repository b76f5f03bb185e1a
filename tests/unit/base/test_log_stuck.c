/* What the log does when its readers do not read, and when they do again. */
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define DEADLINE_S   30
#define LINE_BYTES   31     /* "[SERVER_v1/server-v1-a] 000000\n" */
#define LOSING_LINES 200000 /* more than a queue holds, and a pipe */

static const struct log_source SERVER = {"server", "v1", "server-v1-a"};

static char text[8 * 1024 * 1024];

/* Standard output and error while a test has its own in their places. */
static int saved[2] = {-1, -1};

static void put_in_place(int number, int fd)
{
    fflush(stdout);
    if (saved[number - 1] < 0) {
        saved[number - 1] = fcntl(number, F_DUPFD_CLOEXEC, 10);
    }
    dup2(fd, number);
}

static int restore(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        if (saved[i] >= 0) {
            dup2(saved[i], i + 1);
            close(saved[i]);
            saved[i] = -1;
        }
    }
    return 0;
}

static int defaults(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN); /* as a loop does */
    log_configure(LOG_INFO, LOG_TEXT);
    return log_finish() ? 0 : -1;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int temporary_file(void)
{
    char path[] = "/tmp/grpcroute-log-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    return fd;
}

static const char *contents(int file)
{
    ssize_t len = pread(file, text, sizeof(text) - 1, 0);
    assert_true(len >= 0);
    text[len] = '\0';
    return text;
}

/* Waits for `word` in the file. */
static void wait_for(int file, const char *word)
{
    uint64_t deadline_ms = now_ms() + DEADLINE_S * 1000;
    while (strstr(contents(file), word) == NULL) {
        assert_true(now_ms() < deadline_ms);
        usleep(1000);
    }
}

static size_t count_of(const char *in, const char *word)
{
    size_t count = 0;
    for (const char *at = in; (at = strstr(at, word)) != NULL; at++) {
        count++;
    }
    return count;
}

static void log_numbers(enum log_level level, int count)
{
    for (int i = 0; i < count; i++) {
        log_event(level, &SERVER, "x", NULL, "%06d", i);
    }
    log_flush();
}

/* A full pipe; with O_NONBLOCK in its flags or without. */
static void full_pipe(int ends[2], int flags)
{
    static const char filling[4096] = "filling";
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    while (write(ends[1], filling, sizeof(filling)) > 0) {
    }
    assert_int_equal(errno, EAGAIN);
    fcntl(ends[1], F_SETFL, flags);
}

/* Reads `fd` into `text` until `word` is in it, which is shorter than 256 bytes. */
static const char *read_until(int fd, const char *word)
{
    size_t len = 0;
    uint64_t deadline_ms = now_ms() + DEADLINE_S * 1000;
    text[0] = '\0';
    while (strstr(text + (len > 4096 + 256 ? len - 4096 - 256 : 0), word) == NULL) {
        assert_true(now_ms() < deadline_ms);
        ssize_t n = read(fd, text + len, 4096);
        assert_true(n > 0);
        len += (size_t)n;
        text[len] = '\0';
    }
    return text;
}

static void drain_filling(int fd)
{
    for (int left = fcntl(fd, F_GETPIPE_SZ); left > 0;) {
        ssize_t n = read(fd, text, (size_t)left);
        assert_true(n > 0);
        left -= (int)n;
    }
}

static void expect_lines(const char *at, int count)
{
    for (int i = 0; i < count; i++) {
        char line[64];
        snprintf(line, sizeof(line), "[SERVER_v1/server-v1-a] %06d\n", i);
        assert_memory_equal(at + (size_t)i * LINE_BYTES, line, LINE_BYTES);
    }
}

static void a_flush_is_enough(void **state)
{
    (void)state;
    int file = temporary_file();
    put_in_place(STDOUT_FILENO, file);
    log_event(LOG_INFO, &SERVER, "x", NULL, "flushed");
    log_flush();
    wait_for(file, "flushed\n");
    close(file);
}

static void a_stuck_reader_keeps_nobody_waiting(int flags)
{
    int ends[2];
    int file = temporary_file();
    uint64_t dropped = log_dropped();
    full_pipe(ends, flags);
    put_in_place(STDOUT_FILENO, ends[1]);
    put_in_place(STDERR_FILENO, file);
    uint64_t start_ms = now_ms();
    log_numbers(LOG_INFO, LOSING_LINES);
    assert_true(now_ms() - start_ms < 5000);
    assert_true(log_dropped() > dropped);
    log_event(LOG_WARN, &SERVER, "x", NULL, "the other file is written");
    wait_for(file, "the other file is written\n"); /* and the pipe is known to be full */

    start_ms = now_ms();
    while (now_ms() - start_ms < 1100) { /* a second of silence is told as such */
        usleep(10000);
    }
    drain_filling(ends[0]);
    dropped = log_dropped() - dropped;
    size_t kept = LOSING_LINES - dropped;
    char note[128];
    snprintf(note, sizeof(note),
             "[LOG] %lu log lines were dropped: standard output took no bytes for ",
             (unsigned long)dropped);
    const char *all = read_until(ends[0], "s\n");
    expect_lines(all, (int)kept);
    assert_memory_equal(all + kept * LINE_BYTES, note, strlen(note));
    assert_int_equal(strtoul(all + kept * LINE_BYTES + strlen(note), NULL, 10) >= 1, 1);

    log_event(LOG_INFO, &SERVER, "x", NULL, "on again");
    log_flush();
    assert_non_null(strstr(read_until(ends[0], "on again\n"), "on again\n"));
    assert_true(log_finish());
    restore(NULL);
    close(ends[0]);
    close(ends[1]);
    close(file);
}

static void a_stuck_blocking_pipe_keeps_nobody_waiting(void **state)
{
    (void)state;
    a_stuck_reader_keeps_nobody_waiting(0);
}

static void a_stuck_non_blocking_pipe_keeps_nobody_waiting(void **state)
{
    (void)state;
    a_stuck_reader_keeps_nobody_waiting(O_NONBLOCK);
}

static void dropped_lines_are_told_in_json(void **state)
{
    (void)state;
    int ends[2];
    log_configure(LOG_INFO, LOG_JSON);
    full_pipe(ends, 0);
    put_in_place(STDOUT_FILENO, ends[1]);
    uint64_t dropped = log_dropped();
    log_numbers(LOG_INFO, LOSING_LINES);
    drain_filling(ends[0]);
    char note[160];
    snprintf(note, sizeof(note),
             "\"level\":\"warn\",\"event\":\"log_lines_dropped\",\"role\":\"log\","
             "\"lines\":%lu,",
             (unsigned long)(log_dropped() - dropped));
    read_until(ends[0], note); /* why depends on how fast this machine is */
    assert_true(log_finish());
    restore(NULL);
    close(ends[1]);
    close(ends[0]);
}

static void one_full_pipe_for_both_keeps_the_order(void **state)
{
    (void)state;
    int ends[2];
    full_pipe(ends, 0);
    put_in_place(STDOUT_FILENO, ends[1]);
    put_in_place(STDERR_FILENO, ends[1]);
    for (int i = 0; i < 2000; i++) {
        log_event(i % 3 == 0 ? LOG_WARN : LOG_INFO, &SERVER, "x", NULL, "%06d", i);
    }
    log_flush();
    drain_filling(ends[0]);
    expect_lines(read_until(ends[0], "001999\n"), 2000);
    restore(NULL);
    close(ends[0]);
    close(ends[1]);
}

static void long_lines_through_a_full_pipe_stay_whole(void **state)
{
    (void)state;
    int ends[2];
    static char message[4000];
    memset(message, '\xff', sizeof(message) - 1); /* 16 KB in the log */
    full_pipe(ends, O_NONBLOCK);
    put_in_place(STDOUT_FILENO, ends[1]);
    put_in_place(STDERR_FILENO, ends[1]);
    for (int i = 0; i < 20; i++) {
        log_event(i % 2 == 0 ? LOG_WARN : LOG_INFO, &SERVER, "x", NULL, "%s", message);
    }
    log_event(LOG_WARN, &SERVER, "x", NULL, "end");
    drain_filling(ends[0]);
    char *all = mem_unconst(read_until(ends[0], "end\n"));
    char *rest = NULL;
    size_t lines = 0;
    for (char *line = strtok_r(all, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        lines++;
        assert_int_equal(strlen(line), lines == 21 ? 27 : 24 + 4 * 3999);
    }
    assert_int_equal(lines, 21);
    restore(NULL);
    close(ends[0]);
    close(ends[1]);
}

/* `fd` on standard output fails: told once on standard error, and later lines come out where they
 * can. */
static void expect_told_once(int fd, const char *cause)
{
    int file = temporary_file();
    char expected[128];
    put_in_place(STDERR_FILENO, file);
    put_in_place(STDOUT_FILENO, fd);
    snprintf(expected, sizeof(expected), "[LOG] standard output cannot be written: %s\n", cause);
    log_numbers(LOG_INFO, 10);
    wait_for(file, expected);
    for (int i = 0; i < 3; i++) { /* each tries again */
        log_event(LOG_INFO, &SERVER, "x", NULL, "more");
        assert_false(log_finish());
    }
    assert_string_equal(contents(file), expected);
    int good = temporary_file();
    dup2(good, STDOUT_FILENO);
    assert_true(log_finish()); /* it works again, and nothing was lost */
    expect_lines(contents(good), 10);
    assert_int_equal(count_of(text, "more\n"), 3);
    restore(NULL);
    close(good);
    close(file);
}

static void a_full_disk_is_told_once(void **state)
{
    (void)state;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    expect_told_once(full, "No space left on device");
    close(full);
}

static void a_closed_reader_is_told_once(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    expect_told_once(ends[1], "Broken pipe");
    close(ends[1]);
}

static void an_output_for_reading_is_told_once(void **state)
{
    (void)state;
    int unwritable = open("/dev/null", O_RDONLY | O_CLOEXEC); /* what process.c puts in place */
    expect_told_once(unwritable, "Bad file descriptor");
    close(unwritable);
}

static void both_outputs_failing_is_no_loop(void **state)
{
    (void)state;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    put_in_place(STDOUT_FILENO, full);
    put_in_place(STDERR_FILENO, full);
    log_numbers(LOG_INFO, 100);
    log_numbers(LOG_WARN, 100);
    struct timespec before;
    struct timespec after;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    usleep(1500000);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    double used_s =
        (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
    restore(NULL);
    close(full);
    int file = temporary_file();
    put_in_place(STDOUT_FILENO, file);
    put_in_place(STDERR_FILENO, file);
    assert_true(log_finish());
    restore(NULL);
    close(file);
    assert_true(used_s < 0.3);
}

/* ---- ends of programs, each in a child ------------------------------------------------------ */

/* Runs this program anew to do `act`, which then exits. Returns its wait status and how long it
 * took. */
static int in_child(const char *act, uint64_t *ret_ms)
{
    uint64_t start_ms = now_ms();
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "test_log_stuck", act, (char *)NULL);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    *ret_ms = now_ms() - start_ms;
    return status;
}

static void log_some(void)
{
    log_numbers(LOG_INFO, 2000);
}

static void the_end_does_not_wait_for_a_stuck_reader(void **state)
{
    (void)state;
    int ends[2];
    uint64_t took_ms;
    int file = temporary_file();
    full_pipe(ends, 0);
    put_in_place(STDOUT_FILENO, ends[1]);
    put_in_place(STDERR_FILENO, file);
    int status = in_child("log some", &took_ms);
    assert_int_equal(status, 0);
    assert_in_range(took_ms, 900, 2500);
    assert_string_equal(contents(file),
                        "[LOG] 2000 log lines were dropped: standard output takes no bytes\n");
    restore(NULL);
    close(ends[0]);
    close(ends[1]);
    close(file);
}

/* poll() says that a socket with a small buffer has room, and the write blocks nevertheless. */
static void the_end_interrupts_a_write_that_blocks(void **state)
{
    (void)state;
    int ends[2];
    int small = 1;
    uint64_t took_ms;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    put_in_place(STDOUT_FILENO, ends[1]);
    int status = in_child("log some", &took_ms);
    assert_int_equal(status, 0);
    assert_in_range(took_ms, 900, 2500);
    restore(NULL);
    close(ends[0]);
    close(ends[1]);
}

static void the_end_is_at_once_when_the_reader_is_gone(void **state)
{
    (void)state;
    int ends[2];
    uint64_t took_ms;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    put_in_place(STDOUT_FILENO, ends[1]);
    put_in_place(STDERR_FILENO, ends[1]);
    int status = in_child("log some", &took_ms);
    assert_int_equal(status, 0);
    assert_true(took_ms < 500);
    restore(NULL);
    close(ends[1]);
}

static void wait_for_ever(void)
{
    log_end_when_unread();
    log_some();
    while (true) {
        pause();
    }
}

static void an_unread_pipe_ends_who_asked_for_it(void **state)
{
    (void)state;
    int ends[2];
    uint64_t took_ms;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    put_in_place(STDOUT_FILENO, ends[1]);
    int status = in_child("wait for ever", &took_ms);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
    restore(NULL);
    close(ends[1]);
}

static void a_child_does_not_repeat_its_parents_lines(void **state)
{
    (void)state;
    int status;
    int file = temporary_file();
    fcntl(file, F_SETFL, O_APPEND);
    put_in_place(STDOUT_FILENO, file);
    log_event(LOG_INFO, &SERVER, "x", NULL, "once");
    pid_t child = fork();
    if (child == 0) {
        exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(log_finish());
    assert_int_equal(count_of(contents(file), "once\n"), 1);
    restore(NULL);
    close(file);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, defaults, restore)

/* What in_child() asks for. */
static int act(const char *what)
{
    alarm(DEADLINE_S);
    signal(SIGPIPE, SIG_IGN);
    if (strcmp(what, "log some") == 0) {
        log_some();
    } else {
        wait_for_ever();
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CASE(a_flush_is_enough),
        CASE(a_stuck_blocking_pipe_keeps_nobody_waiting),
        CASE(a_stuck_non_blocking_pipe_keeps_nobody_waiting),
        CASE(dropped_lines_are_told_in_json),
        CASE(one_full_pipe_for_both_keeps_the_order),
        CASE(long_lines_through_a_full_pipe_stay_whole),
        CASE(a_full_disk_is_told_once),
        CASE(a_closed_reader_is_told_once),
        CASE(an_output_for_reading_is_told_once),
        CASE(both_outputs_failing_is_no_loop),
        CASE(the_end_does_not_wait_for_a_stuck_reader),
        CASE(the_end_interrupts_a_write_that_blocks),
        CASE(the_end_is_at_once_when_the_reader_is_gone),
        CASE(an_unread_pipe_ends_who_asked_for_it),
        CASE(a_child_does_not_repeat_its_parents_lines),
    };
    return argc > 1 ? act(argv[1]) : cmocka_run_group_tests(tests, NULL, NULL);
}
