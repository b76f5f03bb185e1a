/* The probe service does as a script says, and tells what it saw. */
#include "probe_world.h"

#include "server/probe_limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ID "00112233445566aa"

static struct run run;

static void open_script(struct rpc_probe_script script)
{
    run_open(&run, &script, ID);
}

/* ---- what is sent ---------------------------------------------------------------------------- */

static void without_a_script_each_message_is_answered_by_one_of_its_size(void **state)
{
    (void)state;
    run_open(&run, NULL, "");
    run_send(&run, 7, 100);
    assert_int_equal(run.messages, 1);
    assert_int_equal(run.last.sequence, 7);
    assert_int_equal(run.last.payload_len, 100);
    assert_int_equal(run.last.received, 1);
    assert_string_equal(run.last.server_id, "pod-1");
    run_send(&run, 8, 0);
    assert_int_equal(run.last.sequence, 8);
    assert_int_equal(run.last.payload_len, 0);
    assert_int_equal(run.last.received, 2);
    run_half_close(&run);
    assert_int_equal(run.status, 0);
    assert_null(run.stream);
}

/* Neither the message nor its answer is held whole, on either side of the service. */
static void the_largest_message_is_answered_whole(void **state)
{
    (void)state;
    open_script((struct rpc_probe_script){.echo = true});
    run_send(&run, 1, RPC_PROBE_PAYLOAD_BYTES);
    assert_int_equal(run.messages, 1);
    assert_int_equal(run.last.payload_len, RPC_PROBE_PAYLOAD_BYTES);
}

static void a_script_without_echo_answers_nothing(void **state)
{
    (void)state;
    open_script((struct rpc_probe_script){.end_after_ms = 60000});
    run_send(&run, 1, 10);
    fake_advance(50000);
    assert_int_equal(run.messages, 0);
    assert_int_equal(run.blocks, 0);
    assert_int_equal(seen(ID)->messages, 1);
}

static void it_sends_when_it_is_due_and_no_more_than_asked(void **state)
{
    (void)state;
    open_script((struct rpc_probe_script){.send_every_ms = 100, .send_bytes = 33, .send_count = 3});
    fake_advance(99);
    assert_int_equal(run.messages, 0);
    fake_advance(1);
    assert_int_equal(run.messages, 1);
    assert_int_equal(run.last.sequence, 1);
    assert_int_equal(run.last.payload_len, 33);
    fake_advance(100);
    assert_int_equal(run.messages, 2);
    fake_advance(10000);
    assert_int_equal(run.messages, 3);
    assert_non_null(run.stream);
}

static void it_sends_only_while_the_stream_is_read(void **state)
{
    (void)state;
    const struct rpc_probe_script script = {.send_every_ms = 10, .send_bytes = 20000};
    run_open(&run, &script, ID);
    run.reads = false;
    fake_advance(2000);
    assert_int_equal(run.bytes, H2_STREAM_WINDOW_BYTES);
    assert_int_equal(seen(ID)->sent_bytes, H2_STREAM_WINDOW_BYTES);
    assert_true(seen(ID)->sent_messages <= 4);
    run_read(&run);
    fake_advance(2000);
    assert_true(run.messages > 100);
}

/* Small ones do not pile up, either. */
static void it_makes_no_message_while_the_last_one_waits(void **state)
{
    (void)state;
    const struct rpc_probe_script script = {.send_every_ms = 10, .send_bytes = 1000};
    run_open(&run, &script, ID);
    run.reads = false;
    fake_advance(10000);
    assert_int_equal(seen(ID)->sent_messages, H2_STREAM_WINDOW_BYTES / 1000);
}

/* ---- metadata -------------------------------------------------------------------------------- */

static void metadata_waits_for_the_first_message(void **state)
{
    (void)state;
    open_script((struct rpc_probe_script){
        .send_every_ms = 500,
        .headers = {{.name = "x-a", .value = (const uint8_t *)"b c", .value_len = 3}},
        .header_count = 1});
    fake_advance(499);
    assert_int_equal(run.blocks, 0);
    fake_advance(1);
    assert_int_equal(run.blocks, 1);
    assert_string_equal(run.metadata, "x-a=b c;");
}

static void metadata_comes_at_once_where_that_is_asked_for(void **state)
{
    (void)state;
    open_script((struct rpc_probe_script){
        .headers_at_once = true,
        .headers = {{.name = "x-bin", .value = (const uint8_t *)"\0\xff\n", .value_len = 3}},
        .header_count = 1});
    assert_int_equal(run.blocks, 1);
    assert_int_equal(run.messages, 0);
    assert_string_equal(run.metadata, "x-bin=AP8K;");
}

