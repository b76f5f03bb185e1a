/* The slots of a load: their connections, what each does next, and what is counted: see load.h. */
#include "load.h"
#include "tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LATE_NS           (10 * NS_PER_MS) /* a ping that was sent later after its time is late */
#define STREAM_WINDOW     (1024 * 1024)    /* so that the driver never is what a peer waits for */
#define CONNECTION_WINDOW (16 * 1024 * 1024)

/* ---- connections ---------------------------------------------------------------------------- */

static void on_ready(struct link *link)
{
    struct load_connection *connection = (struct load_connection *)link;
    struct load *load = connection->load;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
    };
    bool is_call = load->options.kind == LOAD_UNARY || load->options.kind == LOAD_CONNECT;

    load->coming_up--;
    if (link->ssl != NULL && SSL_session_reused(link->ssl) && load->phase == LOAD_MEASURING) {
        load->resumed++;
    }
    nghttp2_submit_settings(link->session, NGHTTP2_FLAG_NONE, settings, 2);
    nghttp2_session_set_local_window_size(link->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
    for (size_t i = 0; i < load->options.streams; i++) {
        stream_open(&connection->streams[i], is_call);
    }
}

static void on_ended(struct link *link, const char *reason)
{
    struct load_connection *connection = (struct load_connection *)link;
    struct load *load = connection->load;

    connection->is_open = false;
    load->open_connections--;
    if (reason != NULL && load->phase != LOAD_DONE) {
        load_fail(load, "connection %zu: %s", connection->index, reason);
    } else if (load->options.kind == LOAD_CONNECT && load_is_running(load)) {
        slot_come_up(connection);
    }
}

void slot_come_up(struct load_connection *connection)
{
    static const struct link_events events = {on_ready, on_ended};
    struct load *load = connection->load;
    nghttp2_session *session;
    SSL *ssl = tls_connecting(load->tls);

    if (nghttp2_session_client_new2(&session, load->callbacks, connection, load->session_options) !=
        0) {
        abort();
    }
    if (ssl != NULL && load->session != NULL) {
        SSL_set_session(ssl, load->session);
    }
    if (load->options.kind == LOAD_CONNECT) {
        connection->streams->due_ns = load_now_ns();
        load->sent++;
    }
    if (link_connect(&connection->link, &load->loop, load->options.port, ssl, session, &events)) {
        load_fail(load, "connection %zu: %s", connection->index, strerror(errno));
        return;
    }
    connection->is_open = true;
    load->coming_up++;
    load->open_connections++;
}

int slot_on_session(SSL *ssl, SSL_SESSION *session)
{
    struct load *load = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    SSL_SESSION_free(load->session);
    load->session = session;
    return 1; /* it is ours now */
}

/* ---- pings ---------------------------------------------------------------------------------- */

void slot_again(struct load *load, struct load_stream *stream)
{
    if (load->options.kind == LOAD_CONNECT) {
        slot_come_up(stream->connection);
        return;
    }
    load->sent++;
    stream->due_ns = load_now_ns();
    if (load->options.kind == LOAD_UNARY) {
        stream_open(stream, true);
    } else {
        stream_ping(stream);
    }
}

uint64_t slot_due_ns(const struct load *load, uint64_t number)
{
    return load->schedule_ns + (uint64_t)((__uint128_t)number * NS_PER_S / load->options.rate);
}

/* When the ping that was answered now should have been sent: a stream's first belongs to no
 * schedule. */
static uint64_t due_ns_of_answer(const struct load *load, const struct load_stream *stream)
{
    if (load->options.rate == 0 || stream->answered < 2) {
        return stream->due_ns;
    }
    return slot_due_ns(load, (stream->answered - 2) * load_slots(load) + stream->index);
}

static void count(struct load *load, uint64_t due_ns)
{
    uint64_t now_ns = load_now_ns();

    if (load->phase == LOAD_OPENING) {
        load->slots_answered++;
    } else if (load->phase == LOAD_MEASURING) {
        load->answered++;
        histogram_add(&load->latencies, now_ns > due_ns ? now_ns - due_ns : 0);
    }
}

void slot_on_answer(struct load *load, struct load_stream *stream)
{
    load->outstanding--;
    if (load->options.kind == LOAD_STREAMS || load->options.kind == LOAD_IDLE) {
        count(load, due_ns_of_answer(load, stream));
        if (load->options.kind == LOAD_STREAMS && load->options.rate == 0 &&
            load_is_running(load)) {
            slot_again(load, stream);
        }
    }
}

void slot_on_end(struct load *load, struct load_stream *stream)
{
    if (load->options.kind == LOAD_UNARY) {
        count(load, stream->due_ns);
        if (load_is_running(load)) {
            slot_again(load, stream);
        }
    } else if (load->options.kind == LOAD_CONNECT) {
        count(load, stream->due_ns);
        link_close(&stream->connection->link); /* on_ended() goes on */
    }
}

void slot_send_scheduled(struct load *load, uint64_t now_ns)
{
    while (slot_due_ns(load, load->scheduled) <= now_ns) {
        uint64_t behind_ns = now_ns - slot_due_ns(load, load->scheduled);
        slot_again(load, &load->all[load->scheduled % load_slots(load)]);
        load->scheduled++;
        load->late += behind_ns > LATE_NS;
        if (behind_ns > load->behind_ns) {
            load->behind_ns = behind_ns;
        }
    }
}
