#include "base/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka needs those first */
#include <cmocka.h>

static const unsigned char HTML[] =
    "<title>@TITLE@</title><p>@SUMMARY@</p><script>@ABOUT@|@DATA@</script>";

/* Freed by the caller. */
static char *page_of(const char *text, const char *json)
{
    char *written = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&written, &len);
    const struct page_texts texts = {.title = text, .summary = text, .about = json, .data = json};
    page_write(out, HTML, &texts);
    fclose(out);
    return written;
}

static size_t count(const char *text, const char *what)
{
    size_t found = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at++) {
        found++;
    }
    return found;
}

static void plain_texts_stand_in_their_places(void **state)
{
    (void)state;
    char *page = page_of("grün", "{\"a\":\"grün\"}");
    assert_string_equal(
        page, "<title>grün</title><p>grün</p><script>{\"a\":\"grün\"}|{\"a\":\"grün\"}</script>");
    free(page);
}

static void no_text_leaves_its_place(void **state)
{
    (void)state;
    static const char *const hostile[] = {
        "</title></p></script><script>alert(1)</script>",
        "<!--<script>",
        "\"'><b onclick=alert(1)>",
        "&lt;b&gt;",
        "]]>-->",
        "@DATA@",
    };
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        char json[128];
        snprintf(json, sizeof(json), "{\"a\":\"%s\"}", hostile[i]);
        char *page = page_of(hostile[i], json);
        assert_int_equal(count(page, "<"), 6); /* the page's own */
        assert_int_equal(count(page, "<script"), 1);
        assert_null(strstr(page, "&lt;b"));
        free(page);
    }
}

static void json_means_the_same_behind_its_escapes(void **state)
{
    (void)state;
    char *page = page_of("", "\"<&>\xe2\x80\xa8\xe2\x80\xa9\"");
    assert_non_null(strstr(page, "\"\\u003c\\u0026\\u003e\\u2028\\u2029\""));
    free(page);
}

static void what_is_no_utf8_is_replaced(void **state)
{
    (void)state;
    char *page = page_of("a\xff\xc3(\x01\x1b", "\"\xff\xed\xa0\x80\"");
    assert_non_null(strstr(page, "<title>a\xef\xbf\xbd\xef\xbf\xbd(&#xfffd;&#xfffd;</title>"));
    assert_null(strstr(page, "\xff"));
    assert_null(strstr(page, "\xed\xa0"));
    free(page);
}

static void long_texts_are_whole(void **state)
{
    (void)state;
    size_t len = 64 * 1024;
    char *text = calloc(1, len + 1);
    memset(text, '<', len);
    char *page = page_of(text, "0");
    assert_int_equal(count(page, "&#60;"), 2 * len);
    free(page);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_texts_stand_in_their_places),
        cmocka_unit_test(no_text_leaves_its_place),
        cmocka_unit_test(json_means_the_same_behind_its_escapes),
        cmocka_unit_test(what_is_no_utf8_is_replaced),
        cmocka_unit_test(long_texts_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
