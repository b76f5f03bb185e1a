/*   waiting --its time--> dialling --ready--> asked --first answer--> watched
 *   watched --stream ends--> ended --server told, or not asked--> closing
 *   watched --looked at for long enough, or cut--> proved --a message came through--> left
 *   proved --nothing came through for too long--> left
 *   proved --stream ends--> ended
 *   left --server told--> closing
 *   left --the message may still be on its way to the server--> proved
 *   watched --PINGs were refused, and fewer may do--> dialling
 *   ended, left --the other of two that are quiet together is still watched--> asks later
 *   dialling, asked --no connection, an end, no answer in time--> closing
 *   waiting, dialling, asked --cut--> closing
 *   any --stopped--> closing
 *   closing --connection and question are closed--> over */
#include "limits/time_try.h"

#include "base/clock.h"
#include "base/text.h"
#include "limits/judge.h"
#include "limits/time_proof.h"

#include <stdio.h>
#include <string.h>

static void enter(struct limits_time_try *try, enum limits_try_state state);

static uint64_t now_of(const struct limits_time_try *try)
{
    return limits_ground_now_ns(try->ground);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void close_when_idle(struct limits_time_try *try)
{
    if (try->state == LIMITS_TRY_CLOSING && try->link == NULL && !try->ask.running) {
        enter(try, LIMITS_TRY_OVER);
    }
}

/* The server has ended it long ago, and nobody told the client. */
static void note_untold(struct limits_time_try *try, const struct limits_told *told)
{
    struct limits_sample *sample = try->sample;
    uint64_t end_ns = told->ended_ns > try->clock_ns ? told->ended_ns : try->clock_ns;
    limits_time_note_value(try, end_ns);
    sample->end = LIMITS_END_UNTOLD;
    sample->code = 0;
    snprintf(sample->saw, sizeof(sample->saw),
             "nothing: for the client the stream is still open, though its server has ended it");
}

/* The same, and later something else ended the client's. */
static void note_told_late(struct limits_time_try *try, const struct limits_told *told)
{
    char later[32];
    char saw[sizeof(try->sample->saw)];
    uint64_t client_ns = try->sample->opened_ns + try->sample->lived_ns;
    text_format_duration(later, sizeof(later), client_ns - told->ended_ns);
    snprintf(saw, sizeof(saw), "nothing for %s, though its server has ended it; then: %.200s",
             later, try->sample->saw);
    note_untold(try, told);
    memcpy(try->sample->saw, saw, sizeof(saw));
}

static void on_told(void *user, const struct limits_told *told)
{
    struct limits_time_try *try = user;
    struct limits_sample *sample = try->sample;
    sample->side = limits_judge_side(sample, told);
    limits_ground_note_peer(try->ground, try->local, told->peer);
    if (told->found) {
        snprintf(sample->server_saw, sizeof(sample->server_saw), "%s", told->text);
        sample->server_told = told->ended;
        sample->server_end = told->how;
        sample->server_code = told->code;
    }
    if (try->state == LIMITS_TRY_LEFT && told->found && told->ended) {
        note_untold(try, told);
    } else if (try->state == LIMITS_TRY_ENDED && sample->side == LIMITS_SIDE_SERVER_HOP) {
        note_told_late(try, told);
    } else if (try->state == LIMITS_TRY_ENDED) {
        limits_time_note_shown(try);
    } else if (try->state == LIMITS_TRY_LEFT && told->found && limits_time_proof_told(try, told)) {
        enter(try, LIMITS_TRY_PROVED);
        return;
    }
    enter(try, LIMITS_TRY_CLOSING);
    close_when_idle(try);
}

/* A question is traffic: the other of two that are quiet together is not to have any. */
static bool is_asking_early(const struct limits_time_try *try)
{
    return try->beside != NULL && try->beside->state <= LIMITS_TRY_WATCHED;
}

static void ask_now(struct limits_time_try *try)
{
    try->asks_later = false;
    limits_ask_start(&try->ask, try->ground, try->call.id, try->state == LIMITS_TRY_ENDED, on_told,
                     try);
}

static void ask(struct limits_time_try *try, enum limits_try_state state)
{
    if (!try->probe || try->stopping) {
        enter(try, LIMITS_TRY_CLOSING);
        return;
    }
    enter(try, state);
    if (is_asking_early(try)) {
        try->asks_later = true;
    } else {
        ask_now(try);
    }
}

/* ---- the stream ------------------------------------------------------------------------------ */

static void start_clock(struct limits_time_try *try)
{
    try->clock_ns = now_of(try);
    try->blur_ns = limits_ground_blur_ns(try->ground);
}

/* What was heard last is traffic of the other's path, too. */
static void join_clocks(struct limits_time_try *try)
{
    struct limits_time_try *other = try->beside;
    if (other != NULL && other->state == LIMITS_TRY_WATCHED) {
        other->clock_ns = try->clock_ns;
        other->blur_ns = try->blur_ns;
        other->until_ns = try->until_ns;
    }
}

static void on_answer(void *user)
{
    struct limits_time_try *try = user;
    try->heard_ns = now_of(try);
    if (try->state != LIMITS_TRY_ASKED) {
        return;
    }
    enter(try, LIMITS_TRY_WATCHED);
    if (try->setup->half_close) {
        limits_call_half_close(&try->call);
    }
    if (try->setup->clock >= LIMITS_CLOCK_ANSWERED) {
        start_clock(try);
    }
    if (try->until_ns == 0) {
        try->until_ns = try->clock_ns + try->ground->within_ns;
    }
    join_clocks(try);
}

static bool were_pings_refused(const struct limits_time_try *try)
{
    const char *goaway = limits_link_goaway(try->link);
    unsigned next = try->pings_refused + 1;
    return goaway != NULL && strstr(goaway, "ENHANCE_YOUR_CALM") != NULL &&
           try->setup->ping_every_ms[0] != 0 && next < LIMITS_PINGS_TRIED && !try->stopping;
}

static void on_call_closed(void *user, const struct rpc_status *status)
{
    struct limits_time_try *try = user;
    if (try->state == LIMITS_TRY_ASKED) {
        limits_call_note_end(status, limits_link_goaway(try->link), try->sample);
        try->sample->opened = false;
        enter(try, LIMITS_TRY_CLOSING);
    } else if (try->state == LIMITS_TRY_WATCHED && were_pings_refused(try)) {
        try->pings_refused++;
        try->sample->opened = false;
        enter(try, LIMITS_TRY_WAITING);
        limits_link_close(try->link);
    } else if (try->state == LIMITS_TRY_WATCHED) {
        limits_time_note_value(try, now_of(try));
        limits_call_note_end(status, limits_link_goaway(try->link), try->sample);
        ask(try, LIMITS_TRY_ENDED);
    } else if (try->state == LIMITS_TRY_PROVED && limits_time_proof_is_declined(try, status)) {
        ask(try, LIMITS_TRY_LEFT);
    } else if (try->state == LIMITS_TRY_PROVED) {
        limits_time_note_value(try, now_of(try));
        limits_call_note_end(status, limits_link_goaway(try->link), try->sample);
        if (!try->probe) {
            limits_time_note_shown(try);
        }
        ask(try, LIMITS_TRY_ENDED);
    }
}

static const struct limits_call_events call_events = {
    .on_answer = on_answer,
    .on_closed = on_call_closed,
};

static void send_message(struct limits_time_try *try, uint64_t now_ns)
{
    limits_call_send(&try->call);
    try->next_send_ns = now_ns + try->setup->send_every_ms * NS_PER_MS;
}

/* ---- the connection -------------------------------------------------------------------------- */

static void on_ready(void *user)
{
    struct limits_time_try *try = user;
    uint64_t now_ns = now_of(try);
    if (try->state != LIMITS_TRY_DIALLING) {
        return;
    }
    int rv = limits_call_open(&try->call, try->link, try->probe ? &try->setup->script : NULL);
    if (rv != 0) {
        snprintf(try->sample->saw, sizeof(try->sample->saw), "%s", rpc_call_unstarted(rv));
        enter(try, LIMITS_TRY_CLOSING);
        return;
    }
    snprintf(try->local, sizeof(try->local), "%s", limits_link_local(try->link));
    try->sample->opened = true;
    try->sample->opened_ns = now_ns;
    start_clock(try);
    send_message(try, now_ns);
    try->next_ping_ns = now_ns;
    enter(try, LIMITS_TRY_ASKED);
}

static void on_link_closed(void *user, const struct net_error *why)
{
    struct limits_time_try *try = user;
    try->link = NULL;
    if (try->state == LIMITS_TRY_DIALLING) {
        snprintf(try->sample->saw, sizeof(try->sample->saw), "%s", why->text);
        enter(try, LIMITS_TRY_CLOSING);
    }
    close_when_idle(try);
}

static const struct limits_link_events link_events = {
    .on_ready = on_ready,
    .on_closed = on_link_closed,
};

/* ---- states ---------------------------------------------------------------------------------- */

static void enter(struct limits_time_try *try, enum limits_try_state state)
{
    try->state = state;
    if (state == LIMITS_TRY_DIALLING) {
        try->link = limits_link_open(try->ground, NULL, &link_events, try);
    } else if (state == LIMITS_TRY_CLOSING) {
        if (try->link != NULL) {
            limits_link_close(try->link);
        }
        limits_ask_stop(&try->ask);
    } else if (state == LIMITS_TRY_OVER) {
        try->on_over(try->user);
    }
}

static void tick_watched(struct limits_time_try *try, uint64_t now_ns)
{
    uint32_t ping_ms = try->setup->ping_every_ms[try->pings_refused];
    if (now_ns >= try->until_ns) {
        enter(try, LIMITS_TRY_PROVED);
        limits_time_proof_begin(try, now_ns);
        return;
    }
    if (try->setup->send_every_ms != 0 && now_ns >= try->next_send_ns) {
        send_message(try, now_ns);
    }
    if (ping_ms != 0 && now_ns >= try->next_ping_ns + ping_ms * NS_PER_MS) {
        limits_link_ping(try->link);
        try->next_ping_ns = now_ns;
    }
}

void limits_time_try_tick(struct limits_time_try *try, uint64_t now_ns)
{
    struct limits_sample *sample = try->sample;
    switch (try->state) {
    case LIMITS_TRY_WAITING:
        if (now_ns >= try->begin_ns && try->link == NULL) {
            enter(try, LIMITS_TRY_DIALLING);
        }
        return;
    case LIMITS_TRY_ASKED:
        if (now_ns > sample->opened_ns + LIMITS_ANSWER_MS * NS_PER_MS) {
            sample->opened = false;
            snprintf(sample->saw, sizeof(sample->saw), "no answer on a new stream within %ds",
                     LIMITS_ANSWER_MS / 1000);
            enter(try, LIMITS_TRY_CLOSING);
        }
        return;
    case LIMITS_TRY_WATCHED:
        tick_watched(try, now_ns);
        return;
    case LIMITS_TRY_ENDED:
    case LIMITS_TRY_LEFT:
        if (try->asks_later && !is_asking_early(try)) {
            ask_now(try);
        }
        return;
    case LIMITS_TRY_PROVED:
        if (limits_time_proof_is_over(try, now_ns)) {
            ask(try, LIMITS_TRY_LEFT);
        }
        return;
    case LIMITS_TRY_CLOSING:
        close_when_idle(try);
        return;
    default:
        return;
    }
}

void limits_time_try_cut(struct limits_time_try *try, uint64_t now_ns)
{
    if (try->state == LIMITS_TRY_WATCHED && now_ns < try->until_ns) {
        try->cut = true;
        try->until_ns = now_ns;
    } else if (try->state < LIMITS_TRY_WATCHED) {
        limits_time_try_stop(try);
    }
}

void limits_time_try_stop(struct limits_time_try *try)
{
    if (try->stopping || try->state >= LIMITS_TRY_CLOSING) {
        return;
    }
    try->stopping = true;
    if (try->state == LIMITS_TRY_WATCHED || try->state == LIMITS_TRY_PROVED) {
        limits_time_note_value(try, try->state == LIMITS_TRY_PROVED ? try->until_ns : now_of(try));
        try->sample->end = LIMITS_END_HERE;
        try->sample->unproved = true;
    } else if (try->state < LIMITS_TRY_WATCHED) {
        try->sample->opened = false;
    }
    enter(try, LIMITS_TRY_CLOSING);
}

void limits_time_try_init(struct limits_time_try *try, struct limits_ground *ground,
                          const struct limits_time_setup *setup, bool probe, uint64_t begin_ns,
                          struct limits_sample *sample, void (*on_over)(void *user), void *user)
{
    *try = (struct limits_time_try){
        .setup = setup,
        .ground = ground,
        .sample = sample,
        .on_over = on_over,
        .user = user,
        .probe = probe,
        .begin_ns = begin_ns,
    };
    limits_call_init(&try->call, ground, &call_events, try);
}
