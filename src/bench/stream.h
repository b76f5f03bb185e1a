/* One stream of the load. Inside bench/ only. */
#ifndef GRPCROUTE_BENCH_STREAM_H
#define GRPCROUTE_BENCH_STREAM_H

#include "bench/state.h"

/* `version` is the number of one of the setup's. */
void bench_stream_init(struct bench_stream *stream, struct bench_conn *conn, size_t version);
/* Goes on where nothing is under way: opens the stream with its first message, or begins the call
 * that is next. */
void bench_stream_resume(struct bench_stream *stream);
/* It has no call, and is to have one: also behind the load's end, for what was due in it and was
 * seen by nobody. */
bool bench_stream_wants_call(const struct bench_stream *stream);
/* Sends what is due, as long as the peer takes it. */
void bench_stream_send_due(struct bench_stream *stream, uint64_t now_ns);
/* Closed loop: sends one. */
void bench_stream_send_next(struct bench_stream *stream);

#endif
