/* The door of probe.ProbeService: Run's request is read and judged, Seen is answered. */
#include "base/log.h"
#include "base/mem.h"
#include "rpc/metadata.h"
#include "server/probe_limits.h"
#include "server/probe_script.h"
#include "server/probe_stream.h"
#include "server/server.h"

#include <stdlib.h>
#include <string.h>

void server_probe_init(struct server_probe *probe, const char *server_id)
{
    *probe = (struct server_probe){.server_id = server_id};
    server_probe_records_init(&probe->records);
}

void server_probe_deinit(struct server_probe *probe)
{
    server_probe_records_deinit(&probe->records);
}

/* ---- connections ----------------------------------------------------------------------------- */

static struct server_probe_connection *connection_of(struct rpc_server_call *call)
{
    struct server_probe_connection *connection = rpc_server_call_connection_user(call);
    if (connection == NULL) {
        connection = mem_new(struct server_probe_connection);
        list_init(&connection->records);
        rpc_server_call_set_connection_user(call, connection);
    }
    return connection;
}

void server_probe_connection_closed(void *server, void *connection_user,
                                    const struct net_error *why)
{
    (void)server;
    struct server_probe_connection *connection = connection_user;
    server_probe_records_connection_end(&connection->records, why->text);
    free(connection);
}

/* ---- the request; each returns 0, or 1 with the answer ------------------------------------------
 */

static int check_room(const struct server_probe *probe, struct server_probe_connection *connection,
                      uint64_t now_ms, struct rpc_status *answer)
{
    const struct server_probe_rate starts = {PROBE_STARTS_BURST, PROBE_STARTS_PER_SECOND};
    if (probe->stream_count >= PROBE_STREAMS) {
        rpc_status_set(answer, RPC_RESOURCE_EXHAUSTED,
                       RPC_PROBE_BUSY "this server has its %d probes open", PROBE_STREAMS);
        return 1;
    }
    if (connection->stream_count >= PROBE_STREAMS_PER_CONNECTION) {
        rpc_status_set(answer, RPC_RESOURCE_EXHAUSTED,
                       RPC_PROBE_BUSY "this connection has its %d probes open",
                       PROBE_STREAMS_PER_CONNECTION);
        return 1;
    }
    if (!server_probe_budget_take(&connection->starts, starts, 1, now_ms)) {
        rpc_status_set(answer, RPC_RESOURCE_EXHAUSTED,
                       RPC_PROBE_BUSY
                       "over the %d probes each second that one connection may begin",
                       PROBE_STARTS_PER_SECOND);
        return 1;
    }
    return 0;
}

static int read_id(const struct h2_block *metadata, const struct h2_header **ret_field,
                   uint64_t *ret_id, struct rpc_status *answer)
{
    size_t count = 0;
    *ret_field = h2_block_find(metadata, RPC_PROBE_ID_HEADER, &count);
    if (count > 1) {
        rpc_status_set(answer, RPC_INVALID_ARGUMENT, RPC_PROBE_ID_HEADER ": given %zu times",
                       count);
        return 1;
    }
    if (*ret_field != NULL &&
        !server_probe_id_parse((*ret_field)->value, (*ret_field)->value_len, ret_id)) {
        rpc_status_set(answer, RPC_INVALID_ARGUMENT, RPC_PROBE_ID_HEADER ": not %d hex digits",
                       RPC_PROBE_ID_CHARS);
        return 1;
    }
    return 0;
}

/* Its bytes go with the stream; an absent script is an echo. */
static int take_script(struct server_probe_stream *stream, const struct h2_header *field,
                       struct rpc_probe_script *script, struct rpc_status *answer)
{
    size_t most = field->value_len / 4 * 3 + 3;
    if (most > RPC_PROBE_SCRIPT_BYTES + 3) {
        rpc_status_set(answer, RPC_RESOURCE_EXHAUSTED, "script is over the limit of %d bytes",
                       RPC_PROBE_SCRIPT_BYTES);
        return 1;
    }
    stream->script_bytes = mem_calloc(1, most);
    if (rpc_binary_decode(field->value, field->value_len, stream->script_bytes, most,
                          &stream->script_len) != 0) {
        rpc_status_set(answer, RPC_INVALID_ARGUMENT, RPC_PROBE_SCRIPT_HEADER ": not base64");
        return 1;
    }
    int rv = rpc_probe_script_decode(stream->script_bytes, stream->script_len, script);
    if (rv == RPC_PROBE_E_FIELDS) {
        rpc_status_set(answer, RPC_RESOURCE_EXHAUSTED,
                       "script has over the limit of %d headers or trailers", RPC_PROBE_FIELDS);
    } else if (rv != 0) {
        rpc_status_set(answer, RPC_INVALID_ARGUMENT,
                       RPC_PROBE_SCRIPT_HEADER ": not a probe.Script");
    }
    return rv != 0;
}

