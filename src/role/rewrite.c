#include "role/rewrite.h"

#include "base/text.h"
#include "role/connect.h"

#include <stdio.h>
#include <string.h>

#define SHOWN_BYTES 80 /* of a value */

static const struct route_change *find(const struct route_modifier *modifier, const char *name)
{
    for (size_t i = 0; i < modifier->count; i++) {
        if (strcmp(modifier->changes[i].name, name) == 0) {
            return &modifier->changes[i];
        }
    }
    return NULL;
}

struct role_rewrite role_rewrite_of(const struct route_rule *rule)
{
    return (struct role_rewrite){
        .id = find(&rule->request, ROLE_ID_HEADER),
        .version = find(&rule->request, ROLE_VERSION_HEADER),
    };
}

bool role_rewrites(const struct role_rewrite *rewrite)
{
    return rewrite->id != NULL || rewrite->version != NULL;
}

bool role_routes_rewrite(const struct route_table *routes)
{
    bool rewrites = false;
    for (size_t i = 0; routes != NULL && i < routes->rule_count && !rewrites; i++) {
        const struct role_rewrite rewrite = role_rewrite_of(&routes->rules[i]);
        rewrites = role_rewrites(&rewrite);
    }
    return rewrites;
}

/* Of two values a server may take either, or both as one (RFC 9110 section 5.3). */
static bool is_either(const char *own, const char *added, const char *seen)
{
    size_t len = strlen(own);
    if (strcmp(seen, own) == 0 || strcmp(seen, added) == 0) {
        return true;
    }
    if (strncmp(seen, own, len) != 0 || seen[len] != ',') {
        return false;
    }
    seen += len + 1;
    return strcmp(seen + strspn(seen, " "), added) == 0;
}

bool role_rewrite_allows(const struct route_change *change, const char *own, const char *seen)
{
    if (change == NULL) {
        return strcmp(seen, own) == 0;
    }
    bool unseen = change->value != NULL && strlen(change->value) > ROLE_ECHOED_BYTES;
    switch (change->kind) {
    case ROUTE_HEADER_SET:
        return strcmp(seen, change->value) == 0 || (unseen && seen[0] == '\0');
    case ROUTE_HEADER_ADD:
        return is_either(own, change->value, seen) || (unseen && seen[0] == '\0');
    case ROUTE_HEADER_REMOVE:
        return seen[0] == '\0';
    }
    return false;
}

static int put(char *out, size_t out_bytes, const struct route_change *change, const char *joint)
{
    static const char *const does[] = {[ROUTE_HEADER_SET] = "sets",
                                       [ROUTE_HEADER_ADD] = "adds",
                                       [ROUTE_HEADER_REMOVE] = "removes"};
    char value[SHOWN_BYTES] = "";
    if (change == NULL) {
        return 0;
    }
    if (change->value != NULL) {
        text_escape(value, sizeof(value), change->value, strlen(change->value));
    }
    return snprintf(out, out_bytes, "%s%s %s%s%s", joint, does[change->kind], change->name,
                    change->value != NULL ? "=" : "", value);
}

char *role_rewrite_text(const struct role_rewrite *rewrite, char out[static ROLE_REWRITE_BYTES])
{
    out[0] = '\0';
    int len = put(out, ROLE_REWRITE_BYTES, rewrite->version, "its rule ");
    put(out + len, ROLE_REWRITE_BYTES - (size_t)len, rewrite->id, len > 0 ? " and " : "its rule ");
    return out;
}
