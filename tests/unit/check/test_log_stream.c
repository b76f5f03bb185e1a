/* What a proxy's line about a stream tells, what is made of it, and which lines are none. */
#include "check/log_judge.h"
#include "check/verdict.h"
#include "cli/exit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PATH        "/p.S/M"
#define END(fields) "{\"log\":\"grpcroute.stream\",\"event\":\"end\"," fields "}\n"
#define WENT(version, cluster)                                                                     \
    "\"agent_version\":\"" version "\",\"agent_id\":\"a\",\"path\":\"" PATH                        \
    "\",\"cluster\":\"" cluster "\",\"endpoint\":\"h:1\""
#define ANSWERED(version, cluster)                                                                 \
    END(WENT(version, cluster) ",\"http_status\":200,\"bytes_down\":9")

/* ---- lines ----------------------------------------------------------------------------------- */

struct seen {
    size_t count;
    struct check_log_event last;
    struct check_log_unread unread;
};

static void on_event(void *user, const struct check_log_event *event)
{
    struct seen *seen = user;
    seen->count++;
    seen->last = *event;
}

static struct seen read_text(const char *text, const struct check_log_headers *headers)
{
    struct check_log_reader reader = {.headers = headers};
    struct seen seen = {0};
    check_log_feed(&reader, text, strlen(text), on_event, &seen);
    check_log_finish(&reader, on_event, &seen);
    seen.unread = reader.unread;
    return seen;
}

static struct seen read_one(const char *line)
{
    struct seen seen = read_text(line, NULL);
    if (seen.count != 1 || seen.unread.lines != 0) {
        fail_msg("%zu events, %d lines not understood: %s", seen.count, (int)seen.unread.lines,
                 line);
    }
    assert_int_equal(seen.last.kind, CHECK_LOG_STREAM);
    return seen;
}

static void a_stream_that_ended_is_told(void **state)
{
    (void)state;
    struct seen seen =
        read_one(END("\"time\":\"t\",\"stream\":17,\"client\":\"c:1\",\"agent_id\":\"a\\n\","
                     "\"agent_version\":\"v1.1\",\"path\":\"" PATH "\",\"cluster\":\"server-v1\","
                     "\"endpoint\":\"[::1]:5\",\"pod\":\"p\",\"server_version\":\"v1\","
                     "\"http_status\":200,\"reason\":\"completed\",\"bytes_down\":9"));
    assert_string_equal(seen.last.version, "v1.1");
    assert_string_equal(seen.last.id, "a\\x0a");
    assert_string_equal(seen.last.peer_version, "v1");
    assert_string_equal(seen.last.peer_id, "p");
    assert_string_equal(seen.last.stream.path, PATH);
    assert_string_equal(seen.last.stream.cluster, "server-v1");
    assert_string_equal(seen.last.stream.endpoint, "[::1]:5");
    assert_string_equal(seen.last.stream.reason, "completed");
    assert_true(seen.last.stream.answered);
}

static void traefiks_own_names_are_known(void **state)
{
    static const char line[] =
        "{\"DownstreamContentSize\":9,\"DownstreamStatus\":200,\"RequestPath\":\"" PATH "?x\","
        "\"ServiceAddr\":\"h:1\",\"ServiceName\":\"server-v1@file\",\"request_Agent-Id\":\"a\","
        "\"request_Agent-Version\":\"v1.1\",\"request_X-Ver\":\"v9.9\",\"request_X-Id\":\"z\"}\n";
    static const struct check_log_headers headers = {"x-ver", "x-id"};
    (void)state;
    struct seen seen = read_one(line);
    assert_string_equal(seen.last.version, "v1.1");
    assert_string_equal(seen.last.id, "a");
    assert_string_equal(seen.last.stream.path, PATH);
    assert_string_equal(seen.last.stream.cluster, "server-v1");
    assert_string_equal(seen.last.stream.endpoint, "h:1");
    assert_string_equal(seen.last.stream.reason, "HTTP 200");
    assert_true(seen.last.stream.answered);
    seen = read_text(line, &headers);
    assert_string_equal(seen.last.version, "v9.9");
    assert_string_equal(seen.last.id, "z");
}

