/* All addresses of a name. Literal addresses are answered at the end of the loop turn, without a
 * lookup. */
#include "net/resolve.h"

#include "base/mem.h"
#include "base/text.h"
#include "net/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A socket and a file of glibc's. */
#define DESCRIPTORS_PER_LOOKUP 2

struct net_resolve {
    struct net_loop *loop;
    net_resolve_done_fn on_done;
    void *user;
    char *host; /* owned */
    uint16_t port;
    struct net_lookup *lookup; /* NULL for a literal */
    struct net_flush flush;    /* delivers a literal */
    struct sockaddr_storage literal;
};

static int compare_bytes(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* IPv4 first, then by address. Ports are equal. */
static int compare_addresses(const void *a, const void *b)
{
    const struct sockaddr_storage *left = a;
    const struct sockaddr_storage *right = b;
    const struct sockaddr_in6 *left6 = a;
    const struct sockaddr_in6 *right6 = b;
    int order;

    if (left->ss_family != right->ss_family) {
        return left->ss_family == AF_INET ? -1 : 1;
    }
    if (left->ss_family == AF_INET) {
        return compare_bytes(ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr),
                             ntohl(((const struct sockaddr_in *)b)->sin_addr.s_addr));
    }
    order = memcmp(&left6->sin6_addr, &right6->sin6_addr, sizeof(left6->sin6_addr));
    return order != 0 ? order : compare_bytes(left6->sin6_scope_id, right6->sin6_scope_id);
}

static size_t sort_unique(struct sockaddr_storage *addresses, size_t count)
{
    size_t kept = 0;

    qsort(addresses, count, sizeof(*addresses), compare_addresses);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || compare_addresses(&addresses[kept - 1], &addresses[i]) != 0) {
            addresses[kept++] = addresses[i];
        }
    }
    return kept;
}

static void set_port(struct sockaddr_storage *address, uint16_t port)
{
    if (address->ss_family == AF_INET) {
        ((struct sockaddr_in *)address)->sin_port = htons(port);
    } else {
        ((struct sockaddr_in6 *)address)->sin6_port = htons(port);
    }
}

static size_t count_addresses(const struct addrinfo *info)
{
    size_t count = 0;

    for (; info != NULL; info = info->ai_next) {
        count += info->ai_family == AF_INET || info->ai_family == AF_INET6;
    }
    return count;
}

/* Takes at most `max` of them. */
static size_t collect(const struct addrinfo *info, uint16_t port, size_t max,
                      struct sockaddr_storage *out)
{
    size_t count = 0;

    for (; info != NULL && count < max; info = info->ai_next) {
        if (info->ai_family == AF_INET || info->ai_family == AF_INET6) {
            memset(&out[count], 0, sizeof(out[count]));
            memcpy(&out[count], info->ai_addr, info->ai_addrlen);
            set_port(&out[count], port);
            count++;
        }
    }
    return sort_unique(out, count);
}

static void resolve_free(struct net_resolve *resolve)
{
    net_loop_flush_cancel(&resolve->flush);
    free(resolve->host);
    free(resolve);
}

/* getaddrinfo() without a descriptor to spare says that there is no such name. The lookups beside
 * it may have held the last ones and given them back: there must be enough for all of them. */
