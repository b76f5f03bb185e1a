/* The split of one group as JSON. */
#ifndef GRPCROUTE_CHECK_SPLIT_JSON_H
#define GRPCROUTE_CHECK_SPLIT_JSON_H

#include "check/finding.h"

#include <cjson/cJSON.h>

/* For the caller to own; null where the routes give no weights for the group. */
cJSON *check_split_json(const struct check_report *report, size_t group);

#endif
