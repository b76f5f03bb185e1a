#include "relay/stream_line.h"

#include "base/clock.h"
#include "relay/stream_end.h"
#include "route/table.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* A line under way. How long it can get is asserted below, so nothing is cut. */
struct writer {
    char *at;
    const char *end;
};

static void put(struct writer *writer, const char *text, size_t len)
{
    assert(len <= (size_t)(writer->end - writer->at));
    memcpy(writer->at, text, len);
    writer->at += len;
}

/* Every pair but the first has a comma in front. */
static void put_key(struct writer *writer, const char *key)
{
    put(writer, ",\"", 2);
    put(writer, key, strlen(key));
    put(writer, "\":", 2);
}

static size_t plain_length(const char *text)
{
    size_t len = 0;
    while (text[len] >= ' ' && text[len] <= '~' && text[len] != '"' && text[len] != '\\') {
        len++;
    }
    return len;
}

/* What is escaped is visible ASCII: JSON wants no more than two characters escaped again. */
static void put_text(struct writer *writer, const char *key, const char *text)
{
    if (text == NULL || text[0] == '\0') {
        return;
    }
    put_key(writer, key);
    put(writer, "\"", 1);
    while (*text != '\0') {
        size_t len = plain_length(text);
        put(writer, text, len);
        text += len;
        if (*text != '\0') {
            bool visible = *text == '"' || *text == '\\';
            put(writer, visible ? (char[]){'\\', *text} : "?", visible ? 2 : 1);
            text++;
        }
    }
    put(writer, "\"", 1);
}

static void put_number(struct writer *writer, const char *key, uint64_t number)
{
    char digits[20];
    size_t len = 0;
    put_key(writer, key);
    do {
        len++;
        digits[sizeof(digits) - len] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put(writer, digits + sizeof(digits) - len, len);
}

static void put_time(struct writer *writer, uint64_t wall_ns)
{
    char text[CLOCK_RFC3339_BYTES];
    clock_format(wall_ns, text);
    put_text(writer, "time", text);
}

/* As the metrics name it; cut where the line has no room for more. */
static void put_route(struct writer *writer, const struct route_rule *rule)
{
    char label[ROUTE_LABEL_BYTES];
    if (rule != NULL) {
        route_rule_label(rule, label);
        label[STREAM_LABEL_BYTES - 1] = '\0';
        put_text(writer, "route", label);
    }
}

static void put_endpoint(struct writer *writer, const struct endpoint *endpoint)
{
    if (endpoint != NULL) {
        put_text(writer, "cluster", endpoint->cluster->name);
        put_text(writer, "endpoint", endpoint->name);
    }
}

static void put_counts(struct writer *writer, const struct stream_record *record)
{
    put_number(writer, "messages_up", atomic_load(&record->up.messages));
    put_number(writer, "messages_down", atomic_load(&record->down.messages));
    put_number(writer, "bytes_up", atomic_load(&record->up.bytes));
    put_number(writer, "bytes_down", atomic_load(&record->down.bytes));
}

static void put_end(struct writer *writer, const struct stream_line *line)
{
    const struct stream_record *record = line->record;
    const struct stream_end *end = line->end;
    put_text(writer, "pod", record->server_id);
    put_text(writer, "server_version", record->server_version);
    if (record->misrouted) {
        put_key(writer, "misrouted");
        put(writer, "true", 4);
    }
    if (end->grpc_status >= 0) {
        put_number(writer, "grpc_status", (uint64_t)end->grpc_status);
    }
    if (end->http_status != 0) {
        put_number(writer, "http_status", end->http_status);
    }
    put_text(writer, "ended_by", stream_reason_party(end->reason));
    put_text(writer, "reason", stream_reason_word(end->reason));
    put_text(writer, "detail", end->detail);
    put_number(writer, "age_ms", line->age_ms);
    put_counts(writer, record);
}

static struct writer begin(char out[static LINE_FILE_LINE_BYTES], const char *event,
                           uint64_t wall_ns)
{
    static const char head[] = "{\"log\":\"grpcroute.stream\"";
    struct writer writer = {.at = out, .end = out + LINE_FILE_LINE_BYTES};
    put(&writer, head, sizeof(head) - 1);
    put_text(&writer, "event", event);
    put_time(&writer, wall_ns);
    return writer;
}

static size_t finish(struct writer *writer, const char *out)
{
    put(writer, "}\n", 2);
    return (size_t)(writer->at - out);
}

size_t stream_line_write_gap(char out[static LINE_FILE_LINE_BYTES], uint64_t lines)
{
    struct writer writer = begin(out, "lost", clock_wall_ns());
    put_number(&writer, "lines", lines);
    return finish(&writer, out);
}

size_t stream_line_write(char out[static LINE_FILE_LINE_BYTES], const struct stream_line *line)
{
    const struct stream_record *record = line->record;
    struct writer writer = begin(out, line->end != NULL ? "end" : "open", line->wall_ns);
    put_number(&writer, "stream", record->number);
    put_text(&writer, "client", line->client);
    put_text(&writer, "identity", line->identity);
    put_text(&writer, "agent_id", record->agent_id);
    put_text(&writer, "agent_version", record->agent_version);
    put_text(&writer, "authority", line->authority);
    put_text(&writer, "path", line->path);
    put_route(&writer, record->rule);
    put_endpoint(&writer, record->endpoint);
    put_text(&writer, "tls_version", line->tls_version);
    if (line->end != NULL) {
        put_end(&writer, line);
    }
    return finish(&writer, out);
}

/* With every character of its texts escaped, a line is one that a file of lines takes: labels (six,
 * and the route), an identity and a detail, what names the server, and the rest with its keys. */
_Static_assert(2 * (7 * STREAM_LABEL_BYTES + STREAM_VERSION_BYTES + 2 * STREAM_DETAIL_BYTES) +
                       CLUSTER_NAME_BYTES + NET_ADDRESS_TEXT_BYTES + 1024 <
                   LINE_FILE_LINE_BYTES,
               "a line of the stream log is too long");
