/* Unquoted scalars that Kubernetes would not read as texts. */
#include "support.h"

#include "route/scalar.h"

static void check(enum scalar_type type, const char *const *texts)
{
    for (; *texts != NULL; texts++) {
        if (scalar_type_of(*texts) != type) {
            fail_msg("\"%s\" is of type %d", *texts, (int)scalar_type_of(*texts));
        }
    }
}

static void types_of_plain_scalars(void **state)
{
    (void)state;
    check(SCALAR_NULL, FIELDS("", "~", "null", "Null", "NULL"));
    check(SCALAR_BOOLEAN, FIELDS("true", "False", "YES", "no", "On", "off", "y", "N"));
    check(SCALAR_NUMBER, FIELDS("0", "1", "-1", "+1", "1.1", ".5", "1.", "1e3", "1.5E-3", "0x1F",
                                "0o17", "0b101", "1_000", ".inf", "-.Inf", ".NaN", "007"));
    check(SCALAR_TEXT,
          FIELDS("v1.0", "1.2.3", "a", "-", "+", ".", "_1", "e3", "1e", "1e+", "0x", "0xg", "-a",
                 "nulls", "yesterday", "1 000", "10.0.0.1", "1-2", "^v1\\..*$"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(types_of_plain_scalars)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
