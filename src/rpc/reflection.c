/* Server reflection over the descriptor set that protoc made of proto/ at build time.
 *
 * A FileDescriptorSet is a list of FileDescriptorProto messages (field 1). Of each, only names are
 * needed: file name (1), package (2), messages (4), enums (5), services (6, with methods in 2);
 * their names are field 1. They are read in place, up to the name where there are others than
 * length-delimited fields behind it. The bytes are our own: what they cannot be is asserted. */
#include "rpc/reflection.h"

#include "base/mem.h"
#include "reflection.pb-c.h"
#include "rpc/arena.h"
#include "rpc/status.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVICES_MAX 16
#define NAME_BYTES   256

extern const unsigned char rpc_descriptors[];
extern const size_t rpc_descriptors_len;

/* Bytes inside the descriptor set. */
struct slice {
    const uint8_t *bytes;
    size_t len;
};

enum { FIELD_NAME = 1, FIELD_PACKAGE = 2, FIELD_MESSAGE = 4, FIELD_ENUM = 5, FIELD_SERVICE = 6 };
enum { FIELD_SERVICE_METHOD = 2, FIELD_NESTED_MESSAGE = 3, FIELD_NESTED_ENUM = 4 };

/* ---- reading protobuf in place --------------------------------------------------------------- */

