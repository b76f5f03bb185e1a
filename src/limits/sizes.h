/* The judge of one size that was tried. Pure. */
#ifndef GRPCROUTE_LIMITS_SIZES_H
#define GRPCROUTE_LIMITS_SIZES_H

#include "limits/finding.h"
#include "limits/search.h"
#include "limits/told.h"

/* What became of one size. */
struct limits_size_try {
    bool unsent; /* the peer announced that it takes no such header block: nothing was sent */
    uint32_t announced; /* ... but so many bytes */
    bool down;          /* from the server */
    bool given_up;      /* neither arrived nor refused in `waited_ms` */
    bool lessened;      /* the stream arrived, without all that was sent */
    uint64_t waited_ms;
    struct limits_sample end;       /* how the client saw it end: end, code, saw */
    const struct limits_told *told; /* what the server says of the stream; NULL: not asked */
};

/* Whether it may have been something else than the size that ended it: then it is tried again. */
bool limits_size_is_doubtful(const struct limits_size_try *try);
/* How a refusal looked at both ends, and whose it was, into all of `sample` but its value and
 * times. */
void limits_size_refused(const struct limits_size_try *try, struct limits_sample *sample);
/* The search is over: value and resolution, and how the last refusal looked, if there was one. */
void limits_size_sample(const struct limits_search *search, const struct limits_sample *refused,
                        struct limits_sample *sample);

#endif
