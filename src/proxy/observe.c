#include "proxy/observe.h"

#include "base/clock.h"
#include "base/text.h"
#include "h2/session.h"
#include "proxy/cluster.h"
#include "proxy/exchange.h"
#include "proxy/proxy.h"
#include "proxy/worker.h"
#include "rpc/ping.h"

#include <stdio.h>
#include <string.h>

#define PREFIX_BYTES 5

/* One writer: a plain load and store is enough, and cheaper than an atomic addition. */
static void add(atomic_uint_fast64_t *counter, uint64_t value)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + value,
                          memory_order_relaxed);
}

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
    add(&exchange->seen.flow->streams, 1);
}

void observe_left(struct exchange *exchange)
{
    struct observation *seen = &exchange->seen;
    if (seen->misrouted) {
        add(&seen->flow->misrouted, (uint64_t)-1);
        atomic_fetch_sub(&exchange->endpoint->misrouted, 1);
        seen->misrouted = false;
    }
    add(&seen->flow->streams, (uint64_t)-1);
    seen->flow = NULL;
}

/* ---- who answered ---------------------------------------------------------------------------- */

bool observe_is_misroute(const char *agent_version, const char *server_version)
{
    struct text_version agent;
    struct text_version server;
    const char *reason;
    if (text_parse_version(agent_version, &agent, &reason) != 0 || !agent.has_minor) {
        return false;
    }
    return text_parse_version(server_version, &server, &reason) != 0 || server.major != agent.major;
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
    add(&exchange->worker->stats.answers_checked, 1);
    if (seen->misrouted) {
        add(&exchange->worker->stats.misrouted, 1);
        add(&seen->flow->misrouted, 1);
        atomic_fetch_add(&exchange->endpoint->misrouted, 1);
    }
}

/* The first message, if these bytes hold it whole and uncompressed; a stream is not remembered for
 * this. */
static void peek(struct exchange *exchange, const uint8_t *bytes, size_t len)
{
    struct rpc_ping_response response;
    exchange->seen.peek = false;
    if (len < PREFIX_BYTES || bytes[0] != 0) {
        return;
    }
    size_t size =
        (size_t)bytes[1] << 24 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 8 | bytes[4];
    if (size <= OBSERVE_MESSAGE_BYTES && size <= len - PREFIX_BYTES && exchange->endpoint != NULL &&
        rpc_ping_response_decode(bytes + PREFIX_BYTES, size, &response) == 0) {
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
    add(&exchange->worker->stats.messages_up, messages);
    if (exchange->seen.asked_ns == 0 && is_watched(exchange->worker)) {
        exchange->seen.asked_ns = clock_now_ns();
    }
}

void observe_down(struct exchange *exchange, size_t messages, const uint8_t *bytes, size_t len)
{
    if (messages > 0) {
        add(&exchange->worker->stats.messages_down, messages);
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
