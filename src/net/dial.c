/* Making one outgoing connection.
 *
 *   resolve -> connect (address 1) -> handshake -> on_done
 *                 |  ^____________________|  a failure goes on to the next address, if there is one
 *                 |________________________> on_done with the error that got furthest
 *
 * The time limit is for everything; each address gets an equal share of what is left, so that one
 * which swallows packets does not hide the others. */
#include "net/dial.h"

#include "base/mem.h"
#include "base/text.h"
#include "net/resolve.h"
#include "net/stream_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum dial_stage { DIAL_RESOLVING, DIAL_CONNECTING, DIAL_SHAKING_HANDS };

struct attempt;

struct net_dial {
    struct net_loop *loop;
    net_dial_done_fn on_done;
    void *user;
    char *host;        /* owned */
    char *label;       /* owned; "localhost:8443", for messages */
    char *server_name; /* owned */
    struct net_tls *tls;
    uint64_t timeout_ms;
    uint64_t deadline_ms;

    struct sockaddr_storage *addresses; /* owned */
    size_t address_count;
    size_t next_address;

    enum dial_stage stage;
    struct net_resolve *resolve; /* while resolving */
    struct attempt *attempt;     /* while connecting */
    struct net_stream *stream;   /* owned from connecting on */
    uint64_t attempt_deadline_ms;

    struct net_flush first_step; /* when there is nothing to resolve */
    struct net_tick tick;
    struct net_error error;      /* the one to report if all addresses fail */
    enum dial_stage error_stage; /* how far that address got */
};

/* libuv needs the request until its callback, which may come after the dial has gone. */
struct attempt {
    uv_connect_t request;
    struct net_dial *dial; /* NULL: abandoned */
};

static void try_next_address(struct net_dial *dial);

static void dial_free(struct net_dial *dial)
{
    net_loop_tick_stop(&dial->tick);
    net_loop_flush_cancel(&dial->first_step);
    free(dial->addresses);
    free(dial->host);
    free(dial->label);
    free(dial->server_name);
    free(dial);
}

static void finish(struct net_dial *dial, const struct net_error *error)
{
    struct net_stream *stream = error == NULL ? dial->stream : NULL;

    net_loop_tick_stop(&dial->tick);
    dial->on_done(dial->user, stream, error);
    dial_free(dial);
}

static void drop_attempt(struct net_dial *dial)
{
    if (dial->attempt != NULL) {
        dial->attempt->dial = NULL;
        dial->attempt = NULL;
    }
    if (dial->stream != NULL) {
        net_stream_close(dial->stream);
        dial->stream = NULL;
    }
}

/* --- what went wrong --- */

/* An error of a later stage says more than "refused" by another address. */
static void note_error(struct net_dial *dial, const struct net_error *error)
{
    if (dial->stage >= dial->error_stage) {
        dial->error = *error;
        dial->error_stage = dial->stage;
    }
}

static void describe_connect(const struct net_dial *dial, char *out, size_t out_bytes)
{
    char address[NET_ADDRESS_TEXT_BYTES];

    net_address_format((const struct sockaddr *)&dial->addresses[dial->next_address - 1], address);
    if (dial->address_count > 1) {
        snprintf(out, out_bytes, "cannot connect to %.120s (%zu addresses, last %s)", dial->label,
                 dial->address_count, address);
    } else if (strcmp(address, dial->label) != 0) {
        snprintf(out, out_bytes, "cannot connect to %.120s (%s)", dial->label, address);
    } else {
        snprintf(out, out_bytes, "cannot connect to %s", address);
    }
}

static void note_connect_error(struct net_dial *dial, int status)
{
    struct net_error error;
    char what[256];

    describe_connect(dial, what, sizeof(what));
    net_error_from_uv(&error, status, what);
    note_error(dial, &error);
}

static void note_timeout(struct net_dial *dial)
{
    struct net_error error;
    char what[256];
    char limit[24];

    text_format_duration(limit, sizeof(limit), dial->timeout_ms * 1000000);
    switch (dial->stage) {
    case DIAL_RESOLVING:
        net_error_set(&error, NET_TIMED_OUT, "name \"%s\" did not resolve within %s", dial->host,
                      limit);
        break;
    case DIAL_CONNECTING:
        describe_connect(dial, what, sizeof(what));
        net_error_set(&error, NET_TIMED_OUT, "%s: no answer (limit %s)", what, limit);
        break;
    case DIAL_SHAKING_HANDS:
        net_error_set(&error, NET_TIMED_OUT,
                      "%s accepted the connection but did not finish the TLS handshake (limit %s): "
                      "does it speak TLS (else --plaintext)?",
                      dial->label, limit);
        break;
    }
    note_error(dial, &error);
}

/* --- the way --- */

static void on_ready(void *owner, const struct net_error *error)
{
    struct net_dial *dial = owner;

    if (error == NULL) {
        finish(dial, NULL);
        return;
    }
    note_error(dial, error);
    drop_attempt(dial);
    try_next_address(dial);
}

