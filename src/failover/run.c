/* The run on one event loop.
 *
 *   opening  --every stream answered-->          faulting
 *   faulting --command ended-->                  watching
 *   watching --settle_ns over, all answer-->     calling, where a roll call is wanted
 *   watching --max_gap_ns later-->               calling
 *   calling  --the roll call is over-->          finishing
 *   finishing --every stream has ended, or late-> closing
 *   any      --signal-->                         closing
 *   closing  --last connection gone-->           over
 *
 * Failure modes: OPENING_MS go by without the first answer on a stream, or the command cannot be
 * run: closing, with a line on standard error. In finishing the streams are half-closed, and it is
 * judged how the server ends them; one that it leaves open is told. */
#include "failover/run.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "failover/fault.h"
#include "failover/held.h"
#include "failover/roll_call.h"
#include "net/loop.h"
#include "role/signals.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPENING_MS 15000
/* A command that is interrupted may clean up for so long. */
#define COMMAND_END_MS 2000
#define WATCH_EVERY_MS 20
/* A stream that waits for longer than its next answer takes is silent, in pictures. */
#define SILENCE_INTERVALS 2
#define SILENCE_NS        (50 * NS_PER_MS)
/* A server has so long to end a stream that is half-closed. */
#define FINISH_MS 2000

#define SHOWN_BYTES (4 * 2048)

enum phase { OPENING, FAULTING, WATCHING, CALLING, FINISHING, CLOSING };

struct run {
    struct net_loop loop;
    struct failover_result *result;
    const struct failover_config *config;
    struct failover_held held;
    struct failover_fault fault;
    struct failover_roll_caller caller;
    enum phase phase;
    uv_timer_t deadline;
    struct role_signals signals;
    struct cli_progress progress;
    struct net_tick tick;
    int rv;
    bool closed;
};

static void enter(struct run *run, enum phase phase);

/* ---- streams --------------------------------------------------------------------------------- */

static void on_all_answered(void *user)
{
    enter(user, FAULTING);
}

static void on_opening_late(uv_timer_t *timer);

/* Thousands take longer than one: the limit is for the next. */
static void on_first_answer(void *user)
{
    struct run *run = user;
    uv_timer_start(&run->deadline, on_opening_late, OPENING_MS, 0);
}

/* Ends the test with what there is, after a line. */
static void give_up(struct run *run, int exit_code)
{
    run->rv = exit_code;
    enter(run, CLOSING);
}

static void on_unopened(void *user, const char *cause)
{
    struct run *run = user;
    char *reason = run->result->reason;
    text_escape(reason, sizeof(run->result->reason), cause, strlen(cause));
    cli_error("failover-test", "%s", reason);
    give_up(run, EXIT_NO_CONNECTION);
}

static void close_when_idle(struct run *run);

static void on_gone(void *user)
{
    struct run *run = user;
    if (run->phase == FINISHING) {
        enter(run, CLOSING);
    }
    close_when_idle(run);
}

static const struct failover_held_events held_events = {
    .on_first_answer = on_first_answer,
    .on_all_answered = on_all_answered,
    .on_unopened = on_unopened,
    .on_gone = on_gone,
};

/* ---- the fault ------------------------------------------------------------------------------- */

static void on_fault_ended(void *user)
{
    struct run *run = user;
    if (run->phase == CLOSING) {
        close_when_idle(run);
    } else {
        enter(run, WATCHING);
    }
}

static void on_command_stays(uv_timer_t *timer)
{
    struct run *run = timer->data;
    failover_fault_end(&run->fault, SIGKILL);
}

/* What a short name stands for, so that a person can do it by hand. */
static void show_command(const struct failover_result *result)
{
    char *shown = mem_calloc(1, SHOWN_BYTES);
    text_escape(shown, SHOWN_BYTES, result->command, strlen(result->command));
    fprintf(stderr, "Running: %s\n", shown);
    free(shown);
}

static void start_fault(struct run *run)
{
    struct failover_result *result = run->result;
    if (result->command != result->fault) {
        show_command(result);
    }
    int error = failover_fault_start(&run->fault, &run->loop.uv, result, on_fault_ended, run);
    if (error != 0) {
        snprintf(result->reason, sizeof(result->reason), "the command could not be begun: %s",
                 strerror(-error));
        cli_error("failover-test", "--fault: %s", strerror(-error));
        give_up(run, EXIT_USAGE);
    }
}

/* ---- phases ---------------------------------------------------------------------------------- */

static bool all_answered(const struct run *run)
{
    return failover_held_answered(&run->held) == run->result->stream_count;
}

/* Ends settle_ns after the command did, once every stream is answered; max_gap_ns later at the
 * latest, and who is silent by then is not back. */
static void on_watching(uv_timer_t *timer)
{
    struct run *run = timer->data;
    uint64_t now_ns = clock_now_ns();
    uint64_t settled_ns = run->result->history.over_ns + run->config->settle_ns;
    if (now_ns >= settled_ns + run->result->max_gap_ns ||
        (now_ns >= settled_ns && all_answered(run))) {
        enter(run, run->result->roll_call.wanted ? CALLING : FINISHING);
    }
}

