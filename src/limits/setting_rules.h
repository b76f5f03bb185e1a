/* The settings of proxies and servers that are known to end streams, and how that looks at both
 * ends. Constants. */
#ifndef GRPCROUTE_LIMITS_SETTING_RULES_H
#define GRPCROUTE_LIMITS_SETTING_RULES_H

#include "limits/finding.h"

/* How an end looks to the client. */
enum limits_look {
    LIMITS_LOOK_RESET_INTERNAL,
    LIMITS_LOOK_RESET_ENVOY, /* the same, and NO_ERROR up to Envoy 1.36 */
    LIMITS_LOOK_RESET_PROTOCOL,
    LIMITS_LOOK_RESET_REFUSED,
    LIMITS_LOOK_CUT,
    LIMITS_LOOK_TRAILERS,    /* `words` in them */
    LIMITS_LOOK_HTTP,        /* an answer that is not gRPC */
    LIMITS_LOOK_GOAWAY,      /* without debug text */
    LIMITS_LOOK_GOAWAY_TEXT, /* `words` in it */
    LIMITS_LOOK_TEXT,        /* `words` in what the client saw */
};

/* And to the server. */
enum limits_server_look {
    LIMITS_SERVER_ANY,
    LIMITS_SERVER_RESET_ENVOY,
    LIMITS_SERVER_RESET_CANCEL,
    LIMITS_SERVER_LOST, /* its connection */
};

/* Two limits on age differ in streams that the client has half-closed. */
enum limits_half { LIMITS_HALF_ANY, LIMITS_HALF_TOO, LIMITS_HALF_NOT };

/* Whose it is: a hop's, grpcroute server's where no hop is between, or either's. */
enum limits_owner { LIMITS_OWNER_HOP, LIMITS_OWNER_SERVER, LIMITS_OWNER_ANY };

struct limits_rule {
    enum limits_owner owner;
    enum limits_shape shape;
    enum limits_look look;
    enum limits_server_look server;
    enum limits_half half;
    uint64_t usual; /* ns, bytes or count; 0: off, or it has no default */
    const char *words;
    struct limits_setting setting;
};

extern const struct limits_rule limits_rules[];
extern const size_t limits_rule_count;

#endif