static void what_a_proxy_does_not_know_may_be_written_in_many_ways(void **state)
{
    static const char *const nothing[] = {"null", "\"\"", "\"-\""};
    (void)state;
    for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++) {
        char line[512];
        snprintf(line, sizeof(line),
                 END("\"path\":\"" PATH "\",\"agent_version\":\"v1.1\",\"cluster\":%s,"
                     "\"endpoint\":%s,"
                     "\"agent_id\":%s,\"server_version\":%s,\"pod\":%s,\"http_status\":%s,"
                     "\"grpc_status\":%s,\"bytes_down\":%s,\"reason\":%s,\"detail\":%s"),
                 nothing[i], nothing[i], nothing[i], nothing[i], nothing[i], nothing[i], nothing[i],
                 nothing[i], nothing[i], nothing[i]);
        struct seen seen = read_one(line);
        assert_string_equal(seen.last.stream.cluster, "");
        assert_string_equal(seen.last.stream.endpoint, "");
        assert_string_equal(seen.last.id, "");
        assert_string_equal(seen.last.stream.reason, "no reason given");
        assert_false(seen.last.stream.answered);
    }
    static const char *const nowhere[] = {"-:0", "-:-", "<NOSRV>:0", "server-v1", ":1", "h:"};
    for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
        char line[512];
        snprintf(line, sizeof(line),
                 END("\"path\":\"" PATH "\",\"cluster\":\"c\",\"endpoint\":\"%s\","
                     "\"http_status\":200"),
                 nowhere[i]);
        struct seen seen = read_one(line);
        assert_string_equal(seen.last.stream.endpoint, "");
        assert_false(seen.last.stream.answered);
    }
}

static void an_answer_is_a_message_of_the_endpoint(void **state)
{
    static const struct {
        const char *fields;
        bool answered;
    } cases[] = {
        {"\"http_status\":200,\"bytes_down\":9", true},
        {"\"http_status\":\"200\",\"bytes_down\":\"9\"", true},
        {"\"http_status\":200,\"bytes_down\":9,\"grpc_status\":14", true}, /* and then an end */
        {"\"http_status\":200,\"bytes_down\":0,\"grpc_status\":14", false},
        {"\"http_status\":200,\"bytes_down\":0", false},
        {"\"http_status\":200", true}, /* it does not count them */
        {"\"http_status\":200,\"grpc_status\":0", true},
        {"\"http_status\":200,\"grpc_status\":\"12\"", false},
        {"\"http_status\":503,\"bytes_down\":90", false},
        {"\"http_status\":-1", false},
        {"\"http_status\":0,\"bytes_down\":9", false},
        {"\"bytes_down\":9", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char line[512];
        snprintf(line, sizeof(line), END(WENT("v1.1", "server-v1") ",%s"), cases[i].fields);
        struct seen seen = read_one(line);
        if (seen.last.stream.answered != cases[i].answered) {
            fail_msg("%s", line);
        }
    }
}

static void what_says_nothing_of_a_stream_has_no_weight(void **state)
{
    static const char *const lines[] = {
        "{\"log\":\"grpcroute.stream\",\"event\":\"open\"," WENT("v1.1", "server-v2") "}\n",
        END("\"agent_version\":\"\",\"path\":\"\",\"cluster\":\"\",\"endpoint\":\"-:-\""),
        END("\"reason\":\"rejected\""),
    };
    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct seen seen = read_text(lines[i], NULL);
        assert_int_equal(seen.count, 0);
        assert_int_equal(seen.unread.lines, 0);
    }
}

#define GOOD        ANSWERED("v1.1", "server-v1")
#define BY(version) ",\"server_version\":\"" version "\",\"http_status\":200"
#define REFUSED     END("\"agent_version\":\"v1.1\",\"path\":\"" PATH "\",\"reason\":\"no route\"")

