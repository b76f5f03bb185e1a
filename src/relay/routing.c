#include "relay/routing.h"

#include "base/mem.h"
#include "relay/account.h"
#include "relay/cluster.h"
#include "route/match.h"

#include <stdlib.h>
#include <string.h>

struct routing *routing_new(struct route_table *table, struct cluster *const *clusters)
{
    struct routing *routing = mem_new(struct routing);
    routing->table = table;
    routing->cluster_count = table->cluster_count;
    routing->clusters = mem_calloc(table->cluster_count + 1, sizeof(struct cluster *));
    memcpy(routing->clusters, clusters, table->cluster_count * sizeof(struct cluster *));
    routing->accounts = mem_calloc(table->rule_count + 1, sizeof(struct account *));
    for (size_t i = 0; i < table->rule_count; i++) {
        routing->accounts[i] = account_new(&table->rules[i]);
    }
    atomic_store(&routing->references, 1);
    return routing;
}

static struct account *find_account(const struct routing *routing, const char *name)
{
    for (size_t i = 0; i < routing->table->rule_count; i++) {
        if (strcmp(routing->accounts[i]->name, name) == 0) {
            return routing->accounts[i];
        }
    }
    return NULL;
}

void routing_continue(struct routing *routing, const struct routing *before)
{
    for (size_t i = 0; i < routing->table->rule_count; i++) {
        struct account *known = find_account(before, routing->accounts[i]->name);
        if (known != NULL) {
            account_unref(routing->accounts[i]);
            routing->accounts[i] = account_ref(known);
        }
    }
}

struct account *routing_account(const struct routing *routing, const struct route_rule *rule)
{
    return routing->accounts[rule - routing->table->rules];
}

struct routing *routing_ref(struct routing *routing)
{
    atomic_fetch_add(&routing->references, 1);
    return routing;
}

void routing_unref(struct routing *routing)
{
    if (routing == NULL || atomic_fetch_sub(&routing->references, 1) > 1) {
        return;
    }
    for (size_t i = 0; i < routing->cluster_count; i++) {
        cluster_unref(routing->clusters[i]);
    }
    for (size_t i = 0; i < routing->table->rule_count; i++) {
        account_unref(routing->accounts[i]);
    }
    free(routing->accounts);
    route_table_free(routing->table);
    free(routing->clusters);
    free(routing);
}

struct cluster *routing_find(const struct routing *routing, const char *name)
{
    for (size_t i = 0; i < routing->cluster_count; i++) {
        if (strcmp(routing->clusters[i]->name, name) == 0) {
            return routing->clusters[i];
        }
    }
    return NULL;
}

struct cluster *routing_pick(struct routing *routing, const struct route_rule *rule)
{
    size_t index = (size_t)(rule - routing->table->rules);
    const struct route_backend *backend =
        route_rule_pick(rule, atomic_fetch_add(&routing->accounts[index]->streams_total, 1));
    return backend != NULL ? routing->clusters[backend->cluster - routing->table->clusters] : NULL;
}
