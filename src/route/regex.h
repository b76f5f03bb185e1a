/* Regular expressions that must match a whole value, with bounded backtracking (PCRE2). */
#ifndef GRPCROUTE_ROUTE_REGEX_H
#define GRPCROUTE_ROUTE_REGEX_H

#include <stdbool.h>
#include <stddef.h>

/* Steps before a match is given up (and counts as no match). */
#define ROUTE_REGEX_STEPS 100000

struct route_regex;

/* Compiles. NULL with a sentence in `reason` ("missing closing parenthesis at offset 4"). */
struct route_regex *route_regex_new(const char *pattern, char *reason, size_t reason_bytes);
/* Accepts NULL. */
void route_regex_free(struct route_regex *regex);
/* Safe from several threads. */
bool route_regex_matches(const struct route_regex *regex, const char *value, size_t len);

#endif
