/* The forms of a result (cli/result.h). */
#ifndef GRPCROUTE_FAILOVER_PRINT_H
#define GRPCROUTE_FAILOVER_PRINT_H

#include <stdio.h>

struct cJSON;
struct failover_stream;

/* `result` is a struct failover_result, after failover_find(). */
void failover_print_text(FILE *out, const void *result);
void failover_print_json(struct cJSON *object, const void *result);
void failover_print_markdown(FILE *out, const void *result);
void failover_print_junit(FILE *out, const void *result); /* a case for each stream and limit */
void failover_print_page(FILE *out, const void *result);  /* with pictures */

/* What was counted of a stream, for results and pages. */
void failover_add_counts(struct cJSON *object, const struct failover_stream *stream);

#endif
