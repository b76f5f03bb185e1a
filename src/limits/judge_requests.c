/* Whether a connection ends after a number of requests. One that is asked at another pace ends
 * after the same number then, and at another age. */
#include "limits/judge.h"

#include "limits/words.h"

#include <inttypes.h>
#include <stdio.h>

static uint64_t apart(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static void set_not_measured(struct limits_finding *finding, const char *why)
{
    finding->state = LIMITS_NOT_MEASURED;
    snprintf(finding->why, sizeof(finding->why), "%s",
             why[0] != '\0' ? why : "the run ended before it was measured");
}

void limits_judge_requests(struct limits_finding *finding)
{
    const struct limits_sample *a = &finding->samples[0];
    const struct limits_sample *b = &finding->samples[1];
    const struct limits_sample *more = a->value > b->value ? a : b;
    const struct limits_sample *less = more == a ? b : a;
    for (size_t i = 0; i < LIMITS_SAMPLES; i++) {
        const struct limits_sample *sample = &finding->samples[i];
        if (!sample->opened || sample->end == LIMITS_END_BROKEN) {
            set_not_measured(finding, sample->saw);
            return;
        }
    }
    finding->looked = more->value;
    if (!limits_sample_lives(a) && !limits_sample_lives(b) && apart(a->value, b->value) <= 1) {
        finding->state = LIMITS_FOUND;
        finding->value = less->value;
        finding->resolution = more->value - less->value;
        finding->side = a->side == b->side ? a->side : LIMITS_SIDE_UNKNOWN;
        snprintf(finding->look, sizeof(finding->look), "%s", less->saw);
    } else if (!limits_sample_lives(more) && limits_sample_lives(less)) {
        finding->state = LIMITS_UNSTEADY;
        snprintf(finding->why, sizeof(finding->why),
                 "one ended after %" PRIu64 " requests; the other was open after %" PRIu64
                 " when it was left alone",
                 more->value, less->value);
    } else { /* what ended the one with less was no number: the other took more */
        finding->state = LIMITS_NONE_WITHIN;
    }
}

void limits_judge_paced(struct limits_finding *finding, const uint64_t requests[LIMITS_SAMPLES])
{
    const struct limits_sample *a = &finding->samples[0];
    const struct limits_sample *b = &finding->samples[1];
    for (size_t i = 0; i < LIMITS_SAMPLES; i++) { /* its connection lives, as far as is known */
        const struct limits_sample *sample = &finding->samples[i];
        if (sample->opened && sample->end == LIMITS_END_BROKEN) {
            set_not_measured(finding, sample->saw);
            return;
        }
    }
    if (!a->opened || !b->opened || limits_sample_lives(a) || limits_sample_lives(b) ||
        finding->state != LIMITS_UNSTEADY || apart(requests[0], requests[1]) > 1) {
        return;
    }
    finding->state = LIMITS_BY_OTHER;
    finding->by = LIMITS_REQUESTS_PER_CONNECTION;
    finding->value = a->value < b->value ? a->value : b->value;
    finding->resolution = a->resolution > b->resolution ? a->resolution : b->resolution;
    finding->side = a->side == b->side ? a->side : LIMITS_SIDE_UNKNOWN;
    finding->why[0] = '\0';
    snprintf(finding->look, sizeof(finding->look), "%.200s, after %" PRIu64 " requests", a->saw,
             requests[0] < requests[1] ? requests[0] : requests[1]);
}
