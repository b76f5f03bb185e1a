/* What the server has sent on a stream that is not read, as it is asked again and again. */
#ifndef GRPCROUTE_LIMITS_SENT_H
#define GRPCROUTE_LIMITS_SENT_H

#include "limits/ask.h"

/* The server sent nothing for so long: the path is full. */
#define LIMITS_SENT_STILL_MS 2500

struct limits_sent {
    struct limits_ground *ground; /* borrowed */
    void (*on_told)(void *user, const struct limits_told *told);
    void *user;
    const char *id; /* borrowed */
    struct limits_ask ask;
    bool asking;
    uint64_t ask_ns;   /* when it is asked again */
    uint64_t bytes;    /* that left it */
    uint64_t grew_ns;  /* when these were last more */
    uint64_t heard_ns; /* when it last said how many; 0: never */
};

/* `on_told` comes with the end of each question, from the loop, and is the last that touches it. */
void limits_sent_init(struct limits_sent *sent, struct limits_ground *ground,
                      void (*on_told)(void *user, const struct limits_told *told), void *user);
/* The stream of that id begins: it is asked after from here on. */
void limits_sent_begin(struct limits_sent *sent, const char *id, uint64_t now_ns);
/* Asks, if it is time and no question is open. */
void limits_sent_ask(struct limits_sent *sent, uint64_t now_ns);
/* Asks no more; `on_told` of an open question follows. Repeats are harmless. */
void limits_sent_stop(struct limits_sent *sent);
/* It sent no more for LIMITS_SENT_STILL_MS, by its last word: of what is later nothing is known. */
bool limits_sent_is_still(const struct limits_sent *sent);

#endif
