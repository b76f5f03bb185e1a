#include "admin/admin.h"

#include "admin/certs.h"
#include "admin/clusters.h"
#include "admin/dashboard.h"
#include "admin/stats.h"
#include "admin/streams.h"
#include "admin/text.h"
#include "admin/views.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "net/http.h"
#include "net/loop.h"
#include "relay/state.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct admin {
    struct relay *relay;
    struct admin_acts acts;
    struct net_loop loop;
    pthread_t thread;
    uv_async_t wake; /* asks to look at the two below; keeps the loop alive */
    atomic_bool draining;
    atomic_bool stopping;
    struct net_http *http;
    struct dashboard *dashboard;
};

static const char json_type[] = "application/json";

/* Envoy's words for the states of a server. */
static const char *state_name(const struct relay *relay)
{
    if (relay_is_draining(relay)) {
        return "DRAINING";
    }
    return atomic_load(&relay->ready) ? "LIVE" : "INITIALIZING";
}

static void handle_ready(void *user, const struct net_http_request *request,
                         struct net_http_response *response)
{
    (void)request;
    struct relay *relay = ((struct admin *)user)->relay;
    const char *state = state_name(relay);
    response->status = strcmp(state, "LIVE") == 0 ? 200 : 503;
    admin_printf(&response->body, "%s\n", state);
}

static void handle_stats(void *user, const struct net_http_request *request,
                         struct net_http_response *response)
{
    (void)request;
    admin_stats_text(((struct admin *)user)->relay, &response->body);
}

static void handle_prometheus(void *user, const struct net_http_request *request,
                              struct net_http_response *response)
{
    struct metrics metrics = net_http_metrics_begin(request);
    admin_stats_prometheus(((struct admin *)user)->relay, &metrics);
    net_http_metrics_end(&metrics, response);
}

static bool wants_json(const struct net_http_request *request)
{
    const char *format = net_http_query(request, "format");
    return format != NULL && strcmp(format, "json") == 0;
}

static void handle_clusters(void *user, const struct net_http_request *request,
                            struct net_http_response *response)
{
    struct relay *relay = ((struct admin *)user)->relay;
    if (wants_json(request)) {
        response->content_type = json_type;
        admin_clusters_json(relay, &response->body);
    } else {
        admin_clusters_text(relay, &response->body);
    }
}

static void handle_listeners(void *user, const struct net_http_request *request,
                             struct net_http_response *response)
{
    struct relay *relay = ((struct admin *)user)->relay;
    if (wants_json(request)) {
        response->content_type = json_type;
    }
    admin_listeners(relay, wants_json(request), &response->body);
}

static void handle_config_dump(void *user, const struct net_http_request *request,
                               struct net_http_response *response)
{
    (void)request;
    response->content_type = json_type;
    admin_config_dump(((struct admin *)user)->relay, &response->body);
}

static void handle_server_info(void *user, const struct net_http_request *request,
                               struct net_http_response *response)
{
    (void)request;
    struct relay *relay = ((struct admin *)user)->relay;
    response->content_type = json_type;
    admin_server_info(relay, state_name(relay), &response->body);
}

/* A page of live streams: ?limit=N&after=NUMBER&q=TEXT, &misrouted=1, and whole texts:
 * &version=, &cluster=, &endpoint=. */
static void handle_streams(void *user, const struct net_http_request *request,
                           struct net_http_response *response)
{
    const char *limit = net_http_query(request, "limit");
    const char *after = net_http_query(request, "after");
    const char *search = net_http_query(request, "q");
    const char *misrouted = net_http_query(request, "misrouted");
    uint64_t page = ADMIN_STREAMS_DEFAULT;
    uint64_t start = 0;
    const char *reason;
    if ((limit != NULL && text_parse_u64(limit, 1, ADMIN_STREAMS_MAX, &page, &reason) != 0) ||
        (after != NULL && text_parse_u64(after, 0, UINT64_MAX, &start, &reason) != 0)) {
        response->status = 400;
        admin_printf(&response->body, "limit must be 1 to %d, after the number of a stream\n",
                     ADMIN_STREAMS_MAX);
        return;
    }
    response->content_type = json_type;
    admin_streams_json(((struct admin *)user)->relay,
                       &(struct streams_query){
                           .after = start,
                           .limit = (size_t)page,
                           .search = search != NULL ? search : "",
                           .misrouted = misrouted != NULL && strcmp(misrouted, "0") != 0,
                           .version = net_http_query(request, "version"),
                           .cluster = net_http_query(request, "cluster"),
                           .endpoint = net_http_query(request, "endpoint"),
                       },
                       &response->body);
}

static void handle_dashboard(void *user, const struct net_http_request *request,
                             struct net_http_response *response)
{
    (void)user;
    (void)request;
    dashboard_page(response);
}

static void handle_events(void *user, const struct net_http_request *request,
                          struct net_http_response *response)
{
    (void)request;
    dashboard_subscribe(((struct admin *)user)->dashboard, &response->body);
}

static void handle_history(void *user, const struct net_http_request *request,
                           struct net_http_response *response)
{
    (void)request;
    response->content_type = json_type;
    dashboard_history(((struct admin *)user)->dashboard, &response->body);
}

