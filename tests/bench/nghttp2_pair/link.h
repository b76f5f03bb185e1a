/* A non-blocking connection: TCP, perhaps TLS, and one nghttp2 session on it; and the epoll loop
 * that moves many.
 *
 * Happy path: link_connect() or link_accept(), on_ready, then the session is fed with what comes,
 * and what it has to send is written once per turn for each link that was read from or given to
 * link_touch(). link_close() from anywhere; on_ended ends it at the end of the turn. Failure:
 * on_ended with a reason, and then without link_close(). */
#ifndef NGHTTP2_PAIR_LINK_H
#define NGHTTP2_PAIR_LINK_H

#include "wire.h"

#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>

struct link;

struct link_events {
    /* Connected, with TLS shaken hands: the session may send. */
    void (*on_ready)(struct link *link);
    /* The socket and the session are gone, the memory is the owner's again. NULL: link_close()
     * asked for it. */
    void (*on_ended)(struct link *link, const char *reason);
};

struct link_loop {
    int epoll_fd;
    struct link *touched;                                  /* to be written or ended in this turn */
    void (*on_connection)(struct link_loop *loop, int fd); /* of the listener; takes fd */
    int listener_fd;
    void *user;
};

struct link {
    struct link_loop *loop;
    const struct link_events *events;
    int fd;
    SSL *ssl;                 /* owned; NULL: plaintext */
    nghttp2_session *session; /* owned */
    struct wire_bytes unsent; /* what the socket did not take */
    struct link *next_touched;
    const char *failure; /* static text */
    bool is_touched, connected, ready, closing, waits_for_room;
};

/* A header field of two texts that outlive it. */
#define LINK_FIELD(name, value)                                                                    \
    {                                                                                              \
        (uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), strlen(name), strlen(value),  \
            NGHTTP2_NV_FLAG_NONE                                                                   \
    }

/* Return 0, or -1 with errno. The first also lets the program open all the files that it may. */
int link_loop_init(struct link_loop *loop);
int link_loop_listen(struct link_loop *loop, unsigned *port); /* of 127.0.0.1; 0 is replaced */
void link_loop_deinit(struct link_loop *loop);

/* Waits for at most `timeout_ns` (negative: for ever) and does all that is to be done. */
int link_loop_turn(struct link_loop *loop, int64_t timeout_ns);

/* The link is in the owner's memory; `ssl` (NULL: plaintext) and `session` are moved in, also when
 * it fails. Return 0, or -1 with errno, and then there is no link. */
int link_connect(struct link *link, struct link_loop *loop, unsigned port, SSL *ssl,
                 nghttp2_session *session, const struct link_events *events);
int link_accept(struct link *link, struct link_loop *loop, int fd, SSL *ssl,
                nghttp2_session *session, const struct link_events *events);

/* Something was submitted outside of this link's own callbacks. */
void link_touch(struct link *link);

void link_close(struct link *link);

/* For the loop: an event came; and the end of a turn in which it was touched. It stays marked while
 * it is flushed, so that what it does then is seen. */
void link_on_event(struct link *link);
void link_end_turn(struct link *link);

#endif
