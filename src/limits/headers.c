#include "limits/headers.h"

#include <stdio.h>

void limits_headers_sample(const struct limits_headers *headers, struct limits_sample *sample)
{
    char took[32];
    char waited[32];
    limits_value_text(LIMITS_DURATION, headers->came_ns, took, sizeof(took));
    limits_value_text(LIMITS_DURATION, headers->waited_ns, waited, sizeof(waited));
    sample->end = LIMITS_END_OPEN;
    sample->value = headers->came ? 2 : headers->server_saw ? 1 : 0;
    if (headers->came) {
        snprintf(sample->saw, sizeof(sample->saw),
                 "the server's headers come after %s, before any message", took);
        return;
    }
    if (!headers->came_with_message) {
        sample->opened = false;
        snprintf(sample->saw, sizeof(sample->saw),
                 "no answer within %s, neither before a message nor after one", waited);
        return;
    }
    snprintf(sample->saw, sizeof(sample->saw),
             "no headers of the server within %s; they come with a message%s", waited,
             headers->server_saw     ? ", and the server had seen the stream before"
             : headers->server_asked ? ", and until then the server does not see the stream"
                                     : "");
    sample->side = headers->server_saw     ? LIMITS_SIDE_CLIENT_HOP
                   : headers->server_asked ? LIMITS_SIDE_SERVER_HOP
                                           : LIMITS_SIDE_UNKNOWN;
}
