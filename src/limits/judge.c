#include "limits/judge.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "h2/session.h"
#include "limits/words.h"

#include <stdio.h>
#include <string.h>

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t apart(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

bool limits_judge_agree(uint64_t a, uint64_t b, uint64_t resolution)
{
    uint64_t may = larger(resolution, LIMITS_AGREE_MS * NS_PER_MS);
    return apart(a, b) <= larger(may, larger(a, b) / 100 * LIMITS_AGREE_PERCENT);
}

/* ---- one sample ------------------------------------------------------------------------------ */

static uint64_t ended_at(const struct limits_sample *sample)
{
    return sample->opened_ns + sample->lived_ns;
}

/* Nothing told the client of an end. */
static bool is_unended(const struct limits_sample *sample)
{
    return limits_sample_lives(sample) || sample->end == LIMITS_END_DEAD;
}

enum limits_side limits_judge_side(const struct limits_sample *sample,
                                   const struct limits_told *told)
{
    if (told == NULL || !told->found) {
        return LIMITS_SIDE_UNKNOWN;
    }
    if (!told->ended) {
        return is_unended(sample) ? LIMITS_SIDE_UNKNOWN : LIMITS_SIDE_CLIENT_HOP;
    }
    if (told->how == RPC_PROBE_BY_SCRIPT || told->how == RPC_PROBE_LIMIT ||
        told->how == RPC_PROBE_SHUTDOWN) {
        return LIMITS_SIDE_SERVER;
    }
    uint64_t at_once = larger(sample->resolution, LIMITS_AT_ONCE_MS * NS_PER_MS);
    if (!is_unended(sample) && apart(told->ended_ns, ended_at(sample)) <= at_once) {
        return LIMITS_SIDE_BOTH;
    }
    return is_unended(sample) || told->ended_ns < ended_at(sample) ? LIMITS_SIDE_SERVER_HOP
                                                                   : LIMITS_SIDE_CLIENT_HOP;
}

/* ---- two samples ----------------------------------------------------------------------------- */

static void set_unsteady(struct limits_finding *finding, const char *why)
{
    const struct limits_sample *a = &finding->samples[0];
    const struct limits_sample *b = &finding->samples[1];
    char first[32];
    char second[32];
    text_format_duration(first, sizeof(first), a->value);
    text_format_duration(second, sizeof(second), b->value);
    finding->state = LIMITS_UNSTEADY;
    snprintf(finding->why, sizeof(finding->why), "%s after %s, %s after %s%s",
             limits_sample_lives(a) ? "one was open" : "one ended", first,
             limits_sample_lives(b) ? "the other was open" : "the other ended", second, why);
}

/* A GOAWAY that says itself that it is one for age or idleness. gRPC servers vary these, so that
 * not all clients come back at once (gRFC A9: by a tenth either way). */
static bool is_jittered(const struct limits_sample *sample)
{
    return sample->end == LIMITS_END_GOAWAY &&
           (strstr(sample->saw, "max_age") != NULL || strstr(sample->saw, "max_idle") != NULL ||
            strstr(sample->saw, "connection idle") != NULL);
}

static uint64_t resolution_of(const struct limits_sample *a, const struct limits_sample *b)
{
    uint64_t resolution = larger(a->resolution, b->resolution);
    uint64_t between = apart(a->value, b->value);
    bool jittered = is_jittered(a) && is_jittered(b) &&
                    between <= larger(a->value, b->value) / 100 * LIMITS_JITTER_PERCENT;
    return jittered ? larger(resolution, between) : resolution;
}

static bool is_silent(enum limits_shape shape)
{
    return shape == LIMITS_IDLE || shape == LIMITS_IDLE_WITH_PINGS;
}

static void judge_both_ended(struct limits_finding *finding)
{
    const struct limits_sample *a = &finding->samples[0];
    const struct limits_sample *b = &finding->samples[1];
    uint64_t resolution = resolution_of(a, b);
    if (!limits_judge_agree(a->value, b->value, resolution)) {
        bool at_once =
            apart(ended_at(a), ended_at(b)) <= larger(resolution, LIMITS_AGREE_MS * NS_PER_MS);
        set_unsteady(finding, !at_once ? ""
                              : is_silent(finding->shape)
                                  ? ": both in one moment, as when something restarts, or a hop "
                                    "cuts what they share, which idle_path tells"
                                  : ": both in one moment, as when something restarts");
        return;
    }
    finding->state = LIMITS_FOUND;
    finding->value = a->value < b->value ? a->value : b->value;
    finding->resolution = resolution;
    finding->side = a->side == b->side ? a->side : LIMITS_SIDE_UNKNOWN;
    snprintf(finding->look, sizeof(finding->look), "%s", a->saw);
}

/* One ended, the other was still open when it was left alone. */
static void judge_one_ended(struct limits_finding *finding)
{
    const struct limits_sample *a = &finding->samples[0];
    const struct limits_sample *b = &finding->samples[1];
    const struct limits_sample *open = limits_sample_lives(a) ? a : b;
    const struct limits_sample *ended = limits_sample_lives(a) ? b : a;
    bool stopped = open->end == LIMITS_END_HERE;
    set_unsteady(finding, stopped ? ", when the run was stopped" : "");
    if (stopped && open->value < ended->value) { /* it might have ended so, too */
        finding->state = LIMITS_NOT_MEASURED;
    }
}

static void judge_both_open(struct limits_finding *finding)
{
    const struct limits_sample *a = &finding->samples[0];
    const struct limits_sample *b = &finding->samples[1];
    char looked[32];
    finding->state = LIMITS_NONE_WITHIN;
    finding->looked = a->value < b->value ? a->value : b->value;
    if (a->unproved || b->unproved) {
        text_format_duration(looked, sizeof(looked), finding->looked);
        finding->state = LIMITS_NOT_MEASURED;
        bool stopped = a->end == LIMITS_END_HERE || b->end == LIMITS_END_HERE;
        snprintf(finding->why, sizeof(finding->why),
                 "no end was told within %s, but %s: whether the stream was alive is not known",
                 looked,
                 stopped ? "the run was stopped before a last message showed more"
                         : "the service did not answer a last message");
    }
}

/* Not all were opened: what one shows by itself may be chance. */
static void judge_unopened(struct limits_finding *finding)
{
    const struct limits_sample *a = &finding->samples[0];
    const struct limits_sample *b = &finding->samples[1];
    const char *cause = !a->opened ? a->saw : b->saw;
    bool none = !a->opened && !b->opened;
    bool stopped = cause[0] == '\0';
    finding->state = none || stopped ? LIMITS_NOT_MEASURED : LIMITS_UNSTEADY;
    snprintf(finding->why, sizeof(finding->why), "%s%s",
             none || stopped ? "" : "one of two could not be begun: ",
             !stopped ? cause
             : none   ? "the run ended before it was begun"
                      : "the run ended before its second try was begun");
}

void limits_judge_times(struct limits_finding *finding)
{
    const struct limits_sample *a = &finding->samples[0];
    const struct limits_sample *b = &finding->samples[1];
    finding->looked = larger(a->value, b->value);
    if (!a->opened || !b->opened) {
        judge_unopened(finding);
    } else if (limits_sample_lives(a) && limits_sample_lives(b)) {
        judge_both_open(finding);
    } else if (limits_sample_lives(a) || limits_sample_lives(b)) {
        judge_one_ended(finding);
    } else {
        judge_both_ended(finding);
    }
}

/* ---- what explains what ---------------------------------------------------------------------- */

/* What is compared with the limit of `by`. */
enum clock { CLOCK_LIFE, CLOCK_VALUE };

static const struct {
    enum limits_shape shape;
    enum limits_shape by;
    enum clock clock;
} EXPLAINS[] = {
    {LIMITS_AGE_STREAM, LIMITS_AGE_CONNECTION, CLOCK_LIFE},
    {LIMITS_IDLE, LIMITS_AGE_STREAM, CLOCK_LIFE},
    {LIMITS_IDLE, LIMITS_AGE_CONNECTION, CLOCK_LIFE},
    {LIMITS_IDLE, LIMITS_IDLE_SERVER, CLOCK_VALUE},
    {LIMITS_IDLE, LIMITS_IDLE_CLIENT, CLOCK_VALUE},
    {LIMITS_IDLE_WITH_PINGS, LIMITS_AGE_STREAM, CLOCK_LIFE},
    {LIMITS_IDLE_WITH_PINGS, LIMITS_AGE_CONNECTION, CLOCK_LIFE},
    {LIMITS_IDLE_WITH_PINGS, LIMITS_IDLE, CLOCK_VALUE},
    {LIMITS_IDLE_WITH_PINGS, LIMITS_IDLE_SERVER, CLOCK_VALUE},
    {LIMITS_IDLE_WITH_PINGS, LIMITS_IDLE_CLIENT, CLOCK_VALUE},
    {LIMITS_IDLE_CLIENT, LIMITS_AGE_STREAM, CLOCK_LIFE},
    {LIMITS_IDLE_CLIENT, LIMITS_AGE_CONNECTION, CLOCK_LIFE},
    {LIMITS_IDLE_SERVER, LIMITS_AGE_STREAM, CLOCK_LIFE},
    {LIMITS_IDLE_SERVER, LIMITS_AGE_CONNECTION, CLOCK_LIFE},
    {LIMITS_IDLE_PATH, LIMITS_AGE_STREAM, CLOCK_LIFE},
    {LIMITS_IDLE_PATH, LIMITS_AGE_CONNECTION, CLOCK_LIFE},
    {LIMITS_IDLE_PATH, LIMITS_IDLE, CLOCK_VALUE},
    {LIMITS_IDLE_PATH, LIMITS_IDLE_SERVER, CLOCK_VALUE},
    {LIMITS_IDLE_PATH, LIMITS_IDLE_CLIENT, CLOCK_VALUE},
    {LIMITS_HALF_CLOSE, LIMITS_AGE_STREAM, CLOCK_LIFE},
    {LIMITS_HALF_CLOSE, LIMITS_AGE_CONNECTION, CLOCK_LIFE},
    {LIMITS_HALF_CLOSE, LIMITS_IDLE_CLIENT, CLOCK_VALUE},
    {LIMITS_HALF_CLOSE, LIMITS_IDLE_CLIENT, CLOCK_LIFE}, /* its last message, not its end */
    {LIMITS_IDLE_CONNECTION, LIMITS_AGE_CONNECTION, CLOCK_LIFE},
};

static bool was_found(const struct limits_finding *finding)
{
    return finding->wanted && finding->state == LIMITS_FOUND;
}

static bool explains(const struct limits_finding *by, const struct limits_finding *finding,
                     enum clock clock)
{
    uint64_t resolution = larger(by->resolution, finding->resolution);
    uint64_t value = finding->value;
    if (clock == CLOCK_LIFE) {
        uint64_t a = finding->samples[0].lived_ns;
        uint64_t b = finding->samples[1].lived_ns;
        value = a < b ? a : b;
    }
    return was_found(by) && limits_judge_agree(by->value, value, resolution);
}

static bool was_refused_pings(const struct limits_finding *finding)
{
    return finding->shape == LIMITS_IDLE_WITH_PINGS &&
           finding->samples[0].end == LIMITS_END_GOAWAY &&
           strstr(finding->look, "ENHANCE_YOUR_CALM") != NULL;
}

/* What ends with its connection has the connection's limit; a stream that is cut while its
 * connection lives has one of its own. A limit on silence ends all that it ends in one way; two of
 * one length, as nginx has by default, do not look alike. What no end was told of was ended by no
 * limit that tells one. */
static bool can_explain(const struct limits_finding *by, const struct limits_finding *finding)
{
    const struct limits_sample *its = &by->samples[0];
    const struct limits_sample *sample = &finding->samples[0];
    if (sample->end == LIMITS_END_DEAD || its->end == LIMITS_END_DEAD) {
        return its->end == sample->end;
    }
    switch (by->shape) {
    case LIMITS_AGE_CONNECTION:
        return finding->shape != LIMITS_AGE_STREAM || sample->end == LIMITS_END_GOAWAY ||
               sample->end == LIMITS_END_CONNECTION;
    case LIMITS_AGE_STREAM:
        return true;
    default:
        return its->end == sample->end && its->code == sample->code;
    }
}

/* Streams that are opened until a GOAWAY comes are requests, too; many are opened at a time. */
#define WALL_BESIDE 50

static bool was_wall_of_requests(const struct limits_finding findings[static LIMITS_SHAPES])
{
    const struct limits_finding *wall = &findings[LIMITS_STREAMS_PER_CONNECTION];
    const struct limits_finding *requests = &findings[LIMITS_REQUESTS_PER_CONNECTION];
    return was_found(wall) && was_found(requests) && wall->samples[0].end == LIMITS_END_GOAWAY &&
           wall->value + 1 >= requests->value && wall->value <= requests->value + WALL_BESIDE;
}

/* What explains what explains it. */
static enum limits_shape root_of(const enum limits_shape by[static LIMITS_SHAPES],
                                 enum limits_shape shape)
{
    while (by[shape] != LIMITS_SHAPES) {
        shape = by[shape];
    }
    return shape;
}

/* When nothing came through any more is known best where most was sent. */
static void take_over(struct limits_finding *finding, const struct limits_finding *by)
{
    const struct limits_sample *sample = &finding->samples[0];
    uint64_t begun_ns = sample->lived_ns - sample->value;
    if (sample->end == LIMITS_END_DEAD && by->resolution < finding->resolution &&
        by->value > begun_ns) {
        finding->value = by->value - begun_ns;
        finding->resolution = by->resolution;
    }
}

void limits_judge_explain(struct limits_finding findings[static LIMITS_SHAPES])
{
    enum limits_shape by[LIMITS_SHAPES];
    for (size_t i = 0; i < LIMITS_SHAPES; i++) {
        by[i] = was_found(&findings[i]) && was_refused_pings(&findings[i]) ? LIMITS_PING_INTERVAL
                                                                           : LIMITS_SHAPES;
    }
    if (was_wall_of_requests(findings)) {
        by[LIMITS_STREAMS_PER_CONNECTION] = LIMITS_REQUESTS_PER_CONNECTION;
    }
    for (size_t i = 0; i < ARRAY_SIZE(EXPLAINS); i++) {
        const struct limits_finding *finding = &findings[EXPLAINS[i].shape];
        const struct limits_finding *other = &findings[EXPLAINS[i].by];
        if (was_found(finding) && by[EXPLAINS[i].shape] == LIMITS_SHAPES &&
            can_explain(other, finding) && explains(other, finding, EXPLAINS[i].clock)) {
            by[EXPLAINS[i].shape] = EXPLAINS[i].by;
        }
    }
    for (size_t i = 0; i < LIMITS_SHAPES; i++) {
        if (by[i] != LIMITS_SHAPES) {
            findings[i].state = LIMITS_BY_OTHER;
            findings[i].by = root_of(by, (enum limits_shape)i);
            take_over(&findings[i], &findings[findings[i].by]);
        }
    }
}
