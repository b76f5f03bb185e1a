/* Where the streams are and how they came there: a part of the text. */
#ifndef GRPCROUTE_FAILOVER_PRINT_PODS_H
#define GRPCROUTE_FAILOVER_PRINT_PODS_H

#include "failover/result.h"

#include <stdio.h>

/* Black holes, the spread of each backend, the roll call and the reconnects: a line each. */
void failover_print_pods(FILE *out, const struct failover_result *result);

#endif