static bool are_descriptors_used_up(void)
{
    int fds[NET_LOOKUP_THREADS * DESCRIPTORS_PER_LOOKUP];
    size_t count = 0;
    bool is_full;

    while (count < ARRAY_SIZE(fds) && (fds[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0) {
        count++;
    }
    is_full = count < ARRAY_SIZE(fds) && (errno == EMFILE || errno == ENFILE);
    while (count > 0) {
        close(fds[--count]);
    }
    return is_full;
}

static void report_failure(const struct net_resolve *resolve, int status)
{
    const char *cause = status == EAI_SYSTEM ? strerror(errno) : gai_strerror(status);
    struct net_error error;
    char name[96];

    text_escape(name, sizeof(name), resolve->host, strlen(resolve->host));
    if (are_descriptors_used_up()) {
        net_error_from_uv(&error, UV_EMFILE, name);
    } else {
        net_error_set(&error, NET_RESOLVE_FAILED, "name \"%s\" does not resolve: %s", name, cause);
    }
    resolve->on_done(resolve->user, NULL, 0, &error);
}

static void on_looked_up(void *user, int status, const struct addrinfo *list)
{
    struct net_resolve *resolve = user;
    struct sockaddr_storage *addresses;
    struct net_error error;
    size_t all;
    size_t max;
    size_t count;

    if (status != 0) {
        report_failure(resolve, status);
        resolve_free(resolve);
        return;
    }
    all = count_addresses(list);
    max = all < NET_RESOLVE_MAX ? all : NET_RESOLVE_MAX;
    addresses = mem_calloc(max + 1, sizeof(*addresses));
    count = collect(list, resolve->port, max, addresses);
    if (count > 0) {
        net_error_set(&error, NET_RESOLVE_FAILED, "%.80s has %zu addresses: %d of them are used",
                      resolve->host, all, NET_RESOLVE_MAX);
        resolve->on_done(resolve->user, addresses, count, all > max ? &error : NULL);
    } else {
        report_failure(resolve, EAI_NONAME);
    }
    free(addresses);
    resolve_free(resolve);
}

static void on_flush(struct net_flush *flush)
{
    struct net_resolve *resolve = container_of(flush, struct net_resolve, flush);

    resolve->on_done(resolve->user, &resolve->literal, 1, NULL);
    resolve_free(resolve);
}

static bool parse_literal(const char *host, uint16_t port, struct sockaddr_storage *out)
{
    return uv_ip4_addr(host, port, (struct sockaddr_in *)out) == 0 ||
           uv_ip6_addr(host, port, (struct sockaddr_in6 *)out) == 0;
}

struct net_resolve *net_resolve_start(struct net_loop *loop, const char *host, uint16_t port,
                                      net_resolve_done_fn on_done, void *user)
{
    struct net_resolve *resolve = mem_new(struct net_resolve);

    resolve->loop = loop;
    resolve->on_done = on_done;
    resolve->user = user;
    resolve->host = mem_strdup(host);
    resolve->port = port;
    resolve->flush.flush = on_flush;
    list_init(&resolve->flush.node);
    if (parse_literal(host, port, &resolve->literal)) {
        net_loop_flush_soon(loop, &resolve->flush);
    } else {
        resolve->lookup = net_lookup_start(&loop->uv, host, on_looked_up, resolve);
    }
    return resolve;
}

void net_resolve_cancel(struct net_resolve *resolve)
{
    if (resolve->lookup != NULL) {
        net_lookup_cancel(resolve->lookup);
    }
    resolve_free(resolve);
}

char *net_address_format(const struct sockaddr *address, char out[static NET_ADDRESS_TEXT_BYTES])
{
    char host[NET_ADDRESS_TEXT_BYTES] = "?";
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;

    if (address->sa_family == AF_INET) {
        uv_ip4_name(v4, host, sizeof(host));
        snprintf(out, NET_ADDRESS_TEXT_BYTES, "%s:%u", host, ntohs(v4->sin_port));
    } else if (address->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        const uint8_t *bytes = v6->sin6_addr.s6_addr + 12; /* a dual-stack socket's IPv4 peer */

        snprintf(out, NET_ADDRESS_TEXT_BYTES, "%u.%u.%u.%u:%u", bytes[0], bytes[1], bytes[2],
                 bytes[3], ntohs(v6->sin6_port));
    } else if (address->sa_family == AF_INET6) {
        uv_ip6_name(v6, host, sizeof(host));
        snprintf(out, NET_ADDRESS_TEXT_BYTES, "[%.50s]:%u", host, ntohs(v6->sin6_port));
    } else {
        snprintf(out, NET_ADDRESS_TEXT_BYTES, "?");
    }
    return out;
}
