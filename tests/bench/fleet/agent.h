/* One connection of the fleet: TLS 1.3 on a socket that never blocks, and as much HTTP/2 as a ping
 * needs, written by hand so that nothing is shared with what is measured. */
#ifndef FLEET_AGENT_H
#define FLEET_AGENT_H

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AGENT_CAUSE_BYTES  96
#define AGENT_HEAD_BYTES   9 /* of a frame: RFC 9113 section 4.1 */
#define AGENT_PREFIX_BYTES 5 /* gRPC's, of a message */
#define AGENT_BODY_BYTES   8 /* of a frame's payload that is looked at */

enum agent_state {
    AGENT_CLOSED,
    AGENT_CONNECTING,
    AGENT_SHAKING_HANDS,
    AGENT_OPEN,
};

struct agent {
    int fd;
    SSL *ssl; /* owned; NULL: plaintext */
    enum agent_state state;
    unsigned streams;      /* opened on it */
    size_t pong_bytes;     /* of one, with gRPC's prefix: all are equally long; 0: none came yet */
    size_t answer_bytes;   /* of all its streams; a pong may come in several frames */
    unsigned pings_left;   /* to send on the first stream, each when the last was answered */
    uint64_t begun_us;     /* dialled */
    unsigned syns_resent;  /* until it was connected */
    unsigned char *unsent; /* owned, or NULL: what the socket did not take */
    size_t unsent_len;
    unsigned char head[AGENT_HEAD_BYTES]; /* of the frame that arrives */
    unsigned char body[AGENT_BODY_BYTES];
    unsigned char prefix[AGENT_PREFIX_BYTES]; /* of the first pong on the only stream */
    size_t prefix_len;
    size_t head_len;
    size_t body_seen;              /* bytes of its payload so far */
    char cause[AGENT_CAUSE_BYTES]; /* why it is closed; empty: it never was open, or was told to */
};

/* Dials; `ctx` NULL: plaintext. Returns 0, or -1 with a cause. */
int agent_dial(struct agent *agent, const struct sockaddr_in *target, SSL_CTX *ctx);

/* Goes on where it stands; to be called when the socket can be read or written. It opens `streams`
 * streams with a ping on each once it may. */
void agent_advance(struct agent *agent, unsigned streams);

/* Pings answered, of all its streams. */
size_t agent_answered(const struct agent *agent);

/* Sends `count` pings on the first stream, one after the other. */
void agent_ping(struct agent *agent, unsigned count);

/* Whether it waits for room in its socket. */
bool agent_wants_to_write(const struct agent *agent);

/* Closes it; `cause` is printf's, NULL: none. */
void agent_close(struct agent *agent, const char *cause, ...) __attribute__((format(printf, 2, 3)));

#endif
