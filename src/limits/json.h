/* What JSON says of findings, in results and comparisons alike. */
#ifndef GRPCROUTE_LIMITS_JSON_H
#define GRPCROUTE_LIMITS_JSON_H

#include "limits/finding.h"

struct cJSON;

/* An escaped text, as people read it. */
void limits_json_text(struct cJSON *object, const char *name, const char *escaped);

/* The member of a value: `name`, with "_ns" or "_bytes" behind it where it is one. Facts have none;
 * LIMITS_VALUE_NONE is null. */
#define LIMITS_MEMBER_BYTES 32
const char *limits_json_member(const char *name, enum limits_kind kind,
                               char out[static LIMITS_MEMBER_BYTES]);
void limits_json_value(struct cJSON *object, const char *name, enum limits_kind kind,
                       uint64_t value);

/* "duration", "bytes", "count", "fact". */
const char *limits_kind_name(enum limits_kind kind);

/* State, value, who ended it and how it looked; not its shape, and not its samples. */
void limits_json_found(struct cJSON *object, const struct limits_finding *finding);

#endif
