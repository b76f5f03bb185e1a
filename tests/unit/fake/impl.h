/* The inside of the fakes. */
#ifndef GRPCROUTE_TESTS_FAKE_IMPL_H
#define GRPCROUTE_TESTS_FAKE_IMPL_H

#include "fake.h"

#define FAKE_NEVER UINT64_MAX

/* Delivers what is due on every stream, or ends a dial. Return whether anything moved. */
bool fake_streams_turn(void);
bool fake_dials_turn(void);
/* When the next of them falls due; FAKE_NEVER. */
uint64_t fake_streams_due_ms(void);
uint64_t fake_dials_due_ms(void);
/* Streams and dials that are left. */
size_t fake_streams_left(void);
size_t fake_dials_left(void);
/* Back to the state before the first test. */
void fake_dials_reset(void);

/* "HOST:PORT" of this end. */
const char *fake_local(const struct net_stream *stream);
/* As accepted or dialled. */
void fake_name(struct net_stream *stream, const char *peer, bool tls);
/* Takes a connection as a listener does; false: nobody listens there. */
bool fake_accept(uint16_t port, struct net_stream *stream);

/* What a stream calls its own side. stream.c */
const char *fake_local(const struct net_stream *stream);

#endif
