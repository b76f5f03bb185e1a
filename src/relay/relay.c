#include "relay/relay.h"

#include "base/clock.h"
#include "net/error.h"
#include "net/listener.h"
#include "relay/worker.h"

#include <stdio.h>
#include <string.h>

int relay_init(struct relay *relay, const struct relay_config *config, struct net_error *ret_error)
{
    relay->config = *config;
    relay->source = (struct log_source){"proxy", NULL, config->id};
    relay->started_ms = clock_now_ms();
    for (unsigned i = 0; i < config->workers; i++) {
        int rv = worker_init(&relay->workers[i], relay, i, ret_error);
        relay->worker_count = i + 1;
        if (rv != 0) {
            return rv;
        }
        relay->config.listen.port = net_listener_port(relay->workers[i].listener);
    }
    snprintf(relay->listen_name, sizeof(relay->listen_name), "%s",
             net_listener_name(relay->workers[0].listener));
    return 0;
}

static void *run_thread(void *worker)
{
    worker_run(worker);
    return NULL;
}

int relay_run(struct relay *relay, void (*on_started)(void *user), void *user)
{
    unsigned running = 1;
    int error = 0;
    while (running < relay->worker_count && error == 0) {
        struct worker *worker = &relay->workers[running];
        atomic_fetch_add(&relay->others, 1);
        error = pthread_create(&worker->thread, NULL, run_thread, worker);
        running += error == 0;
    }
    if (error == 0) {
        on_started(user);
    } else {
        atomic_fetch_sub(&relay->others, 1); /* that did not start */
        relay_drain(relay);
        relay_drain(relay); /* twice: everything ends now */
    }
    worker_run(&relay->workers[0]);
    for (unsigned i = 1; i < running; i++) {
        pthread_join(relay->workers[i].thread, NULL);
    }
    return error;
}

void relay_deinit(struct relay *relay)
{
    for (unsigned i = 0; i < relay->worker_count; i++) {
        worker_deinit(&relay->workers[i]);
    }
}

bool relay_drain(struct relay *relay)
{
    int requests = atomic_fetch_add(&relay->drain_requests, 1);
    for (unsigned i = 0; i < relay->worker_count; i++) {
        worker_wake(&relay->workers[i]);
    }
    return requests == 0;
}
