#include "limits/conn_try.h"

#include <stdio.h>

void limits_conn_try_init(struct limits_conn_try *try, struct limits_ground *ground,
                          struct limits_sample *sample, const struct limits_conn_events *events,
                          uint64_t begin_ns)
{
    *try = (struct limits_conn_try){
        .ground = ground, .sample = sample, .events = events, .begin_ns = begin_ns};
}

static void finish(struct limits_conn_try *try)
{
    try->state = LIMITS_CONN_OVER;
    try->events->on_over(try);
}

void limits_conn_try_end(struct limits_conn_try *try, enum limits_end how, const char *saw)
{
    if (try->state >= LIMITS_CONN_CLOSING) {
        return;
    }
    try->sample->end = how;
    snprintf(try->sample->saw, sizeof(try->sample->saw), "%s", saw);
    try->events->on_end(try, how);
    try->state = LIMITS_CONN_CLOSING;
    if (try->link != NULL) {
        limits_link_close(try->link);
    }
}

void limits_conn_try_stop(struct limits_conn_try *try)
{
    limits_conn_try_end(try, LIMITS_END_HERE, "");
}

/* ---- the connection -------------------------------------------------------------------------- */

static void on_ready(void *user)
{
    struct limits_conn_try *try = user;
    if (try->state == LIMITS_CONN_DIALLING) {
        try->state = LIMITS_CONN_USED;
        try->sample->opened_ns = limits_ground_now_ns(try->ground);
        try->events->on_ready(try);
    }
}

static void on_goaway(void *user, uint32_t error, const char *debug)
{
    struct limits_conn_try *try = user;
    (void)debug;
    if (try->state == LIMITS_CONN_USED) {
        try->sample->goaway_seen = true;
        try->sample->code = error;
        limits_conn_try_end(try, LIMITS_END_GOAWAY, limits_link_goaway(try->link));
    }
}

static void on_link_closed(void *user, const struct net_error *why)
{
    struct limits_conn_try *try = user;
    try->link = NULL;
    limits_conn_try_end(try, LIMITS_END_CONNECTION, why->text);
    finish(try);
}

static const struct limits_link_events link_events = {
    .on_ready = on_ready,
    .on_goaway = on_goaway,
    .on_closed = on_link_closed,
};

bool limits_conn_try_tick(struct limits_conn_try *try, uint64_t now_ns)
{
    if (try->state == LIMITS_CONN_WAITING && now_ns >= try->begin_ns) {
        try->state = LIMITS_CONN_DIALLING;
        try->link = limits_link_open(try->ground, NULL, &link_events, try);
    } else if (try->state == LIMITS_CONN_CLOSING && try->link == NULL) {
        finish(try);
    }
    return try->state == LIMITS_CONN_USED;
}
