/* Texts of the routes in the syntax of others: quotes, expressions, paths. Pure. */
#ifndef GRPCROUTE_RENDER_TEXT_H
#define GRPCROUTE_RENDER_TEXT_H

#include "route/table.h"

#include <stdbool.h>
#include <stdio.h>

/* A YAML string in double quotes. */
void put_yaml(FILE *out, const char *text);
/* The same, escaped for between the double quotes, so that a string may be put together from parts.
 */
void put_yaml_part(FILE *out, const char *text);
/* A word of haproxy.cfg in single quotes. */
void put_haproxy(FILE *out, const char *text);
/* The head of a filter of Envoy's in Lua: `why` is a comment, a line each of its function follows,
 * by 20 spaces. */
void put_envoy_lua(FILE *out, const char *why);
/* An expression that matches exactly this text, for PCRE and RE2 alike. */
void put_literal(FILE *out, const char *text);

/* Whether RE2 (Envoy) and Go's regexp (Traefik) take a PCRE2 expression and mean the same: they
 * know no look-around, no back references, no possessive or atomic groups, and not all escapes. */
bool is_re2(const char *expression);

/* What a match says about ":path". */
enum path_kind { PATH_ANY, PATH_EXACT, PATH_PREFIX, PATH_REGEX };

/* The kind, and its text for free(): "/service/method", "/service/", or an expression for the whole
 * path; NULL for PATH_ANY. */
enum path_kind path_of(const struct route_match *match, char **ret_text);

/* The same as an expression for the whole path, for free(). NULL for PATH_ANY. */
char *path_expression(const struct route_match *match);

#endif
