/* An open-addressing hash table from texts to numbers; nothing is ever removed. */
#include "check/names.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* Longest text kept, after escaping; longer ones are cut with "...". */
#define NAME_BYTES 260
#define OTHER_TEXT "(one of too many names)"

void check_names_init(struct check_names *names, size_t limit)
{
    size_t slots = 16;
    while (slots < limit * 2 + 2) {
        slots *= 2;
    }
    *names = (struct check_names){
        .texts = mem_calloc(limit + 2, sizeof(char *)),
        .slots = mem_calloc(slots, sizeof(uint32_t)),
        .count = 2,
        .limit = limit + 2,
        .slot_mask = slots - 1,
        .basis = random_below(UINT64_MAX),
    };
    names->texts[CHECK_NAME_EMPTY] = mem_strdup("");
    names->texts[CHECK_NAME_OTHER] = mem_strdup(OTHER_TEXT);
}

void check_names_deinit(struct check_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->texts[i]);
    }
    free(names->texts);
    free(names->slots);
    *names = (struct check_names){0};
}

uint32_t check_names_add(struct check_names *names, const char *text)
{
    if (text == NULL || text[0] == '\0') {
        return CHECK_NAME_EMPTY;
    }
    /* Escaped texts are compared: the escape is one to one, only cut texts may fall together. */
    char shown[NAME_BYTES];
    text_escape(shown, sizeof(shown), text, strlen(text));
    uint64_t hash = hash_text(names->basis, shown);
    size_t slot = (hash ^ hash >> 32) & names->slot_mask;
    while (names->slots[slot] != 0) {
        if (strcmp(names->texts[names->slots[slot]], shown) == 0) {
            return names->slots[slot];
        }
        slot = (slot + 1) & names->slot_mask;
    }
    if (names->count == names->limit) {
        return CHECK_NAME_OTHER;
    }
    names->texts[names->count] = mem_strdup(shown);
    names->slots[slot] = (uint32_t)names->count;
    return (uint32_t)names->count++;
}

const char *check_names_text(const struct check_names *names, uint32_t name)
{
    return names->texts[name];
}
