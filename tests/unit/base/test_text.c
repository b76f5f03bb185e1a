#include "base/text.h"

#include "base/clock.h"
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const uint64_t SECOND = UINT64_C(1000000000);

static void durations_are_read_as_go_prints_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
    } GOOD[] = {
        {"0", 0},
        {"0s", 0},
        {"1ns", 1},
        {"850us", 850000},
        {"850\xc2\xb5s", 850000},
        {"250ms", 250000000},
        {"5s", UINT64_C(5000000000)},
        {"1.5s", UINT64_C(1500000000)},
        {"0.1s", 100000000},
        {"2m", UINT64_C(120000000000)},
        {"1h", UINT64_C(3600000000000)},
        {"1m30s", UINT64_C(90000000000)},
        {"2h45m30.5s", UINT64_C(9930500000000)},
        {"1.5h", UINT64_C(5400000000000)},
        {"1.0000000001s", UINT64_C(1000000000)},
        {"2562047h", UINT64_C(9223369200000000000)},
        {"9223372036854775807ns", INT64_MAX},
    };
    for (size_t i = 0; i < COUNT(GOOD); i++) {
        uint64_t ns = 1;
        const char *reason = NULL;
        assert_int_equal(text_parse_duration(GOOD[i].text, &ns, &reason), 0);
        assert_int_equal(ns, GOOD[i].ns);
    }
}

static void other_durations_are_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {"",     "5",    "s",         "+5s",  " 5s",   "5s ",  "5 s",
                                      "5sec", "5S",   ".5s",       "5.s",  "1..5s", "1m1m", "30s1m",
                                      "5s\n", "1e3s", "0x5s",      "5d",   "1,5s",  "00",   "1.5",
                                      "5s5",  "\xff", "\xc2\xb5s", "5\xc2"};
    for (size_t i = 0; i < COUNT(BAD); i++) {
        uint64_t ns = 42;
        const char *reason = NULL;
        assert_int_equal(text_parse_duration(BAD[i], &ns, &reason), 1);
        assert_string_equal(reason, "a duration such as 250ms, 5s or 1m30s");
        assert_int_equal(ns, 42);
    }
    static const char *const NEGATIVE[] = {"-5s", "-1ms", "-", "--5s"};
    for (size_t i = 0; i < COUNT(NEGATIVE); i++) {
        uint64_t ns = 42;
        const char *reason = NULL;
        assert_int_equal(text_parse_duration(NEGATIVE[i], &ns, &reason), 1);
        assert_string_equal(reason, "a duration that is not negative");
    }
    static const char *const LONG[] = {"9223372036854775808ns", "18446744073709551616s", "2562048h",
                                       "99999999999999999999999999h", "2562047h60m"};
    for (size_t i = 0; i < COUNT(LONG); i++) {
        uint64_t ns = 42;
        const char *reason = NULL;
        assert_int_equal(text_parse_duration(LONG[i], &ns, &reason), 1);
        assert_string_equal(reason, "a duration below 292 years");
        assert_int_equal(ns, 42);
    }
}

static void addresses_have_host_and_port(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint16_t default_port;
        const char *host;
        uint16_t port;
    } GOOD[] = {
        {"localhost:8443", 0, "localhost", 8443},
        {"localhost", 8443, "localhost", 8443},
        {"localhost:1", 8443, "localhost", 1},
        {":50051", 0, "", 50051},
        {"127.0.0.1:0", 0, "127.0.0.1", 0},
        {"[::1]:8443", 0, "::1", 8443},
        {"[fe80::1%eth0]", 443, "fe80::1%eth0", 443},
        {"server_v1.grpc-routing-poc.svc.cluster.local.:65535", 0,
         "server_v1.grpc-routing-poc.svc.cluster.local.", 65535},
        {"1a.2b:80", 0, "1a.2b", 80},
    };
    for (size_t i = 0; i < COUNT(GOOD); i++) {
        struct text_address address;
        const char *reason = NULL;
        assert_int_equal(text_parse_address(GOOD[i].text, GOOD[i].default_port, &address, &reason),
                         0);
        assert_string_equal(address.host, GOOD[i].host);
        assert_int_equal(address.port, GOOD[i].port);
    }
}

