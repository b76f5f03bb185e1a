/* Dials and listeners that meet in memory, by port. */
#include "base/mem.h"
#include "base/text.h"
#include "impl.h"
#include "net/resolve.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_PORT 40000

struct net_dial {
    struct list node; /* dials */
    struct net_loop *loop;
    struct net_dial_config config;
    struct sockaddr_storage address;
    char *host; /* owned */
    uint16_t port;
    net_dial_done_fn on_done;
    void *user;
    uint64_t due_ms;
    uint64_t deadline_ms;
    bool hangs;
};

struct net_listener {
    struct list node; /* listeners */
    struct net_loop *loop;
    struct net_listener_events events;
    void *user;
    bool tls;
    uint16_t port;
    char name[64];
};

char fake_dial_hangs;

static struct list dials = {&dials, &dials};
static struct list listeners = {&listeners, &listeners};
static fake_dial_fn dial_hook;
static void *dial_hook_user;
static uint64_t dial_delay_ms;
static unsigned dial_count;
static uint16_t next_port = FIRST_PORT;

void fake_dials_reset(void)
{
    dial_hook = NULL;
    dial_delay_ms = 0;
    dial_count = 0;
}

void fake_dials_forget(void)
{
    list_init(&dials);
    list_init(&listeners);
}

void fake_dial_hook(fake_dial_fn hook, void *user)
{
    dial_hook = hook;
    dial_hook_user = user;
}

void fake_dial_delay(uint64_t ms)
{
    dial_delay_ms = ms;
}

unsigned fake_dial_count(void)
{
    return dial_count;
}

static size_t count_of(const struct list *list)
{
    size_t count = 0;
    for (const struct list *node = list->next; node != list; node = node->next) {
        count++;
    }
    return count;
}

size_t fake_dials_left(void)
{
    return count_of(&dials) + count_of(&listeners);
}

/* ---- net/listener.h -------------------------------------------------------------------------- */

static struct net_listener *find_listener(uint16_t port)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &listeners)
    {
        struct net_listener *listener = container_of(node, struct net_listener, node);
        if (listener->port == port) {
            return listener;
        }
    }
    return NULL;
}

struct net_listener *net_listener_open(struct net_loop *loop,
                                       const struct net_listener_config *config,
                                       const struct net_listener_events *events, void *user,
                                       struct net_error *ret_error)
{
    uint16_t port = config->address.port != 0 ? config->address.port : next_port++;
    if (find_listener(port) != NULL) {
        net_error_set(ret_error, NET_FAILED, "address 127.0.0.1:%u is in use", port);
        return NULL;
    }
    struct net_listener *listener = mem_new(struct net_listener);
    listener->loop = loop;
    listener->events = *events;
    listener->user = user;
    listener->tls = config->tls != NULL;
    listener->port = port;
    snprintf(listener->name, sizeof(listener->name), "127.0.0.1:%u", port);
    list_append(&listeners, &listener->node);
    return listener;
}

/* Everything here is plaintext. */
void net_listener_set_tls(struct net_listener *listener, struct net_tls *tls)
{
    (void)listener;
    if (tls != NULL) {
        abort();
    }
}

/* Descriptors are none of this world: nothing ever feeds it. */
struct net_listener *net_listener_open_fed(struct net_loop *loop, struct net_tls *tls,
                                           const struct net_listener_events *events, void *user)
{
    const struct net_listener_config config = {.tls = tls};
    return net_listener_open(loop, &config, events, user, NULL);
}

void net_listener_take(struct net_listener *listener, int fd)
{
    (void)listener;
    (void)fd;
    assert(false);
}

uint16_t net_listener_port(const struct net_listener *listener)
{
    return listener->port;
}

const char *net_listener_name(const struct net_listener *listener)
{
    return listener->name;
}

void net_listener_close(struct net_listener *listener)
{
    if (listener != NULL) {
        list_remove(&listener->node);
        free(listener);
    }
}

