/* Where the clients of a command connect to, and how: options, and what follows from them. */
#ifndef GRPCROUTE_ROLE_CONNECT_H
#define GRPCROUTE_ROLE_CONNECT_H

#include "cli/options.h"
#include "rpc/client.h"

#include <stdbool.h>

struct role_connect_options {
    struct text_address target;
    const char *cacert;    /* NULL: the system's authorities */
    const char *authority; /* NULL: the target's host and port */
    bool tls_skip_verify;
    bool plaintext;
};

/* clang-format off */

/* The entries for the field `field` of `type`, a struct role_connect_options. */
#define ROLE_CONNECT_OPTIONS(type, field)                                                          \
    {.name = "target", .kind = CLI_TARGET, .offset = offsetof(type, field.target),                 \
     .argument = "HOST:PORT", .fallback = "localhost:8443", .environment = "SERVER_ADDRESS",       \
     .help = "Server or proxy to connect to"},                                                     \
    {.name = "cacert", .kind = CLI_FILE, .offset = offsetof(type, field.cacert),                   \
     .argument = "FILE", .environment = "GRPCROUTE_CACERT",                                        \
     .help = "Authorities (PEM) that may have signed the server's certificate, instead of the "    \
             "system's"},                                                                          \
    {.name = "authority", .kind = CLI_STRING, .offset = offsetof(type, field.authority),           \
     .argument = "NAME",                                                                           \
     .help = "Name sent as :authority and checked in the certificate, instead of the target's"},   \
    {.name = "tls-skip-verify", .short_name = 'k', .kind = CLI_FLAG,                               \
     .offset = offsetof(type, field.tls_skip_verify),                                              \
     .help = "Use TLS without verifying the certificate"},                                         \
    {.name = "plaintext", .kind = CLI_FLAG, .offset = offsetof(type, field.plaintext),             \
     .environment = "USE_TLS", .environment_negated = true, .help = "Use no TLS (h2c)"}

/* clang-format on */

/* What all connections of a command have in common. A zeroed struct is none. */
struct role_target {
    char name[TEXT_ADDRESS_BYTES];              /* "HOST:PORT" as given, for reports */
    const struct role_connect_options *options; /* borrowed */
    struct net_tls *tls;                        /* owned; NULL: plaintext */
    const char *version_header;                 /* metadata of a call: the agent's version ... */
    const char *id_header;                      /* ... and who it is */
};

/* Refuses options that contradict each other, so that nobody believes in a check that is not made,
 * and reads the authorities. Returns 0, or 1 after one line on standard error. `options` is
 * borrowed until role_target_deinit(), which also takes a zeroed target. */
int role_target_init(struct role_target *target, const char *command,
                     const struct role_connect_options *options);
void role_target_deinit(struct role_target *target);

/* For rpc_client_open(), while the target is there; timeouts and keepalive are the caller's to set.
 */
struct rpc_client_config role_target_client(const struct role_target *target);

#endif