static void other_addresses_are_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint16_t default_port;
        const char *reason;
    } BAD[] = {
        {"", 0, "HOST:PORT, for example"},
        {"", 8443, "HOST:PORT, for example"},
        {"localhost", 0, "HOST:PORT, for example"},
        {"[::1]", 0, "HOST:PORT, for example"},
        {"[::1]x", 8443, "HOST:PORT, for example"},
        {"localhost:", 8443, "a port of at most 65535"},
        {"localhost:65536", 0, "a port of at most 65535"},
        {"localhost:-1", 0, "a port of at most 65535"},
        {"localhost:99999999999999999999999", 0, "a port of at most 65535"},
        {"localhost:https", 0, "a port of at most 65535"},
        {"localhost:80 ", 0, "a port of at most 65535"},
        {"::1:8443", 0, "brackets around an IPv6 address"},
        {"::1", 8443, "brackets around an IPv6 address"},
        {"[::g]:1", 0, "an IPv6 address between"},
        {"[]:1", 0, "an IPv6 address between"},
        {"[::1:1", 0, "an IPv6 address between"},
        {"[127.0.0.1]:1", 0, "an IPv6 address between"},
        {"[fe80::1%]:1", 0, "an IPv6 address between"},
        {"[fe80::1%a b]:1", 0, "an IPv6 address between"},
        {"1.2.3:80", 0, "an IPv4 address"},
        {"256.1.1.1:80", 0, "an IPv4 address"},
        {"8443", 8443, "an IPv4 address"},
        {"https://localhost:8443", 0, "HOST:PORT without a scheme"},
        {"localhost:8443/", 0, "HOST:PORT without a slash"},
        {"localhost/", 8443, "HOST:PORT without a slash"},
        {"[::1]:8443/x", 0, "HOST:PORT without a slash"},
        {"ipv4:127.0.0.1:8443", 0, "HOST:PORT without a prefix such as ipv4:"},
        {"ipv4:127.0.0.1", 8443, "HOST:PORT without a prefix"},
        {"ipv6:[::1]:8443", 0, "HOST:PORT without a prefix"},
        {"dns:localhost:8443", 0, "HOST:PORT without a prefix"},
        {"dns:///localhost:8443", 0, "HOST:PORT without a scheme"},
        {"unix:/run/x.sock", 0, "HOST:PORT without a prefix"},
        {"a..b:1", 0, "a host name of"},
        {".:1", 0, "a host name of"},
        {"a b:1", 0, "a host name of"},
        {"a\x1b[31m:1", 0, "a host name of"},
        {"p\xc3\xb6:1", 0, "a host name of"},
        {"a234567890123456789012345678901234567890123456789012345678901234:1", 0, "a host name of"},
    };
    for (size_t i = 0; i < COUNT(BAD); i++) {
        struct text_address address = {.port = 42};
        const char *reason = NULL;
        assert_int_equal(text_parse_address(BAD[i].text, BAD[i].default_port, &address, &reason),
                         1);
        assert_int_equal(strncmp(reason, BAD[i].reason, strlen(BAD[i].reason)), 0);
        assert_int_equal(address.port, 42);
    }
}

static void a_host_has_253_bytes_at_most(void **state)
{
    (void)state;
    char text[512];
    struct text_address address;
    const char *reason;
    for (size_t len = 250; len < 400; len++) {
        for (size_t i = 0; i < len; i++) {
            text[i] = i % 50 == 49 ? '.' : 'a';
        }
        strcpy(text + len, ":1");
        assert_int_equal(text_parse_address(text, 0, &address, &reason), len > 253);
    }
}

