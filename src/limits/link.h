/* One connection of a run, which waits for its turn among those that may be open at once. */
#ifndef GRPCROUTE_LIMITS_LINK_H
#define GRPCROUTE_LIMITS_LINK_H

#include "limits/ground.h"
#include "rpc/client.h"

struct limits_link;

struct limits_link_events {
    /* Calls may be made. */
    void (*on_ready)(void *user);
    /* May be NULL. `debug` is escaped. */
    void (*on_goaway)(void *user, uint32_t error, const char *debug);
    /* Exactly once, last, never from within open or close; the link is gone when it returns. */
    void (*on_closed)(void *user, const struct net_error *why);
};

struct limits_link_setup {
    bool asks;                   /* for a question to the server: LIMITS_ASKERS of them */
    uint32_t header_block_bytes; /* as those of struct rpc_client_config */
    uint32_t header_fields;
};

/* `setup` NULL: all zero. `events` is borrowed until on_closed. */
struct limits_link *limits_link_open(struct limits_ground *ground,
                                     const struct limits_link_setup *setup,
                                     const struct limits_link_events *events, void *user);
/* on_closed follows. Repeats are harmless. */
void limits_link_close(struct limits_link *link);

/* For calls; NULL while it waits for its turn. */
struct rpc_client *limits_link_client(const struct limits_link *link);
bool limits_link_ready(const struct limits_link *link);
/* Sends an HTTP/2 PING, where it is ready. */
void limits_link_ping(struct limits_link *link);
/* Of these. */
bool limits_link_awaits_ping(const struct limits_link *link);
/* The address of its end here, "" before it was ready. */
const char *limits_link_local(const struct limits_link *link);
/* "GOAWAY ENHANCE_YOUR_CALM: too_many_pings", escaped; NULL: none came. */
const char *limits_link_goaway(const struct limits_link *link);

#endif
