/* Any bytes to the HTTP/1.1 server of metrics and administration, over local sockets instead of a
 * port: each answer is complete and as long as it says, only routes that exist are served, readers
 * of events get events, and whatever one connection sends, the next one is answered.
 *
 * The listening socket is one of this file. */
#include "fuzz.h"

#include "base/mem.h"
#include "net/http.h"
#include "net/listen_socket.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TURNS        4 /* of the loop after each piece: libevent needs one for each step */
#define ANSWER_BYTES (512 * 1024)
#define BIG_BYTES    (100 * 1024)

static struct net_loop loop;
static uv_async_t alive; /* the server alone does not keep the loop alive */
static struct net_http *http;
static struct sockaddr_un name; /* of the listening socket */
static socklen_t name_bytes;
static char answer[ANSWER_BYTES];

/* ---- in place of net/listen_socket.c --------------------------------------------------------- */

/* It has a name that the system chooses, in no file system. */
int net_listen_socket(const struct text_address *address, struct net_error *ret_error)
{
    const struct sockaddr_un any = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)address;
    (void)ret_error;
    FUZZ_CHECK(bind(fd, (const struct sockaddr *)&any, sizeof(any.sun_family)) == 0);
    FUZZ_CHECK(getsockname(fd, (struct sockaddr *)&name, &len) == 0 && listen(fd, 8) == 0);
    name_bytes = len;
    return fd;
}

uint16_t net_listen_name(int fd, char out[static NET_ADDRESS_TEXT_BYTES])
{
    (void)fd;
    snprintf(out, NET_ADDRESS_TEXT_BYTES, "memory:1");
    return 1;
}

/* ---- routes ---------------------------------------------------------------------------------- */

static void put(struct net_http_response *response, const char *text)
{
    buf_append(&response->body, text, strlen(text), SIZE_MAX);
}

/* What handlers of ours ask of a request. */
static void handle_asked(void *user, const struct net_http_request *request,
                         struct net_http_response *response)
{
    static const char *const names[] = {"limit", "after", "q", "format"};
    (void)user;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *value = net_http_query(request, names[i]);
        put(response, value != NULL ? value : "none");
    }
}

static void handle_big(void *user, const struct net_http_request *request,
                       struct net_http_response *response)
{
    (void)user;
    (void)request;
    memset(buf_reserve(&response->body, BIG_BYTES), 'x', BIG_BYTES);
    buf_commit(&response->body, BIG_BYTES);
}

static void handle_metrics(void *user, const struct net_http_request *request,
                           struct net_http_response *response)
{
    (void)user;
    struct metrics metrics = net_http_metrics_begin(request);
    net_http_metrics_end(&metrics, response);
}

static void handle_events(void *user, const struct net_http_request *request,
                          struct net_http_response *response)
{
    (void)user;
    response->status = net_http_query(request, "q") != NULL ? 503 : 200;
    net_http_event(&response->body, "first", 5);
}

static const struct net_http_route routes[] = {
    {"/asked", "what a request says", handle_asked, .turn = NET_HTTP_AT_ONCE},
    {"/big", "more than one write", handle_big},
    {"/metrics", "an exposition", handle_metrics, .turn = NET_HTTP_AT_ONCE},
    {"/events", "events", handle_events, .events = true},
    {0},
};

/* ---- a client -------------------------------------------------------------------------------- */

static void turn(void)
{
    for (int i = 0; i < TURNS; i++) {
        uv_run(&loop.uv, UV_RUN_NOWAIT);
    }
}

static int connect_client(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    FUZZ_CHECK(connect(fd, (const struct sockaddr *)&name, name_bytes) == 0);
    turn();
    return fd;
}

/* Appends what came. Returns false when the server closed. */
static bool receive(int fd, size_t *len)
{
    ssize_t got;
    do {
        got = recv(fd, answer + *len, sizeof(answer) - 1 - *len, 0);
        *len += got > 0 ? (size_t)got : 0;
        turn();
    } while (got > 0 && *len < sizeof(answer) - 1);
    answer[*len] = '\0';
    return got < 0 && errno == EAGAIN;
}

/* Sends in pieces of `piece` bytes while the server listens; returns the length of all it said. */
static size_t talk(int fd, const uint8_t *bytes, size_t size, size_t piece)
{
    size_t len = 0;
    bool open = true;
    for (size_t at = 0; at < size && open; at += piece) {
        size_t part = size - at < piece ? size - at : piece;
        open = send(fd, bytes + at, part, MSG_NOSIGNAL) == (ssize_t)part;
        turn();
        open = receive(fd, &len) && open;
    }
    return len;
}

/* ---- what holds ------------------------------------------------------------------------------ */