static void versions_have_one_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct text_version version;
    } GOOD[] = {
        {"v1", {.major = 1}},
        {"v0", {.major = 0}},
        {"v1.0", {.major = 1, .minor = 0, .has_minor = true}},
        {"v2.11", {.major = 2, .minor = 11, .has_minor = true}},
        {"v999999999.999999999", {999999999, 999999999, true}},
    };
    for (size_t i = 0; i < COUNT(GOOD); i++) {
        struct text_version version;
        const char *reason = NULL;
        assert_int_equal(text_parse_version(GOOD[i].text, &version, &reason), 0);
        assert_int_equal(version.major, GOOD[i].version.major);
        assert_int_equal(version.minor, GOOD[i].version.minor);
        assert_int_equal(version.has_minor, GOOD[i].version.has_minor);
    }
    static const char *const BAD[] = {
        "",    "v",   "1",   "1.1",  "V1",  "v01", "v1.",   "v1.01",       "v1.1.1",       "v1.x",
        "v-1", " v1", "v1 ", "v1\n", "v.1", "vv1", "v1.1a", "v1000000000", "v1.1000000000"};
    for (size_t i = 0; i < COUNT(BAD); i++) {
        struct text_version version = {.major = 42};
        const char *reason = NULL;
        assert_int_equal(text_parse_version(BAD[i], &version, &reason), 1);
        assert_string_equal(reason, "a version such as v1 or v1.2");
        assert_int_equal(version.major, 42);
    }
}

static void a_server_is_for_the_agents_of_its_major(void **state)
{
    (void)state;
    static const struct {
        const char *server;
        const char *agent;
        bool same;
    } CASES[] = {
        {"v1", "v1.1", true},   {"v1.3", "v1.2", true},    {"v1", "v1", true},
        {"v1", "v2.1", false},  {"v1", "v11.1", false},    {"v11", "v1.1", false},
        {"", "v1.1", false},    {"v1", "", false},         {"v1x", "v1.1", false},
        {"x", "x", false},      {"", "", false},           {"V1", "v1.1", false},
        {"v01", "v1.1", false}, {"v1.1.1", "v1.1", false},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        assert_int_equal(text_same_major(CASES[i].server, CASES[i].agent), CASES[i].same);
    }
}

static void addresses_are_shown_as_they_are_parsed(void **state)
{
    (void)state;
    static const char *const ADDRESSES[] = {"localhost:8443", "127.0.0.1:0", "[::1]:65535", ":80"};
    for (size_t i = 0; i < COUNT(ADDRESSES); i++) {
        struct text_address address;
        const char *reason = NULL;
        char shown[TEXT_ADDRESS_BYTES];
        assert_int_equal(text_parse_address(ADDRESSES[i], 0, &address, &reason), 0);
        assert_string_equal(text_format_address(shown, sizeof(shown), address.host, address.port),
                            ADDRESSES[i]);
    }
}

static void numbers_stay_in_their_range(void **state)
{
    (void)state;
    uint64_t value = 42;
    const char *reason = NULL;
    assert_int_equal(text_parse_u64("18446744073709551615", 0, UINT64_MAX, &value, &reason), 0);
    assert_true(value == UINT64_MAX);
    assert_int_equal(text_parse_u64("7", 7, 7, &value, &reason), 0);
    assert_int_equal(value, 7);
    assert_int_equal(text_parse_u64("007", 0, 10, &value, &reason), 0);
    static const char *const BAD[] = {"", "-1", "+1", " 1", "1 ", "1.0", "1e3", "0x1", "a"};
    for (size_t i = 0; i < COUNT(BAD); i++) {
        assert_int_equal(text_parse_u64(BAD[i], 0, UINT64_MAX, &value, &reason), 1);
        assert_string_equal(reason, "a whole number");
    }
    static const char *const OUTSIDE[] = {"4", "11", "18446744073709551616",
                                          "99999999999999999999"};
    for (size_t i = 0; i < COUNT(OUTSIDE); i++) {
        assert_int_equal(text_parse_u64(OUTSIDE[i], 5, 10, &value, &reason), 1);
        assert_string_equal(reason, "a whole number within the limits");
    }
    assert_int_equal(value, 7);
}