static uint64_t read_varint(struct slice *in)
{
    uint64_t value = 0;
    unsigned shift = 0;
    uint8_t byte;
    do {
        assert(in->len > 0 && shift < 64);
        byte = *in->bytes++;
        in->len--;
        value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while ((byte & 0x80) != 0);
    return value;
}

/* The next field. Returns its number, 0 at the end. */
static unsigned next_field(struct slice *in, struct slice *ret_value)
{
    if (in->len == 0) {
        return 0;
    }
    uint64_t key = read_varint(in);
    uint64_t len = read_varint(in);
    assert((key & 7) == 2 && len <= in->len);
    *ret_value = (struct slice){in->bytes, (size_t)len};
    in->bytes += len;
    in->len -= (size_t)len;
    return (unsigned)(key >> 3);
}

/* A field that is there: all have a name, each file has a package. */
static struct slice field_of(struct slice message, unsigned number)
{
    struct slice value = {0};
    unsigned found;
    do {
        found = next_field(&message, &value);
        assert(found != 0);
    } while (found != number);
    return value;
}

static bool equals(struct slice value, const char *text, size_t len)
{
    return value.len == len && memcmp(value.bytes, text, len) == 0;
}

/* If `symbol` is `name` or begins with "name.", returns what follows; else NULL. */
static const char *after_name(const char *symbol, struct slice name)
{
    if (strncmp(symbol, (const char *)name.bytes, name.len) != 0) {
        return NULL;
    }
    const char *rest = symbol + name.len;
    if (*rest == '.') {
        return rest + 1;
    }
    return *rest == '\0' ? rest : NULL;
}

/* ---- symbols --------------------------------------------------------------------------------- */

static bool has_member(struct slice parent, const char *symbol, unsigned number)
{
    struct slice member;
    for (unsigned found; (found = next_field(&parent, &member)) != 0;) {
        struct slice name = found == number ? field_of(member, FIELD_NAME) : (struct slice){0};
        if (found == number && equals(name, symbol, strlen(symbol))) {
            return true;
        }
    }
    return false;
}

static bool message_has(struct slice message, const char *symbol)
{
    const char *rest = after_name(symbol, field_of(message, FIELD_NAME));
    if (rest == NULL || *rest == '\0') {
        return rest != NULL;
    }
    if (has_member(message, rest, FIELD_NESTED_ENUM)) {
        return true;
    }
    struct slice nested;
    for (unsigned found; (found = next_field(&message, &nested)) != 0;) {
        if (found == FIELD_NESTED_MESSAGE && message_has(nested, rest)) {
            return true;
        }
    }
    return false;
}

static bool service_has(struct slice service, const char *symbol)
{
    const char *rest = after_name(symbol, field_of(service, FIELD_NAME));
    return rest != NULL && (*rest == '\0' || has_member(service, rest, FIELD_SERVICE_METHOD));
}

static bool file_has(struct slice file, const char *symbol)
{
    const char *rest = after_name(symbol, field_of(file, FIELD_PACKAGE));
    if (rest == NULL) {
        return false;
    }
    if (has_member(file, rest, FIELD_ENUM)) {
        return true;
    }
    struct slice member;
    for (unsigned found; (found = next_field(&file, &member)) != 0;) {
        if ((found == FIELD_MESSAGE && message_has(member, rest)) ||
            (found == FIELD_SERVICE && service_has(member, rest))) {
            return true;
        }
    }
    return false;
}

/* The next file of what is left of the set that is not in the package `without`. */
static bool next_file(struct slice *set, const char *without, struct slice *ret_file)
{
    while (next_field(set, ret_file) != 0) {
        if (without == NULL ||
            !equals(field_of(*ret_file, FIELD_PACKAGE), without, strlen(without))) {
            return true;
        }
    }
    return false;
}

/* The file with that name, or that holds that symbol; empty when there is none. */
static struct slice find_file(const char *without, const char *name, const char *symbol)
{
    struct slice set = {rpc_descriptors, rpc_descriptors_len};
    struct slice file;
    while (next_file(&set, without, &file)) {
        bool found = name != NULL ? equals(field_of(file, FIELD_NAME), name, strlen(name))
                                  : file_has(file, symbol);
        if (found) {
            return file;
        }
    }
    return (struct slice){0};
}

/* ---- answers --------------------------------------------------------------------------------- */

typedef Grpc__Reflection__V1__ServerReflectionRequest request_message;
typedef Grpc__Reflection__V1__ServerReflectionResponse response_message;

/* What a response points to while it is encoded. */
struct answer {
    response_message response;
    Grpc__Reflection__V1__FileDescriptorResponse files;
    ProtobufCBinaryData file;
    Grpc__Reflection__V1__ExtensionNumberResponse extensions;
    Grpc__Reflection__V1__ErrorResponse error;
    Grpc__Reflection__V1__ListServiceResponse list;
    Grpc__Reflection__V1__ServiceResponse services[SERVICES_MAX];
    Grpc__Reflection__V1__ServiceResponse *service_pointers[SERVICES_MAX];
    char names[SERVICES_MAX][NAME_BYTES];
};

static void answer_error(struct answer *answer, enum rpc_code code, const char *message)
{
    grpc__reflection__v1__error_response__init(&answer->error);
    answer->error.error_code = (int32_t)code;
    answer->error.error_message = mem_unconst(message);
    answer->response.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
    answer->response.error_response = &answer->error;
}

static void answer_file(struct answer *answer, struct slice file)
{
    if (file.len == 0) {
        answer_error(answer, RPC_NOT_FOUND, "not found");
        return;
    }
    grpc__reflection__v1__file_descriptor_response__init(&answer->files);
    answer->file = (ProtobufCBinaryData){file.len, mem_unconst(file.bytes)};
    answer->files.n_file_descriptor_proto = 1; /* our files import nothing */
    answer->files.file_descriptor_proto = &answer->file;
    answer->response.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
    answer->response.file_descriptor_response = &answer->files;
}

static void add_service(struct answer *answer, struct slice package, struct slice service)
{
    size_t at = answer->list.n_service;
    assert(at < SERVICES_MAX);
    struct slice name = field_of(service, FIELD_NAME);
    snprintf(answer->names[at], NAME_BYTES, "%.*s.%.*s", (int)package.len,
             (const char *)package.bytes, (int)name.len, (const char *)name.bytes);
    grpc__reflection__v1__service_response__init(&answer->services[at]);
    answer->services[at].name = answer->names[at];
    answer->service_pointers[at] = &answer->services[at];
    answer->list.n_service++;
}

static void answer_list(struct answer *answer, const char *without)
{
    grpc__reflection__v1__list_service_response__init(&answer->list);
    answer->list.service = answer->service_pointers;
    struct slice set = {rpc_descriptors, rpc_descriptors_len};
    struct slice file;
    while (next_file(&set, without, &file)) {
        struct slice package = field_of(file, FIELD_PACKAGE);
        struct slice member;
        for (unsigned found; (found = next_field(&file, &member)) != 0;) {
            if (found == FIELD_SERVICE) {
                add_service(answer, package, member);
            }
        }
    }
    answer->response.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
    answer->response.list_services_response = &answer->list;
}

static void answer_extensions(struct answer *answer, const char *without, const char *type)
{
    if (find_file(without, NULL, type).len == 0) {
        answer_error(answer, RPC_NOT_FOUND, "not found");
        return;
    }
    grpc__reflection__v1__extension_number_response__init(&answer->extensions);
    answer->extensions.base_type_name = mem_unconst(type);
    answer->response.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ALL_EXTENSION_NUMBERS_RESPONSE;
    answer->response.all_extension_numbers_response = &answer->extensions;
}

static void decide(const request_message *request, const char *without, struct answer *answer)
{
    switch (request->message_request_case) {
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
        answer_file(answer, find_file(without, request->file_by_filename, NULL));
        return;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
        answer_file(answer, find_file(without, NULL, request->file_containing_symbol));
        return;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
        answer_error(answer, RPC_NOT_FOUND, "proto3 files of this server have no extensions");
        return;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
        answer_extensions(answer, without, request->all_extension_numbers_of_type);
        return;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
        answer_list(answer, without);
        return;
    default:
        answer_error(answer, RPC_INVALID_ARGUMENT, "request asks for nothing");
        return;
    }
}

int rpc_reflection_answer(const uint8_t *bytes, size_t len, const char *without,
                          struct buf *ret_response)
{
    request_message *request =
        grpc__reflection__v1__server_reflection_request__unpack(rpc_arena_reset(), len, bytes);
    if (request == NULL) {
        return 1;
    }
    struct answer *answer = mem_new(struct answer);
    grpc__reflection__v1__server_reflection_response__init(&answer->response);
    answer->response.valid_host = request->host;
    answer->response.original_request = request;
    decide(request, without, answer);
    size_t size =
        grpc__reflection__v1__server_reflection_response__get_packed_size(&answer->response);
    uint8_t *to = buf_reserve(ret_response, size);
    if (to != NULL) {
        grpc__reflection__v1__server_reflection_response__pack(&answer->response, to);
        buf_commit(ret_response, size);
    }
    free(answer);
    return to != NULL ? 0 : -ENOMEM;
}
