/* Under which names of an object carriers put lines of ours. Under another one a line may be a
 * client's, who sent it in a header. Inside check/ only; pure. */
#ifndef GRPCROUTE_CHECK_LOG_MEMBER_H
#define GRPCROUTE_CHECK_LOG_MEMBER_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

/* The members of an object that carry lines, as strings or lists of strings; `in` is the member
 * that the object is, "" where it is none. */
bool check_log_carries_text(const char *in, const char *name);
/* ... and those that carry objects. */
bool check_log_carries_object(const char *in, const char *name);

/* Whether a member that carries lines is there twice: one of them is somebody's else. */
bool check_log_carries_twice(const cJSON *object);

/* A name of those that carry lines in an object that is no member. */
bool check_log_is_text_name(const char *name, size_t len);

/* Whether `word`, `len` long, is one of the words. */
bool check_log_is_among(const char *const *words, size_t count, const char *word, size_t len);

#endif
