/* One connection per interval and sample, with a silent stream on it: servers with a policy count
 * PINGs between which nothing was sent.
 *
 *   waiting --its time--> dialling --ready--> pinging --GOAWAY, lost, long enough--> closing
 *   closing --connection closed--> over
 *
 * A stream that ends while its connection lives has met another limit: it is opened again. */
#include "limits/shape_pings.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "limits/call.h"
#include "limits/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint32_t INTERVALS_MS[] = {1000, 5000, 10000, 30000};
#define INTERVALS ARRAY_SIZE(INTERVALS_MS)

enum state { WAITING, DIALLING, PINGING, CLOSING, OVER };

struct pings;

struct ping_try {
    struct pings *pings;
    struct limits_pinged *pinged; /* and which of its samples */
    size_t index;
    enum state state;
    struct limits_link *link;
    struct limits_call call;
    uint64_t begin_ns;
    uint64_t next_ns;
};

struct pings {
    struct limits_work *work;
    struct limits_pinged pinged[INTERVALS];
    struct ping_try tries[INTERVALS * LIMITS_SAMPLES];
    size_t over;
};

static struct limits_ground *ground_of(const struct ping_try *try)
{
    return try->pings->work->ground;
}

static struct limits_sample *sample_of(const struct ping_try *try)
{
    return &try->pinged->samples[try->index];
}

/* ---- the end --------------------------------------------------------------------------------- */

static void finish(struct ping_try *try)
{
    struct pings *pings = try->pings;
    try->state = OVER;
    if (++pings->over == ARRAY_SIZE(pings->tries)) {
        limits_judge_pings(pings->work->finding, pings->pinged, INTERVALS);
        limits_work_over(pings->work);
    }
}

static void end(struct ping_try *try, enum limits_end how, const char *saw)
{
    struct limits_sample *sample = sample_of(try);
    if (try->state == CLOSING) {
        return;
    }
    sample->end = how;
    sample->lived_ns = limits_ground_now_ns(ground_of(try)) - sample->opened_ns;
    sample->value = sample->lived_ns;
    sample->resolution = limits_ground_blur_ns(ground_of(try));
    snprintf(sample->saw, sizeof(sample->saw), "%s", saw);
    try->pinged->measured[try->index] =
        how != LIMITS_END_CONNECTION && try->pinged->sent[try->index] > LIMITS_PINGS_FORGIVEN;
    try->state = CLOSING;
    if (try->link != NULL) {
        limits_link_close(try->link);
    }
}

/* ---- stream and connection ------------------------------------------------------------------- */

static void open_stream(struct ping_try *try)
{
    static const struct rpc_probe_script script = {.echo = true};
    const struct limits_ground *ground = ground_of(try);
    bool probe = ground->has_probe && ground->target->service == NULL;
    if (limits_call_open(&try->call, try->link, probe ? &script : NULL) == 0) {
        limits_call_send(&try->call);
    }
}

static void on_call_closed(void *user, const struct rpc_status *status)
{
    struct ping_try *try = user;
    if (try->state == PINGING && status->origin != RPC_FROM_CONNECTION && try->call.answered == 0) {
        char saw[LIMITS_TEXT_BYTES];
        end(try, LIMITS_END_HERE, rpc_status_describe(status, saw, sizeof(saw)));
    }
}

static const struct limits_call_events call_events = {.on_closed = on_call_closed};

static void on_ready(void *user)
{
    struct ping_try *try = user;
    if (try->state != DIALLING) {
        return;
    }
    try->state = PINGING;
    sample_of(try)->opened = true;
    sample_of(try)->opened_ns = limits_ground_now_ns(ground_of(try));
    try->next_ns = sample_of(try)->opened_ns + try->pinged->interval_ns;
    open_stream(try);
}

/* NO_ERROR is no refusal, but age or a restart: what was sent until then was taken. Nor is one that
 * comes before any PING. */
static void on_goaway(void *user, uint32_t error, const char *debug)
{
    struct ping_try *try = user;
    (void)debug;
    if (try->state == PINGING) {
        try->pinged->refused[try->index] =
            error == H2_ENHANCE_YOUR_CALM && try->pinged->sent[try->index] > 0;
        sample_of(try)->goaway_seen = true;
        sample_of(try)->code = error;
        end(try, LIMITS_END_GOAWAY, limits_link_goaway(try->link));
    }
}

static void on_link_closed(void *user, const struct net_error *why)
{
    struct ping_try *try = user;
    try->link = NULL;
    end(try, LIMITS_END_CONNECTION, why->text);
    finish(try);
}

static const struct limits_link_events link_events = {
    .on_ready = on_ready,
    .on_goaway = on_goaway,
    .on_closed = on_link_closed,
};

/* ---- time ------------------------------------------------------------------------------------ */

static void tick_pinging(struct ping_try *try, uint64_t now_ns)
{
    if (now_ns >= sample_of(try)->opened_ns + ground_of(try)->within_ns) {
        end(try, LIMITS_END_OPEN, "");
        return;
    }
    if (!limits_call_is_open(&try->call)) {
        open_stream(try);
    }
    if (now_ns >= try->next_ns) {
        limits_link_ping(try->link);
        try->pinged->sent[try->index]++;
        try->next_ns += try->pinged->interval_ns;
    }
}

static void tick(struct limits_work *work, uint64_t now_ns)
{
    struct pings *pings = work->state;
    for (size_t i = 0; i < ARRAY_SIZE(pings->tries); i++) {
        struct ping_try *try = &pings->tries[i];
        if (try->state == WAITING && now_ns >= try->begin_ns) {
            try->state = DIALLING;
            try->link = limits_link_open(work->ground, NULL, &link_events, try);
        } else if (try->state == PINGING) {
            tick_pinging(try, now_ns);
        } else if (try->state == CLOSING && try->link == NULL) {
            finish(try);
        }
    }
}

static void stop(struct limits_work *work)
{
    struct pings *pings = work->state;
    for (size_t i = 0; i < ARRAY_SIZE(pings->tries); i++) {
        if (pings->tries[i].state < CLOSING) {
            end(&pings->tries[i], LIMITS_END_HERE, "");
        }
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

static void start(struct limits_work *work)
{
    struct pings *pings = mem_new(struct pings);
    uint64_t now_ns = limits_ground_now_ns(work->ground);
    work->state = pings;
    pings->work = work;
    for (size_t i = 0; i < ARRAY_SIZE(pings->tries); i++) {
        struct ping_try *try = &pings->tries[i];
        try->pings = pings;
        try->pinged = &pings->pinged[i / LIMITS_SAMPLES];
        try->pinged->interval_ns = INTERVALS_MS[i / LIMITS_SAMPLES] * NS_PER_MS;
        try->index = i % LIMITS_SAMPLES;
        try->begin_ns = now_ns + try->index * limits_ground_stagger_ns(work->ground);
        limits_call_init(&try->call, work->ground, &call_events, try);
    }
}

static void free_work(struct limits_work *work)
{
    free(work->state);
}

const struct limits_plan limits_pings_plan = {
    .shape = LIMITS_PING_INTERVAL,
    .start = start,
    .tick = tick,
    .stop = stop,
    .free = free_work,
};
