/* Short calls, so that no stream is old: one after the other, by the clock or as fast as they come,
 * or a single one and then nothing. Two connections are asked at two paces: what ends both at one
 * age is no limit on the number of requests, and what ends both after as many is none on age.
 *
 * While a connection is used, a call of it is open or it rests:
 *
 *   calling --call over--> resting --the pause of a busy one is over--> calling
 *   calling --call over, more of a burst--> calling
 *   resting --long enough, an idle one: it is to show that it is alive--> calling */
#include "limits/shape_connection.h"

#include "base/clock.h"
#include "base/mem.h"
#include "limits/call.h"
#include "limits/conn_try.h"
#include "limits/judge.h"

#include <stdlib.h>

/* Between the calls of a busy connection: limits that are looked at when a request comes are found
 * to that precision, and the whole run stays far below limits on their number (1000 in nginx). The
 * second one rests so many times longer. */
#define CALLS       360
#define CALL_GAP_MS 250
#define SLOWER      2

/* Where the number is looked for: some more than nginx has by default. The second connection rests
 * behind each few for as long as they took, and for a tick at least. */
#define REQUESTS 1100
#define BURST    10

struct connections;

struct connection_try {
    struct limits_conn_try conn;
    struct connections *all;
    struct limits_call call;
    bool calling;
    bool called;   /* a call went well */
    bool proved;   /* its time is over: the open call shows that an idle one is alive */
    bool answered; /* the one that is open */
    uint64_t requests;
    uint64_t gap_ns;   /* of a busy one */
    uint64_t burst_ns; /* when it began */
    uint64_t clock_ns; /* from when the limit counts; 0: not yet */
    uint64_t cut_ns;   /* when the run was to end soon; 0: never */
    uint64_t blur_ns;
    uint64_t next_ns;
    uint64_t call_ns;  /* when the open one began */
    uint64_t heard_ns; /* when the last one ended well */
};

struct connections {
    struct limits_work *work;
    bool busy;    /* calls by the clock */
    bool counted; /* calls as fast as they come */
    struct connection_try tries[LIMITS_SAMPLES];
    size_t over;
};

static struct connection_try *try_of(struct limits_conn_try *conn)
{
    return container_of(conn, struct connection_try, conn);
}

static uint64_t now_of(const struct connection_try *try)
{
    return limits_ground_now_ns(try->conn.ground);
}

/* ---- the end --------------------------------------------------------------------------------- */

/* When it was looked at for long enough. */
static uint64_t until_of(const struct connection_try *try)
{
    uint64_t until_ns = try->clock_ns + try->conn.ground->within_ns;
    return try->cut_ns != 0 && try->cut_ns < until_ns ? try->cut_ns : until_ns;
}

static void end_open(struct connection_try *try)
{
    bool cut = until_of(try) == try->cut_ns;
    limits_conn_try_end(&try->conn, cut ? LIMITS_END_HERE : LIMITS_END_OPEN, "");
}

static void judge(struct connections *all)
{
    struct limits_finding *finding = all->work->finding;
    const uint64_t requests[LIMITS_SAMPLES] = {all->tries[0].requests, all->tries[1].requests};
    if (all->counted) {
        limits_judge_requests(finding);
        return;
    }
    limits_judge_times(finding);
    if (all->busy) {
        limits_judge_paced(finding, requests);
    }
}

static void on_over(struct limits_conn_try *conn)
{
    struct connections *all = try_of(conn)->all;
    if (++all->over == LIMITS_SAMPLES) {
        judge(all);
        limits_work_over(all->work);
    }
}

/* It ended between its last call that went well and the one that did not. */
static void note_between(struct connection_try *try)
{
    const struct limits_ground *ground = try->conn.ground;
    struct limits_sample *sample = try->conn.sample;
    uint64_t blur_ns = try->blur_ns + limits_ground_blur_ns(ground);
    uint64_t to_ns = try->proved ? until_of(try) - 1 : try->call_ns;
    uint64_t half_ns = to_ns > try->heard_ns ? (to_ns - try->heard_ns) / 2 : 0;
    sample->value = try->heard_ns + half_ns - try->clock_ns;
    sample->lived_ns = try->heard_ns + half_ns - sample->opened_ns;
    sample->resolution = half_ns + (try->proved ? 0 : blur_ns);
}

