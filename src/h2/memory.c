/* Memory of nghttp2.
 *
 * What a session of nghttp2 is made with is 9 kB, nearly all of it zeros for as long as it has few
 * streams, and a buffer for a whole frame of 16 KiB. So the pieces share pages of their own, which
 * are put away while the connection is quiet, and the buffer is one for all sessions of a thread:
 * nghttp2 fills it and hands it out within one call, and what of it cannot be sent at once is
 * copied (session.c). What comes later, as streams do, is on the heap. */
#include "h2/core.h"

#include "base/pool.h"

#include <stdlib.h>

/* Two pages hold the structure, a ring of one header table, and the table of streams, which is
 * asked for last; the ring of the other header table goes on the heap. */
#define PIECES_BYTES       ((size_t)8192)
#define TABLE_BYTES        ((size_t)256 * 16)
#define PIECE_LEAST_BYTES  1024
#define FRAME_BUFFER_BYTES (H2_FRAME_BYTES + 1024)

static _Thread_local _Alignas(max_align_t) uint8_t frame_buffer[FRAME_BUFFER_BYTES];

/* Of the first `room` bytes; NULL: it goes on the heap. */
static void *take_piece(struct h2_session *session, size_t bytes, size_t room)
{
    bool fits = bytes >= PIECE_LEAST_BYTES && bytes <= room && session->pieces.used <= room - bytes;
    return fits && !session->memory_made ? sparse_take(&session->pieces, bytes) : NULL;
}

/* The first large request is for the frame buffer. */
static bool is_frame_buffer(const struct h2_session *session, size_t bytes)
{
    return !session->memory_made && session->frame_buffer == NULL && bytes >= H2_FRAME_BYTES &&
           bytes <= FRAME_BUFFER_BYTES;
}

static void *on_malloc(size_t bytes, void *user)
{
    struct h2_session *session = user;
    if (is_frame_buffer(session, bytes)) {
        session->frame_buffer = frame_buffer;
        return frame_buffer;
    }
    void *piece = take_piece(session, bytes, PIECES_BYTES - TABLE_BYTES);
    return piece != NULL ? piece : pool_alloc(bytes);
}

static bool is_on_heap(const struct h2_session *session, const void *memory)
{
    return memory != session->frame_buffer && !sparse_has(&session->pieces, memory);
}

static void on_free(void *memory, void *user)
{
    if (memory != NULL && is_on_heap(user, memory)) {
        pool_free(memory);
    }
}

static void *on_calloc(size_t count, size_t bytes, void *user)
{
    bool few = bytes > 0 && count <= PIECES_BYTES / bytes;
    void *piece = few ? take_piece(user, count * bytes, PIECES_BYTES) : NULL;
    if (piece != NULL) {
        return piece;
    }
    return few ? pool_calloc(count * bytes) : calloc(count, bytes);
}

static void *on_realloc(void *memory, size_t bytes, void *user)
{
    if (memory == NULL) {
        return on_malloc(bytes, user); /* how nghttp2 asks for buffers */
    }
    return is_on_heap(user, memory) ? realloc(memory, bytes) : NULL; /* none of those grows */
}

nghttp2_mem h2_memory(struct h2_session *session)
{
    sparse_init(&session->pieces, PIECES_BYTES); /* failing that all is on the heap */
    return (nghttp2_mem){
        .mem_user_data = session,
        .malloc = on_malloc,
        .free = on_free,
        .calloc = on_calloc,
        .realloc = on_realloc,
    };
}

void h2_memory_made(struct h2_session *session)
{
    session->memory_made = true;
}

void h2_memory_release(struct h2_session *session)
{
    sparse_deinit(&session->pieces);
}

/* ---- rest ------------------------------------------------------------------------------------ */

static bool is_quiet(const struct h2_session *session)
{
    uint64_t since_ms =
        session->woken_ms > session->last_read_ms ? session->woken_ms : session->last_read_ms;
    return session->now_ms - since_ms >= session->rest_after_ms;
}

void h2_rest_when_quiet(struct h2_session *session)
{
    if (session->at_rest || !is_quiet(session)) {
        return;
    }
    sparse_put_away(&session->pieces);
    session->at_rest = sparse_is_away(&session->pieces);
}

void h2_wake(struct h2_session *session)
{
    sparse_bring_back(&session->pieces);
    session->at_rest = false;
    session->woken_ms = session->now_ms;
    session->rest_after_ms =
        session->rest_after_ms < H2_REST_MS_MAX / 2 ? 2 * session->rest_after_ms : H2_REST_MS_MAX;
}
