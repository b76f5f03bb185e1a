/* The run on one event loop.
 *
 *   opening  --every stream answered-->          faulting
 *   faulting --command ended-->                  watching
 *   watching --settle_ns over, all answered-->   finishing
 *   watching --max_gap_ns later-->               finishing
 *   finishing --every stream has ended, or late-> closing
 *   any      --signal-->                         closing
 *   closing  --last connection gone-->           over
 *
 * Failure modes: OPENING_MS go by without the first answer on a stream, or the command cannot be
 * run: closing, with a line on standard error. In finishing the streams are half-closed, and it is judged how the
 * server ends them; one that it leaves open is told. Each stream has a connection of its own, as
 * agents have, and opens both again whenever they end. */
#include "failover/run.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "net/loop.h"
#include "role/child.h"
#include "role/pinger.h"
#include "role/signals.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS  UINT64_C(1000000)
#define OPENING_MS 15000
#define CONNECT_MS 5000
/* Soon, so that the gap is the target's and not ours. */
#define REOPEN_MS 100
/* A command that is interrupted may clean up for so long. */
#define COMMAND_END_MS 2000
#define WATCH_EVERY_MS 20
/* A stream that waits for longer than its next answer takes is silent, in pictures. */
#define SILENCE_INTERVALS 2
#define SILENCE_NS        (50 * NS_PER_MS)
/* A server has so long to end a stream that is half-closed. */
#define FINISH_MS 2000

enum phase { OPENING, FAULTING, WATCHING, FINISHING, CLOSING };

struct run;

struct stream {
    struct run *run;
    struct failover_stream *seen;
    struct rpc_client *client;
    struct role_pinger pinger;
    uv_timer_t timer;                 /* opens again */
    char server[FAILOVER_NAME_BYTES]; /* that answered last; escaped */
    uint64_t last_pong_ns;
    uint64_t call_sent;
    uint64_t call_answered;
    bool answered_since_fault;
};

struct run {
    struct net_loop loop;
    struct failover_result *result;
    const struct failover_config *config;
    struct stream *streams;
    enum phase phase;
    struct role_child command;
    uv_timer_t pinger;
    uv_timer_t deadline;
    struct role_signals signals;
    struct cli_progress progress;
    struct net_tick tick;
    uint64_t fault_ns; /* when the command began; 0: not yet */
    uint64_t over_ns;  /* when it ended */
    size_t opened;     /* streams that were answered once */
    size_t clients;
    int rv;
    bool closed;
};

static void enter(struct run *run, enum phase phase);

/* ---- streams --------------------------------------------------------------------------------- */

static void send_ping(struct stream *stream)
{
    const struct rpc_ping_request ping = {.message = "ping", .sequence = stream->call_sent + 1};
    if (role_pinger_send(&stream->pinger, &ping) == 0) {
        stream->call_sent++;
        stream->seen->sent += stream->run->fault_ns != 0;
    }
}

/* The longest silence that lies behind the fault. Who answered at its ends is told of the
 * interruption where there was one, for a longer silence later on may only be a slow machine. */
static void measure_gap(struct stream *stream, uint64_t now_ns, const char *server)
{
    struct failover_stream *seen = stream->seen;
    if (stream->run->fault_ns == 0) {
        return;
    }
    bool longest = now_ns - stream->last_pong_ns >= seen->gap_ns;
    if (longest) {
        seen->gap_ns = now_ns - stream->last_pong_ns;
    }
    if (seen->cause[0] != '\0' && seen->after[0] == '\0') {
        snprintf(seen->after, sizeof(seen->after), "%s", server);
    } else if (seen->cause[0] == '\0' && longest) {
        snprintf(seen->before, sizeof(seen->before), "%s", stream->server);
        snprintf(seen->after, sizeof(seen->after), "%s", server);
    }
}

static bool all_are_back(const struct run *run)
{
    for (size_t i = 0; i < run->result->stream_count; i++) {
        if (!run->streams[i].answered_since_fault) {
            return false;
        }
    }
    return true;
}

static void on_opening_late(uv_timer_t *timer);

