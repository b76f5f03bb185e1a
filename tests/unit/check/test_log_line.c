/* What a log line tells, and which lines tell nothing. */
#include "check/log_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct seen {
    size_t count;
    struct check_log_event last;
};

static void on_event(void *user, const struct check_log_event *event)
{
    struct seen *seen = user;
    seen->count++;
    seen->last = *event;
}

static struct seen read_text(const char *text, size_t piece)
{
    struct check_log_reader reader = {0};
    struct seen seen = {0};
    size_t len = strlen(text);
    for (size_t at = 0; at < len; at += piece) {
        check_log_feed(&reader, text + at, len - at < piece ? len - at : piece, on_event, &seen);
    }
    check_log_finish(&reader);
    return seen;
}

static void assert_pong(const char *text)
{
    for (size_t piece = 1; piece < 9; piece++) {
        struct seen seen = read_text(text, piece);
        assert_int_equal(seen.count, 1);
        assert_int_equal(seen.last.kind, CHECK_LOG_PONG);
        assert_string_equal(seen.last.version, "v1.1");
        assert_string_equal(seen.last.id, "a");
        assert_string_equal(seen.last.peer_version, "v1");
        assert_string_equal(seen.last.peer_id, "pod");
    }
}

#define PONG "[AGENT_v1.1/a] Received pong from server=v1/pod message=pong"

static void a_pong_is_read_behind_every_prefix(void **state)
{
    (void)state;
    assert_pong(PONG "\n");
    assert_pong(PONG "\r\n");
    assert_pong("[pod/agent-x/agent] " PONG "\n");
    assert_pong("[pod/agent-x/agent] 2026-01-02T03:04:05.678901234Z " PONG "\n");
    assert_pong("2026-01-02T03:04:05.678901234Z stdout F " PONG "\n");
    assert_pong("{\"role\":\"agent\",\"version\":\"v1.1\",\"id\":\"a\","
                "\"msg\":\"Received pong from server=v1/pod message=pong\"}\n");
}

static void a_server_names_the_agent_it_saw(void **state)
{
    (void)state;
    struct seen seen = read_text("[SERVER_v2/s] Stream opened from agent-id=a agent-version=v2.1\n"
                                 "[SERVER_v2/s] Received ping from agent-id=b agent-version=v2.2 "
                                 "message=ping\n",
                                 7);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.last.kind, CHECK_LOG_PING);
    assert_string_equal(seen.last.peer_id, "b");
    assert_string_equal(seen.last.peer_version, "v2.2");
}

static void cut_and_foreign_lines_tell_nothing(void **state)
{
    (void)state;
    assert_int_equal(read_text(PONG, 5).count, 0); /* no newline: perhaps cut */
    assert_int_equal(read_text("ved pong from server=v1/pod message=pong\n", 5).count, 0);
    assert_int_equal(read_text("quoted: " PONG "\n", 5).count, 0);
    assert_int_equal(read_text("[AGENT_v1.1/a\n{\"role\":\n{}\n\n", 5).count, 0);
}

static void a_long_line_is_skipped_and_the_next_is_read(void **state)
{
    (void)state;
    struct check_log_reader reader = {0};
    struct seen seen = {0};
    for (size_t i = 0; i < 70000; i++) {
        check_log_feed(&reader, "x", 1, on_event, &seen);
    }
    check_log_feed(&reader, "\n" PONG "\n", sizeof(PONG) + 1, on_event, &seen);
    assert_int_equal(reader.skipped, 1);
    assert_int_equal(seen.count, 1);
}

static void control_bytes_are_escaped(void **state)
{
    (void)state;
    struct seen seen = read_text("[AGENT_v1.1/a\x1b] Stream opened to h:1\n", 4);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.last.id, "a\\x1b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pong_is_read_behind_every_prefix),
        cmocka_unit_test(a_server_names_the_agent_it_saw),
        cmocka_unit_test(cut_and_foreign_lines_tell_nothing),
        cmocka_unit_test(a_long_line_is_skipped_and_the_next_is_read),
        cmocka_unit_test(control_bytes_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
