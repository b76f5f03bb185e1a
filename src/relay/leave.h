/* Streams that the proxy ends on purpose, because its user asked for that: too old, on an endpoint
 * that is removed or unhealthy, or one of the surplus when endpoints came.
 *
 * Such an end comes between two messages, and only when all that the client sent was answered; but
 * for a move, that is waited for LEAVE_GRACE_MS. That is looked at whenever something was answered.
 * A message that is half sent LEAVE_MESSAGE_MS later is cut, of a move one that stays so for as
 * long: nobody keeps a stream for ever by not finishing one. Who asks streams to leave an endpoint
 * sets its leave_reason, adds to its leave_asked, and sets the relay's `moving`; any worker takes
 * them from there. A reason may become a better one, or none, before the stream has ended. */
#ifndef GRPCROUTE_RELAY_LEAVE_H
#define GRPCROUTE_RELAY_LEAVE_H

#define LEAVE_GRACE_MS   2000
#define LEAVE_MESSAGE_MS 30000
/* How often it is looked who is to end: the ends are spread that finely. */
#define LEAVE_TICK_MS 50

struct worker;

/* Around the life of a worker's loop. */
void leave_open(struct worker *worker);
void leave_close(struct worker *worker);

/* Asks those whose time has come, and ends those that were asked and are between two messages;
 * while there may be any, every LEAVE_TICK_MS again. */
void leave_on_tick(struct worker *worker);

#endif
