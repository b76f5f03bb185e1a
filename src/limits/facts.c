#include "limits/facts.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Of those that arrived as the same. */
#define NAMED_CASES 3

void limits_cases_add(struct limits_cases *cases, const char *sent, const char *got, bool same)
{
    if (cases->count == LIMITS_CASES_MAX) {
        return;
    }
    struct limits_case *added = &cases->cases[cases->count++];
    snprintf(added->sent, sizeof(added->sent), "%s", sent);
    snprintf(added->got, sizeof(added->got), "%s", got);
    added->same = same;
}

void limits_cases_late(struct limits_cases *cases, uint64_t late_ns)
{
    struct limits_case *last = &cases->cases[cases->count - 1];
    last->timed = true;
    last->late_ns = late_ns;
    if (last->same && late_ns > LIMITS_LATE_MS * NS_PER_MS) {
        char late[32];
        limits_value_text(LIMITS_DURATION, late_ns, late, sizeof(late));
        last->same = false;
        snprintf(last->got, sizeof(last->got), "the same, %s late", late);
    }
}

void limits_cases_unknown(struct limits_cases *cases, const char *why)
{
    snprintf(cases->unknown, sizeof(cases->unknown), "%s", why);
}

/* ---- the sample ------------------------------------------------------------------------------ */

static void append(char *out, size_t out_bytes, const char *text)
{
    size_t len = strlen(out);
    snprintf(out + len, out_bytes - len, "%s", text);
}

static bool was_told(const struct limits_cases *cases, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (!cases->cases[i].same && strcmp(cases->cases[i].got, cases->cases[index].got) == 0) {
            return true;
        }
    }
    return false;
}

/* "NOT_FOUND, ABORTED and 3 more as UNKNOWN": all that arrived as this one did. */
static void tell_group(const struct limits_cases *cases, size_t first, char *out, size_t out_bytes)
{
    size_t count = 0;
    char more[32] = "";
    for (size_t i = first; i < cases->count; i++) {
        const struct limits_case *one = &cases->cases[i];
        if (one->same || strcmp(one->got, cases->cases[first].got) != 0) {
            continue;
        }
        if (count++ < NAMED_CASES) {
            append(out, out_bytes, count > 1 ? ", " : "");
            append(out, out_bytes, one->sent);
        }
    }
    if (count > NAMED_CASES) {
        snprintf(more, sizeof(more), " and %zu more", count - NAMED_CASES);
    }
    append(out, out_bytes, more);
    append(out, out_bytes, " as ");
    append(out, out_bytes, cases->cases[first].got);
}

static void tell_latest(const struct limits_cases *cases, char *out, size_t out_bytes)
{
    const struct limits_case *latest = NULL;
    char late[32];
    for (size_t i = 0; i < cases->count; i++) {
        const struct limits_case *one = &cases->cases[i];
        if (one->timed && (latest == NULL || one->late_ns > latest->late_ns)) {
            latest = one;
        }
    }
    if (latest != NULL && latest->same) {
        limits_value_text(LIMITS_DURATION, latest->late_ns, late, sizeof(late));
        append(out, out_bytes, cases->count > 1 ? ", the latest after " : ", after ");
        append(out, out_bytes, late);
    }
}

void limits_cases_sample(const struct limits_cases *cases, struct limits_sample *sample)
{
    size_t same = 0;
    if (cases->unknown[0] != '\0') {
        sample->opened = false;
        snprintf(sample->saw, sizeof(sample->saw), "the server could not be asked what it saw: %s",
                 cases->unknown);
        return;
    }
    for (size_t i = 0; i < cases->count; i++) {
        same += cases->cases[i].same;
    }
    sample->value = same;
    sample->end = LIMITS_END_OPEN;
    if (cases->count == 1) {
        snprintf(sample->saw, sizeof(sample->saw), "%s", cases->cases[0].got);
        tell_latest(cases, sample->saw, sizeof(sample->saw));
        return;
    }
    snprintf(sample->saw, sizeof(sample->saw), "%zu of %zu arrive as sent", same, cases->count);
    for (size_t i = 0; i < cases->count; i++) {
        if (!cases->cases[i].same && !was_told(cases, i)) {
            append(sample->saw, sizeof(sample->saw), "; ");
            tell_group(cases, i, sample->saw, sizeof(sample->saw));
        }
    }
    tell_latest(cases, sample->saw, sizeof(sample->saw));
}

/* ---- the finding ----------------------------------------------------------------------------- */

static const struct limits_sample *unopened(const struct limits_finding *finding)
{
    for (size_t i = 0; i < finding->sample_count; i++) {
        if (!finding->samples[i].opened) {
            return &finding->samples[i];
        }
    }
    return NULL;
}

void limits_facts_judge(struct limits_finding *finding)
{
    const struct limits_sample *first = &finding->samples[0];
    const struct limits_sample *last = &finding->samples[1];
    const struct limits_sample *none = unopened(finding);
    if (none != NULL) {
        finding->state = LIMITS_NOT_MEASURED;
        snprintf(finding->why, sizeof(finding->why), "%s", none->saw);
        return;
    }
    if (finding->sample_count < LIMITS_SAMPLES) { /* what one shows by itself may be chance */
        finding->state = LIMITS_NOT_MEASURED;
        snprintf(finding->why, sizeof(finding->why),
                 "the run ended before the second sample; one: %.200s", first->saw);
        return;
    }
    bool holds = first->value >= finding->looked;
    if (holds != (last->value >= finding->looked)) {
        finding->state = LIMITS_UNSTEADY;
        snprintf(finding->why, sizeof(finding->why), "once: %.140s; and once: %.140s", first->saw,
                 last->saw);
        return;
    }
    finding->state = LIMITS_FOUND;
    finding->fact = holds;
    finding->side = holds ? LIMITS_SIDE_UNKNOWN : first->side;
    snprintf(finding->look, sizeof(finding->look), "%s", first->saw);
}
