/* The judge of what is counted or weighed, from what each sample reached. Pure. */
#ifndef GRPCROUTE_LIMITS_COUNTED_H
#define GRPCROUTE_LIMITS_COUNTED_H

#include "limits/finding.h"

/* Two samples agree within their resolution, or within one in so many (3 %). */
#define LIMITS_COUNTED_SHARE 33

/* Judges a finding of bytes or a count by its samples, whose values say how much was taken, up to
 * `looked`, all of it: none below that; less: a limit, and `resolution`, `saw` and `side` are about
 * what was refused. A sample that was not opened leaves the finding unmeasured, for its `saw`, and
 * so does one alone. */
void limits_counted_judge(struct limits_finding *finding);

/* ---- streams on one connection --------------------------------------------------------------- */

/* What was seen of many streams that were opened on one connection, one after the other. */
struct limits_wall {
    size_t asked;                /* so many were to be opened */
    uint32_t announced;          /* the peer's MAX_CONCURRENT_STREAMS; UINT32_MAX: it named none */
    size_t opened;               /* ... and so many were, at once */
    size_t answered;             /* by the server, while all others were open */
    size_t ended;                /* refused, or ended otherwise, while more were opened */
    size_t ended_number;         /* of the first of these, from 1 */
    enum limits_end end;         /* how the first of these ended */
    uint32_t code;               /* of that end */
    const char *ended_text;      /* the same for people; escaped, borrowed */
    enum limits_side ended_side; /* ... and who ended it, by what the server says it saw */
    bool going;                  /* GOAWAY NO_ERROR came: no more may be opened */
    uint64_t waited_ms;          /* without an answer to those that are still open, nor an end */
    bool waiting_asked;          /* the server said of the first of these whether it saw it: */
    bool waiting_seen;
    size_t looked_at;   /* of those that were answered: the server was asked after so many ... */
    size_t connections; /* ... which had come on so many connections of its */
};

/* Fills value, end, code, side, saw and server_saw of the sample. */
void limits_wall_sample(const struct limits_wall *wall, struct limits_sample *sample);

/* ---- a slow reader --------------------------------------------------------------------------- */

/* What was seen of a stream that is not read, and of a quick one on the same connection. */
struct limits_slow {
    uint64_t offered_bytes;  /* the most that the server would have sent */
    uint64_t sent_bytes;     /* what left it, when nothing more did */
    uint64_t received_bytes; /* what the client got of that before it stopped to read */
    bool settled;            /* the server stopped to send, or had sent all */
    uint64_t alone_ns;       /* the slowest answer to the quick one before */
    uint64_t beside_ns;      /* ... and while the slow one was not read */
    size_t asked;            /* of the quick one, meanwhile */
    size_t answered;
    uint64_t waited_ms;   /* for an answer, at most */
    bool answered_behind; /* the answers came once the slow one was read */
    enum limits_end end;  /* of the slow one: LIMITS_END_OPEN, it lived */
    uint32_t code;
    const char *ended_text; /* escaped, borrowed */
};

/* An answer that is later than that, and than so many times the slowest one before, is a harm. */
#define LIMITS_SLOW_HARM_MS    2000
#define LIMITS_SLOW_HARM_TIMES 5

/* Whether the quick one was left alone: value 1 or 0. */
void limits_slow_sample(const struct limits_slow *slow, struct limits_sample *sample);
/* What the path holds, in bytes; not opened where the server was still sending. */
void limits_buffered_sample(const struct limits_slow *slow, struct limits_sample *sample);

#endif
