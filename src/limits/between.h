/* Whether a hop is between: one stream is opened, and the server is asked from where it came. The
 * answer is noted in the ground (limits_ground_note_peer()), as that of every later question is. */
#ifndef GRPCROUTE_LIMITS_BETWEEN_H
#define GRPCROUTE_LIMITS_BETWEEN_H

#include "limits/trial.h"

struct limits_between {
    struct limits_ground *ground; /* borrowed */
    void (*on_over)(void *user);
    void *user;
    struct limits_link *link;
    struct limits_trial trial;
    bool running;
    bool tried; /* the trial was started, or needs not be */
};

/* on_over comes once, never from within. */
void limits_between_start(struct limits_between *between, struct limits_ground *ground,
                          void (*on_over)(void *user), void *user);
/* on_over follows. Repeats, and one that does not run, are harmless. */
void limits_between_stop(struct limits_between *between);

#endif
