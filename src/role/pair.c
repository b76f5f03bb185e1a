#include "role/pair.h"

#include <string.h>

/* The last "=" counts: an agent's version may hold one. */
const char *role_pair_split(const char *text, struct role_pair *ret)
{
    const char *equals = strrchr(text, '=');
    if (equals == NULL) {
        return "there is no \"=\" in it";
    }
    if (equals == text) {
        return "there is nothing before the \"=\"";
    }
    *ret = (struct role_pair){text, (size_t)(equals - text), equals + 1};
    size_t count = 1;
    for (const char *at = ret->servers; count <= ROLE_EXPECT_MAX; count++) {
        size_t len = strcspn(at, "|");
        if (len == 0 || len >= ROLE_VERSION_BYTES || !cli_is_visible(at, len)) {
            return "a server's version is 1 to 71 visible characters";
        }
        bool is_last = at[len] == '\0';
        if (len == 1 && at[0] == '*' && (count > 1 || !is_last)) {
            return "a * stands alone";
        }
        if (is_last) {
            return NULL;
        }
        at += len + 1;
    }
    return "too many servers";
}

bool role_pair_has_key(const struct role_pair *pair, const char *key)
{
    return strlen(key) == pair->key_len && memcmp(pair->key, key, pair->key_len) == 0;
}

bool role_pair_find(const struct cli_list *list, const char *key, struct role_pair *ret)
{
    for (size_t i = 0; i < list->count; i++) {
        if (role_pair_split(list->values[i], ret) == NULL && role_pair_has_key(ret, key)) {
            return true;
        }
    }
    return false;
}

static int complain(const char *command, const char *option, const char *text, const char *what)
{
    cli_error(command, "%s: \"%.100s\" is not valid: %s", option, text, what);
    return 1;
}

static const char *check_pair(const struct cli_list *list, size_t index)
{
    struct role_pair pair;
    struct role_pair earlier;
    const char *wrong = role_pair_split(list->values[index], &pair);
    for (size_t i = 0; i < index && wrong == NULL; i++) {
        role_pair_split(list->values[i], &earlier);
        if (earlier.key_len == pair.key_len && memcmp(earlier.key, pair.key, pair.key_len) == 0) {
            wrong = "it was said before; alternatives are joined by |";
        }
    }
    return wrong;
}

int role_pairs_check_expect(const char *command, const struct cli_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct role_pair pair;
        const char *wrong = check_pair(list, i);
        if (wrong == NULL) {
            role_pair_split(list->values[i], &pair);
            wrong =
                pair.key_len < ROLE_AGENT_VERSION_BYTES && cli_is_visible(pair.key, pair.key_len)
                    ? NULL
                    : "an agent's version is 1 to 64 visible characters";
        }
        if (wrong != NULL) {
            return complain(command, "--expect", list->values[i], wrong);
        }
    }
    return 0;
}

static bool has_backend(const struct route_table *routes, const struct role_pair *pair)
{
    for (size_t i = 0; i < routes->rule_count; i++) {
        for (size_t b = 0; b < routes->rules[i].backend_count; b++) {
            if (role_pair_has_key(pair, routes->rules[i].backends[b].name)) {
                return true;
            }
        }
    }
    return false;
}

int role_pairs_check_backends(const char *command, const struct cli_list *list,
                              const struct route_table *routes)
{
    for (size_t i = 0; i < list->count; i++) {
        struct role_pair pair = {0};
        const char *wrong = check_pair(list, i);
        if (wrong == NULL) {
            role_pair_split(list->values[i], &pair);
            wrong = strcmp(pair.servers, "*") == 0 ? "* is for --expect"
                    : routes == NULL || has_backend(routes, &pair)
                        ? NULL
                        : "no rule of the routes has a backend of that name";
        }
        if (wrong != NULL) {
            return complain(command, "--backend-version", list->values[i], wrong);
        }
    }
    return 0;
}
