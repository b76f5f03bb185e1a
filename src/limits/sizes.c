#include "limits/sizes.h"

#include "h2/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool limits_size_is_doubtful(const struct limits_size_try *try)
{
    const struct limits_sample *end = &try->end;
    bool refused_stream = end->end == LIMITS_END_RESET && end->code == H2_REFUSED_STREAM;
    return !try->unsent && (try->given_up || refused_stream || end->end == LIMITS_END_CONNECTION ||
                            end->end == LIMITS_END_GOAWAY);
}

/* The server refuses itself what it tells a limit of its own for, but metadata that it was told
 * not to send; a hop that was cut because of what the server sent is its hop. */
static enum limits_side side_of(const struct limits_size_try *try)
{
    const struct limits_told *told = try->told;
    if (told == NULL || !told->answered) {
        return LIMITS_SIDE_UNKNOWN;
    }
    if (!told->found) {
        return LIMITS_SIDE_CLIENT_HOP; /* it never came as far */
    }
    if (!told->ended) {
        return LIMITS_SIDE_CLIENT_HOP;
    }
    if (told->how == RPC_PROBE_LIMIT || told->how == RPC_PROBE_BROKEN) {
        return try->down ? LIMITS_SIDE_SERVER_HOP : LIMITS_SIDE_SERVER;
    }
    if (told->how == RPC_PROBE_BY_SCRIPT) {
        return LIMITS_SIDE_CLIENT_HOP;
    }
    return try->given_up ? LIMITS_SIDE_UNKNOWN : LIMITS_SIDE_BOTH;
}

void limits_size_refused(const struct limits_size_try *try, struct limits_sample *sample)
{
    sample->end = try->end.end;
    sample->code = try->end.code;
    sample->goaway_seen = try->end.goaway_seen;
    sample->side = side_of(try);
    sample->server_told = try->told != NULL && try->told->found && try->told->ended;
    sample->server_end = sample->server_told ? try->told->how : 0;
    sample->server_code = sample->server_told ? try->told->code : 0;
    snprintf(sample->server_saw, sizeof(sample->server_saw), "%s",
             try->told == NULL || !try->told->answered ? ""
             : try->told->found                        ? try->told->text
                                                       : "nothing of the stream");
    if (try->lessened) {
        sample->end = LIMITS_END_UNTOLD;
        sample->code = 0;
        sample->side = LIMITS_SIDE_UNKNOWN;
        snprintf(sample->saw, sizeof(sample->saw), "the stream arrives, but not with all of it");
    } else if (try->unsent) {
        sample->end = LIMITS_END_HERE;
        sample->side = LIMITS_SIDE_CLIENT_HOP;
        snprintf(sample->saw, sizeof(sample->saw),
                 "SETTINGS allow a header list of %" PRIu32 " bytes: a client sends no more",
                 try->announced);
    } else if (try->given_up) {
        sample->end = LIMITS_END_UNTOLD;
        snprintf(sample->saw, sizeof(sample->saw),
                 "in %" PRIu64 " ms it neither arrived nor was refused", try->waited_ms);
    } else {
        snprintf(sample->saw, sizeof(sample->saw), "%s", try->end.saw);
    }
}

void limits_size_sample(const struct limits_search *search, const struct limits_sample *refused,
                        struct limits_sample *sample)
{
    sample->value = search->passed;
    if (search->refused == 0) {
        sample->end = LIMITS_END_OPEN;
        snprintf(sample->saw, sizeof(sample->saw), "all arrive");
        return;
    }
    sample->resolution = search->refused - search->passed;
    sample->end = refused->end;
    sample->code = refused->code;
    sample->side = refused->side;
    sample->goaway_seen = refused->goaway_seen;
    sample->server_told = refused->server_told;
    sample->server_end = refused->server_end;
    sample->server_code = refused->server_code;
    memcpy(sample->saw, refused->saw, sizeof(sample->saw));
    memcpy(sample->server_saw, refused->server_saw, sizeof(sample->server_saw));
}
