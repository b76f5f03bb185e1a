/* The judges of a server's GOAWAY and of its grace. Pure. */
#ifndef GRPCROUTE_LIMITS_GOAWAY_H
#define GRPCROUTE_LIMITS_GOAWAY_H

#include "limits/finding.h"

/* What was seen of a stream on whose connection the server said GOAWAY after a while, and which it
 * ended with a status a while later. Times since the opening. */
struct limits_goodbye {
    bool began;         /* the server answered on the stream */
    uint64_t after_ns;  /* when the server said GOAWAY: its script */
    uint64_t grace_ns;  /* ... and for how long it let the stream live on */
    bool goaway_came;   /* to the client, before the stream's end */
    uint64_t goaway_ns; /* when */
    bool ended;         /* else nothing came until the client gave up */
    uint64_t ended_ns;
    bool as_sent;    /* the end is the server's status */
    const char *saw; /* how it looked to the client; escaped, borrowed */
    enum limits_end end;
    uint32_t code;
};

/* A stream may end so much before its grace is over: clocks of both ends, and rounding. */
#define LIMITS_GRACE_SLACK_MS 150

/* Value 1 where it holds. */
void limits_goaway_sample(const struct limits_goodbye *goodbye, struct limits_sample *sample);
void limits_grace_sample(const struct limits_goodbye *goodbye, struct limits_sample *sample);

#endif
