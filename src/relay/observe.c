#include "relay/observe.h"

#include "base/clock.h"
#include "base/counter.h"
#include "base/text.h"
#include "h2/session.h"
#include "relay/account.h"
#include "relay/routing.h"
#include "relay/state.h"
#include "rpc/frame.h"
#include "rpc/metadata.h"
#include "rpc/ping.h"

#include <assert.h>
#include <string.h>

#define NS_PER_US 1000

/* ---- who is where ---------------------------------------------------------------------------- */

void observe_label(char out[static STREAM_LABEL_BYTES], const struct h2_block *block,
                   const char *name)
{
    const struct h2_header *field = h2_block_find(block, name, NULL);
    if (field != NULL) {
        text_escape(out, STREAM_LABEL_BYTES, field->value, field->value_len);
    }
}

static bool has_grpc_type(const struct h2_block *block)
{
    const struct h2_header *type = h2_block_find(block, "content-type", NULL);
    return type != NULL && rpc_is_grpc_content_type(type->value, type->value_len);
}

static void disregard_answer(struct stream_record *record)
{
    message_count_disregard(&record->down);
    record->peek = false;
}

void observe_request(struct stream_record *record, const struct h2_block *block)
{
    observe_label(record->agent_id, block, "agent-id");
    observe_label(record->agent_version, block, "agent-version");
    const struct h2_header *path = h2_block_find(block, ":path", NULL);
    record->peek = path != NULL && path->value_len == strlen(RPC_PING_PATH) &&
                   memcmp(path->value, RPC_PING_PATH, path->value_len) == 0;
    if (!has_grpc_type(block)) {
        message_count_disregard(&record->up);
        disregard_answer(record);
    }
}

/* A page of a web server is no answer in gRPC, whatever its bytes look like. An answer that does
 * not say what it is passes for one: so it does with clients. */
void observe_response(struct stream_record *record, const struct h2_block *block)
{
    bool untyped = h2_block_find(block, "content-type", NULL) == NULL;
    if (!untyped && !has_grpc_type(block)) {
        disregard_answer(record);
    }
}

void observe_routed(struct worker *worker, struct stream_record *record,
                    const struct routing *routing, const struct route_rule *rule)
{
    record->rule = rule;
    record->account = account_block(routing_account(routing, rule), worker->index);
    counter_add(&record->account->streams_active, 1);
}

void observe_chosen(struct worker *worker, struct stream_record *record, struct endpoint *endpoint)
{
    assert(record->endpoint == NULL && record->flow == NULL);
    streams_lock(&worker->streams);
    record->endpoint = endpoint;
    record->flow = flows_find(&worker->flows, record->agent_version, endpoint->cluster);
    counter_add(&record->flow->streams, 1);
    streams_unlock(&worker->streams);
    atomic_fetch_add(&endpoint->rq_active, 1);
    atomic_fetch_add(&endpoint->rq_total, 1);
}

static uint64_t messages_of(const struct message_count *count)
{
    return atomic_load_explicit(&count->messages, memory_order_relaxed);
}

static void count_sent(struct worker *worker, struct endpoint_load *load, uint64_t messages,
                       uint64_t bytes)
{
    counter_add(&load->messages_up, messages);
    counter_add(&load->bytes_up, bytes);
    counter_add(&worker->stats.messages_up, messages);
}

static void count_received(struct worker *worker, struct endpoint_load *load, uint64_t messages,
                           uint64_t bytes)
{
    counter_add(&load->messages_down, messages);
    counter_add(&load->bytes_down, bytes);
    counter_add(&worker->stats.messages_down, messages);
}

void observe_sending(struct worker *worker, struct stream_record *record)
{
    assert(record->endpoint != NULL && record->load == NULL);
    record->load = endpoint_load(record->endpoint, worker->index);
    count_sent(worker, record->load, messages_of(&record->up),
               atomic_load_explicit(&record->up.bytes, memory_order_relaxed));
    counter_add(&worker->stats.messages_resent, record->sent_in_vain);
    record->sent_in_vain = 0;
}

void observe_left(struct worker *worker, struct stream_record *record)
{
    struct endpoint *endpoint = record->endpoint;
    if (endpoint == NULL) {
        return;
    }
    if (record->load != NULL) {
        record->load = NULL;
        record->sent_in_vain = messages_of(&record->up);
    }
    streams_lock(&worker->streams);
    if (record->misrouted) {
        counter_sub(&record->flow->misrouted, 1);
        atomic_fetch_sub(&endpoint->misrouted, 1);
        record->misrouted = false;
    }
    counter_sub(&record->flow->streams, 1);
    record->flow = NULL;
    record->endpoint = NULL;
    streams_unlock(&worker->streams);
    atomic_fetch_sub(&endpoint->rq_active, 1);
}

