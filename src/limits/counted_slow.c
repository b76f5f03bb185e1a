/* What a stream that is not read says about the path. */
#include "limits/counted.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

static bool is_harmed(const struct limits_slow *slow)
{
    return slow->answered < slow->asked ||
           (slow->beside_ns > LIMITS_SLOW_HARM_MS * NS_PER_MS &&
            slow->beside_ns > LIMITS_SLOW_HARM_TIMES * slow->alone_ns);
}

void limits_slow_sample(const struct limits_slow *slow, struct limits_sample *sample)
{
    char alone[32];
    char beside[32];
    limits_value_text(LIMITS_DURATION, slow->alone_ns, alone, sizeof(alone));
    limits_value_text(LIMITS_DURATION, slow->beside_ns, beside, sizeof(beside));
    sample->value = is_harmed(slow) ? 0 : 1;
    sample->end = LIMITS_END_OPEN;
    if (slow->answered < slow->asked) {
        sample->end = LIMITS_END_UNTOLD;
        snprintf(sample->saw, sizeof(sample->saw),
                 "the quick stream had no answer within %" PRIu64 " ms while its neighbour was not "
                 "read%s",
                 slow->waited_ms, slow->answered_behind ? ", and had it once that was" : "");
    } else {
        snprintf(sample->saw, sizeof(sample->saw),
                 "slowest answer to the quick stream: %s before, %s beside a slow one", alone,
                 beside);
    }
}

void limits_buffered_sample(const struct limits_slow *slow, struct limits_sample *sample)
{
    char offered[32];
    uint64_t held =
        slow->sent_bytes > slow->received_bytes ? slow->sent_bytes - slow->received_bytes : 0;
    sample->value = held;
    sample->end = slow->end;
    sample->code = slow->code;
    if (slow->end != LIMITS_END_OPEN) {
        snprintf(sample->saw, sizeof(sample->saw), "the stream that is not read ended: %.200s",
                 slow->ended_text != NULL ? slow->ended_text : "");
    } else if (slow->sent_bytes >= slow->offered_bytes) {
        sample->value = slow->offered_bytes; /* and no limit was met */
        limits_value_text(LIMITS_BYTES, slow->offered_bytes, offered, sizeof(offered));
        snprintf(sample->saw, sizeof(sample->saw),
                 "the server got rid of all %s while the client read nothing", offered);
    } else if (!slow->settled) {
        sample->opened = false;
        snprintf(sample->saw, sizeof(sample->saw),
                 "the quick stream waited for an answer before the server had stopped to send");
    } else {
        snprintf(sample->saw, sizeof(sample->saw), "%s",
                 held == 0 ? "the server had to wait as soon as the client did not read"
                           : "the server had to wait");
    }
}
