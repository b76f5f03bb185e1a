/* A message through: what shows, when its time is over, that a stream is alive, and what is known
 * of its end where none comes through. A hop that forgot a connection ends nothing. */
#ifndef GRPCROUTE_LIMITS_TIME_PROOF_H
#define GRPCROUTE_LIMITS_TIME_PROOF_H

#include "limits/time_try.h"

/* Sends what is to come through. */
void limits_time_proof_begin(struct limits_time_try *try, uint64_t now_ns);
/* Whether it came back, or was waited for long enough, and no question to the server is open. Then
 * the sample has its value and end, which the server may know better. */
bool limits_time_proof_is_over(struct limits_time_try *try, uint64_t now_ns);
/* A service of one's own may end the call at such a message. Returns whether it did: then the
 * sample has its value and end, and nothing is proved. */
bool limits_time_proof_is_declined(struct limits_time_try *try, const struct rpc_status *status);
/* What its server, where it is open, too, says of the messages that came there. Returns whether one
 * may still be on its way: then it is to be proved again. */
bool limits_time_proof_told(struct limits_time_try *try, const struct limits_told *told);

/* The stream ended then, and its server's end was no earlier. */
void limits_time_note_value(struct limits_time_try *try, uint64_t end_ns);
/* The same of one that ended, and may have when it was to show that it is alive. */
void limits_time_note_shown(struct limits_time_try *try);

#endif