/* Thousands take longer than one: the limit is for the next. */
static void note_opened(struct run *run)
{
    if (++run->opened == run->result->stream_count) {
        enter(run, FAULTING);
    } else {
        uv_timer_start(&run->deadline, on_opening_late, OPENING_MS, 0);
    }
}

static void on_pong(void *user, const struct rpc_ping_response *pong)
{
    struct stream *stream = user;
    struct run *run = stream->run;
    char server[FAILOVER_NAME_BYTES];
    uint64_t now_ns = clock_now_ns();
    const struct role_service *service = run->config->target->service;
    bool unnamed = role_is_unnamed(service, pong);
    const char *name =
        service != NULL && pong->server_id[0] == '\0' ? pong->server_version : pong->server_id;
    text_escape(server, sizeof(server), name, strlen(name));
    measure_gap(stream, now_ns, server);
    if (run->phase < FINISHING) { /* the picture ends there */
        failover_lanes_answer(
            &run->result->history, &stream->seen->lanes, now_ns, server, stream->call_answered == 0,
            !unnamed && role_expectation_forbids(stream->seen->expect, pong->server_version));
    }
    memcpy(stream->server, server, sizeof(server));
    bool is_first = stream->last_pong_ns == 0;
    stream->last_pong_ns = now_ns;
    stream->seen->unnamed += unnamed;
    stream->seen->misrouted +=
        run->fault_ns != 0 && !unnamed &&
        role_expectation_forbids(stream->seen->expect, pong->server_version);
    if (stream->call_answered == stream->call_sent) {
        stream->seen->repeated += service == NULL; /* another may answer as often as it likes */
    } else {
        stream->call_answered++;
    }
    stream->answered_since_fault = stream->answered_since_fault || run->over_ns != 0;
    if (run->phase == OPENING && is_first) {
        note_opened(run);
    }
}

static void note_cause(struct stream *stream, const char *text)
{
    struct failover_stream *seen = stream->seen;
    if (stream->run->fault_ns != 0 && seen->cause[0] == '\0' && stream->run->phase != CLOSING) {
        text_escape(seen->cause, sizeof(seen->cause), text, strlen(text));
        snprintf(seen->before, sizeof(seen->before), "%s", stream->server);
        seen->after[0] = '\0';
    }
}

static void reopen_soon(struct stream *stream);

/* A stream that ends before its first answer: there is nothing to test. */
static bool is_fatal(const struct stream *stream)
{
    return stream->run->phase == OPENING && stream->last_pong_ns == 0;
}

static void fail_opening(struct run *run, const char *cause)
{
    char *reason = run->result->reason;
    text_escape(reason, sizeof(run->result->reason), cause, strlen(cause));
    cli_error("failover-test", "%s", reason);
    run->rv = EXIT_NO_CONNECTION;
    enter(run, CLOSING);
}

/* A stream that was half-closed is over: trailers that say OK are the one good end. */
static void note_end(struct stream *stream, const struct rpc_status *status)
{
    struct failover_stream *seen = stream->seen;
    char end[FAILOVER_CAUSE_BYTES];
    seen->lost += stream->call_sent - stream->call_answered;
    seen->end = status->code == RPC_OK ? FAILOVER_END_GOOD : FAILOVER_END_BAD;
    if (seen->end == FAILOVER_END_BAD) {
        rpc_status_describe(status, end, sizeof(end));
        text_escape(seen->end_cause, sizeof(seen->end_cause), end, strlen(end));
    }
}

static void on_call_closed(void *user, const struct rpc_status *status)
{
    struct stream *stream = user;
    char cause[FAILOVER_CAUSE_BYTES];
    if (stream->run->phase == FINISHING) {
        note_end(stream, status);
        if (stream->client != NULL) {
            rpc_client_close(stream->client);
        }
        return;
    }
    if (stream->run->fault_ns != 0 && stream->run->phase != CLOSING) {
        stream->seen->lost += stream->call_sent - stream->call_answered;
        stream->answered_since_fault = false;
    }
    if (stream->call_answered > 0 && stream->run->phase != CLOSING) {
        failover_history_call_ended(&stream->run->result->history, clock_now_ns());
    }
    rpc_status_describe(status, cause, sizeof(cause));
    note_cause(stream, cause);
    if (is_fatal(stream)) {
        fail_opening(stream->run, cause);
    }
    if (stream->client != NULL) {
        rpc_client_close(stream->client); /* its on_closed opens again */
    }
}

