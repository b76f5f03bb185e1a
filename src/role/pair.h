/* "KEY=SERVER[|SERVER...]", as --expect and --backend-version have it: read and checked. Inside
 * role/ only. */
#ifndef GRPCROUTE_ROLE_PAIR_H
#define GRPCROUTE_ROLE_PAIR_H

#include "cli/common.h"
#include "role/expect.h"

struct role_pair {
    const char *key;
    size_t key_len;
    const char *servers; /* to the end of the text */
};

/* Returns NULL, or what is wrong. */
const char *role_pair_split(const char *text, struct role_pair *ret);
bool role_pair_has_key(const struct role_pair *pair, const char *key);
/* Finds what the list says of `key` itself; the list was checked. */
bool role_pair_find(const struct cli_list *list, const char *key, struct role_pair *ret);

/* Checks a list; `routes`, where not NULL, must have the backends. Return 0, or 1 after one line on
 * standard error. */
int role_pairs_check_expect(const char *command, const struct cli_list *list);
int role_pairs_check_backends(const char *command, const struct cli_list *list,
                              const struct route_table *routes);

#endif
