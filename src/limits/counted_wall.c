/* What many streams on one connection say about the path. */
#include "limits/counted.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void set_announced(const struct limits_wall *wall, struct limits_sample *sample)
{
    sample->end = LIMITS_END_HERE;
    sample->side = LIMITS_SIDE_CLIENT_HOP;
    snprintf(sample->saw, sizeof(sample->saw),
             "SETTINGS allow %" PRIu32 " streams at once: a client opens no more", wall->announced);
}

static void set_going(const struct limits_wall *wall, struct limits_sample *sample)
{
    sample->end = LIMITS_END_GOAWAY;
    sample->goaway_seen = true;
    sample->side = LIMITS_SIDE_CLIENT_HOP;
    snprintf(sample->saw, sizeof(sample->saw),
             "GOAWAY NO_ERROR when %zu were opened: a client opens no more", wall->opened);
}

static void set_refused(const struct limits_wall *wall, struct limits_sample *sample)
{
    sample->end = wall->end;
    sample->code = wall->code;
    sample->side = wall->ended_side;
    snprintf(sample->saw, sizeof(sample->saw), "stream %zu of %zu: %.200s", wall->ended_number,
             wall->opened, wall->ended_text != NULL ? wall->ended_text : "ended");
}

/* A client opened no more, though SETTINGS allow it, and nothing told it to. */
static void set_full(const struct limits_wall *wall, struct limits_sample *sample)
{
    sample->end = LIMITS_END_HERE;
    snprintf(sample->saw, sizeof(sample->saw), "after %zu streams the connection takes no more",
             wall->opened);
}

static void tell_waiting(const struct limits_wall *wall, struct limits_sample *sample)
{
    size_t len = strlen(sample->server_saw);
    if (wall->waiting_asked) {
        snprintf(sample->server_saw + len, sizeof(sample->server_saw) - len,
                 "%sthe one that waits it has %s", len > 0 ? "; " : "",
                 wall->waiting_seen ? "seen" : "not seen");
    }
}

static void set_queued(const struct limits_wall *wall, struct limits_sample *sample)
{
    sample->end = LIMITS_END_UNTOLD; /* whose queue it waits in, neither end sees */
    snprintf(sample->saw, sizeof(sample->saw),
             "stream %zu of %zu waits: in %" PRIu64 " ms neither an answer nor a refusal",
             wall->answered + 1, wall->opened, wall->waited_ms);
    tell_waiting(wall, sample);
}

static void tell_connections(const struct limits_wall *wall, struct limits_sample *sample)
{
    if (wall->looked_at > 0) {
        snprintf(sample->server_saw, sizeof(sample->server_saw),
                 "%zu of these streams came to the server on %zu connection%s", wall->looked_at,
                 wall->connections, wall->connections == 1 ? "" : "s");
    }
}

void limits_wall_sample(const struct limits_wall *wall, struct limits_sample *sample)
{
    sample->value = wall->answered;
    sample->resolution = 0;
    tell_connections(wall, sample);
    if (wall->going) {
        set_going(wall, sample);
    } else if (wall->ended > 0) {
        set_refused(wall, sample);
    } else if (wall->answered < wall->opened) {
        set_queued(wall, sample);
    } else if (wall->opened < wall->asked) {
        (wall->opened >= wall->announced ? set_announced : set_full)(wall, sample);
    } else {
        sample->end = LIMITS_END_OPEN;
        snprintf(sample->saw, sizeof(sample->saw), "all %zu are answered%s", wall->answered,
                 wall->connections > 1 ? ", on more than one connection to the server" : "");
    }
}
