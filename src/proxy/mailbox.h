/* Questions of another thread, answered on the loop: the asker waits. */
#ifndef GRPCROUTE_PROXY_MAILBOX_H
#define GRPCROUTE_PROXY_MAILBOX_H

#include "net/loop.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* An asker waits for at most this long. */
#define PROXY_MAILBOX_MS   5000
#define PROXY_MAILBOX_LINE 1024

/* Answers `what` with a status and a line in `out`; on the loop's thread. */
typedef unsigned proxy_mailbox_fn(void *user, int what, char *out, size_t out_bytes);

struct proxy_mailbox {
    uv_async_t wake;
    proxy_mailbox_fn *answer;
    void *user;
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    /* Under the mutex: */
    bool open;
    bool asked;
    bool has_answer;
    int what;
    unsigned status;
    char line[PROXY_MAILBOX_LINE];
};

void proxy_mailbox_open(struct proxy_mailbox *mailbox, struct net_loop *loop,
                        proxy_mailbox_fn *answer, void *user);

/* From this moment on nobody is answered; who waits learns it. Repeats are harmless, and so is a
 * zeroed struct. The memory must stay until the loop has run and no thread asks. On the loop's
 * thread, also from within an answer, which still arrives. */
void proxy_mailbox_close(struct proxy_mailbox *mailbox);

/* Asks, and waits for the answer: a status of HTTP, 503 where there will be none. One asker at a
 * time, on any thread but the loop's. */
unsigned proxy_mailbox_ask(struct proxy_mailbox *mailbox, int what, char *out, size_t out_bytes);

#endif
