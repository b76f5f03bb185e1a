/* Records what the prober sees, with bounds on everything a peer sizes. */
#include "check/observe.h"

#include "base/mem.h"

#include <stdlib.h>

void check_run_init(struct check_run *run, const struct check_plan *plan, const char *target,
                    uint64_t timeout_ns)
{
    *run = (struct check_run){
        .plan = plan,
        .target = target,
        .timeout_ns = timeout_ns,
        .streams = mem_calloc(plan->stream_count, sizeof(struct check_observation)),
    };
    check_names_init(&run->names, plan->stream_count + plan->group_count + CHECK_PEER_NAMES);
    for (size_t i = 0; i < plan->stream_count; i++) {
        const struct check_stream *stream = &plan->streams[i];
        struct check_observation *seen = &run->streams[i];
        seen->agent_id = check_names_add(&run->names, stream->agent_id);
        seen->agent_version =
            check_names_add(&run->names, plan->groups[stream->group].agent_version);
        seen->sent_ns = mem_calloc(plan->messages, sizeof(uint64_t));
    }
}

void check_run_deinit(struct check_run *run)
{
    for (size_t i = 0; run->streams != NULL && i < run->plan->stream_count; i++) {
        free(run->streams[i].sent_ns);
        free(run->streams[i].pongs);
        free(run->streams[i].server_missing);
        free(run->streams[i].pod_missing);
    }
    free(run->streams);
    run->streams = NULL;
    check_names_deinit(&run->names);
}

void check_run_sent(struct check_run *run, size_t stream, uint64_t now_ns)
{
    struct check_observation *seen = &run->streams[stream];
    seen->sent_ns[seen->sent++] = now_ns;
}

static struct check_pong *next_pong(struct check_observation *seen)
{
    if (seen->pong_count == seen->pong_capacity) {
        seen->pong_capacity = seen->pong_capacity == 0 ? 16 : seen->pong_capacity * 2;
        seen->pongs = mem_realloc(seen->pongs, seen->pong_capacity * sizeof(struct check_pong));
    }
    return &seen->pongs[seen->pong_count++];
}

bool check_run_received(struct check_run *run, size_t stream,
                        const struct rpc_ping_response *response)
{
    struct check_observation *seen = &run->streams[stream];
    if (seen->pong_count >= run->plan->messages + CHECK_EXTRA_PONGS) {
        seen->flooded = true;
        return false;
    }
    *next_pong(seen) = (struct check_pong){
        .sequence = response->sequence,
        .send_time_ns = response->send_time_ns,
        .server_version = check_names_add(&run->names, response->server_version),
        .server_id = check_names_add(&run->names, response->server_id),
        .agent_id = check_names_add(&run->names, response->agent_id),
        .agent_version = check_names_add(&run->names, response->agent_version),
    };
    return true;
}

static void keep_first(char **kept, const char *text)
{
    if (*kept == NULL && text[0] != '\0') {
        *kept = mem_strdup(text);
    }
}

void check_run_named(struct check_run *run, size_t stream, size_t first,
                     const struct role_naming *naming)
{
    struct check_observation *seen = &run->streams[stream];
    uint32_t version = check_names_add(&run->names, naming->who.server_version);
    uint32_t id = check_names_add(&run->names, naming->who.server_id);
    for (size_t i = first; i < seen->pong_count; i++) {
        struct check_pong *pong = &seen->pongs[i];
        pong->server_version = version != CHECK_NAME_EMPTY ? version : pong->server_version;
        pong->server_id = id != CHECK_NAME_EMPTY ? id : pong->server_id;
    }
    if (first < seen->pong_count) {
        keep_first(&seen->server_missing, naming->server_missing);
        keep_first(&seen->pod_missing, naming->pod_missing);
    }
}