static int read_script(struct server_probe_stream *stream, const struct h2_block *metadata,
                       struct rpc_status *answer)
{
    struct rpc_probe_script script = {.echo = true};
    size_t count = 0;
    const struct h2_header *field = h2_block_find(metadata, RPC_PROBE_SCRIPT_HEADER, &count);
    if (count > 1) {
        rpc_status_set(answer, RPC_INVALID_ARGUMENT, RPC_PROBE_SCRIPT_HEADER ": given %zu times",
                       count);
        return 1;
    }
    if ((field != NULL && take_script(stream, field, &script, answer) != 0) ||
        server_probe_script_check(&script, answer) != 0) {
        return 1;
    }
    stream->script = script;
    stream->script.status_message = NULL; /* these are read again where they are needed */
    stream->script.header_count = 0;
    stream->script.trailer_count = 0;
    return 0;
}

static void count_metadata(struct server_probe_facts *facts, const struct h2_block *metadata)
{
    for (size_t i = 0; i < metadata->count; i++) {
        if (metadata->fields[i].name[0] != ':') {
            facts->metadata_fields++;
        }
        facts->metadata_bytes +=
            metadata->fields[i].name_len + metadata->fields[i].value_len + H2_FIELD_OVERHEAD_BYTES;
    }
}

/* ---- Run ------------------------------------------------------------------------------------- */

static struct server_probe_stream *stream_new(struct server_probe *probe,
                                              struct rpc_server_call *call)
{
    struct server_probe_stream *stream = mem_new(struct server_probe_stream);
    stream->probe = probe;
    stream->call = call;
    stream->connection = connection_of(call);
    stream->connection->stream_count++;
    probe->stream_count++;
    stream->timer = mem_new(uv_timer_t);
    stream->timer->data = stream;
    uv_timer_init(&rpc_server_call_loop(call)->uv, stream->timer);
    uint64_t now_ms = server_probe_now_ms(stream);
    stream->facts.connection = rpc_server_call_connection(call);
    stream->facts.opened_ms = now_ms;
    stream->facts.heard_ms = now_ms;
    stream->life_end_ms = now_ms + PROBE_LIFE_MS;
    rpc_server_call_set_user(call, stream);
    return stream;
}

/* Who was refused for want of room may ask, as a path may have dropped the answer; only of so many,
 * that others' are not forgotten for them. */
static void note_refused(struct rpc_server_call *call, struct server_probe *probe, uint64_t id,
                         const struct h2_block *metadata, const struct rpc_status *answer)
{
    const struct server_probe_rate rate = {PROBE_REFUSED_BURST, PROBE_REFUSED_PER_SECOND};
    uint64_t now_ms = uv_now(&rpc_server_call_loop(call)->uv);
    struct server_probe_record *record = NULL;
    struct server_probe_facts facts = {
        .connection = rpc_server_call_connection(call),
        .opened_ms = now_ms,
        .heard_ms = now_ms,
        .ended_ms = now_ms,
        .how = RPC_PROBE_LIMIT,
        .code = (uint32_t)answer->code,
    };
    if (!server_probe_budget_take(&probe->refused, rate, 1, now_ms)) {
        return;
    }
    count_metadata(&facts, metadata);
    server_probe_record_begin(&probe->records, id, &facts, &connection_of(call)->records, &record);
    server_probe_record_request(record, metadata, rpc_server_call_peer(call));
    server_probe_record_end(&probe->records, record, answer->message);
}

