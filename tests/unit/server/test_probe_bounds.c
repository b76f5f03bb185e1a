/* Nobody makes the probe service do more than probe_limits.h says, and who tries is told. */
#include "probe_world.h"

#include "base/mem.h"
#include "rpc/metadata.h"
#include "server/probe_limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ID "00112233445566aa"

static struct run run;

/* The script is refused at once, with a sentence that has `words`, and Seen tells of it. */
static void assert_refused(struct rpc_probe_script script, enum rpc_code code, const char *words)
{
    run_open(&run, &script, ID);
    assert_int_equal(run.status, (int)code);
    if (strstr(run.message, words) == NULL) {
        fail_msg("\"%s\" has no \"%s\"", run.message, words);
    }
    assert_null(run.stream);
    assert_int_equal(run.messages, 0);
    assert_int_equal(seen(ID)->how, RPC_PROBE_LIMIT);
    assert_int_equal(seen(ID)->code, code);
    run_free(&run);
}

static void assert_taken(struct rpc_probe_script script)
{
    run_open(&run, &script, ID);
    assert_int_equal(run.status, -1);
    run_free(&run);
}

static struct rpc_probe_script with_field(const char *name, const char *value, size_t len)
{
    return (struct rpc_probe_script){
        .headers = {{.name = name, .value = (const uint8_t *)value, .value_len = len}},
        .header_count = 1};
}

static struct rpc_probe_script with_trailer(const char *name, const char *value, size_t len)
{
    return (struct rpc_probe_script){
        .trailers = {{.name = name, .value = (const uint8_t *)value, .value_len = len}},
        .trailer_count = 1};
}

/* ---- scripts --------------------------------------------------------------------------------- */

static void a_script_over_a_limit_is_refused_with_the_number(void **state)
{
    (void)state;
    const enum rpc_code over = RPC_RESOURCE_EXHAUSTED;
    assert_taken(
        (struct rpc_probe_script){.send_every_ms = 1000, .send_bytes = RPC_PROBE_PAYLOAD_BYTES});
    assert_refused(
        (struct rpc_probe_script){.send_every_ms = 1000, .send_bytes = RPC_PROBE_PAYLOAD_BYTES + 1},
        over, "4194305 is over this server's limit of 4194304");
    assert_refused((struct rpc_probe_script){.send_every_ms = 1, .send_bytes = UINT32_MAX}, over,
                   "4294967295");
    assert_taken((struct rpc_probe_script){.send_every_ms = 10, .send_bytes = 83886});
    assert_refused((struct rpc_probe_script){.send_every_ms = 10, .send_bytes = 83887}, over,
                   "8388700 is over this server's limit of 8388608");
    assert_taken((struct rpc_probe_script){
        .send_every_ms = 1, .send_bytes = RPC_PROBE_PAYLOAD_BYTES, .send_count = 1});
    assert_refused((struct rpc_probe_script){.send_every_ms = 1,
                                             .send_bytes = RPC_PROBE_PAYLOAD_BYTES,
                                             .send_count = 3},
                   over, "bytes each second");
    assert_taken((struct rpc_probe_script){.end_after_ms = PROBE_LIFE_MS});
    assert_refused((struct rpc_probe_script){.end_after_ms = PROBE_LIFE_MS, .grace_ms = 1}, over,
                   "90000001");
    assert_refused((struct rpc_probe_script){.end_after_ms = UINT32_MAX, .grace_ms = UINT32_MAX},
                   over, "8589934590");
    assert_taken((struct rpc_probe_script){.pad_fields = PROBE_PAD_FIELDS});
    assert_refused((struct rpc_probe_script){.pad_fields = PROBE_PAD_FIELDS + 1}, over, "481");
    assert_refused((struct rpc_probe_script){.pad_fields = 1000000000}, over, "1000000000");
    assert_taken((struct rpc_probe_script){.pad_bytes = PROBE_PAD_BYTES});
    assert_refused((struct rpc_probe_script){.pad_bytes = PROBE_PAD_BYTES + 1}, over, "81921");
    assert_refused((struct rpc_probe_script){.pad_fields = 1, .pad_bytes = PROBE_PAD_BYTES}, over,
                   "81920 is over this server's limit of 61440");
}

static void a_script_that_makes_no_sense_is_refused_with_the_reason(void **state)
{
    (void)state;
    const enum rpc_code bad = RPC_INVALID_ARGUMENT;
    assert_refused((struct rpc_probe_script){.echo = true, .send_every_ms = 1}, bad, "exclude");
    assert_refused((struct rpc_probe_script){.status = 17}, bad, "0 to 16");
    assert_refused((struct rpc_probe_script){.trailers_only = true, .echo = true}, bad,
                   "trailers_only");
    assert_refused((struct rpc_probe_script){.trailers_only = true, .pad_bytes = 1}, bad,
                   "trailers_only");
    assert_refused((struct rpc_probe_script){.goaway = true}, bad, "end_after_ms");
}

