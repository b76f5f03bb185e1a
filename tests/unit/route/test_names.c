/* Names, as the CRDs of the Gateway API let them be. */
#include "support.h"

#include "base/mem.h"
#include "route/names.h"

#define REPEAT_63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void check(bool (*is_valid)(const char *), const char *const *good, const char *const *bad)
{
    for (; *good != NULL; good++) {
        if (!is_valid(*good)) {
            fail_msg("\"%s\" is refused", *good);
        }
    }
    for (; *bad != NULL; bad++) {
        if (is_valid(*bad)) {
            fail_msg("\"%s\" is taken", *bad);
        }
    }
}

static void labels(void **state)
{
    (void)state;
    check(names_is_label, FIELDS("a", "server-v1", "0", "1a--b2", REPEAT_63),
          FIELDS("", "-a", "a-", "A", "a.b", "a_b", "a b", "\xc3\xa4", REPEAT_63 "a"));
}

static void subdomains(void **state)
{
    (void)state;
    check(names_is_subdomain, FIELDS("a", "a.b-c.d", REPEAT_63 "." REPEAT_63 "." REPEAT_63),
          FIELDS("", ".", "a.", ".a", "a..b", "a.-b", "a-.b", "A.b", REPEAT_63 "a.b",
                 REPEAT_63 "." REPEAT_63 "." REPEAT_63 "." REPEAT_63));
}

static void hostnames(void **state)
{
    (void)state;
    check(names_is_hostname, FIELDS("localhost", "a.example.com", "*.example.com", "1a.2"),
          FIELDS("", "*", "*.", "a.*.com", "*a.com", "**.com", "10.0.0.1", "::1", "a:80", "A.com"));
}

static void headers(void **state)
{
    (void)state;
    char longest[258];
    memset(longest, 'x', sizeof(longest));
    longest[256] = '\0';
    check(names_is_header, FIELDS("agent-version", "X_1", "!#$%&'*+-.^_`|~", longest),
          FIELDS("", ":path", "a b", "a:", "a\"", "a(", "a/b", "\xc3\xa4", "a\n"));
    longest[256] = 'x';
    longest[257] = '\0';
    assert_false(names_is_header(longest));
}

static void services_and_methods(void **state)
{
    (void)state;
    check(names_is_service,
          FIELDS("ping.PingService", "S", "_a._b1", ".a.B", "grpc.health.v1.Health"),
          FIELDS("", ".", "a.", "a..b", "a/b", "1a", "a.1b", "a-b", "a b", "..a"));
    check(names_is_method, FIELDS("PingPong", "_", "a1"),
          FIELDS("", "a.b", "1a", "a/b", "a-b", "*"));
    char longest[1026];
    memset(longest, 'x', sizeof(longest));
    longest[1024] = '\0';
    assert_true(names_is_service(longest) && names_is_method(longest));
    longest[1024] = 'x';
    longest[1025] = '\0';
    assert_false(names_is_service(longest) || names_is_method(longest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels),
        cmocka_unit_test(subdomains),
        cmocka_unit_test(hostnames),
        cmocka_unit_test(headers),
        cmocka_unit_test(services_and_methods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
