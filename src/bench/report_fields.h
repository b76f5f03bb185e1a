/* The fields of a report that are written and read alike. Inside bench/ only. */
#ifndef GRPCROUTE_BENCH_REPORT_FIELDS_H
#define GRPCROUTE_BENCH_REPORT_FIELDS_H

#include <stddef.h>

/* A list of them ends with a name that is NULL. */
struct bench_report_field {
    const char *name;
    size_t offset; /* in struct bench_result */
};

/* Counters, each a uint64_t. */
extern const struct bench_report_field bench_report_fields[];
/* Those that reports of older versions do not have. */
extern const struct bench_report_field bench_report_later_fields[];
/* Each a struct histogram. */
extern const struct bench_report_field bench_report_histograms[];

#endif
