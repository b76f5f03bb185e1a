/* What a log line tells, and which lines tell nothing. */
#include "check/log_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct seen {
    size_t count;
    struct check_log_event last;
    uint64_t lines;
    struct check_log_unread unread;
};

static void on_event(void *user, const struct check_log_event *event)
{
    struct seen *seen = user;
    seen->count++;
    seen->last = *event;
}

static struct seen read_bytes(const char *bytes, size_t len, size_t piece)
{
    struct check_log_reader reader = {0};
    struct seen seen = {0};
    for (size_t at = 0; at < len; at += piece) {
        check_log_feed(&reader, bytes + at, len - at < piece ? len - at : piece, on_event, &seen);
    }
    check_log_finish(&reader, on_event, &seen);
    seen.lines = reader.lines;
    seen.unread = reader.unread;
    return seen;
}

static struct seen read_text(const char *text, size_t piece)
{
    return read_bytes(text, strlen(text), piece);
}

static void assert_is_pong(const struct seen *seen)
{
    assert_int_equal(seen->count, 1);
    assert_int_equal(seen->unread.lines, 0);
    assert_int_equal(seen->last.kind, CHECK_LOG_PONG);
    assert_string_equal(seen->last.version, "v1.1");
    assert_string_equal(seen->last.id, "a");
    assert_string_equal(seen->last.peer_version, "v1");
    assert_string_equal(seen->last.peer_id, "pod");
}

static void assert_pong(const char *text)
{
    for (size_t piece = 1; piece < 9; piece++) {
        struct seen seen = read_text(text, piece);
        assert_is_pong(&seen);
    }
}

#define PONG "[AGENT_v1.1/a] Received pong from server=v1/pod message=pong"
#define JSON_PONG                                                                                  \
    "{\"role\":\"agent\",\"version\":\"v1.1\",\"id\":\"a\","                                       \
    "\"msg\":\"Received pong from server=v1/pod message=pong\"}"

static void a_pong_is_read_behind_every_prefix(void **state)
{
    static const char *const prefixes[] = {
        "",
        "  \t",
        "\xef\xbb\xbf",
        "2026/11/25 15:14:10 ",
        "2026/11/25 15:14:10.123456 ",
        "2026/11/25 15:14:10 main.go:57: ",
        "[pod/agent-x/agent] ",
        "[pod/agent-x/agent] 2026-01-02T03:04:05.678901234Z ",
        "[pod/agent-x/agent] 2026-01-02T03:04:05.678901234Z 2026/11/25 15:14:10 ",
        "2026-01-02T03:04:05.678901234Z stdout F ",
        "2026-01-02T03:04:05.678901234+01:00 stderr F 2026/11/25 15:14:10 ",
        "agent-v1-1-7d75d76558-nk7bn agent ",
        "\x1b[36magent-v1-1-nk7bn\x1b[0m \x1b[36;1magent\x1b[0m ",
        "agent-v1-1-1  | ",
        "\x1b[36magent-1  | \x1b[0m",
        "Nov 25 15:14:10 host grpcroute[1234]: ",
        "2026-11-25T15:14:10+0100 host agent[7]: ",
        "<14>1 2026-11-25T15:14:10Z host agent 7 - - ",
        "2026-11-25T15:14:10Z {app=\"agent\", pod=\"agent-x\"} ",
        "{\"app\":\"agent\"} ",
        "I1125 15:14:10.123456       1 main.go:57] ",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        char line[512];
        snprintf(line, sizeof(line), "%s" PONG "\n", prefixes[i]);
        assert_pong(line);
        snprintf(line, sizeof(line), "%s" PONG "\r\n", prefixes[i]);
        assert_pong(line);
        snprintf(line, sizeof(line), "%s" JSON_PONG "\n", prefixes[i]);
        assert_pong(line);
    }
}

