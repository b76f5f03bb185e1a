/* Answers as libevent sends them: headers that all have, and refusals. Only net/http*.c include
 * this. */
#ifndef GRPCROUTE_NET_HTTP_ANSWER_H
#define GRPCROUTE_NET_HTTP_ANSWER_H

#include "net/http.h"

#include <stdbool.h>

struct http_place;

/* Each answers the place's request, which is libevent's again from then on. */

/* Sends `out`, whose body is taken, and not sent to HEAD (`whole` is false). */
void http_answer_send(struct http_place *place, struct net_http_response *out, bool whole);

/* Says why not, and ends the connection: a request that is refused keeps no place. `allow` is the
 * header of that name, or NULL. */
void http_answer_refuse(struct http_place *place, unsigned status, const char *text,
                        const char *allow);

/* Begins an answer that does not end before its connection does; its request stays the place's. */
void http_answer_stream(struct http_place *place, const struct net_http_response *out);

/* More of it. */
void http_answer_stream_more(struct http_place *place, const void *bytes, size_t len);

#endif
