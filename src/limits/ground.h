/* What all shapes of a run stand on: the loop, the target, the time, and how much may be open at
 * once. */
#ifndef GRPCROUTE_LIMITS_GROUND_H
#define GRPCROUTE_LIMITS_GROUND_H

#include "limits/finding.h"
#include "net/loop.h"
#include "role/connect.h"
#include "rpc/gate.h"

/* Connections of shapes at once, and of those who ask what the server saw: together what a run may
 * hold on a path that others use, too. Who has no turn yet waits for one. */
#define LIMITS_CONNECTIONS 56
#define LIMITS_ASKERS      8
/* Streams of a run at once, and bytes a second each way. */
#define LIMITS_STREAMS          2000
#define LIMITS_BYTES_PER_SECOND (10 * 1000 * 1000)

/* A standstill of this program may be one of the machine, whose other programs then catch up for so
 * long, and what they do meanwhile comes late, too. */
#define LIMITS_CATCH_UP_MS 1000

/* How often works are ticked, and so the precision of what they do by themselves. */
#define LIMITS_TICK_MS 50
/* How long the first answer on a stream may take. */
#define LIMITS_ANSWER_MS 10000
/* The second sample of a shape begins so much later than the first: what hits both in one moment,
 * as a restart does, then looks different in them. A share of the time that is looked for, above
 * the 3 % in which two samples agree, and no less than three times half a second. */
#define LIMITS_STAGGER_SHARE  20
#define LIMITS_STAGGER_MIN_MS 1500

struct limits_ground {
    struct net_loop loop;
    const struct role_target *target; /* borrowed */
    const char *version;              /* that the agent of every call has; borrowed */
    uint64_t within_ns;
    bool gentle;
    bool has_probe; /* known before a work starts */
    uint64_t started_ns;
    struct rpc_gate gate;   /* for LIMITS_CONNECTIONS */
    struct rpc_gate askers; /* for LIMITS_ASKERS */
    unsigned next_id;       /* of calls, for their agent-id */
    uint64_t turned_ns;     /* when this program was last seen running */
    uint64_t stood_ns;      /* the longest that it stood still before that, of late */
    uint64_t stood_at_ns;
    size_t came_from_here;  /* streams that came to the server from the address they left here */
    size_t came_from_other; /* ... and from another */
};

/* Fills all but the loop, which is initialised. */
void limits_ground_init(struct limits_ground *ground, const struct role_target *target,
                        uint64_t within_ns);

/* Since the run began. */
uint64_t limits_ground_now_ns(const struct limits_ground *ground);
/* The tick of the run: notes that the program runs. */
void limits_ground_turn(struct limits_ground *ground);
/* How far a moment that is noted now may be off, since this program may just have stood still. */
uint64_t limits_ground_blur_ns(const struct limits_ground *ground);

/* A stream left here from `local`, and came to the server from `peer`; "": not known. Equal
 * addresses show that nothing between spoke HTTP; others, that something did, or only NAT. */
void limits_ground_note_peer(struct limits_ground *ground, const char *local, const char *peer);
/* Whether all that is known were equal. */
bool limits_ground_is_direct(const struct limits_ground *ground);

/* By how much the second sample of a shape is later. */
uint64_t limits_ground_stagger_ns(const struct limits_ground *ground);

#endif
