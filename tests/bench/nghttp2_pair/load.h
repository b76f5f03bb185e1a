/* A load of pings over many streams: what it should be, its state, and what came of it.
 *
 *   opening --all slots were answered once--> warming up --> measuring --> ending --all streams
 * ended with status 0--> done
 *
 * A slot is a place for work: a stream that lives all the time, or calls one after another, or
 * connections one after another. The first failure ends it all: load->failure is a text, and no
 * figure counts. */
#ifndef NGHTTP2_PAIR_LOAD_H
#define NGHTTP2_PAIR_LOAD_H

#include "histogram.h"
#include "link.h"

#include <sys/types.h>

#define LOAD_PIDS_MAX     16
#define LOAD_VERSIONS_MAX 16
#define LOAD_FAILURE_SIZE 200

#define NS_PER_MS 1000000ULL
#define NS_PER_S  1000000000ULL

enum load_kind {
    LOAD_STREAMS, /* pings on streams that stay */
    LOAD_UNARY,   /* a stream for each ping */
    LOAD_CONNECT, /* a connection for each ping */
    LOAD_IDLE,    /* a ping on each stream, then silence until standard input ends */
};

enum load_phase { LOAD_OPENING, LOAD_WARMING, LOAD_MEASURING, LOAD_ENDING, LOAD_DONE };

struct load_options {
    enum load_kind kind;
    unsigned port;
    size_t connections, streams; /* streams on each, or calls at a time */
    uint64_t rate;               /* pings per second over all streams; 0: as each is answered */
    size_t size;                 /* bytes of text in a ping */
    uint64_t warmup_ms, duration_ms, deadline_ms;
    const char *ca_file; /* NULL: plaintext */
    bool resume;         /* TLS sessions */
    const char *answer;  /* text of every pong; NULL: that of the ping, with its sequence */
    const char *versions[LOAD_VERSIONS_MAX];
    size_t version_count;
    pid_t pids[LOAD_PIDS_MAX];
    size_t pid_count;
};

/* One slot. */
struct load_stream {
    struct load_connection *connection;
    size_t index;
    int32_t id; /* 0: none is open */
    uint64_t sent, answered;
    uint64_t due_ns; /* of what was sent last; of a scheduled ping by its sequence */
    char server_id[WIRE_NAME_MAX + 1]; /* that answered first; "" before */
    bool half_closed, deferred;
    char status[8], http_status[8]; /* grpc-status and :status, cut */
    struct wire_bytes held, out;
};

struct load_connection {
    struct link link; /* first, so that one is the other */
    struct load *load;
    size_t index;
    bool is_open;
    struct load_stream *streams;
};

struct load {
    struct load_options options;
    struct link_loop loop;
    SSL_CTX *tls;
    SSL_SESSION
    *session; /* owned; the last that was given to us, NULL: none, or not to be resumed */
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *session_options;
    struct wire_text text; /* of every ping */
    struct load_connection *connections;
    struct load_stream *all;

    enum load_phase phase;
    size_t next_connection, coming_up; /* of the opening */
    size_t slots_answered, open_streams, open_connections;
    bool half_closed;                    /* all of them were, at the end */
    uint64_t outstanding;                /* pings without an answer */
    uint64_t scheduled, schedule_ns;     /* pings of the schedule so far, and when it began */
    uint64_t phase_ends_ns, deadline_ns; /* deadline: of opening and of ending */

    /* while measuring */
    struct histogram latencies;
    uint64_t began_ns, ended_ns, sent, answered, resumed, late, behind_ns;
    double cpu_s[LOAD_PIDS_MAX], own_cpu_s;

    char failure[LOAD_FAILURE_SIZE]; /* "": none */
};

/* Runs it. Returns 0, or -1 and then load->failure says why. */
int load_run(struct load *load, const struct load_options *options);
void load_deinit(struct load *load);

uint64_t load_now_ns(void);

/* Keeps the first; what a peer said in it is made printable. */
void load_fail(struct load *load, const char *format, ...) __attribute__((format(printf, 2, 3)));

size_t load_slots(const struct load *load);
bool load_is_running(const struct load *load); /* pings are to follow each other */

/* ---- slots.c ---- */

void slot_come_up(struct load_connection *connection);

/* The next ping of a slot, where it is not the first. */
void slot_again(struct load *load, struct load_stream *stream);

/* When the ping of that number of the schedule is due; all that are due by now are sent. */
uint64_t slot_due_ns(const struct load *load, uint64_t number);
void slot_send_scheduled(struct load *load, uint64_t now_ns);

/* For OpenSSL: keeps a session to resume. */
int slot_on_session(SSL *ssl, SSL_SESSION *session);

/* From a stream: its answer came, or it ended as it should. */
void slot_on_answer(struct load *load, struct load_stream *stream);
void slot_on_end(struct load *load, struct load_stream *stream);

/* ---- stream.c ---- */

/* What nghttp2 calls, for sessions whose user is a load_connection. */
nghttp2_session_callbacks *stream_callbacks(void);

/* Opens it with one ping, and half-closes when that is all. */
void stream_open(struct load_stream *stream, bool half_close);
void stream_ping(struct load_stream *stream);
void stream_half_close(struct load_stream *stream);

#endif
