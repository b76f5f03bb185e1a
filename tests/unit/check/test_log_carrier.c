/* Lines are evidence behind what known carriers write. In anybody else's text or object they are
 * what a client may have sent: counted, and never told. */
#include "check/log_carrier.h"
#include "check/log_line.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TIME "2026-01-02T03:04:05.678901234Z"
#define PONG "[AGENT_v1.1/a] Received pong from server=v1/pod message=pong"
#define OWN                                                                                        \
    "{\"role\":\"agent\",\"version\":\"v1.1\",\"id\":\"a\","                                       \
    "\"msg\":\"Received pong from server=v1/pod message=pong\"}"
#define STREAM                                                                                     \
    "{\"log\":\"grpcroute.stream\",\"event\":\"end\",\"agent_version\":\"v1.1\","                  \
    "\"path\":\"/p.S/M\",\"cluster\":\"server-v1\",\"endpoint\":\"h:1\",\"http_status\":200}"

static const char *const lines[] = {PONG, OWN, STREAM};
#define LINES (sizeof(lines) / sizeof(lines[0]))

struct seen {
    size_t count;
    struct check_log_unread unread;
};

static void on_event(void *user, const struct check_log_event *event)
{
    struct seen *seen = user;
    (void)event;
    seen->count++;
}

/* Between two others, as a line in the middle of a file. */
static struct seen read_line(const char *line)
{
    struct check_log_reader reader = {0};
    struct seen seen = {0};
    check_log_feed(&reader, "x\n", 2, on_event, &seen);
    check_log_feed(&reader, line, strlen(line), on_event, &seen);
    check_log_feed(&reader, "\ny\n", 3, on_event, &seen);
    check_log_finish(&reader, on_event, &seen);
    seen.unread = reader.unread;
    return seen;
}

static void assert_evidence(const char *line)
{
    struct seen seen = read_line(line);
    if (seen.count != 1 || seen.unread.lost != 0) {
        fail_msg("%zu events, %d lost: %s", seen.count, (int)seen.unread.lost, line);
    }
}

static void assert_refused(const char *line)
{
    struct seen seen = read_line(line);
    if (seen.count != 0 || seen.unread.lost != 1) {
        fail_msg("%zu events, %d lost: %s", seen.count, (int)seen.unread.lost, line);
    }
}

/* "%" of the form is where the line stands; in quotes where the form has it so. */
static void put(char out[2048], const char *form, const char *line, bool quoted)
{
    const char *at = strchr(form, '%');
    cJSON *string = cJSON_CreateString(line);
    char *text = cJSON_PrintUnformatted(string);
    snprintf(out, 2048, "%.*s%s%s", (int)(at - form), form, quoted ? text : line, at + 1);
    cJSON_free(text);
    cJSON_Delete(string);
}

static void each(const char *const *forms, size_t count, bool quoted, void check(const char *line))
{
    for (size_t i = 0; i < count; i++) {
        for (size_t n = 0; n < LINES; n++) {
            char line[2048];
            put(line, forms[i], lines[n], quoted);
            check(line);
        }
    }
}
#define EACH(forms, quoted, check) each(forms, sizeof(forms) / sizeof(forms[0]), quoted, check)

static void lines_behind_a_carriers_prefix_are_evidence(void **state)
{
    static const char *const forms[] = {
        "%",
        "  %",
        "[pod/agent-x/agent] " TIME " %",
        "agent-v1-1-7d75d76558-nk7bn agent %",
        "agent-0 agent " TIME " %",
        "prod agent-0 agent %",
        "kube-system agent-v1-1-7d75d76558-nk7bn agent %",
        "agent-v1-1-1  | %",
        "agent-1  | " TIME " %",
        TIME " stdout F %",
        TIME " stderr F:x %",
        "/var/log/pods/ns_agent_x/agent/0.log:" TIME " stdout F %",
        "agent.log.1:12:%",
        "Nov  5 15:14:10 host grpcroute[1234]: %",
        "Wed 2026-11-25 15:14:10 UTC host grpcroute[1234]: %",
        "Nov  5 15:14:10 host grpcroute: %",
        "[ 1234.567890] host grpcroute[7]: %",
        "1764083650.123456 host grpcroute[7]: %",
        "<14>1 2026-11-25T15:14:10Z host agent 7 - - %",
        "2026/11/25 15:14:10 main.go:57: %",
        "2026/11/25 15:14:10 /src/agent/main.go:57: %",
        "I1125 15:14:10.123456       1 main.go:57] %",
        TIME " {app=\"agent\", pod=\"agent-x\"} %",
        "[2026-11-25 15:14:10,123] %",
    };
    (void)state;
    EACH(forms, false, assert_evidence);
}

