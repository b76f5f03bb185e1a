#include "rpc/field.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Finds in a block of exactly `len` bytes, so that a byte too far is seen. */
static int find(const char *path_text, const char *bytes, size_t len, struct rpc_field_value *ret)
{
    struct rpc_field_path path;
    uint8_t *own = malloc(len > 0 ? len : 1);
    assert_non_null(own);
    memcpy(own, bytes, len);
    assert_null(rpc_field_parse(path_text, &path));
    int outcome = rpc_field_find(own, len, &path, ret);
    if (outcome == 0 && ret->bytes != NULL) {
        ret->bytes = (const uint8_t *)bytes + (ret->bytes - own);
    }
    free(own);
    return outcome;
}

static void assert_text(const char *path, const char *bytes, size_t len, const char *wanted)
{
    struct rpc_field_value value;
    assert_int_equal(find(path, bytes, len, &value), 0);
    assert_non_null(value.bytes);
    assert_int_equal(value.len, strlen(wanted));
    assert_memory_equal(value.bytes, wanted, value.len);
}

static void assert_number(const char *path, const char *bytes, size_t len, uint64_t wanted)
{
    struct rpc_field_value value;
    assert_int_equal(find(path, bytes, len, &value), 0);
    assert_null(value.bytes);
    assert_int_equal(value.number, wanted);
}

static void assert_outcome(const char *path, const char *bytes, size_t len, int wanted)
{
    struct rpc_field_value value = {.number = 77};
    assert_int_equal(find(path, bytes, len, &value), wanted);
    assert_int_equal(value.number, 77);
}

#define TEXT(path, bytes, wanted)    assert_text(path, bytes, sizeof(bytes) - 1, wanted)
#define NUMBER(path, bytes, wanted)  assert_number(path, bytes, sizeof(bytes) - 1, wanted)
#define OUTCOME(path, bytes, wanted) assert_outcome(path, bytes, sizeof(bytes) - 1, wanted)

static void paths_are_numbers_of_fields(void **state)
{
    (void)state;
    struct rpc_field_path path;
    assert_null(rpc_field_parse("1", &path));
    assert_int_equal(path.depth, 1);
    assert_null(rpc_field_parse("536870911.2.3.4.5.6.7.8", &path));
    assert_int_equal(path.depth, RPC_FIELD_DEPTH_MAX);
    assert_int_equal(path.numbers[0], 536870911);
    assert_int_equal(path.numbers[7], 8);
    static const char *const bad[] = {
        "",   "0",  "1.",        ".1",         "1..2", "01",  "a",
        "1 ", "-1", "536870912", "9999999999", "1.0",  "1,2", "1.1.1.1.1.1.1.1.1"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_non_null(rpc_field_parse(bad[i], &path));
    }
}

