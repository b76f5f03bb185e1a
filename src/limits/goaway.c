#include "limits/goaway.h"

#include "base/clock.h"

#include <stdio.h>

static const char *text(uint64_t ns, char out[static 32])
{
    return limits_value_text(LIMITS_DURATION, ns, out, 32);
}

static uint64_t since(uint64_t from_ns, uint64_t to_ns)
{
    return to_ns > from_ns ? to_ns - from_ns : 0;
}

/* Nothing can be said of a stream that never was there. */
static bool is_missing(const struct limits_goodbye *goodbye, struct limits_sample *sample)
{
    sample->end = goodbye->end;
    sample->code = goodbye->code;
    if (!goodbye->began) {
        sample->opened = false;
        snprintf(sample->saw, sizeof(sample->saw),
                 "the server did not answer on the stream: %.200s", goodbye->saw);
    }
    return !goodbye->began;
}

void limits_goaway_sample(const struct limits_goodbye *goodbye, struct limits_sample *sample)
{
    char late[32];
    if (is_missing(goodbye, sample)) {
        return;
    }
    sample->value = goodbye->goaway_came;
    if (goodbye->goaway_came) {
        snprintf(sample->saw, sizeof(sample->saw), "the client hears the GOAWAY after %s",
                 text(since(goodbye->after_ns, goodbye->goaway_ns), late));
    } else {
        snprintf(sample->saw, sizeof(sample->saw),
                 "the client hears nothing of the server's GOAWAY; its stream %s%.200s",
                 goodbye->ended ? "ends with " : "goes on", goodbye->ended ? goodbye->saw : "");
    }
}

void limits_grace_sample(const struct limits_goodbye *goodbye, struct limits_sample *sample)
{
    char lived[32];
    char grace[32];
    if (is_missing(goodbye, sample)) {
        return;
    }
    uint64_t due_ns = goodbye->after_ns + goodbye->grace_ns;
    bool early = goodbye->ended && goodbye->ended_ns + LIMITS_GRACE_SLACK_MS * NS_PER_MS < due_ns;
    sample->value = goodbye->ended && goodbye->as_sent && !early;
    text(since(goodbye->after_ns, goodbye->ended_ns), lived);
    text(goodbye->grace_ns, grace);
    if (sample->value == 1) {
        snprintf(sample->saw, sizeof(sample->saw),
                 "the stream lives on for the grace of %s, and its status arrives after %s", grace,
                 lived);
    } else if (!goodbye->ended) {
        snprintf(sample->saw, sizeof(sample->saw),
                 "the stream's end, due %s after the GOAWAY, does not arrive", grace);
    } else {
        snprintf(sample->saw, sizeof(sample->saw),
                 "%s after the GOAWAY, with a grace of %s: %.200s", lived, grace, goodbye->saw);
    }
}