static void on_named(void *user, const struct role_naming *naming)
{
    const struct stream *stream = user;
    struct failover_stream *seen = stream->seen;
    if (seen->unnamed_why[0] == '\0') {
        snprintf(seen->unnamed_why, sizeof(seen->unnamed_why), "%s",
                 role_naming_missing(stream->run->config->target->service, naming));
    }
}

static const struct role_pinger_events pinger_events = {.on_pong = on_pong,
                                                        .on_named = on_named,
                                                        .on_closed = on_call_closed};

static void on_ready(void *user)
{
    struct stream *stream = user;
    const struct role_identity self = {.version = stream->seen->version,
                                       .id = stream->seen->agent_id};
    stream->call_sent = stream->call_answered = 0;
    if (role_pinger_open(&stream->pinger, stream->client, &self) != 0) {
        rpc_client_close(stream->client);
        return;
    }
    send_ping(stream);
}

static void close_when_idle(struct run *run);

static void on_client_closed(void *user, const struct net_error *why)
{
    struct stream *stream = user;
    stream->client = NULL;
    stream->run->clients--;
    if (stream->run->phase == FINISHING) {
        if (stream->run->clients == 0) {
            enter(stream->run, CLOSING);
        }
        return;
    }
    note_cause(stream, why->text);
    if (is_fatal(stream)) {
        fail_opening(stream->run, why->text);
    } else if (stream->run->phase != CLOSING) {
        reopen_soon(stream);
    }
    close_when_idle(stream->run);
}

static const struct rpc_client_events client_events = {.on_ready = on_ready,
                                                       .on_closed = on_client_closed};

static void open_stream(struct stream *stream)
{
    struct rpc_client_config client = role_target_client(stream->run->config->target);
    client.connect_timeout_ms = CONNECT_MS;
    if (stream->last_pong_ns != 0) { /* a fleet comes back all at once */
        client.gate = NULL;
    }
    stream->run->clients++;
    stream->client = rpc_client_open(&stream->run->loop, &client, &client_events, stream);
}

static void on_reopen(uv_timer_t *timer)
{
    open_stream(timer->data);
}

static void reopen_soon(struct stream *stream)
{
    uv_timer_start(&stream->timer, on_reopen, REOPEN_MS, 0);
}

static void on_pinger(uv_timer_t *timer)
{
    struct run *run = timer->data;
    const struct role_service *service = run->config->target->service;
    if (service != NULL && role_service_sends_once(service)) {
        return; /* the server has its own pace */
    }
    for (size_t i = 0; i < run->result->stream_count; i++) {
        struct stream *stream = &run->streams[i];
        if (role_pinger_is_open(&stream->pinger) && stream->call_answered == stream->call_sent) {
            send_ping(stream);
        }
    }
}

/* ---- the fault ------------------------------------------------------------------------------- */

static void on_command_exit(void *user, int code)
{
    struct run *run = user;
    run->over_ns = clock_now_ns();
    run->result->history.over_ns = run->over_ns;
    run->result->fault_ns = run->over_ns - run->fault_ns;
    run->result->fault_exit = code;
    run->result->fault_ended = run->phase != CLOSING;
    if (run->phase == CLOSING) {
        role_child_signal_all(&run->command, SIGKILL); /* what the command began and left */
        close_when_idle(run);
    } else {
        enter(run, WATCHING);
    }
}

static const struct role_child_events command_events = {.on_exit = on_command_exit};

static void end_command(struct run *run, int number)
{
    if (role_child_runs(&run->command)) {
        role_child_signal_all(&run->command, number);
    }
}

static void on_command_stays(uv_timer_t *timer)
{
    end_command(timer->data, SIGKILL);
}

