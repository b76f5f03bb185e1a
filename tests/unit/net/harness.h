/* What the tests of net share: a loop with deadlines, both ends of a connection, certificates, and
 * peers made of bare OpenSSL for what our own code would never do. */
#ifndef GRPCROUTE_TESTS_NET_HARNESS_H
#define GRPCROUTE_TESTS_NET_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/dial.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/stream.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>

/* Every wait of a test ends after this, failing it. */
#define TEST_DEADLINE_MS 20000

/* One end of a connection and what happened to it. */
struct end {
    struct net_loop *loop;
    struct net_stream *stream;
    bool ready; /* dialed or accepted */
    bool failed;
    bool closed;
    bool echo;
    bool close_on_data;
    bool hold; /* do not start the stream when it is ready */
    bool starting;
    int data_calls;
    int writable_calls;
    int closed_calls;
    size_t to_send; /* bytes of the pattern still to be sent */
    size_t sent;
    struct buf received;
    struct net_error error; /* of the dial, or why it closed */
};

struct harness {
    struct net_loop loop;
    struct net_tls *server_tls;
    struct net_tls *client_tls;
    struct net_listener *listener;
    struct net_listener *fed; /* that takes what `listener` accepts; NULL: it keeps it */
    struct end server;        /* the last one accepted */
    struct end client;
    bool drop; /* close every accepted stream at once, without a start */
    int accepted;
    int refused;
    struct net_error refusal;
};

/* Group fixtures: make certificates in a temporary directory with the script of the repository. */
int certificates_make(void **state);
int certificates_remove(void **state);
/* The path of a file there; valid until the eighth next call. */
const char *certificate(const char *name);
/* Makes NAME.pem there, signed by our CA for localhost, valid between these offsets from now. */
void certificate_sign(const char *name, long from_s, long until_s);

/* A loop, and for `tls` contexts for both sides. */
void harness_init(struct harness *harness, bool tls);
void harness_deinit(struct harness *harness);
/* Listens on 127.0.0.1. */
void harness_listen(struct harness *harness);
/* The same with one that accepts, and one that it gives everything to. */
void harness_listen_fed(struct harness *harness);
/* Dials the listener (or `port` when not 0) as localhost, at 127.0.0.1. */
struct net_dial *harness_dial(struct harness *harness, uint16_t port, uint64_t timeout_ms);
/* Both, and waits until both ends are ready and started. */
void harness_connect(struct harness *harness);
/* Turns the loop until the flag is set. */
void run_until(struct net_loop *loop, const bool *flag);
void run_for(struct net_loop *loop, uint64_t ms);
/* Turns the loop until `end` has received `len` bytes. */
void run_until_received(struct end *end, size_t len);

extern const struct net_stream_events end_events;
void end_start(struct end *end, struct net_stream *stream);
void end_send_text(struct end *end, const char *text);
/* Sends `len` bytes of the pattern, as fast as the socket takes them. */
void end_send_pattern(struct end *end, size_t len);
void end_check_pattern(const struct end *end, size_t len);

/* --- bare peers, in threads with blocking sockets --- */

struct raw {
    int fd;
    SSL *ssl;
    BIO *in;
    BIO *out;
};

/* A listening socket on 127.0.0.1 that accepts nothing by itself. */
int raw_listen(uint16_t *ret_port);
int raw_connect(uint16_t port);
/* Wraps a connected socket; `ctx` NULL: no TLS. */
void raw_open(struct raw *raw, int fd, SSL_CTX *ctx, bool server);
void raw_close(struct raw *raw);
/* Sends what OpenSSL has produced. Returns false when the peer has gone. */
bool raw_flush(struct raw *raw);
/* Waits for bytes. Returns false at the end. */
bool raw_fill(struct raw *raw);
/* Runs the handshake; the last flight stays in `out`. Returns 1, or OpenSSL's error code. */
int raw_handshake(struct raw *raw);

void thread_start(pthread_t *thread, void *(*run)(void *), void *arg);

#endif
