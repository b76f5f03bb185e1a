#include "net/http_guard.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The length of the host in HOST[:PORT] or [HOST][:PORT], and its begin. */
static size_t host_of(const char *authority, const char **ret_host)
{
    bool bracketed = authority[0] == '[';
    *ret_host = authority + bracketed;
    return strcspn(*ret_host, bracketed ? "]" : ":");
}

bool http_guard_is_loopback(const char *authority)
{
    const char *begin;
    size_t len = host_of(authority, &begin);
    char host[64];
    struct in_addr v4;
    struct in6_addr v6;
    if (len >= sizeof(host)) {
        return false;
    }
    snprintf(host, sizeof(host), "%.*s", (int)len, begin);
    if (inet_pton(AF_INET, host, &v4) == 1) {
        return ((const unsigned char *)&v4)[0] == 127;
    }
    return strcasecmp(host, "localhost") == 0 ||
           (inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6));
}

/* RFC 6454: scheme "://" authority, or "null". */
static bool is_same_origin(const char *origin, const char *host)
{
    const char *authority = strstr(origin, "://");
    return authority != NULL && host != NULL && strcasecmp(authority + 3, host) == 0;
}

const char *http_guard_refuse(const char *host, const char *origin, bool loopback, bool acts)
{
    if (loopback && host != NULL && !http_guard_is_loopback(host)) {
        return "this port is for this machine: its Host is localhost or an address of loopback\n";
    }
    if ((loopback || acts) && origin != NULL && !is_same_origin(origin, host)) {
        return "a page of another origin may not ask this\n";
    }
    return NULL;
}
