/* Whatever a service answers: looking for a name in it reads not a byte too far, believes no broken
 * message, and what is told of it is printable. The first line of an input is a path of fields, the
 * rest a message; the same rest is a header's value. */
#include "role/naming.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_name(const struct role_name *name)
{
    check(memchr(name->text, '\0', sizeof(name->text)) != NULL);
    check(memchr(name->missing, '\0', sizeof(name->missing)) != NULL);
    check((name->text[0] == '\0') == (name->missing[0] != '\0'));
    for (const char *at = name->missing; *at != '\0'; at++) {
        check(*at >= 0x20 && *at <= 0x7e);
    }
}

static void fuzz_message(const struct rpc_field_path *path, const uint8_t *bytes, size_t len)
{
    struct rpc_field_value value;
    char list[48];
    int outcome = rpc_field_find(bytes, len, path, &value);
    bool message = rpc_field_is_message(bytes, len);
    check(message || outcome == RPC_FIELD_E_MALFORMED);
    check(!message || path->depth > 1 || outcome != RPC_FIELD_E_MALFORMED);
    if (outcome == 0 && value.bytes != NULL) {
        check(value.bytes >= bytes && value.len <= (size_t)(bytes + len - value.bytes));
    }
    check(strlen(rpc_field_list(bytes, len, list, sizeof(list))) < sizeof(list));
    struct role_source source = {.kind = ROLE_SOURCE_FIELD, .path = *path, .text = "field 1"};
    struct role_name name = {.text = ""};
    role_name_from_message(&name, &source, bytes, len);
    check_name(&name);
}

static void fuzz_header(const uint8_t *bytes, size_t len)
{
    struct h2_header fields[] = {
        H2_HEADER(":status", "200"),
        {.name = "x-up", .name_len = 4, .value = (const char *)bytes, .value_len = len / 2},
        {.name = "x-up",
         .name_len = 4,
         .value = (const char *)bytes + len / 2,
         .value_len = len - len / 2},
    };
    struct role_source source = {
        .kind = ROLE_SOURCE_HEADER, .header = "x-up", .text = "header x-up"};
    for (size_t count = 1; count <= 3; count++) {
        const struct h2_block block = {fields, count};
        struct role_name name = {.text = ""};
        role_name_from_block(&name, &source, ROLE_SOURCE_HEADER, &block);
        check_name(&name);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, '\n', size);
    struct rpc_field_path path;
    char text[64] = "";
    size_t head = end != NULL ? (size_t)(end - data) : 0;
    if (end == NULL || head >= sizeof(text)) {
        return 0;
    }
    memcpy(text, data, head);
    size_t len = size - head - 1;
    uint8_t *own = malloc(len > 0 ? len : 1); /* its own block: one byte too far is seen */
    if (own == NULL) {
        return 0;
    }
    memcpy(own, end + 1, len);
    if (rpc_field_parse(text, &path) == NULL) {
        check(path.depth >= 1 && path.depth <= RPC_FIELD_DEPTH_MAX);
        fuzz_message(&path, own, len);
    }
    fuzz_header(own, len);
    free(own);
    return 0;
}
