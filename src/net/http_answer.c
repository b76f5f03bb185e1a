/* While libevent writes it would also read: what comes behind the request, without a limit, and the
 * end of a client that only has nothing more to ask, which would be the end of its answer. So
 * reading is off until all is written; then libevent takes it up again. */
#include "net/http_answer.h"

#include "net/http_connection.h"
#include "net/http_places.h"
#include "net/http_request.h"
#include "net/http_turns.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <stdio.h>
#include <string.h>

static void add_header(struct evhttp_request *asked, const char *name, const char *value)
{
    evhttp_add_header(evhttp_request_get_output_headers(asked), name, value);
}

static void add_headers(struct evhttp_request *asked, const struct net_http_response *out)
{
    add_header(asked, "Content-Type", out->content_type);
    add_header(asked, "Cache-Control", "no-store");
    add_header(asked, "X-Content-Type-Options", "nosniff");
    if (out->policy != NULL) {
        add_header(asked, "Content-Security-Policy", out->policy);
        add_header(asked, "Referrer-Policy", "no-referrer");
    }
}

/* One of HTTP/1.0 that would be kept alive is not told so. */
static void close_behind(struct evhttp_request *asked)
{
    evhttp_remove_header(evhttp_request_get_input_headers(asked), "Connection");
    add_header(asked, "Connection", "close");
}

static void on_sent(struct evhttp_request *asked, void *user)
{
    struct http_place *place = user;
    (void)asked;
    http_place_touch(place);
}

static void send_bytes(struct http_place *place, unsigned status, const void *bytes, size_t len,
                       bool whole)
{
    struct evhttp_request *asked = place->request;
    struct evbuffer *body = evbuffer_new();
    char length[32];
    if (body == NULL || (whole && evbuffer_add(body, bytes, len) != 0)) {
        http_connection_end(place);
    } else {
        snprintf(length, sizeof(length), "%zu", len);
        add_header(asked, "Content-Length", length);
        if (http_request_hides_body(asked)) {
            close_behind(asked); /* else that body were the next request */
        }
        place->request = NULL;
        evhttp_request_set_on_complete_cb(asked, on_sent, place);
        evhttp_send_reply(asked, (int)status, NULL, body);
        bufferevent_disable(place->stream, EV_READ);
    }
    if (body != NULL) {
        evbuffer_free(body);
    }
}

void http_answer_send(struct http_place *place, struct net_http_response *out, bool whole)
{
    add_headers(place->request, out);
    send_bytes(place, out->status, buf_data(&out->body), out->body.len, whole);
    buf_deinit(&out->body);
}

void http_answer_refuse(struct http_place *place, unsigned status, const char *text,
                        const char *allow)
{
    const struct net_http_response out = {.status = status, .content_type = HTTP_TEXT_TYPE};
    struct evhttp_request *asked = place->request;
    bool whole = evhttp_request_get_command(asked) != EVHTTP_REQ_HEAD;
    add_headers(asked, &out);
    if (allow != NULL) {
        add_header(asked, "Allow", allow);
    }
    close_behind(asked);
    if (evhttp_request_get_command(asked) == EVHTTP_REQ_CONNECT) {
        asked->type = EVHTTP_REQ_POST; /* else libevent keeps the connection */
    }
    send_bytes(place, status, text, strlen(text), whole);
}

void http_answer_stream(struct http_place *place, const struct net_http_response *out)
{
    struct evhttp_request *asked = place->request;
    add_headers(asked, out);
    close_behind(asked); /* which also spares one of HTTP/1.0 a length of 0 */
    evhttp_send_reply_start(asked, (int)out->status, NULL);
    bufferevent_disable(place->stream, EV_READ);
}

void http_answer_stream_more(struct http_place *place, const void *bytes, size_t len)
{
    struct evbuffer *chunk = evbuffer_new();
    if (chunk == NULL || evbuffer_add(chunk, bytes, len) != 0) {
        http_connection_end(place);
    } else {
        evhttp_send_reply_chunk(place->request, chunk);
        bufferevent_disable(place->stream, EV_READ);
    }
    if (chunk != NULL) {
        evbuffer_free(chunk);
    }
}
