/* The inside of a peer. */
#ifndef GRPCROUTE_TESTS_PEER_IMPL_H
#define GRPCROUTE_TESTS_PEER_IMPL_H

#include "peer.h"

/* More than any test sends on a stream. */
#define PEER_BODY_MAX ((size_t)64 << 20)

/* Sends what nghttp2 has, as far as the transport takes it. */
void peer_pump(struct peer *peer);
struct peer_stream *peer_stream_new(struct peer *peer, int32_t id);
void peer_stream_close(struct peer_stream *stream, uint32_t error);
/* For what was read. */
void peer_give_credit(struct peer_stream *stream, size_t len);
nghttp2_session_callbacks *peer_callbacks(void);

#endif
