/* The demo.
 *
 *   servers -> proxy -> agents -> verify -> sticky -> failover -> summary [-> keep] -> ending -> done
 *
 * Happy path: each step starts children or waits for lines of theirs; when its condition holds the next begins.
 * Failure modes: a child ends that should not, a check exits non-zero, a step takes longer than STEP_MS: the reason is told, everything is
 * ended, the exit code is that of the check or 1. Ctrl-C or SIGTERM in any step: everything is ended, exit 130 or 143. */
#include "demo/demo.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "demo/child.h"
#include "net/certs.h"
#include "net/loop.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERVERS 4
#define VERSIONS 4
#define STEP_MS 15000
/* Pongs each agent must have before the checks begin. */
#define PONGS_WANTED 2
/* From SIGTERM to SIGKILL at the end. */
#define ENDING_MS 4000
#define PATH_BYTES 4096
#define NAME_BYTES 64

enum step {
    STEP_SERVERS,
    STEP_PROXY,
    STEP_AGENTS,
    STEP_VERIFY,
    STEP_STICKY,
    STEP_FAILOVER,
    STEP_KEEP,
    STEP_ENDING,
};

struct server_child {
    struct child child;
    char name[NAME_BYTES];
    const char *version;
    uint16_t port;
};

struct agent_child {
    struct child child;
    char name[NAME_BYTES];
    const char *version;
    unsigned pongs;
    char pod[NAME_BYTES];    /* the server that answered last */
    uint64_t last_pong_ns;
    uint64_t back_ns;        /* failover: when the first pong from elsewhere came; 0: not yet */
    bool hit;                /* its server was the one killed */
};

struct demo {
    struct demo_options options;
    struct net_loop loop;
    struct child_set children;
    uv_timer_t deadline;
    uv_signal_t signals[2];
    char dir[PATH_BYTES];
    enum step step;
    int result;
    struct server_child servers[SERVERS];
    struct child proxy;
    uint16_t proxy_port;
    char admin[NAME_BYTES];
    bool proxy_ready;
    struct child check;
    struct agent_child *agents;
    size_t agent_count;
    struct server_child *victim;
    uint64_t killed_ns;
    uint64_t started_ns;
};

static const char *const agent_versions[VERSIONS] = {"v1.1", "v1.2", "v2.1", "v2.2"};

static void begin(struct demo *demo, enum step step);

/* ---- telling --------------------------------------------------------------------------------- */

