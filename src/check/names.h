/* Texts of peers, each kept once and known by a number from then on. Pure.
 *
 * A peer chooses these texts, so their count is capped; what comes later shares one number. */
#ifndef GRPCROUTE_CHECK_NAMES_H
#define GRPCROUTE_CHECK_NAMES_H

#include <stddef.h>
#include <stdint.h>

#define CHECK_NAME_EMPTY UINT32_C(0) /* the empty text, also what a peer did not send */
#define CHECK_NAME_OTHER UINT32_C(1) /* one of too many different texts */

struct check_names {
    char **texts;    /* owned, `count` of them, each escaped for a terminal */
    uint32_t *slots; /* owned, a hash table of numbers; 0 is a free slot */
    size_t count;
    size_t limit;
    size_t slot_mask;
    uint64_t basis; /* of the hashes: of each run its own, as clients choose the texts */
};

/* Makes room for `limit` different texts. */
void check_names_init(struct check_names *names, size_t limit);
void check_names_deinit(struct check_names *names);

/* The number of `text`, a new one when it was not seen before. NULL is the empty text. */
uint32_t check_names_add(struct check_names *names, const char *text);

/* The text of a number in printable ASCII (text_escape()); valid until deinit. */
const char *check_names_text(const struct check_names *names, uint32_t name);

#endif