static void handle_certs(void *user, const struct net_http_request *request,
                         struct net_http_response *response)
{
    (void)request;
    response->content_type = json_type;
    admin_certs(((struct admin *)user)->relay, &response->body);
}

static void act(struct admin *admin, enum admin_act act, struct net_http_response *response)
{
    char line[ROUTE_ERROR_BYTES];
    response->status = admin->acts.act(admin->acts.user, act, line, sizeof(line));
    admin_printf(&response->body, "%s\n", line);
}

static void handle_reload(void *user, const struct net_http_request *request,
                          struct net_http_response *response)
{
    (void)request;
    act(user, ADMIN_RELOAD, response);
}

static void handle_drain(void *user, const struct net_http_request *request,
                         struct net_http_response *response)
{
    (void)request;
    act(user, ADMIN_DRAIN, response);
}

/* Apart is what grows with streams and endpoints, and what waits for the main thread; as that is
 * made one at a time, lists of streams have one reader. The dashboard lives on this loop. */
static const struct net_http_route routes[] = {
    {"/ready", "LIVE with 200, or 503", handle_ready, .turn = NET_HTTP_AT_ONCE},
    {"/stats", "counters, Envoy's form", handle_stats, .turn = NET_HTTP_APART},
    {"/stats/prometheus", "counters for Prometheus", handle_prometheus, .turn = NET_HTTP_APART},
    {"/metrics", "the same, where scrapers look first", handle_prometheus, .turn = NET_HTTP_APART},
    {"/clusters", "endpoints with health and counters (?format=json)", handle_clusters,
     .turn = NET_HTTP_APART},
    {"/listeners", "addresses in use (?format=json)", handle_listeners},
    {"/config_dump", "routes and settings in force", handle_config_dump, .turn = NET_HTTP_APART},
    {"/server_info", "version, state, uptime", handle_server_info, .turn = NET_HTTP_AT_ONCE},
    {"/certs", "the certificates that clients are shown, and until when", handle_certs,
     .turn = NET_HTTP_APART},
    {"/reload", "read routes, endpoints and certificate again", handle_reload, .acts = true,
     .turn = NET_HTTP_APART},
    {"/drain", "end as on SIGTERM", handle_drain, .acts = true, .turn = NET_HTTP_APART},
    {"/streams",
     "every live stream (?limit=N&after=NUMBER&q=TEXT&misrouted=1&version=&cluster=&endpoint=)",
     handle_streams, .turn = NET_HTTP_APART},
    {"/dashboard", "a live page for people", handle_dashboard, .turn = NET_HTTP_AT_ONCE},
    {"/history", "the last 15 minutes, and what happened, as JSON", handle_history},
    {"/events", "what the page lives from, as server-sent events", handle_events, .events = true},
    {0},
};

/* ---- the thread ------------------------------------------------------------------------------ */

static void on_wake(uv_async_t *wake)
{
    struct admin *admin = wake->data;
    if (atomic_exchange(&admin->draining, false)) {
        dashboard_publish_now(admin->dashboard);
    }
    if (atomic_load(&admin->stopping)) {
        dashboard_stop(admin->dashboard);
        net_http_close(admin->http);
        uv_close((uv_handle_t *)wake, NULL);
    }
}

static void *run_thread(void *user)
{
    struct admin *admin = user;
    net_loop_run(&admin->loop);
    return NULL;
}

static void admin_free(struct admin *admin)
{
    net_loop_deinit(&admin->loop);
    free(admin);
}

struct admin *admin_start(struct relay *relay, const struct admin_acts *acts,
                          const struct text_address *address, struct net_error *ret_error)
{
    struct admin *admin = mem_new(struct admin);
    admin->relay = relay;
    admin->acts = *acts;
    int rv = net_loop_init(&admin->loop);
    if (rv != 0) {
        net_error_from_uv(ret_error, rv, "start an event loop");
        free(admin);
        return NULL;
    }
    admin->http = net_http_open(&admin->loop, address, routes, admin, ret_error);
    if (admin->http == NULL) {
        admin_free(admin);
        return NULL;
    }
    admin->dashboard = dashboard_start(relay, admin->http, &admin->loop);
    uv_async_init(&admin->loop.uv, &admin->wake, on_wake);
    admin->wake.data = admin;
    rv = pthread_create(&admin->thread, NULL, run_thread, admin);
    if (rv != 0) {
        net_error_from_uv(ret_error, -rv, "start a thread");
        atomic_store(&admin->stopping, true);
        uv_async_send(&admin->wake);
        run_thread(admin);
        admin_free(admin);
        return NULL;
    }
    return admin;
}

void admin_drain(struct admin *admin)
{
    atomic_store(&admin->draining, true);
    uv_async_send(&admin->wake);
}

void admin_stop(struct admin *admin)
{
    if (admin == NULL) {
        return;
    }
    atomic_store(&admin->stopping, true);
    uv_async_send(&admin->wake);
    pthread_join(admin->thread, NULL);
    admin_free(admin);
}

const char *admin_name(const struct admin *admin)
{
    return net_http_name(admin->http);
}
