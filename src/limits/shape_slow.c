/*   alone   --the quick stream had its answers--> filling (the slow one is open, and not read)
 *   filling --the server sends no more of it--> full
 *   full    --the quick one had its answers, or waited for one--> reading (the slow one is read)
 *   reading --the late answer, or a while--> closing --connection closed--> over
 *   any     --the connection, or the quick stream ends--> closing
 *
 * The server is asked what it sent; it is silent when the path, and the kernels on it, hold all
 * that they will. */
#include "limits/shape_slow.h"

#include "base/clock.h"
#include "base/mem.h"
#include "limits/call.h"
#include "limits/counted.h"
#include "limits/facts.h"
#include "limits/quick.h"
#include "limits/sent.h"

#include <stdio.h>
#include <stdlib.h>

/* A quarter of what a run may send in a second, and 16 MiB in all. */
#define SLOW_MESSAGE_BYTES (16 * 1024)
#define SLOW_EVERY_MS      7
#define SLOW_COUNT         1024
/* Answers of the quick stream in each state. */
#define QUICK_COUNT 20
/* The longest wait for an answer; a neighbour that gets none is hurt. */
#define QUICK_WAIT_MS 4000
/* The longest wait for the answer that came late, while a window is read each tick. */
#define READ_MS 15000

enum slow_phase { SLOW_ALONE, SLOW_FILLING, SLOW_FULL, SLOW_READING, SLOW_CLOSING };

struct slow_shape {
    void (*sum)(const struct limits_slow *slow, struct limits_sample *sample);
    void (*judge)(struct limits_finding *finding);
    uint64_t looked;
    uint64_t share; /* a sample may be off by one in so many; 0: exact */
};

struct slow {
    struct limits_work *work;
    struct limits_link *link;
    struct limits_quick quick;
    struct limits_call held;
    struct limits_sent sent;
    enum slow_phase phase;
    struct limits_slow seen;
    uint64_t opened_ns;
    uint64_t reading_ns; /* since when the slow one is read */
    bool stopping;
    bool failed;
    char ended_text[LIMITS_TEXT_BYTES];
    char lost[LIMITS_TEXT_BYTES];
};

static const struct rpc_probe_script flood = {
    .headers_at_once = true,
    .go_on = true,
    .send_every_ms = SLOW_EVERY_MS,
    .send_bytes = SLOW_MESSAGE_BYTES,
    .send_count = SLOW_COUNT,
};

static void start_sample(struct slow *slow);

static uint64_t now_ns(const struct slow *slow)
{
    return limits_ground_now_ns(slow->work->ground);
}

static bool is_past(uint64_t now, uint64_t since_ns, uint64_t ms)
{
    return now > since_ns + ms * NS_PER_MS;
}

/* ---- the end --------------------------------------------------------------------------------- */

/* A message more or less went into frames, and a part of another. */
static uint64_t blur(uint64_t bytes)
{
    uint64_t least = 2 * SLOW_MESSAGE_BYTES;
    return bytes > least ? bytes : least;
}

static void finish_sample(struct slow *slow)
{
    const struct slow_shape *shape = slow->work->plan->setup;
    struct limits_finding *finding = slow->work->finding;
    struct limits_sample *sample = &finding->samples[finding->sample_count++];
    slow->seen.sent_bytes = slow->sent.bytes;
    sample->opened = !slow->failed;
    sample->opened_ns = slow->opened_ns;
    sample->lived_ns = now_ns(slow) - slow->opened_ns;
    if (slow->failed) {
        snprintf(sample->saw, sizeof(sample->saw), "%s", slow->lost);
    } else {
        shape->sum(&slow->seen, sample);
        sample->resolution = shape->share != 0 ? blur(sample->value / shape->share) : 0;
    }
}

static void over(struct slow *slow)
{
    const struct slow_shape *shape = slow->work->plan->setup;
    struct limits_finding *finding = slow->work->finding;
    if (!slow->stopping) {
        finish_sample(slow);
        if (!slow->failed && finding->sample_count < LIMITS_SAMPLES) {
            start_sample(slow);
            return;
        }
    }
    if (finding->sample_count > 0) {
        shape->judge(finding);
    }
    limits_work_over(slow->work);
}

