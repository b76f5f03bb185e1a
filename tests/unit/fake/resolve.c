/* Names that resolve to what the test says. */
#include "net/resolve.h"
#include "base/mem.h"
#include "impl.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 16

struct net_resolve {
    struct list node; /* lookups */
    const char *host; /* owned */
    uint16_t port;
    net_resolve_done_fn on_done;
    void *user;
    uint64_t due_ms;
};

struct name {
    char host[64];
    char addresses[256]; /* empty: it does not resolve */
};

static struct list lookups = {&lookups, &lookups};
static struct name names[NAMES_MAX];
static size_t name_count;
static uint64_t lookup_delay_ms;
static unsigned lookup_count;

void fake_lookups_reset(void)
{
    name_count = 0;
    lookup_delay_ms = 0;
    lookup_count = 0;
}

void fake_lookups_forget(void)
{
    list_init(&lookups);
}

static struct name *find_name(const char *host)
{
    for (size_t i = 0; i < name_count; i++) {
        if (strcmp(names[i].host, host) == 0) {
            return &names[i];
        }
    }
    return NULL;
}

void fake_resolve(const char *host, const char *addresses)
{
    struct name *name = find_name(host);
    if (name == NULL) {
        assert(name_count < NAMES_MAX);
        name = &names[name_count++];
    }
    snprintf(name->host, sizeof(name->host), "%s", host);
    snprintf(name->addresses, sizeof(name->addresses), "%s", addresses != NULL ? addresses : "");
}

void fake_resolve_delay(uint64_t ms)
{
    lookup_delay_ms = ms;
}

unsigned fake_resolve_count(void)
{
    return lookup_count;
}

size_t fake_lookups_left(void)
{
    size_t count = 0;
    for (const struct list *node = lookups.next; node != &lookups; node = node->next) {
        count++;
    }
    return count;
}

/* ---- turns ----------------------------------------------------------------------------------- */

/* The addresses in `text`, each with the port. */
static size_t read_addresses(const char *text, uint16_t port,
                             struct sockaddr_storage out[static NET_RESOLVE_MAX])
{
    char copy[sizeof(names[0].addresses)];
    char *rest;
    size_t count = 0;
    snprintf(copy, sizeof(copy), "%s", text);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        struct sockaddr_in *address = (struct sockaddr_in *)&out[count++];
        memset(address, 0, sizeof(out[0]));
        address->sin_family = AF_INET;
        address->sin_port = htons(port);
        int rv = inet_pton(AF_INET, word, &address->sin_addr);
        assert(rv == 1 && count <= NET_RESOLVE_MAX);
        (void)rv;
    }
    return count;
}

static void lookup_free(struct net_resolve *lookup)
{
    list_remove(&lookup->node);
    free(mem_unconst(lookup->host));
    free(lookup);
}

static bool turn(struct net_resolve *lookup)
{
    static struct sockaddr_storage addresses[NET_RESOLVE_MAX];
    if (fake_now_ms() < lookup->due_ms) {
        return false;
    }
    const struct name *name = find_name(lookup->host);
    size_t count = name != NULL ? read_addresses(name->addresses, lookup->port, addresses) : 0;
    struct net_error error;
    net_error_set(&error, NET_RESOLVE_FAILED, "%s does not resolve", lookup->host);
    lookup->on_done(lookup->user, addresses, count, count == 0 ? &error : NULL);
    lookup_free(lookup);
    return true;
}

bool fake_lookups_turn(void)
{
    bool moved = false;
    struct list now;
    list_take(&now, &lookups);
    while (!list_empty(&now)) {
        struct net_resolve *lookup = container_of(now.next, struct net_resolve, node);
        list_remove(&lookup->node);
        list_append(&lookups, &lookup->node);
        moved = turn(lookup) || moved;
    }
    return moved;
}

uint64_t fake_lookups_due_ms(void)
{
    uint64_t due = FAKE_NEVER;
    for (const struct list *node = lookups.next; node != &lookups; node = node->next) {
        const struct net_resolve *lookup = container_of(node, struct net_resolve, node);
        due = lookup->due_ms < due ? lookup->due_ms : due;
    }
    return due;
}

/* ---- net/resolve.h --------------------------------------------------------------------------- */

struct net_resolve *net_resolve_start(struct net_loop *loop, const char *host, uint16_t port,
                                      net_resolve_done_fn on_done, void *user)
{
    (void)loop;
    struct net_resolve *lookup = mem_new(struct net_resolve);
    lookup->host = mem_strdup(host);
    lookup->port = port;
    lookup->on_done = on_done;
    lookup->user = user;
    lookup->due_ms = fake_now_ms() + lookup_delay_ms;
    list_append(&lookups, &lookup->node);
    lookup_count++;
    return lookup;
}

void net_resolve_cancel(struct net_resolve *resolve)
{
    lookup_free(resolve);
}

char *net_address_format(const struct sockaddr *address, char out[static NET_ADDRESS_TEXT_BYTES])
{
    char text[INET6_ADDRSTRLEN];
    const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)address;
    if (address->sa_family == AF_INET) {
        inet_ntop(AF_INET, &ipv4->sin_addr, text, sizeof(text));
        snprintf(out, NET_ADDRESS_TEXT_BYTES, "%s:%u", text, ntohs(ipv4->sin_port));
    } else {
        inet_ntop(AF_INET6, &ipv6->sin6_addr, text, sizeof(text));
        snprintf(out, NET_ADDRESS_TEXT_BYTES, "[%s]:%u", text, ntohs(ipv6->sin6_port));
    }
    return out;
}
