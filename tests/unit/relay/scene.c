#include "scene.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/resolve.h"
#include "route/load.h"
#include "route/parse.h"
#include "route/table.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#define GONE_MS      20000
#define SERVER_PORT  50051
#define NOBODY       "nobody"
#define CLUSTERS_MAX ARRAY_SIZE(((struct scene *)0)->clusters)

/* ---- the far sides --------------------------------------------------------------------------- */

static struct net_stream *on_dial(void *user, struct net_loop *loop,
                                  const struct net_dial_config *config, struct net_error *ret_error)
{
    struct scene *scene = user;
    char name[NET_ADDRESS_TEXT_BYTES];
    net_address_format(config->address, name);
    for (size_t i = 0; i < scene->endpoint_count; i++) {
        struct scene_endpoint *endpoint = &scene->endpoints[i];
        if (strcmp(endpoint->name, name) != 0) {
            continue;
        }
        if (endpoint->dial == SCENE_HANGS) {
            return FAKE_DIAL_HANGS;
        }
        if (endpoint->dial == SCENE_ACCEPTS) {
            struct net_stream *near_end;
            struct net_stream *far_end;
            fake_pair(loop, &near_end, &far_end);
            assert_true(endpoint->peer_count < SCENE_CONNS_MAX);
            endpoint->peers[endpoint->peer_count++] = peer_new(far_end, &endpoint->config);
            return near_end;
        }
        if (endpoint->dial == SCENE_NO_DESCRIPTOR) {
            net_error_from_uv(ret_error, UV_EMFILE, name);
            return NULL;
        }
    }
    net_error_set(ret_error, NET_REFUSED, "%s: connection refused", name);
    return NULL;
}

static void set_address(struct scene_endpoint *endpoint, size_t number)
{
    struct sockaddr_in *address = (struct sockaddr_in *)&endpoint->address;
    address->sin_family = AF_INET;
    address->sin_port = htons(SERVER_PORT);
    address->sin_addr.s_addr = htonl(0x0a000001u + (uint32_t)number);
    net_address_format((const struct sockaddr *)address, endpoint->name);
    endpoint->config.server = true;
}

struct peer *scene_conn(struct scene *scene, size_t endpoint, size_t n)
{
    assert_true(n < scene->endpoints[endpoint].peer_count);
    return scene->endpoints[endpoint].peers[n];
}

struct cluster *scene_cluster(struct scene *scene, const char *name)
{
    struct routing *routing = relay_routing(scene->relay);
    struct cluster *cluster = routing_find(routing, name);
    routing_unref(routing); /* the relay has it, too */
    assert_non_null(cluster);
    return cluster;
}

struct endpoint *scene_view(struct scene *scene, size_t endpoint)
{
    for (size_t i = 0; i < scene->routes->cluster_count; i++) {
        const struct cluster *cluster = scene->clusters[i];
        for (size_t k = 0; k < cluster->endpoint_count; k++) {
            if (strcmp(cluster->endpoints[k]->name, scene->endpoints[endpoint].name) == 0) {
                return cluster->endpoints[k];
            }
        }
    }
    fail_msg("endpoint %zu is in no cluster", endpoint);
    return NULL;
}

/* ---- opening --------------------------------------------------------------------------------- */

static void fill_cluster(struct scene *scene, const char *name, size_t count,
                         const struct scene_config *config)
{
    struct sockaddr_storage addresses[SCENE_ENDPOINTS_MAX];
    size_t added;
    size_t removed;
    for (size_t i = 0; i < count; i++) {
        struct scene_endpoint *endpoint = &scene->endpoints[scene->endpoint_count];
        set_address(endpoint, scene->endpoint_count++);
        addresses[i] = endpoint->address;
    }
    for (size_t i = 0; i < scene->routes->cluster_count; i++) {
        struct cluster *cluster = scene->clusters[i];
        if (strcmp(cluster->name, name) == 0) {
            cluster_update(cluster, addresses, count, &added, &removed);
            for (size_t k = 0; k < count && !config->unchecked; k++) {
                endpoint_set_health(cluster->endpoints[k], ENDPOINT_HEALTHY, NULL);
            }
        }
    }
}