static void on_end(struct limits_conn_try *conn, enum limits_end how)
{
    struct connection_try *try = try_of(conn);
    struct limits_sample *sample = conn->sample;
    bool open = how == LIMITS_END_OPEN || (how == LIMITS_END_HERE && try->cut_ns != 0);
    uint64_t now_ns = open ? until_of(try) : now_of(try);
    sample->opened = try->called || (how == LIMITS_END_GOAWAY && try->answered);
    sample->lived_ns = now_ns - sample->opened_ns;
    sample->value = now_ns - try->clock_ns;
    sample->resolution = try->blur_ns + limits_ground_blur_ns(conn->ground) + try->gap_ns;
    if (try->all->counted) {
        sample->value = try->requests;
        sample->resolution = 0;
        sample->lived_ns = now_of(try) - sample->opened_ns;
    }
    bool cut = how == LIMITS_END_GOAWAY || how == LIMITS_END_CONNECTION;
    sample->side = cut ? LIMITS_SIDE_CLIENT_HOP : LIMITS_SIDE_UNKNOWN;
    if (how == LIMITS_END_DEAD || (try->proved && cut)) {
        note_between(try);
    }
}

/* ---- calls ----------------------------------------------------------------------------------- */

static void start_clock(struct connection_try *try)
{
    try->clock_ns = now_of(try);
    try->blur_ns = limits_ground_blur_ns(try->conn.ground);
}

static void open_call(struct connection_try *try, uint64_t now_ns)
{
    static const struct rpc_probe_script script = {.echo = true};
    const struct limits_ground *ground = try->conn.ground;
    /* Of so many calls the server would keep no other's record. */
    bool probe = ground->has_probe && ground->target->service == NULL && !try->all->counted;
    try->answered = false;
    try->next_ns = now_ns + try->gap_ns;
    if (limits_call_open(&try->call, try->conn.link, probe ? &script : NULL) == 0) {
        try->calling = true;
        try->call_ns = now_ns;
        try->requests++;
        limits_call_send(&try->call);
    }
}

static bool is_slower(const struct connection_try *try)
{
    return try == &try->all->tries[1];
}

static void begin_burst(struct connection_try *try)
{
    try->burst_ns = now_of(try);
}

/* The first connection never rests. */
static void next_of_burst(struct connection_try *try)
{
    uint64_t now_ns = now_of(try);
    uint64_t took_ns = now_ns - try->burst_ns;
    if (try->requests >= REQUESTS || now_ns >= try->clock_ns + try->conn.ground->within_ns) {
        limits_conn_try_end(&try->conn, LIMITS_END_OPEN, "");
    } else if (is_slower(try) && try->requests % BURST == 0) {
        uint64_t tick_ns = LIMITS_TICK_MS * NS_PER_MS;
        try->next_ns = now_ns + (took_ns > tick_ns ? took_ns : tick_ns);
    } else {
        open_call(try, now_ns);
    }
}

static void on_answer(void *user)
{
    struct connection_try *try = user;
    if (!try->answered) {
        try->answered = true;
        limits_call_half_close(&try->call);
    }
}

static void on_call_closed(void *user, const struct rpc_status *status)
{
    struct connection_try *try = user;
    char saw[LIMITS_TEXT_BYTES];
    try->calling = false;
    if (try->conn.state != LIMITS_CONN_USED) {
        return;
    }
    if (!try->proved && !try->answered && status->origin != RPC_FROM_CONNECTION &&
        !status->unprocessed) {
        limits_conn_try_end(&try->conn, LIMITS_END_BROKEN,
                            rpc_status_describe(status, saw, sizeof(saw)));
        return;
    }
    if (try->proved) {
        if (try->answered || status->origin != RPC_FROM_CONNECTION) {
            end_open(try);
        }
        return; /* else the end of its connection tells more */
    }
    try->heard_ns = now_of(try);
    try->called = try->called || try->answered;
    if (try->all->counted) {
        next_of_burst(try);
    } else if (!try->all->busy) {
        start_clock(try);
    }
}

static const struct limits_call_events call_events = {
    .on_answer = on_answer,
    .on_closed = on_call_closed,
};

/* ---- the connection -------------------------------------------------------------------------- */

static void on_ready(struct limits_conn_try *conn)
{
    struct connection_try *try = try_of(conn);
    start_clock(try);
    begin_burst(try);
    open_call(try, now_of(try));
}

