#include "admin/incidents.h"

#include "admin/flows.h"
#include "base/mem.h"
#include "relay/state.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define FLOWS_NAMED 3
#define NAME_SHOWN  64

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
    {COUNTER(rq_reset), "upstream_reset", LOG_WARN, "An endpoint ended a stream without a status"},
    {COUNTER(rq_shed), "shed", LOG_WARN,
     "A stream was ended: its client held too much of what all share"},
    {COUNTER(downstream_cx_refused), "connection_refused", LOG_WARN,
     "A client connection was lost before HTTP/2: its handshake failed, or descriptors ran out"},
    {COUNTER(downstream_cx_ended), "connection_ended", LOG_WARN,
     "A client connection was ended because of what the client did"},
    {COUNTER(downstream_cx_timed_out), "connection_timed_out", LOG_WARN,
     "A client connection was ended: the client answered nothing or took no bytes in time"},
    {COUNTER(clients_apart), "client_apart", LOG_WARN,
     "A client was given upstream connections of its own because of what it did"},
};
static_assert(ARRAY_SIZE(kinds) == INCIDENT_KINDS, "a number is kept of each kind");

/* " agents v2.1 on cluster server-v1" */
#define FLOW_BYTES (sizeof(" agents  on cluster ") + 2 * NAME_SHOWN)

struct naming {
    char text[EVENT_TEXT_BYTES];
    char named[FLOWS_NAMED][FLOW_BYTES];
    size_t count; /* of those */
};

static bool is_named(const struct naming *naming, const char *name)
{
    for (size_t i = 0; i < naming->count; i++) {
        if (strcmp(naming->named[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* Appends one that is misrouted now; once, on however many workers it is. What a client calls its
 * version may hold the name of another flow, so names are compared whole. */
static void name_flow(void *ctx, const struct flow_row *flow)
{
    struct naming *naming = ctx;
    char name[FLOW_BYTES];
    size_t len = strlen(naming->text);
    snprintf(name, sizeof(name), " agents %.*s on cluster %.*s", NAME_SHOWN, flow->version,
             NAME_SHOWN, flow->cluster);
    if (flow->misrouted == 0 || naming->count == FLOWS_NAMED || is_named(naming, name)) {
        return;
    }
    snprintf(naming->text + len, sizeof(naming->text) - len, "%s%s", naming->count == 0 ? ":" : ",",
             name);
    memcpy(naming->named[naming->count++], name, sizeof(name));
}

static void tell(struct relay *relay, const struct kind *kind, uint64_t count)
{
    struct naming naming = {.count = 0};
    snprintf(naming.text, sizeof(naming.text), "%s", kind->text);
    if (kind == &kinds[0]) {
        admin_each_flow(relay, name_flow, &naming);
    }
    events_add(&relay->events, kind->level, kind->name, "", count, naming.text);
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
