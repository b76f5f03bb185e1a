#include "limits/search.h"

#include <assert.h>

void limits_search_init(struct limits_search *search, uint64_t first, uint64_t most, uint64_t gap)
{
    assert(first > 0 && first <= most && gap > 0);
    *search = (struct limits_search){.first = first, .most = most, .gap = gap};
}

static uint64_t doubled(const struct limits_search *search)
{
    if (search->passed == 0) {
        return search->first;
    }
    if (search->passed == search->most) {
        return 0;
    }
    return search->passed <= search->most / 2 ? 2 * search->passed : search->most;
}

uint64_t limits_search_next(const struct limits_search *search)
{
    if (search->refused == 0) {
        return doubled(search);
    }
    uint64_t apart = search->refused - search->passed;
    uint64_t near = search->passed / LIMITS_SEARCH_SHARE;
    near = near > search->gap ? near : search->gap;
    return apart > near ? search->passed + apart / 2 : 0;
}

void limits_search_told(struct limits_search *search, bool taken)
{
    uint64_t value = limits_search_next(search);
    assert(value > 0);
    if (taken) {
        search->passed = value;
    } else {
        search->refused = value;
    }
}
