/* FNV-1a of 64 bits: for marks, and for tables. It keeps nobody from finding texts that fall
 * together: a table of what clients choose begins from a number of its own (check/names.c), and who
 * finds two lines of a log with one mark has only his own lines taken for one. */
#ifndef GRPCROUTE_BASE_HASH_H
#define GRPCROUTE_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_BASIS UINT64_C(0xcbf29ce484222325)
#define HASH_PRIME UINT64_C(0x100000001b3)

/* Goes on from `hash`, which is HASH_BASIS at first. */
static inline uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * HASH_PRIME;
    }
    return hash;
}

/* With its end, so that "a" and "bc" are not "ab" and "c". */
static inline uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * HASH_PRIME;
    }
    return hash * HASH_PRIME;
}

/* Each bit of a number over all bits (the last steps of splitmix64, Steele and others, 2014), so
 * that numbers which are alike do not fall together. */
static inline uint64_t hash_number(uint64_t number)
{
    number = (number ^ (number >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ (number >> 27)) * UINT64_C(0x94d049bb133111eb);
    return number ^ (number >> 31);
}

#endif
