/* One connection per interval and sample, with a silent stream on it: servers with a policy count
 * PINGs between which nothing was sent. A stream that ends while its connection lives has met
 * another limit: it is opened again. */
#include "limits/shape_pings.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "limits/call.h"
#include "limits/conn_try.h"
#include "limits/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Who answers no PING for so long is dead, and takes none. */
#define PING_ANSWER_MS 3000

static const uint32_t INTERVALS_MS[] = {1000, 5000, 10000, 30000};
#define INTERVALS ARRAY_SIZE(INTERVALS_MS)

struct pings;

struct ping_try {
    struct limits_conn_try conn;
    struct pings *pings;
    struct limits_pinged *pinged; /* and which of its samples */
    size_t index;
    struct limits_call call;
    uint64_t next_ns;
    uint64_t awaits_ns; /* since when a PING has no answer */
};

struct pings {
    struct limits_work *work;
    struct limits_pinged pinged[INTERVALS];
    struct ping_try tries[INTERVALS * LIMITS_SAMPLES];
    size_t over;
};

static struct ping_try *try_of(struct limits_conn_try *conn)
{
    return container_of(conn, struct ping_try, conn);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void on_over(struct limits_conn_try *conn)
{
    struct pings *pings = try_of(conn)->pings;
    if (++pings->over == ARRAY_SIZE(pings->tries)) {
        limits_judge_pings(pings->work->finding, pings->pinged, INTERVALS);
        limits_work_over(pings->work);
    }
}

/* NO_ERROR is no refusal, but age or a restart: what was sent until then was taken. Nor is one that
 * comes before any PING. */
static void on_end(struct limits_conn_try *conn, enum limits_end how)
{
    struct limits_sample *sample = conn->sample;
    struct ping_try *try = try_of(conn);
    struct limits_pinged *pinged = try->pinged;
    sample->lived_ns = limits_ground_now_ns(conn->ground) - sample->opened_ns;
    sample->value = sample->lived_ns;
    sample->resolution = limits_ground_blur_ns(conn->ground);
    pinged->refused[try->index] = how == LIMITS_END_GOAWAY && pinged->sent[try->index] > 0 &&
                                  sample->code == H2_ENHANCE_YOUR_CALM;
    pinged->measured[try->index] = how != LIMITS_END_CONNECTION && how != LIMITS_END_DEAD &&
                                   pinged->sent[try->index] > LIMITS_PINGS_FORGIVEN;
}

/* ---- stream and connection ------------------------------------------------------------------- */

static void open_stream(struct ping_try *try)
{
    static const struct rpc_probe_script script = {.echo = true};
    const struct limits_ground *ground = try->conn.ground;
    bool probe = ground->has_probe && ground->target->service == NULL;
    if (limits_call_open(&try->call, try->conn.link, probe ? &script : NULL) == 0) {
        limits_call_send(&try->call);
    }
}

static void on_call_closed(void *user, const struct rpc_status *status)
{
    struct ping_try *try = user;
    if (try->conn.state == LIMITS_CONN_USED && status->origin != RPC_FROM_CONNECTION &&
        try->call.answered == 0) {
        char saw[LIMITS_TEXT_BYTES];
        limits_conn_try_end(&try->conn, LIMITS_END_HERE,
                            rpc_status_describe(status, saw, sizeof(saw)));
    }
}

static const struct limits_call_events call_events = {.on_closed = on_call_closed};

static void on_ready(struct limits_conn_try *conn)
{
    struct ping_try *try = try_of(conn);
    conn->sample->opened = true;
    try->next_ns = conn->sample->opened_ns + try->pinged->interval_ns;
    open_stream(try);
}

static const struct limits_conn_events conn_events = {
    .on_ready = on_ready,
    .on_end = on_end,
    .on_over = on_over,
};

/* ---- time ------------------------------------------------------------------------------------ */

static void note_answers(struct ping_try *try, uint64_t now_ns)
{
    if (!limits_link_awaits_ping(try->conn.link)) {
        try->awaits_ns = now_ns;
    } else if (now_ns > try->awaits_ns + PING_ANSWER_MS * NS_PER_MS) {
        limits_conn_try_end(&try->conn, LIMITS_END_DEAD,
                            "PINGs are not answered any more, and no end was told");
    }
}

static void tick_used(struct ping_try *try, uint64_t now_ns)
{
    note_answers(try, now_ns);
    if (try->conn.state != LIMITS_CONN_USED) {
        return;
    }
    if (now_ns >= try->conn.sample->opened_ns + try->conn.ground->within_ns) {
        limits_conn_try_end(&try->conn, LIMITS_END_OPEN, "");
        return;
    }
    if (!limits_call_is_open(&try->call)) {
        open_stream(try);
    }
    if (now_ns >= try->next_ns) {
        limits_link_ping(try->conn.link);
        try->pinged->sent[try->index]++;
        try->next_ns += try->pinged->interval_ns;
    }
}

static void tick(struct limits_work *work, uint64_t now_ns)
{
    struct pings *pings = work->state;
    for (size_t i = 0; i < ARRAY_SIZE(pings->tries); i++) {
        if (limits_conn_try_tick(&pings->tries[i].conn, now_ns)) {
            tick_used(&pings->tries[i], now_ns);
        }
    }
}

static void stop(struct limits_work *work)
{
    struct pings *pings = work->state;
    for (size_t i = 0; i < ARRAY_SIZE(pings->tries); i++) {
        limits_conn_try_stop(&pings->tries[i].conn);
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
        limits_conn_try_init(&try->conn, work->ground, &try->pinged->samples[try->index],
                             &conn_events,
                             now_ns + try->index * limits_ground_stagger_ns(work->ground));
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
