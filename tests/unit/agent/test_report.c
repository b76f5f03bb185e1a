/* What an agent says of the answers on its stream, word by word: people and verify --logs read
 * it. */
#include "../cli/capture.h"

#include "agent/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define FRONT "[AGENT_v1.2/agent-1] "
#define BY    " server=v2/pod-b\n"

static const struct log_source source = {"agent", "v1.2", "agent-1"};
static const struct role_expectation expect = {
    .rule = ROLE_EXPECT_SERVER, .versions = {"v1"}, .version_count = 1};
static const struct agent_identity self = {"v1.2", "agent-1", &expect};
static const struct rpc_ping_response pong = {
    .message = "pong",
    .server_version = "v2",
    .server_id = "pod-b",
    .sequence = 7,
    .agent_id = "agent-2",
    .agent_version = "v9.9",
};

static struct capture capture;

/* The lines on standard error. */
static const char *said_of(unsigned findings)
{
    static const struct agent_stream stream = {.pod = "pod-a"};
    capture_begin(&capture, stderr);
    report_findings(&source, &self, &stream, findings, &pong);
    log_finish();
    return capture_end(&capture);
}

static const struct {
    unsigned finding;
    const char *line;
} lines[] = {
    {AGENT_WRONG_VERSION, FRONT "Misrouted: v1.2 belongs to v1, answered by" BY},
    {AGENT_MOVED, FRONT "Not sticky: pod-a answered before on this stream, now" BY},
    {AGENT_MIXED, FRONT "Not isolated: our stream has agent-id=agent-2 agent-version=v9.9 in the "
                        "eyes of" BY},
    {AGENT_LOST, FRONT "Messages were lost before answer 7 from" BY},
    {AGENT_UNEXPECTED, FRONT "Repeated or never asked for: answer 7 from" BY},
};
#define LINES (sizeof(lines) / sizeof(lines[0]))

static void each_finding_is_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < LINES; i++) {
        assert_string_equal(said_of(lines[i].finding), lines[i].line);
    }
}

static void findings_together_are_all_said(void **state)
{
    (void)state;
    unsigned all = 0;
    char expected[2048] = "";
    for (size_t i = 0; i < LINES; i++) {
        all |= lines[i].finding;
        strcat(expected, lines[i].line);
    }
    assert_string_equal(said_of(all), expected);
    assert_string_equal(said_of(0), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_finding_is_said),
        cmocka_unit_test(findings_together_are_all_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
