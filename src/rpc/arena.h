/* Memory for one decoded protobuf message: a bounded bump allocator per thread, so that decoding
 * allocates nothing. Inside rpc/ only. */
#ifndef GRPCROUTE_RPC_ARENA_H
#define GRPCROUTE_RPC_ARENA_H

#include <protobuf-c/protobuf-c.h>

/* An empty arena of this thread; everything decoded with it is gone with the next call. Decoding
 * fails when a message needs more than RPC_ARENA_BYTES (protobuf-c can need 45 times the bytes on
 * the wire). */
#define RPC_ARENA_BYTES (4 * 1024 * 1024)
ProtobufCAllocator *rpc_arena_reset(void);

#endif
