/* Bookkeeping of one stream: sequences, round trips, and the judgement of each answer. */
#include "agent/stream.h"

#include "base/clock.h"
#include "base/text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Pings without an answer. */
static uint64_t outstanding(const struct agent_stream *stream)
{
    return stream->sent - stream->answered;
}

void agent_stream_open(struct agent_stream *stream, struct agent_stats *stats, uint64_t now_ns)
{
    *stream = (struct agent_stream){.opened_ns = now_ns, .last_message_ns = now_ns};
    stats->streams_opened++;
    stats->streams_active++;
}

struct rpc_ping_request agent_stream_next_ping(const struct agent_stream *stream, uint64_t now_ns)
{
    return (struct rpc_ping_request){
        .message = "ping",
        .sequence = stream->sent + 1,
        .send_time_ns = now_ns,
    };
}

void agent_stream_sent(struct agent_stream *stream, struct agent_stats *stats, uint64_t now_ns)
{
    if (outstanding(stream) == 0) {
        stream->waiting_since_ns = now_ns;
    }
    stream->sent++;
    stream->sent_ns[stream->sent % AGENT_STREAM_TIMES] = now_ns;
    stream->last_message_ns = now_ns;
    stats->sent++;
}

void agent_stream_half_closed(struct agent_stream *stream, uint64_t now_ns)
{
    stream->half_closed_ns = now_ns;
}

/* Our own clock is used, not the echoed one: a peer can write anything there. */
static void measure(const struct agent_stream *stream, struct agent_stats *stats, uint64_t sequence,
                    uint64_t now_ns)
{
    if (stream->sent - sequence < AGENT_STREAM_TIMES) {
        histogram_add(&stats->rtt, now_ns - stream->sent_ns[sequence % AGENT_STREAM_TIMES]);
    }
}

/* Whatever waited is answered. */
static unsigned take_service_answer(struct agent_stream *stream, struct agent_stats *stats,
                                    uint64_t now_ns)
{
    if (outstanding(stream) > 0) {
        measure(stream, stats, stream->sent, now_ns);
    }
    stream->answered = stream->sent;
    stream->waiting_since_ns = now_ns;
    return 0;
}

static unsigned judge_sequence(struct agent_stream *stream, struct agent_stats *stats,
                               uint64_t echoed, uint64_t now_ns)
{
    uint64_t expected = stream->answered + 1;
    uint64_t sequence = echoed != 0 ? echoed : expected;
    if (sequence < expected || sequence > stream->sent) {
        stream->unexpected++;
        stats->unexpected++;
        return AGENT_UNEXPECTED;
    }
    stats->lost += sequence - expected;
    stream->answered = sequence;
    stream->waiting_since_ns = now_ns;
    measure(stream, stats, sequence, now_ns);
    return sequence > expected ? AGENT_LOST : 0;
}

static unsigned judge_version(struct agent_stats *stats, const struct agent_identity *self,
                              const struct rpc_ping_response *response)
{
    const struct role_expectation *expect = self->expect;
    const char *server_version = response->server_version;
    bool unnamed = role_is_unnamed(self->service, response);
    stats->unnamed += unnamed;
    if (unnamed || (expect->rule != ROLE_EXPECT_SERVER && expect->rule != ROLE_EXPECT_REJECTED)) {
        agent_stats_answer(stats, server_version, AGENT_STATS_UNCHECKED);
        return 0;
    }
    bool wrong = role_expectation_forbids(expect, server_version);
    agent_stats_answer(stats, server_version, wrong ? AGENT_STATS_MISMATCH : AGENT_STATS_MATCH);
    return wrong ? AGENT_WRONG_VERSION : 0;
}

static unsigned judge_pod(struct agent_stream *stream, struct agent_stats *stats,
                          const struct agent_identity *self, const char *server_id)
{
    if (self->service != NULL && server_id[0] == '\0') {
        return 0;
    }
    if (stream->received == 1 || (self->service != NULL && stream->pod[0] == '\0')) {
        snprintf(stream->pod, sizeof(stream->pod), "%s", server_id);
    }
    if (strncmp(stream->pod, server_id, sizeof(stream->pod) - 1) == 0) {
        return 0;
    }
    stats->moved++;
    return AGENT_MOVED;
}

/* A server need not say what it saw. */
static bool differs(const char *echoed, const struct route_change *change, const char *own)
{
    return echoed[0] != '\0' && !role_rewrite_allows(change, own, echoed);
}

static unsigned judge_metadata(struct agent_stats *stats, const struct agent_identity *self,
                               const struct rpc_ping_response *response)
{
    const struct role_rewrite *rewrite = &self->expect->rewrite;
    if (!differs(response->agent_id, rewrite->id, self->id) &&
        !differs(response->agent_version, rewrite->version, self->version)) {
        return 0;
    }
    stats->mixed++;
    return AGENT_MIXED;
}

unsigned agent_stream_answer(struct agent_stream *stream, struct agent_stats *stats,
                             const struct agent_identity *self,
                             const struct rpc_ping_response *response, uint64_t now_ns)
{
    stream->received++;
    stream->last_message_ns = now_ns;
    stats->received++;
    unsigned order = self->service != NULL
                         ? take_service_answer(stream, stats, now_ns)
                         : judge_sequence(stream, stats, response->sequence, now_ns);
    return order | judge_version(stats, self, response) |
           judge_pod(stream, stats, self, response->server_id) |
           judge_metadata(stats, self, response);
}

bool agent_stream_overdue(const struct agent_stream *stream, uint64_t limit_ms, uint64_t now_ns)
{
    return outstanding(stream) > 0 && now_ns - stream->waiting_since_ns > limit_ms * NS_PER_MS;
}

void agent_stream_received(struct agent_stream *stream, struct agent_stats *stats,
                           uint64_t received)
{
    if (received < stream->sent && received >= stream->answered) {
        stats->withdrawn += stream->sent - received;
        stream->sent = received;
    }
}

struct rpc_stream_life agent_stream_close(struct agent_stream *stream, struct agent_stats *stats,
                                          uint64_t now_ns)
{
    assert(stats->streams_active > 0);
    stats->streams_active--;
    stats->lost += outstanding(stream);
    histogram_add(&stats->lifetime, now_ns - stream->opened_ns);
    return (struct rpc_stream_life){
        .age_ms = (now_ns - stream->opened_ns) / NS_PER_MS,
        .idle_ms = (now_ns - stream->last_message_ns) / NS_PER_MS,
        .half_closed = stream->half_closed_ns != 0,
        .half_closed_ms =
            stream->half_closed_ns != 0 ? (now_ns - stream->half_closed_ns) / NS_PER_MS : 0,
    };
}
