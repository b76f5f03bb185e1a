/* Server-sent events (HTML Living Standard, 9.2) for any number of ticks on one connection.
 *
 *   reading --queue empty--> suspended --event--> reading --left, too slow, server closed--> freed
 *
 * A suspended connection costs nothing: libmicrohttpd neither polls it nor counts its idle time.
 * That its client left is therefore noticed with the next event. A reader that takes nothing is
 * disconnected when its queue is full, or by the idle time. */
#include "net/http_events.h"

#include "base/mem.h"
#include "net/http.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Small, so that a slow reader's events wait here, where they are counted. */
#define SEND_BUFFER_BYTES (64 * 1024)
/* What libmicrohttpd asks for at once. */
#define BLOCK_BYTES (8 * 1024)

struct subscriber {
    struct list node;
    struct http_events *events;        /* borrowed */
    struct MHD_Connection *connection; /* borrowed */
    struct buf queue;
    bool suspended;
    bool ended;
};

void http_events_init(struct http_events *events)
{
    list_init(&events->subscribers);
    events->count = 0;
}

static ssize_t on_wanted(void *user, uint64_t position, char *out, size_t max)
{
    struct subscriber *subscriber = user;
    (void)position;
    if (subscriber->ended) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    size_t len = subscriber->queue.len < max ? subscriber->queue.len : max;
    if (len == 0) {
        subscriber->suspended = true;
        MHD_suspend_connection(subscriber->connection);
        return 0;
    }
    memcpy(out, buf_data(&subscriber->queue), len);
    buf_consume(&subscriber->queue, len);
    return (ssize_t)len;
}

static void on_freed(void *user)
{
    struct subscriber *subscriber = user;
    list_remove(&subscriber->node);
    subscriber->events->count--;
    buf_deinit(&subscriber->queue);
    free(subscriber);
}

static int descriptor(const struct subscriber *subscriber)
{
    return MHD_get_connection_info(subscriber->connection, MHD_CONNECTION_INFO_CONNECTION_FD)
        ->connect_fd;
}

struct MHD_Response *http_events_subscribe(struct http_events *events,
                                           struct MHD_Connection *connection, struct buf *first)
{
    int bytes = SEND_BUFFER_BYTES;
    struct subscriber *subscriber = mem_new(struct subscriber);
    subscriber->events = events;
    subscriber->connection = connection;
    subscriber->queue = *first;
    *first = (struct buf){0};
    list_init(&subscriber->node);
    setsockopt(descriptor(subscriber), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    list_append(&events->subscribers, &subscriber->node);
    events->count++;
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_wanted, subscriber, on_freed);
    if (response == NULL) {
        on_freed(subscriber);
    }
    return response;
}

void net_http_event(struct buf *out, const char *data, size_t len)
{
    (void)buf_append(out, "data: ", 6, SIZE_MAX);
    (void)buf_append(out, data, len, SIZE_MAX);
    (void)buf_append(out, "\n\n", 2, SIZE_MAX);
}

static void wake(struct subscriber *subscriber)
{
    if (subscriber->suspended) {
        subscriber->suspended = false;
        MHD_resume_connection(subscriber->connection);
    }
}

static void give(struct subscriber *subscriber, const struct buf *event)
{
    if (subscriber->ended) {
        return;
    }
    if (buf_append(&subscriber->queue, buf_data(event), event->len, NET_HTTP_EVENTS_BYTES) != 0) {
        /* libmicrohttpd would wait for room in the socket first; now it sees the end at once */
        subscriber->ended = true;
        shutdown(descriptor(subscriber), SHUT_RDWR);
    }
    wake(subscriber);
}

void http_events_publish(struct http_events *events, const char *data, size_t len)
{
    struct buf event = {0};
    struct list *node;
    struct list *next;
    net_http_event(&event, data, len);
    list_each(node, next, &events->subscribers)
    {
        give(container_of(node, struct subscriber, node), &event);
    }
    buf_deinit(&event);
}

void http_events_drop(struct http_events *events, struct MHD_Connection *connection)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &events->subscribers)
    {
        struct subscriber *subscriber = container_of(node, struct subscriber, node);
        if (subscriber->connection == connection) {
            subscriber->ended = true;
            wake(subscriber);
        }
    }
}

void http_events_end(struct http_events *events)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &events->subscribers)
    {
        struct subscriber *subscriber = container_of(node, struct subscriber, node);
        subscriber->ended = true;
        wake(subscriber);
    }
}
