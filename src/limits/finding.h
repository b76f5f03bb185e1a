/* What was found out about a path: one finding per shape, each from samples that were taken on
 * connections of their own. Plain data: filled by the shapes and their judges, printed, compared
 * and held against contracts by others. */
#ifndef GRPCROUTE_LIMITS_FINDING_H
#define GRPCROUTE_LIMITS_FINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum limits_kind {
    LIMITS_DURATION, /* values in nanoseconds */
    LIMITS_BYTES,
    LIMITS_COUNT,
    LIMITS_FACT, /* `fact` says whether it holds; `look` in which way */
};

/* enumerator, name in options, JSON and contracts, kind, what is measured, for people */
#define LIMITS_SHAPE_LIST(X)                                                                       \
    X(AGE_STREAM, "age_stream", DURATION, "age of a stream in use")                                \
    X(AGE_CONNECTION, "age_connection", DURATION, "age of a connection in use")                    \
    X(IDLE, "idle", DURATION, "silence of a stream both ways")                                     \
    X(IDLE_WITH_PINGS, "idle_with_pings", DURATION, "silence both ways, with HTTP/2 PINGs")        \
    X(IDLE_CLIENT, "idle_client", DURATION, "silence of the client, the server sends")             \
    X(IDLE_SERVER, "idle_server", DURATION, "silence of the server, the client sends")             \
    X(IDLE_PATH, "idle_path", DURATION, "silence of the whole path")                               \
    X(HALF_CLOSE, "half_close", DURATION, "stream after the client's half-close")                  \
    X(IDLE_CONNECTION, "idle_connection", DURATION, "connection without a stream")                 \
    X(PING_INTERVAL, "ping_interval", DURATION, "shortest interval of PINGs that is taken")        \
    X(HEADERS_FIRST, "headers_first", FACT, "headers arrive before any message")                   \
    X(STREAMS_PER_CONNECTION, "streams_per_connection", COUNT, "streams at once on a connection")  \
    X(REQUESTS_PER_CONNECTION, "requests_per_connection", COUNT,                                   \
      "requests before a connection ends")                                                         \
    X(MESSAGE_UP, "message_up", BYTES, "message to the server")                                    \
    X(MESSAGE_DOWN, "message_down", BYTES, "message to the client")                                \
    X(METADATA_UP, "metadata_up", BYTES, "metadata to the server")                                 \
    X(METADATA_DOWN, "metadata_down", BYTES, "metadata to the client")                             \
    X(METADATA_FIELDS_UP, "metadata_fields_up", COUNT, "fields of metadata to the server")         \
    X(METADATA_FIELDS_DOWN, "metadata_fields_down", COUNT, "fields of metadata to the client")     \
    X(SLOW_READER, "slow_reader", FACT, "a slow reader leaves its neighbour alone")                \
    X(BUFFERED, "buffered", BYTES, "what the path holds for a slow reader")                        \
    X(STATUS, "status", FACT, "status arrives as sent")                                            \
    X(TRAILERS_ONLY, "trailers_only", FACT, "answer of trailers alone arrives")                    \
    X(STATUS_MESSAGE, "status_message", FACT, "message of a status arrives as sent")               \
    X(BINARY_METADATA, "binary_metadata", FACT, "binary metadata arrives as sent")                 \
    X(RESET_FROM_SERVER, "reset_from_server", FACT, "server's reset arrives as sent")              \
    X(RESET_FROM_CLIENT, "reset_from_client", FACT, "client's reset arrives as sent")              \
    X(CANCEL, "cancel", FACT, "client's cancellation reaches the server")                          \
    X(DEADLINE, "deadline", FACT, "client's deadline reaches the server")                          \
    X(GOAWAY, "goaway", FACT, "client hears of the server's GOAWAY")                               \
    X(GRACE, "grace", FACT, "stream lives on through the server's grace")

enum limits_shape {
#define X(enumerator, name, kind, text) LIMITS_##enumerator,
    LIMITS_SHAPE_LIST(X)
#undef X
        LIMITS_SHAPES
};

enum limits_state {
    LIMITS_NOT_MEASURED, /* `why` says what was missing */
    LIMITS_NONE_WITHIN,  /* looked up to `looked`, and nothing ended or was refused */
    LIMITS_FOUND,
    LIMITS_UNSTEADY, /* the samples disagree: both are told, and `why` says how */
    /* It ended at `value`, which the limit of the shape `by` explains; a limit of its own, if there
     * is one, is not below `value`. */
    LIMITS_BY_OTHER,
};

/* Who ended it, decided by what both ends saw. */
enum limits_side {
    LIMITS_SIDE_UNKNOWN,    /* one end alone was asked, or what both saw does not decide it */
    LIMITS_SIDE_CLIENT_HOP, /* the client's hop was cut first, or alone */
    LIMITS_SIDE_SERVER_HOP, /* the server's hop was cut first, or alone */
    LIMITS_SIDE_BOTH,       /* both hops at once */
    LIMITS_SIDE_SERVER,     /* the server itself, as it says */
    LIMITS_SIDE_NO_HOP,     /* the server itself, as no hop is between */
};

