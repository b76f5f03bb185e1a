#include "proxy/headers.h"

#include "base/mem.h"

#include <string.h>

/* nghttp2 refuses messages with the other connection-specific fields. */
static bool passes(const struct h2_header *field)
{
    static const char proxy_prefix[] = "proxy-";
    return strcmp(field->name, "http2-settings") != 0 &&
           strncmp(field->name, proxy_prefix, strlen(proxy_prefix)) != 0;
}

size_t proxy_headers_filter(const struct h2_block *block, struct h2_header *out)
{
    size_t count = 0;
    for (size_t i = 0; i < block->count; i++) {
        if (passes(&block->fields[i])) {
            out[count++] = block->fields[i];
        }
    }
    return count;
}

static size_t filter_request(const struct h2_block *block, struct h2_header *out)
{
    bool has_authority = h2_block_find(block, ":authority", NULL) != NULL;
    const struct h2_header *host = h2_block_find(block, "host", NULL);
    size_t count = 0;
    if (!has_authority && host != NULL) {
        out[count++] = (struct h2_header){":authority", host->value, strlen(":authority"),
                                          host->value_len};
    }
    for (size_t i = 0; i < block->count; i++) {
        if (passes(&block->fields[i]) && strcmp(block->fields[i].name, "host") != 0) {
            out[count++] = block->fields[i];
        }
    }
    return count;
}

static char *copy_text(char **at, const char *text, size_t len)
{
    char *copy = *at;
    memcpy(copy, text, len);
    copy[len] = '\0';
    *at += len + 1;
    return copy;
}

struct proxy_headers *proxy_headers_copy(const struct h2_block *block)
{
    struct h2_header passing[H2_HEADER_FIELDS + 1];
    size_t count = filter_request(block, passing);
    size_t text_bytes = 0;
    for (size_t i = 0; i < count; i++) {
        text_bytes += passing[i].name_len + passing[i].value_len + 2;
    }
    struct proxy_headers *copy =
        mem_calloc(1, sizeof(*copy) + count * sizeof(struct h2_header) + text_bytes);
    copy->fields = (struct h2_header *)(copy + 1);
    copy->count = count;
    char *at = (char *)(copy->fields + count);
    for (size_t i = 0; i < count; i++) {
        struct h2_header *field = &copy->fields[i];
        *field = passing[i];
        field->name = copy_text(&at, passing[i].name, passing[i].name_len);
        field->value = copy_text(&at, passing[i].value, passing[i].value_len);
    }
    return copy;
}

static bool is_plain_path(const struct h2_header *path)
{
    if (path->value_len == 0 || path->value[0] != '/') {
        return false;
    }
    for (size_t i = 0; i < path->value_len; i++) {
        unsigned char c = (unsigned char)path->value[i];
        if (c < 0x21 || c > 0x7e || c == '#') {
            return false;
        }
    }
    return true;
}

const char *proxy_headers_check(const struct h2_block *block)
{
    const struct h2_header *path = h2_block_find(block, ":path", NULL);
    if (path == NULL) {
        return "CONNECT is not supported";
    }
    if (!is_plain_path(path)) {
        return "malformed :path";
    }
    const struct h2_header *authority = h2_block_find(block, ":authority", NULL);
    authority = authority != NULL ? authority : h2_block_find(block, "host", NULL);
    if (authority != NULL && memchr(authority->value, '@', authority->value_len) != NULL) {
        return "user information in :authority";
    }
    return NULL;
}
