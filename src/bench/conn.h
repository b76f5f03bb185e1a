/* One connection of the load, made again when it is lost. Inside bench/ only. */
#ifndef GRPCROUTE_BENCH_CONN_H
#define GRPCROUTE_BENCH_CONN_H

#include "bench/state.h"

/* `streams` are its own; bench_conn_start() opens it. */
void bench_conn_init(struct bench_conn *conn, struct bench_driver *driver,
                     struct bench_stream *streams);
/* For good: its client goes, and it is not opened again. */
void bench_conn_close(struct bench_conn *conn);

#endif