static void on_link_closed(void *user, const struct net_error *why)
{
    struct slow *slow = user;
    slow->link = NULL;
    if (slow->phase != SLOW_CLOSING) { /* the path ended it: there is nothing to compare */
        slow->failed = true;
        slow->phase = SLOW_CLOSING;
        snprintf(slow->lost, sizeof(slow->lost), "%s", why->text);
        limits_sent_stop(&slow->sent);
    }
    if (!slow->sent.asking) {
        over(slow);
    }
}

static void close_link(struct slow *slow)
{
    slow->phase = SLOW_CLOSING;
    limits_sent_stop(&slow->sent);
    if (slow->link != NULL) {
        limits_link_close(slow->link);
    }
}

static void fail(struct slow *slow, const char *why)
{
    slow->failed = true;
    snprintf(slow->lost, sizeof(slow->lost), "%s", why);
    close_link(slow);
}

/* ---- what the server sent -------------------------------------------------------------------- */

static void on_told(void *user, const struct limits_told *told)
{
    struct slow *slow = user;
    if (slow->phase == SLOW_CLOSING && slow->link == NULL) {
        over(slow);
    } else if (slow->phase == SLOW_FILLING && !told->found) {
        fail(slow, told->answered ? "the server does not know the stream that is not read"
                                  : "the server could not be asked what it sent");
    }
}

/* ---- the quick stream ------------------------------------------------------------------------ */

static void on_quick_ended(void *user, const struct rpc_status *status)
{
    struct slow *slow = user;
    char text[LIMITS_TEXT_BYTES];
    if (slow->phase != SLOW_CLOSING) {
        rpc_status_describe(status, text, sizeof(text));
        fail(slow, text);
    }
}

static void note_slowest(struct slow *slow)
{
    uint64_t slowest_ns = slow->quick.slowest_ns;
    if (slow->phase == SLOW_ALONE) {
        slow->seen.alone_ns = slowest_ns;
    } else if (slowest_ns > slow->seen.beside_ns) {
        slow->seen.beside_ns = slowest_ns;
    }
}

/* ---- the slow stream ------------------------------------------------------------------------- */

static void on_held_closed(void *user, const struct rpc_status *status)
{
    struct slow *slow = user;
    struct limits_sample sample = {0};
    if (slow->phase == SLOW_CLOSING || slow->phase == SLOW_READING) {
        return;
    }
    limits_call_note_end(status, NULL, &sample);
    slow->seen.end = sample.end;
    slow->seen.code = sample.code;
    snprintf(slow->ended_text, sizeof(slow->ended_text), "%s", sample.saw);
    slow->seen.ended_text = slow->ended_text;
}

/* What the path holds may be many megabytes, and comes at once: it is read a window at a time. */
static void on_held_answer(void *user)
{
    struct slow *slow = user;
    if (slow->phase == SLOW_READING) {
        limits_call_hold(&slow->held, true);
    }
}

static const struct limits_call_events held_events = {
    .on_answer = on_held_answer,
    .on_closed = on_held_closed,
};

static void enter(struct slow *slow, enum slow_phase phase)
{
    note_slowest(slow);
    slow->phase = phase;
    limits_quick_count(&slow->quick);
}

static void do_fill(struct slow *slow, uint64_t now)
{
    if (limits_call_open(&slow->held, slow->link, &flood) != 0) {
        fail(slow, "the connection takes no second stream");
        return;
    }
    limits_call_hold(&slow->held, true);
    limits_sent_begin(&slow->sent, slow->held.id, now);
    enter(slow, SLOW_FILLING);
}

static bool is_settled(const struct slow *slow)
{
    return slow->sent.bytes >= slow->seen.offered_bytes || slow->seen.end != LIMITS_END_OPEN ||
           limits_sent_is_still(&slow->sent);
}

static void do_read(struct slow *slow, uint64_t now)
{
    uint64_t window = H2_STREAM_WINDOW_BYTES;
    slow->seen.received_bytes = slow->sent.bytes < window ? slow->sent.bytes : window;
    slow->seen.waited_ms = QUICK_WAIT_MS;
    slow->seen.asked = slow->quick.asked;
    slow->seen.answered = slow->quick.answered;
    enter(slow, SLOW_READING);
    slow->reading_ns = now;
    limits_call_hold(&slow->held, false);
}

