#include "admin/incidents.h"

#include "base/mem.h"
#include "relay/state.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define FLOWS_NAMED 3

struct kind {
    size_t counter; /* in struct worker_stats */
    const char *name;
    enum log_level level;
    const char *text; /* of one of them */
};

#define COUNTER(field) offsetof(struct worker_stats, field)

/* The first is the one that names who was met. */
static const struct kind kinds[] = {
    {COUNTER(misrouted), "misrouted", LOG_ERROR,
     "A stream was answered by a server version that its rule does not name"},
    {COUNTER(rq_unavailable), "unavailable", LOG_ERROR, "A stream found no endpoint (UNAVAILABLE)"},
    {COUNTER(rq_no_route), "no_route", LOG_WARN, "No rule takes a stream (UNIMPLEMENTED)"},
    {COUNTER(rq_rejected), "rejected", LOG_WARN,
     "A stream was refused: malformed, oversized or repeated headers"},
    {COUNTER(rq_reset), "upstream_reset", LOG_WARN,
     "An endpoint ended a stream without a status"},
    {COUNTER(rq_shed), "shed", LOG_WARN,
     "A stream was ended: its client held too much of what all share"},
    {COUNTER(downstream_cx_refused), "connection_refused", LOG_WARN,
     "A client connection was lost before HTTP/2: its handshake failed, or descriptors ran out"},
    {COUNTER(downstream_cx_ended), "connection_ended", LOG_WARN,
     "A client connection was ended because of what the client did"},
    {COUNTER(clients_apart), "client_apart", LOG_WARN,
     "A client was given upstream connections of its own because of what it did"},
};
static_assert(ARRAY_SIZE(kinds) == INCIDENT_KINDS, "a number is kept of each kind");

/* Appends "agents v2.1 on cluster server-v1" for flows that are misrouted now. */
static void name_flows(struct worker *worker, char *text, size_t text_bytes, size_t *named)
{
    struct flow_row flows[FLOWS_MAX + 1];
    streams_lock(&worker->streams);
    size_t count = flows_copy(&worker->flows, flows);
    streams_unlock(&worker->streams);
    for (size_t i = 0; i < count && *named < FLOWS_NAMED; i++) {
        if (flows[i].misrouted > 0) {
            size_t len = strlen(text);
            snprintf(text + len, text_bytes - len, "%s agents %.64s on cluster %.64s",
                     *named == 0 ? ":" : ",", flows[i].version, flows[i].cluster);
            ++*named;
        }
    }
}

static void tell(struct relay *relay, const struct kind *kind, uint64_t count)
{
    char text[EVENT_TEXT_BYTES];
    size_t named = 0;
    snprintf(text, sizeof(text), "%s", kind->text);
    for (unsigned i = 0; i < relay->worker_count && kind == &kinds[0] && named == 0; i++) {
        name_flows(&relay->workers[i], text, sizeof(text), &named);
    }
    events_add(&relay->events, kind->level, kind->name, "", count, text);
}

void incidents_look(struct incidents *incidents, struct relay *relay)
{
    for (size_t i = 0; i < INCIDENT_KINDS; i++) {
        uint64_t now = relay_sum(relay, kinds[i].counter);
        if (now > incidents->seen[i]) {
            tell(relay, &kinds[i], now - incidents->seen[i]);
        }
        incidents->seen[i] = now;
    }
}