static void metadata_has_as_many_fields_and_bytes_as_asked(void **state)
{
    (void)state;
    open_script(
        (struct rpc_probe_script){.headers_at_once = true, .pad_fields = 200, .pad_bytes = 40001});
    assert_int_equal(run.fields, 200);
    assert_int_equal(run.fields_bytes, 40001);
}

static void padding_without_a_number_of_fields_is_one(void **state)
{
    (void)state;
    open_script((struct rpc_probe_script){.headers_at_once = true, .pad_bytes = 5000});
    assert_int_equal(run.fields, 1);
    assert_int_equal(run.fields_bytes, 5000);
}

/* ---- what is taken --------------------------------------------------------------------------- */

static void a_server_that_holds_takes_a_window_and_no_more(void **state)
{
    (void)state;
    open_script((struct rpc_probe_script){.hold = true});
    run_send(&run, 1, 100000);
    fake_advance(10000);
    assert_int_equal(seen(ID)->bytes, H2_STREAM_WINDOW_BYTES);
    assert_int_equal(seen(ID)->messages, 1);
    assert_non_null(run.stream);
}

static void a_server_that_does_not_hold_takes_all(void **state)
{
    (void)state;
    open_script((struct rpc_probe_script){.end_after_ms = 60000});
    run_send(&run, 1, 100000);
    assert_true(seen(ID)->bytes > 100000);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void half_close_ends_it_unless_it_is_to_go_on(void **state)
{
    (void)state;
    open_script((struct rpc_probe_script){.send_every_ms = 100});
    run_half_close(&run);
    assert_int_equal(run.status, 0);
    run_free(&run);
    open_script((struct rpc_probe_script){.send_every_ms = 100, .go_on = true});
    run_half_close(&run);
    fake_advance(1000);
    assert_int_equal(run.messages, 10);
    assert_int_equal(run.status, -1);
    assert_true(seen(ID)->half_closed);
    assert_false(seen(ID)->ended);
}

static void it_ends_in_time_with_status_message_and_trailers(void **state)
{
    (void)state;
    open_script((struct rpc_probe_script){
        .headers_at_once = true,
        .end_after_ms = 700,
        .status = 9,
        .status_message = "h\xc3\xa9",
        .trailers = {{.name = "t-bin", .value = (const uint8_t *)"\x01", .value_len = 1},
                     {.name = "t", .value = (const uint8_t *)"v", .value_len = 1}},
        .trailer_count = 2});
    fake_advance(699);
    assert_int_equal(run.status, -1);
    fake_advance(1);
    assert_int_equal(run.status, 9);
    assert_string_equal(run.message, "h%C3%A9");
    assert_string_equal(run.metadata, "t-bin=AQ;t=v;");
    assert_int_equal(run.blocks, 2);
    assert_int_equal(seen(ID)->how, RPC_PROBE_BY_SCRIPT);
    assert_int_equal(seen(ID)->code, 9);
    assert_int_equal(seen(ID)->open_for_ms, 700);
}

static void a_status_may_come_without_a_response(void **state)
{
    (void)state;
    open_script((struct rpc_probe_script){.end_after_ms = 10, .status = 5, .trailers_only = true});
    fake_advance(10);
    assert_int_equal(run.blocks, 1);
    assert_int_equal(run.status, 5);
    run_free(&run);
    open_script((struct rpc_probe_script){.end_after_ms = 10, .status = 5});
    fake_advance(10);
    assert_int_equal(run.blocks, 2);
    assert_int_equal(run.status, 5);
}

static void it_resets_with_the_code_behind_what_it_sent(void **state)
{
    (void)state;
    open_script((struct rpc_probe_script){.send_every_ms = 90,
                                          .send_bytes = 50000,
                                          .end_after_ms = 100,
                                          .has_reset = true,
                                          .reset = H2_ENHANCE_YOUR_CALM});
    fake_advance(100);
    assert_null(run.stream);
    assert_int_equal(run.messages, 1);
    assert_int_equal(run.error, H2_ENHANCE_YOUR_CALM);
    assert_int_equal(run.status, -1);
    assert_int_equal(seen(ID)->how, RPC_PROBE_BY_SCRIPT);
    assert_int_equal(seen(ID)->code, H2_ENHANCE_YOUR_CALM);
}

/* Code 0 is one, too. */
static void a_reset_does_not_wait_for_ever_for_who_does_not_read(void **state)
{
    (void)state;
    open_script((struct rpc_probe_script){.send_every_ms = 1,
                                          .send_bytes = 100000,
                                          .send_count = 1,
                                          .end_after_ms = 100,
                                          .has_reset = true});
    run.reads = false;
    fake_advance(100 + PROBE_RESET_WAIT_MS - 1);
    assert_non_null(run.stream);
    fake_advance(1);
    assert_null(run.stream);
    assert_int_equal(run.error, H2_NO_ERROR);
    assert_int_equal(run.messages, 0);
}

static void a_connection_is_told_to_end_and_the_stream_has_its_grace(void **state)
{
    (void)state;
    open_script((struct rpc_probe_script){
        .send_every_ms = 100, .end_after_ms = 1000, .goaway = true, .grace_ms = 2000});
    fake_advance(999);
    assert_string_equal(world->client.goaway, "");
    fake_advance(1);
    assert_int_equal(strncmp(world->client.goaway, "NO_ERROR ", 9), 0);
    fake_advance(1999);
    assert_int_equal(run.status, -1);
    assert_true(run.messages >= 28);
    fake_advance(1);
    assert_int_equal(run.status, 0);
    assert_int_equal(seen(ID)->how, RPC_PROBE_BY_SCRIPT);
    fake_advance(2000);
    assert_null(world->client.conn);
}

/* ---- what was seen --------------------------------------------------------------------------- */

static void an_unknown_id_was_not_seen(void **state)
{
    (void)state;
    assert_false(seen("ffffffffffffffff")->found);
    assert_string_equal(seen("ffffffffffffffff")->server_id, "pod-1");
    assert_int_equal(seen_status("xyz"), RPC_INVALID_ARGUMENT);
    assert_int_equal(seen_status("00112233445566aa0"), RPC_INVALID_ARGUMENT);
}

static void an_open_stream_is_seen_as_it_is(void **state)
{
    (void)state;
    open_script((struct rpc_probe_script){.send_every_ms = 60000});
    fake_advance(3000);
    run_send(&run, 1, 5);
    fake_advance(2000);
    const struct rpc_probe_seen *now = seen(ID);
    assert_true(now->found);
    assert_false(now->ended);
    assert_int_equal(now->how, RPC_PROBE_OPEN);
    assert_int_equal(now->open_for_ms, 5000);
    assert_int_equal(now->silent_ms, 2000);
    assert_int_equal(now->messages, 1);
    assert_int_equal(now->bytes, RPC_FRAME_PREFIX_BYTES + 2 + 2 + 5);
    assert_int_equal(now->connection, 1);
    assert_int_equal(now->metadata_fields, 4);
    assert_string_equal(now->connection_end, "");
    assert_false(now->half_closed);
}

static void a_reset_of_the_client_is_seen_with_its_code(void **state)
{
    (void)state;
    open_script((struct rpc_probe_script){.end_after_ms = 60000});
    fake_advance(1500);
    run_reset(&run, H2_INTERNAL_ERROR);
    fake_advance(10000);
    assert_int_equal(seen(ID)->how, RPC_PROBE_RESET);
    assert_int_equal(seen(ID)->code, H2_INTERNAL_ERROR);
    assert_int_equal(seen(ID)->open_for_ms, 1500);
    assert_string_equal(seen(ID)->connection_end, "");
}

static void the_end_of_a_connection_is_seen_in_words(void **state)
{
    (void)state;
    struct client client;
    client_open(&client);
    run_open_with(&run, &client, &(struct rpc_probe_script){.end_after_ms = 60000}, ID,
                  &(struct h2_header){0}, 0);
    rpc_conn_close(client.conn, H2_NO_ERROR, "tired");
    fake_advance(1000);
    assert_int_equal(seen(ID)->how, RPC_PROBE_CONNECTION_LOST);
    assert_int_equal(seen(ID)->connection, 2);
    assert_non_null(strstr(seen(ID)->connection_end, "GOAWAY NO_ERROR: tired"));
    run_free(&run);
    client_open(&client);
    run_open_with(&run, &client, &(struct rpc_probe_script){.end_after_ms = 60000}, ID,
                  &(struct h2_header){0}, 0);
    net_stream_abort(client.net);
    fake_advance(1000);
    assert_int_equal(seen(ID)->how, RPC_PROBE_CONNECTION_LOST);
    assert_null(strstr(seen(ID)->connection_end, "GOAWAY"));
    assert_true(seen(ID)->connection_end[0] != '\0');
    assert_int_equal(seen(ID)->streams, 2);
}

/* Where the stream ended first, too. */
static void the_end_of_a_connection_is_seen_after_that_of_the_stream(void **state)
{
    (void)state;
    struct client client;
    client_open(&client);
    run_open_with(&run, &client, NULL, ID, &(struct h2_header){0}, 0);
    run_half_close(&run);
    assert_string_equal(seen(ID)->connection_end, "");
    client_close(&client);
    assert_non_null(strstr(seen(ID)->connection_end, "GOAWAY NO_ERROR"));
    assert_int_equal(seen(ID)->how, RPC_PROBE_BY_SCRIPT);
}

static void a_deadline_is_seen(void **state)
{
    (void)state;
    run_open_with(&run, &world->client, NULL, ID, &H2_HEADER("grpc-timeout", "2S"), 1);
    fake_advance(2100);
    assert_int_equal(run.status, RPC_DEADLINE_EXCEEDED);
    assert_int_equal(seen(ID)->how, RPC_PROBE_DEADLINE);
}

/* The script's end was on its way, but the client reset the stream before it could leave. */
static void an_end_that_never_left_is_not_told_as_one(void **state)
{
    (void)state;
    open_script((struct rpc_probe_script){
        .send_every_ms = 1, .send_bytes = 70000, .send_count = 1, .end_after_ms = 100});
    run.reads = false;
    fake_advance(1000);
    assert_false(seen(ID)->ended);
    run_reset(&run, H2_CANCEL);
    assert_int_equal(seen(ID)->how, RPC_PROBE_RESET);
    assert_int_equal(seen(ID)->code, H2_CANCEL);
}

static void binary_metadata_is_kept_as_it_came(void **state)
{
    (void)state;
    const struct h2_header fields[] = {H2_HEADER("x-bin", "AP8K"),
                                       H2_HEADER("y-bin", "not base64!"), H2_HEADER("z", "text")};
    run_open_with(&run, &world->client, NULL, ID, fields, 3);
    const struct rpc_probe_seen *now = seen(ID);
    assert_int_equal(now->field_count, 2);
    assert_string_equal(now->fields[0].name, "x-bin");
    assert_int_equal(now->fields[0].value_len, 3);
    assert_memory_equal(now->fields[0].value, "\0\xff\n", 3);
    assert_false(now->fields[0].malformed);
    assert_true(now->fields[1].malformed);
    assert_memory_equal(now->fields[1].value, "not base64!", 11);
}

/* Of two streams with one id, as where a proxy tries again, the last is told, and that there were
 * two. */
static void two_streams_of_one_id_are_told_as_two(void **state)
{
    (void)state;
    struct run other;
    run_open(&other, &(struct rpc_probe_script){.end_after_ms = 1000}, ID);
    fake_advance(500);
    open_script((struct rpc_probe_script){.end_after_ms = 5000});
    fake_advance(1000);
    assert_null(other.stream);
    assert_int_equal(seen(ID)->streams, 2);
    assert_false(seen(ID)->ended);
    assert_int_equal(seen(ID)->open_for_ms, 1000);
    run_free(&other);
}

static int close_all(void **state)
{
    run_free(&run);
    return world_close(state);
}

#define TEST(name)       cmocka_unit_test_setup_teardown(name, world_open, close_all)
#define TEST_ALONE(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_script_each_message_is_answered_by_one_of_its_size),
        TEST(the_largest_message_is_answered_whole),
        TEST(a_script_without_echo_answers_nothing),
        TEST(it_sends_when_it_is_due_and_no_more_than_asked),
        TEST(it_sends_only_while_the_stream_is_read),
        TEST(it_makes_no_message_while_the_last_one_waits),
        TEST(metadata_waits_for_the_first_message),
        TEST(metadata_comes_at_once_where_that_is_asked_for),
        TEST(metadata_has_as_many_fields_and_bytes_as_asked),
        TEST(padding_without_a_number_of_fields_is_one),
        TEST(a_server_that_holds_takes_a_window_and_no_more),
        TEST(a_server_that_does_not_hold_takes_all),
        TEST(half_close_ends_it_unless_it_is_to_go_on),
        TEST(it_ends_in_time_with_status_message_and_trailers),
        TEST(a_status_may_come_without_a_response),
        TEST(it_resets_with_the_code_behind_what_it_sent),
        TEST(a_reset_does_not_wait_for_ever_for_who_does_not_read),
        TEST(a_connection_is_told_to_end_and_the_stream_has_its_grace),
        TEST_ALONE(an_unknown_id_was_not_seen),
        TEST(an_open_stream_is_seen_as_it_is),
        TEST(a_reset_of_the_client_is_seen_with_its_code),
        TEST(the_end_of_a_connection_is_seen_in_words),
        TEST(the_end_of_a_connection_is_seen_after_that_of_the_stream),
        TEST(a_deadline_is_seen),
        TEST(an_end_that_never_left_is_not_told_as_one),
        TEST(binary_metadata_is_kept_as_it_came),
        TEST(two_streams_of_one_id_are_told_as_two),
    };
    return cmocka_run_group_tests_name("server/probe", tests, NULL, NULL);
}