/* The near end of a new connection to the port; NULL: nobody listens. */
static struct net_stream *meet(uint16_t port, bool tls)
{
    struct net_listener *listener = find_listener(port);
    if (listener == NULL) {
        return NULL;
    }
    struct net_stream *near_end;
    struct net_stream *far_end;
    fake_pair(listener->loop, &near_end, &far_end);
    fake_name(near_end, listener->name, tls);
    fake_name(far_end, fake_local(near_end), listener->tls);
    listener->events.on_stream(listener->user, far_end);
    return near_end;
}

struct net_stream *fake_connect(uint16_t port)
{
    struct net_stream *stream = meet(port, false);
    assert(stream != NULL);
    return stream;
}

/* ---- net/dial.h ------------------------------------------------------------------------------ */

static uint16_t port_of(const struct sockaddr_storage *address)
{
    return ntohs(address->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)address)->sin6_port
                                                : ((const struct sockaddr_in *)address)->sin_port);
}

struct net_dial *net_dial_start(struct net_loop *loop, const struct net_dial_config *config,
                                net_dial_done_fn on_done, void *user)
{
    struct net_dial *dial = mem_new(struct net_dial);
    dial->loop = loop;
    dial->config = *config;
    dial->host = mem_strdup(config->host);
    dial->config.host = dial->host;
    dial->config.server_name = NULL; /* was only borrowed */
    dial->port = config->port;
    if (config->address != NULL) {
        bool ipv6 = config->address->sa_family == AF_INET6;
        memcpy(&dial->address, config->address,
               ipv6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
        dial->config.address = (const struct sockaddr *)&dial->address;
        dial->port = port_of(&dial->address);
    }
    dial->on_done = on_done;
    dial->user = user;
    dial->due_ms = fake_now_ms() + dial_delay_ms;
    dial->deadline_ms = fake_now_ms() + config->timeout_ms;
    list_append(&dials, &dial->node);
    dial_count++;
    return dial;
}

static void dial_free(struct net_dial *dial)
{
    list_remove(&dial->node);
    free(dial->host);
    free(dial);
}

void net_dial_cancel(struct net_dial *dial)
{
    dial_free(dial);
}

static struct net_stream *decide(struct net_dial *dial, struct net_error *ret_error)
{
    if (dial_hook != NULL) {
        return dial_hook(dial_hook_user, dial->loop, &dial->config, ret_error);
    }
    net_error_set(ret_error, NET_REFUSED, "cannot connect to %s:%u: connection refused", dial->host,
                  dial->port);
    return meet(dial->port, dial->config.tls != NULL);
}

static bool turn(struct net_dial *dial)
{
    struct net_error error;
    struct net_stream *stream = NULL;
    if (dial->hangs) {
        if (fake_now_ms() < dial->deadline_ms) {
            return false;
        }
        net_error_set(&error, NET_TIMED_OUT, "cannot connect to %s: no answer", dial->host);
    } else if (fake_now_ms() < dial->due_ms) {
        return false;
    } else {
        stream = decide(dial, &error);
    }
    if (stream == FAKE_DIAL_HANGS) {
        dial->hangs = true;
        return true;
    }
    dial->on_done(dial->user, stream, stream == NULL ? &error : NULL);
    dial_free(dial);
    return true;
}

bool fake_dials_turn(void)
{
    bool moved = false;
    struct list now;
    list_take(&now, &dials);
    while (!list_empty(&now)) {
        struct net_dial *dial = container_of(now.next, struct net_dial, node);
        list_remove(&dial->node);
        list_append(&dials, &dial->node);
        moved = turn(dial) || moved;
    }
    return moved;
}

uint64_t fake_dials_due_ms(void)
{
    uint64_t due = FAKE_NEVER;
    struct list *node;
    struct list *next;
    list_each(node, next, &dials)
    {
        const struct net_dial *dial = container_of(node, struct net_dial, node);
        uint64_t when = dial->hangs ? dial->deadline_ms : dial->due_ms;
        due = when < due ? when : due;
    }
    return due;
}
