#include "net/listen_socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connections that wait to be accepted: those of a whole fleet that comes back at once. The system
 * takes less of it where net.core.somaxconn is lower; who finds no place tries again after 1 s. */
#define LISTEN_BACKLOG 8192

/* `code` is an errno. */
static void explain(struct net_error *ret_error, const struct text_address *address, int code)
{
    char name[TEXT_ADDRESS_BYTES];
    text_format_address(name, sizeof(name), address->host[0] != '\0' ? address->host : "*",
                        address->port);
    switch (code) {
    case EADDRINUSE:
        net_error_set(ret_error, NET_FAILED,
                      "address %s is already in use: stop the other process or choose another "
                      "address",
                      name);
        break;
    case EACCES:
        net_error_set(ret_error, NET_FAILED,
                      "no permission to listen on %s: choose a port above 1023", name);
        break;
    case EADDRNOTAVAIL:
        net_error_set(ret_error, NET_FAILED, "address %s does not belong to this machine", name);
        break;
    case EMFILE:
    case ENFILE:
        net_error_from_uv(ret_error, -code, name);
        break;
    default:
        net_error_set(ret_error, NET_FAILED, "cannot listen on %s: %s", name, strerror(code));
        break;
    }
}

/* Returns a descriptor or a negative errno. */
static int listen_on(const struct sockaddr *address, socklen_t len)
{
    int on = 1;
    int off = 0;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (address->sa_family == AF_INET6) { /* all interfaces: IPv4 as well */
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    }
    if (bind(fd, address, len) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
        int code = errno;
        close(fd);
        return -code;
    }
    return fd;
}

static int listen_everywhere(uint16_t port)
{
    const struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    const struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = listen_on((const struct sockaddr *)&any6, sizeof(any6));
    if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL) { /* a machine without IPv6 */
        fd = listen_on((const struct sockaddr *)&any4, sizeof(any4));
    }
    return fd;
}

/* Tries each address of the name. Returns a descriptor or a negative errno; `*ret_lookup` is
 * getaddrinfo()'s result. */
static int listen_on_host(const struct text_address *address, int *ret_lookup)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list = NULL;
    char service[8];
    int fd = -EADDRNOTAVAIL;
    snprintf(service, sizeof(service), "%u", (unsigned)address->port);
    *ret_lookup = getaddrinfo(address->host, service, &hints, &list);
    if (*ret_lookup != 0) {
        return fd;
    }
    for (struct addrinfo *info = list; info != NULL && fd < 0; info = info->ai_next) {
        fd = listen_on(info->ai_addr, info->ai_addrlen);
    }
    freeaddrinfo(list);
    return fd;
}

int net_listen_socket(const struct text_address *address, struct net_error *ret_error)
{
    int lookup = 0;
    int fd = address->host[0] == '\0' ? listen_everywhere(address->port)
                                      : listen_on_host(address, &lookup);
    if (lookup != 0) {
        net_error_set(ret_error, NET_RESOLVE_FAILED, "cannot listen on %s: %s", address->host,
                      gai_strerror(lookup));
        return -1;
    }
    if (fd < 0) {
        explain(ret_error, address, -fd);
        return -1;
    }
    return fd;
}

uint16_t net_listen_name(int fd, char out[static NET_ADDRESS_TEXT_BYTES])
{
    struct sockaddr_storage bound = {0};
    socklen_t len = sizeof(bound);
    getsockname(fd, (struct sockaddr *)&bound, &len);
    net_address_format((const struct sockaddr *)&bound, out);
    /* sin_port and sin6_port are at the same place. */
    return ntohs(((const struct sockaddr_in *)&bound)->sin_port);
}
