/* OpenSSL allocates with the functions below, which are malloc() and free() but while an SSL is
 * made and freed. Only what SSL_new() makes of 512 bytes or more goes into pieces: the structure
 * and its CERT, 8 kB, which no one but SSL_free() frees. */
#include "net/tls_memory.h"

#include "net/tls.h"

#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdlib.h>

/* The structure of OpenSSL 3.0 and its CERT fill two pages to 48 bytes. */
#define PIECES_BYTES      8192
#define PIECE_LEAST_BYTES 512

static bool enabled;                         /* before there are threads */
static _Thread_local struct sparse *current; /* of the SSL that is made or freed */
static _Thread_local bool making;

static void *on_malloc(size_t bytes, const char *file, int line)
{
    void *piece = NULL;

    (void)file;
    (void)line;
    if (making && bytes >= PIECE_LEAST_BYTES) {
        piece = sparse_take(current, bytes);
    }
    return piece != NULL ? piece : malloc(bytes);
}

static void *on_realloc(void *memory, size_t bytes, const char *file, int line)
{
    (void)file;
    (void)line;
    return realloc(memory, bytes); /* no piece grows */
}

static void on_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    if (current == NULL || !sparse_has(current, memory)) {
        free(memory);
    }
}

void net_tls_rest_enable(void)
{
    enabled = enabled || CRYPTO_set_mem_functions(on_malloc, on_realloc, on_free) == 1;
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
