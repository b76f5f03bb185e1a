#include "proxy/endpoint_names.h"

#include "base/mem.h"
#include "relay/cluster.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMED_MAX 3 /* of each kind; a line is for people */

static void take_one(void *ctx, struct endpoint *endpoint)
{
    struct proxy_endpoint_names *names = ctx;
    names->names = mem_realloc(names->names, (names->count + 1) * sizeof(*names->names));
    memcpy(names->names[names->count], endpoint->name, sizeof(endpoint->name));
    names->count++;
}

void proxy_endpoint_names_take(struct proxy_endpoint_names *names, struct cluster *cluster)
{
    *names = (struct proxy_endpoint_names){0};
    cluster_each(cluster, take_one, names);
}

void proxy_endpoint_names_free(struct proxy_endpoint_names *names)
{
    free(names->names);
    *names = (struct proxy_endpoint_names){0};
}

/* Nearly always a name is where it was. */
static bool has(const struct proxy_endpoint_names *names, size_t hint, const char *name)
{
    bool found = hint < names->count && strcmp(names->names[hint], name) == 0;
    for (size_t i = 0; i < names->count && !found; i++) {
        found = strcmp(names->names[i], name) == 0;
    }
    return found;
}

/* Writes those of `names` that the others lack. */
static size_t add_missing(const char *word, const struct proxy_endpoint_names *names,
                          const struct proxy_endpoint_names *others, char *out, size_t out_bytes)
{
    size_t found = 0;
    size_t len = 0;
    for (size_t i = 0; i < names->count && found <= NAMED_MAX; i++) {
        if (has(others, i, names->names[i])) {
            continue;
        }
        const char *begin = found == 0 ? word : ", ";
        const char *name = found < NAMED_MAX ? names->names[i] : "...";
        int wrote = snprintf(out + len, out_bytes - len, "%s%s", begin, name);
        len = (size_t)wrote < out_bytes - len ? len + (size_t)wrote : out_bytes - 1;
        found++;
    }
    return len;
}

char *proxy_endpoint_names_changes(const struct proxy_endpoint_names *before,
                                   const struct proxy_endpoint_names *after, char *out,
                                   size_t out_bytes)
{
    out[0] = '\0';
    size_t len = add_missing("; new ", after, before, out, out_bytes);
    add_missing("; gone ", before, after, out + len, out_bytes - len);
    return out;
}
