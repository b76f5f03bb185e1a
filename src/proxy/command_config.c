/* The options of `grpcroute proxy` as a configuration, with what follows from the machine. */
#include "proxy/command_impl.h"

#include "base/clock.h"
#include "base/process.h"
#include "relay/state.h"

#define MOVE_WINDOW_MS     30000
#define MAX_BUFFERED_BYTES (UINT64_C(128) << 20) /* where the memory is no limit */
/* Of memory, for each worker: on a machine of many CPUs a small limit would be theirs alone. */
#define WORKER_MEMORY_BYTES (UINT64_C(32) << 20)

/* By default a quarter of what the process may use, as connections need more than their buffers,
 * and no more than honest slow readers need. */
static uint64_t max_buffered(const struct proxy_options *options)
{
    uint64_t share = process_memory_limit() / 4;
    uint64_t fallback = share < MAX_BUFFERED_BYTES ? share : MAX_BUFFERED_BYTES;
    return options->max_buffered > 0 ? options->max_buffered : fallback;
}

static unsigned count_workers(const struct proxy_options *options)
{
    uint64_t roomy = process_memory_limit() / WORKER_MEMORY_BYTES;
    uint64_t fallback = process_cpus();
    fallback = fallback < roomy ? fallback : roomy;
    fallback = fallback < RELAY_WORKERS_MAX ? fallback : RELAY_WORKERS_MAX;
    fallback = fallback > 0 ? fallback : 1;
    return (unsigned)(options->workers > 0 ? options->workers : fallback);
}

static const char *hash_header(const struct proxy_options *options)
{
    const char *name = options->hash_header != NULL ? options->hash_header : "agent-id";
    return options->lb_policy == LB_HASH ? name : NULL;
}

static struct relay_health make_health(const struct proxy_options *options)
{
    return (struct relay_health){
        .checks = !options->no_health_checks,
        .interval_ms = options->health_interval_ns / NS_PER_MS,
        .timeout_ms = options->health_timeout_ns / NS_PER_MS,
        .unhealthy_threshold = (unsigned)options->unhealthy_threshold,
        .healthy_threshold = (unsigned)options->healthy_threshold,
    };
}

struct proxy_config proxy_config_of(const struct proxy_options *options)
{
    return (struct proxy_config){
        .relay =
            {
                .listen = options->listen,
                .id = options->id,
                .hash_header = hash_header(options),
                .workers = count_workers(options),
                .coalesce_ns = options->coalesce_ns,
                .max_streams = (uint32_t)options->max_streams,
                .max_buffered_bytes = max_buffered(options),
                .drain_ms = options->drain_timeout_ns / NS_PER_MS,
                .downstream_keepalive_ms = options->keepalive_ns / NS_PER_MS,
                .client_certs = options->client_ca != NULL,
                .forward_client_cert = options->forward_client_cert,
                .health = make_health(options),
                .access_log_open = options->access_log_open,
                .max_stream_age_ms = options->max_stream_age_ns / NS_PER_MS,
                .age_jitter_ms = options->max_stream_age_ns / NS_PER_MS * options->age_jitter / 100,
            },
        .moves =
            {
                .rebalance = options->rebalance,
                .end_removed = options->on_removed == FATE_END,
                .end_unhealthy = options->on_unhealthy == FATE_END,
                .window_ms = options->move_window_ns > 0 ? options->move_window_ns / NS_PER_MS
                                                         : MOVE_WINDOW_MS,
            },
        .sources =
            {
                .routes = options->routes,
                .cert = options->plaintext ? NULL : options->cert,
                .key = options->key,
                .client_ca = options->client_ca,
                .client_cert_optional = options->client_cert == CLIENT_CERT_OPTIONAL,
                .endpoints = options->endpoints,
                .policy = (enum lb_policy)options->lb_policy,
            },
        .watch = !options->no_watch,
        .access_log = options->access_log,
        .admin = options->admin,
        .dns_refresh_ms = options->dns_refresh_ns / NS_PER_MS,
    };
}
