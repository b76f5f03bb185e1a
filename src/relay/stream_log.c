#include "relay/stream_log.h"

#include "base/clock.h"
#include "base/line_file.h"
#include "base/pool.h"
#include "net/stream.h"
#include "relay/client.h"
#include "relay/exchange.h"
#include "relay/observe.h"
#include "relay/state.h"
#include "relay/stream_end.h"
#include "relay/stream_line.h"
#include "rpc/conn.h"

static struct line_file *log_of(const struct worker *worker)
{
    return worker_config(worker)->access_log;
}

void stream_log_client(struct client *client, const struct net_stream *stream)
{
    if (log_of(client->worker) != NULL) {
        client->tls_version = net_stream_tls_version(stream);
        client->name = net_stream_peer_name(stream);
        client->author.origin = net_stream_network(stream);
    }
}

struct stream_log_labels *stream_log_labels(const struct client *client,
                                            const struct h2_block *block)
{
    if (log_of(client->worker) == NULL) {
        return NULL;
    }
    struct stream_log_labels *labels = pool_new(sizeof(*labels));
    observe_label(labels->authority, block, ":authority");
    if (labels->authority[0] == '\0') {
        observe_label(labels->authority, block, "host");
    }
    observe_label(labels->path, block, ":path");
    return labels;
}

static void write_line(struct client *client, const struct stream_record *record,
                       const struct stream_log_labels *labels, const struct stream_end *end)
{
    struct worker *worker = client->worker;
    char text[LINE_FILE_LINE_BYTES];
    const struct stream_line line = {
        .record = record,
        .client = rpc_conn_peer(client->conn),
        .identity = client->name,
        .authority = labels->authority,
        .path = labels->path,
        .tls_version = client->tls_version,
        .wall_ns = clock_wall_ns(),
        .age_ms = worker_now_ms(worker) - record->opened_ms,
        .end = end,
    };
    line_file_put(log_of(worker), &client->author, text, stream_line_write(text, &line));
}

void stream_log_open(const struct exchange *exchange)
{
    if (exchange->labels != NULL && worker_config(exchange->worker)->access_log_open) {
        write_line(exchange->client, &exchange->record, exchange->labels, NULL);
    }
}

void stream_log_end(const struct exchange *exchange)
{
    if (exchange->labels != NULL) {
        write_line(exchange->client, &exchange->record, exchange->labels, &exchange->end);
    }
}

void stream_log_refused(struct client *client, const struct h2_block *block,
                        const struct stream_end *end)
{
    struct stream_log_labels *labels = stream_log_labels(client, block);
    if (labels != NULL) {
        struct stream_record record = {.number = relay_next_stream_number(client->worker->relay),
                                       .opened_ms = worker_now_ms(client->worker)};
        observe_request(&record, block);
        write_line(client, &record, labels, end);
        pool_free(labels);
    }
}
