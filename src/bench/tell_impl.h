/* The longer forms of a result, each of a struct bench_page; for tell.c alone. */
#ifndef GRPCROUTE_BENCH_TELL_IMPL_H
#define GRPCROUTE_BENCH_TELL_IMPL_H

#include <stdio.h>

void bench_tell_markdown(FILE *out, const void *told);
void bench_tell_junit(FILE *out, const void *told);

#endif
