/* One value of an encoded protobuf message by the numbers of its fields, without knowing the
 * message's type. Pure; a message is a peer's bytes and may be anything. Source: protobuf's
 * "Encoding". */
#ifndef GRPCROUTE_RPC_FIELD_H
#define GRPCROUTE_RPC_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Messages within messages that a path can name, and groups within groups that are walked over. */
#define RPC_FIELD_DEPTH_MAX 8
#define RPC_GROUP_DEPTH_MAX 32

struct rpc_field_path {
    uint32_t numbers[RPC_FIELD_DEPTH_MAX]; /* of fields, from the outermost message in */
    size_t depth;                          /* 1 or more */
};

/* "3", or "1.2" for field 2 of the message in field 1. Returns NULL, or what is wrong. */
const char *rpc_field_parse(const char *text, struct rpc_field_path *ret);

enum rpc_field_outcome {
    RPC_FIELD_E_ABSENT = 1,
    RPC_FIELD_E_REPEATED, /* there, with values that differ */
    RPC_FIELD_E_TYPE,     /* there, but a number of fixed size, a group, or no message on the way */
    RPC_FIELD_E_MALFORMED, /* these bytes, or those of a message on the way, are no message */
};

struct rpc_field_value {
    const uint8_t *bytes; /* of a string, bytes or message; borrowed; NULL: a varint */
    size_t len;
    uint64_t number; /* the varint */
};

/* Finds the value. Returns 0 or an outcome; then `ret` is not written. */
int rpc_field_find(const uint8_t *bytes, size_t len, const struct rpc_field_path *path,
                   struct rpc_field_value *ret);

/* A walk over a message's fields, one after the other, from { bytes, bytes + len }. */
struct rpc_field_walk {
    const uint8_t *at;
    const uint8_t *end;
};
/* Takes the next field. Returns its number, with the value of a varint, a string, bytes or a
 * message; `*ret` is empty for other kinds. 0 at the end, -1 where the bytes are no message. */
int64_t rpc_field_next(struct rpc_field_walk *walk, struct rpc_field_value *ret);

/* Whether the bytes are fields to their end. */
bool rpc_field_is_message(const uint8_t *bytes, size_t len);

/* The numbers of a message's fields, "1, 2, 4", each once, cut with "..."; "none". Returns `out`.
 */
char *rpc_field_list(const uint8_t *bytes, size_t len, char *out, size_t out_bytes);

#endif
