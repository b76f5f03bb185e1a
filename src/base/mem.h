/* Allocation that never returns NULL, for small structs whose size no peer chooses. */
#ifndef GRPCROUTE_BASE_MEM_H
#define GRPCROUTE_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

/* Returns the struct that contains `member` at `pointer`. */
#define container_of(pointer, type, member) ((type *)((uintptr_t)(pointer)-offsetof(type, member)))

/* `pointer` without its const, for libraries that only read what their types do not promise to. */
#define mem_unconst(pointer) ((void *)(uintptr_t)(pointer))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Returns `count * size_bytes` zeroed bytes, owned by the caller (free()); ends the program with a
 * message when there is no memory. */
void *mem_calloc(size_t count, size_t size_bytes);

/* `bytes` zeroed ones that begin at a multiple of `alignment_bytes`, a power of two, and share no
 * such stretch with anything else. */
void *mem_calloc_aligned(size_t alignment_bytes, size_t bytes);

/* Like realloc(), but ends the program with a message when there is no memory. */
void *mem_realloc(void *pointer, size_t size_bytes);

/* Like strdup() and strndup(); `text` NULL gives NULL. */
char *mem_strdup(const char *text);
char *mem_strndup(const char *text, size_t len);

/* Allocates one zeroed `type`. */
#define mem_new(type) ((type *)mem_calloc(1, sizeof(type)))

#endif
