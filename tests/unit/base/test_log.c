#include "base/log.h"
#include "base/mem.h"

#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static const struct log_source SERVER = {"server", "v1", "server-v1-a"};

/* Standard output and error of the log go to one file between capture() and captured(). */
static struct {
    int file;
    int saved_stdout;
    int saved_stderr;
    char text[256 * 1024];
} capture_state;

static void capture(void)
{
    char path[] = "/tmp/grpcroute-log-XXXXXX";
    fflush(stdout);
    capture_state.file = mkstemp(path);
    assert_true(capture_state.file >= 0);
    unlink(path);
    assert_int_equal(fcntl(capture_state.file, F_SETFL, O_APPEND), 0);
    capture_state.saved_stdout = dup(STDOUT_FILENO);
    capture_state.saved_stderr = dup(STDERR_FILENO);
    dup2(capture_state.file, STDOUT_FILENO);
    dup2(capture_state.file, STDERR_FILENO);
}

static const char *captured(void)
{
    assert_true(log_finish());
    dup2(capture_state.saved_stdout, STDOUT_FILENO);
    dup2(capture_state.saved_stderr, STDERR_FILENO);
    close(capture_state.saved_stdout);
    close(capture_state.saved_stderr);
    ssize_t len = pread(capture_state.file, capture_state.text, sizeof(capture_state.text) - 1, 0);
    close(capture_state.file);
    assert_true(len >= 0);
    capture_state.text[len] = '\0';
    return capture_state.text;
}

static int defaults(void **state)
{
    (void)state;
    log_configure(LOG_INFO, LOG_TEXT);
    return 0;
}

static void text_lines_name_role_version_and_id(void **state)
{
    (void)state;
    capture();
    log_event(LOG_INFO, &SERVER, "stream_opened", NULL,
              "Stream opened from agent-id=%s agent-version=%s", "A", "v1.1");
    log_event(LOG_INFO, &(struct log_source){"proxy", NULL, "p1"}, "x", NULL, "with id");
    log_event(LOG_INFO, &(struct log_source){"proxy", NULL, NULL}, "x", NULL, "bare");
    log_event(LOG_INFO, &(struct log_source){"agent", "v1.1", NULL}, "x", NULL, "no id");
    assert_string_equal(captured(),
                        "[SERVER_v1/server-v1-a] Stream opened from agent-id=A agent-version=v1.1\n"
                        "[PROXY/p1] with id\n"
                        "[PROXY] bare\n"
                        "[AGENT_v1.1] no id\n");
}

static void text_escapes_all_256_byte_values(void **state)
{
    (void)state;
    char expected[8192] = "";
    size_t len = 0;
    capture();
    for (int value = 1; value < 256; value++) {
        char text[2] = {(char)value, '\0'};
        bool plain = value >= 0x20 && value < 0x7f;
        log_event(LOG_INFO, &(struct log_source){"r", text, text}, "x", NULL, "%s", text);
        char shown[8];
        if (plain) {
            snprintf(shown, sizeof(shown), "%c", value);
        } else {
            snprintf(shown, sizeof(shown), "\\x%02x", (unsigned)value);
        }
        len += (size_t)snprintf(expected + len, sizeof(expected) - len, "[R_%s/%s] %s\n", shown,
                                shown, shown);
    }
    assert_string_equal(captured(), expected);
}

static void json_lines_have_the_same_facts_as_fields(void **state)
{
    (void)state;
    regex_t line;
    log_configure(LOG_INFO, LOG_JSON);
    capture();
    log_event(LOG_WARN, &SERVER, "ping", LOG_PAIRS({"agent_id", "a\"\n"}, {"none", NULL}),
              "Hi %d\x1b", 7);
    assert_int_equal(
        regcomp(
            &line,
            "^\\{\"time\":\"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z\","
            "\"level\":\"warn\",\"event\":\"ping\",\"role\":\"server\",\"version\":\"v1\","
            "\"id\":\"server-v1-a\",\"agent_id\":\"a\\\\\"\\\\n\",\"msg\":\"Hi 7\\\\u001b\"\\}\n$",
            REG_EXTENDED | REG_NOSUB),
        0);
    const char *text = captured();
    int outcome = regexec(&line, text, 0, NULL, 0);
    regfree(&line);
    if (outcome != 0) {
        fail_msg("not as expected: %s", text);
    }
}

