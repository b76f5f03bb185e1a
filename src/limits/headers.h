/* The judge of headers that go before any message. Pure. */
#ifndef GRPCROUTE_LIMITS_HEADERS_H
#define GRPCROUTE_LIMITS_HEADERS_H

#include "limits/finding.h"

/* What was seen of a stream on which the client sent nothing but its headers, and the server
 * answers with headers at once; and of another, with a message at once. Times since the opening. */
struct limits_headers {
    bool came; /* response headers, while no message was sent */
    uint64_t came_ns;
    uint64_t waited_ns; /* for them, at most */
    bool server_asked;  /* and it, or another, answered */
    bool server_saw;    /* the stream, before the client gave it up */
    uint64_t server_saw_ns;
    bool came_with_message; /* on the other stream: headers or an answer; only where none came */
};

/* Value: 0, 1 (the server sees the stream) or 2 (the client hears of it, too); `looked` is 2. */
void limits_headers_sample(const struct limits_headers *headers, struct limits_sample *sample);

#endif
