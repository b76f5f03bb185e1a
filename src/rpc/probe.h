/* The messages of the probe service (proto/probe.proto) to and from bytes. The large ones, which
 * carry a payload, without a copy of it. */
#ifndef GRPCROUTE_RPC_PROBE_H
#define GRPCROUTE_RPC_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RPC_PROBE_SERVICE       "probe.ProbeService"
#define RPC_PROBE_RUN_PATH      "/probe.ProbeService/Run"
#define RPC_PROBE_SEEN_PATH     "/probe.ProbeService/Seen"
#define RPC_PROBE_ID_HEADER     "probe-id"
#define RPC_PROBE_SCRIPT_HEADER "probe-script-bin"
#define RPC_PROBE_PAD_HEADER    "probe-pad-" /* and a number */
/* So begins the message of a RESOURCE_EXHAUSTED that says nothing of the path: others, or this
 * client elsewhere, use up what the service has for all. */
#define RPC_PROBE_BUSY "probe service is busy: "
/* ... and among its trailers, for paths that hand on no message, is this one, of value 1. */
#define RPC_PROBE_BUSY_HEADER "probe-busy"

/* A probe-id is that many lower-case hex digits. */
#define RPC_PROBE_ID_CHARS 16
#define RPC_PROBE_ID_BYTES (RPC_PROBE_ID_CHARS + 1)
/* The most that one script, or one answer of Seen, may hold. */
#define RPC_PROBE_FIELDS       16
#define RPC_PROBE_NAME_BYTES   256 /* of a server, a peer; with the NUL */
#define RPC_PROBE_TEXT_BYTES   256 /* of a sentence; with the NUL */
#define RPC_PROBE_SCRIPT_BYTES 4096
/* What a script takes as the header's value, with the NUL. */
#define RPC_PROBE_HEADER_BYTES (RPC_PROBE_SCRIPT_BYTES * 4 / 3 + 8)
/* The largest message of Run, and what all but its payload may take of it. */
#define RPC_PROBE_PAYLOAD_BYTES (4 * 1024 * 1024)
#define RPC_PROBE_HEAD_BYTES    512
#define RPC_PROBE_MESSAGE_BYTES (RPC_PROBE_PAYLOAD_BYTES + RPC_PROBE_HEAD_BYTES)

/* A field of metadata; borrowed. `value` is any bytes where the name ends in -bin. */
struct rpc_probe_field {
    const char *name;
    const uint8_t *value;
    size_t value_len;
    bool malformed; /* of Seen: the value was no base64, and is here as it came */
};

struct rpc_probe_script {
    uint32_t send_every_ms;
    uint32_t send_bytes;
    uint32_t send_count;
    bool echo;
    bool headers_at_once;
    bool hold;
    bool go_on;
    uint32_t end_after_ms;
    uint32_t status;
    const char *status_message; /* NULL: none */
    struct rpc_probe_field trailers[RPC_PROBE_FIELDS];
    size_t trailer_count;
    bool trailers_only;
    bool has_reset;
    uint32_t reset;
    bool goaway;
    uint32_t grace_ms;
    struct rpc_probe_field headers[RPC_PROBE_FIELDS];
    size_t header_count;
    uint32_t pad_fields;
    uint32_t pad_bytes;
};

/* The script as the value of RPC_PROBE_SCRIPT_HEADER, with a NUL. Returns its length, or 0 when it
 * is over RPC_PROBE_SCRIPT_BYTES; an empty script has no bytes and is 0, too: its value is empty.
 */
size_t rpc_probe_script_header(const struct rpc_probe_script *script,
                               char out[static RPC_PROBE_HEADER_BYTES]);

/* Why bytes are no script that can be run. */
enum rpc_probe_fault {
    RPC_PROBE_E_MALFORMED = 1, /* not a probe.Script, or a text in it is not UTF-8 */
    RPC_PROBE_E_FIELDS,        /* more than RPC_PROBE_FIELDS headers or trailers */
};
/* Returns 0 or a fault. What `ret` borrows is valid until the next decode on this thread. */
int rpc_probe_script_decode(const uint8_t *bytes, size_t len, struct rpc_probe_script *ret);

