/* A call for each message, of a service that is not called on one long stream: from when it was
 * due to its end. Inside bench/ only. */
#ifndef GRPCROUTE_BENCH_CALL_H
#define GRPCROUTE_BENCH_CALL_H

#include "bench/state.h"

extern const struct role_pinger_events bench_call_events;

/* Begins the next call. Returns false while one is under way, where it cannot be sent, and where
 * the connection has no room for it or others are to be begun once more: then conn->waiting has the
 * stream, and it is resumed when there may be room. */
bool bench_call_start(struct bench_stream *stream);
/* Begins once more the call that the server did not look at, if it is time; else conn->timer
 * resumes the stream when it is. */
void bench_call_start_again(struct bench_stream *stream);

#endif