static void fields_that_http2_or_grpc_would_not_take_are_refused(void **state)
{
    (void)state;
    const enum rpc_code bad = RPC_INVALID_ARGUMENT;
    assert_refused(with_field("", "", 0), bad, "field");
    assert_refused(with_field(":status", "404", 3), bad, ":status");
    assert_refused(with_field("grpc-status", "0", 1), bad, "grpc-status");
    assert_refused(with_field("content-type", "a", 1), bad, "content-type");
    assert_refused(with_field("connection", "a", 1), bad, "connection");
    assert_refused(with_field("X-Upper", "a", 1), bad, "lower case");
    assert_refused(with_field("a\nb", "a", 1), bad, "a\\x0ab");
    assert_refused(with_field("x", "a\nb", 3), bad, "visible ASCII");
    assert_refused(with_field("x", "a\0b", 3), bad, "visible ASCII");
    assert_refused(with_field("x", " a", 2), bad, "visible ASCII");
    assert_refused(with_trailer("x", "a\rb", 3), bad, "visible ASCII");
    assert_refused(with_trailer("te", "a", 1), bad, "te");
    assert_taken(with_field("x-bin", "a\nb\0", 4));
}

/* As bytes on the wire, since nothing of ours writes such: a name with a NUL, which a C string
 * would cut; a text that is no UTF-8; no message at all; 17 fields; no base64. */
static void assert_raw(const char *bytes, size_t len, enum rpc_code code, const char *words)
{
    char value[2000];
    size_t value_len =
        bytes != NULL ? rpc_binary_encode(value, sizeof(value), (const uint8_t *)bytes, len) : 0;
    run_open_raw(&run, bytes != NULL ? value : "###", bytes != NULL ? value_len : 3);
    assert_int_equal(run.status, (int)code);
    assert_non_null(strstr(run.message, words));
    run_free(&run);
}

static void bytes_that_are_no_script_are_refused(void **state)
{
    (void)state;
    char many[17 * 2];
    for (size_t i = 0; i < sizeof(many); i += 2) {
        many[i] = 11 << 3 | 2;
        many[i + 1] = 0;
    }
    assert_raw("\x82\x01\x05\x0a\x03"
               "a\0b",
               8, RPC_INVALID_ARGUMENT, "not a probe.Script");
    assert_raw("\x52\x01\xff", 3, RPC_INVALID_ARGUMENT, "not a probe.Script");
    assert_raw("\x52\x03"
               "a\0b",
               5, RPC_INVALID_ARGUMENT, "not a probe.Script");
    assert_raw("\xff\xff\xff", 3, RPC_INVALID_ARGUMENT, "not a probe.Script");
    assert_raw(many, sizeof(many), RPC_RESOURCE_EXHAUSTED, "limit of 16");
    assert_raw(NULL, 0, RPC_INVALID_ARGUMENT, "not base64");
}

static void a_script_of_more_bytes_than_allowed_is_refused(void **state)
{
    (void)state;
    char value[8000];
    memset(value, 'A', sizeof(value));
    run_open_raw(&run, value, sizeof(value));
    assert_int_equal(run.status, RPC_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(run.message, "4096"));
    run_free(&run);
}

static void an_id_is_16_hex_digits_and_one(void **state)
{
    (void)state;
    static const char *const bad[] = {"x",
                                      "00112233445566a",
                                      "00112233445566aaa",
                                      "00112233445566ag",
                                      "0x112233445566aa",
                                      "-0112233445566aa"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        run_open(&run, NULL, bad[i]);
        assert_int_equal(run.status, RPC_INVALID_ARGUMENT);
        run_free(&run);
    }
    run_open_with(&run, &world->client, NULL, ID, &H2_HEADER(RPC_PROBE_ID_HEADER, ID), 1);
    assert_int_equal(run.status, RPC_INVALID_ARGUMENT);
    assert_non_null(strstr(run.message, "2 times"));
    run_free(&run);
    assert_int_equal(world->probe.records.count, 0);
}

/* ---- messages -------------------------------------------------------------------------------- */

static void assert_message_refused(const void *bytes, size_t len, enum rpc_code code)
{
    run_open(&run, NULL, "");
    run_send_bytes(&run, bytes, len);
    assert_int_equal(run.status, (int)code);
    run_free(&run);
}