static void title(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void title(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("\n%s", cli_style(stdout, CLI_BOLD));
    vprintf(format, args);
    printf("%s\n", cli_style(stdout, CLI_PLAIN));
    va_end(args);
    fflush(stdout);
}

/* A child's line, as it is; children escape what peers said. */
static void show_line(const char *line)
{
    printf("  %s%s%s\n", cli_style(stdout, CLI_DIM), line, cli_style(stdout, CLI_PLAIN));
    fflush(stdout);
}

static void give_up(struct demo *demo, int result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void give_up(struct demo *demo, int result, const char *format, ...)
{
    if (demo->step == STEP_ENDING) {
        return;
    }
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fflush(stdout);
    cli_error("demo", "%s", text);
    demo->result = result;
    begin(demo, STEP_ENDING);
}

/* ---- starting children ----------------------------------------------------------------------- */

static void start(struct demo *demo, struct child *child, const char *name,
                  const char *const *arguments)
{
    int rv = child_start(&demo->children, child, name, arguments);
    if (rv != 0) {
        give_up(demo, EXIT_USAGE, "cannot start %s: %s", name, strerror(-rv));
    }
}

static void start_servers(struct demo *demo)
{
    title("1. Two servers each of version v1 and v2");
    for (size_t i = 0; i < SERVERS; i++) {
        struct server_child *server = &demo->servers[i];
        server->version = i < SERVERS / 2 ? "v1" : "v2";
        snprintf(server->name, sizeof(server->name), "server-%s-%c", server->version,
                 (char)('a' + i % 2));
        const char *const arguments[] = {"server", "--version", server->version, "--id",
                                         server->name, "--listen", "127.0.0.1:0",
                                         "--drain-timeout", "500ms", "--log-level", "info", NULL};
        start(demo, &server->child, server->name, arguments);
        server->child.role = server;
    }
}

static void endpoints_of(const struct demo *demo, const char *version, char *out, size_t out_bytes)
{
    snprintf(out, out_bytes, "server-%s=", version);
    const char *separator = "";
    for (size_t i = 0; i < SERVERS; i++) {
        if (strcmp(demo->servers[i].version, version) == 0) {
            size_t len = strlen(out);
            snprintf(out + len, out_bytes - len, "%s127.0.0.1:%u", separator,
                     (unsigned)demo->servers[i].port);
            separator = ",";
        }
    }
}

static const char *file_in(const struct demo *demo, const char *name, char out[static PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%.4000s/%s", demo->dir, name);
    return out;
}

static void start_proxy(struct demo *demo)
{
    title("2. A proxy: TLS in front, routes on agent-version, round robin over the servers");
    char v1[128];
    char v2[128];
    char cert[PATH_BYTES];
    char key[PATH_BYTES];
    endpoints_of(demo, "v1", v1, sizeof(v1));
    endpoints_of(demo, "v2", v2, sizeof(v2));
    const char *const arguments[] = {
        "proxy", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--endpoints", v1,
        "--endpoints", v2, "--cert", file_in(demo, "cert.pem", cert), "--key",
        file_in(demo, "key.pem", key), "--drain-timeout", "500ms", NULL};
    start(demo, &demo->proxy, "proxy", arguments);
}

static void target_of(const struct demo *demo, char out[static NAME_BYTES])
{
    snprintf(out, NAME_BYTES, "localhost:%u", (unsigned)demo->proxy_port);
}

static void start_agents(struct demo *demo)
{
    title("3. Agents of versions v1.1, v1.2, v2.1 and v2.2, one long-lived stream each");
    char target[NAME_BYTES];
    char ca[PATH_BYTES];
    char interval[32];
    target_of(demo, target);
    snprintf(interval, sizeof(interval), "%llums",
             (unsigned long long)demo->options.interval_ns / 1000000);
    for (size_t i = 0; i < demo->agent_count; i++) {
        struct agent_child *agent = &demo->agents[i];
        agent->version = agent_versions[i % VERSIONS];
        snprintf(agent->name, sizeof(agent->name), "agent-v%c-%c-%zu", agent->version[1],
                 agent->version[3], i / VERSIONS + 1);
        const char *const arguments[] = {"agent", "--version", agent->version, "--id", agent->name,
                                         "--target", target, "--cacert",
                                         file_in(demo, "ca.pem", ca), "--interval", interval, NULL};
        start(demo, &agent->child, agent->name, arguments);
        agent->child.role = agent;
    }
}

static void start_check(struct demo *demo, const char *command)
{
    char target[NAME_BYTES];
    char ca[PATH_BYTES];
    target_of(demo, target);
    const char *const arguments[] = {command, "--target", target, "--cacert",
                                     file_in(demo, "ca.pem", ca), NULL};
    start(demo, &demo->check, command, arguments);
}

/* ---- failover -------------------------------------------------------------------------------- */

static struct server_child *server_named(struct demo *demo, const char *name)
{
    for (size_t i = 0; i < SERVERS; i++) {
        if (strcmp(demo->servers[i].name, name) == 0) {
            return &demo->servers[i];
        }
    }
    return NULL;
}

static void begin_failover(struct demo *demo)
{
    demo->victim = server_named(demo, demo->agents[0].pod);
    if (demo->victim == NULL) {
        give_up(demo, EXIT_CHECK_FAILED, "%s is answered by an unknown server",
                demo->agents[0].name);
        return;
    }
    title("6. Failover: kill -9 %s, in the middle of its streams", demo->victim->name);
    for (size_t i = 0; i < demo->agent_count; i++) {
        demo->agents[i].hit = strcmp(demo->agents[i].pod, demo->victim->name) == 0;
    }
    demo->killed_ns = clock_now_ns();
    child_signal(&demo->victim->child, SIGKILL);
}

static bool all_back(const struct demo *demo)
{
    for (size_t i = 0; i < demo->agent_count; i++) {
        if (demo->agents[i].hit && demo->agents[i].back_ns == 0) {
            return false;
        }
    }
    return true;
}

static void tell_failover(const struct demo *demo)
{
    for (size_t i = 0; i < demo->agent_count; i++) {
        const struct agent_child *agent = &demo->agents[i];
        char gap[32];
        if (agent->hit) {
            text_format_duration(gap, sizeof(gap), agent->back_ns - demo->killed_ns);
            printf("%s %s is back after %s, on %s\n", cli_mark(CLI_MARK_GOOD), agent->name, gap,
                   agent->pod);
        }
    }
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void tell_by_hand(const struct demo *demo)
{
    char target[NAME_BYTES];
    target_of(demo, target);
    printf("  grpcroute verify --target %s --cacert %s/ca.pem\n"
           "  grpcroute sticky-test --target %s --cacert %s/ca.pem\n"
           "  grpcroute agent --version v1.3 --target %s --cacert %s/ca.pem\n"
           "  curl http://%s/streams\n",
           target, demo->dir, target, demo->dir, target, demo->dir, demo->admin);
}

static void tell_summary(const struct demo *demo)
{
    char took[32];
    text_format_duration(took, sizeof(took), clock_now_ns() - demo->started_ns);
    title("%s Demo passed in %s", cli_mark(CLI_MARK_DONE), took);
    printf("%s routing: every agent version reached its server version\n"
           "%s stickiness: a stream stayed on one pod\n"
           "%s recovery: the streams of a killed server came back on the other one\n",
           cli_mark(CLI_MARK_GOOD), cli_mark(CLI_MARK_GOOD), cli_mark(CLI_MARK_GOOD));
    if (demo->options.keep) {
        puts("\nEverything is still running; Ctrl-C ends it. By hand, in another terminal:");
        tell_by_hand(demo);
    } else {
        puts("\nThe same by hand: grpcroute demo --keep. Your own proxy:\n"
             "  grpcroute verify --target HOST:PORT --cacert CA.pem");
    }
    fflush(stdout);
}

static void begin_ending(struct demo *demo)
{
    child_set_signal(&demo->children, SIGTERM);
    for (size_t i = 0; i < ARRAY_SIZE(demo->signals); i++) {
        uv_unref((uv_handle_t *)&demo->signals[i]);
    }
    uv_unref((uv_handle_t *)&demo->deadline);
}

static void on_deadline(uv_timer_t *timer)
{
    struct demo *demo = timer->data;
    if (demo->step == STEP_ENDING) {
        child_set_signal(&demo->children, SIGKILL);
        return;
    }
    static const char *const what[] = {
        "the servers did not start",         "the proxy did not become ready",
        "the agents were not all answered",  "verify did not end",
        "sticky-test did not end",           "the streams did not come back",
    };
    give_up(demo, EXIT_CHECK_FAILED, "%s within %d s", what[demo->step], STEP_MS / 1000);
}

static void begin(struct demo *demo, enum step step)
{
    demo->step = step;
    uv_timer_start(&demo->deadline, on_deadline, step == STEP_ENDING ? ENDING_MS : STEP_MS, 0);
    switch (step) {
    case STEP_SERVERS:
        start_servers(demo);
        return;
    case STEP_PROXY:
        start_proxy(demo);
        return;
    case STEP_AGENTS:
        start_agents(demo);
        return;
    case STEP_VERIFY:
        title("4. grpcroute verify: does every version reach its servers, and only those?");
        start_check(demo, "verify");
        return;
    case STEP_STICKY:
        title("5. grpcroute sticky-test: do all messages of a stream stay on one pod?");
        start_check(demo, "sticky-test");
        return;
    case STEP_FAILOVER:
        begin_failover(demo);
        return;
    case STEP_KEEP:
        tell_failover(demo);
        tell_summary(demo);
        uv_timer_stop(&demo->deadline);
        if (!demo->options.keep) {
            begin(demo, STEP_ENDING);
        }
        return;
    case STEP_ENDING:
        begin_ending(demo);
        return;
    }
}

static bool servers_listen(const struct demo *demo)
{
    for (size_t i = 0; i < SERVERS; i++) {
        if (demo->servers[i].port == 0) {
            return false;
        }
    }
    return true;
}

static bool agents_answered(const struct demo *demo)
{
    for (size_t i = 0; i < demo->agent_count; i++) {
        if (demo->agents[i].pongs < PONGS_WANTED) {
            return false;
        }
    }
    return true;
}

/* Begins the next step when the condition of this one holds; checks end by their exit. */
static void advance(struct demo *demo)
{
    if (demo->step == STEP_SERVERS && servers_listen(demo)) {
        begin(demo, STEP_PROXY);
    } else if (demo->step == STEP_PROXY && demo->proxy_ready) {
        begin(demo, STEP_AGENTS);
    } else if (demo->step == STEP_AGENTS && agents_answered(demo)) {
        begin(demo, STEP_VERIFY);
    } else if (demo->step == STEP_FAILOVER && demo->victim != NULL && all_back(demo)) {
        begin(demo, STEP_KEEP);
    }
}

/* ---- lines of children ----------------------------------------------------------------------- */

/* The port at the end of "... Listening on HOST:PORT" or before a comma. */
static uint16_t port_in(const char *line, const char *before)
{
    const char *at = strstr(line, before);
    const char *end = at != NULL ? at + strcspn(at, ",") : NULL;
    while (end != NULL && end > at && end[-1] != ':') {
        end--;
    }
    return end != NULL ? (uint16_t)strtoul(end, NULL, 10) : 0;
}

static void server_line(struct demo *demo, struct server_child *server, const char *line)
{
    if (server->port == 0 && strstr(line, "Listening on ") != NULL) {
        server->port = port_in(line, "Listening on ");
        show_line(line);
    }
    (void)demo;
}

static void proxy_line(struct demo *demo, const char *line)
{
    if (demo->proxy_port == 0 && strstr(line, "Listening on ") != NULL) {
        demo->proxy_port = port_in(line, "Listening on ");
        const char *admin = strstr(line, "admin on ");
        snprintf(demo->admin, sizeof(demo->admin), "%s",
                 admin != NULL ? admin + strlen("admin on ") : "");
    }
    demo->proxy_ready = demo->proxy_ready || strstr(line, "] Ready") != NULL;
    if (demo->step == STEP_PROXY || demo->step == STEP_FAILOVER) {
        show_line(line);
    }
}

static void count_pong(struct demo *demo, struct agent_child *agent, const char *pong)
{
    agent->pongs++;
    agent->last_pong_ns = clock_now_ns();
    const char *slash = strchr(pong, '/');
    if (slash == NULL) {
        return;
    }
    snprintf(agent->pod, sizeof(agent->pod), "%.*s", (int)strcspn(slash + 1, " "), slash + 1);
    bool elsewhere = demo->victim != NULL && strcmp(agent->pod, demo->victim->name) != 0;
    if (demo->step == STEP_FAILOVER && agent->hit && agent->back_ns == 0 && elsewhere) {
        agent->back_ns = agent->last_pong_ns;
    }
}

static void agent_line(struct demo *demo, struct agent_child *agent, const char *line)
{
    const char *pong = strstr(line, "Received pong from server=");
    bool was_back = agent->back_ns != 0;
    if (pong != NULL) {
        count_pong(demo, agent, pong);
    }
    bool watched = demo->step == STEP_AGENTS && agent->pongs <= PONGS_WANTED;
    bool failing_over = demo->step == STEP_FAILOVER && agent->hit && !was_back;
    if (watched || failing_over) {
        show_line(line);
    }
}

static void on_line(void *user, struct child *child, const char *line)
{
    struct demo *demo = user;
    if (demo->step == STEP_ENDING) {
        return;
    }
    if (child == &demo->proxy) {
        proxy_line(demo, line);
    } else if (child == &demo->check) {
        printf("%s\n", line);
        fflush(stdout);
    } else if (child->role >= (void *)demo->servers &&
               child->role < (void *)(demo->servers + SERVERS)) {
        server_line(demo, child->role, line);
    } else {
        agent_line(demo, child->role, line);
    }
    advance(demo);
}

static void check_ended(struct demo *demo, int code)
{
    if (code != EXIT_GOOD) {
        give_up(demo, code, "%s failed (exit code %d)", demo->check.name, code);
    } else {
        begin(demo, demo->step == STEP_VERIFY ? STEP_STICKY : STEP_FAILOVER);
    }
}

static void on_exit_of(void *user, struct child *child, int code)
{
    struct demo *demo = user;
    if (demo->step == STEP_ENDING) {
        return;
    }
    if (child == &demo->check) {
        check_ended(demo, code);
    } else if (!child->ended_here) {
        give_up(demo, EXIT_CHECK_FAILED, "%s ended unexpectedly (exit code %d): %s", child->name,
                code, child->line);
    }
}

static const struct child_events child_events = {.on_line = on_line, .on_exit = on_exit_of};

/* ---- life ------------------------------------------------------------------------------------ */

static void on_signal(uv_signal_t *handle, int number)
{
    struct demo *demo = handle->data;
    if (demo->step == STEP_ENDING) {
        child_set_signal(&demo->children, SIGKILL);
        return;
    }
    bool kept = demo->step == STEP_KEEP;
    demo->result = kept ? EXIT_GOOD : number == SIGINT ? EXIT_INTERRUPTED : EXIT_TERMINATED;
    puts(kept ? "" : "\nInterrupted; ending everything");
    begin(demo, STEP_ENDING);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)info;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int make_dir(struct demo *demo)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(demo->dir, sizeof(demo->dir), "%.4000s/grpcroute-demo-XXXXXX",
             tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp");
    if (mkdtemp(demo->dir) == NULL) {
        cli_error("demo", "cannot make a directory like %s: %s", demo->dir, strerror(errno));
        return 1;
    }
    struct net_error error;
    if (net_certs_generate(demo->dir, &error) != 0) {
        cli_error("demo", "%s", error.text);
        nftw(demo->dir, remove_entry, 4, FTW_DEPTH | FTW_PHYS);
        return 1;
    }
    return 0;
}

static void open_handles(struct demo *demo)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    net_loop_init(&demo->loop);
    child_set_init(&demo->children, &demo->loop.uv, &child_events, demo);
    uv_timer_init(&demo->loop.uv, &demo->deadline);
    demo->deadline.data = demo;
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        uv_signal_init(&demo->loop.uv, &demo->signals[i]);
        demo->signals[i].data = demo;
        uv_signal_start(&demo->signals[i], on_signal, numbers[i]);
    }
}

static void close_handles(struct demo *demo)
{
    child_set_deinit(&demo->children);
    uv_close((uv_handle_t *)&demo->deadline, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(demo->signals); i++) {
        uv_close((uv_handle_t *)&demo->signals[i], NULL);
    }
    net_loop_deinit(&demo->loop);
}

int demo_run(const struct demo_options *options)
{
    struct demo *demo = mem_new(struct demo);
    demo->options = *options;
    demo->started_ns = clock_now_ns();
    demo->agent_count = (size_t)options->agents * VERSIONS;
    demo->agents = mem_calloc(demo->agent_count, sizeof(*demo->agents));
    int result = EXIT_USAGE;
    if (make_dir(demo) == 0) {
        open_handles(demo);
        begin(demo, STEP_SERVERS);
        net_loop_run(&demo->loop); /* ends when the last child has */
        close_handles(demo);
        nftw(demo->dir, remove_entry, 4, FTW_DEPTH | FTW_PHYS);
        result = demo->result;
    }
    free(demo->agents);
    free(demo);
    return result;
}
