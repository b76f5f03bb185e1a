/* The run on one event loop.
 *
 *   asking    --the server told--> asked from where a stream came --> measuring
 *   asking    --it did not--> measuring
 *   asking    --no connection-->               over
 *   measuring --every work is over-->          over
 *   any       --signal, late-->                the same, once all works have stopped
 *
 * Shapes run at once, each on connections of its own, but for those that come alone, behind. */
#include "limits/run.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/progress.h"
#include "limits/ask.h"
#include "limits/between.h"
#include "limits/call.h"
#include "limits/expect.h"
#include "limits/judge.h"
#include "limits/plans.h"
#include "limits/setting.h"
#include "limits/wanted.h"
#include "role/signals.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A run that takes longer says so at its start. */
#define ANNOUNCED_MS 5000

struct run {
    struct limits_ground ground;
    struct limits_result *result;
    struct role_signals signals;
    struct cli_progress progress;
    uv_timer_t timer;
    struct limits_ask ask;
    struct limits_between between;
    char id[RPC_PROBE_ID_BYTES];
    struct limits_work works[LIMITS_SHAPES];
    size_t work_count;           /* that were started */
    struct limits_work *company; /* of them, whose streams are there for others; NULL: none is */
    size_t over;
    size_t wanted;         /* but what is left out */
    uint64_t expected_ns;  /* how long it takes, about */
    enum limits_turn turn; /* whose works are started next */
    bool measuring;
    bool stopping;
    bool closed;
};

/* ---- the end --------------------------------------------------------------------------------- */

static void finish(struct run *run)
{
    if (!run->closed) {
        run->closed = true;
        uv_close((uv_handle_t *)&run->timer, NULL);
        role_signals_close(&run->signals);
    }
}

/* `soon`: what is watched may still show that it is alive. */
static void stop(struct run *run, bool soon)
{
    uint64_t now_ns = limits_ground_now_ns(&run->ground);
    run->stopping = true;
    limits_ask_stop(&run->ask);
    limits_between_stop(&run->between);
    for (size_t i = 0; i < run->work_count; i++) {
        struct limits_work *work = &run->works[i];
        if (!work->over && soon && work->plan->cut != NULL) {
            work->plan->cut(work, now_ns);
        } else if (!work->over) {
            work->plan->stop(work);
        }
    }
}

static void on_signal(void *user, int number, bool again)
{
    struct run *run = user;
    if (run->result->interrupted_by == 0) {
        run->result->interrupted_by = number;
    }
    if (!again && run->measuring) {
        cli_progress_wipe(&run->progress);
        fprintf(stderr,
                "limits: ends when each stream has shown whether it is alive, within %d s; at a "
                "second signal at once\n",
                LIMITS_ANSWER_MS / 1000);
    }
    stop(run, !again);
}

/* ---- works ----------------------------------------------------------------------------------- */

/* Nothing of the run is touched behind the last: finish() is for the tick. */
static void on_work_over(struct limits_work *work)
{
    struct run *run = work->user;
    run->over++;
}

/* What keeps a shape from being measured; NULL: nothing. */
static const char *missing(const struct run *run, enum limits_shape shape)
{
    const struct limits_plan *plan = limits_plan_of(shape);
    if (plan == NULL) {
        return "there is no way to measure it";
    }
    return plan->needs_probe && !run->result->has_probe ? run->result->no_probe : NULL;
}

static void start_work(struct run *run, enum limits_shape shape)
{
    struct limits_finding *finding = &run->result->findings[shape];
    const struct limits_plan *plan = limits_plan_of(shape);
    const char *why = missing(run, shape);
    if (why != NULL) {
        snprintf(finding->why, sizeof(finding->why), "%s", why);
        return;
    }
    struct limits_work *work = &run->works[run->work_count++];
    *work = (struct limits_work){
        .plan = plan,
        .ground = &run->ground,
        .finding = finding,
        .on_over = on_work_over,
        .user = run,
    };
    run->company = finding->wanted ? run->company : work;
    plan->start(work);
}