static void messages_that_are_none_end_the_stream(void **state)
{
    (void)state;
    uint8_t prefix[RPC_FRAME_PREFIX_BYTES];
    rpc_frame_prefix(prefix, RPC_PROBE_MESSAGE_BYTES + 1);
    assert_message_refused(prefix, sizeof(prefix), RPC_RESOURCE_EXHAUSTED);
    assert_message_refused("\x01\0\0\0\x01", 5, RPC_INTERNAL);
    assert_message_refused("\x02\0\0\0\x01", 5, RPC_INTERNAL);
    assert_message_refused("\0\0\0\0\x02\xff\xff", 7, RPC_INTERNAL);
    /* a payload that is longer than its message, in a long one */
    uint8_t longer[200] = {0, 0, 0, 0, 100, 2 << 3 | 2, 99};
    assert_message_refused(longer, 105, RPC_INTERNAL);
    longer[6] = 98;
    run_open(&run, NULL, "");
    run_send_bytes(&run, longer, 105);
    assert_int_equal(run.messages, 1);
    assert_int_equal(run.last.payload_len, 98);
    run_send_bytes(&run, longer, 50);
    run_half_close(&run);
    assert_int_equal(run.status, RPC_INTERNAL);
    assert_int_equal(strcmp(run.message, "request ended inside a message"), 0);
    run_free(&run);
}

/* ---- rates ----------------------------------------------------------------------------------- */

static void an_echo_over_the_rate_of_a_stream_ends_and_another_goes_on(void **state)
{
    (void)state;
    struct run other;
    run_open(&other, NULL, "");
    run_open(&run, NULL, ID);
    for (int i = 0; i < 2 && run.stream != NULL; i++) {
        run_send(&run, 1, RPC_PROBE_PAYLOAD_BYTES - 1024);
    }
    assert_int_equal(run.messages, 2);
    run_send(&run, 1, RPC_PROBE_PAYLOAD_BYTES);
    fake_settle();
    assert_int_equal(run.status, RPC_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(run.message, "one stream"));
    assert_int_equal(seen(ID)->how, RPC_PROBE_LIMIT);
    run_send(&other, 1, 1000);
    assert_int_equal(other.messages, 1);
    assert_int_equal(other.status, -1);
    run_free(&run);
    run_free(&other);
}

/* Small ones count, too: 8 MiB of 1 KiB each. */
static void a_flood_of_empty_messages_ends(void **state)
{
    (void)state;
    uint8_t *many = mem_calloc(9000, RPC_FRAME_PREFIX_BYTES);
    run_open(&run, NULL, "");
    run_send_bytes(&run, many, (size_t)9000 * RPC_FRAME_PREFIX_BYTES);
    free(many);
    assert_int_equal(run.status, RPC_RESOURCE_EXHAUSTED);
    assert_int_equal(run.messages, 8192);
    run_free(&run);
}

/* Streams that each stay within their own rate. */
static unsigned refused_of(struct run *runs, unsigned count, struct client *clients,
                           unsigned client_count, const char *words)
{
    const struct rpc_probe_script script = {
        .send_every_ms = 1, .send_bytes = RPC_PROBE_PAYLOAD_BYTES, .send_count = 1};
    unsigned refused = 0;
    for (unsigned i = 0; i < count; i++) {
        run_open_with(&runs[i], &clients[i % client_count], &script, "", &(struct h2_header){0}, 0);
    }
    fake_advance(2);
    for (unsigned i = 0; i < count; i++) {
        if (runs[i].status == RPC_RESOURCE_EXHAUSTED) {
            assert_non_null(strstr(runs[i].message, words));
            refused++;
        } else {
            assert_int_equal(runs[i].last.payload_len, RPC_PROBE_PAYLOAD_BYTES);
        }
        run_free(&runs[i]);
    }
    return refused;
}

static void all_streams_of_a_connection_have_a_rate(void **state)
{
    (void)state;
    struct run runs[10];
    assert_int_equal(refused_of(runs, 10, &world->client, 1, "one connection"), 2);
    fake_advance(4000);
    assert_int_equal(refused_of(runs, 8, &world->client, 1, "one connection"), 0);
}

static void all_streams_together_have_a_rate(void **state)
{
    (void)state;
    struct client clients[4];
    struct run runs[20];
    for (size_t i = 0; i < 4; i++) {
        client_open(&clients[i]);
    }
    assert_int_equal(refused_of(runs, 20, clients, 4, "all its streams"), 4);
    for (size_t i = 0; i < 4; i++) {
        client_close(&clients[i]);
    }
}