/* What it prints is for the person, and never a part of the result. */
static void start_command(struct run *run)
{
    const char *const arguments[] = {"-c", run->result->fault, NULL};
    const struct role_child_command command = {
        .program = "/bin/sh", .arguments = arguments, .out = 2, .err = 2};
    run->fault_ns = clock_now_ns();
    run->result->history.fault_ns = run->fault_ns;
    int error = role_child_start(&run->command, &run->loop.uv, &command, &command_events, run);
    if (error != 0) {
        snprintf(run->result->reason, sizeof(run->result->reason), "the command could not be begun: %s",
                 strerror(-error));
        cli_error("failover-test", "--fault: %s", strerror(-error));
        run->rv = EXIT_USAGE;
        enter(run, CLOSING);
    }
}

/* ---- phases ---------------------------------------------------------------------------------- */

static void finish_streams(struct run *run)
{
    uint64_t now_ns = clock_now_ns();
    for (size_t i = 0; i < run->result->stream_count; i++) {
        struct stream *stream = &run->streams[i];
        stream->seen->back = stream->answered_since_fault;
        if (!stream->answered_since_fault) {
            measure_gap(stream, now_ns, "");
        }
    }
}

/* Ends settle_ns after the command did, once every stream was answered since; max_gap_ns later at
 * the latest, and who is not back by then is not back. */
static void on_watching(uv_timer_t *timer)
{
    struct run *run = timer->data;
    uint64_t now_ns = clock_now_ns();
    uint64_t latest_ns = run->over_ns + run->result->max_gap_ns + run->config->settle_ns;
    if (now_ns >= latest_ns ||
        (now_ns >= run->over_ns + run->config->settle_ns && all_are_back(run))) {
        finish_streams(run);
        enter(run, FINISHING);
    }
}

static void on_finishing_late(uv_timer_t *timer)
{
    enter(timer->data, CLOSING);
}

static void close_history(struct run *run)
{
    if (run->result->history.ended_ns != 0) {
        return;
    }
    uint64_t now_ns = clock_now_ns();
    run->result->history.ended_ns = now_ns;
    for (size_t i = 0; i < run->result->stream_count; i++) {
        if (role_pinger_is_open(&run->streams[i].pinger)) {
            failover_lanes_close(&run->result->history, &run->streams[i].seen->lanes, now_ns);
        }
    }
}

/* Half-closes what is open. */
static void end_streams(struct run *run)
{
    close_history(run);
    uv_timer_stop(&run->pinger);
    uv_timer_start(&run->deadline, on_finishing_late, FINISH_MS, 0);
    for (size_t i = 0; i < run->result->stream_count; i++) {
        struct stream *stream = &run->streams[i];
        uv_timer_stop(&stream->timer);
        if (role_pinger_is_open(&stream->pinger)) {
            stream->seen->end = FAILOVER_END_OPEN;
            role_pinger_half_close(&stream->pinger);
        } else if (stream->client != NULL) {
            rpc_client_close(stream->client);
        }
    }
    if (run->clients == 0) {
        enter(run, CLOSING);
    }
}

static void on_opening_late(uv_timer_t *timer)
{
    struct run *run = timer->data;
    snprintf(run->result->reason, sizeof(run->result->reason),
             "%zu of %zu streams were answered, and within %ds no other", run->opened,
             run->result->stream_count, OPENING_MS / 1000);
    cli_error("failover-test", "%s", run->result->reason);
    run->rv = EXIT_NO_CONNECTION;
    enter(run, CLOSING);
}

static void close_streams(struct run *run)
{
    close_history(run);
    uv_timer_stop(&run->pinger);
    uv_timer_stop(&run->deadline);
    end_command(run, SIGTERM);
    uv_timer_start(&run->deadline, on_command_stays, COMMAND_END_MS, 0);
    for (size_t i = 0; i < run->result->stream_count; i++) {
        uv_timer_stop(&run->streams[i].timer);
        if (run->streams[i].client != NULL) {
            rpc_client_close(run->streams[i].client);
        }
    }
}