static void on_start(struct rpc_server_call *call, const struct h2_block *metadata, void *user)
{
    struct server_probe *probe = ((struct server *)user)->probe;
    const struct h2_header *id_field;
    uint64_t id;
    struct rpc_status answer;
    uint64_t now_ms = uv_now(&rpc_server_call_loop(call)->uv);
    int rv = read_id(metadata, &id_field, &id, &answer);
    if (rv == 0) {
        rv = check_room(probe, connection_of(call), now_ms, &answer);
        if (rv != 0 && id_field != NULL) {
            note_refused(call, probe, id, metadata, &answer);
        }
    }
    if (rv != 0) {
        probe->ended[RPC_PROBE_LIMIT]++;
        server_probe_finish(call, answer.code, answer.message);
        return;
    }
    struct server_probe_stream *stream = stream_new(probe, call);
    count_metadata(&stream->facts, metadata);
    if (id_field != NULL) {
        server_probe_record_begin(&probe->records, id, &stream->facts, &stream->connection->records,
                                  &stream->record);
        server_probe_record_request(stream->record, metadata, rpc_server_call_peer(call));
    }
    if (read_script(stream, metadata, &answer) != 0) {
        server_probe_refuse(stream, answer.code, "%s", answer.message);
        return;
    }
    server_probe_stream_start(stream);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_closed(struct rpc_server_call *call, const struct rpc_status *status)
{
    struct server_probe_stream *stream = rpc_server_call_user(call);
    if (stream == NULL) {
        return; /* refused at its start */
    }
    struct server_probe *probe = stream->probe;
    struct rpc_status end = *status;
    server_probe_stream_settle(stream, &end);
    log_debug("probe of %s ended: %s, %s", rpc_server_call_peer(call),
              rpc_probe_end_name(stream->facts.how), end.message);
    if (stream->record != NULL) {
        server_probe_record_end(&probe->records, stream->record, end.message);
    }
    stream->connection->stream_count--;
    probe->stream_count--;
    uv_close((uv_handle_t *)stream->timer, on_timer_closed);
    free(stream->script_bytes);
    free(stream);
}

const struct rpc_method server_probe_run_method = {
    .path = RPC_PROBE_RUN_PATH,
    .on_start = on_start,
    .on_half_close = server_probe_stream_half_close,
    .on_closed = on_closed,
    .on_bytes = server_probe_stream_bytes,
    .on_sent = server_probe_stream_sent,
    .late_headers = true,
};

/* ---- Seen ------------------------------------------------------------------------------------ */

static void answer_seen(struct rpc_server_call *call, struct server_probe *probe, uint64_t id)
{
    uint8_t bytes[RPC_PROBE_SEEN_BYTES];
    struct rpc_probe_seen seen;
    server_probe_records_tell(&probe->records, id, uv_now(&rpc_server_call_loop(call)->uv), &seen);
    seen.server_id = probe->server_id;
    size_t len = rpc_probe_seen_encode(&seen, bytes, sizeof(bytes));
    if (len == 0 || rpc_server_call_send(call, bytes, len) != 0) {
        rpc_server_call_finish(call, RPC_RESOURCE_EXHAUSTED, "client does not read the answers");
        return;
    }
    rpc_server_call_finish(call, RPC_OK, NULL);
}

static void on_seen_message(struct rpc_server_call *call, const uint8_t *bytes, size_t len)
{
    struct server_probe *probe = ((struct server *)rpc_server_call_server_user(call))->probe;
    const char *text;
    uint64_t id;
    probe->asked++;
    if (rpc_probe_seen_request_decode(bytes, len, &text) != 0) {
        rpc_server_call_finish(call, RPC_INTERNAL, "message is not a probe.SeenRequest");
    } else if (!server_probe_id_parse(text, strlen(text), &id)) {
        rpc_server_call_finish(call, RPC_INVALID_ARGUMENT, "probe_id is not 16 hex digits");
    } else {
        answer_seen(call, probe, id);
    }
}

const struct rpc_method server_probe_seen_method = {
    .path = RPC_PROBE_SEEN_PATH,
    .on_start = server_health_start,
    .on_message = on_seen_message,
    .on_half_close = server_health_half_close,
};

/* ---- metrics --------------------------------------------------------------------------------- */

static void put_one(struct metrics *out, const char *name, enum metrics_type type, const char *help,
                    const struct metrics_label *labels, uint64_t value)
{
    metrics_begin(out, name, type, help);
    metrics_sample(out, name, labels, (double)value);
}

void server_probe_metrics(const struct server_probe *probe, const char *server_version,
                          struct metrics *out)
{
    const struct metrics_label *server = METRICS_LABELS({"server_version", server_version});
    put_one(out, "grpcroute_probe_streams_active", METRICS_GAUGE,
            "Live streams of the probe service.", server, probe->stream_count);
    metrics_begin(out, "grpcroute_probe_streams_ended_total", METRICS_COUNTER,
                  "Ended streams of the probe service by how.");
    for (size_t i = 1; i < ARRAY_SIZE(probe->ended); i++) {
        metrics_sample(out, "grpcroute_probe_streams_ended_total",
                       METRICS_LABELS({"server_version", server_version},
                                      {"how", rpc_probe_end_name((enum rpc_probe_end)i)}),
                       (double)probe->ended[i]);
    }
    put_one(out, "grpcroute_probe_messages_received_total", METRICS_COUNTER,
            "Messages of probes that came.", server, probe->messages_received);
    put_one(out, "grpcroute_probe_messages_sent_total", METRICS_COUNTER, "Messages sent to probes.",
            server, probe->messages_sent);
    put_one(out, "grpcroute_probe_seen_total", METRICS_COUNTER,
            "Questions about what was seen of a probe.", server, probe->asked);
    put_one(out, "grpcroute_probe_records", METRICS_GAUGE, "Streams that can be asked about.",
            server, probe->records.count);
}