static void what_lacks_what_is_needed_may_be_evidence(void **state)
{
    static const char *const lines[] = {
        "{\"log\":\"grpcroute.stream\"}\n",
        "{\"log\":\"grpcroute.stream\",\"event\":\"moved\"," WENT("v1.1", "server-v1") "}\n",
        "{\"log\":\"grpcroute.stream\",\"event\":7," WENT("v1.1", "server-v1") "}\n",
        END("\"agent_version\":\"v1.1\",\"cluster\":\"server-v1\",\"endpoint\":\"h:1\""),
        END("\"path\":7,"
            "\"cluster\":\"server-v1\""),
        END("\"path\":\"" PATH "\",\"cluster\":[\"server-v1\"]"),
        END("\"path\":\"" PATH "\",\"cluster\":{\"name\":\"server-v1\"}"),
        END("\"path\":\"" PATH "\",\"agent_version\":1.1"),
        END("\"path\":\"" PATH "\",\"http_status\":\"OK\""),
        END("\"path\":\"" PATH "\",\"http_status\":true"),
        END("\"path\":\"" PATH "\",\"http_status\":1e999"),
        END("\"path\":\"" PATH "\",\"reason\":false"),
        "{\"log\":\"grpcroute.stream\",\"event\":\"open\",\"event\":\"end\"," WENT(
            "v1.1", "server-v1") "}\n",
        END(WENT("v1.1", "server-v1") ",\"Cluster\":\"server-v2\""),
        END(WENT("v1.1", "server-v1") ",\"server_version\":\"v1\",\"server_version\":\"v2\""),
        "{\"DownstreamStatus\":200,\"RequestPath\":\"" PATH "\",\"ServiceName\":7}\n",
        "{\"log\":\"grpcroute.stream\",\"event\":\"end\",\"path\":\"/p.S\n",
        "the log grpcroute.stream was turned off\n",
        "{\"log\":\"grpcroute.stream\",\"event\":\"end\",\"path\":\"/p.S{\"other\":1}\n",
        "{\"other\":1}{\"log\":\"grpcroute.stream\",\"event\":\"end\",\"path\":\"/p.S\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        char text[2048];
        snprintf(text, sizeof(text), GOOD "%s" GOOD, lines[i]);
        struct seen seen = read_text(text, NULL);
        if (seen.count != 2 || seen.unread.lost != 1 ||
            strncmp(seen.unread.quote, lines[i], 12) != 0) {
            fail_msg("%zu events, %d lost: %s", seen.count, (int)seen.unread.lost, lines[i]);
        }
    }
}

static void a_key_that_is_there_twice_says_nothing(void **state)
{
    static const char *const keys[] = {
        "log",         "Event",      "TIME",           "pod",
        "grpc_status", "reason",     "server_version", "messages_down",
        "misrouted",   "path",       "cluster",        "endpoint",
        "http_status", "bytes_down", "agent_version",  "agent_id"};
    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char line[1024];
        snprintf(line, sizeof(line),
                 END("\"time\":null,\"pod\":null,\"grpc_status\":null,\"reason\":null,"
                     "\"server_version\":null,\"messages_down\":null,\"misrouted\":null,"
                     "\"http_status\":200,\"bytes_down\":9," WENT("v1.1",
                                                                  "server-v1") ",\"%s\":null") GOOD,
                 keys[i]);
        struct seen seen = read_text(line, NULL);
        if (seen.count != 1 || seen.unread.lost != 1) {
            fail_msg("%s", keys[i]);
        }
    }
}