static void json_leaves_out_what_is_unknown(void **state)
{
    (void)state;
    log_configure(LOG_INFO, LOG_JSON);
    capture();
    log_event(LOG_INFO, &(struct log_source){"proxy", NULL, NULL}, "ready", NULL, "Ready");
    const char *text = captured();
    assert_non_null(strstr(text, "\"event\":\"ready\",\"role\":\"proxy\",\"msg\":\"Ready\"}\n"));
}

static void lines_below_the_level_are_not_written(void **state)
{
    (void)state;
    capture();
    log_debug("secret %d", 1);
    log_configure(LOG_ERROR, LOG_TEXT);
    log_event(LOG_WARN, &SERVER, "x", NULL, "warn");
    bool warn = log_enabled(LOG_WARN);
    bool error = log_enabled(LOG_ERROR);
    log_configure(LOG_DEBUG, LOG_TEXT);
    log_debug("shown %d", 2);
    assert_string_equal(captured(), "[DEBUG] shown 2\n");
    assert_false(warn);
    assert_true(error);
}

static void information_waits_and_a_warning_flushes_it_first(void **state)
{
    (void)state;
    capture();
    assert_true(log_finish()); /* the thread sleeps */
    log_event(LOG_INFO, &SERVER, "x", NULL, "first");
    bool waited = lseek(capture_state.file, 0, SEEK_END) == 0;
    log_event(LOG_WARN, &SERVER, "x", NULL, "second");
    assert_string_equal(captured(),
                        "[SERVER_v1/server-v1-a] first\n[SERVER_v1/server-v1-a] second\n");
    assert_true(waited);
}

static void warnings_go_to_standard_error(void **state)
{
    (void)state;
    capture();
    dup2(capture_state.saved_stdout, STDOUT_FILENO);
    log_event(LOG_ERROR, &SERVER, "x", NULL, "bad");
    assert_string_equal(captured(), "[SERVER_v1/server-v1-a] bad\n");
}

static void a_burst_is_written_without_a_flush(void **state)
{
    (void)state;
    capture();
    for (int i = 0; i < 2000; i++) { /* 31 bytes each */
        log_event(LOG_INFO, &SERVER, "x", NULL, "%06d", i);
    }
    for (int i = 0; i < 1000 && lseek(capture_state.file, 0, SEEK_END) < 32 * 1024; i++) {
        usleep(5000);
    }
    off_t written = lseek(capture_state.file, 0, SEEK_END);
    const char *text = captured();
    assert_true(written >= 32 * 1024);
    assert_int_equal(strlen(text), 2000 * 31);
}

static void long_messages_are_cut(void **state)
{
    (void)state;
    static char message[100000];
    memset(message, '\xff', sizeof(message) - 1);
    capture();
    log_event(LOG_INFO, &(struct log_source){"agent", NULL, message}, "x", NULL, "%s", message);
    const char *text = captured();
    size_t len = strlen(text);
    assert_in_range(len, 4 * 4000, 4 * (4096 + 1024) + 32);
    assert_string_equal(text + len - 8, "\\xff...\n");
}

static void *write_many_lines(void *argument)
{
    const char *word = argument;
    for (int i = 0; i < 1000; i++) {
        log_event(LOG_INFO, &(struct log_source){"t", NULL, word}, "x", NULL, "%s", word);
    }
    return NULL;
}

