/* "Did you mean". */
#include "cli/suggest.h"

#include "base/text.h"

#include <string.h>

#define PART_MIN_LETTERS 3 /* shorter parts occur in nearly every word */

void cli_suggest(struct cli_suggestion *suggestion, const char *known)
{
    size_t len = strlen(suggestion->typed);
    size_t allowed = len < 6 ? 1 : len / 3;
    size_t distance = text_distance(suggestion->typed, known);
    if (distance > allowed) {
        if (len < PART_MIN_LETTERS || strstr(known, suggestion->typed) == NULL) {
            return;
        }
    }
    if (suggestion->best == NULL || distance < suggestion->best_distance) {
        suggestion->best = known;
        suggestion->best_distance = distance;
    }
}
