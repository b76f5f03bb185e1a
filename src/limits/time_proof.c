#include "limits/time_proof.h"

#include "base/clock.h"
#include "limits/words.h"

#include <stdio.h>

/* Between two questions to the server whether a message has come there. */
#define ASK_AGAIN_MS 1000

static uint64_t now_of(const struct limits_time_try *try)
{
    return limits_ground_now_ns(try->ground);
}

/* ---- what is known of its end ---------------------------------------------------------------- */

void limits_time_note_value(struct limits_time_try *try, uint64_t end_ns)
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
    limits_time_note_value(try, from_ns + half_ns);
    try->sample->resolution = half_ns + (known ? try->sample->resolution : 0);
}

/* Neither end sends: what cuts it may be seen at the next message alone. */
static bool is_silent(const struct limits_time_setup *setup)
{
    return setup->script.echo && setup->send_every_ms == 0 && setup->ping_every_ms[0] == 0;
}

void limits_time_note_shown(struct limits_time_try *try)
{
    if (try->proof_ns != 0 && is_silent(try->setup)) {
        note_between(try, try->heard_ns, 0);
    }
}

/* When its time was over. */
static void note_open(struct limits_time_try *try)
{
    limits_time_note_value(try, try->until_ns);
    try->sample->end = try->cut ? LIMITS_END_HERE : LIMITS_END_OPEN;
}

/* Nothing comes through any more. */
static void note_dead(struct limits_time_try *try, uint64_t heard_ns, uint32_t every_ms)
{
    note_between(try, heard_ns, every_ms);
    try->sample->end = LIMITS_END_DEAD;
    snprintf(try->sample->saw, sizeof(try->sample->saw),
             "nothing comes through any more, and neither end was told");
}

/* ---- the message ----------------------------------------------------------------------------- */

static bool is_on_its_way(const struct limits_time_try *try)
{
    return now_of(try) <= try->proof_ns + LIMITS_PROOF_MS * NS_PER_MS;
}

/* A service of one's own may answer as it likes: an answer shows that the stream is alive, and none
 * shows nothing. */
static bool is_own(const struct limits_time_try *try)
{
    return !try->probe && try->ground->target->service != NULL;
}

void limits_time_proof_begin(struct limits_time_try *try, uint64_t now_ns)
{
    try->proof_ns = now_ns;
    try->proof_answered = try->call.answered;
    try->next_ask_ns = now_ns;
    if (!try->setup->half_close) {
        limits_call_send(&try->call);
    }
}

/* All that was to come to the client did. */
static bool is_heard(const struct limits_time_try *try)
{
    const struct rpc_probe_script *script = &try->setup->script;
    if (is_own(try)) {
        return try->call.answered > try->proof_answered;
    }
    if (script->echo) {
        return try->call.answered >= try->call.sent;
    }
    bool sends = script->send_every_ms != 0 && script->send_count == 0;
    return !sends || try->call.answered > try->proof_answered;
}

bool limits_time_proof_is_over(struct limits_time_try *try, uint64_t now_ns)
{
    const struct limits_time_setup *setup = try->setup;
    bool heard = is_heard(try);
    if ((!heard && is_on_its_way(try)) || now_ns < try->next_ask_ns || try->ask.running) {
        return false;
    }
    note_open(try);
    try->sample->unproved = !heard && is_own(try);
    if (!heard && !is_own(try)) {
        note_dead(try, try->heard_ns,
                  setup->script.echo ? setup->send_every_ms : setup->script.send_every_ms);
    }
    return true;
}

bool limits_time_proof_is_declined(struct limits_time_try *try, const struct rpc_status *status)
{
    if (!is_own(try) || status->origin != RPC_FROM_TRAILERS) {
        return false;
    }
    note_open(try);
    try->sample->unproved = true;
    return true;
}

bool limits_time_proof_told(struct limits_time_try *try, const struct limits_told *told)
{
    if (told->messages >= try->call.sent || !limits_sample_lives(try->sample)) {
        return false;
    }
    if (is_on_its_way(try) && !try->stopping) {
        try->next_ask_ns = now_of(try) + ASK_AGAIN_MS * NS_PER_MS;
        return true;
    }
    note_dead(try, told->heard_ns, try->setup->send_every_ms);
    return false;
}
