/* Whether the peer of a connection is still there, by PING (gRFC A8). Pure: the owner says what
 * happened and when, and does what it is told.
 *
 *   none --quiet, or asked--> sent --a byte of the peer, or the ACK--> answered --quiet--> sent ...
 *                               |--no byte for the timeout--> dead
 *
 * What proves life is an event, not a time: a byte that is read after the PING counts, also in
 * the PING's own millisecond. */
#ifndef GRPCROUTE_RPC_KEEPALIVE_H
#define GRPCROUTE_RPC_KEEPALIVE_H

#include <stdbool.h>
#include <stdint.h>

/* What a tick counts for that comes more than H2_STOOD_STILL_MS after the one before: the peer may
 * have answered long ago, and nobody has read it yet. */
#define RPC_TICK_COUNTS_MS 250
/* PINGs a server allows beyond its policy before GOAWAY too_many_pings (gRFC A8). */
#define RPC_PING_STRIKES 2
/* Not more than one PING for suspicion in this time; a peer counts PINGs that come too often. */
#define RPC_CHECK_GAP_MS 10000

enum rpc_ping_state {
    RPC_PING_NONE, /* none was sent yet */
    RPC_PING_SENT,
    RPC_PING_ANSWERED, /* by its ACK or by any byte */
};

enum rpc_keepalive_act {
    RPC_KEEPALIVE_NOTHING,
    RPC_KEEPALIVE_PING, /* send one now */
    RPC_KEEPALIVE_DEAD, /* the peer or the network is gone */
};

/* How often the peer may ping a server (gRFC A8). */
struct rpc_ping_policy {
    uint64_t min_interval_ms;
    bool pinged; /* `ping_ms` is when its last PING came */
    uint64_t ping_ms;
    unsigned strikes; /* PINGs that came too early and served nothing */
};

struct rpc_keepalive {
    uint64_t interval_ms; /* 0: PINGs only where asked for */
    uint64_t timeout_ms;
    enum rpc_ping_state ping;
    bool check_asked;   /* a check that waits for RPC_CHECK_GAP_MS */
    uint64_t ping_ms;   /* when the PING was sent */
    uint64_t waited_ms; /* sent: for an answer, in time that counts */
    uint64_t read_ms;   /* the last byte of the peer */
    uint64_t ticked_ms;
};

/* How much of the time since the last tick counts against a peer; `ticked_ms` is the owner's,
 * and set to `now_ms`. The time in which we were not there ourselves does not. */
uint64_t rpc_tick_counts_ms(uint64_t *ticked_ms, uint64_t now_ms);

void rpc_keepalive_init(struct rpc_keepalive *keepalive, uint64_t interval_ms, uint64_t timeout_ms,
                        uint64_t now_ms);

/* Bytes of the peer were read. */
void rpc_keepalive_read(struct rpc_keepalive *keepalive, uint64_t now_ms);
/* The ACK of our PING, and of no other, came. */
void rpc_keepalive_ack(struct rpc_keepalive *keepalive);
/* The peer is suspected to be gone. Nothing to do where a PING is under way or was just
 * answered: then a tick says when. */
enum rpc_keepalive_act rpc_keepalive_check(struct rpc_keepalive *keepalive, uint64_t now_ms);
/* `wanted`: quiet is worth a PING. `blocked`: the socket takes no bytes, so that a PING cannot
 * leave: such time does not count. */
enum rpc_keepalive_act rpc_keepalive_tick(struct rpc_keepalive *keepalive, uint64_t now_ms,
                                          bool wanted, bool blocked);

/* A PING of the peer came. `busy`: we sent something since its last one, which makes it
 * innocent. `at_once`: we stood still, so that PINGs which it sent far apart may be read
 * together. Returns false when there were too many. */
bool rpc_ping_policy_allows(struct rpc_ping_policy *policy, uint64_t now_ms, bool busy,
                            bool at_once);

#endif
