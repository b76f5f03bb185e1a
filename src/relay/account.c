#include "relay/account.h"

#include "base/mem.h"
#include "route/table.h"

#include <stdlib.h>
#include <string.h>

struct account *account_new(const struct route_rule *rule)
{
    struct account *account = mem_new(struct account);
    route_rule_label(rule, account->name);
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