/* `who` said it: an access log, a proxy's error, a program that tells what it refused. */
static void lines_in_somebodys_text_are_none(void **state)
{
    static const char *const forms[] = {
        "user-agent: %",
        "invalid header %",
        "rejected agent-id %",
        "bad-header value %",
        TIME " [error] client sent %",
        TIME " invalid header: %",
        TIME " host nginx: %",
        TIME " host grpcroute : %",
        "x y agent-0 agent %",
        "the header was %",
        "2026/11/26 15:14:10 [error] 7#7: *1 client sent invalid header: %",
        "2026/11/26 15:14:10 main.go:57: refused %",
        "2026/11/26 15:14:10 10.0.0.1:51234 %",
        "10.0.0.1 - - [26/Nov/2026:15:14:10 +0000] %",
        "Nov 25 15:14:10 host nginx[7]: refused %",
        "[pod/nginx-x/nginx] " TIME " refused %",
        "agent-v1-1-7d75d76558-nk7bn nginx refused %",
        "nginx-1  | refused %",
        "x nginx-1  | %",
        "POST | %",
        "200 | %",
        "| x | %",
        "<div>%",
        "GET /?x=% HTTP/2",
        "ua=%",
        "level=info msg=%",
        "level=info ua=x msg=%",
        "[PROXY] a stream of %",
        "[LOG] %",
        "x {app=\"agent\"} %",
        "{path=\"x\\\" y=\"} %",
        "\"GET / HTTP/2\" 200 %",
        "GET x\f%",
        "GET x\v%",
        TIME " x stdout F %",
        "GET " TIME " stdout F %",
    };
    (void)state;
    EACH(forms, false, assert_refused);
}

static void what_follows_an_object_makes_it_a_quotation(void **state)
{
    (void)state;
    for (size_t n = 1; n < LINES; n++) {
        static const char *const forms[] = {"% was refused", "%, upstream: x", "%\" 200",
                                            "{\"message\":%} 200"};
        for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
            char line[2048];
            put(line, forms[i], lines[n], i == 3);
            assert_refused(line);
        }
    }
}

static void strings_of_carriers_are_evidence(void **state)
{
    static const char *const forms[] = {
        "{\"log\":%,\"stream\":\"stdout\"}",
        "{\"MESSAGE\":%,\"_PID\":\"7\"}",
        "{\"level\":\"info\",\"msg\":%}",
        "{\"line\":%,\"labels\":{\"app\":\"x\"}}",
        "{\"_source\":{\"message\":%,\"event\":{\"original\":%}}}",
        "{\"hits\":{\"hits\":[{\"_source\":{\"message\":%},\"fields\":{\"message\":[%]}}]}}",
        "{\"data\":{\"result\":[{\"stream\":{\"app\":\"x\"},\"values\":[[\"1\",%]]}]}}",
        "{\"streams\":[{\"stream\":{},\"values\":[[\"1\",%]]}]}",
        "{\"textPayload\":%,\"resource\":{\"type\":\"k8s\"}}",
        "{\"jsonPayload\":{\"message\":%}}",
        "{\"result\":{\"_raw\":%}}",
        "{\"events\":[{\"timestamp\":1,\"message\":%}]}",
        "{\"stdout_lines\":[%]}",
        "[{\"log\":%}]",
        "[[\"1\",%]]",
        "[pod/x/y] " TIME " {\"message\":%}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        for (size_t n = 0; n < LINES; n++) {
            char once[2048];
            char line[2048];
            put(once, forms[i], lines[n], true);
            if (strchr(once, '%') != NULL) {
                put(line, once, lines[n], true); /* told once all the same */
            } else {
                memcpy(line, once, sizeof(line));
            }
            assert_evidence(line);
        }
    }
}

