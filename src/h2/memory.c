/* Memory of nghttp2.
 *
 * Each nghttp2 session is a structure of 3 kB and a buffer for a whole frame, of which an idle
 * connection has used the first few hundred bytes. From malloc() all of the buffer would be
 * resident, on pages that the handshake has used before. So both share a mapping of their own,
 * where the structure and the beginning of the buffer are one page and the rest is never touched.
 * Saves 12 kB per idle TLS stream of the proxy against malloc(). */
#include "h2/core.h"

#include <stdlib.h>
#include <sys/mman.h>

#define STRUCTURE_BYTES                                                                            \
    3456 /* room for struct nghttp2_session; what is left of the page is the buffer's */
#define FRAME_BUFFER_BYTES (H2_FRAME_BYTES + 1024)
#define MAPPING_BYTES      (STRUCTURE_BYTES + FRAME_BUFFER_BYTES)

static void *structure(const struct h2_session *session)
{
    return session->mapping;
}

static void *frame_buffer(const struct h2_session *session)
{
    return session->mapping + STRUCTURE_BYTES;
}

/* Buffers of frames come last of all, so that the first large request is for one. */
static void *on_malloc(size_t bytes, void *user)
{
    struct h2_session *session = user;
    if (bytes >= H2_FRAME_BYTES && bytes <= FRAME_BUFFER_BYTES && session->mapping != NULL &&
        !session->frame_buffer_used) {
        session->frame_buffer_used = true;
        return frame_buffer(session);
    }
    return malloc(bytes);
}

static void on_free(void *memory, void *user)
{
    struct h2_session *session = user;
    if (session->mapping == NULL ||
        (memory != structure(session) && memory != frame_buffer(session))) {
        free(memory);
    } else if (memory == frame_buffer(session)) {
        session->frame_buffer_used = false;
    }
}

/* The structure is the first thing a session asks for. */
static void *on_calloc(size_t count, size_t bytes, void *user)
{
    struct h2_session *session = user;
    if (!session->mapping_tried && count == 1 && bytes <= STRUCTURE_BYTES) {
        session->mapping_tried = true;
        void *mapping =
            mmap(NULL, MAPPING_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (mapping != MAP_FAILED) {
            session->mapping = mapping;
            return structure(session);
        }
    }
    return calloc(count, bytes);
}

static void *on_realloc(void *memory, size_t bytes, void *user)
{
    struct h2_session *session = user;
    if (memory == NULL) {
        return on_malloc(bytes, user); /* how nghttp2 asks for buffers */
    }
    if (session->mapping != NULL && memory == frame_buffer(session)) {
        return bytes <= FRAME_BUFFER_BYTES ? memory : NULL; /* never larger than a frame */
    }
    return realloc(memory, bytes);
}

nghttp2_mem h2_memory(struct h2_session *session)
{
    return (nghttp2_mem){
        .mem_user_data = session,
        .malloc = on_malloc,
        .free = on_free,
        .calloc = on_calloc,
        .realloc = on_realloc,
    };
}

void h2_memory_release(struct h2_session *session)
{
    if (session->mapping != NULL) {
        munmap(session->mapping, MAPPING_BYTES);
        session->mapping = NULL;
    }
}