static void a_pong_is_read_out_of_objects(void **state)
{
    (void)state;
    assert_pong("{\"log\":\"" PONG
                "\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05Z\"}\n");
    assert_pong("{\"log\":\"{\\\"role\\\":\\\"agent\\\",\\\"version\\\":\\\"v1.1\\\",\\\"id\\\":"
                "\\\"a\\\",\\\"msg\\\":\\\"Received pong from server=v1/pod message=pong\\\"}\\n\","
                "\"stream\":\"stdout\"}\n");
    assert_pong("{\"labels\":{\"app\":\"agent\"},\"line\":\"" PONG "\",\"timestamp\":\"1\"}\n");
    assert_pong("{\"__REALTIME_TIMESTAMP\":\"1\",\"MESSAGE\":\"" PONG "\"}\n");
    assert_pong("  \"MESSAGE\" : \"" PONG "\",\n");
    assert_pong("time=2026-01-02T03:04:05Z level=INFO msg=\"" PONG "\" pod=x\n");
    assert_pong("{\"data\":{\"result\":[{\"values\":[[\"17\",\"" PONG "\"]]}]}}\n");
    assert_pong("{\"log\":\"\\u001b[32m" PONG "\\u001b[0m\\n\",\"message\":\"" PONG "\"}\n");
    /* journald writes a message with colours as bytes: ESC [ m and the line's first half */
    assert_pong("{\"MESSAGE\":[27,91,109,91,65,71,69,78,84,95,118,49,46,49,47,97,93,32,82,101,99,"
                "101,105,118,101,100,32,112,111,110,103,32,102,114,111,109,32,115,101,114,118,101,"
                "114,61,118,49,47,112,111,100,32,109,101,115,115,97,103,101,61,112]}\n");
}

static void several_lines_in_one_object_are_all_read(void **state)
{
    (void)state;
    struct seen seen = read_text(
        "{\"streams\":[{\"values\":[[\"1\",\"" PONG "\"],[\"2\",\"" PONG "\\n" PONG "\"]]}]}\n", 9);
    assert_int_equal(seen.count, 3);
}

static void assert_lost(const char *text)
{
    char file[1024];
    snprintf(file, sizeof(file), "x\n%s\ny\n", text);
    struct seen seen = read_text(file, 5);
    assert_int_equal(seen.unread.lost, 1);
}

static struct seen read_utf16(const char *text, bool little, bool mark)
{
    char bytes[1024];
    size_t len = 0;
    if (mark) {
        bytes[len++] = (char)(little ? 0xff : 0xfe);
        bytes[len++] = (char)(little ? 0xfe : 0xff);
    }
    for (; *text != '\0'; text++) {
        bytes[len++] = little ? *text : '\0';
        bytes[len++] = little ? '\0' : *text;
    }
    return read_bytes(bytes, len, 3);
}

static void utf16_is_read_with_and_without_its_mark(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct seen seen = read_utf16(PONG "\r\n", (i & 1) != 0, (i & 2) != 0);
        assert_is_pong(&seen);
    }
}

static void utf16_appended_to_another_file_is_read(void **state)
{
    (void)state;
    char bytes[1024];
    size_t len = (size_t)snprintf(bytes, sizeof(bytes), "%s", PONG "\n");
    for (const char *at = PONG "\r\n"; *at != '\0'; at++) {
        bytes[len++] = *at;
        bytes[len++] = '\0';
    }
    struct seen seen = read_bytes(bytes, len, len);
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.last.peer_id, "pod");
    assert_int_equal(seen.unread.lost, 0);
}

static void parts_are_joined(void **state)
{
    (void)state;
    assert_pong("2026-01-02T03:04:05.678901234Z stdout P [AGENT_v1.1/a] Rec\n"
                "2026-01-02T03:04:05.678901234Z stdout P eived pong \n"
                "2026-01-02T03:04:05.678901234Z stderr F \n"
                "2026-01-02T03:04:05.678901234Z stdout F from server=v1/pod message=pong\n");
    struct seen seen = read_text("2026-01-02T03:04:05.678901234Z stdout P [AGENT_v1.1/a] Rec\n", 5);
    assert_int_equal(seen.count, 0);
    assert_int_equal(seen.unread.lines, 1);
}

