/* One stream of Run that is to show one thing, seen from both ends: opened with a script, metadata,
 * a message, a deadline; reset or given up after a while; then the server is asked what it saw.
 *
 *   opened --its end, what was waited for, patience--> closed --asked, where wanted--> told */
#ifndef GRPCROUTE_LIMITS_TRIAL_H
#define GRPCROUTE_LIMITS_TRIAL_H

#include "limits/ask.h"
#include "limits/link.h"
#include "net/stream.h"
#include "rpc/call.h"
#include "rpc/probe.h"

#define LIMITS_TRIAL_BINARY_BYTES 256 /* of a field of binary metadata */

enum limits_until {
    LIMITS_UNTIL_END,
    LIMITS_UNTIL_ANSWER,  /* a first message */
    LIMITS_UNTIL_HEADERS, /* the response's metadata */
};

enum limits_asking {
    LIMITS_ASK_NOT,
    LIMITS_ASK_ONCE,
    LIMITS_ASK_UNTIL_ENDED,
    LIMITS_ASK_UNLESS_MET, /* the same, where what was waited for did not come */
    LIMITS_ASK_IF_MET,     /* once, where it did */
};

struct limits_trial_setup {
    struct rpc_probe_script script; /* what it borrows lives until the trial is told */
    /* Metadata up to so many bytes of names and values, in one further field; or up to so many
     * fields; 0: what any call has. */
    size_t metadata_bytes;
    size_t metadata_fields;
    const struct rpc_probe_field
        *binary; /* further ones, for any bytes; borrowed as the script's */
    size_t binary_count;
    uint64_t timeout_ns; /* grpc-timeout, which is not held here: who hears of it is what is
                          * looked at; 0: none */
    bool sends;          /* one message with a payload of so many bytes */
    size_t send_bytes;
    bool half_closes;
    bool resets; /* RST_STREAM of that code, so long after the opening */
    uint32_t reset;
    uint64_t reset_ms;
    enum limits_until until;
    uint64_t patience_ms; /* for what is waited for; then it is given up */
    enum limits_asking asking;
    unsigned ask_times;     /* where it is not found; 0: LIMITS_ASK_TIMES */
    uint64_t ask_settle_ms; /* for its end; 0: LIMITS_ASK_SETTLES_MS */
};

/* What was seen; times in the run's. */
struct limits_trial_seen {
    int refused; /* not 0: what rpc_call_start() or _send() said; nothing but `told` follows */
    uint64_t opened_ns;
    uint64_t headers_ns; /* 0: none came */
    uint64_t answer_ns;  /* the first message; 0: none came */
    uint64_t reset_ns;   /* 0: not reset here */
    uint64_t ended_ns;
    uint64_t goaway_ns; /* on its connection, since it was opened; 0: none came */
    bool met;           /* what was waited for came */
    bool given_up;      /* patience was over */
    size_t answers;
    size_t answer_bytes; /* the largest payload */
    size_t pad_fields;   /* of the response's metadata, and bytes of their names and values */
    size_t pad_bytes;
    size_t headers_matched;  /* of the script's headers, that came as sent */
    size_t trailers_matched; /* of its trailers */
    bool busy;               /* these say that the probe service is */
    size_t binary_matched;   /* of the binary ones, that the server says it got as sent */
    struct rpc_status status;
    struct limits_sample sample; /* of it end, code, saw, goaway_seen */
    bool asked;
    struct limits_told told;
    bool seen_found; /* the rest is known */
    uint32_t seen_fields;
    uint64_t seen_metadata_bytes;
    uint64_t seen_open_ms;
    bool seen_half_closed;
};

struct limits_trial {
    struct limits_ground *ground; /* borrowed */
    void (*on_over)(void *user, const struct limits_trial_seen *seen);
    void *user;
    struct limits_trial_setup setup;
    struct limits_trial_seen seen;
    struct limits_link *link;             /* borrowed while it is open */
    char local[NET_STREAM_ADDRESS_BYTES]; /* of the link, which may be gone */
    char id[RPC_PROBE_ID_BYTES];
    struct rpc_call *call;
    struct limits_ask ask;
    uv_timer_t timer; /* of the reset, or of patience */
    bool running;
    bool stopping;
};

/* Runs one on a ready link. on_over comes once, never from within; then another may be started. */
void limits_trial_start(struct limits_trial *trial, struct limits_ground *ground,
                        struct limits_link *link, const struct limits_trial_setup *setup,
                        void (*on_over)(void *user, const struct limits_trial_seen *seen),
                        void *user);
/* Of its link: a GOAWAY came. */
void limits_trial_goaway(struct limits_trial *trial);
/* Gives it up; on_over follows with what is known. Harmless when none runs. */
void limits_trial_stop(struct limits_trial *trial);

#endif
