/* The demo.
 *
 *   servers -> proxy -> agents -> verify -> sticky -> failover -> summary [-> keep] -> ending ->
 * done
 *
 * Happy path: each step starts children or waits for lines of theirs; when its condition holds the
 * next begins. Failure modes: a child ends that should not, a check exits non-zero, a step takes
 * longer than STEP_MS: the reason is told, everything is ended, the exit code is that of the check
 * or 1. Ctrl-C or SIGTERM in any step: everything is ended, exit 130 or 143. */
#include "demo/demo.h"

#include "base/clock.h"
#include "base/mem.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "demo/impl.h"
#include "net/certs.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEP_MS 15000
/* From SIGTERM to SIGKILL at the end. */
#define ENDING_MS 4000

static void begin(struct demo *demo, enum step step);

void demo_give_up(struct demo *demo, int result, const char *format, ...)
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

/* ---- steps ----------------------------------------------------------------------------------- */

static void begin_ending(struct demo *demo)
{
    demo_stop_probe(demo);
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
        "the servers did not start",        "the proxy did not become ready",
        "the agents were not all answered", "verify did not end",
        "sticky-test did not end",          "the streams did not come back",
    };
    demo_give_up(demo, EXIT_CHECK_FAILED, "%s within %d s", what[demo->step], STEP_MS / 1000);
}

static void begin(struct demo *demo, enum step step)
{
    demo->step = step;
    uv_timer_start(&demo->deadline, on_deadline, step == STEP_ENDING ? ENDING_MS : STEP_MS, 0);
    switch (step) {
    case STEP_SERVERS:
        demo_start_servers(demo);
        return;
    case STEP_PROXY:
        demo_start_proxy(demo);
        return;
    case STEP_AGENTS:
        demo_start_agents(demo);
        return;
    case STEP_VERIFY:
        demo_title("4. grpcroute verify: does every version reach its servers, and only those?");
        demo_start_check(demo, "verify");
        return;
    case STEP_STICKY:
        demo_title("5. grpcroute sticky-test: do all messages of a stream stay on one pod?");
        demo_start_check(demo, "sticky-test");
        return;
    case STEP_FAILOVER:
        demo_begin_failover(demo);
        return;
    case STEP_KEEP:
        demo_tell_failover(demo);
        demo_tell_summary(demo);
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

/* Checks end by their exit. */
void demo_advance(struct demo *demo)
{
    if (demo->step == STEP_SERVERS && demo_servers_listen(demo)) {
        begin(demo, STEP_PROXY);
    } else if (demo->step == STEP_PROXY && demo->proxy_ready) {
        begin(demo, STEP_AGENTS);
    } else if (demo->step == STEP_AGENTS && demo_agents_answered(demo)) {
        begin(demo, STEP_VERIFY);
    } else if (demo->step == STEP_FAILOVER && demo_all_back(demo)) {
        begin(demo, STEP_KEEP);
    }
}

/* ---- children ----------------------------------------------------------------------------------
 */

static void on_line(void *user, struct child *child, const char *line)
{
    struct demo *demo = user;
    if (demo->step == STEP_ENDING) {
        return;
    }
    if (child == &demo->proxy || child == &demo->render) {
        demo_proxy_line(demo, line);
    } else if (child == &demo->check) {
        printf("%s\n", line);
        fflush(stdout);
    } else if (child->role >= (void *)demo->servers &&
               child->role < (void *)(demo->servers + DEMO_SERVERS)) {
        demo_server_line(child->role, line);
    } else {
        demo_agent_line(demo, child->role, line);
    }
    demo_advance(demo);
}

static void check_ended(struct demo *demo, int code)
{
    if (code != EXIT_GOOD) {
        demo_give_up(demo, code, "%s failed (exit code %d)", demo->check.name, code);
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
    } else if (child == &demo->render) {
        demo_render_ended(demo, code);
    } else if (!child->ended_here) {
        demo_give_up(demo, EXIT_CHECK_FAILED, "%s ended unexpectedly (exit code %d): %s",
                     child->name, code, child->line);
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
    demo->agent_count = (size_t)options->agents * DEMO_VERSIONS;
    demo->agents = mem_calloc(demo->agent_count, sizeof(*demo->agents));
    int result = EXIT_USAGE;
    if (demo_proxy_check(options) == 0 && make_dir(demo) == 0) {
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
