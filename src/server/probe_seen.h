/* What the probe service remembers of streams, for Seen: bounded, by probe-id. */
#ifndef GRPCROUTE_SERVER_PROBE_SEEN_H
#define GRPCROUTE_SERVER_PROBE_SEEN_H

#include "base/list.h"
#include "h2/session.h"
#include "rpc/probe.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct server_probe_record;

/* What is known of a stream; times are of the server's loop, in ms; 0: not yet. */
struct server_probe_facts {
    uint64_t connection;
    uint64_t opened_ms;
    uint64_t ended_ms;
    uint64_t heard_ms;
    uint64_t half_closed_ms;
    enum rpc_probe_end how;
    uint32_t code;
    bool half_closed;
    uint64_t messages;
    uint64_t bytes;
    uint64_t sent_messages;
    uint64_t sent_bytes;
    uint32_t metadata_fields;
    uint64_t metadata_bytes;
};

struct server_probe_records {
    struct list *table; /* owned; by a hash of the id */
    struct list open;   /* records of streams that live, of such that ended: oldest first */
    struct list ended;
    size_t count;
    uint64_t seed;
};

void server_probe_records_init(struct server_probe_records *records);
void server_probe_records_deinit(struct server_probe_records *records);

/* 16 hex digits. Returns false for anything else. */
bool server_probe_id_parse(const char *text, size_t len, uint64_t *ret_id);

/* A stream with that id begins; what was known of one before is forgotten, but that there was one.
 * `facts` is borrowed, and `*slot` is the record, until server_probe_record_end() or until the
 * record is needed for another stream: then `*slot` becomes NULL. The record joins `connection`, a
 * list of such. */
void server_probe_record_begin(struct server_probe_records *records, uint64_t id,
                               const struct server_probe_facts *facts, struct list *connection,
                               struct server_probe_record **slot);
/* Keeps the binary metadata of a request but its script, and the peer's address. */
void server_probe_record_request(struct server_probe_record *record,
                                 const struct h2_block *metadata, const char *peer);
/* The stream is over; `why` is escaped here. */
void server_probe_record_end(struct server_probe_records *records,
                             struct server_probe_record *record, const char *why);
/* The connection of all these is over; they leave the list. `why` is escaped. */
void server_probe_records_connection_end(struct list *connection, const char *why);

/* Fills in what is known of the id, borrowed until any other call here; found is false if nothing.
 */
void server_probe_records_tell(const struct server_probe_records *records, uint64_t id,
                               uint64_t now_ms, struct rpc_probe_seen *ret);

#endif
