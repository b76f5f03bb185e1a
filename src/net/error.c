/* Why a connection could not be made or ended, in words. */
#include "net/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <uv.h>

const char *net_error_label(enum net_error_kind kind)
{
    switch (kind) {
#define X(name, label, text)                                                                       \
    case name:                                                                                     \
        return label;
        NET_ERROR_LIST(X)
#undef X
    }
    return "io";
}

const char *net_error_text(enum net_error_kind kind)
{
    switch (kind) {
#define X(name, label, text)                                                                       \
    case name:                                                                                     \
        return text;
        NET_ERROR_LIST(X)
#undef X
    }
    return "input/output error";
}

void net_error_set(struct net_error *error, enum net_error_kind kind, const char *format, ...)
{
    va_list args;

    error->kind = kind;
    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
}

static enum net_error_kind kind_of_uv(int uv_status)
{
    switch (uv_status) {
    case UV_EOF:
        return NET_CLOSED;
    case UV_ECONNREFUSED:
        return NET_REFUSED;
    case UV_EHOSTUNREACH:
    case UV_ENETUNREACH:
    case UV_ENETDOWN:
    case UV_EADDRNOTAVAIL: /* no local address can reach it, e.g. IPv6 without IPv6 */
        return NET_UNREACHABLE;
    case UV_ETIMEDOUT:
        return NET_TIMED_OUT;
    case UV_ECONNRESET:
    case UV_ECONNABORTED:
    case UV_EPIPE:
        return NET_RESET;
    case UV_EMFILE:
    case UV_ENFILE:
        return NET_FD_LIMIT;
    case UV_EAI_NONAME:
    case UV_EAI_NODATA:
    case UV_EAI_AGAIN:
    case UV_EAI_FAIL:
    case UV_EAI_FAMILY:
    case UV_EAI_ADDRFAMILY:
    case UV_EAI_SERVICE:
    case UV_EAI_BADFLAGS:
        return NET_RESOLVE_FAILED;
    default:
        return NET_FAILED;
    }
}

void net_error_from_uv(struct net_error *error, int uv_status, const char *what)
{
    enum net_error_kind kind = kind_of_uv(uv_status);

    switch (kind) {
    case NET_FD_LIMIT:
        net_error_set(error, kind, "%s: too many open files: raise the limit (ulimit -n)", what);
        break;
    case NET_FAILED:
    case NET_RESOLVE_FAILED:
        net_error_set(error, kind, "%s: %s", what, uv_strerror(uv_status));
        break;
    default:
        net_error_set(error, kind, "%s: %s", what, net_error_text(kind));
        break;
    }
}
