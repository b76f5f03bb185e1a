/*   waiting --its time--> dialling --ready--> asked --first answer--> watched
 *   watched --stream ends--> ended --server told, or not asked--> closing
 *   watched --looked at for long enough--> proved --a message came through--> left
 *   proved --nothing came through for too long--> left
 *   proved --stream ends--> ended
 *   left --server told--> closing
 *   left --the message may still be on its way to the server--> proved
 *   watched --PINGs were refused, and fewer may do--> dialling
 *   dialling, asked --no connection, an end, no answer in time--> closing
 *   any --stopped--> closing
 *   closing --connection and question are closed--> over */
#include "limits/time_try.h"

#include "base/clock.h"
#include "base/text.h"
#include "limits/judge.h"

#include <stdio.h>
#include <string.h>

/* Between two questions to the server whether a message has come there. */
#define ASK_AGAIN_MS 1000

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

static void note_value(struct limits_time_try *try, uint64_t end_ns)
{
    struct limits_sample *sample = try->sample;
    sample->lived_ns = end_ns - sample->opened_ns;
    sample->value = end_ns > try->clock_ns ? end_ns - try->clock_ns : 0;
    sample->resolution = try->blur_ns + limits_ground_blur_ns(try->ground);
}

/* It lived at `heard_ns`, and not when it was looked at for long enough; nothing says when it ended
 * but what was to come in between. `every_ms`: how often that was, 0: it was silent. */
static void note_between(struct limits_time_try *try, uint64_t heard_ns, uint32_t every_ms)
{
    uint64_t from_ns = heard_ns > try->clock_ns ? heard_ns : try->clock_ns;
    uint64_t next_ns = from_ns + every_ms * NS_PER_MS;
    bool known = every_ms != 0 && next_ns < try->until_ns;
    uint64_t to_ns = known ? next_ns : try->until_ns - 1;
    uint64_t half_ns = to_ns > from_ns ? (to_ns - from_ns) / 2 : 0;
    note_value(try, from_ns + half_ns);
    try->sample->resolution = half_ns + (known ? try->sample->resolution : 0);
}

/* Neither end sends: what cuts it may be seen at the next message alone. */
static bool is_silent(const struct limits_time_setup *setup)
{
    return setup->script.echo && setup->send_every_ms == 0 && setup->ping_every_ms[0] == 0;
}

/* It ended when it was to show that it is alive. */
static void note_shown(struct limits_time_try *try)
{
    if (try->proof_ns != 0 && is_silent(try->setup)) {
        note_between(try, try->heard_ns, 0);
    }
}

/* Nothing comes through any more. */
static void note_dead(struct limits_time_try *try, uint64_t heard_ns, uint32_t every_ms)
{
    note_between(try, heard_ns, every_ms);
    try->sample->end = LIMITS_END_DEAD;
    snprintf(try->sample->saw, sizeof(try->sample->saw),
             "nothing comes through any more, and neither end was told");
}

/* The server has ended it long ago, and nobody told the client. */
static void note_untold(struct limits_time_try *try, const struct limits_told *told)
{
    struct limits_sample *sample = try->sample;
    uint64_t end_ns = told->ended_ns > try->clock_ns ? told->ended_ns : try->clock_ns;
    note_value(try, end_ns);
    sample->end = LIMITS_END_UNTOLD;
    sample->code = 0;
    snprintf(sample->saw, sizeof(sample->saw),
             "nothing: for the client the stream is still open, though its server has ended it");
}

static bool is_on_its_way(const struct limits_time_try *try)
{
    return now_of(try) <= try->proof_ns + LIMITS_PROOF_MS * NS_PER_MS;
}

/* The server of a stream that nothing ended says whether all came there. Returns whether that is
 * open still. */