/* The length that the header block at `text` gives the body; SIZE_MAX: until the end. */
static size_t body_length(const char *text, const char *end)
{
    static const char field[] = "\r\nContent-Length: ";
    const char *found = memmem(text, (size_t)(end - text), field, sizeof(field) - 1);
    return found != NULL ? strtoul(found + sizeof(field) - 1, NULL, 10) : SIZE_MAX;
}

/* The status of the answer at `text`, or NULL: it is none. What libevent refuses by itself has the
 * version that the client named. */
static const char *status_of(const char *text)
{
    static const char *const known[] = {"100", "200", "400", "403", "404", "405",
                                        "413", "417", "500", "501", "503", "505"};
    static const char *const libevents[] = {"100", "400", "413", "417"};
    const char *status = strchr(text, ' ');
    bool ours = strncmp(text, "HTTP/1.1 ", 9) == 0 || strncmp(text, "HTTP/1.0 ", 9) == 0;
    if (strncmp(text, "HTTP/", 5) != 0 || status == NULL) {
        return NULL;
    }
    size_t count = ours ? ARRAY_SIZE(known) : ARRAY_SIZE(libevents);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(status + 1, ours ? known[i] : libevents[i], 3) == 0) {
            return status + 1;
        }
    }
    return NULL;
}

/* What was said is answers, one behind the other; only the last may be cut, when the client is not
 * listening any more. An answer to HEAD has a length and no body, so the next one may begin at
 * once. */
static void check_answers(const char *text, size_t len)
{
    const char *end = text + len;
    while (text < end) {
        const char *status = status_of(text);
        FUZZ_CHECK(status != NULL);
        const char *body = memmem(text, (size_t)(end - text), "\r\n\r\n", 4);
        if (body == NULL) {
            return;
        }
        body += 4;
        size_t body_bytes = strncmp(status, "100", 3) == 0 ? 0 : body_length(text, body);
        bool is_head = (size_t)(end - body) >= 5 && strncmp(body, "HTTP/", 5) == 0;
        if (body_bytes == SIZE_MAX) {
            return;
        }
        text = is_head || (size_t)(end - body) < body_bytes ? body : body + body_bytes;
        if (!is_head && (size_t)(end - body) < body_bytes) {
            return;
        }
    }
}

/* On a connection of its own, which the server ends behind the answer. */
static void check_answered(const char *request, const char *status, const char *body)
{
    int fd = connect_client();
    size_t len = talk(fd, (const uint8_t *)request, strlen(request), strlen(request));
    FUZZ_CHECK(strncmp(answer, "HTTP/1.1 ", 9) == 0 && strncmp(answer + 9, status, 3) == 0);
    FUZZ_CHECK(len > strlen(body) && strcmp(answer + len - strlen(body), body) == 0);
    FUZZ_CHECK(!receive(fd, &len));
    close(fd);
    turn();
}

static void the_next_client_is_answered(void)
{
    check_answered("POST /asked HTTP/1.1\r\nHost: me\r\nContent-Length: 5\r\n\r\nhello", "405", "");
    check_answered("GET /asked?q=next HTTP/1.1\r\nHost: me\r\nConnection: close\r\n\r\n", "200",
                   "\r\n\r\nnonenonenextnone");
}

/* A reader that left is noticed with the next event. */
static void leave(int fd)
{
    size_t len = 0;
    size_t readers = net_http_subscribers(http);
    FUZZ_CHECK(readers <= 1);
    net_http_publish(http, "news", 4);
    turn();
    receive(fd, &len);
    FUZZ_CHECK(readers == 0 || strstr(answer, "data: news\n\n") != NULL);
    close(fd);
    for (int i = 0; i < 3 && net_http_subscribers(http) > 0; i++) {
        net_http_publish(http, "more", 4);
        turn();
    }
    FUZZ_CHECK(net_http_subscribers(http) == 0);
}

static void begin(void)
{
    struct net_error error;
    const struct text_address address = {.host = "memory"};
    FUZZ_CHECK(net_loop_init(&loop) == 0);
    FUZZ_CHECK(uv_async_init(&loop.uv, &alive, NULL) == 0);
    http = net_http_open(&loop, &address, routes, NULL, &error);
    FUZZ_CHECK(http != NULL);
}

/* The first byte: the size of the pieces. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    if (http == NULL) {
        begin();
    }
    int fd = connect_client();
    size_t piece = data[0] == 0 ? size : 1 + (size_t)data[0] * 4;
    size_t len = talk(fd, data + 1, size - 1, piece);
    check_answers(answer, len);
    leave(fd);
    the_next_client_is_answered();
    return 0;
}
