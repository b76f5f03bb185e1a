/* "Did you mean": the known word that is nearest to what was typed. */
#ifndef GRPCROUTE_CLI_SUGGEST_H
#define GRPCROUTE_CLI_SUGGEST_H

#include <stddef.h>

struct cli_suggestion {
    const char *typed;
    const char *best; /* borrowed; NULL while nothing is near enough */
    size_t best_distance;
};

/* Compares one known word; the nearest of all that were considered ends up in `best`. Near is: two
 * edits, or one in three letters of a long word, or to be a part of the known word. */
void cli_suggest(struct cli_suggestion *suggestion, const char *known);

#endif
