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
    {COUNTER(clients_apart), "client_apart", LOG_WARN,
     "A client was given upstream connections of its own because of what it did"},
};
static_assert(ARRAY_SIZE(kinds) == INCIDENT_KINDS, "a number is kept of each kind");

struct naming {
    char text[EVENT_TEXT_BYTES];
    size_t named;
};

/* Appends "agents v2.1 on cluster server-v1" of one that is misrouted now; once, on however many
 * workers it is. */
static void name_flow(void *ctx, const struct flow_row *flow)
{
    struct naming *naming = ctx;
    char name[sizeof(" agents  on cluster ") + 2 * NAME_SHOWN];
    size_t len = strlen(naming->text);
    snprintf(name, sizeof(name), " agents %.*s on cluster %.*s", NAME_SHOWN, flow->version,
             NAME_SHOWN, flow->cluster);
    size_t name_len = strlen(name);
    const char *named = strstr(naming->text, name);
    while (named != NULL && named[name_len] != ',' && named[name_len] != '\0') {
        named = strstr(named + 1, name); /* "server-v1" within "server-v10" */
    }
    if (flow->misrouted > 0 && naming->named < FLOWS_NAMED && named == NULL) {
        snprintf(naming->text + len, sizeof(naming->text) - len, "%s%s",
                 naming->named == 0 ? ":" : ",", name);
        naming->named++;
    }
}

static void tell(struct relay *relay, const struct kind *kind, uint64_t count)
{
    struct naming naming = {.named = 0};
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
