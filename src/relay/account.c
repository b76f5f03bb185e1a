#include "relay/account.h"

#include "base/mem.h"
#include "route/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "NAMESPACE/NAME/RULE" or "NAME/RULE"; what has no name is known by its place: "#0[2]". No name
 * has these characters in it. */
static void name_rule(char out[static ACCOUNT_NAME_BYTES], const struct route_rule *rule)
{
    const struct route_object *object = rule->object;
    char place[24];
    snprintf(place, sizeof(place), "#%zu", object->order);
    const char *name = object->name != NULL ? object->id : place;
    name += name[0] == '/'; /* without a namespace */
    if (rule->name != NULL) {
        snprintf(out, ACCOUNT_NAME_BYTES, "%s/%s", name, rule->name);
    } else {
        snprintf(out, ACCOUNT_NAME_BYTES, "%s[%zu]", name, rule->number);
    }
}

struct account *account_new(const struct route_rule *rule)
{
    struct account *account = mem_new(struct account);
    name_rule(account->name, rule);
    atomic_store(&account->references, 1);
    return account;
}

struct account *account_ref(struct account *account)
{
    atomic_fetch_add(&account->references, 1);
    return account;
}

void account_unref(struct account *account)
{
    if (atomic_fetch_sub(&account->references, 1) == 1) {
        per_worker_deinit(&account->blocks);
        free(account);
    }
}

struct account_block *account_block(struct account *account, unsigned worker)
{
    return per_worker_get(&account->blocks, worker, sizeof(struct account_block));
}

void account_answers(const struct account *account, struct tally_sum *ret_sum)
{
    memset(ret_sum, 0, sizeof(*ret_sum));
    for (unsigned i = 0; i < RELAY_WORKERS_MAX; i++) {
        const struct account_block *block = per_worker_look(&account->blocks, i);
        if (block != NULL) {
            tally_add_to(&block->answers, ret_sum);
        }
    }
}
