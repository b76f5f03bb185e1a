#include "net/http_guard.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PORT_MAX 65535

/* "" or ":PORT". */
static bool is_port(const char *text)
{
    unsigned long port = 0;
    if (text[0] == '\0') {
        return true;
    }
    size_t digits = strspn(text + 1, "0123456789");
    for (size_t i = 0; i < digits && port <= PORT_MAX; i++) {
        port = 10 * port + (unsigned long)(text[1 + i] - '0');
    }
    return text[0] == ':' && text[1 + digits] == '\0' && port > 0 && port <= PORT_MAX;
}

static bool is_loopback_v6(const char *host)
{
    struct in6_addr v6;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static bool is_loopback_v4(const char *host)
{
    struct in_addr v4;
    return inet_pton(AF_INET, host, &v4) == 1 && ((const unsigned char *)&v4)[0] == 127;
}

bool http_guard_is_loopback(const char *authority)
{
    char host[64];
    bool bracketed = authority[0] == '[';
    const char *begin = authority + bracketed;
    size_t len = strcspn(begin, bracketed ? "]" : ":");
    const char *end = begin + len;
    if (len >= sizeof(host) || (bracketed && *end != ']') || !is_port(end + bracketed)) {
        return false;
    }
    snprintf(host, sizeof(host), "%.*s", (int)len, begin);
    return bracketed ? is_loopback_v6(host)
                     : is_loopback_v4(host) || strcasecmp(host, "localhost") == 0;
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
        return "this port is for this machine: its Host is localhost or an address of loopback, "
               "with any port\n";
    }
    if ((loopback || acts) && origin != NULL && !is_same_origin(origin, host)) {
        return "a page of another origin may not ask this\n";
    }
    return NULL;
}
