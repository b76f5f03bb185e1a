/* Where the clients of a command connect to, and how: options, and what follows from them. */
#ifndef GRPCROUTE_ROLE_CONNECT_H
#define GRPCROUTE_ROLE_CONNECT_H

#include "cli/options.h"
#include "role/headers.h"
#include "role/service.h"
#include "rpc/client.h"

#include <stdbool.h>

struct role_connect_options {
    struct text_address target;
    struct text_address connect_to;  /* no host: the target; no port: the target's */
    const char *cacert;              /* NULL: the system's authorities */
    const char *cert;                /* NULL: the client shows no certificate */
    const char *key;                 /* NULL: in the certificate's file, too */
    const char *key_passphrase_file; /* NULL: the key is not encrypted */
    const char *authority;           /* NULL: the target's host and port */
    struct cli_list headers;
    const char *version_header; /* NULL: ROLE_VERSION_HEADER */
    const char *id_header;      /* NULL: ROLE_ID_HEADER */
    bool tls_skip_verify;
    bool plaintext;
    struct role_service_options service; /* with ROLE_SERVICE_OPTIONS; else PingPong */
};

/* What does nothing beside --tls-skip-verify, and beside --plaintext. */
extern const char *const role_unverified_excludes[];
extern const char *const role_plaintext_excludes[];

#define ROLE_VERSION_HEADER "agent-version"
#define ROLE_ID_HEADER      "agent-id"

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
    {.name = "cert", .kind = CLI_FILE, .offset = offsetof(type, field.cert),                       \
     .argument = "FILE", .help = "Client certificate chain (PEM), leaf first"},                    \
    {.name = "key", .kind = CLI_FILE, .offset = offsetof(type, field.key), .argument = "FILE",     \
     .help = "Its private key (PEM); without it, the file of --cert holds both"},                  \
    {.name = "key-passphrase-file", .kind = CLI_FILE,                                              \
     .offset = offsetof(type, field.key_passphrase_file), .argument = "FILE",                      \
     .help = "Passphrase of an encrypted key, on the first line"},                                 \
    {.name = "authority", .kind = CLI_STRING, .offset = offsetof(type, field.authority),           \
     .argument = "NAME[:PORT]",                                                                    \
     .help = "Sent as :authority instead of the target; its name is checked in the certificate"},  \
    {.name = "connect-to", .kind = CLI_PEER, .offset = offsetof(type, field.connect_to),           \
     .argument = "HOST[:PORT]",                                                                    \
     .help = "Connect there, to the target's port without one; the target still gives :authority " \
             "and the certificate's name"},                                                        \
    {.name = "header", .short_name = 'H', .kind = CLI_LIST, .secret = true,                        \
     .offset = offsetof(type, field.headers), .argument = "'NAME: VALUE'",                         \
     .help = "Send this with each call, too; a last word @FILE is read from FILE, again at each "  \
             "connection, @@ is an @; values are never shown"},                                    \
    {.name = "version-header", .kind = CLI_STRING,                                                 \
     .offset = offsetof(type, field.version_header), .argument = "NAME",                           \
     .fallback = ROLE_VERSION_HEADER, .help = "Header that carries the agent's version"},          \
    {.name = "id-header", .kind = CLI_STRING, .offset = offsetof(type, field.id_header),           \
     .argument = "NAME", .fallback = ROLE_ID_HEADER, .help = "Header that carries the agent's id"},\
    {.name = "tls-skip-verify", .short_name = 'k', .kind = CLI_FLAG,                               \
     .offset = offsetof(type, field.tls_skip_verify), .excludes = role_unverified_excludes,        \
     .help = "Use TLS without verifying the certificate"},                                         \
    {.name = "plaintext", .kind = CLI_FLAG, .offset = offsetof(type, field.plaintext),             \
     .excludes = role_plaintext_excludes,                                                          \
     .environment = "USE_TLS", .environment_negated = true, .help = "Use no TLS (h2c)"}

/* clang-format on */

/* What all connections of a command have in common. A zeroed struct is none. */
struct role_target {
    char name[TEXT_ADDRESS_BYTES];               /* "HOST:PORT" as given, for reports */
    struct text_address connect_to;              /* no host: there */
    const struct role_connect_options *options;  /* borrowed */
    struct net_tls *tls;                         /* owned; NULL: plaintext */
    const char *authority;                       /* that calls send; borrowed */
    char server_name[TEXT_HOST_BYTES];           /* that the certificate is for */
    char version_header[ROLE_HEADER_NAME_BYTES]; /* metadata of a call: the agent's version ... */
    char id_header[ROLE_HEADER_NAME_BYTES];      /* ... and who it is */
    struct role_headers *headers;                /* owned */
    struct role_service *service;                /* owned; NULL: PingPong */
    struct role_contacts *contacts;              /* owned */
};

/* What its connections share, and what was seen of them. */
struct role_contacts {
    const char *command;
    struct rpc_gate gate;
    unsigned credentials; /* a bit for each enum net_credential */
};

/* Refuses options that contradict each other, so that nobody believes in a check that is not made,
 * and reads the files. Returns 0, or 1 after one line on standard error. `options` is
 * borrowed until role_target_deinit(), which also takes a zeroed target, and says on standard error
 * when the client certificate was shown to nobody. */
int role_target_init(struct role_target *target, const char *command,
                     const struct role_connect_options *options);
void role_target_deinit(struct role_target *target);
/* Where the certificate is not verified, says so on standard error: what is found out then may have
 * been found out from anybody. */
void role_target_warn(const struct role_target *target, const char *command);

/* For the next rpc_client_open(), while the target is there; reads the files of -H again. Timeouts
 * and keepalive are the caller's to set. Connections that are lost and made again must not wait for
 * each other, since agents do not either: there the gate is the caller's to take away. */
struct rpc_client_config role_target_client(const struct role_target *target);

/* Servers of ours tell what they saw in the headers of these names, and in no others. */
bool role_target_version_is_echoed(const struct role_target *target);
bool role_target_id_is_echoed(const struct role_target *target);

#endif