static void metadata_has_a_rate(void **state)
{
    (void)state;
    const struct rpc_probe_script script = {.headers_at_once = true, .pad_bytes = PROBE_PAD_BYTES};
    unsigned taken = 0;
    do {
        run_open(&run, &script, "");
        taken += run.status == -1;
        run_free(&run);
    } while (run.status == -1 && taken < 1000);
    assert_int_equal(run.status, RPC_RESOURCE_EXHAUSTED);
    assert_int_equal(taken, PROBE_METADATA_BURST_BYTES / (PROBE_PAD_BYTES + 2 * 32));
    fake_advance(1000);
    run_open(&run, &script, "");
    assert_int_equal(run.fields, 2); /* none that HPACK's readers would not take */
    assert_int_equal(run.fields_bytes, PROBE_PAD_BYTES);
    run_free(&run);
}

static void goaways_have_a_rate(void **state)
{
    (void)state;
    const struct rpc_probe_script script = {.end_after_ms = 1, .goaway = true};
    for (int i = 0; i <= PROBE_GOAWAY_BURST; i++) {
        struct client client;
        client_open(&client);
        run_open_with(&run, &client, &script, "", &(struct h2_header){0}, 0);
        fake_advance(1);
        bool last = i == PROBE_GOAWAY_BURST;
        assert_int_equal(run.status, last ? RPC_RESOURCE_EXHAUSTED : RPC_OK);
        assert_int_equal(client.goaway[0] == '\0', last);
        run_free(&run);
        client_close(&client);
    }
}

/* ---- counts and time ------------------------------------------------------------------------- */

static void no_stream_lives_for_ever(void **state)
{
    (void)state;
    run_open(&run, &(struct rpc_probe_script){.send_every_ms = 1000, .send_bytes = 100000}, ID);
    run.reads = false;
    fake_advance(PROBE_LIFE_MS - 1);
    assert_int_equal(run.status, -1);
    fake_advance(1);
    assert_int_equal(run.status, RPC_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(run.message, "90000 s"));
    assert_int_equal(seen(ID)->how, RPC_PROBE_LIMIT);
    assert_int_equal(seen(ID)->sent_bytes, H2_STREAM_WINDOW_BYTES); /* and not what was dropped */
    run_free(&run);
}

/* The end waits behind a message that nobody reads. */
static void an_end_waits_for_its_reader_and_not_for_ever(void **state)
{
    (void)state;
    run_open(&run,
             &(struct rpc_probe_script){
                 .send_every_ms = 1, .send_bytes = 100000, .send_count = 1, .end_after_ms = 100},
             ID);
    run.reads = false;
    fake_advance(100 + PROBE_END_WAIT_MS - 1);
    assert_int_equal(run.status, -1);
    fake_advance(1);
    assert_int_equal(run.status, RPC_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(run.message, "does not read"));
    assert_int_equal(seen(ID)->how, RPC_PROBE_LIMIT);
    run_free(&run);
}

/* Of a message that is all with the stream below, nothing can be taken back: that is reset. */
static void an_end_that_is_given_away_waits_no_longer(void **state)
{
    (void)state;
    run_open(&run,
             &(struct rpc_probe_script){
                 .send_every_ms = 1, .send_bytes = 68000, .send_count = 1, .end_after_ms = 100},
             ID);
    run.reads = false;
    fake_advance(100 + PROBE_END_WAIT_MS - 1);
    assert_non_null(run.stream);
    fake_advance(1);
    assert_null(run.stream);
    assert_int_equal(run.error, H2_CANCEL);
    assert_int_equal(run.status, -1);
    assert_int_equal(seen(ID)->how, RPC_PROBE_LIMIT);
    run_free(&run);
}

static void who_reads_late_gets_the_end(void **state)
{
    (void)state;
    run_open(&run,
             &(struct rpc_probe_script){.send_every_ms = 1,
                                        .send_bytes = 100000,
                                        .send_count = 1,
                                        .end_after_ms = 100,
                                        .status = 3},
             ID);
    run.reads = false;
    fake_advance(PROBE_END_WAIT_MS - 1000);
    run_read(&run);
    fake_settle();
    assert_int_equal(run.messages, 1);
    assert_int_equal(run.status, 3);
    run_free(&run);
}

