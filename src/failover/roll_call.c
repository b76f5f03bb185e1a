/*   calling --all answered or ended, or SILENT_MS without an answer--> ending
 *   ending  --last connection gone-->                                  over
 *
 * Failure modes: a stream that is not answered is counted, with the first cause; what was not even
 * opened by the end counts as not answered. */
#include "failover/roll_call.h"

#include "base/mem.h"
#include "base/random.h"
#include "base/text.h"
#include "failover/pod.h"
#include "role/pinger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT_A_TIME 32
#define SILENT_MS 5000

struct failover_caller {
    struct failover_roll_caller *all;
    const struct failover_stream *like; /* a stream of its version */
    struct rpc_client *client;
    struct role_pinger pinger;
    char id[FAILOVER_NAME_BYTES];
    bool over;
};

static void end(struct failover_roll_caller *all);

/* ---- one stream ------------------------------------------------------------------------------ */

static void note_over(struct failover_caller *caller)
{
    struct failover_roll_caller *all = caller->all;
    if (!caller->over) {
        caller->over = true;
        all->over++;
    }
    if (all->over == all->result->roll_call.calls) {
        end(all);
    }
}

static void note_failure(struct failover_caller *caller, const char *cause)
{
    struct failover_roll_call *call = &caller->all->result->roll_call;
    if (caller->over || caller->all->ending) {
        return;
    }
    if (call->cause[0] == '\0') {
        text_escape(call->cause, sizeof(call->cause), cause, strlen(cause));
    }
    note_over(caller);
}

static void on_pong(void *user, const struct rpc_ping_response *pong)
{
    struct failover_caller *caller = user;
    struct failover_roll_caller *all = caller->all;
    struct failover_pod pod;
    if (caller->over || all->ending) {
        return;
    }
    bool named = !role_is_unnamed(all->target->service, pong);
    failover_pod_take(&pod, all->target->service, pong);
    failover_history_called(&all->result->history, &pod);
    all->result->roll_call.answered++;
    all->result->roll_call.misrouted +=
        named && role_expectation_forbids(caller->like->expect, pong->server_version);
    uv_timer_again(&all->deadline);
    role_pinger_half_close(&caller->pinger);
    note_over(caller);
}

static void on_call_closed(void *user, const struct rpc_status *status)
{
    struct failover_caller *caller = user;
    char cause[FAILOVER_CAUSE_BYTES];
    rpc_status_describe(status, cause, sizeof(cause));
    note_failure(caller, cause);
    if (caller->client != NULL) {
        rpc_client_close(caller->client);
    }
}

static const struct role_pinger_events pinger_events = {.on_pong = on_pong,
                                                        .on_closed = on_call_closed};

static void on_ready(void *user)
{
    struct failover_caller *caller = user;
    const struct role_identity self = {.version = caller->like->version, .id = caller->id};
    const struct rpc_ping_request ping = {.message = "ping", .sequence = 1};
    int rv = role_pinger_open(&caller->pinger, caller->client, &self);
    if (rv != 0) {
        note_failure(caller, rpc_call_unstarted(rv));
        rpc_client_close(caller->client);
    } else if (role_pinger_send(&caller->pinger, &ping) != 0) {
        rpc_client_close(caller->client);
    }
}

static void open_more(struct failover_roll_caller *all);

static void on_client_closed(void *user, const struct net_error *why)
{
    struct failover_caller *caller = user;
    struct failover_roll_caller *all = caller->all;
    caller->client = NULL;
    all->open--;
    note_failure(caller, why->text);
    open_more(all);
    if (all->ending && all->open == 0) {
        all->on_end(all->user);
    }
}

static const struct rpc_client_events client_events = {.on_ready = on_ready,
                                                       .on_closed = on_client_closed};

/* ---- all of them ----------------------------------------------------------------------------- */

