/* What an answer, or its absence, is worth. Inside bench/ only. */
#ifndef GRPCROUTE_BENCH_ACCOUNT_H
#define GRPCROUTE_BENCH_ACCOUNT_H

#include "bench/state.h"

/* Whether a message that was due or sent then belongs to the measured time. */
bool bench_counts(const struct bench_driver *driver, uint64_t at_ns);
/* The number of a stream among all. */
size_t bench_stream_index(const struct bench_stream *stream);

/* Who answered, and in order: `expected` is the sequence that was asked for; 0: there is none. */
void bench_check_answer(struct bench_stream *stream, const struct rpc_ping_response *response,
                        uint64_t expected);
/* The stream's opening message was answered. */
void bench_first_answer(struct bench_stream *stream);
/* The oldest message under way was answered. */
void bench_load_answer(struct bench_stream *stream);
/* What is under way will not be answered; what is due from now on waits for the next call. */
void bench_lose_rest(struct bench_stream *stream);
/* What a planned end left unseen was not sent yet; the rest of what is under way is lost. */
void bench_end_as_planned(struct bench_stream *stream, uint64_t received);
/* Counts what was due in the measured time and never answered. */
void bench_account_rest(struct bench_stream *stream, uint64_t now_ns);
/* A call could not be started: `code` is what role_pinger_open() said. */
void bench_count_unstarted(struct bench_stream *stream, int code);

#endif
