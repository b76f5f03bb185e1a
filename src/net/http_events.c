/* Server-sent events (HTML Living Standard, 9.2) for any number of ticks on one connection.
 *
 *   idle --event--> sending --all sent--> idle
 *                      `-- too slow, nothing taken for NET_HTTP_TIMEOUT_S, left --> closed
 *
 * An idle reader costs nothing: nobody waits for its socket. That its client left is therefore
 * noticed with the next event. */
#include "net/http_events.h"

#include "base/list.h"
#include "base/mem.h"
#include "net/http_answer.h"
#include "net/http_connection.h"
#include "net/http_places.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <sys/socket.h>

/* Small, so that a slow reader's events wait here, where they are counted. */
#define SEND_BUFFER_BYTES (64 * 1024)

void http_events_begin(struct http_place *place, struct net_http_response *out)
{
    int bytes = SEND_BUFFER_BYTES;
    setsockopt(bufferevent_getfd(place->stream), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    out->content_type = "text/event-stream";
    http_place_reads(place);
    http_answer_stream(place, out);
    http_answer_stream_more(place, buf_data(&out->body), out->body.len);
    buf_deinit(&out->body);
}

void net_http_event(struct buf *out, const char *data, size_t len)
{
    (void)buf_append(out, "data: ", 6, SIZE_MAX);
    (void)buf_append(out, data, len, SIZE_MAX);
    (void)buf_append(out, "\n\n", 2, SIZE_MAX);
}

static void give(struct http_place *place, const struct buf *event)
{
    size_t waiting = evbuffer_get_length(bufferevent_get_output(place->stream));
    if (waiting + event->len > NET_HTTP_EVENTS_BYTES) {
        http_connection_end(place);
        return;
    }
    if (waiting == 0) {
        http_connection_is_active(place); /* from now on it has something to take */
    }
    http_answer_stream_more(place, buf_data(event), event->len);
}

void http_events_publish(struct http_places *places, const char *data, size_t len)
{
    struct buf event = {0};
    struct list *node;
    struct list *next;
    net_http_event(&event, data, len);
    list_each(node, next, &places->places)
    {
        struct http_place *place = container_of(node, struct http_place, node);
        if (place->reads_events) {
            give(place, &event);
        }
    }
    buf_deinit(&event);
}