static enum limits_turn turn_of(const struct limits_plan *plan)
{
    return plan != NULL ? plan->turn : LIMITS_TURN_TOGETHER;
}

/* Those of the next turn that has any. */
static void start_works(struct run *run)
{
    run->measuring = true;
    while (run->over == run->work_count && run->turn < LIMITS_TURNS) {
        for (unsigned i = 0; i < LIMITS_SHAPES; i++) {
            const struct limits_plan *plan = limits_plan_of(i);
            bool started = limits_is_measured(run->result, i) || limits_company(run->result) == i;
            if (started && turn_of(plan) == run->turn) {
                start_work(run, i);
            }
        }
        run->turn++;
    }
}

/* Nobody else is there any more. */
static void stop_company(struct run *run)
{
    struct limits_work *company = run->company;
    if (company != NULL && !company->over && run->over + 1 == run->work_count) {
        company->plan->stop(company);
    }
}

/* ---- who answers ----------------------------------------------------------------------------- */

/* A server answered that it has no such service; all else is no word of a server. */
static bool is_without_probe(const struct rpc_status *status)
{
    return status->code == RPC_UNIMPLEMENTED;
}

static void explain_no_probe(struct limits_result *result, const struct rpc_status *status)
{
    char told[LIMITS_TEXT_BYTES];
    rpc_status_describe(status, told, sizeof(told));
    snprintf(result->no_probe, sizeof(result->no_probe), "%s: %.200s",
             is_without_probe(status)
                 ? "needs grpcroute server at the other end, whose " RPC_PROBE_SERVICE
                   " did not answer"
                 : RPC_PROBE_SERVICE " did not answer through this path",
             told);
}

static void on_between(void *user)
{
    struct run *run = user;
    if (run->stopping) {
        finish(run);
    } else {
        start_works(run);
    }
}

static void on_told(void *user, const struct limits_told *told)
{
    struct run *run = user;
    struct limits_result *result = run->result;
    result->connected = told->connected;
    result->has_probe = told->answered;
    run->ground.has_probe = told->answered;
    snprintf(result->server_id, sizeof(result->server_id), "%s", told->server_id);
    if (!told->answered) {
        explain_no_probe(result, &told->status);
    }
    if (!told->connected) {
        text_escape(result->reason, sizeof(result->reason), told->status.message,
                    strlen(told->status.message));
        finish(run);
    } else if (run->stopping) {
        finish(run);
    } else if (told->answered) {
        limits_between_start(&run->between, &run->ground, on_between, run);
    } else {
        start_works(run);
    }
}

/* ---- time ------------------------------------------------------------------------------------ */

static void show_progress(struct run *run, uint64_t now_ns)
{
    char passed[32];
    char limit[32];
    size_t over = 0;
    size_t found = 0;
    if (!run->measuring || !cli_progress_due(&run->progress)) {
        return;
    }
    for (size_t i = 0; i < run->work_count; i++) {
        const struct limits_finding *finding = run->works[i].finding;
        bool told = run->works[i].over && finding->wanted;
        over += told;
        found += told && finding->state == LIMITS_FOUND && finding->kind != LIMITS_FACT;
    }
    text_format_duration(passed, sizeof(passed), now_ns - now_ns % NS_PER_S);
    text_format_duration(limit, sizeof(limit), run->expected_ns);
    cli_progress_show(&run->progress,
                      "limits: %s of about %s, %zu of %zu shapes measured, limits met: %zu", passed,
                      limit, over, run->wanted, found);
}

static bool is_late(const struct run *run, uint64_t now_ns)
{
    return now_ns > limits_looks_ns(run->result) + limits_ground_stagger_ns(&run->ground) +
                        LIMITS_RUN_SPARE_MS * NS_PER_MS;
}

