/* --method: a service that is not PingPong. What is sent to it, which kind of call it is, and which
 * part of its answers says who answered. */
#ifndef GRPCROUTE_ROLE_SERVICE_H
#define GRPCROUTE_ROLE_SERVICE_H

#include "cli/options.h"
#include "role/headers.h"
#include "rpc/field.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "/package.Service/Method" with its NUL. */
#define ROLE_METHOD_BYTES 256
/* What gRPC clients take of one answer by default; there is one buffer of it for each stream. */
#define ROLE_ANSWER_LIMIT_BYTES (4 * 1024 * 1024)

enum role_call {
    ROLE_CALL_BIDI,
    ROLE_CALL_UNARY,
    ROLE_CALL_CLIENT_STREAM,
    ROLE_CALL_SERVER_STREAM,
};

extern const char *const role_call_choices[];

struct role_service_options {
    const char *method; /* NULL: PingPong */
    const char *message_file;
    unsigned call; /* enum role_call */
    const char *server_from;
    const char *pod_from;
};

/* clang-format off */

/* The entries for the field `field` of `type`, a struct role_service_options. */
#define ROLE_SERVICE_OPTIONS(type, field)                                                          \
    {.name = "method", .kind = CLI_STRING, .offset = offsetof(type, field.method),                 \
     .argument = "/PACKAGE.SERVICE/METHOD",                                                        \
     .help = "Call this instead of PingPong: a service of your own"},                              \
    {.name = "message-file", .kind = CLI_FILE, .offset = offsetof(type, field.message_file),       \
     .argument = "FILE", .help = "One encoded protobuf message, sent for each ping to --method; "  \
     "- is standard input; without it the message is empty"},                                      \
    {.name = "call", .kind = CLI_CHOICE, .offset = offsetof(type, field.call),                     \
     .argument = "KIND", .fallback = "bidi", .choices = role_call_choices,                         \
     .help = "What --method is: bidi and client-stream send a message for each ping, "             \
     "server-stream and unary one for each call"},                                                 \
    {.name = "server-from", .kind = CLI_STRING, .offset = offsetof(type, field.server_from),       \
     .argument = "SOURCE", .help = "What in the answers of --method names the server's version, "  \
     "as --expect or --backend-version says it: header:NAME, trailer:NAME, or field:N[.N] of the " \
     "message"},                                                                                   \
    {.name = "pod-from", .kind = CLI_STRING, .offset = offsetof(type, field.pod_from),             \
     .argument = "SOURCE", .help = "What in them names its pod, likewise"}

/* clang-format on */

enum role_source_kind {
    ROLE_SOURCE_NONE,
    ROLE_SOURCE_HEADER,
    ROLE_SOURCE_TRAILER,
    ROLE_SOURCE_FIELD,
};

/* Where a name stands. */
struct role_source {
    enum role_source_kind kind;
    char header[ROLE_HEADER_NAME_BYTES];
    struct rpc_field_path path;
    char text[ROLE_HEADER_NAME_BYTES + 16]; /* "header x-upstream", for people */
};

struct role_service {
    char path[ROLE_METHOD_BYTES];
    uint8_t *message; /* owned; NULL: empty */
    size_t message_len;
    enum role_call call;
    struct role_source server;
    struct role_source pod;
};

/* "/package.Service/Method" of what --method says: that, or as grpcurl takes it, without the first
 * slash or with a dot for the second. Returns 0, or 1 where it says none. */
int role_service_path(const char *method, char out[static ROLE_METHOD_BYTES]);

/* Takes the options and reads the file. Returns 0 with a service, for role_service_free(), or NULL
 * for PingPong; 1 after one line on standard error. */
int role_service_load(const char *command, const struct role_service_options *options,
                      struct role_service **ret);
/* Accepts NULL. */
void role_service_free(struct role_service *service);

/* One message is all that a call sends. */
bool role_service_sends_once(const struct role_service *service);

/* Refuses kinds of calls that a command cannot use; those it can are one bit each in `calls`.
 * Accepts NULL. Returns 0, or 1 after one line on standard error. */
int role_service_allow(const struct role_service *service, const char *command, unsigned calls,
                       const char *why);

/* The same for a command that holds streams, and so cannot wait for names in trailers. */
int role_service_hold(const struct role_service *service, const char *command, unsigned calls,
                      const char *why);

#endif
