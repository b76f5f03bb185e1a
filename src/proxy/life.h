/* The life of a proxy: a relay, its admin port, discovery, health checks, signals. */
#ifndef GRPCROUTE_PROXY_LIFE_H
#define GRPCROUTE_PROXY_LIFE_H

#include "base/text.h"
#include "proxy/moves.h"
#include "proxy/setup.h"
#include "relay/config.h"

#include <stdbool.h>
#include <stdint.h>

struct proxy_config {
    struct relay_config relay;
    struct proxy_sources sources;
    bool watch; /* the files of the sources are read again when they change */
    struct proxy_moves_config moves;
    struct text_address admin;
    uint64_t dns_refresh_ms;
    const char *access_log; /* a file, "-" for standard output, or NULL */
};

/* Runs until a drain is over. Returns an exit code; errors were printed. */
int proxy_run(const struct proxy_config *config);

#endif
