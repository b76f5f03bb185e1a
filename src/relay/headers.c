#include "relay/headers.h"

#include "base/pool.h"
#include "base/text.h"

#include <string.h>

static bool has_name(const struct h2_header *field, const char *name)
{
    return field->name_len == strlen(name) && memcmp(field->name, name, field->name_len) == 0;
}

static bool has_value(const struct h2_header *field, const char *value)
{
    return field->value_len == strlen(value) && memcmp(field->value, value, field->value_len) == 0;
}

/* ---- what passes ----------------------------------------------------------------------------- */

/* nghttp2 refuses messages with the other connection-specific fields. */
static bool passes(const struct h2_header *field)
{
    static const char proxy[] = "proxy-";
    bool to_a_proxy =
        field->name_len >= strlen(proxy) && memcmp(field->name, proxy, strlen(proxy)) == 0;
    return !to_a_proxy && !has_name(field, "http2-settings");
}

/* `te` is written anew, `host` is the :authority, and gRPC needs no content-length: what a client
 * puts into these may make an endpoint end the connection. */
static bool passes_in_request(const struct h2_header *field)
{
    return passes(field) && !has_name(field, "host") && !has_name(field, "te") &&
           !has_name(field, "content-length");
}

size_t headers_pass(const struct h2_block *block, struct h2_header *out)
{
    size_t count = 0;
    for (size_t i = 0; i < block->count; i++) {
        if (passes(&block->fields[i])) {
            out[count++] = block->fields[i];
        }
    }
    return count;
}

static size_t pass_request(const struct h2_block *block, struct h2_header *out)
{
    bool has_authority = h2_block_find(block, ":authority", NULL) != NULL;
    const struct h2_header *host = h2_block_find(block, "host", NULL);
    size_t count = 0;
    if (!has_authority && host != NULL) {
        out[count] = *host;
        out[count].name = ":authority";
        out[count++].name_len = strlen(":authority");
    }
    for (size_t i = 0; i < block->count; i++) {
        if (passes_in_request(&block->fields[i])) {
            out[count++] = block->fields[i];
        }
    }
    out[count++] = H2_HEADER("te", "trailers");
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

static struct headers_request *copy_fields(const struct h2_header *fields, size_t count,
                                           size_t text_bytes)
{
    size_t bytes = sizeof(struct headers_request) + count * sizeof(*fields) + text_bytes;
    struct headers_request *copy = pool_new(bytes);
    copy->bytes = bytes;
    copy->fields = (struct h2_header *)(copy + 1);
    copy->count = count;
    char *at = (char *)(copy->fields + count);
    for (size_t i = 0; i < count; i++) {
        copy->fields[i] = fields[i];
        copy->fields[i].name = copy_text(&at, fields[i].name, fields[i].name_len);
        copy->fields[i].value = copy_text(&at, fields[i].value, fields[i].value_len);
    }
    return copy;
}

static bool is_replaced(const struct route_modifier *modifier, const struct h2_header *field)
{
    for (size_t i = 0; i < modifier->count; i++) {
        if (modifier->changes[i].kind != ROUTE_HEADER_ADD &&
            has_name(field, modifier->changes[i].name)) {
            return true;
        }
    }
    return false;
}

size_t headers_modify(const struct route_modifier *modifier, struct h2_header *fields, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_replaced(modifier, &fields[i])) {
            fields[kept++] = fields[i];
        }
    }
    for (size_t i = 0; i < modifier->count; i++) {
        const struct route_change *change = &modifier->changes[i];
        if (change->kind != ROUTE_HEADER_REMOVE) {
            fields[kept++] = H2_HEADER(change->name, change->value);
        }
    }
    return kept;
}

static bool fits_in(const struct h2_header *fields, size_t count, size_t max_bytes)
{
    return count <= H2_HEADER_FIELDS &&
           h2_fields_text_bytes(fields, count) + count * H2_FIELD_OVERHEAD_BYTES <= max_bytes;
}

bool headers_fit(const struct h2_header *fields, size_t count)
{
    return fits_in(fields, count, H2_HEADER_BLOCK_BYTES);
}