static void enter(struct run *run, enum phase phase)
{
    if (run->phase == CLOSING && phase == CLOSING) {
        return;
    }
    run->phase = phase;
    switch (phase) {
    case OPENING:
        uv_timer_start(&run->deadline, on_opening_late, OPENING_MS, 0);
        return;
    case FAULTING:
        uv_timer_stop(&run->deadline);
        cli_progress_wipe(&run->progress);
        start_command(run);
        return;
    case WATCHING:
        uv_timer_start(&run->deadline, on_watching, WATCH_EVERY_MS, WATCH_EVERY_MS);
        return;
    case FINISHING:
        end_streams(run);
        return;
    case CLOSING:
        close_streams(run);
        close_when_idle(run);
        return;
    }
}

static void close_when_idle(struct run *run)
{
    if (run->phase != CLOSING || run->clients > 0 || role_child_runs(&run->command) ||
        run->closed) {
        return;
    }
    run->closed = true;
    uv_close((uv_handle_t *)&run->pinger, NULL);
    uv_close((uv_handle_t *)&run->deadline, NULL);
    role_signals_close(&run->signals);
    net_loop_tick_stop(&run->tick);
    for (size_t i = 0; i < run->result->stream_count; i++) {
        uv_close((uv_handle_t *)&run->streams[i].timer, NULL);
    }
}

/* While the command runs the terminal is its own. */
static void on_tick(struct net_tick *tick, uint64_t now_ms)
{
    struct run *run = container_of(tick, struct run, tick);
    size_t answered = 0;
    (void)now_ms;
    if (!cli_progress_due(&run->progress) || (run->phase != OPENING && run->phase != WATCHING)) {
        return;
    }
    for (size_t i = 0; i < run->result->stream_count; i++) {
        answered += run->phase == OPENING ? run->streams[i].last_pong_ns != 0
                                          : run->streams[i].answered_since_fault;
    }
    cli_progress_show(&run->progress, "failover-test: %zu of %zu streams answered %s", answered,
                      run->result->stream_count,
                      run->phase == OPENING ? "so far" : "after the fault");
}

static void on_signal(void *user, int number, bool again)
{
    struct run *run = user;
    (void)again;
    run->rv = role_signals_exit_code(number);
    if (run->phase == CLOSING) {
        end_command(run, SIGKILL);
    } else if (run->fault_ns != 0) {
        finish_streams(run);
    }
    enter(run, CLOSING);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void start(struct run *run)
{
    uint64_t interval_ms = run->config->interval_ns / NS_PER_MS;
    uv_timer_init(&run->loop.uv, &run->pinger);
    uv_timer_init(&run->loop.uv, &run->deadline);
    run->pinger.data = run->deadline.data = run;
    uv_timer_start(&run->pinger, on_pinger, interval_ms, interval_ms);
    role_signals_start(&run->signals, &run->loop, on_signal, NULL, run);
    net_tick_init(&run->tick, on_tick);
    net_loop_tick_start(&run->loop, &run->tick);
    for (size_t i = 0; i < run->result->stream_count; i++) {
        struct stream *stream = &run->streams[i];
        stream->run = run;
        stream->seen = &run->result->streams[i];
        uv_timer_init(&run->loop.uv, &stream->timer);
        stream->timer.data = stream;
        role_pinger_init(&stream->pinger, run->config->target, &pinger_events, stream);
        open_stream(stream);
    }
    enter(run, OPENING);
}

int failover_run(struct failover_result *result, const struct failover_config *config)
{
    struct run *run = mem_new(struct run);
    run->result = result;
    run->config = config;
    result->interval_ns = config->interval_ns;
    result->history.silence_ns = SILENCE_INTERVALS * config->interval_ns + SILENCE_NS;
    result->history.began_ns = clock_now_ns();
    run->streams = mem_calloc(result->stream_count, sizeof(*run->streams));
    int rv = EXIT_USAGE;
    if (net_loop_init(&run->loop) != 0) {
        cli_error("failover-test", "cannot start an event loop");
    } else {
        cli_progress_begin(&run->progress);
        start(run);
        net_loop_run(&run->loop);
        cli_progress_end(&run->progress);
        net_loop_deinit(&run->loop);
        rv = run->rv;
    }
    result->run_exit = rv;
    free(run->streams);
    free(run);
    return rv;
}