#define OPENED "[SERVER_v2/s] Stream opened from agent-id=a agent-version=v2.1"

/* Appends the form with `part` in the place of its %. */
static void fill(char text[1024], const char *form, const char *part)
{
    size_t len = strlen(text);
    snprintf(text + len, 1024 - len, "%.*s%s%s", (int)strcspn(form, "%"), form, part,
             strchr(form, '%') + 1);
}

/* Each carrier's own mark of a line that it cut. */
static void parts_of_every_carrier_are_joined(void **state)
{
    (void)state;
    static const char *const halves[][2] = {
        {"{\"log\":\"%\",\"stream\":\"stdout\",\"time\":\"t\"}\n", /* docker */
         "{\"log\":\"%\\n\",\"stream\":\"stdout\",\"time\":\"t\"}\n"},
        {"{\"stream\":\"stdout\",\"logtag\":\"P\",\"log\":\"%\"}\n", /* fluent-bit */
         "{\"stream\":\"stdout\",\"logtag\":\"F\",\"log\":\"%\"}\n"},
        {"{\"partial_message\":\"true\",\"container_id\":\"c\",\"log\":\"%\"}\n", /* fluentd */
         "{\"container_id\":\"c\",\"log\":\"%\"}\n"},
        {"{\"CONTAINER_PARTIAL_MESSAGE\":\"true\",\"MESSAGE\":\"%\"}\n", /* journald */
         "{\"MESSAGE\":\"%\"}\n"},
        {"{\"_partial\":true,\"message\":\"%\"}\n", "{\"_partial\":false,\"message\":\"%\"}\n"},
        {"{\"line\":\"2026-01-02T03:04:05.678901234Z stdout P %\"}\n", /* promtail */
         "{\"line\":\"2026-01-02T03:04:05.678901234Z stdout F %\"}\n"},
        {"/var/log/0.log:2026-01-02T03:04:05.678901234Z stdout P %\n", /* grep -r */
         "/var/log/0.log:2026-01-02T03:04:05.678901235Z stdout F %\n"},
    };
    for (size_t i = 0; i < sizeof(halves) / sizeof(halves[0]); i++) {
        for (size_t cut = 1; cut < strlen(PONG); cut++) {
            char front[128];
            char text[1024];
            snprintf(front, sizeof(front), "%.*s", (int)cut, PONG);
            text[0] = '\0';
            fill(text, halves[i][0], front);
            fill(text, halves[i][1], &PONG[cut]);
            struct seen seen = read_text(text, 7);
            assert_is_pong(&seen);
        }
    }
}

static void parts_of_two_containers_are_not_mixed(void **state)
{
    (void)state;
    struct seen seen = read_text(
        "a.log:2026-01-02T03:04:05.678901234Z stdout P [AGENT_v1.1/a] Recei\n"
        "b.log:2026-01-02T03:04:05.678901234Z stdout P [AGENT_v2.1/b] Str\n"
        "a.log:2026-01-02T03:04:05.678901234Z stdout F ved pong from server=v1/pod message=pong\n"
        "b.log:2026-01-02T03:04:05.678901234Z stdout F eam opened to h:1\n",
        7);
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.last.id, "b");
    assert_int_equal(seen.unread.lines, 0);
}

/* Others write docker's members and leave out the line's end. */
static void records_without_the_end_of_a_line_are_lines(void **state)
{
    (void)state;
    char text[1024];
    size_t len = 0;
    for (unsigned i = 0; i < 3; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                "{\"log\":\"%s\",\"stream\":\"stdout\",\"time\":\"t\"}\n",
                                i < 2 ? OPENED : PONG);
    }
    struct seen seen = read_text(text, 9);
    assert_int_equal(seen.count, 3);
}