static void on_called(void *user)
{
    struct run *run = user;
    if (run->phase == CALLING) {
        enter(run, FINISHING);
    } else {
        close_when_idle(run);
    }
}

static void on_finishing_late(uv_timer_t *timer)
{
    enter(timer->data, CLOSING);
}

static void on_opening_late(uv_timer_t *timer)
{
    struct run *run = timer->data;
    snprintf(run->result->reason, sizeof(run->result->reason),
             "%zu of %zu streams were answered, and within %ds no other", run->held.opened,
             run->result->stream_count, OPENING_MS / 1000);
    cli_error("failover-test", "%s", run->result->reason);
    give_up(run, EXIT_NO_CONNECTION);
}

static void enter(struct run *run, enum phase phase)
{
    if (run->phase == CLOSING && phase == CLOSING) {
        return;
    }
    run->phase = phase;
    uv_timer_stop(&run->deadline);
    switch (phase) {
    case OPENING:
        uv_timer_start(&run->deadline, on_opening_late, OPENING_MS, 0);
        return;
    case FAULTING:
        cli_progress_wipe(&run->progress);
        start_fault(run);
        return;
    case WATCHING:
        uv_timer_start(&run->deadline, on_watching, WATCH_EVERY_MS, WATCH_EVERY_MS);
        return;
    case CALLING:
        failover_roll_call_start(&run->caller, &run->loop, run->result, run->config->target,
                                 on_called, run);
        return;
    case FINISHING:
        failover_held_judge(&run->held);
        uv_timer_start(&run->deadline, on_finishing_late, FINISH_MS, 0);
        failover_held_finish(&run->held);
        return;
    case CLOSING:
        failover_held_close(&run->held);
        failover_roll_call_close(&run->caller);
        failover_fault_end(&run->fault, SIGTERM);
        uv_timer_start(&run->deadline, on_command_stays, COMMAND_END_MS, 0);
        close_when_idle(run);
        return;
    }
}

static void close_when_idle(struct run *run)
{
    if (run->phase != CLOSING || run->held.clients > 0 || failover_fault_runs(&run->fault) ||
        failover_roll_call_runs(&run->caller) || run->closed) {
        return;
    }
    run->closed = true;
    uv_close((uv_handle_t *)&run->deadline, NULL);
    role_signals_close(&run->signals);
    net_loop_tick_stop(&run->tick);
    failover_held_stop(&run->held);
    failover_roll_call_stop(&run->caller);
}

/* While the command runs the terminal is its own. */
static void on_tick(struct net_tick *tick, uint64_t now_ms)
{
    struct run *run = container_of(tick, struct run, tick);
    const struct failover_roll_call *call = &run->result->roll_call;
    (void)now_ms;
    if (run->phase == FAULTING || run->phase > CALLING || !cli_progress_due(&run->progress)) {
        return;
    }
    if (run->phase == CALLING) {
        cli_progress_show(&run->progress,
                          "failover-test: roll call: %zu of %zu new streams answered",
                          call->answered, call->calls);
        return;
    }
    cli_progress_show(&run->progress, "failover-test: %zu of %zu streams answered %s",
                      failover_held_answered(&run->held), run->result->stream_count,
                      run->phase == OPENING ? "so far" : "after the fault");
}

static void on_signal(void *user, int number, bool again)
{
    struct run *run = user;
    (void)again;
    run->rv = role_signals_exit_code(number);
    if (run->phase == CLOSING) {
        failover_fault_end(&run->fault, SIGKILL);
    } else if (run->result->history.fault_ns != 0 && run->phase < FINISHING) {
        failover_held_judge(&run->held);
    }
    enter(run, CLOSING);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void start(struct run *run)
{
    uv_timer_init(&run->loop.uv, &run->deadline);
    run->deadline.data = run;
    role_signals_start(&run->signals, &run->loop, on_signal, NULL, run);
    net_tick_init(&run->tick, on_tick);
    net_loop_tick_start(&run->loop, &run->tick);
    enter(run, OPENING);
    failover_held_start(&run->held, &run->loop, run->result, run->config->target, &held_events,
                        run);
}

int failover_run(struct failover_result *result, const struct failover_config *config)
{
    struct run *run = mem_new(struct run);
    run->result = result;
    run->config = config;
    result->interval_ns = config->interval_ns;
    result->own_pace =
        config->target->service != NULL && role_service_sends_once(config->target->service);
    result->history.silence_ns = SILENCE_INTERVALS * config->interval_ns + SILENCE_NS;
    result->history.gone_ns = result->max_gap_ns;
    result->history.began_ns = clock_now_ns();
    int rv = EXIT_USAGE;
    if (net_loop_init(&run->loop) != 0) {
        cli_error("failover-test", "cannot start an event loop");
    } else {
        cli_progress_begin(&run->progress);
        start(run);
        net_loop_run(&run->loop);
        cli_progress_end(&run->progress);
        net_loop_deinit(&run->loop);
        failover_held_deinit(&run->held);
        failover_roll_call_deinit(&run->caller);
        rv = run->rv;
    }
    result->run_exit = rv;
    free(run);
    return rv;
}
