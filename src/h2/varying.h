/* Which fields of one connection's requests differ from request to request. Inside h2/ only.
 *
 * An HPACK table is for fields that come again. One that never does (an id, a token) pushes those
 * out, and an encoder that looks for it compares it with each entry of its name. So a field that
 * was seen to vary is sent as a literal that is never indexed (RFC 7541 section 6.2.3), which is
 * also what section 7.1.3 asks for of secrets on a connection that many share. */
#ifndef GRPCROUTE_H2_VARYING_H
#define GRPCROUTE_H2_VARYING_H

#include "h2/session.h"

/* Of so many names it is known; one more takes the place of another. */
#define H2_VARYING_NAMES 32
/* A value that is one of the last so many new ones has come again: a few in turn do not vary. */
#define H2_VARYING_VALUES 4
/* So many values in a row that had not come before make a field a varying one. */
#define H2_VARYING_NEW 8

struct h2_varying_name {
    uint32_t name; /* a mark of it, as those of the values */
    uint32_t values[H2_VARYING_VALUES];
    uint8_t oldest; /* of them */
    uint8_t fresh;  /* new ones in a row, up to H2_VARYING_NEW */
};

struct h2_varying {
    size_t count; /* names */
    size_t at;    /* where the next is expected: requests have their fields in the same order */
    struct h2_varying_name names[H2_VARYING_NAMES];
};

/* Notes that the field is sent once more. Returns whether it varies: false again once a value comes
 * again. A mark is made of a text's length and ends: what differs elsewhere alone may count as
 * come again, which costs a little and is never wrong. */
bool h2_varying_note(struct h2_varying *varying, const struct h2_header *field);

#endif