static void streams_of_a_connection_and_of_all_are_bounded(void **state)
{
    (void)state;
    struct run *runs = mem_calloc(PROBE_STREAMS + 2, sizeof(*runs));
    struct client other[4];
    struct client late;
    unsigned opened = 0;
    for (; opened < PROBE_STREAMS_PER_CONNECTION; opened++) {
        run_open(&runs[opened], NULL, "");
        assert_int_equal(runs[opened].status, -1);
    }
    run_open(&run, NULL, ID);
    assert_int_equal(run.status, RPC_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(run.message, "this connection has its 2048"));
    run_free(&run);
    client_open(&late);
    for (size_t i = 0; i < ARRAY_SIZE(other); i++) {
        client_open(&other[i]);
    }
    for (; opened < PROBE_STREAMS; opened++) {
        run_open_with(&runs[opened], &other[opened % ARRAY_SIZE(other)], NULL, "",
                      &(struct h2_header){0}, 0);
        assert_int_equal(runs[opened].status, -1);
    }
    run_open_with(&run, &late, NULL, "", &(struct h2_header){0}, 0);
    assert_int_equal(run.status, RPC_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(run.message, "this server has its 8192"));
    run_free(&run);
    run_reset(&runs[0], H2_CANCEL);
    run_open_with(&run, &late, NULL, "", &(struct h2_header){0}, 0);
    assert_int_equal(run.status, -1);
    run_free(&run);
    client_close(&late);
    for (size_t i = 0; i < ARRAY_SIZE(other); i++) {
        client_close(&other[i]);
    }
    client_close(&world->client);
    for (unsigned i = 0; i < opened; i++) {
        rpc_frame_reader_deinit(&runs[i].reader);
    }
    free(runs);
    assert_int_equal(world->probe.stream_count, 0);
}

static void what_is_remembered_is_bounded_and_the_oldest_goes_first(void **state)
{
    (void)state;
    struct run held;
    struct client client;
    char id[RPC_PROBE_ID_BYTES];
    run_open(&held, NULL, "aaaaaaaaaaaaaaaa"); /* open, so it stays */
    client_open(&client);
    for (unsigned i = 0; i < PROBE_RECORDS + 10; i++) {
        snprintf(id, sizeof(id), "%016x", i);
        run_open_with(&run, &client, NULL, id, &(struct h2_header){0}, 0);
        run_half_close(&run);
        assert_int_equal(run.status, 0);
        rpc_frame_reader_deinit(&run.reader);
        fake_advance(10); /* within the streams that a connection may begin each second */
    }
    assert_int_equal(world->probe.records.count, PROBE_RECORDS);
    assert_false(seen("0000000000000000")->found);
    assert_false(seen("000000000000000a")->found);
    assert_true(seen("000000000000000b")->found);
    assert_true(seen("aaaaaaaaaaaaaaaa")->found);
    client_close(&client);
    run_free(&held);
}

static void streams_of_a_connection_begin_at_a_rate(void **state)
{
    (void)state;
    unsigned begun = 0;
    for (;; begun++) {
        run_open(&run, NULL, "");
        if (run.status != -1) {
            break;
        }
        run_half_close(&run);
        rpc_frame_reader_deinit(&run.reader);
        assert_true(begun < 2 * PROBE_STARTS_BURST);
    }
    assert_int_equal(begun, PROBE_STARTS_BURST);
    assert_int_equal(run.status, RPC_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(run.message, "may begin"));
    run_free(&run);
    fake_advance(100);
    run_open(&run, NULL, "");
    assert_int_equal(run.status, -1);
    run_free(&run);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_script_over_a_limit_is_refused_with_the_number),
        TEST(a_script_that_makes_no_sense_is_refused_with_the_reason),
        TEST(fields_that_http2_or_grpc_would_not_take_are_refused),
        TEST(bytes_that_are_no_script_are_refused),
        TEST(a_script_of_more_bytes_than_allowed_is_refused),
        TEST(an_id_is_16_hex_digits_and_one),
        TEST(messages_that_are_none_end_the_stream),
        TEST(an_echo_over_the_rate_of_a_stream_ends_and_another_goes_on),
        TEST(a_flood_of_empty_messages_ends),
        TEST(all_streams_of_a_connection_have_a_rate),
        TEST(all_streams_together_have_a_rate),
        TEST(metadata_has_a_rate),
        TEST(goaways_have_a_rate),
        TEST(no_stream_lives_for_ever),
        TEST(an_end_waits_for_its_reader_and_not_for_ever),
        TEST(an_end_that_is_given_away_waits_no_longer),
        TEST(who_reads_late_gets_the_end),
        TEST(streams_of_a_connection_and_of_all_are_bounded),
        TEST(what_is_remembered_is_bounded_and_the_oldest_goes_first),
        TEST(streams_of_a_connection_begin_at_a_rate),
    };
    return cmocka_run_group_tests_name("server/probe_bounds", tests, NULL, NULL);
}
