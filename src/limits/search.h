/* Looks for the largest value that a path takes: doubles until one is refused, then halves the gap.
 * Pure: the owner tries what it is told to try. */
#ifndef GRPCROUTE_LIMITS_SEARCH_H
#define GRPCROUTE_LIMITS_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

struct limits_search {
    uint64_t first;
    uint64_t most;
    uint64_t gap;     /* the search ends when passed and refused are as near as that, ... */
    uint64_t passed;  /* the largest that was taken; 0: none yet */
    uint64_t refused; /* the smallest that was not; 0: none yet */
};

/* ... or as near as one in so many of what passed. */
#define LIMITS_SEARCH_SHARE 64

/* From `first` to `most`, both above 0, until the limit is known to `gap`, which is above 0. */
void limits_search_init(struct limits_search *search, uint64_t first, uint64_t most, uint64_t gap);
/* What is to be tried next; 0: nothing, the search is over. */
uint64_t limits_search_next(const struct limits_search *search);
/* What became of the value that was to be tried. */
void limits_search_told(struct limits_search *search, bool taken);

#endif