void observe_ended(struct worker *worker, struct stream_record *record)
{
    if (record->account != NULL) {
        counter_sub(&record->account->streams_active, 1);
    }
    tally_add(&worker->lifetimes, &tally_ages, worker_now_ms(worker) - record->opened_ms);
}

/* ---- who answered ---------------------------------------------------------------------------- */

static bool can_judge(const struct route_rule *rule)
{
    return rule != NULL && rule->version_count > 0;
}

bool observe_is_misroute(const struct route_rule *rule, const char *server_version)
{
    for (size_t i = 0; i < rule->version_count; i++) {
        if (text_same_major(server_version, rule->versions[i])) {
            return false;
        }
    }
    return rule->version_count > 0;
}

static void judge(struct worker *worker, struct stream_record *record)
{
    if (record->server_version[0] == '\0' || !can_judge(record->rule)) {
        return;
    }
    counter_add(&worker->stats.answers_checked, 1);
    counter_add(&record->account->answers_checked, 1);
    if (observe_is_misroute(record->rule, record->server_version)) {
        record->misrouted = true;
        counter_add(&worker->stats.misrouted, 1);
        counter_add(&record->account->misrouted, 1);
        counter_add(&record->flow->misrouted, 1);
        atomic_fetch_add(&record->endpoint->misrouted, 1);
    }
}

static void note_server(struct worker *worker, struct stream_record *record,
                        const struct rpc_ping_response *response)
{
    streams_lock(&worker->streams);
    text_escape(record->server_version, sizeof(record->server_version), response->server_version,
                strlen(response->server_version));
    text_escape(record->server_id, sizeof(record->server_id), response->server_id,
                strlen(response->server_id));
    judge(worker, record);
    streams_unlock(&worker->streams);
    endpoint_set_pod(record->endpoint, record->server_id);
}

/* The first message, if these bytes hold it whole and uncompressed; a stream is not remembered for
 * this. */
static void peek(struct worker *worker, struct stream_record *record, const uint8_t *bytes,
                 size_t len)
{
    struct rpc_ping_response response;
    record->peek = false;
    if (len < RPC_FRAME_PREFIX_BYTES || bytes[0] != 0) {
        return;
    }
    size_t size = rpc_frame_length(bytes);
    if (size <= OBSERVE_MESSAGE_BYTES && size <= len - RPC_FRAME_PREFIX_BYTES &&
        record->endpoint != NULL &&
        rpc_ping_response_decode(bytes + RPC_FRAME_PREFIX_BYTES, size, &response) == 0) {
        note_server(worker, record, &response);
    }
}

/* ---- messages -------------------------------------------------------------------------------- */

uint64_t observe_unanswered(const struct stream_record *record)
{
    uint64_t up = messages_of(&record->up);
    uint64_t down = messages_of(&record->down);
    return up > down ? up - down : 0;
}

/* Whether this message's answer is timed: a few are in each turn of who samples, see relay/state.h.
 * Not while an earlier one waits: its answer would be taken for this one's. */
static bool takes_time(struct worker *worker, const struct stream_record *record, size_t messages)
{
    unsigned left = atomic_load_explicit(&worker->answers_wanted, memory_order_relaxed);
    if (left == 0 || record->asked_ns != 0 || observe_unanswered(record) > messages) {
        return false;
    }
    atomic_store_explicit(&worker->answers_wanted, left - 1, memory_order_relaxed);
    return true;
}

void observe_up(struct worker *worker, struct stream_record *record, const uint8_t *bytes,
                size_t len)
{
    size_t messages = message_count_add(&record->up, bytes, len);
    if (record->load != NULL) {
        count_sent(worker, record->load, messages, len);
    }
    if (messages > 0 && takes_time(worker, record, messages)) {
        record->asked_ns = clock_now_ns();
    }
}

static void note_answered(struct worker *worker, struct stream_record *record)
{
    if (record->asked_ns != 0) {
        uint64_t ns = clock_now_ns() - record->asked_ns;
        record->asked_ns = 0;
        answer_time_add(&worker->answer_time, ns);
        tally_add(&record->account->answers, &tally_answers, ns / NS_PER_US);
    }
}

void observe_down(struct worker *worker, struct stream_record *record, const uint8_t *bytes,
                  size_t len)
{
    size_t messages = message_count_add(&record->down, bytes, len);
    count_received(worker, record->load, messages, len);
    if (messages > 0) {
        note_answered(worker, record);
    }
    if (record->peek && len > 0) {
        peek(worker, record, bytes, len);
    }
}
