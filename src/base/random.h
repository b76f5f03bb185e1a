/* Random numbers for jitter and identifiers; not for keys. */
#ifndef GRPCROUTE_BASE_RANDOM_H
#define GRPCROUTE_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#define RANDOM_UUID_BYTES 37

/* Uniform in [0, bound); 0 for bound 0. Seeded from the kernel, one state per thread. */
uint64_t random_below(uint64_t bound);

/* Uniform in [0, 1). */
double random_unit(void);

/* Puts the elements of an array into an order that the seed decides, and moves the seed on. */
void random_shuffle(uint64_t *seed, void *elements, size_t count, size_t element_bytes);

/* Writes a version 4 UUID (RFC 9562 section 5.4) as text. */
void random_uuid(char out[static RANDOM_UUID_BYTES]);

#endif