static void parts_that_never_end_are_counted(void **state)
{
    (void)state;
    char text[64 * 1024];
    size_t len = 0;
    for (unsigned i = 0; i < 2 * CHECK_LOG_PARTS; i++) {
        len += (size_t)snprintf(
            text + len, sizeof(text) - len,
            "f%u.log:2026-01-02T03:04:05.678901234Z stdout P [AGENT_v1.1/a] Rec\n", i);
    }
    snprintf(text + len, sizeof(text) - len, PONG "\n");
    struct seen seen = read_text(text, 100);
    assert_int_equal(seen.unread.lost, 2 * CHECK_LOG_PARTS);
    assert_int_equal(seen.count, 1);
}

static void bytes_over_several_lines_are_a_line(void **state)
{
    (void)state;
    char text[1024];
    size_t len = (size_t)snprintf(text, sizeof(text), "{\n\t\"MESSAGE\" : [\n");
    for (const char *at = "\x1b[32m" PONG; *at != '\0'; at++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "\t\t%d%s\n", *at,
                                at[1] != '\0' ? "," : "");
    }
    snprintf(text + len, sizeof(text) - len, "\t]\n}\n");
    struct seen seen = read_text(text, 5);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.last.peer_id, "pod");
}

/* Nobody ended the first line, so the second must not be taken for its words. */
static void a_line_in_the_words_of_another_is_lost(void **state)
{
    (void)state;
    assert_lost("[AGENT_v1.1/a] Sent ping" PONG);
    assert_lost("[AGENT_v1.1/a] Sent ping " PONG);
    assert_lost("[AGENT_v1.1/a] Stream opened to h:1\x01" PONG);
    assert_lost(PONG OPENED);
    assert_lost("[AGENT_v1.1/a] Received pong from server=" PONG);
    assert_lost(PONG "\f" PONG);
    assert_lost(PONG "\v" OPENED);
    struct seen seen = read_text(PONG "\r" PONG "\r\n\f" PONG "\n\v" PONG, 3);
    assert_int_equal(seen.count, 4);
}

static void what_is_packed_is_known(void **state)
{
    (void)state;
    struct check_log_reader reader = {0};
    struct seen seen = {0};
    check_log_feed(&reader, "\x1f\x8b\x08", 3, on_event, &seen);
    assert_string_equal(check_log_packed(&reader), "gzip");
    check_log_finish(&reader, on_event, &seen);
    assert_lost("\x1f\x8b\x08 appended to a text");
    assert_lost("\x02x\x03y\x04\xfe");
    assert_lost("{\"data\":\"WFtBR0VOVF92MS4xL2FdIFJlY2VpdmVkIHBvbmc=\"}");
}

/* The name at the end of a line ends where the carrier's own text begins. */
static void what_stands_behind_a_line_is_no_name(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "textPayload: '" OPENED "'\n",
        "  \"textPayload\": \"2026/11/25 15:14:10 " OPENED "\\n\",\n",
        "\"" OPENED "\\n\"\n",
        "b'" OPENED "\\n'\n",
        "1764083650," OPENED ",pod-1\n",
        "EVENTS\t17\t" OPENED "\t18\n",
        "level=info msg='" OPENED "' pod=x\n",
        "{\"log\":\"" OPENED "\tx\"}\n",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct seen seen = read_text(lines[i], 9);
        assert_int_equal(seen.count, 1);
        assert_string_equal(seen.last.peer_version, "v2.1");
    }
}

/* Nor is a part of a name taken for it: a prefix opens a quote only where it ends with one. */
static void a_name_is_the_same_behind_every_prefix(void **state)
{
    static const char *const prefixes[] = {
        "",
        "[pod/x/agent] 2026-01-02T03:04:05.678901234Z ",
        "2026-11-25T15:14:10Z {app=\"server\", pod=\"x\"} ",
        "{\"app\":\"server\"} ",
        "<14>1 2026-11-25T15:14:10Z host agent 7 - - ",
        "server-1  | ",
        "Nov 25, 2026 @ 15:14:10,123 ",
        "{\"log\":\"",
    };
    static const char *const names[] = {"v\\\".1", "v1<x", "v1,x", "v1|x",
                                        "v1)x",    "v1]x", "v;1",  "v'1"};
    (void)state;
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
            bool in_object = prefixes[i][0] == '{' && strstr(prefixes[i], "log") != NULL;
            const char *name = n == 0 && !in_object ? "v\".1" : names[n];
            char line[512];
            snprintf(line, sizeof(line),
                     "%s[SERVER_v2/s] Stream opened from agent-id=a agent-version=%s%s\n",
                     prefixes[i], name, in_object ? "\"}" : "");
            struct seen seen = read_text(line, 9);
            assert_int_equal(seen.count, 1);
            assert_string_equal(seen.last.peer_version, n == 0 ? "v\".1" : name);
        }
    }
}