static size_t set_identity(const struct headers_identity *identity, struct h2_header *fields,
                           size_t count)
{
    static const char name[] = "x-forwarded-client-cert";
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (!has_name(&fields[i], name)) {
            fields[kept++] = fields[i];
        }
    }
    if (identity->text != NULL) {
        fields[kept++] = H2_HEADER(name, identity->text);
    }
    return kept;
}

struct headers_request *headers_make_request(const struct h2_block *block,
                                             const struct route_modifier *modifier,
                                             const struct headers_identity *identity)
{
    struct h2_header passing[H2_HEADER_FIELDS + 3 + RELAY_HEADER_ADDED_MAX];
    size_t count = headers_modify(modifier, passing, pass_request(block, passing));
    if (identity != NULL) {
        count = set_identity(identity, passing, count);
    }
    if (!fits_in(passing, count, H2_HEADER_BLOCK_BYTES - RELAY_HEADER_MARGIN_BYTES)) {
        return NULL;
    }
    return copy_fields(passing, count, h2_fields_text_bytes(passing, count) + 2 * count);
}

/* ---- what is refused ------------------------------------------------------------------------- */

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

/* host[:port] of RFC 3986 section 3.2, without user information. */
static bool is_plain_authority(const struct h2_header *authority)
{
    static const char marks[] = "-._~!$&'()*+,;=:[]%";
    for (size_t i = 0; i < authority->value_len; i++) {
        unsigned char c = (unsigned char)authority->value[i];
        bool alphanumeric =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alphanumeric && memchr(marks, c, strlen(marks)) == NULL) {
            return false;
        }
    }
    return authority->value_len > 0;
}

static const char *find_target_fault(const struct h2_block *block)
{
    const struct h2_header *path = h2_block_find(block, ":path", NULL);
    const struct h2_header *scheme = h2_block_find(block, ":scheme", NULL);
    size_t hosts;
    const struct h2_header *host = h2_block_find(block, "host", &hosts);
    const struct h2_header *authority = h2_block_find(block, ":authority", NULL);
    if (path == NULL || scheme == NULL) {
        return "CONNECT is not supported";
    }
    if (!is_plain_path(path)) {
        return "malformed :path";
    }
    if (!has_value(scheme, "http") && !has_value(scheme, "https")) {
        return ":scheme is neither http nor https";
    }
    if (hosts > 1 || (host != NULL && !is_plain_authority(host))) {
        return "malformed or repeated host";
    }
    if (authority != NULL && !is_plain_authority(authority)) {
        return "malformed :authority, or user information in it";
    }
    return NULL;
}

static const char *find_field_fault(const struct h2_block *block)
{
    static const char bin[] = "-bin";
    for (size_t i = 0; i < block->count; i++) {
        const struct h2_header *field = &block->fields[i];
        size_t bin_len = strlen(bin);
        bool binary = field->name_len > bin_len &&
                      memcmp(field->name + field->name_len - bin_len, bin, bin_len) == 0;
        if (binary && !text_is_base64_list(field->value, field->value_len)) {
            return "binary metadata that is not base64";
        }
    }
    return NULL;
}

bool headers_check(const struct h2_block *block, struct headers_refusal *ret_refusal)
{
    const char *reason = find_target_fault(block);
    reason = reason != NULL ? reason : find_field_fault(block);
    if (reason != NULL) {
        *ret_refusal = (struct headers_refusal){RPC_INVALID_ARGUMENT, "400", reason};
        return false;
    }
    const struct h2_header *method = h2_block_find(block, ":method", NULL);
    if (method == NULL || !has_value(method, "POST")) {
        *ret_refusal = (struct headers_refusal){RPC_INTERNAL, "405", "gRPC uses POST"};
        return false;
    }
    return true;
}

int headers_number(const struct h2_header *fields, size_t count, const char *name, int max)
{
    const struct h2_header *field =
        h2_block_find(&(struct h2_block){.fields = fields, .count = count}, name, NULL);
    int number = field != NULL && field->value_len > 0 ? 0 : -1;
    for (size_t i = 0; number >= 0 && i < field->value_len; i++) {
        bool digit = field->value[i] >= '0' && field->value[i] <= '9';
        number = digit ? 10 * number + field->value[i] - '0' : -1;
        number = number <= max ? number : -1;
    }
    return number;
}
