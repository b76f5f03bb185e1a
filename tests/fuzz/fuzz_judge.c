/* Whole logs, from bytes to verdict and report: whatever they hold, a version or a stream passes
 * only with the evidence that a second count of the events finds; what is printed is well-formed;
 * the prefixes of those who carry logs change nothing; and in anybody else's text a line says
 * nothing. */
#include "fuzz.h"

#include "check/log_judge.h"
#include "check/print.h"
#include "check/verdict.h"
#include "cli/exit.h"

#include <cjson/cJSON.h>

#define VERSIONS     2
#define XML_DEPTH    16
#define LINE_BYTES   4096
#define MESSAGES_MAX 4
#define PATH         "/p.S/M"

static const char *const agent_versions[VERSIONS] = {"v1.1", "v2.1"};
static const char *const server_versions[VERSIONS] = {"v1", "v2"};

/* What the events say, counted without the judge. */
struct count {
    struct check_logs *logs; /* NULL: only counted */
    uint64_t events;
    uint64_t sum; /* over everything that the events say */
    uint64_t agent_lines;
    uint64_t opened[VERSIONS];
    uint64_t seen_opened[VERSIONS];
    uint64_t pongs[VERSIONS];
    uint64_t seen_pings[VERSIONS];
    bool wrong[VERSIONS];
    uint64_t proxied[VERSIONS]; /* answered, by a proxy's log */
};

static void add_to_sum(struct count *count, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        FUZZ_CHECK(*at >= 0x20 && *at <= 0x7e);
        count->sum = count->sum * 31 + (unsigned char)*at;
    }
    count->sum = count->sum * 31 + 1;
}

static size_t version_of(const char *agent_version)
{
    size_t version = 0;
    while (version < VERSIONS && strcmp(agent_versions[version], agent_version) != 0) {
        version++;
    }
    return version;
}

static void count_by_agent(struct count *count, const struct check_log_event *event)
{
    size_t version = version_of(event->version);
    count->agent_lines++;
    if (version < VERSIONS && event->kind == CHECK_LOG_AGENT_OPENED) {
        count->opened[version]++;
    } else if (version < VERSIONS) {
        count->pongs[version]++;
        count->wrong[version] |= strcmp(event->peer_version, server_versions[version]) != 0;
    }
}

static void count_by_server(struct count *count, const struct check_log_event *event)
{
    size_t version = version_of(event->peer_version);
    if (version < VERSIONS) {
        count->seen_opened[version] += event->kind == CHECK_LOG_SERVER_OPENED;
        count->seen_pings[version] += event->kind == CHECK_LOG_PING;
    }
}

/* Of a cluster named otherwise nothing is known. */
static struct role_expectation servers_of(void *user, const char *cluster)
{
    struct role_expectation servers = {.rule = ROLE_EXPECT_UNKNOWN};
    (void)user;
    if (cluster[0] == 'v') {
        servers.rule = ROLE_EXPECT_SERVER;
        servers.version_count = 1;
        snprintf(servers.versions[0], ROLE_VERSION_BYTES, "%s", cluster);
    }
    return servers;
}

static void count_by_proxy(struct count *count, const struct check_log_event *event)
{
    size_t version = version_of(event->version);
    if (version == VERSIONS || strcmp(event->stream.path, PATH) != 0) {
        return;
    }
    const char *server =
        event->peer_version[0] != '\0' ? event->peer_version : event->stream.cluster;
    bool right = strcmp(server, server_versions[version]) == 0;
    bool known = server == event->peer_version || server[0] == 'v';
    count->proxied[version] += right && event->stream.answered;
    count->wrong[version] |= known && !right;
}

static void on_event(void *user, const struct check_log_event *event)
{
    struct count *count = user;
    bool of_agent = event->kind == CHECK_LOG_AGENT_OPENED || event->kind == CHECK_LOG_PONG;
    count->events++;
    count->sum = count->sum * 31 + event->kind;
    add_to_sum(count, event->version);
    add_to_sum(count, event->id);
    add_to_sum(count, event->peer_version);
    add_to_sum(count, event->peer_id);
    add_to_sum(count, event->stream.path);
    add_to_sum(count, event->stream.cluster);
    add_to_sum(count, event->stream.endpoint);
    add_to_sum(count, event->stream.reason);
    if (event->kind == CHECK_LOG_STREAM) {
        count_by_proxy(count, event);
    } else {
        (of_agent ? count_by_agent : count_by_server)(count, event);
    }
    if (count->logs != NULL) {
        check_logs_take(count->logs, event);
    }
}

static void feed(struct count *count, const char *bytes, size_t size, size_t piece)
{
    struct check_log_reader *reader = calloc(1, sizeof(*reader));
    FUZZ_CHECK(reader != NULL);
    for (size_t at = 0; at < size; at += piece) {
        check_log_feed(reader, bytes + at, size - at < piece ? size - at : piece, on_event, count);
    }
    check_log_finish(reader, on_event, count);
    FUZZ_CHECK(reader->lines >= reader->unread.lines &&
               reader->unread.lines >= reader->unread.lost);
    free(reader);
}

