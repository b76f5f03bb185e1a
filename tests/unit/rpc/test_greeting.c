/* What a server of another protocol says is told in its words; HTTP/2 is never taken for one. */
#include "rpc/greeting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *greeting(const char *bytes, size_t len)
{
    static char out[RPC_GREETING_BYTES];
    return rpc_greeting_is_foreign((const uint8_t *)bytes, len, out) ? out : NULL;
}

static void other_protocols_are_told_in_their_words(void **state)
{
    (void)state;
    static const char http[] = "HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n";
    assert_string_equal(greeting(http, strlen(http)),
                        "it answers \"HTTP/1.1 400 Bad Request\": it does not speak HTTP/2");
    assert_string_equal(greeting("SSH-2.0-x\n", 10),
                        "it answers \"SSH-2.0-x\": it does not speak HTTP/2");
    assert_non_null(strstr(greeting("\x15\x03\x01\x00\x02\x02\x46", 7), "TLS"));
}

static void terminals_are_safe_and_lines_are_cut(void **state)
{
    (void)state;
    char flood[4000];
    memset(flood, '"', sizeof(flood));
    assert_true(strlen(greeting(flood, sizeof(flood))) < RPC_GREETING_BYTES);
    assert_null(strchr(greeting("HTTP\x1b[2J", 8), '\x1b'));
}

static void frames_are_not_text(void **state)
{
    (void)state;
    static const char settings[] = "\0\0\x12\x04\0\0\0\0\0";
    for (size_t len = 0; len < sizeof(settings); len++) {
        assert_null(greeting(settings, len));
    }
    assert_null(greeting("HTT", 3)); /* not enough to know */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_protocols_are_told_in_their_words),
        cmocka_unit_test(terminals_are_safe_and_lines_are_cut),
        cmocka_unit_test(frames_are_not_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