/* How a sample ended, as the client saw it. */
enum limits_end {
    LIMITS_END_OPEN,       /* it lived until it was not looked at any more */
    LIMITS_END_TRAILERS,   /* a grpc-status; `code` */
    LIMITS_END_HTTP,       /* an answer that is not gRPC; `code` is the HTTP status */
    LIMITS_END_RESET,      /* RST_STREAM; `code` */
    LIMITS_END_CUT,        /* END_STREAM without trailers */
    LIMITS_END_CONNECTION, /* the connection was lost without a GOAWAY */
    LIMITS_END_GOAWAY,     /* GOAWAY; `code` */
    LIMITS_END_UNTOLD,     /* the server's end is over, and the client was never told */
    LIMITS_END_DEAD,       /* nothing comes through any more, and neither end was told */
    LIMITS_END_BROKEN,     /* what came was no gRPC or no HTTP/2 */
    LIMITS_END_HERE,       /* this side, because the run ended */
};

#define LIMITS_TEXT_BYTES 320

/* One try; all texts are escaped. */
struct limits_sample {
    bool opened;         /* else nothing of the rest is set, but `saw` may say why not */
    uint64_t opened_ns;  /* since the run began */
    uint64_t lived_ns;   /* from then to its end, or to when it was not looked at any more */
    uint64_t value;      /* ns of what the shape counts, or what it reached: the finding's kind */
    uint64_t resolution; /* the value may be off by as much */
    enum limits_end end;
    uint32_t code;
    bool unproved;               /* open, but nothing came through to show that it was alive */
    bool goaway_seen;            /* a GOAWAY came before the end */
    enum limits_side side;       /* by what both ends saw of this sample */
    bool server_told;            /* by Seen, how it ended there: */
    unsigned server_end;         /* enum rpc_probe_end (rpc/probe.h) */
    uint32_t server_code;        /* of RST_STREAM, or a status */
    char saw[LIMITS_TEXT_BYTES]; /* the client: "stream reset with CANCEL" */
    char server_saw[LIMITS_TEXT_BYTES]; /* "" where it was not asked */
};

#define LIMITS_SAMPLES      2
#define LIMITS_SETTINGS_MAX 12

/* A setting of a proxy or server that gives such an end; constants of limits/setting.c. */
struct limits_setting {
    const char *program; /* "Envoy" */
    const char *name;    /* "stream_idle_timeout" */
    const char *usual;   /* "5m by default" */
    const char *mend;    /* "0s, or above the longest silence" */
};

/* A value of LIMITS_PING_INTERVAL: no interval that was tried is taken. */
#define LIMITS_VALUE_NONE UINT64_MAX

struct limits_finding {
    bool wanted; /* --shapes, --gentle; else nothing is told of it */
    bool named;  /* by --shapes or a promise: wanted although it takes its time */
    enum limits_shape shape;
    enum limits_kind kind;
    enum limits_state state;
    uint64_t value; /* ns, bytes or count; of LIMITS_PING_INTERVAL the shortest that is taken */
    uint64_t resolution; /* of the value; 0: exact */
    uint64_t looked;     /* how far was looked, in the same unit */
    bool fact;           /* LIMITS_FACT, found: it holds */
    enum limits_side side;
    enum limits_shape by;         /* LIMITS_BY_OTHER */
    char look[LIMITS_TEXT_BYTES]; /* how it looked to the client; escaped */
    char why[LIMITS_TEXT_BYTES];  /* not measured, unsteady; escaped */
    struct limits_sample samples[LIMITS_SAMPLES];
    size_t sample_count;
    const struct limits_setting *settings[LIMITS_SETTINGS_MAX];
    size_t setting_count;
    char advice[LIMITS_TEXT_BYTES]; /* what a client can set; "" for nothing */
};

/* How long a run may look. */
#define LIMITS_WITHIN_MAX_NS (UINT64_C(24) * 3600 * 1000000000)

struct limits_result {
    const char *target; /* "HOST:PORT"; borrowed */
    uint64_t within_ns; /* how long was looked for limits of time */
    bool gentle;
    bool has_probe; /* the server has the ProbeService */
    bool direct;    /* no hop between: it saw the addresses that the client has */
    char no_probe[LIMITS_TEXT_BYTES];
    char server_id[LIMITS_TEXT_BYTES];             /* of the pod that was asked first; "" unknown */
    struct limits_finding findings[LIMITS_SHAPES]; /* by enum limits_shape */
    int interrupted_by;                            /* a signal; 0: the run came to its end */
    bool connected;
    char reason[LIMITS_TEXT_BYTES]; /* why there was no connection; escaped */
    uint64_t took_ns;
};

/* "idle"; "silence of a stream both ways"; what its values are. */
const char *limits_shape_name(enum limits_shape shape);
const char *limits_shape_text(enum limits_shape shape);
enum limits_kind limits_shape_kind(enum limits_shape shape);
/* LIMITS_SHAPES where there is none of that name. */
enum limits_shape limits_shape_find(const char *name, size_t len);

/* "not_measured", "none_within", "found", "unsteady", "by_other". */
const char *limits_state_name(enum limits_state state);
/* "unknown", "client_hop", "server_hop", "both_hops", "server"; a phrase for people. */
const char *limits_side_name(enum limits_side side);
const char *limits_side_text(enum limits_side side);

/* A finding of the shape, with nothing measured. */
void limits_finding_init(struct limits_finding *finding, enum limits_shape shape);

/* Shows a value of the kind: "5.01s", "64.0 KiB", "100"; 32 bytes are enough. Returns `out`. */
char *limits_value_text(enum limits_kind kind, uint64_t value, char *out, size_t out_bytes);

#endif