static void durations_are_shown_with_three_digits(void **state)
{
    (void)state;
    static const struct {
        uint64_t ns;
        const char *text;
    } SHOWN[] = {
        {0, "0s"},
        {1, "1ns"},
        {999, "999ns"},
        {1000, "1.00us"},
        {850000, "850us"},
        {999499, "999us"},
        {999500, "1.00ms"},
        {12340000, "12.3ms"},
        {9994999, "9.99ms"},
        {9995000, "10.0ms"},
        {999499999, "999ms"},
        {999500000, "1.00s"},
        {4200000000, "4.20s"},
        {59940000000, "59.9s"},
        {59950000000, "1m00s"},
        {125000000000, "2m05s"},
        {3599499999999, "59m59s"},
        {3599500000000, "1h00m"},
        {3720000000000, "1h02m"},
    };
    char out[16];
    for (size_t i = 0; i < COUNT(SHOWN); i++) {
        assert_string_equal(text_format_duration(out, sizeof(out), SHOWN[i].ns), SHOWN[i].text);
    }
    text_format_duration(out, 3, SHOWN[3].ns);
    assert_string_equal(out, "1.");
    assert_true(strlen(text_format_duration(out, sizeof(out), UINT64_MAX)) < sizeof(out));
}

static void shown_durations_can_be_typed_again(void **state)
{
    (void)state;
    for (int i = 0; i < 100000; i++) {
        char out[16];
        const char *reason;
        uint64_t ns = random_below(UINT64_C(1) << (1 + random_below(58)));
        uint64_t read;
        assert_int_equal(
            text_parse_duration(text_format_duration(out, sizeof(out), ns), &read, &reason), 0);
        uint64_t error = read > ns ? read - ns : ns - read;
        assert_true(error * 100 <= ns);
    }
}

static void escaping_leaves_only_printable_ascii(void **state)
{
    (void)state;
    for (int value = 0; value < 256; value++) {
        char byte = (char)value;
        char out[8];
        char expected[8];
        bool plain = value >= 0x20 && value < 0x7f;
        if (plain) {
            snprintf(expected, sizeof(expected), "%c", value);
        } else {
            snprintf(expected, sizeof(expected), "\\x%02x", (unsigned)value);
        }
        assert_int_equal(text_escape(out, sizeof(out), &byte, 1), strlen(expected));
        assert_string_equal(out, expected);
        assert_int_equal(text_escape(out, sizeof(out), expected, strlen(expected)),
                         strlen(expected));
        assert_string_equal(out, expected); /* twice is as good as once */
    }
}