static bool note_lost(struct limits_time_try *try, const struct limits_told *told)
{
    if (told->messages >= try->call.sent || try->sample->end != LIMITS_END_OPEN) {
        return false;
    }
    if (is_on_its_way(try) && !try->stopping) {
        try->next_ask_ns = now_of(try) + ASK_AGAIN_MS * NS_PER_MS;
        enter(try, LIMITS_TRY_PROVED);
        return true;
    }
    note_dead(try, told->heard_ns, try->setup->send_every_ms);
    return false;
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
        note_shown(try);
    } else if (try->state == LIMITS_TRY_LEFT && told->found && note_lost(try, told)) {
        return;
    }
    enter(try, LIMITS_TRY_CLOSING);
    close_when_idle(try);
}

static void ask(struct limits_time_try *try, enum limits_try_state state)
{
    if (!try->probe || try->stopping) {
        enter(try, LIMITS_TRY_CLOSING);
        return;
    }
    enter(try, state);
    limits_ask_start(&try->ask, try->ground, try->call.id, state == LIMITS_TRY_ENDED, on_told, try);
}

/* ---- the stream ------------------------------------------------------------------------------ */

static void start_clock(struct limits_time_try *try)
{
    try->clock_ns = now_of(try);
    try->blur_ns = limits_ground_blur_ns(try->ground);
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
        note_value(try, now_of(try));
        limits_call_note_end(status, limits_link_goaway(try->link), try->sample);
        ask(try, LIMITS_TRY_ENDED);
    } else if (try->state == LIMITS_TRY_PROVED) {
        note_value(try, now_of(try));
        limits_call_note_end(status, limits_link_goaway(try->link), try->sample);
        if (!try->probe) {
            note_shown(try);
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

/* A hop that forgot the connection ends nothing: only what comes through shows that it is alive. A
 * service of one's own may answer as it likes. */
static void begin_proof(struct limits_time_try *try, uint64_t now_ns)
{
    bool proves = try->probe || try->ground->target->service == NULL;
    try->proof_ns = now_ns;
    try->proof_answered = try->call.answered;
    try->next_ask_ns = now_ns;
    enter(try, LIMITS_TRY_PROVED);
    if (proves && !try->setup->half_close) {
        limits_call_send(&try->call);
    }
}

/* All that was to come to the client did. */
static bool is_heard(const struct limits_time_try *try)
{
    const struct rpc_probe_script *script = &try->setup->script;
    if (!try->probe && try->ground->target->service != NULL) {
        return true;
    }
    if (script->echo) {
        return try->call.answered >= try->call.sent;
    }
    bool sends = script->send_every_ms != 0 && script->send_count == 0;
    return !sends || try->call.answered > try->proof_answered;
}

static void tick_proved(struct limits_time_try *try, uint64_t now_ns)
{
    const struct limits_time_setup *setup = try->setup;
    bool heard = is_heard(try);
    if ((!heard && is_on_its_way(try)) || now_ns < try->next_ask_ns || try->ask.running) {
        return;
    }
    note_value(try, try->until_ns);
    try->sample->end = LIMITS_END_OPEN;
    if (!heard) {
        note_dead(try, try->heard_ns,
                  setup->script.echo ? setup->send_every_ms : setup->script.send_every_ms);
    }
    ask(try, LIMITS_TRY_LEFT);
}

static void tick_watched(struct limits_time_try *try, uint64_t now_ns)
{
    uint32_t ping_ms = try->setup->ping_every_ms[try->pings_refused];
    if (now_ns >= try->until_ns) {
        begin_proof(try, now_ns);
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
    case LIMITS_TRY_PROVED:
        tick_proved(try, now_ns);
        return;
    case LIMITS_TRY_CLOSING:
        close_when_idle(try);
        return;
    default:
        return;
    }
}

void limits_time_try_stop(struct limits_time_try *try)
{
    if (try->stopping || try->state >= LIMITS_TRY_CLOSING) {
        return;
    }
    try->stopping = true;
    if (try->state == LIMITS_TRY_WATCHED || try->state == LIMITS_TRY_PROVED) {
        note_value(try, try->state == LIMITS_TRY_PROVED ? try->until_ns : now_of(try));
        try->sample->end = LIMITS_END_HERE;
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