static void all_objects_of_a_line_are_read(void **state)
{
    (void)state;
    struct seen seen = read_text("{\"log\":\"" PONG "\"}{\"a\":1}{\"log\":\"" OPENED "\"}\n", 9);
    assert_int_equal(seen.count, 2);
    seen = read_text("{\"note\":\"see [AGENT_v9/x] Sent ping\",\"log\":\"" PONG "\"}\n", 9);
    assert_int_equal(seen.count, 1);
    seen = read_text("{\"stdout\":\"" PONG "\",\"stderr\":\"" OPENED "\"}\n", 9);
    assert_int_equal(seen.count, 2);
    seen = read_text("{\"stdout\":\"" PONG "\\n" PONG "\",\"lines\":[\"" PONG "\",\"" PONG "\"]}\n",
                     9);
    assert_int_equal(seen.count, 2); /* twice the same */
    seen =
        read_text("[[\"1\",\"" PONG "\"],[\"2\",\"[AGENT_v1.1/a] Received po\"]]\n" PONG "\n", 9);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.unread.lost, 1); /* a line that is lost is not made good by another */
}

static void files_of_any_encoding_may_be_appended(void **state)
{
    (void)state;
    char bytes[1024];
    size_t len = 0;
    bytes[len++] = (char)0xff;
    bytes[len++] = (char)0xfe;
    for (const char *at = PONG "\r\n"; *at != '\0'; at++) {
        bytes[len++] = *at;
        bytes[len++] = '\0';
    }
    len += (size_t)snprintf(bytes + len, sizeof(bytes) - len, "%s", PONG "\n\xff\xfe " PONG "\n");
    memset(bytes + len, 0, 100); /* a hole */
    len += 100;
    len += (size_t)snprintf(bytes + len, sizeof(bytes) - len, "%s", PONG "\n");
    struct seen seen = read_bytes(bytes, len, 7);
    assert_int_equal(seen.count, 4);
    assert_int_equal(seen.unread.lines, 0);
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
    seen =
        read_text("msg=\"[SERVER_v2/s] Stream opened from agent-id=a agent-version=v2.1\" x\n", 7);
    assert_string_equal(seen.last.peer_version, "v2.1");
}

/* What is not ours is counted; what may be ours weighs on a verdict. */
static void assert_unread(const char *text, size_t lines, size_t lost)
{
    char file[1024]; /* the line is neither the file's first nor its last */
    snprintf(file, sizeof(file), PONG "\n%s\n" PONG "\n", text);
    struct seen seen = read_text(file, 5);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.unread.lines, lines);
    assert_int_equal(seen.unread.lost, lost);
}

