/* "Did you mean". */
#include "cli/suggest.h"

#include "base/text.h"

#include <stdbool.h>
#include <string.h>

#define PART_MIN_LETTERS 3 /* shorter parts occur in nearly every word */

void cli_suggest(struct cli_suggestion *suggestion, const char *known)
{
    size_t len = strlen(suggestion->typed);
    size_t allowed = len < 4 ? 1 : len < 9 ? 2 : len / 3; /* two letters swapped are two edits */
    size_t distance = text_distance(suggestion->typed, known);
    bool is_part = len >= PART_MIN_LETTERS && strstr(known, suggestion->typed) != NULL;
    if (distance > allowed && !is_part) {
        return;
    }
    if (suggestion->best == NULL || distance < suggestion->best_distance) {
        suggestion->best = known;
        suggestion->best_distance = distance;
    }
}
