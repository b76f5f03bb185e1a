/* What TLS holds of a quiet stream is put away, and comes back for whatever happens next. */
#include "harness.h"

#include "base/sanitizer.h"
#include "base/slab.h"
#include "net/stream_impl.h"
#include "net/tls_io_impl.h"

#include <openssl/crypto.h>
#include <string.h>

static struct harness harness;

static int setup(void **state)
{
    (void)state;
    harness_init(&harness, true);
    harness.server.echo = true;
    harness_connect(&harness);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    harness_deinit(&harness);
    return 0;
}

static bool is_away(const struct end *end)
{
    return sparse_is_away(&end->stream->tls->pieces);
}

static void put_both_away(void)
{
    net_stream_rest(harness.client.stream);
    net_stream_rest(harness.server.stream);
    assert_true(is_away(&harness.client) && is_away(&harness.server));
}

static void an_echo_comes_back_after_each_rest(void **state)
{
    (void)state;
    for (size_t words = 1; words <= 5; words++) {
        put_both_away();
        net_stream_rest(harness.client.stream);
        end_send_text(&harness.client, "ping");
        run_until_received(&harness.client, 4 * words);
        assert_false(is_away(&harness.client) || is_away(&harness.server));
    }
    assert_memory_equal(buf_data(&harness.client.received), "pingpingpingpingping", 20);
}

/* New keys are made from secrets that the structure holds. */
static void new_keys_are_made_after_a_rest(void **state)
{
    (void)state;
    put_both_away();
    assert_int_equal(
        SSL_key_update(net_tls_io_ssl(harness.client.stream->tls), SSL_KEY_UPDATE_REQUESTED), 1);
    put_both_away();
    end_send_text(&harness.client, "ping");
    run_until_received(&harness.client, 4);
    put_both_away();
    end_send_text(&harness.client, "pong");
    run_until_received(&harness.client, 8);
    assert_memory_equal(buf_data(&harness.client.received), "pingpong", 8);
}

static void much_passes_with_rests_in_between(void **state)
{
    enum { BYTES = 1024 * 1024 };
    (void)state;
    end_send_pattern(&harness.client, BYTES);
    for (size_t len = BYTES / 16; len <= BYTES; len += BYTES / 16) {
        run_until_received(&harness.client, len);
        net_stream_rest(harness.client.stream);
        net_stream_rest(harness.server.stream);
    }
    end_check_pattern(&harness.client, BYTES);
}

static void questions_are_answered_and_the_end_is_clean(void **state)
{
    (void)state;
    put_both_away();
    assert_string_equal(net_stream_tls_version(harness.server.stream), "TLSv1.3");
    assert_false(is_away(&harness.server));
    put_both_away();
    net_stream_close(harness.client.stream);
    run_until(&harness.loop, &harness.server.closed);
    run_until(&harness.loop, &harness.client.closed);
    assert_int_equal(harness.server.error.kind, NET_CLOSED);
}

static void an_abort_needs_nothing_back(void **state)
{
    (void)state;
    put_both_away();
    net_stream_abort(harness.client.stream);
    run_until(&harness.loop, &harness.client.closed);
    run_until(&harness.loop, &harness.server.closed);
}

/* As buffers of records and handshakes are, from one size to the next. */
static void what_grows_out_of_a_block_keeps_its_bytes(void **state)
{
    uint8_t *block = OPENSSL_malloc(16 * 1024);
    (void)state;
    assert_int_equal(slab_has(block), !SANITIZER_ADDRESS);
    memset(block, 7, 16 * 1024);
    uint8_t *grown = OPENSSL_realloc(block, SLAB_BLOCK_BYTES);
    assert_true(grown == block || SANITIZER_ADDRESS);
    memset(grown + 16 * 1024, 7, SLAB_BLOCK_BYTES - 16 * 1024);
    uint8_t *moved = OPENSSL_realloc(grown, SLAB_BLOCK_BYTES + 1);
    assert_non_null(moved);
    assert_false(slab_has(moved));
    assert_int_equal(moved[0], 7);
    assert_memory_equal(moved, moved + 1, SLAB_BLOCK_BYTES - 1);
    OPENSSL_free(moved);
    block = OPENSSL_realloc(NULL, 16 * 1024);
    assert_int_equal(slab_has(block), !SANITIZER_ADDRESS);
    assert_null(OPENSSL_realloc(block, 0));
    void *small = OPENSSL_malloc(SLAB_BLOCK_BYTES / 4);
    void *large = OPENSSL_malloc(SLAB_BLOCK_BYTES + 1);
    assert_true(!slab_has(small) && !slab_has(large));
    OPENSSL_free(small);
    OPENSSL_free(large);
}

#define EACH(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(an_echo_comes_back_after_each_rest),
        EACH(new_keys_are_made_after_a_rest),
        EACH(much_passes_with_rests_in_between),
        EACH(questions_are_answered_and_the_end_is_clean),
        EACH(an_abort_needs_nothing_back),
        cmocka_unit_test(what_grows_out_of_a_block_keeps_its_bytes),
    };
    net_tls_rest_enable();
    return cmocka_run_group_tests(tests, certificates_make, certificates_remove);
}
