/* OpenSSL allocates with the functions below: malloc() and free(), with two exceptions.
 *
 * Only what SSL_new() makes of 512 bytes or more goes into pieces: the structure and its CERT,
 * 8 kB, which no one but SSL_free() frees. And buffers of records and of a handshake, which live
 * from a read to the next or until it is over, are blocks of a slab. */
#include "net/tls_memory.h"

#include "base/slab.h"
#include "net/tls.h"

#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The structure of OpenSSL 3.0 and its CERT fill two pages to 48 bytes. */
#define PIECES_BYTES      8192
#define PIECE_LEAST_BYTES 512
/* Those buffers are 16.6 and 21.8 kB; nothing that a quiet connection has is as large. */
#define BUFFER_LEAST_BYTES ((size_t)12 * 1024)

static bool enabled;                         /* before there are threads */
static _Thread_local struct sparse *current; /* of the SSL that is made or freed */
static _Thread_local bool making;

static void *allocate_large(size_t bytes)
{
    void *memory = NULL;

    if (making) {
        memory = sparse_take(current, bytes);
    } else if (bytes >= BUFFER_LEAST_BYTES && bytes <= SLAB_BLOCK_BYTES) {
        memory = slab_alloc();
    }
    return memory != NULL ? memory : malloc(bytes);
}

/* A handshake asks a thousand times, nearly always for little. */
static void *on_malloc(size_t bytes, const char *file, int line)
{
    (void)file;
    (void)line;
    return bytes < PIECE_LEAST_BYTES ? malloc(bytes) : allocate_large(bytes);
}

/* As realloc() does. */
static void *resize_block(void *block, size_t bytes)
{
    void *memory = NULL;

    if (bytes > 0 && bytes <= SLAB_BLOCK_BYTES) {
        return block;
    }
    if (bytes > 0) {
        memory = malloc(bytes);
        if (memory == NULL) {
            return NULL;
        }
        memcpy(memory, block, SLAB_BLOCK_BYTES);
    }
    slab_free(block);
    return memory;
}

/* No piece grows. */
static void *on_realloc(void *memory, size_t bytes, const char *file, int line)
{
    if (memory == NULL) {
        return on_malloc(bytes, file, line);
    }
    return slab_has(memory) ? resize_block(memory, bytes) : realloc(memory, bytes);
}

static void on_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    if (slab_has(memory)) {
        slab_free(memory);
    } else if (current == NULL || !sparse_has(current, memory)) {
        free(memory);
    }
}

void net_tls_rest_enable(void)
{
    enabled = enabled || CRYPTO_set_mem_functions(on_malloc, on_realloc, on_free) == 1;
    if (enabled) {
        slab_reserve();
    }
}

SSL *net_tls_memory_new(SSL_CTX *ctx, struct sparse *ret_pieces)
{
    SSL *ssl;

    *ret_pieces = (struct sparse){0};
    if (enabled && sparse_init(ret_pieces, PIECES_BYTES) == 0) {
        current = ret_pieces;
        making = true;
    }
    ssl = SSL_new(ctx);
    making = false;
    current = NULL;
    return ssl;
}

void net_tls_memory_free(SSL *ssl, struct sparse *pieces)
{
    sparse_bring_back(pieces);
    current = pieces;
    SSL_free(ssl);
    current = NULL;
    sparse_deinit(pieces);
}
