/* The demo: the table of its steps, and its life.
 *
 *   servers -> proxy -> agents -> verify -> sticky -> failover -> summary -> ending -> done
 *
 * Happy path: each step starts children or waits for lines of theirs; when it is over the next
 * begins, in a turn of its own. Failure modes: a child ends that should not, a check exits
 * non-zero, a step takes longer than STEP_MS: the reason is told, everything is ended, the exit
 * code is that of the check or 1. Ctrl-C, SIGTERM or a hangup in any step: everything is ended,
 * exit 128 and the signal; a second one kills. Signals are heard from before there is a key until
 * it is gone again. */
#include "demo/demo.h"

#include "base/clock.h"
#include "base/mem.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "cli/result.h"
#include "demo/real_proxy.h"
#include "demo/state.h"
#include "demo/steps.h"
#include "net/certs.h"

#include <assert.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEP_MS 15000
/* From SIGTERM to SIGKILL at the end. */
#define ENDING_MS 4000

static const struct demo_step *const steps[STEPS] = {
    [STEP_SERVERS] = &demo_servers_step, [STEP_PROXY] = &demo_proxy_step,
    [STEP_AGENTS] = &demo_agents_step,   [STEP_VERIFY] = &demo_verify_step,
    [STEP_STICKY] = &demo_sticky_step,   [STEP_FAILOVER] = &demo_failover_step,
    [STEP_RESTART] = &demo_restart_step, [STEP_SUMMARY] = &demo_summary_step,
};

/* ---- the folder ------------------------------------------------------------------------------ */

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)info;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void remove_dir(struct demo *demo)
{
    if (demo->dir[0] != '\0') {
        nftw(demo->dir, remove_entry, 4, FTW_DEPTH | FTW_PHYS);
        demo->dir[0] = '\0';
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

static void kill_children(struct demo *demo)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &demo->children)
    {
        struct role_child *process = &container_of(node, struct demo_child, node)->process;
        role_child_signal_all(process, SIGKILL);
        role_child_stop_reading(process); /* what it has left behind may keep it open */
    }
}

/* All children are gone. */
static void finish(struct demo *demo)
{
    remove_dir(demo);
    role_signals_close(&demo->signals);
    uv_close((uv_handle_t *)&demo->deadline, NULL);
    uv_close((uv_handle_t *)&demo->turn, NULL);
}

static void on_ending_late(uv_timer_t *timer)
{
    kill_children(timer->data);
}

static void end(struct demo *demo)
{
    struct list *node;
    struct list *next;
    demo->ending = true;
    real_proxy_stop_waiting(demo);
    list_each(node, next, &demo->children)
    {
        demo_end_child(container_of(node, struct demo_child, node), SIGTERM);
    }
    uv_timer_start(&demo->deadline, on_ending_late, ENDING_MS, 0);
    demo_changed(demo); /* there may be no child to wait for */
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void on_step_late(uv_timer_t *timer)
{
    struct demo *demo = timer->data;
    demo_give_up(demo, EXIT_CHECK_FAILED, "%s within %ds", steps[demo->step]->late, STEP_MS / 1000);
}

static void begin(struct demo *demo, enum step step)
{
    assert(!demo->ending);
    demo->step = step;
    if (steps[step]->late != NULL) {
        uv_timer_start(&demo->deadline, on_step_late, STEP_MS, 0);
    } else {
        uv_timer_stop(&demo->deadline);
    }
    steps[step]->begin(demo);
    demo_changed(demo); /* it may be over already */
}

/* Something has changed: the one place where steps follow each other. */
static void on_turn(uv_timer_t *turn)
{
    struct demo *demo = turn->data;
    if (demo->ending) {
        if (list_empty(&demo->children)) {
            finish(demo);
        }
    } else if (demo->given_up) {
        end(demo);
    } else if (steps[demo->step]->is_over(demo)) {
        if (demo->step + 1 < STEPS) {
            begin(demo, demo->step + 1);
        } else {
            end(demo);
        }
    }
}

/* ---- signals --------------------------------------------------------------------------------- */

static void on_end_signal(void *user, int number, bool again)
{
    struct demo *demo = user;
    (void)again;
    if (demo->ending) {
        kill_children(demo);
        return;
    }
    bool kept = demo->step == STEP_SUMMARY;
    if (!demo->given_up) {
        demo->result = kept ? EXIT_GOOD : role_signals_exit_code(number);
    }
    puts(kept ? "" : "\nInterrupted; ending everything");
    cli_flush(stdout);
    end(demo);
}

/* ---- life ------------------------------------------------------------------------------------ */

/* A folder with certificates and a key. Returns 0, or 1 after a line on standard error. */
static int make_dir(struct demo *demo)
{
    const char *tmp = getenv("TMPDIR");
    char dir[DEMO_PATH_BYTES];
    snprintf(dir, sizeof(dir), "%.4000s/grpcroute-demo-XXXXXX",
             tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp");
    if (mkdtemp(dir) == NULL) {
        cli_error("demo", "cannot make a directory like %s: %s", dir, strerror(errno));
        return 1;
    }
    memcpy(demo->dir, dir, sizeof(dir));
    struct net_error error;
    if (net_certs_generate(demo->dir, &error) != 0) {
        cli_error("demo", "%s", error.text);
        return 1;
    }
    return 0;
}

static void open_handles(struct demo *demo)
{
    uv_timer_init(&demo->loop.uv, &demo->deadline);
    uv_timer_init(&demo->loop.uv, &demo->turn);
    demo->deadline.data = demo->turn.data = demo;
    demo->on_turn = on_turn;
    list_init(&demo->children);
    real_proxy_init(demo);
    role_signals_start(&demo->signals, &demo->loop, on_end_signal, NULL, demo);
}

static int run(struct demo *demo)
{
    if (net_loop_init(&demo->loop) != 0) {
        cli_error("demo", "cannot start an event loop");
        return EXIT_USAGE;
    }
    open_handles(demo);
    if (make_dir(demo) == 0) {
        begin(demo, STEP_SERVERS);
    } else {
        demo->result = EXIT_USAGE;
        end(demo);
    }
    net_loop_run(&demo->loop); /* ends when the last child has */
    net_loop_deinit(&demo->loop);
    return demo->result;
}

int demo_run(const struct demo_options *options)
{
    if (real_proxy_check((enum demo_proxy)options->proxy) != 0) {
        return EXIT_USAGE;
    }
    struct demo *demo = mem_new(struct demo);
    demo->options = *options;
    demo->started_ns = clock_now_ns();
    demo->agent_count = (size_t)options->agents * DEMO_VERSIONS;
    demo->agents = mem_calloc(demo->agent_count, sizeof(*demo->agents));
    int result = run(demo);
    free(demo->agents);
    free(demo);
    return result;
}