/* ---- prefixes -------------------------------------------------------------------------------- */

struct carrier {
    const char *front;
    const char *back;
};

static const struct carrier carriers[] = {
    {"", "\n"},
    {"", "\r\n"},
    {"2026-01-02T03:04:05.678901234Z ", "\n"},
    {"2026-01-02T03:04:05.678901234+01:00 stderr F ", "\n"},
    {"[pod/server-v1-7d9c/server] ", "\n"},
    {"2026/11/25 15:14:10 ", "\n"},
    {"2026/11/25 15:14:10.123456 main.go:57: ", "\r\n"},
    {"server-v1-7d9c6 server ", "\n"},
    {"\x1b[36mserver-v1-7d9c6\x1b[0m \x1b[36;1mserver\x1b[0m ", "\n"},
    {"\x1b[36mserver-v1-1  | \x1b[0m", "\n"},
    {"Nov 25 15:14:10 host grpcroute[1234]: ", "\n"},
    {"2026-11-25T15:14:10Z {app=\"server\", pod=\"x\"} ", "\n"},
    {"{\"app\":\"server\"} \t", "\n"},
    {"2026-01-02T03:04:05.678901234Z stdout P \n2026-01-02T03:04:05.678901234Z stdout F ", "\n"},
    {"[pod/server-v1-7d9c/server] 2026-01-02T03:04:05.678901234Z ", "\n"},
};

/* A line of ours in text, one and whole. With braces, a second bracket, or base64 of our words in
 * it, it is JSON, several lines or what was cut: how that is read depends on what stands before it.
 */
static bool is_ours(const char *line, size_t len)
{
    return len > 8 && len < LINE_BYTES && memchr(line, '\0', len) == NULL &&
           memchr(line, '{', len) == NULL && memchr(line, '}', len) == NULL &&
           memchr(line + 1, '[', len - 1) == NULL &&
           memchr(line, ']', len) == memrchr(line, ']', len) &&
           memmem(line, len, "FTlRf", 5) == NULL && memmem(line, len, "SVkVSX", 6) == NULL &&
           (memcmp(line, "[AGENT_", 7) == 0 || memcmp(line, "[SERVER_", 8) == 0);
}

/* The lines of agents and servers among the bytes, as `carrier` would bring them. */
static void feed_carried(struct count *count, const char *bytes, size_t size,
                         const struct carrier *carrier)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    FUZZ_CHECK(out != NULL);
    const char *end;
    for (const char *at = bytes; (end = memchr(at, '\n', (size_t)(bytes + size - at))) != NULL;
         at = end + 1) {
        size_t line_len = (size_t)(end - at);
        if (is_ours(at, line_len) && at[line_len - 1] != '\r') {
            fputs(carrier->front, out);
            fwrite(at, 1, line_len, out);
            fputs(carrier->back, out);
        }
    }
    fclose(out);
    feed(count, text, len, len + 1);
    free(text);
}

static void carried_by_whomever_they_say_the_same(const char *bytes, size_t size)
{
    struct count plain = {0};
    feed_carried(&plain, bytes, size, &carriers[0]);
    for (size_t i = 1; i < sizeof(carriers) / sizeof(carriers[0]); i++) {
        struct count carried = {0};
        feed_carried(&carried, bytes, size, &carriers[i]);
        FUZZ_CHECK(carried.events == plain.events && carried.sum == plain.sum);
    }
}

/* What others write before a line that they quote. */
static const struct carrier others[] = {
    {"GET ", "\n"},
    {"2026/11/25 15:14:10 [error] client sent ", "\n"},
    {"Nov 25 15:14:10 host nginx: ", "\n"},
    {"level=info ua=\"", "\"\n"},
    {"{\"user_agent\":\"", "\"}\n"},
    {"{\"headers\":{\"message\":\"", "\"}}\n"},
    {"GET ua=2026-01-02T03:04:05.678901234Z stdout F ", "\n"},
    {"GET x\f", "\n"},
};

static void quoted_by_anybody_else_they_say_nothing(const char *bytes, size_t size)
{
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct count quoted = {0};
        feed_carried(&quoted, bytes, size, &others[i]);
        FUZZ_CHECK(quoted.events == 0);
    }
}

/* ---- what is printed ------------------------------------------------------------------------- */

/* Moves `*at` behind the tag that begins there and keeps the names of what is open. */
static void take_tag(const char **at, char open[XML_DEPTH][32], size_t *depth)
{
    const char *end = strchr(*at, '>');
    FUZZ_CHECK(end != NULL);
    const char *name = *at + 1 + ((*at)[1] == '/');
    size_t len = strcspn(name, " />");
    FUZZ_CHECK(len > 0 && len < 32);
    if ((*at)[1] == '/') {
        FUZZ_CHECK(*depth > 0 && strncmp(open[*depth - 1], name, len) == 0 &&
                   open[*depth - 1][len] == '\0');
        --*depth;
    } else if ((*at)[1] != '?' && end[-1] != '/') {
        FUZZ_CHECK(*depth < XML_DEPTH);
        snprintf(open[(*depth)++], 32, "%.*s", (int)len, name);
    }
    *at = end + 1;
}

