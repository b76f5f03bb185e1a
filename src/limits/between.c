/*   dialling --ready--> trying --told--> closing --connection closed--> over
 *   dialling --no connection, stopped--> over */
#include "limits/between.h"

#define PATIENCE_MS 4000
/* More than a few pods are asked. */
#define ASK_TIMES 8

static void finish_when_idle(struct limits_between *between)
{
    if (between->link == NULL && !between->trial.running) {
        between->running = false;
        between->on_over(between->user);
    }
}

static void on_trial_over(void *user, const struct limits_trial_seen *seen)
{
    struct limits_between *between = user;
    (void)seen; /* the ground has it */
    if (between->link != NULL) {
        limits_link_close(between->link);
    } else {
        finish_when_idle(between);
    }
}

static void on_ready(void *user)
{
    struct limits_between *between = user;
    const struct limits_trial_setup setup = {
        .script = {.echo = true},
        .sends = true,
        .until = LIMITS_UNTIL_ANSWER,
        .patience_ms = PATIENCE_MS,
        .asking = LIMITS_ASK_ONCE,
        .ask_times = ASK_TIMES,
    };
    if (!between->tried) {
        between->tried = true;
        limits_trial_start(&between->trial, between->ground, between->link, &setup, on_trial_over,
                           between);
    }
}

static void on_link_closed(void *user, const struct net_error *why)
{
    struct limits_between *between = user;
    (void)why;
    between->link = NULL;
    finish_when_idle(between);
}

static const struct limits_link_events link_events = {
    .on_ready = on_ready,
    .on_closed = on_link_closed,
};

void limits_between_start(struct limits_between *between, struct limits_ground *ground,
                          void (*on_over)(void *user), void *user)
{
    *between = (struct limits_between){
        .ground = ground, .on_over = on_over, .user = user, .running = true};
    between->link = limits_link_open(ground, NULL, &link_events, between);
}

void limits_between_stop(struct limits_between *between)
{
    if (!between->running) {
        return;
    }
    between->tried = true;
    if (between->trial.running) {
        limits_trial_stop(&between->trial);
    } else if (between->link != NULL) {
        limits_link_close(between->link);
    }
}
