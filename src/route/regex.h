/* Regular expressions that must match a whole value, with bounded backtracking (PCRE2). */
#ifndef GRPCROUTE_ROUTE_REGEX_H
#define GRPCROUTE_ROUTE_REGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one match may cost before it is given up: steps (a few milliseconds), and memory, which is
 * kept per thread. */
#define ROUTE_REGEX_STEPS    100000
#define ROUTE_REGEX_HEAP_KIB 16384

enum route_regex_answer {
    ROUTE_REGEX_NO = 0,
    ROUTE_REGEX_YES = 1,
    ROUTE_REGEX_GAVE_UP = 2, /* a limit was reached: nobody knows */
};

/* What an expression is when "^(?:" and ")$" are put around it, as proxies need it that do not
 * anchor expressions themselves. */
struct route_regex_facts {
    bool compiles;
    uint32_t groups; /* that capture */
    uint32_t names;  /* of groups */
    uint32_t back_references;
};

/* `numbered`: "(...)" captures; some proxies compile without that. */
struct route_regex_facts route_regex_wrapped(const char *pattern, bool numbered);

struct route_regex;

/* Compiles; bytes are characters. NULL with a sentence in `reason` ("missing closing parenthesis at
 * offset 4"). */
struct route_regex *route_regex_new(const char *pattern, char *reason, size_t reason_bytes);
/* Accepts NULL. */
void route_regex_free(struct route_regex *regex);
/* Safe from several threads. */
enum route_regex_answer route_regex_matches(const struct route_regex *regex, const char *value,
                                            size_t len);

#endif
