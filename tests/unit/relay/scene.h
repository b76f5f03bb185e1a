/* A whole relay in memory, in virtual time: one worker with its listener, clients in front and
 * endpoints behind that the test drives. The relay is the real one; only net/ is not
 * (tests/unit/fake).
 *
 *   scene_open() -> scene_client() and scene_ask(), scene_run() -> the endpoint's streams, ... ->
 *   scene_close(), which drains the relay and asserts that nothing is left of anything. */
#ifndef GRPCROUTE_TESTS_SCENE_H
#define GRPCROUTE_TESTS_SCENE_H

#include "../fake/fake.h"
#include "peer.h"

#include "relay/cluster.h"
#include "relay/exchange.h"
#include "relay/relay.h"
#include "relay/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SCENE_ENDPOINTS_MAX     4
#define SCENE_CONNS_MAX         600
#define SCENE_CLIENTS_MAX       48
#define SCENE_CHECK_INTERVAL_MS 5000
#define SCENE_CHECK_TIMEOUT_MS  2000

enum scene_dial { SCENE_ACCEPTS, SCENE_REFUSES, SCENE_HANGS, SCENE_NO_DESCRIPTOR };

/* A server, and the connections that were made to it. */
struct scene_endpoint {
    struct sockaddr_storage address;
    char name[NET_ADDRESS_TEXT_BYTES];
    enum scene_dial dial;
    struct peer_config config; /* of connections made from now on */
    struct peer *peers[SCENE_CONNS_MAX];
    size_t peer_count;
};

struct scene_config {
    const char *routes; /* YAML; NULL: the default ones */
    size_t v1;          /* endpoints of server-v1; 0: one */
    size_t v2;          /* endpoints of server-v2, behind those of server-v1 */
    size_t max_buffered;
    uint64_t drain_ms;
    const char *hash_header;
    bool unchecked; /* endpoints are not known to be healthy */
};

struct scene {
    struct relay *relay;
    struct worker *worker;
    struct route_table *routes;
    struct cluster *clusters[4]; /* borrowed from the relay */
    struct scene_endpoint endpoints[SCENE_ENDPOINTS_MAX];
    size_t endpoint_count;
    struct peer *clients[SCENE_CLIENTS_MAX];
    size_t client_count;
};

struct scene *scene_open(const struct scene_config *config);
/* As above; the endpoints must still be reachable by their names in `clusters`. */
void scene_close(struct scene *scene);

/* Time passes. */
void scene_run(uint64_t ms);
/* All that happens at this instant. */
#define scene_settle() fake_settle()

/* A client that has connected. */
struct peer *scene_client(struct scene *scene);
struct peer *scene_client_with(struct scene *scene, const struct peer_config *config);
/* An honest gRPC request of version v1.1 with more fields behind; its body is open. Everything
 * that happens at once, happens. */
struct peer_stream *scene_ask(struct peer *client, const char *more_fields);
struct peer_stream *scene_ask_v2(struct peer *client, const char *more_fields);
/* The request's fields, for peer_ask(). */
const char *scene_request(const char *version, const char *more_fields);

/* The n-th connection made to an endpoint. */
struct peer *scene_conn(struct scene *scene, size_t endpoint, size_t n);
/* The relay's cluster of that name; borrowed. */
struct cluster *scene_cluster(struct scene *scene, const char *name);

/* The relay's own view of an endpoint; borrowed while its cluster has it. */
struct endpoint *scene_view(struct scene *scene, size_t endpoint);
/* The last live exchange. */
struct exchange *scene_exchange(struct scene *scene);
size_t scene_live(const struct scene *scene);
#define scene_stat(scene, name) ((uint64_t)atomic_load(&(scene)->worker->stats.name))

/* A stream between a client of its own and the first endpoint, over the connection that others
 * use, too. */
struct scene_bystander {
    struct peer_stream *near;
    struct peer_stream *far;
};
struct scene_bystander scene_bystander(struct scene *scene);
/* Messages go both ways, and nothing of it was lost. */
void scene_check(struct scene_bystander *bystander);

/* on_end of an endpoint that answers OK to whatever ends; on_block of one that does so at once. */
void scene_serve(struct peer_stream *stream);

/* The client got this status with these words in its message. */
void scene_assert_status(const struct peer_stream *stream, int code, const char *words);

#endif
