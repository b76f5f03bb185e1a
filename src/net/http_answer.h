/* Answers as libmicrohttpd sends them: headers that all have, and refusals. Only net/http*.c
 * include this. */
#ifndef GRPCROUTE_NET_HTTP_ANSWER_H
#define GRPCROUTE_NET_HTTP_ANSWER_H

#include "net/http.h"

#include <microhttpd.h>

/* Queues `response`, which is released; NULL ends the connection. Status and headers are those of
 * `out`. */
enum MHD_Result http_answer_queue(struct MHD_Connection *connection,
                                  const struct net_http_response *out,
                                  struct MHD_Response *response);

/* Sends `out`, whose body is freed. */
enum MHD_Result http_answer_send(struct MHD_Connection *connection, struct net_http_response *out);

/* Says why not, and ends the connection: a request that is refused keeps no place. `allow` is the
 * header of that name, or NULL. */
enum MHD_Result http_answer_refuse(struct MHD_Connection *connection, unsigned status,
                                   const char *text, const char *allow);

#endif