static void strings_numbers_and_inner_messages_are_found(void **state)
{
    (void)state;
    TEXT("1", "\x0a\x02v1", "v1");
    TEXT("1", "\x0a\x00", "");
    NUMBER("1", "\x08\x00", 0);
    NUMBER("1", "\x08\xac\x02", 300);
    NUMBER("1", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", UINT64_MAX);
    TEXT("2.1", "\x0a\x01x\x12\x04\x0a\x02v1", "v1");
    TEXT("536870911", "\xfa\xff\xff\xff\x0f\x01x", "x");
    /* behind fields of every other type, a group within a group included */
    TEXT("9",
         "\x09"
         "12345678"
         "\x15"
         "1234"
         "\x1b\x23\x08\x01\x24\x1c\x20\x05\x4a\x01z",
         "z");
}

static void what_is_not_there_is_told_apart(void **state)
{
    (void)state;
    OUTCOME("1", "", RPC_FIELD_E_ABSENT);
    OUTCOME("2", "\x0a\x02v1", RPC_FIELD_E_ABSENT);
    OUTCOME("1.2", "\x0a\x02\x08\x01", RPC_FIELD_E_ABSENT);
    OUTCOME("1",
            "\x0a\x01"
            "a\x0a\x01"
            "b",
            RPC_FIELD_E_REPEATED);
    OUTCOME("1.1", "\x0a\x02\x08\x01\x0a\x02\x08\x02", RPC_FIELD_E_REPEATED);
    OUTCOME("1",
            "\x0a\x01"
            "a\x08\x01",
            RPC_FIELD_E_REPEATED);
    OUTCOME("1",
            "\x09"
            "12345678",
            RPC_FIELD_E_TYPE);
    OUTCOME("1",
            "\x0d"
            "1234",
            RPC_FIELD_E_TYPE);
    OUTCOME("1", "\x0b\x0c", RPC_FIELD_E_TYPE);
    OUTCOME("1.1", "\x08\x01", RPC_FIELD_E_TYPE);
    TEXT("1",
         "\x0a\x01"
         "a\x0a\x01"
         "a",
         "a"); /* the same twice is one value */
}

static void what_is_no_message_is_never_believed(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } broken[] = {
        {"\x0a", 1},                                              /* no length */
        {"\x0a\x05v1", 4},                                        /* too little behind it */
        {"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},     /* a length of 2^64-1 */
        {"\x08\x80", 2},                                          /* a varint without an end */
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11},     /* 65 bits */
        {"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12}, /* 11 bytes */
        {"\x02\x01x", 3},                                         /* field 0 */
        {"\x0f", 1},                                              /* a type that there is not */
        {"\x0e", 1},
        {"\x82\x80\x80\x80\x10\x00", 6}, /* a field's number of 30 bits */
        {"\x0c", 1},                     /* the end of no group */
        {"\x0b\x14", 2},                 /* of another group */
        {"\x0b\x08\x01", 3},             /* a group without an end */
        {"\x09"
         "1234567",
         8},
        {"\x0d"
         "123",
         4},
    };
    for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
        char behind[64] = "\x12\x02ok";
        memcpy(behind + 4, broken[i].bytes, broken[i].len);
        assert_outcome("2", behind, 4 + broken[i].len, RPC_FIELD_E_MALFORMED);
        assert_false(rpc_field_is_message((const uint8_t *)behind, 4 + broken[i].len));
    }
    OUTCOME("1.1", "\x0a\x02v1", RPC_FIELD_E_MALFORMED);
    assert_true(rpc_field_is_message((const uint8_t *)"", 0));
}

static void groups_and_paths_have_an_end(void **state)
{
    (void)state;
    char deep[2 * (RPC_GROUP_DEPTH_MAX + 1)];
    size_t half = sizeof(deep) / 2;
    memset(deep, 0x0b, half);
    memset(deep + half, 0x0c, half);
    assert_outcome("1", deep, sizeof(deep), RPC_FIELD_E_MALFORMED);
    assert_outcome("1", deep + 1, sizeof(deep) - 2, RPC_FIELD_E_TYPE);
}

static void fields_are_listed_once_and_the_list_is_cut(void **state)
{
    (void)state;
    char out[64];
    const char some[] = "\x0a\x00\x10\x01\x0a\x00\x20\x01";
    assert_string_equal(rpc_field_list((const uint8_t *)some, 8, out, sizeof(out)), "1, 2, 4");
    assert_string_equal(rpc_field_list((const uint8_t *)"", 0, out, sizeof(out)), "none");
    uint8_t many[2 * 15];
    for (size_t i = 0; i < 15; i++) {
        many[2 * i] = (uint8_t)((i + 1) << 3);
        many[2 * i + 1] = 0;
    }
    rpc_field_list(many, sizeof(many), out, sizeof(out));
    assert_string_equal(out, "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, ...");
    rpc_field_list(many, sizeof(many), out, 24);
    assert_true(strlen(out) < 24 && strstr(out, "...") != NULL);
}

static void a_walk_takes_one_field_after_the_other(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1 << 3, 5, 2 << 3 | 2, 1, 'x', 3 << 3 | 5, 0, 0, 0, 0, 0xff};
    struct rpc_field_walk walk = {bytes, bytes + sizeof(bytes)};
    struct rpc_field_value value;
    assert_int_equal(rpc_field_next(&walk, &value), 1);
    assert_int_equal(value.number, 5);
    assert_int_equal(rpc_field_next(&walk, &value), 2);
    assert_int_equal(value.len, 1);
    assert_int_equal(*value.bytes, 'x');
    assert_int_equal(rpc_field_next(&walk, &value), 3);
    assert_null(value.bytes);
    assert_int_equal(rpc_field_next(&walk, &value), -1);
    walk.end = walk.at;
    assert_int_equal(rpc_field_next(&walk, &value), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_numbers_of_fields),
        cmocka_unit_test(strings_numbers_and_inner_messages_are_found),
        cmocka_unit_test(what_is_not_there_is_told_apart),
        cmocka_unit_test(what_is_no_message_is_never_believed),
        cmocka_unit_test(groups_and_paths_have_an_end),
        cmocka_unit_test(fields_are_listed_once_and_the_list_is_cut),
        cmocka_unit_test(a_walk_takes_one_field_after_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
