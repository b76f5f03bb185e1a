/* The probe service in memory: a server with its methods, clients on HTTP/2 alone, and a clock that
 * the test moves. */
#ifndef GRPCROUTE_TESTS_PROBE_WORLD_H
#define GRPCROUTE_TESTS_PROBE_WORLD_H

#include "../fake/fake.h"

#include "rpc/conn.h"
#include "rpc/frame.h"
#include "rpc/probe.h"
#include "server/probe.h"
#include "server/server.h"

#define STREAM_FIELDS 600

/* A client's connection. */
struct client {
    struct rpc_conn *conn; /* NULL: gone */
    struct net_stream *net;
    char goaway[200]; /* the server's last one */
};

/* A Run stream, as its client sees it. */
struct run {
    struct client *client;
    struct h2_stream *stream; /* NULL: closed */
    bool reads;               /* gives credit back */
    size_t unread_bytes;
    struct rpc_frame_reader reader;
    unsigned messages;
    size_t payload_bytes;
    uint64_t bytes; /* of DATA */
    struct rpc_probe_response last;
    bool has_headers;
    unsigned blocks;
    unsigned fields;     /* of the first block, which are not gRPC's */
    size_t fields_bytes; /* names and values of these */
    char metadata[2000]; /* "name=value;" of each such field short enough, of any block */
    int status;          /* -1: none came */
    char message[300];
    uint32_t error; /* it was closed with */
};

struct world {
    struct net_loop loop;
    struct server server;
    struct server_probe probe;
    struct rpc_server *rpc;
    struct client client;
};

extern struct world *world;

/* cmocka's setup and teardown. */
int world_open(void **state);
int world_close(void **state);

void client_open(struct client *client);
void client_close(struct client *client);

/* Opens a stream with that script (NULL: none) and id ("": none); `fields` are more of its
 * metadata. */
void run_open_with(struct run *run, struct client *client, const struct rpc_probe_script *script,
                   const char *id, const struct h2_header *fields, size_t count);
void run_open(struct run *run, const struct rpc_probe_script *script, const char *id);
/* With this as the value of the script. */
void run_open_raw(struct run *run, const char *script_value, size_t len);
void run_send(struct run *run, uint64_t sequence, size_t payload_bytes);
void run_send_bytes(struct run *run, const void *bytes, size_t len);
void run_half_close(struct run *run);
void run_reset(struct run *run, uint32_t error);
/* Gives back all credit, and from now on at once. */
void run_read(struct run *run);
void run_free(struct run *run);

/* What Seen answers for an id; borrowed until the next call. */
const struct rpc_probe_seen *seen(const char *id);
/* The status of a Seen call with that id. */
int seen_status(const char *id);

#endif