static void a_line_that_is_quoted_is_nobodys(void **state)
{
    static const char inner[] = "{\"log\":\"grpcroute.stream\",\"event\":\"end\"," WENT(
        "v1.1", "server-v2") ",\"http_status\":200}";
    static const char *const around[][2] = {
        {"2026/11/26 [error] host: ", ", upstream: x\n"},
        {"[PROXY] rejected a request: ", "\n"},
        {"[SERVER_v1/x] Stream opened from agent-id=", " agent-version=v1.1\n"},
        {"[AGENT_v1.1/", "] Sent ping\n"},
        {"", " and more\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
        char line[1024];
        snprintf(line, sizeof(line), "%s%s%s", around[i][0], inner, around[i][1]);
        struct seen seen = read_text(line, NULL);
        if (seen.count > 1 || (seen.count == 1 && seen.last.kind == CHECK_LOG_STREAM)) {
            fail_msg("%s", line);
        }
    }
}

static void no_line_is_read_out_of_what_a_client_chose(void **state)
{
    static const char *const keys[] = {"agent_id",         "agent_version", "path",  "authority",
                                       "request_Agent-Id", "RequestPath",   "detail"};
    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        static const char pong[] = "[AGENT_v1.1/a] Received pong from server=v2/thief message=pong";
        char line[1024];
        snprintf(line, sizeof(line), "{\"%s\":\"%s\",\"x\":", keys[i], pong); /* it is torn */
        assert_int_equal(read_text(line, NULL).count, 0);
        snprintf(line, sizeof(line), "{\"%s\" : \"\\\"} %s\n" GOOD, keys[i], pong);
        assert_int_equal(read_text(line, NULL).count, 1); /* the good one */
        snprintf(line, sizeof(line), "msg=\"{\\\"%s\\\":\\\"%s\\\",\n" GOOD, keys[i], pong);
        assert_int_equal(read_text(line, NULL).count, 1);
    }
}

static void streams_alike_in_one_object_are_all_told(void **state)
{
    (void)state;
    /* what a collector repeats is told once, what happened twice is told twice */
    static const char repeated[] =
        "{\"log\":\"{\\\"log\\\":\\\"grpcroute.stream\\\",\\\"event\\\":\\\"end\\\","
        "\\\"path\\\":\\\"/p\\\","
        "\\\"stream\\\":1}\",\"message\":\"{\\\"log\\\":\\\"grpcroute.stream\\\",\\\"event\\\":"
        "\\\"end\\\",\\\"path\\\":\\\"/p\\\",\\\"stream\\\":%d}\"}\n";
    char line[512];
    snprintf(line, sizeof(line), repeated, 1);
    assert_int_equal(read_text(line, NULL).count, 1);
    snprintf(line, sizeof(line), repeated, 2);
    assert_int_equal(read_text(line, NULL).count, 2);
}

/* ---- verdicts -------------------------------------------------------------------------------- */

static struct role_expectation server(const char *version)
{
    struct role_expectation expect = {.rule = ROLE_EXPECT_SERVER, .version_count = 1};
    snprintf(expect.versions[0], sizeof(expect.versions[0]), "%s", version);
    return expect;
}

/* "server-vN"; "either" is v1 or v2, and of others nothing is known. */
static struct role_expectation servers_of(void *user, const char *cluster)
{
    struct role_expectation servers = {.rule = ROLE_EXPECT_UNKNOWN};
    (void)user;
    if (strncmp(cluster, "server-", 7) == 0) {
        servers = server(cluster + 7);
    } else if (strcmp(cluster, "either") == 0) {
        servers = server("v1");
        snprintf(servers.versions[servers.version_count++], ROLE_VERSION_BYTES, "v2");
    }
    return servers;
}

/* Of others than those that are asked for: v7.1 is refused, of "odd" nothing is known. */
static struct role_expectation expect(void *user, const char *version)
{
    struct role_expectation expect = server("v9");
    (void)user;
    expect.rule = strcmp(version, "v7.1") == 0  ? ROLE_EXPECT_REJECTED
                  : strcmp(version, "odd") == 0 ? ROLE_EXPECT_UNKNOWN
                                                : ROLE_EXPECT_SERVER;
    return expect;
}

struct judged {
    enum check_result result;
    size_t groups;
    struct check_verdict first;
    struct check_proxy_log log;
};

