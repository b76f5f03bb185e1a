/* The insides of an exchange; for the exchange files alone: exchange.c (the client's side) over
 * exchange_upstream.c (the request goes to an endpoint) over exchange_response.c (what comes from
 * there) over exchange_loss.c (how that ended) over exchange_connect.c (where it goes) over
 * exchange_core.c. */
#ifndef GRPCROUTE_RELAY_EXCHANGE_IMPL_H
#define GRPCROUTE_RELAY_EXCHANGE_IMPL_H

#include "relay/exchange.h"
#include "rpc/status.h"

/* A stream's queue never holds more than the window of its sender; twice that is for our own
 * arithmetic. */
#define EXCHANGE_QUEUE_BYTES (2 * (size_t)H2_STREAM_WINDOW_BYTES)

/* ---- exchange_core.c ---- */

/* Changes the state, but to ENDING; what may follow what is asserted. */
void exchange_enter(struct exchange *exchange, enum exchange_state state);
/* The step into ENDING: who ended it, and why. `detail` (NULL: none) may hold any bytes. */
void exchange_end(struct exchange *exchange, enum stream_reason reason, const char *detail);
/* The client got nothing of how it ended: an end without a detail gets this one. */
void exchange_end_unheard(struct exchange *exchange, const char *detail);

/* The worker's buffers are looked at when this turn of the loop ends, if they are too full. */
void exchange_watch_buffers(struct exchange *exchange);
/* Keeps the request, which it owns from now on, while a retry is possible. */
void exchange_keep_request(struct exchange *exchange, struct headers_request *request);
/* Keeps body bytes while a retry is possible. A body longer than a window gives up the retry. While
 * no upstream stream is open all of it is kept: a window at most from before, and one that the
 * client had credit for, because credit is given only as frames leave. Answers where there is no
 * memory for it. */
void exchange_keep_for_replay(struct exchange *exchange, const uint8_t *bytes, size_t len);
/* Drops what a retry would need; not needed once an answer has begun. */
void exchange_forget_request(struct exchange *exchange);
/* Gives the client credit for up to `len` bytes that it waits for. */
void exchange_return_credit(struct exchange *exchange, size_t len);

/* Ends it with a status, and the upstream side, if any, with a reset; it lives on until both have
 * closed. `http_status` is for who does not speak gRPC. */
void exchange_answer(struct exchange *exchange, enum stream_reason reason, enum rpc_code code,
                     const char *message);
void exchange_answer_http(struct exchange *exchange, enum stream_reason reason, enum rpc_code code,
                          const char *http_status, const char *message);

/* Withdraws from the endpoint's side, whatever it has come to. A young stream that is reset is
 * trouble of the client's. */
void exchange_end_upstream(struct exchange *exchange, uint32_t code);
/* The endpoint has answered in full and may wait for the request's end. An empty frame tells it
 * without being counted as a reset; what it did not read is dropped. */
void exchange_finish_request(struct exchange *exchange);

void exchange_leave_endpoint(struct exchange *exchange);
void exchange_leave_client(struct exchange *exchange);
/* Frees the exchange once neither side can call back. */
void exchange_free_when_closed(struct exchange *exchange);

/* ---- exchange_connect.c ---- */

/* Chooses an endpoint and asks for a stream there. Answers when there is none. */
void exchange_connect(struct exchange *exchange);
/* Tries again, on another endpoint if there is one, if the request provably was not looked at and
 * is still known. Returns false when it may not. `same`: the same endpoint may do. */
bool exchange_retry(struct exchange *exchange, bool same);
/* As above. A refusal says that this connection has no room, not that the endpoint is bad. */
bool exchange_retry_refused(struct exchange *exchange);

/* ---- exchange_loss.c, exchange_response.c ---- */

/* The on_close of h2_stream_events, and all of them, of a stream to an endpoint. */
void exchange_on_upstream_close(void *user, uint32_t error, bool unprocessed);
extern const struct h2_stream_events exchange_upstream_events;

/* ---- exchange_upstream.c ---- */

/* Answers a request whose metadata is more than `limit_bytes`. */
void exchange_refuse_large(struct exchange *exchange, uint32_t limit_bytes);

extern const struct upstream_request_events exchange_request_events;

#endif