static void strings_outside_of_objects_are_evidence(void **state)
{
    static const char *const forms[] = {
        "  \"message\" : %,",
        "level=info msg=% pod=x",
        "time=2026-01-02T03:04:05Z level=INFO source=\"a b\" msg=%",
        "1764083650,%,pod-1",
        "\"2026-01-02 03:04:05\",%",
        "%",
        "message: %",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        char line[2048];
        put(line, forms[i], PONG, true);
        assert_evidence(line);
        put(line, forms[i], STREAM, true);
        assert_evidence(line);
    }
}

static void strings_of_anybody_else_are_none(void **state)
{
    static const char *const forms[] = {
        "{\"user_agent\":%}",
        "{\"msg\":\"request\",\"agent-id\":%}",
        "{\"message\":\"x\",\"headers\":{\"message\":%}}",
        "{\"headers\":[{\"name\":\"agent-id\",\"value\":%}]}",
        "{\"headers\":{\"agent-id\":[%]}}",
        "{\"request\":{\"log\":%}}",
        "{\"values\":[[\"1\",%]]}",
        "{\"stream\":{\"log\":%}}",
        "{\"data\":{\"message\":%}}",
        "{\"data\":{\"result\":[{\"stream\":{\"line\":%},\"values\":[]}]}}",
        "{\"hits\":{\"hits\":[{\"highlight\":{\"message\":[%]}}]}}",
        "{\"message\":{\"message\":%}}",
        "{\"jsonPayload\":{\"request\":{\"message\":%}}}",
        "{\"Message \":%}",
        "{\"\":%}",
        "{\"message\":\"request\",\"message\":%}",
        "{\"message\":%,\"message\":\"request\"}",
        "{\"_source\":{\"log\":\"x\",\"log\":%}}",
        "{\"request_Log\":%}",
        "  \"user_agent\" : %,",
        "    %,",
        "level=info ua=%",
        "level=info ua=\"x\" msg=%",
        "x msg=%",
        "msg=\"x\" error=%",
        "client: 1.2.3.4, request: %",
        "10.0.0.1 - - [26/Nov/2026:15:14:10 +0000] \"GET / HTTP/2.0\" 200 12 \"-\" %",
        "2026-01-02,10.0.0.1,%",
        "1764083650 %",
        TIME "\tINFO\trefused\t{\"message\":%}",
        "headers=[[\"log\",%]]",
        "{\"torn\":\"x\",\"log\":%",
    };
    (void)state;
    EACH(forms, true, assert_refused);
}

static void a_header_that_is_called_as_a_carrier_calls_it_is_none(void **state)
{
    static const char *const forms[] = {
        "{\"headers\":%}",
        "{\"request\":{\"headers\":%}}",
        "{\"data\":%}",
        "{\"message\":%}",
        "{\"body\":%}",
        "{\"values\":[%]}",
        "{\"hits\":[{\"sort\":[%]}]}",
    };
    (void)state;
    EACH(forms, false, assert_refused);
}

/* Parts are joined before they are looked at. */
static void parts_in_somebodys_text_are_none(void **state)
{
    (void)state;
    struct seen seen =
        read_line("GET ua=" TIME " stdout P [AGENT_v1.1/a] Rec\n"
                  "GET ua=" TIME " stdout F eived pong from server=v1/pod message=pong");
    assert_int_equal(seen.count, 0);
    assert_true(seen.unread.lost > 0);
    seen = read_line("{\"headers\":{\"message\":\"[AGENT_v1.1/a] Rec\",\"_partial\":true}}\n"
                     "{\"headers\":{\"message\":\"eived pong from server=v1/pod message=pong\","
                     "\"_partial\":false}}");
    assert_int_equal(seen.count, 0);
    assert_true(seen.unread.lost > 0);
}