static const struct limits_conn_events conn_events = {
    .on_ready = on_ready,
    .on_end = on_end,
    .on_over = on_over,
};

/* ---- time ------------------------------------------------------------------------------------ */

static bool is_asking(const struct connections *all)
{
    return all->busy || all->counted;
}

static void end_unanswered(struct connection_try *try)
{
    if (try->called && !try->all->counted) {
        limits_conn_try_end(&try->conn, LIMITS_END_DEAD,
                            "a short call is not answered, and no end was told");
    } else {
        limits_conn_try_end(&try->conn, LIMITS_END_BROKEN, "a short call did not end");
    }
}

/* A hop that forgot an idle connection ends nothing: only a call shows that it is alive. */
static void end_looked_at(struct connection_try *try, uint64_t now_ns)
{
    if (is_asking(try->all)) {
        end_open(try);
    } else {
        try->proved = true;
        open_call(try, now_ns);
    }
}

static void tick_used(struct connection_try *try, uint64_t now_ns)
{
    bool over = now_ns >= until_of(try);
    if (try->calling) {
        if (now_ns > try->call_ns + LIMITS_ANSWER_MS * NS_PER_MS) {
            end_unanswered(try);
        }
    } else if (over && !try->proved) {
        end_looked_at(try, now_ns);
    } else if (is_asking(try->all) && now_ns >= try->next_ns) {
        begin_burst(try);
        open_call(try, now_ns);
    }
}

static void tick(struct limits_work *work, uint64_t now_ns)
{
    struct connections *all = work->state;
    for (size_t i = 0; i < LIMITS_SAMPLES; i++) {
        if (limits_conn_try_tick(&all->tries[i].conn, now_ns)) {
            tick_used(&all->tries[i], now_ns);
        }
    }
}

static void cut(struct limits_work *work, uint64_t now_ns)
{
    struct connections *all = work->state;
    for (size_t i = 0; i < LIMITS_SAMPLES; i++) {
        struct connection_try *try = &all->tries[i];
        if (!try->called) {
            limits_conn_try_stop(&try->conn);
        } else if (try->cut_ns == 0) {
            try->cut_ns = now_ns;
        }
    }
}

static void stop(struct limits_work *work)
{
    struct connections *all = work->state;
    for (size_t i = 0; i < LIMITS_SAMPLES; i++) {
        struct limits_conn_try *conn = &all->tries[i].conn;
        conn->sample->unproved = !is_asking(all) && conn->state < LIMITS_CONN_CLOSING;
        limits_conn_try_stop(conn);
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

static uint64_t gap_ns(const struct limits_ground *ground)
{
    uint64_t least_ns = CALL_GAP_MS * NS_PER_MS;
    return ground->within_ns / CALLS > least_ns ? ground->within_ns / CALLS : least_ns;
}

static void start(struct limits_work *work)
{
    struct connections *all = mem_new(struct connections);
    uint64_t begin_ns = limits_ground_now_ns(work->ground);
    work->state = all;
    all->work = work;
    all->busy = work->plan->shape == LIMITS_AGE_CONNECTION;
    all->counted = work->plan->shape == LIMITS_REQUESTS_PER_CONNECTION;
    work->finding->sample_count = LIMITS_SAMPLES;
    for (size_t i = 0; i < LIMITS_SAMPLES; i++) {
        struct connection_try *try = &all->tries[i];
        try->all = all;
        limits_conn_try_init(&try->conn, work->ground, &work->finding->samples[i], &conn_events,
                             begin_ns + i * limits_ground_stagger_ns(work->ground));
        try->gap_ns = all->busy ? gap_ns(work->ground) * (i == 0 ? 1 : SLOWER) : 0;
        limits_call_init(&try->call, work->ground, &call_events, try);
    }
}

static void free_work(struct limits_work *work)
{
    free(work->state);
}

/* clang-format off */
#define PLAN(name)                                                                                 \
    {.shape = LIMITS_##name, .start = start, .tick = tick, .cut = cut, .stop = stop,               \
     .free = free_work}

const struct limits_plan limits_connection_plans[LIMITS_CONNECTION_PLANS] = {
    PLAN(AGE_CONNECTION),
    PLAN(IDLE_CONNECTION),
    {.shape = LIMITS_REQUESTS_PER_CONNECTION, .harsh = true, .start = start, .tick = tick, .stop = stop,
     .free = free_work},
};
/* clang-format on */
