/* A client, that is one downstream connection, as what it does to others: its account.
 *
 *   shared --its streams cause too much trouble at endpoints--> apart --and again--> ended
 *
 * Trouble is what an endpoint may hold against the connection a stream came on: streams that are
 * reset while young, answers that break HTTP/2, credit withheld because a stream is not read. In
 * lane 0 that connection is everybody's, so a client that goes on gets a lane of its own; who makes
 * an endpoint end the connections of that lane, too, loses his. */
#ifndef GRPCROUTE_RELAY_CLIENT_H
#define GRPCROUTE_RELAY_CLIENT_H

#include "base/line_file.h"
#include "base/list.h"
#include "h2/budget.h"
#include "net/resolve.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rpc_conn;
struct worker;

/* What a client has caused. */
enum client_trouble {
    CLIENT_YOUNG_RESET,  /* a young stream of its was reset, by it or by the endpoint */
    CLIENT_BROKEN_REPLY, /* its request was answered with what breaks HTTP/2 or a limit */
    CLIENT_LANE_LOST,    /* the endpoint ended a connection of the client's lane */
};

struct client {
    struct worker *worker; /* borrowed */
    struct rpc_conn *conn; /* borrowed; set by the downstream */
    struct list exchanges; /* exchange.client_node */
    struct h2_budget account;
    uint64_t since_ms;     /* when it connected */
    unsigned lane;         /* 0: shared */
    uint64_t lane_lost_ms; /* when it last lost streams with a connection of its lane; 0: never */
    size_t held_bytes;     /* scratch of sums over clients */
    size_t answered_bytes; /* likewise */
    char
        *identity; /* owned; as x-forwarded-client-cert says it, where that is asked for; or NULL */
    char *name;    /* owned; that its certificate says, where there is a stream log; or NULL */
    const char *tls_version;   /* static; likewise */
    struct line_author author; /* of lines of the stream log */
    bool ended;
};

void client_init(struct client *client, struct worker *worker);
/* No exchange may belong to it any more. */
void client_deinit(struct client *client);

/* Charges the client (NULL: nobody). It may be moved apart, or lose its connection, from a later
 * loop turn on. */
void client_charge(struct client *client, enum client_trouble trouble);
/* It loses its connection, with `why` in the log and `debug` in the GOAWAY. */
void client_end(struct client *client, const char *why, const char *debug);
/* Moves it to a lane of its own, or of few. `why` is told. Harmless when it is there. */
void client_set_apart(struct client *client, const char *why);

#endif
