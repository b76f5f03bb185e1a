/* Which PINGs a path takes. */
#include "limits/judge.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_refused(const struct limits_pinged *pinged)
{
    return pinged->refused[0] && pinged->refused[1];
}

static bool is_taken(const struct limits_pinged *pinged)
{
    return !pinged->refused[0] && !pinged->refused[1] && pinged->measured[0] && pinged->measured[1];
}

static void take_samples(struct limits_finding *finding, const struct limits_pinged *pinged)
{
    finding->sample_count = LIMITS_SAMPLES;
    memcpy(finding->samples, pinged->samples, sizeof(finding->samples));
}

static void tell_refused(struct limits_finding *finding, const struct limits_pinged *pinged)
{
    char interval[32];
    text_format_duration(interval, sizeof(interval), pinged->interval_ns);
    snprintf(finding->look, sizeof(finding->look), "PINGs every %s: %s, after %" PRIu64 " of them",
             interval, pinged->samples[0].saw, pinged->sent[0]);
    finding->side = LIMITS_SIDE_CLIENT_HOP;
    take_samples(finding, pinged);
}

static void tell_unsteady(struct limits_finding *finding, const struct limits_pinged *pinged)
{
    char interval[32];
    text_format_duration(interval, sizeof(interval), pinged->interval_ns);
    finding->state = LIMITS_UNSTEADY;
    snprintf(finding->why, sizeof(finding->why),
             "PINGs every %s were refused on one connection and not on the other", interval);
    take_samples(finding, pinged);
}

static bool is_unsteady(const struct limits_pinged *pinged)
{
    return (pinged->refused[0] && pinged->measured[1] && !pinged->refused[1]) ||
           (pinged->refused[1] && pinged->measured[0] && !pinged->refused[0]);
}

/* The longest interval that was refused decides: what is quicker is refused, too. */
static size_t count_refused(const struct limits_pinged *pinged, size_t count)
{
    size_t refused = 0;
    for (size_t i = 0; i < count; i++) {
        refused = is_refused(&pinged[i]) ? i + 1 : refused;
    }
    return refused;
}

void limits_judge_pings(struct limits_finding *finding, const struct limits_pinged *pinged,
                        size_t count)
{
    size_t refused = count_refused(pinged, count);
    for (size_t i = refused; i < count; i++) {
        if (is_unsteady(&pinged[i])) {
            tell_unsteady(finding, &pinged[i]);
            return;
        }
    }
    size_t taken = refused;
    while (taken < count && !is_taken(&pinged[taken])) {
        taken++;
    }
    if (refused > 0) {
        finding->state = LIMITS_FOUND;
        finding->value = taken < count ? pinged[taken].interval_ns : LIMITS_VALUE_NONE;
        finding->looked = pinged[refused - 1].interval_ns;
        finding->resolution = finding->value - finding->looked;
        tell_refused(finding, &pinged[refused - 1]);
    } else if (taken < count) {
        finding->state = LIMITS_NONE_WITHIN;
        finding->value = finding->looked = pinged[taken].interval_ns;
        take_samples(finding, &pinged[taken]);
    } else {
        finding->state = LIMITS_NOT_MEASURED;
        snprintf(finding->why, sizeof(finding->why), "%s",
                 pinged[0].samples[0].saw[0] != '\0'
                     ? pinged[0].samples[0].saw
                     : "too few PINGs were sent in that time for a policy to refuse them");
        take_samples(finding, &pinged[0]);
    }
}