/* Tags nest, and no text or attribute holds what would be a tag. */
static void check_xml(const char *text)
{
    char open[XML_DEPTH][32];
    size_t depth = 0;
    for (const char *at = text; *at != '\0';) {
        FUZZ_CHECK(*at != '>');
        if (*at == '<') {
            take_tag(&at, open, &depth);
        } else {
            at++;
        }
    }
    FUZZ_CHECK(depth == 0);
}

static void print_text(FILE *out, const void *report)
{
    check_print_text(out, report);
}

static void print_json(FILE *out, const void *report)
{
    cJSON *object = cJSON_CreateObject();
    check_print_json(object, report);
    char *text = cJSON_Print(object);
    FUZZ_CHECK(text != NULL);
    fputs(text, out);
    cJSON_free(text);
    cJSON_Delete(object);
}

static void check_printed(const struct check_report *report)
{
    char *text = fuzz_printed(print_text, report);
    char *json = fuzz_printed(print_json, report);
    char *junit = fuzz_printed(check_print_junit, report);
    cJSON *object = cJSON_Parse(json);
    FUZZ_CHECK(fuzz_is_plain(text) && fuzz_is_plain(json) && fuzz_is_plain(junit));
    FUZZ_CHECK(cJSON_IsObject(object));
    check_xml(junit);
    cJSON_Delete(object);
    free(text);
    free(json);
    free(junit);
}

/* ---- verdicts -------------------------------------------------------------------------------- */

static void check_verify(struct check_logs *logs, const struct count *count)
{
    struct check_report report;
    check_logs_verify(logs, &report);
    for (size_t i = 0; i < VERSIONS && report.result == CHECK_PASSED; i++) {
        bool of_agents = count->agent_lines > 0;
        bool told = (of_agents ? count->opened[i] : count->seen_opened[i]) > 0 &&
                    (of_agents ? count->pongs[i] : count->seen_pings[i]) >= logs->plan->messages;
        FUZZ_CHECK(told || count->proxied[i] > 0);
    }
    for (size_t i = 0; i < VERSIONS; i++) {
        FUZZ_CHECK(!count->wrong[i] || report.result == CHECK_FAILED);
    }
    FUZZ_CHECK((report.result == CHECK_PASSED) == (report.exit_code == EXIT_GOOD));
    check_printed(&report);
    check_report_deinit(&report);
}

static void check_sticky(struct check_logs *logs, const struct count *count)
{
    struct check_report report;
    check_logs_sticky(logs, "", &report);
    FUZZ_CHECK(report.result != CHECK_PASSED || count->agent_lines > logs->plan->messages - 1);
    FUZZ_CHECK((report.result == CHECK_PASSED) == (report.exit_code == EXIT_GOOD));
    check_printed(&report);
    check_report_deinit(&report);
}

static void plan_versions(struct check_plan *plan)
{
    for (size_t i = 0; i < VERSIONS; i++) {
        struct check_group *group =
            check_plan_add_group(plan, CHECK_GROUP_VERSION, CHECK_HEADER_ONCE, agent_versions[i]);
        group->expect.rule = ROLE_EXPECT_SERVER;
        group->expect.version_count = 1;
        snprintf(group->expect.versions[0], ROLE_VERSION_BYTES, "%s", server_versions[i]);
    }
}

/* What occurs without having been asked for. */
static struct role_expectation expect(void *user, const char *version)
{
    struct role_expectation expect = {.rule = ROLE_EXPECT_ANY};
    (void)user;
    if (version[0] != 'v') {
        expect.rule = ROLE_EXPECT_UNKNOWN;
    }
    return expect;
}

static void judge(const char *bytes, size_t size, size_t piece, struct check_plan *plan)
{
    struct check_run run;
    struct check_logs logs;
    struct count count = {.logs = &logs};
    check_run_init(&run, plan, "logs", 0);
    const struct check_log_owner verify = {.expect = expect, .servers = servers_of, .path = PATH};
    const struct check_log_owner sticky = {.path = PATH};
    check_logs_init(&logs, &run, plan, plan->command == CHECK_VERIFY ? &verify : &sticky);
    feed(&count, bytes, size, piece);
    (plan->command == CHECK_VERIFY ? check_verify : check_sticky)(&logs, &count);
    check_logs_unknown_agents(&logs);
    check_logs_deinit(&logs);
    check_run_deinit(&run);
}

/* The first byte: which command, how many messages it wants, the size of the pieces. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct check_plan plan = {
        .command = (data[0] & 1) != 0 ? CHECK_STICKY : CHECK_VERIFY,
        .messages = 1 + (data[0] >> 1) % MESSAGES_MAX,
        .from_logs = true,
    };
    if (plan.command == CHECK_VERIFY) {
        plan_versions(&plan);
    }
    judge((const char *)data + 1, size - 1, 1 + (size_t)(data[0] >> 3) * 16, &plan);
    check_plan_deinit(&plan);
    carried_by_whomever_they_say_the_same((const char *)data + 1, size - 1);
    quoted_by_anybody_else_they_say_nothing((const char *)data + 1, size - 1);
    return 0;
}