static void what_is_not_understood_is_counted(void **state)
{
    (void)state;
    assert_unread("", 0, 0);
    assert_unread("[AGENT_v1.1/a] Sent ping", 0, 0);
    assert_unread("[AGENT_v1.1/a] Connection to proxy:8443 failed: refused", 0, 0);
    assert_unread("[PROXY] Stream opened from 10.0.0.1", 0, 0);
    assert_unread("panic: runtime error", 1, 0);
    assert_unread("{\"level\":\"info\",\"msg\":\"hello\"}", 1, 0);
    assert_unread("error: container \"agent\" in pod \"x\" is waiting to start: ContainerCreating",
                  1, 0);
    assert_unread("error: the server is gone", 1, 1);
    assert_unread("[AGENT_v1.1/a] Received po", 1, 1);
    assert_unread("[AGENT_v1.1/a] Received pong from server=v2/x", 1, 1);
    assert_unread("[AGENT_v1.1/a", 1, 1);
    assert_unread("{\"role\":\"agent\",\"msg\":\"Received pong from server=v2/x", 1, 1);
    assert_unread("Received pong from server=v2/x message=pong", 1, 1);
    assert_unread("{\"msg\":\"Received pong\",\"server\":\"v2\"}", 1, 1);
    assert_unread("AGENT_v1.1: Received pong from v2", 1, 1);
    assert_unread("[LOG] 12 log lines were dropped: standard output took bytes too slowly", 1, 1);
    assert_unread(
        "{\"role\":\"log\",\"event\":\"log_lines_dropped\",\"lines\":\"3\",\"msg\":\"3 log lines were dropped\"}",
        1, 1);
    assert_unread("unable to retrieve container logs for containerd://1234", 1, 1);
    assert_unread(
        "Nov 25 15:14:10 h systemd-journald[1]: Suppressed 52 messages from agent.service", 1, 1);
}

static void the_first_line_that_may_be_evidence_is_quoted(void **state)
{
    (void)state;
    struct seen seen = read_text("noise\nmore\nReceived pong\x1b]0;x from [ v2\n" PONG "\n", 5);
    assert_int_equal(seen.unread.lines, 3);
    assert_int_equal(seen.unread.lost, 1);
    assert_string_equal(seen.unread.quote, "Received pong\\x1b]0;x from [ v2");
}

static void ends_of_a_file_may_be_cut(void **state)
{
    (void)state;
    struct seen seen = read_text("ved pong from server=v1/pod message=pong\n" PONG "\n"
                                 "[AGENT_v1.1/a] Received pong from ser",
                                 5);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.lines, 3);
    assert_int_equal(seen.unread.lines, 2);
    assert_int_equal(seen.unread.lost, 0);
    assert_pong(PONG); /* whole, though its newline is missing */
    /* but what ends with a name may go on */
    seen = read_text("[SERVER_v2/s] Stream opened from agent-id=a agent-version=v2.1", 5);
    assert_int_equal(seen.count, 0);
    assert_int_equal(seen.unread.lines, 1);
}

/* Files that were cut within a line and put together in another order. */
static void what_lacks_its_beginning_is_said(void **state)
{
    static const char *const tails[] = {
        "opened to proxy:8443",
        "1/a] Received pong from server=v1/pod message=pong",
        "ong from server=v1/pod message=pong",
        "ver=v1/pod message=pong",
        "1/pod message=pong",
        "-id=a agent-version=v1.1",
        "a agent-version=v1.1 message=ping",
        "rsion=v1.1",
        "g\":\"grpcroute.stream\",\"event\":\"end\",\"path\":\"/p\",\"bytes_down\":9}",
        "\"agent_id\":\"" PONG "\",\"path\":\"/p\"}",
        "1.1\",\"path\":\"/{p\",\"age_ms\":9}",
        "9,\"ServiceAddr\":\"h:1\",\"request_Agent-Id\":\"a\"}",
        "ong from server=v1/pod message=pong\\n\",\"stream\":\"stdout\",\"time\":\"t\"}",
        "9,\\\"age_ms\\\":9}\\n\",\"stream\":\"stdout\",\"time\":\"t\"}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        char file[1024];
        snprintf(file, sizeof(file), PONG "\n%s\n" PONG "\n", tails[i]);
        struct seen seen = read_text(file, 5);
        if (seen.count != 2 || seen.unread.lost != 1 || seen.unread.tails != 1) {
            fail_msg("%s", tails[i]);
        }
        seen = read_text(strchr(file, '\n') + 1, 5); /* as the first it was cut by who copied it */
        if (seen.count != 1 || seen.unread.lost != 0 || seen.unread.tails != 1) {
            fail_msg("%s", tails[i]);
        }
    }
    assert_int_equal(read_text("2026/11/25 15:14:10 " PONG "\"age_ms\":9}", 5).count, 1);
    static const char *const others[] = {"x message=y",
                                         "a/b c message=y",
                                         "to whom it may",
                                         "{\"age_ms\":9}",
                                         "\"age_ms\": 9,",
                                         "/x message=y",
                                         "}",
                                         "version=1.2 starting",
                                         "version=v1.2.3",
                                         "version=",
                                         "INFO handled {\"http_status\":200}",
                                         "I1 x: {\"a\":{\"grpc_status\":0}}",
                                         "path=a/b message=y"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(read_text(others[i], 5).unread.tails, 0);
    }
}

