/* -H 'NAME: VALUE': what a client adds to each of its calls. Values are secrets: they are in no log
 * line, no error and no report. */
#ifndef GRPCROUTE_ROLE_HEADERS_H
#define GRPCROUTE_ROLE_HEADERS_H

#include "cli/options.h"
#include "h2/session.h"

#include <stdbool.h>
#include <stddef.h>

/* Fields that may be added, what one value may have and all of them together: proxies take 8 KiB of
 * one and hardly more than 32 KiB of all. */
#define ROLE_HEADERS_MAX       16
#define ROLE_HEADER_BYTES      8192
#define ROLE_HEADERS_BYTES     (24 * 1024)
#define ROLE_HEADER_NAME_BYTES 257

struct role_header {
    char name[ROLE_HEADER_NAME_BYTES]; /* lower case */
    char *text;                        /* owned; the value, or what stands before the file's */
    char *file;                        /* owned; NULL: `text` is all of it */
    bool read_once;                    /* the file is a pipe, or standard input */
    bool is_stale;                     /* it could not be read again, which was told */
    char *value;                       /* owned; as it is sent */
};

/* A zeroed struct has none. */
struct role_headers {
    const char *command;
    struct role_header fields[ROLE_HEADERS_MAX];
    size_t count;
};

/* A field name into `out` in lower case. Returns NULL, or what is wrong. */
const char *role_header_spell(const char *text, size_t len,
                              char out[static ROLE_HEADER_NAME_BYTES]);

/* A field name that a client may choose, into `out` in lower case. Returns NULL, or what is wrong.
 */
const char *role_header_name(const char *text, size_t len, char out[static ROLE_HEADER_NAME_BYTES]);

/* Whether its values are base64 of anything (gRPC PROTOCOL-HTTP2.md, Binary-Header). */
bool role_header_is_binary(const char *name);

/* Takes the values of -H and reads their files. Returns 0, or 1 after one line on standard error.
 * */
int role_headers_init(struct role_headers *headers, const char *command,
                      const struct cli_list *values);
void role_headers_deinit(struct role_headers *headers);

/* Reads the files again, as each connection does. What cannot be read keeps the value it had, which
 * is told once until it can be read. */
void role_headers_refresh(struct role_headers *headers);

/* Fills in the fields, never to be kept in a compression table; borrowed from `headers` until the
 * next refresh. Returns how many. */
size_t role_headers_fill(const struct role_headers *headers,
                         struct h2_header out[static ROLE_HEADERS_MAX]);

#endif
