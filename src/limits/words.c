#include "limits/words.h"

#include "base/mem.h"

#include <assert.h>
#include <stdio.h>

bool limits_less_is_better(enum limits_shape shape)
{
    return shape == LIMITS_PING_INTERVAL || shape == LIMITS_BUFFERED;
}

bool limits_is_notable(const struct limits_finding *finding)
{
    switch (finding->state) {
    case LIMITS_FOUND:
        return finding->kind == LIMITS_FACT ? !finding->fact
                                            : finding->shape != LIMITS_BUFFERED; /* a measure */
    case LIMITS_UNSTEADY:
    case LIMITS_BY_OTHER:
        return true;
    case LIMITS_NOT_MEASURED:
    case LIMITS_NONE_WITHIN:
        return false;
    }
    return false;
}

/* What a search that met nothing says; a fact is met or not, and never searched for. */
static const char *none_text(const struct limits_finding *finding,
                             char out[static LIMITS_FOUND_BYTES])
{
    char looked[LIMITS_VALUE_BYTES];
    limits_value_text(finding->kind, finding->looked, looked, sizeof(looked));
    const char *how = finding->shape == LIMITS_BUFFERED        ? "more than"
                      : finding->shape == LIMITS_PING_INTERVAL ? "none down to"
                      : finding->kind == LIMITS_DURATION       ? "none within"
                                                               : "none up to";
    snprintf(out, LIMITS_FOUND_BYTES, "%s %s", how, looked);
    return out;
}

const char *limits_found_text(const struct limits_finding *finding, bool utf8,
                              char out[static LIMITS_FOUND_BYTES])
{
    char value[LIMITS_VALUE_BYTES];
    char resolution[LIMITS_VALUE_BYTES];
    switch (finding->state) {
    case LIMITS_NOT_MEASURED:
        return "not measured";
    case LIMITS_NONE_WITHIN:
        return none_text(finding, out);
    case LIMITS_UNSTEADY:
        return "unsteady";
    case LIMITS_FOUND:
    case LIMITS_BY_OTHER:
        break;
    }
    if (finding->kind == LIMITS_FACT) {
        return finding->fact ? "yes" : "no";
    }
    if (finding->value == LIMITS_VALUE_NONE) {
        snprintf(out, LIMITS_FOUND_BYTES, "not even every %s",
                 limits_value_text(finding->kind, finding->looked, value, sizeof(value)));
        return out;
    }
    limits_value_text(finding->kind, finding->value, value, sizeof(value));
    if (finding->shape == LIMITS_PING_INTERVAL) {
        snprintf(out, LIMITS_FOUND_BYTES, "%s, not %s", value,
                 limits_value_text(finding->kind, finding->looked, resolution, sizeof(resolution)));
        return out;
    }
    limits_value_text(finding->kind, finding->resolution, resolution, sizeof(resolution));
    if (finding->resolution > (finding->kind == LIMITS_COUNT)) {
        snprintf(out, LIMITS_FOUND_BYTES, "%s %s %s", value, utf8 ? "\xc2\xb1" : "+-", resolution);
    } else {
        snprintf(out, LIMITS_FOUND_BYTES, "%s", value);
    }
    return out;
}

const char *limits_ended_by_text(const struct limits_finding *finding,
                                 char out[static LIMITS_FOUND_BYTES])
{
    if (finding->state == LIMITS_BY_OTHER) {
        snprintf(out, LIMITS_FOUND_BYTES, "by %s", limits_shape_name(finding->by));
        return out;
    }
    bool ended = limits_is_notable(finding) && finding->state != LIMITS_UNSTEADY &&
                 (finding->kind != LIMITS_FACT || finding->side != LIMITS_SIDE_UNKNOWN);
    return ended ? limits_side_text(finding->side) : "";
}

const char *limits_end_name(enum limits_end end)
{
    static const char *const names[] = {
        [LIMITS_END_OPEN] = "open",     [LIMITS_END_TRAILERS] = "trailers",
        [LIMITS_END_HTTP] = "http",     [LIMITS_END_RESET] = "reset",
        [LIMITS_END_CUT] = "cut",       [LIMITS_END_CONNECTION] = "connection",
        [LIMITS_END_GOAWAY] = "goaway", [LIMITS_END_UNTOLD] = "untold",
        [LIMITS_END_DEAD] = "dead",     [LIMITS_END_BROKEN] = "broken",
        [LIMITS_END_HERE] = "here",
    };
    assert(end < ARRAY_SIZE(names));
    return names[end];
}

bool limits_sample_lives(const struct limits_sample *sample)
{
    return sample->end == LIMITS_END_OPEN || sample->end == LIMITS_END_HERE;
}
