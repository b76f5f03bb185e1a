/* One HTTP/2 connection: life cycle, bytes in, bytes out, time limits, graceful end. */
#include "h2/core.h"

#include "base/mem.h"
#include "base/text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- life ------------------------------------------------------------------------------------ */

static nghttp2_option *make_options(enum h2_role role)
{
    nghttp2_option *option;
    if (nghttp2_option_new(&option) != 0) {
        return NULL;
    }
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_stream_reset_rate_limit(option, H2_RESET_BURST, H2_RESET_PER_SECOND);
    nghttp2_option_set_max_continuations(option, role == H2_SERVER ? H2_CONTINUATIONS
                                                                   : H2_CONTINUATIONS_CLIENT);
    nghttp2_option_set_max_send_header_block_length(option, 2 * H2_SEND_BLOCK_BYTES);
    nghttp2_option_set_max_outbound_ack(option, H2_OUTBOUND_ACKS);
    nghttp2_option_set_max_settings(option, H2_SETTINGS_ENTRIES);
    nghttp2_option_set_max_reserved_remote_streams(option, 0);
    nghttp2_option_set_peer_max_concurrent_streams(option, H2_MAX_CONCURRENT_STREAMS_DEFAULT);
    return option;
}

static int make_ng_session(struct h2_session *session)
{
    nghttp2_session_callbacks *callbacks = h2_callbacks_new();
    nghttp2_option *option = make_options(session->role);
    nghttp2_mem memory = h2_memory(session); /* copied */
    int rv = NGHTTP2_ERR_NOMEM;
    if (callbacks != NULL && option != NULL) {
        rv = session->role == H2_SERVER
                 ? nghttp2_session_server_new3(&session->ng, callbacks, session, option, &memory)
                 : nghttp2_session_client_new3(&session->ng, callbacks, session, option, &memory);
    }
    h2_memory_made(session);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return rv;
}

/* What is left to send is in a buffer that the thread's sessions share. Returns 0 or a negative
 * code. */
static int keep_rest(struct h2_session *session)
{
    uint8_t *copy = NULL;
    if (session->rest_len > 0) {
        copy = malloc(session->rest_len);
        if (copy == NULL) {
            session->rest_len = 0;
            h2_note_failure(session, NGHTTP2_ERR_NOMEM);
            return NGHTTP2_ERR_NOMEM;
        }
        session->rest = memcpy(copy, session->rest, session->rest_len);
    }
    free(session->rest_copy);
    session->rest_copy = copy;
    return 0;
}

/* nghttp2 has written the client's part of the preface into that buffer. Returns 0 or a negative
 * code. */
static int take_magic(struct h2_session *session)
{
    if (session->role == H2_SERVER) {
        return 0;
    }
    ssize_t len = nghttp2_session_mem_send(h2_ng(session), &session->rest);
    session->rest_len = len > 0 ? (size_t)len : 0;
    return len < 0 ? (int)len : keep_rest(session);
}

static int submit_preface(struct h2_session *session)
{
    const struct h2_limits *limits = &session->limits;
    nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits->stream_window_bytes},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)h2_block_limit_bytes(limits)},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
        {session->role == H2_SERVER ? NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS
                                    : NGHTTP2_SETTINGS_ENABLE_PUSH,
         session->role == H2_SERVER ? limits->max_concurrent_streams : 0},
    };
    int rv = nghttp2_submit_settings(h2_ng(session), NGHTTP2_FLAG_NONE, entries,
                                     sizeof(entries) / sizeof(entries[0]));
    if (rv != 0) {
        return rv;
    }
    return nghttp2_session_set_local_window_size(h2_ng(session), NGHTTP2_FLAG_NONE, 0,
                                                 (int32_t)limits->connection_window_bytes);
}

struct h2_session *h2_session_new(enum h2_role role, const struct h2_limits *limits,
                                  const struct h2_events *events, void *user, uint64_t now_ms)
{
    struct h2_session *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        return NULL;
    }
    session->role = role;
    session->limits = *limits;
    session->events = events;
    session->user = user;
    session->now_ms = now_ms;
    session->opened_ms = now_ms;
    session->last_read_ms = now_ms;
    session->rest_after_ms = H2_REST_MS;
    session->window_updates = H2_WINDOW_UPDATES_INITIAL;
    session->newest_peer_id = -1;
    session->receive_window = (int32_t)limits->connection_window_bytes;
    session->send_window = H2_INITIAL_WINDOW_BYTES;
    session->peer_stream_window = H2_INITIAL_WINDOW_BYTES;
    session->nghttp2_sends = true; /* its SETTINGS */
    list_init(&session->streams);
    list_init(&session->sendable);
    list_init(&session->blocked);
    list_init(&session->creditors);
    list_init(&session->small_shares);
    list_init(&session->large_shares);
    h2_budget_init(&session->budget, now_ms);
    h2_frame_split_init(&session->split, role == H2_SERVER ? NGHTTP2_CLIENT_MAGIC_LEN : 0);
    if (make_ng_session(session) != 0 || take_magic(session) != 0 || submit_preface(session) != 0) {
        h2_session_free(session, H2_INTERNAL_ERROR);
        return NULL;
    }
    return session;
}

