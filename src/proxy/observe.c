#include "proxy/observe.h"

#include "base/clock.h"
#include "base/text.h"
#include "h2/session.h"
#include "proxy/cluster.h"
#include "proxy/counter.h"
#include "proxy/exchange.h"
#include "proxy/proxy.h"
#include "proxy/worker.h"
#include "rpc/frame.h"
#include "rpc/ping.h"

#include <stdio.h>
#include <string.h>

/* ---- who is where ---------------------------------------------------------------------------- */

void observe_request(struct exchange *exchange, const struct h2_block *block)
{
    const struct h2_header *path = h2_block_find(block, ":path", NULL);
    exchange->seen.peek = path != NULL && path->value_len == strlen(RPC_PING_PATH) &&
                          memcmp(path->value, RPC_PING_PATH, path->value_len) == 0;
}

static struct observe_flow *find_flow(struct worker *worker, const char *version,
                                      const struct cluster *cluster)
{
    struct observe_flow *free_place = &worker->flows.flows[OBSERVE_FLOWS];
    for (size_t i = 0; i < OBSERVE_FLOWS; i++) {
        struct observe_flow *flow = &worker->flows.flows[i];
        bool used = atomic_load_explicit(&flow->streams, memory_order_relaxed) > 0;
        if (used && flow->cluster == cluster && strcmp(flow->version, version) == 0) {
            return flow;
        }
        if (!used && free_place == &worker->flows.flows[OBSERVE_FLOWS]) {
            free_place = flow;
        }
    }
    if (free_place != &worker->flows.flows[OBSERVE_FLOWS]) {
        snprintf(free_place->version, sizeof(free_place->version), "%s", version);
        free_place->cluster = cluster;
    }
    return free_place;
}

void observe_chosen(struct exchange *exchange)
{
    exchange->seen.flow =
        find_flow(exchange->worker, exchange->agent_version, exchange->endpoint->cluster);
    counter_add(&exchange->seen.flow->streams, 1);
}

void observe_left(struct exchange *exchange)
{
    struct observation *seen = &exchange->seen;
    if (seen->misrouted) {
        counter_add(&seen->flow->misrouted, (uint64_t)-1);
        atomic_fetch_sub(&exchange->endpoint->misrouted, 1);
        seen->misrouted = false;
    }
    counter_add(&seen->flow->streams, (uint64_t)-1);
    seen->flow = NULL;
}

/* ---- who answered ---------------------------------------------------------------------------- */

bool observe_is_misroute(const char *agent_version, const char *server_version)
{
    struct text_version agent;
    const char *reason;
    if (text_parse_version(agent_version, &agent, &reason) != 0 || !agent.has_minor) {
        return false;
    }
    return !text_same_major(server_version, agent_version);
}

static void note_server(struct exchange *exchange, const struct rpc_ping_response *response)
{
    struct observation *seen = &exchange->seen;
    pthread_mutex_lock(&exchange->worker->exchanges_mutex);
    text_escape(seen->server_version, sizeof(seen->server_version), response->server_version,
                strlen(response->server_version));
    text_escape(seen->server_id, sizeof(seen->server_id), response->server_id,
                strlen(response->server_id));
    seen->misrouted = observe_is_misroute(exchange->agent_version, seen->server_version);
    pthread_mutex_unlock(&exchange->worker->exchanges_mutex);
    endpoint_set_pod(exchange->endpoint, seen->server_id);
    counter_add(&exchange->worker->stats.answers_checked, 1);
    if (seen->misrouted) {
        counter_add(&exchange->worker->stats.misrouted, 1);
        counter_add(&seen->flow->misrouted, 1);
        atomic_fetch_add(&exchange->endpoint->misrouted, 1);
    }
}

/* The first message, if these bytes hold it whole and uncompressed; a stream is not remembered for
 * this. */
static void peek(struct exchange *exchange, const uint8_t *bytes, size_t len)
{
    struct rpc_ping_response response;
    exchange->seen.peek = false;
    if (len < RPC_FRAME_PREFIX_BYTES || bytes[0] != 0) {
        return;
    }
    size_t size = rpc_frame_length(bytes);
    if (size <= OBSERVE_MESSAGE_BYTES && size <= len - RPC_FRAME_PREFIX_BYTES &&
        exchange->endpoint != NULL &&
        rpc_ping_response_decode(bytes + RPC_FRAME_PREFIX_BYTES, size, &response) == 0) {
        note_server(exchange, &response);
    }
}

/* ---- messages -------------------------------------------------------------------------------- */

static bool is_watched(const struct worker *worker)
{
    return atomic_load_explicit(&worker->proxy->watched, memory_order_relaxed);
}

void observe_up(struct exchange *exchange, size_t messages)
{
    if (messages == 0) {
        return;
    }
    counter_add(&exchange->worker->stats.messages_up, messages);
    if (exchange->seen.asked_ns == 0 && is_watched(exchange->worker)) {
        exchange->seen.asked_ns = clock_now_ns();
    }
}

void observe_down(struct exchange *exchange, size_t messages, const uint8_t *bytes, size_t len)
{
    if (messages > 0) {
        counter_add(&exchange->worker->stats.messages_down, messages);
        if (exchange->seen.asked_ns != 0) {
            answer_time_add(&exchange->worker->answer_time,
                            clock_now_ns() - exchange->seen.asked_ns);
            exchange->seen.asked_ns = 0;
        }
    }
    if (exchange->seen.peek && len > 0) {
        peek(exchange, bytes, len);
    }
}
