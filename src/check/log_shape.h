/* What a text looks like that is no line of ours: the shapes that carriers give it, and what they
 * say themselves. Inside check/ only; pure. */
#ifndef GRPCROUTE_CHECK_LOG_SHAPE_H
#define GRPCROUTE_CHECK_LOG_SHAPE_H

#include "check/log_told.h"

#include <cjson/cJSON.h>
#include <stdbool.h>

/* What a text says that has no front of ours. */
enum check_log_meaning check_log_read_without_front(const char *text);

/* What a value says that nobody known carries lines in: never an event. */
enum check_log_meaning check_log_of_strangers(const cJSON *value);
enum check_log_meaning check_log_of_strangers_text(const char *text);

/* A text that begins as a list of strings, lists or objects, all of it. */
bool check_log_is_list(const char *text);

/* The beginning of an object, and not all of it: whatever comes next belongs to it. */
bool check_log_is_open(const char *text);

/* Where the string begins that `front` stands in, or NULL. */
const char *check_log_find_quote(const char *text, const char *front);

/* journald writes what is not plain text as an array of bytes. The text is owned by the caller. */
bool check_log_is_byte_array(const cJSON *array);
char *check_log_text_of_bytes(const cJSON *array);

#endif