static void make_clusters(struct scene *scene, const struct scene_config *config)
{
    assert_true(scene->routes->cluster_count <= CLUSTERS_MAX);
    for (size_t i = 0; i < scene->routes->cluster_count; i++) {
        const struct route_cluster *from = &scene->routes->clusters[i];
        struct text_address target = {.port = from->port};
        snprintf(target.host, sizeof(target.host), "%s", from->host);
        scene->clusters[i] =
            cluster_new(from->name, config->hash_header != NULL ? LB_HASH : LB_ROUND_ROBIN);
        cluster_set_targets(scene->clusters[i], &target, 1);
    }
    fill_cluster(scene, "server-v1", config->v1 > 0 ? config->v1 : 1, config);
    fill_cluster(scene, "server-v2", config->v2, config);
}

static bool is_open;

struct scene *scene_open(const struct scene_config *config)
{
    static const struct scene_config plain;
    if (is_open) { /* the test before this one failed */
        fake_forget();
    }
    is_open = true;
    struct scene *scene = mem_new(struct scene);
    struct net_error error;
    struct route_error route_error;
    config = config != NULL ? config : &plain;
    log_configure(LOG_ERROR, LOG_TEXT);
    scene->routes = config->routes == NULL ? route_table_default() : NULL;
    if (scene->routes == NULL && route_table_parse(config->routes, strlen(config->routes), "routes",
                                                   &scene->routes, &route_error) != 0) {
        fail_msg("%s", route_error.text);
    }
    make_clusters(scene, config);
    scene->relay = mem_new(struct relay);
    const struct relay_config relay_config = {
        .id = "test",
        .hash_header = config->hash_header,
        .workers = 1,
        .max_streams = 1000,
        .max_buffered_bytes = config->max_buffered > 0 ? config->max_buffered : (size_t)64 << 20,
        .drain_ms = config->drain_ms,
        .downstream_keepalive_ms = 0,
        .health =
            {
                .checks = true,
                .interval_ms = SCENE_CHECK_INTERVAL_MS,
                .timeout_ms = SCENE_CHECK_TIMEOUT_MS,
                .unhealthy_threshold = 2,
                .healthy_threshold = 1,
            },
    };
    struct routing *routing = routing_new(scene->routes, scene->clusters);
    assert_int_equal(relay_init(scene->relay, &relay_config, routing, NULL, &error), 0);
    scene->worker = relay_main_worker(scene->relay);
    fake_adopt(&scene->worker->loop);
    fake_dial_hook(on_dial, scene);
    return scene;
}

/* ---- closing --------------------------------------------------------------------------------- */

static bool has_ended(void *user)
{
    return ((struct worker *)user)->ended;
}

static void free_peers(struct scene *scene)
{
    for (size_t i = 0; i < scene->client_count; i++) {
        peer_free(scene->clients[i]);
    }
    for (size_t i = 0; i < scene->endpoint_count; i++) {
        for (size_t k = 0; k < scene->endpoints[i].peer_count; k++) {
            peer_free(scene->endpoints[i].peers[k]);
        }
    }
}

static void assert_endpoint_at_rest(void *user, struct endpoint *endpoint)
{
    (void)user;
    assert_int_equal(atomic_load(&endpoint->cx_active), 0);
    assert_int_equal(atomic_load(&endpoint->rq_active), 0);
    assert_int_equal(atomic_load(&endpoint->misrouted), 0);
    assert_int_equal(atomic_load(&endpoint->references), 1);
}

/* Nobody keeps an endpoint that was removed. */
static void assert_at_rest(void *user, struct cluster *cluster)
{
    size_t counted = 0;
    struct list *node;
    struct list *next;
    cluster_each(cluster, assert_endpoint_at_rest, user);
    assert_int_equal(cluster_forget_left(cluster), 0);
    list_each(node, next, &cluster->counted)
    {
        counted++;
    }
    assert_int_equal(counted, cluster->endpoint_count);
}