static void utf8_is_made_readable_and_nothing_else(void **state)
{
    static const struct {
        const char *bytes;
        const char *shown; /* NULL: as it was escaped */
    } TEXTS[] = {
        {"plain", NULL},
        {"nicht verf\xc3\xbcgbar: \xe6\x9c\x8d\xe5\x8a\xa1 \xf0\x9f\x98\x80",
         "nicht verf\xc3\xbcgbar: \xe6\x9c\x8d\xe5\x8a\xa1 \xf0\x9f\x98\x80"},
        {"\x1b[31m\x7f\x01", NULL},
        {"\xc2\x9b", NULL},         /* a control of C1 */
        {"\xe2\x80\xae", NULL},     /* right-to-left override */
        {"\xe2\x80\x8b", NULL},     /* zero width space */
        {"\xe2\x80\xa8", NULL},     /* line separator */
        {"\xef\xbb\xbf", NULL},     /* byte order mark */
        {"\xf3\xa0\x81\x81", NULL}, /* tag */
        {"\xc3", NULL},
        {"\xff\xfe", NULL},
        {"\xc0\x80", NULL},     /* overlong */
        {"\xed\xa0\x80", NULL}, /* surrogate */
        {"\xc3\x1b\xbc", NULL},
        {"\xff\xc3\xbc\x80", "\\xff\xc3\xbc\\x80"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        char escaped[128];
        char shown[128];
        text_escape(escaped, sizeof(escaped), TEXTS[i].bytes, strlen(TEXTS[i].bytes));
        memcpy(shown, escaped, sizeof(shown));
        text_make_readable(shown);
        assert_string_equal(shown, TEXTS[i].shown != NULL ? TEXTS[i].shown : escaped);
    }
}

static void escaped_text_is_cut_with_dots(void **state)
{
    (void)state;
    static const struct {
        size_t room;
        const char *text;
        const char *shown;
    } CUTS[] = {
        {7, "abcdef", "abcdef"}, {6, "abcdef", "ab..."},
        {4, "abcdef", "..."},    {3, "abcdef", ".."},
        {1, "abcdef", ""},       {9, "ab\ncd", "ab\\x0acd"},
        {8, "ab\ncd", "ab..."},  {9, "a\nbcdef", "a\\x0a..."},
        {4, "abc", "abc"},       {5, "\n", "\\x0a"},
        {4, "\n", "..."},        {1, "", ""},
    };
    for (size_t i = 0; i < COUNT(CUTS); i++) {
        char out[16];
        memset(out, '#', sizeof(out));
        size_t len = text_escape(out, CUTS[i].room, CUTS[i].text, strlen(CUTS[i].text));
        assert_string_equal(out, CUTS[i].shown);
        assert_int_equal(len, strlen(CUTS[i].shown));
        assert_int_equal(out[CUTS[i].room], '#');
    }
    assert_int_equal(text_escape(NULL, 0, "abc", 3), 0);
    char out[2] = "x";
    assert_int_equal(text_escape(out, sizeof(out), NULL, 0), 0); /* an empty buffer's bytes */
    assert_string_equal(out, "");
}

static void distance_counts_edits(void **state)
{
    (void)state;
    assert_int_equal(text_distance("", ""), 0);
    assert_int_equal(text_distance("agent", "agent"), 0);
    assert_int_equal(text_distance("", "abc"), 3);
    assert_int_equal(text_distance("abc", ""), 3);
    assert_int_equal(text_distance("kitten", "sitting"), 3);
    assert_int_equal(text_distance("intreval", "interval"), 2);
    assert_int_equal(text_distance("taget", "target"), 1);
    char word[200];
    memset(word, 'a', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    assert_int_equal(text_distance("abc", word), 199);
    assert_int_equal(text_distance(word, "abc"), 198);
}

static void utf8_is_well_formed_or_not(void **state)
{
    (void)state;
    static const char *const GOOD[] = {"",
                                       "plain",
                                       "\x7f",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const BAD[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2\x41",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf",
                                      "\xe2\x86",
                                      "\xe2\x86\x41",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf0\x9f\x8e",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "ok\xfe"};
    for (size_t i = 0; i < COUNT(GOOD); i++) {
        assert_true(text_is_utf8(GOOD[i], strlen(GOOD[i])));
    }
    for (size_t i = 0; i < COUNT(BAD); i++) {
        assert_false(text_is_utf8(BAD[i], strlen(BAD[i])));
    }
    assert_true(text_is_utf8("a\0b", 3));
}

/* What is read by words must not hide a byte, wherever it stands. */
static void one_bad_byte_in_a_long_text_shows(void **state)
{
    (void)state;
    char text[150];
    memset(text, 'a', sizeof(text));
    for (size_t at = 0; at < sizeof(text); at++) {
        assert_true(text_is_utf8(text, at));
        text[at] = (char)0xff;
        assert_false(text_is_utf8(text, sizeof(text)));
        assert_true(text_is_utf8(text, at));
        if (at + 1 < sizeof(text)) {
            memcpy(text + at, "\xc3\xbc", 2);
            assert_true(text_is_utf8(text, sizeof(text)));
            assert_false(text_is_utf8(text, at + 1));
            memset(text + at, 'a', 2);
        }
        text[at] = 'a';
    }
}

static void clocks_advance_and_show_rfc_3339(void **state)
{
    (void)state;
    uint64_t before_ns = clock_now_ns();
    uint64_t before_ms = clock_now_ms();
    assert_true(clock_now_ns() >= before_ns);
    assert_true(before_ms - before_ns / 1000000 < 10 * SECOND / 1000000);
    char now[CLOCK_RFC3339_BYTES];
    clock_format_now(now);
    assert_int_equal(strlen(now), strlen("2026-01-01T00:00:00.000Z"));
    assert_int_equal(now[10], 'T');
    assert_int_equal(now[19], '.');
    assert_int_equal(now[23], 'Z');
}

static void shares_are_shown_with_three_digits_and_never_as_all_or_nothing(void **state)
{
    static const struct {
        double share;
        const char *text;
    } SHARES[] = {
        {0, "0 %"},          {1, "100 %"},         {0.9, "90 %"},         {0.907, "90.7 %"},
        {1.0 / 3, "33.3 %"}, {0.9975, "99.75 %"},  {0.99997, "99.997 %"}, {0.004, "0.4 %"},
        {1e-5, "< 0.01 %"},  {1 - 1e-12, "100 %"}, {2.5, "250 %"},        {12.345, "1234 %"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(SHARES) / sizeof(SHARES[0]); i++) {
        char out[16];
        assert_string_equal(text_format_percent(out, sizeof(out), SHARES[i].share), SHARES[i].text);
    }
}

static void sizes_are_shown_with_three_digits(void **state)
{
    static const struct {
        double bytes;
        const char *text;
    } SIZES[] = {
        {0, "0 B"},
        {950, "950 B"},
        {1023.4, "1023 B"},
        {1023.9, "1.00 KiB"},
        {1536, "1.50 KiB"},
        {29.4 * 1024, "29.4 KiB"},
        {99.96 * 1024, "100 KiB"},
        {12.34 * 1048576, "12.3 MiB"},
        {-2048, "-2.00 KiB"},
        {5e13, "45.5 TiB"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(SIZES) / sizeof(SIZES[0]); i++) {
        char out[16];
        assert_string_equal(text_format_size(out, sizeof(out), SIZES[i].bytes), SIZES[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_read_as_go_prints_them),
        cmocka_unit_test(other_durations_are_refused),
        cmocka_unit_test(addresses_have_host_and_port),
        cmocka_unit_test(other_addresses_are_refused_with_the_reason),
        cmocka_unit_test(a_host_has_253_bytes_at_most),
        cmocka_unit_test(versions_have_one_spelling),
        cmocka_unit_test(a_server_is_for_the_agents_of_its_major),
        cmocka_unit_test(addresses_are_shown_as_they_are_parsed),
        cmocka_unit_test(numbers_stay_in_their_range),
        cmocka_unit_test(durations_are_shown_with_three_digits),
        cmocka_unit_test(shown_durations_can_be_typed_again),
        cmocka_unit_test(escaping_leaves_only_printable_ascii),
        cmocka_unit_test(utf8_is_made_readable_and_nothing_else),
        cmocka_unit_test(escaped_text_is_cut_with_dots),
        cmocka_unit_test(distance_counts_edits),
        cmocka_unit_test(utf8_is_well_formed_or_not),
        cmocka_unit_test(one_bad_byte_in_a_long_text_shows),
        cmocka_unit_test(clocks_advance_and_show_rfc_3339),
        cmocka_unit_test(shares_are_shown_with_three_digits_and_never_as_all_or_nothing),
        cmocka_unit_test(sizes_are_shown_with_three_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
