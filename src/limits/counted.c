#include "limits/counted.h"

#include <inttypes.h>
#include <stdio.h>

static uint64_t apart(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void not_measured(struct limits_finding *finding, const char *why)
{
    finding->state = LIMITS_NOT_MEASURED;
    snprintf(finding->why, sizeof(finding->why), "%s", why[0] != '\0' ? why : "nothing was seen");
}

/* Of a sample, for people. */
static void describe(const struct limits_finding *finding, const struct limits_sample *sample,
                     char *out, size_t out_bytes)
{
    char value[32];
    limits_value_text(finding->kind, sample->value, value, sizeof(value));
    bool all = sample->value >= finding->looked;
    snprintf(out, out_bytes, "%s%s%.60s", value, all ? " and no end" : ", then ",
             all ? "" : sample->saw);
}

static void unsteady(struct limits_finding *finding)
{
    char first[128];
    char second[128];
    describe(finding, &finding->samples[0], first, sizeof(first));
    describe(finding, &finding->samples[1], second, sizeof(second));
    finding->state = LIMITS_UNSTEADY;
    snprintf(finding->why, sizeof(finding->why), "one sample reached %s; the other %s", first,
             second);
}

/* What one shows by itself may be chance. */
static void told_once(struct limits_finding *finding)
{
    char first[128];
    describe(finding, &finding->samples[0], first, sizeof(first));
    finding->state = LIMITS_NOT_MEASURED;
    snprintf(finding->why, sizeof(finding->why),
             "the run ended before the second sample; one reached %s", first);
}

static bool agree(const struct limits_finding *finding)
{
    const struct limits_sample *a = &finding->samples[0];
    const struct limits_sample *b = &finding->samples[1];
    bool a_all = a->value >= finding->looked;
    bool b_all = b->value >= finding->looked;
    if (a_all || b_all) {
        return a_all == b_all;
    }
    uint64_t slack = larger(a->resolution, b->resolution);
    slack = larger(slack, larger(a->value, b->value) / LIMITS_COUNTED_SHARE);
    return apart(a->value, b->value) <= slack;
}

/* Of samples that agree, the one that reached less. */
static const struct limits_sample *lesser(const struct limits_finding *finding)
{
    const struct limits_sample *least = &finding->samples[0];
    for (size_t i = 1; i < finding->sample_count; i++) {
        least = finding->samples[i].value < least->value ? &finding->samples[i] : least;
    }
    return least;
}

void limits_counted_judge(struct limits_finding *finding)
{
    for (size_t i = 0; i < finding->sample_count; i++) {
        if (!finding->samples[i].opened) {
            not_measured(finding, finding->samples[i].saw);
            return;
        }
    }
    if (finding->sample_count == 0) {
        not_measured(finding, "");
        return;
    }
    if (finding->sample_count < LIMITS_SAMPLES) {
        told_once(finding);
        return;
    }
    if (!agree(finding)) {
        unsteady(finding);
        return;
    }
    const struct limits_sample *least = lesser(finding);
    snprintf(finding->look, sizeof(finding->look), "%s", least->saw);
    if (least->value >= finding->looked) {
        finding->state = LIMITS_NONE_WITHIN;
        return;
    }
    finding->state = LIMITS_FOUND;
    finding->value = least->value;
    finding->resolution =
        larger(least->resolution, apart(finding->samples[0].value, finding->samples[1].value));
    finding->side = least->side;
}
