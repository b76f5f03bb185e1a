/* xoshiro256** (Blackman and Vigna, 2018), one state per thread, seeded from the kernel. */
#include "base/random.h"

#include "base/clock.h"
#include "base/hash.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/random.h>

static _Thread_local uint64_t state[4];
static _Thread_local bool seeded;

/* Spreads a poor seed over all bits (splitmix64), so that the state is never all zero. */
static uint64_t spread(uint64_t *seed)
{
    *seed += UINT64_C(0x9e3779b97f4a7c15);
    return hash_number(*seed);
}

static void seed_state(void)
{
    /* A kernel that refuses leaves the clock and an address: enough for jitter. */
    if (getrandom(state, sizeof(state), GRND_NONBLOCK) != (ssize_t)sizeof(state)) {
        uint64_t seed = clock_now_ns() ^ (uint64_t)(uintptr_t)&state;
        for (int i = 0; i < 4; i++) {
            state[i] = spread(&seed);
        }
    }
    seeded = true;
}

static uint64_t rotate_left(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static uint64_t next(void)
{
    if (!seeded) {
        seed_state();
    }
    uint64_t result = rotate_left(state[1] * 5, 7) * 9;
    uint64_t shifted = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate_left(state[3], 45);
    return result;
}

uint64_t random_below(uint64_t bound)
{
    if (bound == 0) {
        return 0;
    }
    /* 2^64 is no multiple of `bound`: numbers below the remainder would come up too often. */
    uint64_t remainder = -bound % bound;
    uint64_t x;
    do {
        x = next();
    } while (x < remainder);
    return x % bound;
}

double random_unit(void)
{
    return (double)(next() >> 11) * 0x1p-53;
}

void random_uuid(char out[static RANDOM_UUID_BYTES])
{
    uint64_t high = next();
    uint64_t low = next();
    high = (high & ~UINT64_C(0xf000)) | UINT64_C(0x4000);
    low = (low & ~(UINT64_C(3) << 62)) | (UINT64_C(2) << 62);
    snprintf(out, RANDOM_UUID_BYTES, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(high >> 32),
             (unsigned)(high >> 16) & 0xffff, (unsigned)high & 0xffff, (unsigned)(low >> 48),
             (unsigned long long)low & 0xffffffffffffULL);
}

void random_shuffle(uint64_t *seed, void *elements, size_t count, size_t element_bytes)
{
    uint8_t *bytes = elements;
    for (size_t i = count; i > 1; i--) {
        uint8_t *last = bytes + (i - 1) * element_bytes;
        uint8_t *other = bytes + spread(seed) % i * element_bytes;
        for (size_t b = 0; b < element_bytes; b++) {
            uint8_t byte = last[b];
            last[b] = other[b];
            other[b] = byte;
        }
    }
}