void scene_close(struct scene *scene)
{
    struct worker *worker = scene->worker;
    for (size_t i = 0; i < scene->endpoint_count; i++) { /* who stands still goes on */
        for (size_t k = 0; k < scene->endpoints[i].peer_count; k++) {
            if (scene->endpoints[i].peers[k]->transport != NULL) {
                peer_go_on(scene->endpoints[i].peers[k]);
            }
        }
    }
    relay_drain(scene->relay);
    relay_drain(scene->relay);
    assert_true(fake_advance_until(has_ended, worker, GONE_MS));
    fake_release(&worker->loop);
    assert_int_equal(scene_stat(scene, downstream_cx_active), 0);
    assert_int_equal(scene_stat(scene, downstream_rq_active), 0);
    for (unsigned lane = 0; lane < RELAY_LANES; lane++) {
        assert_int_equal(worker->lane_clients[lane], 0);
    }
    relay_each_cluster(scene->relay, assert_at_rest, NULL);
    relay_deinit(scene->relay);
    free_peers(scene);
    free(scene->relay);
    free(scene);
    is_open = false;
}

/* ---- driving --------------------------------------------------------------------------------- */

void scene_run(uint64_t ms)
{
    fake_advance(ms);
}

struct peer *scene_client_with(struct scene *scene, const struct peer_config *config)
{
    assert_true(scene->client_count < SCENE_CLIENTS_MAX);
    struct net_stream *stream = fake_connect(scene->relay->config.listen.port);
    struct peer *peer = peer_new(stream, config);
    scene->clients[scene->client_count++] = peer;
    fake_settle();
    return peer;
}

struct peer *scene_client(struct scene *scene)
{
    static const struct peer_config config;
    return scene_client_with(scene, &config);
}

const char *scene_request(const char *version, const char *more_fields)
{
    static char fields[40000];
    snprintf(fields, sizeof(fields),
             ":method: POST\n:scheme: https\n:authority: proxy\n:path: /ping.PingService/PingPong\n"
             "content-type: application/grpc\nte: trailers\nagent-version: %s\n%s",
             version, more_fields);
    return fields;
}

struct peer_stream *scene_ask(struct peer *client, const char *more_fields)
{
    struct peer_stream *stream = peer_ask(client, scene_request("v1.1", more_fields), false);
    fake_settle();
    return stream;
}

struct peer_stream *scene_ask_v2(struct peer *client, const char *more_fields)
{
    struct peer_stream *stream = peer_ask(client, scene_request("v2.1", more_fields), false);
    fake_settle();
    return stream;
}

struct exchange *scene_exchange(struct scene *scene)
{
    struct list *records = &scene->worker->streams.records;
    assert_false(list_empty(records));
    return exchange_at(records->prev);
}

size_t scene_live(const struct scene *scene)
{
    return scene->worker->streams.count;
}

void scene_serve(struct peer_stream *stream)
{
    if (stream->blocks == 1) {
        peer_status(stream, 0, "");
    }
}

/* ---- bystanders ------------------------------------------------------------------------------ */

struct scene_bystander scene_bystander(struct scene *scene)
{
    struct scene_bystander bystander = {
        .near = scene_ask(scene_client(scene), "agent-id: bystander\n"),
    };
    struct scene_endpoint *endpoint = &scene->endpoints[0];
    for (size_t i = 0; i < endpoint->peer_count; i++) {
        struct list *node;
        struct list *next;
        list_each(node, next, &endpoint->peers[i]->streams)
        {
            struct peer_stream *stream = container_of(node, struct peer_stream, node);
            const char *id = peer_value(stream, "agent-id");
            if (id != NULL && strcmp(id, "bystander") == 0 && !stream->closed) {
                bystander.far = stream;
            }
        }
    }
    assert_non_null(bystander.far);
    peer_begin(bystander.far);
    fake_settle();
    return bystander;
}

void scene_check(struct scene_bystander *bystander)
{
    assert_false(bystander->near->closed);
    assert_false(bystander->far->closed);
    peer_send(bystander->near, "ask", 3);
    fake_settle();
    assert_true(peer_took(bystander->far, "ask"));
    peer_send(bystander->far, "answer", 6);
    fake_settle();
    assert_true(peer_took(bystander->near, "answer"));
}

void scene_assert_status(const struct peer_stream *stream, int code, const char *words)
{
    const char *status = peer_value(stream, "grpc-status");
    assert_non_null(status);
    int got = atoi(status);
    const char *message = peer_value(stream, "grpc-message");
    if (got != code || strstr(message != NULL ? message : "", words) == NULL) {
        fail_msg("status %d: %s; expected %d: ...%s...", got, message != NULL ? message : "(none)",
                 code, words);
    }
}
