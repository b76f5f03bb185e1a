/* One stream of the load. Inside bench/ only. */
#ifndef GRPCROUTE_BENCH_STREAM_H
#define GRPCROUTE_BENCH_STREAM_H

#include "bench/state.h"

/* `version` is the number of one of the setup's. */
void bench_stream_init(struct bench_stream *stream, struct bench_conn *conn, size_t version);
/* Opens the call and sends its first message. */
void bench_stream_open(struct bench_stream *stream);
/* Sends what is due, as long as the peer takes it. */
void bench_stream_send_due(struct bench_stream *stream, uint64_t now_ns);
/* Closed loop: sends one. */
void bench_stream_send_next(struct bench_stream *stream);
/* Counts what was due in the measured time and never answered. */
void bench_stream_account_rest(struct bench_stream *stream, uint64_t now_ns);

#endif