/* Judges v1.1, which belongs to v1. */
static struct judged judge(const char *text, enum role_expect_rule rule)
{
    static const struct check_log_owner owner = {
        .expect = expect, .servers = servers_of, .path = PATH};
    struct check_plan plan = {.command = CHECK_VERIFY, .messages = 2, .from_logs = true};
    struct check_group *group =
        check_plan_add_group(&plan, CHECK_GROUP_VERSION, CHECK_HEADER_ONCE, "v1.1");
    group->expect = server("v1");
    group->expect.rule = rule;
    struct check_run run;
    struct check_logs logs;
    struct check_log_reader reader = {0};
    struct check_report report;
    check_run_init(&run, &plan, "logs", 0);
    check_logs_init(&logs, &run, &plan, &owner);
    check_log_feed(&reader, text, strlen(text), check_logs_take, &logs);
    check_log_finish(&reader, check_logs_take, &logs);
    check_logs_add_source(&logs, &reader);
    check_logs_verify(&logs, &report);
    const struct judged judged = {report.result, plan.group_count, report.groups[0], report.proxy};
    check_report_deinit(&report);
    check_logs_deinit(&logs);
    check_run_deinit(&run);
    check_plan_deinit(&plan);
    return judged;
}

static void a_stream_passes_where_it_belongs_and_nowhere_else(void **state)
{
    static const struct {
        const char *text;
        enum check_result result;
    } cases[] = {
        {GOOD, CHECK_PASSED},
        {GOOD ANSWERED("v1.1", "server-v2"), CHECK_FAILED},
        {GOOD ANSWERED("v1.1", "blue"), CHECK_NO_EVIDENCE},
        {GOOD ANSWERED("v1.1", "either"), CHECK_NO_EVIDENCE},
        {"", CHECK_NO_EVIDENCE},
        /* who answered goes before who should have */
        {END(WENT("v1.1", "server-v2") BY("v1")), CHECK_PASSED},
        {END(WENT("v1.1", "server-v1") BY("v2")), CHECK_FAILED},
        {END(WENT("v1.1", "blue") BY("v1")), CHECK_PASSED},
        /* nobody answered: no proof, but a wrong way is one */
        {END(WENT("v1.1", "server-v1") ",\"http_status\":503"), CHECK_NO_EVIDENCE},
        {END(WENT("v1.1", "blue") ",\"http_status\":503"), CHECK_NO_EVIDENCE},
        {GOOD END(WENT("v1.1", "server-v2") ",\"http_status\":503"), CHECK_FAILED},
        {GOOD END(WENT("v1.1", "server-v1") ",\"http_status\":503"), CHECK_PASSED},
        {REFUSED, CHECK_NO_EVIDENCE},
        {GOOD REFUSED, CHECK_PASSED},
        /* a line that is no proof keeps it open, and one of another path says nothing */
        {GOOD END("\"path\":\"" PATH "\",\"cluster\":1") GOOD, CHECK_NO_EVIDENCE},
        {GOOD END("\"agent_version\":\"v1.1\",\"path\":\"/x\",\"cluster\":\"server-v2\","
                  "\"endpoint\":\"h:1\""),
         CHECK_PASSED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (judge(cases[i].text, ROLE_EXPECT_SERVER).result != cases[i].result) {
            fail_msg("not %d: %s", cases[i].result, cases[i].text);
        }
    }
}

#define SENT(version, cluster) END(WENT(version, cluster) ",\"http_status\":503")
#define NOWHERE(version, cluster)                                                                  \
    END("\"agent_version\":\"" version "\",\"path\":\"" PATH "\",\"cluster\":\"" cluster           \
        "\",\"reason\":\"no healthy endpoint\"")

#define ENVOY(version, cluster, detail)                                                            \
    END("\"agent_version\":\"" version "\",\"path\":\"" PATH "\",\"cluster\":\"" cluster           \
        "\",\"endpoint\":null,\"http_status\":400,\"detail\":\"" detail "\"")

/* v5.1 belongs to v9, v7.1 to nobody; neither was asked for, and nobody answered. */
static void a_wrong_way_is_wrong_whoever_asked_and_whoever_answered(void **state)
{
    static const struct {
        const char *text;
        enum check_result result;
        size_t groups;
    } cases[] = {
        {GOOD SENT("v5.1", "server-v1"), CHECK_FAILED, 2},
        {GOOD NOWHERE("v5.1", "server-v1"), CHECK_FAILED, 2},
        {GOOD SENT("v5.1", "server-v9"), CHECK_PASSED, 1},
        {GOOD NOWHERE("v5.1", "server-v9"), CHECK_PASSED, 1},
        {GOOD SENT("v5.1", "blue"), CHECK_PASSED, 1},
        {GOOD NOWHERE("v5.1", ""), CHECK_PASSED, 1},
        {GOOD SENT("v7.1", "server-v1"), CHECK_FAILED, 2},
        {GOOD SENT("v7.1", "blue"), CHECK_FAILED, 2},
        {GOOD NOWHERE("v7.1", "server-v1"), CHECK_FAILED, 2},
        {GOOD NOWHERE("v7.1", ""), CHECK_PASSED, 1},
        {GOOD SENT("odd", "server-v1"), CHECK_PASSED, 1},
        /* a filter of Envoy's refused it, with the cluster of its route in the line */
        {GOOD ENVOY("v5.1", "server-v1", "- lua_response"), CHECK_PASSED, 1},
        {GOOD ENVOY("v5.1", "server-v1", "RL request_rate_limited"), CHECK_PASSED, 1},
        {GOOD ENVOY("v5.1", "server-v1", "UAEX ext_authz_denied"), CHECK_PASSED, 1},
        {GOOD ENVOY("v5.1", "server-v1", "UH no_healthy_upstream"), CHECK_FAILED, 2},
        {GOOD ENVOY("v5.1", "server-v1", "lua_response"), CHECK_FAILED, 2},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct judged judged = judge(cases[i].text, ROLE_EXPECT_SERVER);
        if (judged.result != cases[i].result || judged.groups != cases[i].groups) {
            fail_msg("%d, %zu groups: %s", judged.result, judged.groups, cases[i].text);
        }
    }
    /* nor is one right that was asked for and had to be refused */
    assert_int_equal(judge(SENT("v1.1", "server-v1"), ROLE_EXPECT_REJECTED).result, CHECK_FAILED);
    assert_int_equal(judge(NOWHERE("v1.1", "server-v1"), ROLE_EXPECT_REJECTED).result,
                     CHECK_FAILED);
}

/* The server that answered is expected, and is not what the proxy's rule names. */
static void what_a_proxy_calls_misrouted_is_no_pass(void **state)
{
#define CALLED(word) END(WENT("v1.1", "server-v2") BY("v1") ",\"misrouted\":" word)
    (void)state;
    struct judged judged = judge(GOOD CALLED("true"), ROLE_EXPECT_SERVER);
    assert_int_equal(judged.result, CHECK_NO_EVIDENCE);
    assert_int_equal(judged.first.proxied.disputed, 1);
    assert_non_null(strstr(judged.first.findings[0].text, "misrouted by the proxy's own log"));
    assert_int_equal(judge(GOOD CALLED("false"), ROLE_EXPECT_SERVER).result, CHECK_PASSED);
    assert_int_equal(judge(GOOD CALLED("null"), ROLE_EXPECT_SERVER).result, CHECK_PASSED);
    assert_int_equal(judge(GOOD CALLED("\"yes\"") GOOD, ROLE_EXPECT_SERVER).result,
                     CHECK_NO_EVIDENCE);
    assert_int_equal(judge(GOOD CALLED("true"), ROLE_EXPECT_ANY).result, CHECK_PASSED);
    judged =
        judge(END(WENT("v1.1", "server-v1") BY("v2") ",\"misrouted\":true"), ROLE_EXPECT_SERVER);
    assert_int_equal(judged.result, CHECK_FAILED);
    assert_int_equal(judged.first.proxied.disputed, 0); /* both say so */
}

static void other_expectations_are_met_by_a_proxys_log(void **state)
{
    (void)state;
    assert_int_equal(judge(ANSWERED("v1.1", "blue"), ROLE_EXPECT_ANY).result, CHECK_PASSED);
    assert_int_equal(judge(GOOD, ROLE_EXPECT_REJECTED).result, CHECK_FAILED);
    assert_int_equal(judge(REFUSED, ROLE_EXPECT_REJECTED).result, CHECK_NO_EVIDENCE);
}

static void pieces_of_evidence_are_counted_apart(void **state)
{
    (void)state;
    struct judged judged =
        judge("[AGENT_v1.1/a] Stream opened to p:1\n"
              "[AGENT_v1.1/a] Received pong from server=v1/p message=pong\n" GOOD,
              ROLE_EXPECT_SERVER);
    /* by the proxy's log: the agent's has one of two answers */
    assert_int_equal(judged.result, CHECK_PASSED);
    assert_int_equal(judged.first.streams, 1);
    assert_int_equal(judged.first.received, 1);
    assert_int_equal(judged.first.proxied.right, 1);
    judged = judge("[AGENT_v1.1/a] Received pong from server=v2/p message=pong\n" GOOD ANSWERED(
                       "v1.1", "server-v2"),
                   ROLE_EXPECT_SERVER);
    assert_int_equal(judged.result, CHECK_FAILED);
    assert_int_equal(judged.first.findings[0].count, 2);
}

static void what_is_not_judged_is_counted(void **state)
{
    (void)state;
    struct judged judged =
        judge(GOOD END("\"agent_version\":\"v1.1\",\"path\":\"" PATH "\",\"reason\":\"no route\"")
                  END("\"agent_version\":\"v5.1\",\"path\":\"" PATH "\",\"reason\":\"no route\"")
                      END("\"agent_version\":\"v5.1\",\"path\":\"" PATH "\",\"detail\":\"UH\"")
                          END(WENT("v5.1", "server-v9") ",\"http_status\":503")
                              END("\"path\":\"/other\",\"cluster\":\"x\",\"endpoint\":\"h:1\""),
              ROLE_EXPECT_SERVER);
    assert_int_equal(judged.result, CHECK_PASSED);
    assert_int_equal(judged.groups, 1); /* nobody answered v5.1 */
    assert_int_equal(judged.log.streams, 5);
    assert_int_equal(judged.log.refused, 3);
    assert_int_equal(judged.log.unanswered, 1);
    assert_int_equal(judged.log.other_paths, 1);
    assert_string_equal(judged.log.other_path, "/other");
    assert_int_equal(judged.log.reason_count, 2);
    assert_string_equal(judged.log.reasons[0].text, "no route");
    assert_int_equal(judged.log.reasons[0].streams, 2);
    assert_string_equal(judged.log.reasons[1].text, "UH");
    assert_int_equal(judged.first.proxied.refused, 1);
    judged = judge(GOOD ANSWERED("v5.1", "server-v1"), ROLE_EXPECT_SERVER);
    assert_int_equal(judged.groups, 2);
    assert_int_equal(judged.result, CHECK_FAILED); /* it belongs to v9 */
}

static void versions_without_end_keep_the_verdict_open(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    fputs(GOOD, out);
    for (int i = 0; i < 300; i++) {
        fprintf(out,
                END("\"agent_version\":\"v%d.1\",\"path\":\"" PATH "\","
                    "\"cluster\":\"server-v9\",\"endpoint\":\"h:%d\",\"http_status\":200"),
                10 + i, i + 1);
    }
    fclose(out);
    struct judged judged = judge(text, ROLE_EXPECT_SERVER);
    assert_int_equal(judged.result, CHECK_NO_EVIDENCE);
    assert_int_equal(judged.groups, CHECK_LOG_GROUPS);
    assert_int_equal(judged.log.unjudged, 300 - (CHECK_LOG_GROUPS - 1));
    free(text);
    out = open_memstream(&text, &len); /* nor is a wrong way forgotten that nobody answered */
    fputs(GOOD, out);
    for (int i = 0; i < CHECK_LOG_GROUPS; i++) {
        fprintf(out,
                END("\"agent_version\":\"v%d.1\",\"path\":\"" PATH "\",\"cluster\":\"%s\","
                    "\"endpoint\":\"h:1\",\"http_status\":%d"),
                10 + i, i < CHECK_LOG_GROUPS - 1 ? "server-v9" : "server-v1",
                i < CHECK_LOG_GROUPS - 1 ? 200 : 503);
    }
    fclose(out);
    judged = judge(text, ROLE_EXPECT_SERVER);
    assert_int_equal(judged.result, CHECK_NO_EVIDENCE);
    assert_int_equal(judged.log.unjudged, 1);
    free(text);
    /* one that is too long to be compared */
    char line[1024];
    snprintf(line, sizeof(line),
             GOOD END("\"agent_version\":\"v1.%0200d\",\"path\":\"" PATH
                      "\",\"cluster\":\"server-v1\",\"endpoint\":\"h:1\",\"http_status\":200"),
             1);
    assert_int_equal(judge(line, ROLE_EXPECT_SERVER).result, CHECK_NO_EVIDENCE);
}

static void endpoints_without_end_are_counted_together(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    for (int i = 0; i < 100; i++) {
        fprintf(out,
                END("\"agent_version\":\"v1.1\",\"path\":\"" PATH "\","
                    "\"cluster\":\"server-v1\",\"endpoint\":\"h:%d\",\"http_status\":200"),
                i + 1);
        fprintf(out, END("\"agent_version\":\"v1.1\",\"path\":\"" PATH "\",\"reason\":\"r%d\""), i);
    }
    fclose(out);
    struct judged judged = judge(text, ROLE_EXPECT_SERVER);
    assert_int_equal(judged.result, CHECK_PASSED);
    assert_int_equal(judged.first.proxied.right, 100);
    assert_int_equal(judged.first.proxied.endpoint_count, CHECK_ANSWERS_MAX);
    assert_int_equal(judged.first.proxied.other_endpoints, 100 - CHECK_ANSWERS_MAX);
    assert_int_equal(judged.first.proxied.other_wrong, 0);
    assert_int_equal(judged.log.reason_count, CHECK_REASONS_MAX);
    assert_int_equal(judged.log.refused, 100);
    free(text);
    out = open_memstream(&text, &len);
    for (int i = 0; i < 100; i++) {
        fprintf(out,
                END("\"agent_version\":\"v1.1\",\"path\":\"" PATH "\","
                    "\"cluster\":\"server-v%d\",\"endpoint\":\"h:%d\",\"http_status\":200"),
                i < CHECK_ANSWERS_MAX ? 1 : 2, i + 1);
    }
    fclose(out);
    judged = judge(text, ROLE_EXPECT_SERVER);
    assert_int_equal(judged.result, CHECK_FAILED);
    assert_int_equal(judged.first.proxied.other_wrong, 100 - CHECK_ANSWERS_MAX);
    assert_non_null(strstr(judged.first.findings[0].text,
                           "sent by the proxy to endpoints too many to tell apart (36 streams)"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_that_ended_is_told),
        cmocka_unit_test(traefiks_own_names_are_known),
        cmocka_unit_test(what_a_proxy_does_not_know_may_be_written_in_many_ways),
        cmocka_unit_test(an_answer_is_a_message_of_the_endpoint),
        cmocka_unit_test(what_says_nothing_of_a_stream_has_no_weight),
        cmocka_unit_test(what_lacks_what_is_needed_may_be_evidence),
        cmocka_unit_test(a_key_that_is_there_twice_says_nothing),
        cmocka_unit_test(a_line_that_is_quoted_is_nobodys),
        cmocka_unit_test(no_line_is_read_out_of_what_a_client_chose),
        cmocka_unit_test(streams_alike_in_one_object_are_all_told),
        cmocka_unit_test(a_stream_passes_where_it_belongs_and_nowhere_else),
        cmocka_unit_test(a_wrong_way_is_wrong_whoever_asked_and_whoever_answered),
        cmocka_unit_test(what_a_proxy_calls_misrouted_is_no_pass),
        cmocka_unit_test(other_expectations_are_met_by_a_proxys_log),
        cmocka_unit_test(pieces_of_evidence_are_counted_apart),
        cmocka_unit_test(what_is_not_judged_is_counted),
        cmocka_unit_test(versions_without_end_keep_the_verdict_open),
        cmocka_unit_test(endpoints_without_end_are_counted_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
