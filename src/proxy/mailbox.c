#include "proxy/mailbox.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define UNAVAILABLE 503
#define MS_PER_S    1000

static void on_wake(uv_async_t *wake)
{
    struct proxy_mailbox *mailbox = wake->data;
    char line[PROXY_MAILBOX_LINE] = "";
    pthread_mutex_lock(&mailbox->mutex);
    bool asked = mailbox->asked;
    int what = mailbox->what;
    mailbox->asked = false;
    pthread_mutex_unlock(&mailbox->mutex);
    if (!asked) {
        return;
    }
    unsigned status = mailbox->answer(mailbox->user, what, line, sizeof(line));
    pthread_mutex_lock(&mailbox->mutex);
    mailbox->status = status;
    memcpy(mailbox->line, line, sizeof(line));
    mailbox->has_answer = true;
    pthread_cond_signal(&mailbox->answered);
    pthread_mutex_unlock(&mailbox->mutex);
}

void proxy_mailbox_open(struct proxy_mailbox *mailbox, struct net_loop *loop,
                        proxy_mailbox_fn *answer, void *user)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&mailbox->answered, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&mailbox->mutex, NULL);
    mailbox->answer = answer;
    mailbox->user = user;
    uv_async_init(&loop->uv, &mailbox->wake, on_wake);
    uv_unref((uv_handle_t *)&mailbox->wake);
    mailbox->wake.data = mailbox;
    mailbox->open = true;
}

void proxy_mailbox_close(struct proxy_mailbox *mailbox)
{
    if (mailbox->answer == NULL) {
        return;
    }
    mailbox->answer = NULL;
    pthread_mutex_lock(&mailbox->mutex);
    mailbox->open = false;
    bool waits = mailbox->asked;
    if (waits) { /* for an answer that nobody will give */
        mailbox->asked = false;
        mailbox->status = UNAVAILABLE;
        snprintf(mailbox->line, sizeof(mailbox->line), "the proxy is draining");
        mailbox->has_answer = true;
        pthread_cond_signal(&mailbox->answered);
    }
    pthread_mutex_unlock(&mailbox->mutex);
    uv_close((uv_handle_t *)&mailbox->wake, NULL);
}

/* With the mutex held. */
static bool wait_for_answer(struct proxy_mailbox *mailbox)
{
    struct timespec until;
    int rv = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PROXY_MAILBOX_MS / MS_PER_S;
    while (!mailbox->has_answer && rv == 0) {
        rv = pthread_cond_timedwait(&mailbox->answered, &mailbox->mutex, &until);
    }
    return mailbox->has_answer;
}

unsigned proxy_mailbox_ask(struct proxy_mailbox *mailbox, int what, char *out, size_t out_bytes)
{
    unsigned status = UNAVAILABLE;
    pthread_mutex_lock(&mailbox->mutex);
    if (!mailbox->open) {
        snprintf(out, out_bytes, "the proxy is draining");
    } else {
        mailbox->what = what;
        mailbox->has_answer = false;
        mailbox->asked = true;
        uv_async_send(&mailbox->wake);
        if (wait_for_answer(mailbox)) {
            status = mailbox->status;
            snprintf(out, out_bytes, "%s", mailbox->line);
        } else {
            mailbox->asked = false;
            snprintf(out, out_bytes, "no answer within %d s", PROXY_MAILBOX_MS / MS_PER_S);
        }
    }
    pthread_mutex_unlock(&mailbox->mutex);
    return status;
}