static void open_more(struct failover_roll_caller *all)
{
    while (!all->ending && all->next < all->result->roll_call.calls && all->open < AT_A_TIME) {
        struct failover_caller *caller = &all->callers[all->next++];
        struct rpc_client_config client = role_target_client(all->target);
        client.connect_timeout_ms = SILENT_MS;
        snprintf(caller->id, sizeof(caller->id), "roll-call-%zu", all->next);
        caller->all = all;
        role_pinger_init(&caller->pinger, all->target, &pinger_events, caller);
        all->open++;
        caller->client = rpc_client_open(all->loop, &client, &client_events, caller);
    }
}

static void end(struct failover_roll_caller *all)
{
    if (all->ending) {
        return;
    }
    all->ending = true;
    all->result->roll_call.made = true;
    uv_timer_stop(&all->deadline);
    for (size_t i = 0; i < all->next; i++) {
        if (all->callers[i].client != NULL) {
            rpc_client_close(all->callers[i].client);
        }
    }
}

static void on_silent(uv_timer_t *timer)
{
    struct failover_roll_caller *all = timer->data;
    struct failover_roll_call *call = &all->result->roll_call;
    if (call->cause[0] == '\0') {
        snprintf(call->cause, sizeof(call->cause), "no answer for %ds", SILENT_MS / 1000);
    }
    end(all);
    if (all->open == 0) {
        all->on_end(all->user);
    }
}

/* Whether the stream is the first of its version. */
static bool is_first(const struct failover_result *result, size_t stream)
{
    for (size_t i = 0; i < stream; i++) {
        if (strcmp(result->streams[i].version, result->streams[stream].version) == 0) {
            return false;
        }
    }
    return true;
}

/* As many of each version, in an order that the seed decides. */
static void choose_callers(struct failover_roll_caller *all)
{
    struct failover_result *result = all->result;
    uint64_t seed = result->seed;
    size_t of_pods = FAILOVER_CALLS_PER_POD * result->history.pod_count;
    size_t each = of_pods < FAILOVER_CALLS_MIN   ? FAILOVER_CALLS_MIN
                  : of_pods > FAILOVER_CALLS_MAX ? FAILOVER_CALLS_MAX
                                                 : of_pods;
    size_t count = 0;
    for (size_t i = 0; i < result->stream_count; i++) {
        if (is_first(result, i)) {
            all->callers = mem_realloc(all->callers, (count + each) * sizeof(*all->callers));
            for (size_t j = 0; j < each; j++) {
                all->callers[count++] = (struct failover_caller){.like = &result->streams[i]};
            }
        }
    }
    random_shuffle(&seed, all->callers, count, sizeof(*all->callers));
    result->roll_call.calls = count;
}

void failover_roll_call_start(struct failover_roll_caller *caller, struct net_loop *loop,
                              struct failover_result *result, const struct role_target *target,
                              void (*on_end)(void *user), void *user)
{
    *caller = (struct failover_roll_caller){.loop = loop,
                                            .result = result,
                                            .target = target,
                                            .on_end = on_end,
                                            .user = user,
                                            .started = true};
    choose_callers(caller);
    uv_timer_init(&loop->uv, &caller->deadline);
    caller->deadline.data = caller;
    uv_timer_start(&caller->deadline, on_silent, SILENT_MS, SILENT_MS);
    open_more(caller);
}

void failover_roll_call_close(struct failover_roll_caller *caller)
{
    if (caller->started && !caller->ending) {
        end(caller);
        caller->result->roll_call.made = false; /* it was cut short */
    }
}

bool failover_roll_call_runs(const struct failover_roll_caller *caller)
{
    return caller->open > 0;
}

void failover_roll_call_stop(struct failover_roll_caller *caller)
{
    if (caller->started) {
        uv_close((uv_handle_t *)&caller->deadline, NULL);
    }
}

void failover_roll_call_deinit(struct failover_roll_caller *caller)
{
    free(caller->callers);
}
