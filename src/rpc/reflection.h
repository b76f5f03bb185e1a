/* Server reflection: the descriptors of our services and the messages that ask for them. */
#ifndef GRPCROUTE_RPC_REFLECTION_H
#define GRPCROUTE_RPC_REFLECTION_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

#define RPC_REFLECTION_V1_PATH      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
#define RPC_REFLECTION_V1ALPHA_PATH "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"

/* Answers one ServerReflectionRequest with one encoded ServerReflectionResponse, appended to
 * `ret_response`. What is in the protobuf package `without` (NULL: none) is not there. The messages
 * of v1 and v1alpha are the same on the wire. Returns 0, 1 when the bytes are no such request, or
 * -ENOMEM. */
int rpc_reflection_answer(const uint8_t *bytes, size_t len, const char *without,
                          struct buf *ret_response);

#endif