static void on_connect(uv_connect_t *request, int status)
{
    struct attempt *attempt = container_of(request, struct attempt, request);
    struct net_dial *dial = attempt->dial;

    free(attempt);
    if (dial == NULL) {
        return;
    }
    dial->attempt = NULL;
    if (status < 0) {
        note_connect_error(dial, status);
        drop_attempt(dial);
        try_next_address(dial);
        return;
    }
    dial->stage = DIAL_SHAKING_HANDS;
    net_stream_connected(dial->stream);
    net_stream_handshake(dial->stream, dial->tls, dial->label, dial->server_name, on_ready, dial);
}

static int connect_to(struct net_dial *dial, const struct sockaddr *address)
{
    struct attempt *attempt = mem_new(struct attempt);
    int status;

    attempt->dial = dial;
    dial->stream = net_stream_new(dial->loop, &dial->loop->dialled);
    status = uv_tcp_connect(&attempt->request, &dial->stream->tcp, address, on_connect);
    if (status < 0) {
        free(attempt);
        return status;
    }
    dial->attempt = attempt;
    return 0;
}

static void share_time(struct net_dial *dial)
{
    uint64_t now_ms = uv_now(&dial->loop->uv);
    uint64_t left_ms = dial->deadline_ms > now_ms ? dial->deadline_ms - now_ms : 0;

    dial->attempt_deadline_ms = now_ms + left_ms / (dial->address_count - dial->next_address);
}

static void try_next_address(struct net_dial *dial)
{
    while (dial->next_address < dial->address_count) {
        const struct sockaddr_storage *address;
        int status;

        share_time(dial);
        address = &dial->addresses[dial->next_address++];
        dial->stage = DIAL_CONNECTING;
        status = connect_to(dial, (const struct sockaddr *)address);
        if (status == 0) {
            return;
        }
        note_connect_error(dial, status);
        drop_attempt(dial);
    }
    finish(dial, &dial->error);
}

static void on_resolved(void *user, const struct sockaddr_storage *addresses, size_t count,
                        const struct net_error *error)
{
    struct net_dial *dial = user;

    dial->resolve = NULL;
    if (error != NULL) {
        finish(dial, error);
        return;
    }
    dial->addresses = mem_calloc(count, sizeof(*addresses));
    memcpy(dial->addresses, addresses, count * sizeof(*addresses));
    dial->address_count = count;
    try_next_address(dial);
}

static void on_first_step(struct net_flush *flush)
{
    try_next_address(container_of(flush, struct net_dial, first_step));
}

static void on_tick(struct net_tick *tick, uint64_t now_ms)
{
    struct net_dial *dial = container_of(tick, struct net_dial, tick);

    if (now_ms < dial->attempt_deadline_ms) {
        return;
    }
    note_timeout(dial);
    if (dial->resolve != NULL) {
        net_resolve_cancel(dial->resolve);
        dial->resolve = NULL;
    }
    drop_attempt(dial);
    try_next_address(dial);
}

/* --- start and end --- */

static char *make_label(const struct net_dial_config *config)
{
    char text[TEXT_ADDRESS_BYTES];
    if (config->port == 0) {
        return mem_strdup(config->host);
    }
    return mem_strdup(text_format_address(text, sizeof(text), config->host, config->port));
}

static void set_address(struct net_dial *dial, const struct sockaddr *address)
{
    size_t len =
        address->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);

    assert(address->sa_family == AF_INET || address->sa_family == AF_INET6);
    dial->addresses = mem_new(struct sockaddr_storage);
    memcpy(dial->addresses, address, len);
    dial->address_count = 1;
}

struct net_dial *net_dial_start(struct net_loop *loop, const struct net_dial_config *config,
                                net_dial_done_fn on_done, void *user)
{
    struct net_dial *dial = mem_new(struct net_dial);

    dial->loop = loop;
    dial->on_done = on_done;
    dial->user = user;
    dial->host = mem_strdup(config->host);
    dial->label = make_label(config);
    dial->server_name =
        mem_strdup(config->server_name != NULL ? config->server_name : config->host);
    dial->tls = config->tls;
    dial->timeout_ms = config->timeout_ms;
    dial->deadline_ms = uv_now(&loop->uv) + config->timeout_ms;
    dial->attempt_deadline_ms = dial->deadline_ms;
    dial->first_step.flush = on_first_step;
    dial->tick.tick = on_tick;
    list_init(&dial->first_step.node);
    list_init(&dial->tick.node);
    net_loop_tick_start(loop, &dial->tick);
    if (config->address != NULL) {
        set_address(dial, config->address);
        net_loop_flush_soon(loop, &dial->first_step);
    } else {
        dial->resolve = net_resolve_start(loop, config->host, config->port, on_resolved, dial);
    }
    return dial;
}

void net_dial_cancel(struct net_dial *dial)
{
    if (dial->resolve != NULL) {
        net_resolve_cancel(dial->resolve);
    }
    drop_attempt(dial);
    dial_free(dial);
}