struct rpc_probe_request {
    uint64_t sequence;
    const uint8_t *payload; /* borrowed; when encoding, NULL: zeroes */
    size_t payload_len;
};

struct rpc_probe_response {
    uint64_t sequence;
    const uint8_t *payload; /* borrowed */
    size_t payload_len;
    char server_id[RPC_PROBE_NAME_BYTES]; /* as it came: to be escaped */
    uint64_t received;
    uint64_t received_bytes;
};

/* Encodes a whole message into `out`; returns its length, at most RPC_PROBE_HEAD_BYTES more than
 * the payload's, or 0 when it does not fit. */
size_t rpc_probe_request_encode(const struct rpc_probe_request *request, uint8_t *out,
                                size_t out_bytes);
/* Everything of a response up to the payload, of which `payload_len` bytes are to follow. */
size_t rpc_probe_response_head(const struct rpc_probe_response *response,
                               uint8_t out[static RPC_PROBE_HEAD_BYTES]);
/* Decode; return 0, or 1 when the bytes are no such message. */
int rpc_probe_request_decode(const uint8_t *bytes, size_t len, struct rpc_probe_request *ret);
int rpc_probe_response_decode(const uint8_t *bytes, size_t len, struct rpc_probe_response *ret);

/* ---- Seen ------------------------------------------------------------------------------------ */

/* How a stream ended, as its server saw it (probe.SeenResponse.End). */
#define RPC_PROBE_END_LIST(X)                                                                      \
    X(0, OPEN)                                                                                     \
    X(1, BY_SCRIPT)       /* `code` is the status, or that of RST_STREAM if the script has one */  \
    X(2, RESET)           /* RST_STREAM came; `code` is its code */                                \
    X(3, CONNECTION_LOST) /* `connection_end` says how */                                          \
    X(4, DEADLINE)                                                                                 \
    X(5, LIMIT) /* a bound of the service, or a message that is none; `code` is the status */      \
    X(6, SHUTDOWN)                                                                                 \
    X(7, BROKEN) /* what came broke HTTP/2 */

enum rpc_probe_end {
#define X(number, name) RPC_PROBE_##name = number,
    RPC_PROBE_END_LIST(X)
#undef X
};

/* "CONNECTION_LOST"; "unknown" for what is none of them. */
const char *rpc_probe_end_name(enum rpc_probe_end end);

struct rpc_probe_seen {
    bool found;
    const char *server_id;
    uint64_t connection;
    uint64_t opened_ms_ago;
    uint64_t open_for_ms;
    bool ended;
    enum rpc_probe_end how;
    uint32_t code;
    bool half_closed;
    uint64_t half_closed_after_ms;
    uint64_t messages;
    uint64_t bytes;
    uint64_t sent_messages;
    uint64_t sent_bytes;
    uint64_t silent_ms;
    uint32_t metadata_fields;
    uint64_t metadata_bytes;
    uint32_t streams;
    const char *connection_end; /* texts are never NULL when decoded; NULL is empty when encoding */
    const char *why;
    const char *peer;
    struct rpc_probe_field fields[RPC_PROBE_FIELDS];
    size_t field_count;
};

/* The id is borrowed until the next decode on this thread. Return 0, or 1 when it is none. */
int rpc_probe_seen_request_decode(const uint8_t *bytes, size_t len, const char **ret_id);
int rpc_probe_seen_decode(const uint8_t *bytes, size_t len, struct rpc_probe_seen *ret);
/* Encode into `out`; return the length, or 0 when it does not fit. */
size_t rpc_probe_seen_request_encode(const char *id, uint8_t *out, size_t out_bytes);
#define RPC_PROBE_SEEN_BYTES 16384 /* enough for any answer */
size_t rpc_probe_seen_encode(const struct rpc_probe_seen *seen, uint8_t *out, size_t out_bytes);

#endif
