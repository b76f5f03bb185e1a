/* Who answered, as --server-from or --pod-from finds it in what a service sends. Pure; all of it is
 * a peer's bytes, and what is wrong with them is told in printable ASCII. */
#ifndef GRPCROUTE_ROLE_NAMING_H
#define GRPCROUTE_ROLE_NAMING_H

#include "h2/session.h"
#include "role/service.h"

/* The longest name; a longer one is none, for cut names could be the same. */
#define ROLE_NAME_BYTES    256
#define ROLE_MISSING_BYTES 240

/* A zeroed struct has seen nothing. */
struct role_name {
    char text[ROLE_NAME_BYTES];       /* raw, without NUL; empty: not known */
    char missing[ROLE_MISSING_BYTES]; /* the first time that it was not there; printable ASCII */
};

/* Looks into headers or trailers; only where `source` is of that kind. */
void role_name_from_block(struct role_name *name, const struct role_source *source,
                          enum role_source_kind kind, const struct h2_block *block);
/* Looks into a message; only where `source` is a field. */
void role_name_from_message(struct role_name *name, const struct role_source *source,
                            const uint8_t *bytes, size_t len);

#endif
