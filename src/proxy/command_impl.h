/* The parts of `grpcroute proxy`: command.c over command_config.c. */
#ifndef GRPCROUTE_PROXY_COMMAND_IMPL_H
#define GRPCROUTE_PROXY_COMMAND_IMPL_H

#include "base/text.h"
#include "cli/common.h"
#include "cli/options.h"
#include "proxy/life.h"

#include <stdbool.h>
#include <stdint.h>

/* What becomes of the live streams of an endpoint that new ones do not go to any more. */
enum proxy_fate { FATE_KEEP, FATE_END };

enum client_cert { CLIENT_CERT_REQUIRED, CLIENT_CERT_OPTIONAL };

struct proxy_options {
    struct text_address listen;
    struct text_address admin;
    const char *routes;
    const char *cert;
    const char *key;
    const char *client_ca;
    unsigned client_cert;
    bool forward_client_cert;
    bool plaintext;
    bool no_watch;
    struct cli_list endpoints;
    unsigned lb_policy;
    const char *hash_header;
    const char *id;
    uint64_t workers;
    uint64_t coalesce_ns;
    uint64_t max_streams;
    uint64_t max_buffered;
    uint64_t drain_timeout_ns;
    uint64_t keepalive_ns;
    uint64_t max_stream_age_ns;
    uint64_t age_jitter;
    bool rebalance;
    unsigned on_removed;
    unsigned on_unhealthy;
    uint64_t move_window_ns;
    bool no_health_checks;
    uint64_t health_interval_ns;
    uint64_t health_timeout_ns;
    uint64_t unhealthy_threshold;
    uint64_t healthy_threshold;
    uint64_t dns_refresh_ns;
    const char *access_log;
    bool access_log_open;
    struct cli_log_options log;
};

/* What they ask for; texts are borrowed from them. */
struct proxy_config proxy_config_of(const struct proxy_options *options);

#endif