static void only_the_first_front_counts(void **state)
{
    (void)state;
    struct seen seen = read_text("[AGENT_v1.1/a] Connection lost: \"" PONG "\"\n", 5);
    assert_int_equal(seen.count, 0);
    seen = read_text(
        "[SERVER_v1/s] Received ping from agent-id=" PONG " agent-version=v9.1 message=x\n", 5);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.last.kind, CHECK_LOG_PING);
}

static void a_long_line_is_counted_and_the_next_is_read(void **state)
{
    (void)state;
    struct check_log_reader reader = {0};
    struct seen seen = {0};
    for (size_t i = 0; i < 3 * CHECK_LOG_LINE_BYTES; i++) {
        check_log_feed(&reader, "x", 1, on_event, &seen);
    }
    check_log_feed(&reader, "\n" PONG "\n", sizeof(PONG) + 1, on_event, &seen);
    assert_int_equal(reader.unread.lines, 1);
    assert_int_equal(reader.unread.lost, 0);
    assert_int_equal(seen.count, 1);
    check_log_feed(&reader, PONG, sizeof(PONG) - 1, on_event, &seen);
    for (size_t i = 0; i < 3 * CHECK_LOG_LINE_BYTES; i++) {
        check_log_feed(&reader, "x", 1, on_event, &seen);
    }
    check_log_feed(&reader, "\n", 1, on_event, &seen);
    assert_int_equal(reader.unread.lost, 1);
    assert_int_equal(seen.count, 1);
    check_log_finish(&reader, on_event, &seen);
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
        cmocka_unit_test(a_pong_is_read_out_of_objects),
        cmocka_unit_test(several_lines_in_one_object_are_all_read),
        cmocka_unit_test(utf16_is_read_with_and_without_its_mark),
        cmocka_unit_test(utf16_appended_to_another_file_is_read),
        cmocka_unit_test(parts_are_joined),
        cmocka_unit_test(parts_of_every_carrier_are_joined),
        cmocka_unit_test(parts_of_two_containers_are_not_mixed),
        cmocka_unit_test(records_without_the_end_of_a_line_are_lines),
        cmocka_unit_test(parts_that_never_end_are_counted),
        cmocka_unit_test(bytes_over_several_lines_are_a_line),
        cmocka_unit_test(a_line_in_the_words_of_another_is_lost),
        cmocka_unit_test(what_is_packed_is_known),
        cmocka_unit_test(what_stands_behind_a_line_is_no_name),
        cmocka_unit_test(a_name_is_the_same_behind_every_prefix),
        cmocka_unit_test(all_objects_of_a_line_are_read),
        cmocka_unit_test(files_of_any_encoding_may_be_appended),
        cmocka_unit_test(a_server_names_the_agent_it_saw),
        cmocka_unit_test(what_is_not_understood_is_counted),
        cmocka_unit_test(the_first_line_that_may_be_evidence_is_quoted),
        cmocka_unit_test(ends_of_a_file_may_be_cut),
        cmocka_unit_test(what_lacks_its_beginning_is_said),
        cmocka_unit_test(only_the_first_front_counts),
        cmocka_unit_test(a_long_line_is_counted_and_the_next_is_read),
        cmocka_unit_test(control_bytes_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