static void assert_empty(const struct h2_session *session)
{
    assert(session->stream_count == 0 && session->queued_bytes == 0);
    assert(list_empty(&session->sendable) && list_empty(&session->blocked));
    assert(list_empty(&session->creditors));
    assert(session->data_stream == NULL);
    (void)session; /* with NDEBUG */
}

void h2_session_free(struct h2_session *session, uint32_t error)
{
    if (session == NULL) {
        return;
    }
    session->terminated = true; /* no room for who would open a stream in on_close */
    session->on_output = NULL;
    while (!list_empty(&session->streams)) {
        struct h2_stream *stream = container_of(session->streams.next, struct h2_stream, node);
        bool unprocessed = h2_never_left(stream);
        h2_forget_stream(stream);
        h2_stream_finish(stream, error, unprocessed);
    }
    assert_empty(session);
    h2_block_reader_free(session->block);
    free(session->goaway_text);
    free(session->broken_field);
    free(session->varying);
    nghttp2_session_del(h2_ng(session));
    h2_memory_release(session);
    free(session->rest_copy);
    free(session);
}

void h2_session_on_output(struct h2_session *session, void (*on_output)(void *ctx, bool may_wait),
                          void *ctx)
{
    session->on_output = on_output;
    session->output_ctx = ctx;
    session->output_asked = false;
    h2_request_output(session);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

int h2_session_feed(struct h2_session *session, const uint8_t *bytes, size_t len, uint64_t now_ms)
{
    h2_set_clock(session, now_ms);
    session->last_read_ms = now_ms;
    static const struct h2_frame_ops ops = {h2_on_frame_head, h2_pass, h2_take};
    if (session->terminated) {
        return NGHTTP2_ERR_SESSION_CLOSING;
    }
    h2_ng(session); /* awake, whatever comes */
    int rv = h2_frame_split_feed(&session->split, bytes, len, &ops, session);
    if (session->terminated) {
        return NGHTTP2_ERR_SESSION_CLOSING;
    }
    if (rv != 0) {
        return rv;
    }
    if (session->nghttp2_sends && nghttp2_session_want_write(h2_ng(session))) {
        h2_request_output(session);
    }
    return 0;
}

/* Copies as much of the waiting rest as fits. */
static void take_rest(struct h2_session *session)
{
    size_t room = session->out_capacity - session->out_len;
    size_t take = session->rest_len < room ? session->rest_len : room;
    if (take > 0) {
        memcpy(session->out + session->out_len, session->rest, take);
        session->out_len += take;
        session->rest += take;
        session->rest_len -= take;
    }
}

/* Takes what nghttp2 wants to send, while there is room. Returns 0 or a negative code. */
static int pull_nghttp2(struct h2_session *session)
{
    while (session->rest_len == 0 && session->nghttp2_sends) {
        session->nghttp2_sends = false; /* unless a callback submits something */
        ssize_t len = nghttp2_session_mem_send(h2_ng(session), &session->rest);
        if (len < 0) {
            h2_note_failure(session, (int)len);
            return (int)len;
        }
        session->nghttp2_sends = session->nghttp2_sends || len > 0;
        session->rest_len = (size_t)len;
        take_rest(session);
    }
    return 0;
}

/* Streams' bytes go behind everything that nghttp2 has, so that a stream's block is always sent
 * before. */
static int pull_all(struct h2_session *session)
{
    bool more = true;
    int rv = 0;
    while (more && rv == 0) {
        more = false;
        rv = pull_nghttp2(session);
        if (rv == 0 && session->rest_len == 0 && !session->terminated) {
            rv = h2_data_send(session, &more);
        }
    }
    return rv;
}

ptrdiff_t h2_session_pull(struct h2_session *session, uint8_t *out, size_t capacity,
                          uint64_t now_ms)
{
    h2_set_clock(session, now_ms);
    session->output_asked = true; /* what appears meanwhile is taken along */
    session->out = out;
    session->out_len = 0;
    session->out_capacity = capacity;
    take_rest(session);
    int rv = pull_all(session);
    if (rv == 0 && (session->rest_len > 0 || session->rest_copy != NULL)) {
        rv = keep_rest(session);
    }
    session->out = NULL;
    session->out_capacity = 0;
    session->output_asked = false;
    session->output_noted = false;
    if (session->out_len > 0) {
        h2_ng(session); /* awake, whatever goes */
    }
    return rv != 0 ? rv : (ptrdiff_t)session->out_len;
}

/* ---- time and end ---------------------------------------------------------------------------- */

struct overdue {
    const char *reason; /* NULL: nothing is */
    uint32_t error;
};

static struct overdue find_overdue(const struct h2_session *session)
{
    uint64_t age_ms = session->now_ms - session->opened_ms;
    if (!session->ready && age_ms > H2_PREFACE_MS) {
        return (struct overdue){"peer sent no HTTP/2 preface and SETTINGS in time",
                                H2_SETTINGS_TIMEOUT};
    }
    if (!session->settings_acked && age_ms > H2_SETTINGS_ACK_MS) {
        return (struct overdue){"peer did not acknowledge our SETTINGS in time",
                                H2_SETTINGS_TIMEOUT};
    }
    if (h2_block_in_progress(session) &&
        session->now_ms - session->block_started_ms > H2_HEADER_BLOCK_MS) {
        return (struct overdue){"peer did not finish a header block in time", H2_PROTOCOL_ERROR};
    }
    return (struct overdue){0};
}

int h2_session_tick(struct h2_session *session, uint64_t now_ms)
{
    bool late = now_ms > session->now_ms + H2_STOOD_STILL_MS;
    h2_set_clock(session, now_ms);
    if (late || session->terminated) {
        return 0; /* what came while we stood still is not read yet */
    }
    h2_tick_reserve(session);
    h2_rest_when_quiet(session);
    struct overdue overdue = find_overdue(session);
    if (overdue.reason == NULL) {
        return 0;
    }
    h2_session_terminate(session, overdue.error, overdue.reason);
    return 1;
}

bool h2_session_finished(const struct h2_session *session)
{
    bool goes_on = session->stream_count > 0 && !session->goaway_sent && !session->terminated;
    if (goes_on || session->at_rest) {
        return false; /* without asking nghttp2, as this is asked after every write and tick */
    }
    if (session->rest_len > 0 || nghttp2_session_want_write(h2_ng(session))) {
        return false;
    }
    return session->terminated || !nghttp2_session_want_read(h2_ng(session));
}

/* ---- questions ------------------------------------------------------------------------------- */

const char *h2_session_reason(const struct h2_session *session)
{
    return session->reason;
}

enum h2_blame h2_session_blame(const struct h2_session *session)
{
    return session->blame;
}

size_t h2_session_stream_count(const struct h2_session *session)
{
    return session->stream_count;
}

int32_t h2_session_answered_id(const struct h2_session *session)
{
    return session->answered_id;
}

size_t h2_session_queued_bytes(const struct h2_session *session)
{
    return session->queued_bytes;
}

bool h2_session_stalled(const struct h2_session *session)
{
    return h2_session_is_shut(session) && h2_session_waits(session);
}

bool h2_session_is_shut(const struct h2_session *session)
{
    return session->send_window <= 0;
}

bool h2_session_waits(const struct h2_session *session)
{
    return !list_empty(&session->blocked);
}

bool h2_session_at_rest(const struct h2_session *session)
{
    return session->at_rest;
}

uint64_t h2_session_credited_bytes(const struct h2_session *session)
{
    return session->credited_bytes;
}

size_t h2_session_nobodys_bytes(const struct h2_session *session)
{
    return session->nobodys_bytes;
}

size_t h2_session_peer_window(const struct h2_session *session)
{
    return h2_whole_window(session);
}

const char *h2_session_goaway_text(const struct h2_session *session)
{
    return session->goaway_text;
}

uint32_t h2_session_pings_unanswered(const struct h2_session *session)
{
    return session->pings_unanswered;
}

uint64_t h2_session_last_read_ms(const struct h2_session *session)
{
    return session->last_read_ms;
}

void h2_session_ping(struct h2_session *session)
{
    session->pings_unanswered++;
    nghttp2_submit_ping(h2_ng(session), NGHTTP2_FLAG_NONE, NULL);
    h2_request_nghttp2(session);
}