/* As `journalctl -o json-pretty` writes it, and others anything that is no text. */
static void bytes_over_several_lines_are_evidence_under_a_carriers_name(void **state)
{
    static const char *const keys[] = {"\t\"MESSAGE\" : [", "\t\"user_agent\" : [", "  [",
                                       "\"headers\": [["};
    static const char pong[] = PONG;
    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char text[2048];
        size_t len = (size_t)snprintf(text, sizeof(text), "%s", keys[i]);
        for (const char *at = pong; *at != '\0'; at++) {
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%d%s",
                                    at == &pong[9] ? "\n" : "", *at, at[1] != '\0' ? "," : "");
        }
        snprintf(text + len, sizeof(text) - len, "\n]");
        struct seen seen = read_line(text);
        assert_int_equal(seen.count, i == 0);
        assert_int_equal(seen.unread.lost, i == 1 || i == 2);
    }
}

static void a_newline_in_somebodys_string_begins_no_line(void **state)
{
    (void)state;
    for (size_t n = 0; n < LINES; n++) {
        char text[1024];
        char line[2048];
        snprintf(text, sizeof(text), "GET /?x=%s\n%s", n == 1 ? "received pong" : "", lines[n]);
        put(line, "{\"message\":%}", text, true);
        assert_refused(line);
        snprintf(text, sizeof(text), "\n%s\nmore", lines[n]); /* one of ours goes before */
        put(line, "{\"message\":%}", text, true);
        assert_evidence(line);
    }
}

static void a_line_and_a_clients_are_told_apart_in_one_object(void **state)
{
    (void)state;
    struct seen seen = read_line("{\"log\":\"" PONG "\",\"user_agent\":\"" PONG "\"}");
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.unread.lost, 1); /* the other is not made good by it */
    seen = read_line("{\"user_agent\":\"" PONG "\",\"log\":\"" PONG "\"}");
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.unread.lost, 1);
    seen = read_line("{\"pod_name\":\"AGENT_v1\",\"log\":\"" PONG "\"}"); /* a label */
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.unread.lost, 0);
}

static void prefixes_end_where_they_are_cut(void **state)
{
    static const char whole[] =
        "<14>1 2026-11-25T15:14:10Z host agent 7 - - [pod/a/b] {a=\"b\\\"} level=info "
        "source=\"x\\\" msg=\"I1125 15:14:10.1 1 m.go:5]";
    (void)state;
    for (size_t from = 0; from < sizeof(whole); from++) {
        for (size_t len = 0; len < sizeof(whole) - from; len++) {
            char *copy = strndup(whole + from, len); /* for valgrind and AddressSanitizer */
            (void)check_log_is_prefix(copy, len);
            (void)check_log_is_before_string(copy, len);
            free(copy);
        }
    }
    assert_false(check_log_is_prefix(whole, sizeof(whole) - 1));
    assert_true(check_log_is_prefix(whole, strlen("<14>1 2026-11-25T15:14:10Z host agent 7 - - ")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_behind_a_carriers_prefix_are_evidence),
        cmocka_unit_test(lines_in_somebodys_text_are_none),
        cmocka_unit_test(what_follows_an_object_makes_it_a_quotation),
        cmocka_unit_test(strings_of_carriers_are_evidence),
        cmocka_unit_test(strings_outside_of_objects_are_evidence),
        cmocka_unit_test(strings_of_anybody_else_are_none),
        cmocka_unit_test(a_header_that_is_called_as_a_carrier_calls_it_is_none),
        cmocka_unit_test(parts_in_somebodys_text_are_none),
        cmocka_unit_test(bytes_over_several_lines_are_evidence_under_a_carriers_name),
        cmocka_unit_test(a_newline_in_somebodys_string_begins_no_line),
        cmocka_unit_test(a_line_and_a_clients_are_told_apart_in_one_object),
        cmocka_unit_test(prefixes_end_where_they_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