static void threads_never_split_a_line(void **state)
{
    (void)state;
    static char words[4][8] = {"aaaa", "bbbb", "cccc", "dddd"};
    pthread_t threads[4];
    capture();
    for (size_t i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, write_many_lines, words[i]);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    char *text = mem_unconst(captured());
    size_t count = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        assert_int_equal(strlen(line), strlen("[T/aaaa] aaaa"));
        assert_memory_equal(line, "[T/", 3);
        assert_memory_equal(line + 3, line + 9, 4);
        count++;
    }
    assert_int_equal(count, 4000);
}

static void buffered_lines_are_written_at_exit(void **state)
{
    (void)state;
    capture();
    pid_t child = fork();
    if (child == 0) {
        dup2(capture_state.saved_stderr, STDERR_FILENO); /* where sanitizers speak */
        log_event(LOG_INFO, &SERVER, "x", NULL, "last words");
        exit(0);
    }
    int status;
    pid_t ended = waitpid(child, &status, 0);
    assert_string_equal(captured(), "[SERVER_v1/server-v1-a] last words\n");
    assert_int_equal(ended, child);
}

static size_t read_len; /* by read_slowly(), once joined */

static void *read_slowly(void *argument)
{
    static char text[1024 * 1024];
    int fd = *(int *)argument;
    size_t len = 0;
    ssize_t n;
    while ((n = read(fd, text + len, 4096)) > 0) {
        len += (size_t)n;
    }
    read_len = len;
    return NULL;
}

static void a_full_non_blocking_pipe_loses_nothing(void **state)
{
    (void)state;
    int ends[2];
    pthread_t reader;
    capture();
    int piped = pipe(ends);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    dup2(ends[1], STDOUT_FILENO);
    close(ends[1]);
    pthread_create(&reader, NULL, read_slowly, &ends[0]);
    for (int i = 0; i < 10000; i++) {
        log_event(LOG_INFO, &SERVER, "x", NULL, "%06d", i);
    }
    assert_true(log_finish());
    captured(); /* closes the last writing end */
    pthread_join(reader, NULL);
    close(ends[0]);
    assert_int_equal(piped, 0);
    assert_int_equal(read_len, 10000 * 31);
}

static void a_line_may_begin_with_the_time(void **state)
{
    (void)state;
    regex_t pattern;
    assert_int_equal(
        regcomp(&pattern,
                "^20[0-9-]{8}T[0-9:]{8}\\.[0-9]{3}Z \\[SERVER_v1/server-v1-a\\] hello\n"
                "\\[SERVER_v1/server-v1-a\\] hello\n$",
                REG_EXTENDED | REG_NOSUB),
        0);
    capture();
    log_show_time(true);
    log_event(LOG_INFO, &SERVER, "hello", NULL, "hello");
    log_finish();
    log_show_time(false);
    log_event(LOG_INFO, &SERVER, "hello", NULL, "hello");
    assert_int_equal(regexec(&pattern, captured(), 0, NULL, 0), 0);
    regfree(&pattern);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(text_lines_name_role_version_and_id, defaults),
        cmocka_unit_test_setup(text_escapes_all_256_byte_values, defaults),
        cmocka_unit_test_setup(a_line_may_begin_with_the_time, defaults),
        cmocka_unit_test_setup(json_lines_have_the_same_facts_as_fields, defaults),
        cmocka_unit_test_setup(json_leaves_out_what_is_unknown, defaults),
        cmocka_unit_test_setup(lines_below_the_level_are_not_written, defaults),
        cmocka_unit_test_setup(information_waits_and_a_warning_flushes_it_first, defaults),
        cmocka_unit_test_setup(warnings_go_to_standard_error, defaults),
        cmocka_unit_test_setup(a_burst_is_written_without_a_flush, defaults),
        cmocka_unit_test_setup(long_messages_are_cut, defaults),
        cmocka_unit_test_setup(threads_never_split_a_line, defaults),
        cmocka_unit_test_setup(buffered_lines_are_written_at_exit, defaults),
        cmocka_unit_test_setup(a_full_non_blocking_pipe_loses_nothing, defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