static void on_tick(uv_timer_t *timer)
{
    struct run *run = timer->data;
    limits_ground_turn(&run->ground);
    uint64_t now_ns = limits_ground_now_ns(&run->ground);
    for (size_t i = 0; i < run->work_count; i++) {
        struct limits_work *work = &run->works[i];
        if (!work->over && work->plan->tick != NULL) {
            work->plan->tick(work, now_ns);
        }
    }
    if (run->measuring && !run->stopping) {
        stop_company(run);
        start_works(run);
    }
    if (run->measuring && run->over == run->work_count) {
        finish(run);
        return;
    }
    if (!run->stopping && is_late(run, now_ns)) {
        stop(run, false);
    }
    show_progress(run, now_ns);
}

/* ---- life ------------------------------------------------------------------------------------ */

/* Minutes without a word are to be expected, wherever standard error goes. */
static void announce(struct run *run)
{
    char looks[32];
    char takes[32];
    run->expected_ns = limits_expect_ns(run->result, limits_ground_stagger_ns(&run->ground));
    text_format_duration(looks, sizeof(looks), run->ground.within_ns);
    text_format_duration(takes, sizeof(takes), run->expected_ns - run->expected_ns % NS_PER_S);
    if (run->expected_ns < ANNOUNCED_MS * NS_PER_MS) {
        return;
    }
    if (!limits_expects_time(run->result)) {
        fprintf(stderr, "limits: takes up to about %s in all; Ctrl-C tells what is known by then\n",
                takes);
    } else {
        fprintf(stderr,
                "limits: looks for limits of time of up to %s, which takes about %s in all; Ctrl-C "
                "tells what is known by then\n",
                looks, takes);
    }
}

static void start(struct run *run)
{
    for (unsigned i = 0; i < LIMITS_SHAPES; i++) {
        struct limits_finding *finding = &run->result->findings[i];
        if (finding->wanted) {
            run->wanted += !limits_is_spared(run->result, i, finding->why);
        }
    }
    announce(run);
    uv_timer_init(&run->ground.loop.uv, &run->timer);
    run->timer.data = run;
    uv_timer_start(&run->timer, on_tick, LIMITS_TICK_MS, LIMITS_TICK_MS);
    role_signals_start(&run->signals, &run->ground.loop, on_signal, NULL, run);
    cli_progress_begin(&run->progress);
    limits_call_make_id(run->id);
    limits_ask_start(&run->ask, &run->ground, run->id, false, on_told, run);
    run->ask.times = 1; /* nobody has seen that one */
}

static void conclude(struct run *run)
{
    struct limits_result *result = run->result;
    result->took_ns = limits_ground_now_ns(&run->ground);
    limits_judge_busy(result->findings);
    limits_judge_explain(result->findings);
    result->direct = limits_ground_is_direct(&run->ground);
    if (result->direct) {
        limits_judge_direct(result->findings);
    }
    for (size_t i = 0; i < LIMITS_SHAPES; i++) {
        struct limits_finding *finding = &result->findings[i];
        if (finding->wanted && finding->state == LIMITS_NOT_MEASURED && finding->why[0] == '\0') {
            snprintf(finding->why, sizeof(finding->why), "the run ended before it was measured");
        }
    }
    limits_setting_name_all(result->findings, result->direct);
}

int limits_run(struct limits_result *result, const struct role_target *target, const char *version)
{
    struct run *run = mem_new(struct run);
    run->result = result;
    int rv = net_loop_init(&run->ground.loop);
    if (rv == 0) {
        limits_ground_init(&run->ground, target, result->within_ns);
        run->ground.version = version;
        run->ground.gentle = result->gentle;
        start(run);
        net_loop_run(&run->ground.loop);
        cli_progress_end(&run->progress);
        net_loop_deinit(&run->ground.loop);
        for (size_t i = 0; i < run->work_count; i++) {
            run->works[i].plan->free(&run->works[i]);
        }
        conclude(run);
    }
    free(run);
    return rv;
}