/* ---- the plan -------------------------------------------------------------------------------- */

static void step(struct slow *slow, uint64_t now)
{
    bool late = limits_quick_is_late(&slow->quick, now, QUICK_WAIT_MS);
    bool enough = slow->quick.answered >= QUICK_COUNT;
    switch (slow->phase) {
    case SLOW_ALONE:
        if (late) {
            fail(slow, "the quick stream has no answer, with nothing beside it");
        } else if (enough) {
            do_fill(slow, now);
        } else {
            limits_quick_ask(&slow->quick, now);
        }
        return;
    case SLOW_FILLING:
        limits_quick_ask(&slow->quick, now);
        limits_sent_ask(&slow->sent, now);
        slow->seen.settled = is_settled(slow);
        if (slow->seen.settled || late) {
            enter(slow, SLOW_FULL);
        }
        return;
    case SLOW_FULL:
        limits_sent_ask(&slow->sent, now);
        if (late || enough) {
            do_read(slow, now);
        } else {
            limits_quick_ask(&slow->quick, now);
        }
        return;
    case SLOW_READING:
        slow->seen.answered_behind = slow->quick.answered > 0;
        if (slow->quick.asked_ns == 0 || is_past(now, slow->reading_ns, READ_MS)) {
            close_link(slow);
        } else {
            limits_call_hold(&slow->held, false);
        }
        return;
    case SLOW_CLOSING:
        return;
    }
}

static void on_ready(void *user)
{
    struct slow *slow = user;
    slow->opened_ns = now_ns(slow);
    if (limits_quick_open(&slow->quick, slow->link) != 0) {
        fail(slow, "the connection takes no stream");
    }
}

static const struct limits_link_events link_events = {
    .on_ready = on_ready,
    .on_closed = on_link_closed,
};

static void start_sample(struct slow *slow)
{
    struct limits_work *work = slow->work;
    *slow = (struct slow){.work = work};
    slow->seen.offered_bytes = (uint64_t)SLOW_MESSAGE_BYTES * SLOW_COUNT;
    slow->seen.end = LIMITS_END_OPEN;
    limits_quick_init(&slow->quick, work->ground, on_quick_ended, slow);
    limits_call_init(&slow->held, work->ground, &held_events, slow);
    limits_sent_init(&slow->sent, work->ground, on_told, slow);
    slow->link = limits_link_open(work->ground, NULL, &link_events, slow);
}

static void start(struct limits_work *work)
{
    const struct slow_shape *shape = work->plan->setup;
    struct slow *slow = mem_new(struct slow);
    work->state = slow;
    work->finding->looked = shape->looked;
    slow->work = work;
    start_sample(slow);
}

static void tick(struct limits_work *work, uint64_t now)
{
    struct slow *slow = work->state;
    if (slow->opened_ns != 0) {
        step(slow, now);
    }
}

static void stop(struct limits_work *work)
{
    struct slow *slow = work->state;
    if (!slow->stopping) {
        slow->stopping = true;
        close_link(slow);
    }
}

static void free_slow(struct limits_work *work)
{
    free(work->state);
}

static const struct slow_shape neighbour = {limits_slow_sample, limits_facts_judge, 1, 0};
/* Buffers of kernels grow as they like. */
static const struct slow_shape buffered = {limits_buffered_sample, limits_counted_judge,
                                           (uint64_t)SLOW_MESSAGE_BYTES *SLOW_COUNT, 3};

#define SLOW_PLAN(shape_, turn_, setup_)                                                           \
    {                                                                                              \
        .shape = (shape_), .turn = (turn_), .needs_probe = true, .harsh = true, .setup = (setup_), \
        .start = start, .tick = tick, .stop = stop, .free = free_slow                              \
    }

const struct limits_plan limits_slow_plans[LIMITS_SLOW_PLANS] = {
    SLOW_PLAN(LIMITS_SLOW_READER, LIMITS_TURN_SLOW_READER, &neighbour),
    SLOW_PLAN(LIMITS_BUFFERED, LIMITS_TURN_BUFFERED, &buffered),
};
