/* libevent has parsed the request line (as whatever the client took for a version or a method) and
 * the header; the query is parsed here, as libevent's own parser knows no "?name" without a value.
 * What libevent refuses itself has the client's version, two small numbers, in its status line, and
 * nothing else of the client's. */
#include "net/http_request.h"

#include "base/mem.h"

#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

const char *http_request_header(struct evhttp_request *asked, const char *name)
{
    return evhttp_find_header(evhttp_request_get_input_headers(asked), name);
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = c != '\0' ? strchr(digits, c) : NULL;
    return found != NULL ? (int)((found - digits) % 16) : -1;
}

/* Appends `len` bytes of `text` without their percent-encoding (RFC 3986 section 2.1), as far as a
 * NUL in it, and a NUL. What only looks like an encoding stays. Returns whether it was all. */
static bool decode(char **out, const char *text, size_t len, bool plus_is_space)
{
    bool whole = true;
    for (size_t i = 0; i < len && whole; i++) {
        char c = text[i] == '+' && plus_is_space ? ' ' : text[i];
        int high = c == '%' && i + 2 < len ? hex_digit(text[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (low >= 0) {
            c = (char)(16 * high + low);
            i += 2;
        }
        whole = c != '\0';
        if (whole) {
            *(*out)++ = c;
        }
    }
    *(*out)++ = '\0';
    return whole;
}

char *http_request_path(struct evhttp_request *asked)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(asked);
    const char *encoded = evhttp_uri_get_path(uri);
    if (encoded == NULL || evhttp_uri_get_scheme(uri) != NULL || evhttp_uri_get_host(uri) != NULL) {
        return NULL;
    }
    size_t len = strlen(encoded);
    char *path = mem_calloc(len + 1, 1);
    char *end = path;
    if (!decode(&end, encoded, len, false)) {
        free(path);
        return NULL;
    }
    return path;
}

/* ---- faults ---------------------------------------------------------------------------------- */

static size_t count_headers(struct evhttp_request *asked, const char *name)
{
    size_t count = 0;
    const struct evkeyval *header;
    TAILQ_FOREACH(header, evhttp_request_get_input_headers(asked), next)
    {
        count += strcasecmp(header->key, name) == 0;
    }
    return count;
}

unsigned http_request_fault(struct evhttp_request *asked, const char **ret_reason)
{
    unsigned minor = (unsigned char)asked->minor;
    bool known = asked->major == 1 && minor <= SCHAR_MAX; /* it may be negative */
    size_t hosts = count_headers(asked, "Host");
    bool named = hosts == 1 || (hosts == 0 && minor == 0);
    if (!known || minor > 1) {
        asked->major = asked->minor = 1; /* as the answer has them */
    }
    if (!known) {
        *ret_reason = "this is HTTP/1.1\n";
        return 505;
    }
    *ret_reason = "a request has one Host\n";
    return named ? 0 : 400;
}

bool http_request_hides_body(struct evhttp_request *asked)
{
    enum evhttp_cmd_type method = evhttp_request_get_command(asked);
    return (method == EVHTTP_REQ_HEAD || method == EVHTTP_REQ_TRACE) &&
           (http_request_header(asked, "Content-Length") != NULL ||
            http_request_header(asked, "Transfer-Encoding") != NULL);
}

/* ---- for handlers ---------------------------------------------------------------------------- */

/* At most a NUL more than there are bytes for each name, and one for the value that it lacks. */
static void copy_query(struct net_http_request *request, const char *query)
{
    size_t len = strlen(query);
    char *out = request->query = mem_calloc(2 * len + 2, 1);
    for (const char *at = query; *at != '\0';) {
        size_t part = strcspn(at, "&");
        size_t name = strcspn(at, "=&");
        (void)decode(&out, at, name, true);
        size_t value = name < part ? name + 1 : part;
        (void)decode(&out, at + value, part - value, true);
        at += part + (at[part] == '&');
    }
    request->query_bytes = (size_t)(out - request->query);
}

struct net_http_request http_request_copy(struct evhttp_request *asked)
{
    struct net_http_request request = {
        .wants_open = metrics_wants_open(http_request_header(asked, "Accept")),
    };
    const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(asked));
    if (query != NULL) {
        copy_query(&request, query);
    }
    return request;
}

void http_request_deinit(struct net_http_request *request)
{
    free(request->query);
    *request = (struct net_http_request){0};
}

const char *net_http_query(const struct net_http_request *request, const char *name)
{
    if (request->query == NULL) {
        return NULL;
    }
    const char *end = request->query + request->query_bytes;
    for (const char *at = request->query; at != end;) {
        const char *value = at + strlen(at) + 1;
        if (strcmp(at, name) == 0) {
            return value;
        }
        at = value + strlen(value) + 1;
    }
    return NULL;
}

struct metrics net_http_metrics_begin(const struct net_http_request *request)
{
    return (struct metrics){.open = request->wants_open};
}

void net_http_metrics_end(struct metrics *metrics, struct net_http_response *response)
{
    metrics_end(metrics);
    response->status = metrics->incomplete ? 500 : 200;
    response->content_type = metrics_content_type(metrics);
    response->body = metrics->text; /* moved */
}
