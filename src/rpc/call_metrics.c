#include "rpc/call_metrics.h"

#include "base/metrics.h"

#include <stdio.h>
#include <string.h>

#define NAME_BYTES 64
/* Of a service or a method; longer is cut. */
#define LABEL_BYTES 256

/* Codes as Go writes them, which is what the boards of others ask for. */
static const char *const code_labels[RPC_CODES] = {
    [RPC_OK] = "OK",
    [RPC_CANCELLED] = "Canceled",
    [RPC_UNKNOWN] = "Unknown",
    [RPC_INVALID_ARGUMENT] = "InvalidArgument",
    [RPC_DEADLINE_EXCEEDED] = "DeadlineExceeded",
    [RPC_NOT_FOUND] = "NotFound",
    [RPC_ALREADY_EXISTS] = "AlreadyExists",
    [RPC_PERMISSION_DENIED] = "PermissionDenied",
    [RPC_RESOURCE_EXHAUSTED] = "ResourceExhausted",
    [RPC_FAILED_PRECONDITION] = "FailedPrecondition",
    [RPC_ABORTED] = "Aborted",
    [RPC_OUT_OF_RANGE] = "OutOfRange",
    [RPC_UNIMPLEMENTED] = "Unimplemented",
    [RPC_INTERNAL] = "Internal",
    [RPC_UNAVAILABLE] = "Unavailable",
    [RPC_DATA_LOSS] = "DataLoss",
    [RPC_UNAUTHENTICATED] = "Unauthenticated",
};

/* The method in its two parts. */
struct method {
    char service[LABEL_BYTES];
    char name[LABEL_BYTES];
};

static struct method split(const char *path)
{
    struct method method = {0};
    const char *service = path + (path[0] == '/');
    const char *slash = strchr(service, '/');
    size_t len = slash != NULL ? (size_t)(slash - service) : strlen(service);
    snprintf(method.service, sizeof(method.service), "%.*s", (int)len, service);
    snprintf(method.name, sizeof(method.name), "%s", slash != NULL ? slash + 1 : "");
    return method;
}

#define METHOD_LABELS(method)                                                                      \
    {"grpc_type", "bidi_stream"}, {"grpc_service", (method)->service},                             \
    {                                                                                              \
        "grpc_method", (method)->name                                                              \
    }

static void put(struct metrics *out, const char *side, const char *what, const char *help,
                const struct method *method, uint64_t value)
{
    char name[NAME_BYTES];
    snprintf(name, sizeof(name), "grpc_%s_%s_total", side, what);
    metrics_begin(out, name, METRICS_COUNTER, help);
    metrics_sample(out, name, METRICS_LABELS(METHOD_LABELS(method)), (double)value);
}

/* OK is there from the beginning, so that a ratio has something to divide by. */
static void put_ended(struct metrics *out, const char *side, const struct method *method,
                      const uint64_t ended[static RPC_CODES])
{
    char name[NAME_BYTES];
    snprintf(name, sizeof(name), "grpc_%s_handled_total", side);
    metrics_begin(out, name, METRICS_COUNTER, "Streams ended, by status");
    for (unsigned code = 0; code < RPC_CODES; code++) {
        if (ended[code] > 0 || code == RPC_OK) {
            metrics_sample(out, name,
                           METRICS_LABELS(METHOD_LABELS(method), {"grpc_code", code_labels[code]}),
                           (double)ended[code]);
        }
    }
}

void rpc_call_metrics(struct metrics *out, const char *side, const char *path,
                      const struct rpc_call_counts *counts)
{
    const struct method method = split(path);
    put(out, side, "started", "Streams started", &method, counts->started);
    put(out, side, "msg_received", "Messages received", &method, counts->received);
    put(out, side, "msg_sent", "Messages sent", &method, counts->sent);
    put_ended(out, side, &method, counts->ended);
}
