/* One stream that is left in a certain state until it ends or was looked at for long enough. */
#ifndef GRPCROUTE_LIMITS_TIME_TRY_H
#define GRPCROUTE_LIMITS_TIME_TRY_H

#include "limits/ask.h"
#include "limits/call.h"
#include "limits/finding.h"
#include "net/stream.h"

/* From when a limit counts. */
enum limits_clock {
    LIMITS_CLOCK_OPENED,   /* the request */
    LIMITS_CLOCK_SENT,     /* the client's last message */
    LIMITS_CLOCK_ANSWERED, /* the last message of either side */
    LIMITS_CLOCK_HALF_CLOSED,
};

#define LIMITS_PINGS_TRIED 3

/* How long a message may be on its way, each way, that shows that a stream is alive. */
#define LIMITS_PROOF_MS 5000

struct limits_time_setup {
    enum limits_clock clock;
    uint32_t send_every_ms;                     /* the client; 0: its first message alone */
    uint32_t ping_every_ms[LIMITS_PINGS_TRIED]; /* HTTP/2; the next where one is refused; 0: none */
    bool half_close;                            /* by the client, after the first answer */
    bool together; /* tries begin in one moment, and count from the last byte of any of them */
    struct rpc_probe_script script;
};

enum limits_try_state {
    LIMITS_TRY_WAITING, /* for its time */
    LIMITS_TRY_DIALLING,
    LIMITS_TRY_ASKED,   /* the stream is open, and nothing came on it */
    LIMITS_TRY_WATCHED, /* its clock runs */
    LIMITS_TRY_PROVED,  /* its time is over, and a message is to show that it is alive */
    LIMITS_TRY_ENDED,   /* and the server is asked what it saw of that */
    LIMITS_TRY_LEFT,    /* it is still open: the server is asked whether it is so there, too */
    LIMITS_TRY_CLOSING, /* only the ends of its connection and its question are waited for */
    LIMITS_TRY_OVER,
};

struct limits_time_try {
    const struct limits_time_setup *setup; /* borrowed */
    struct limits_ground *ground;          /* borrowed */
    struct limits_sample *sample;          /* borrowed */
    void (*on_over)(void *user);
    void *user;
    struct limits_time_try *beside; /* borrowed: it shares the clock; may be set; NULL: none does */
    bool probe;                     /* Run, not PingPong */
    enum limits_try_state state;
    struct limits_link *link;
    char local[NET_STREAM_ADDRESS_BYTES]; /* of the link, which may be gone */
    struct limits_call call;
    struct limits_ask ask;
    uint64_t begin_ns; /* when it is its time */
    uint64_t until_ns; /* when it was looked at for long enough; 0: not known yet */
    uint64_t clock_ns; /* from when the limit counts */
    uint64_t blur_ns;  /* of that */
    uint64_t next_send_ns;
    uint64_t next_ping_ns;
    uint64_t heard_ns;       /* when a message came last */
    uint64_t proof_ns;       /* when it was to show that it is alive */
    uint64_t proof_answered; /* how many messages had come by then */
    uint64_t next_ask_ns;    /* when its server is asked what came of that */
    unsigned pings_refused;  /* intervals */
    bool asks_later;
    bool cut; /* `until_ns` came early, because the run is to end */
    bool stopping;
};

/* All times are those of the run. `on_over` comes once, not from within init. */
void limits_time_try_init(struct limits_time_try *try, struct limits_ground *ground,
                          const struct limits_time_setup *setup, bool probe, uint64_t begin_ns,
                          struct limits_sample *sample, void (*on_over)(void *user), void *user);
void limits_time_try_tick(struct limits_time_try *try, uint64_t now_ns);
/* The run is to end soon: its time is over, and a message is to show that it is alive. Repeats are
 * harmless. */
void limits_time_try_cut(struct limits_time_try *try, uint64_t now_ns);
/* The run ends now. Repeats are harmless. */
void limits_time_try_stop(struct limits_time_try *try);

#endif
