/* One connection that a shape uses in its own way, until it ends or was looked at for long enough.
 *
 *   waiting --its time--> dialling --ready--> used --GOAWAY, lost, limits_conn_try_end()--> closing
 *   waiting, dialling --stopped, lost--> closing
 *   closing --connection closed--> over */
#ifndef GRPCROUTE_LIMITS_CONN_TRY_H
#define GRPCROUTE_LIMITS_CONN_TRY_H

#include "limits/finding.h"
#include "limits/link.h"

enum limits_conn_state {
    LIMITS_CONN_WAITING,
    LIMITS_CONN_DIALLING,
    LIMITS_CONN_USED,
    LIMITS_CONN_CLOSING,
    LIMITS_CONN_OVER,
};

struct limits_conn_try;

struct limits_conn_events {
    /* It is used from here on, and `opened_ns` of its sample is known. */
    void (*on_ready)(struct limits_conn_try *try);
    /* It ends, once; the sample has `saw` and, behind a GOAWAY, `code`, and the shape fills in the
     * rest. */
    void (*on_end)(struct limits_conn_try *try, enum limits_end how);
    /* Once, last; nothing is open any more. */
    void (*on_over)(struct limits_conn_try *try);
};

struct limits_conn_try {
    struct limits_ground *ground;            /* borrowed */
    struct limits_sample *sample;            /* borrowed */
    const struct limits_conn_events *events; /* borrowed */
    enum limits_conn_state state;
    struct limits_link *link; /* NULL: none is open */
    uint64_t begin_ns;        /* when it is its time */
};

/* Times are those of the run. Events come from the loop and from the functions below. */
void limits_conn_try_init(struct limits_conn_try *try, struct limits_ground *ground,
                          struct limits_sample *sample, const struct limits_conn_events *events,
                          uint64_t begin_ns);
/* Returns whether it is used. */
bool limits_conn_try_tick(struct limits_conn_try *try, uint64_t now_ns);
/* The first end is the one that is told. */
void limits_conn_try_end(struct limits_conn_try *try, enum limits_end how, const char *saw);
/* The run ends early. Repeats are harmless. */
void limits_conn_try_stop(struct limits_conn_try *try);

#endif
