#include "base/page.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define REPLACEMENT_CHARACTER 0xfffdu

/* Of an element or of an attribute between any quotes. Controls have no business in either. */
static void put_html(FILE *out, uint32_t code_point, const char *bytes, size_t len)
{
    if (strchr("<>&\"'", (int)code_point) != NULL && code_point != 0) {
        fprintf(out, "&#%u;", code_point);
    } else if ((code_point < 0x20 && code_point != '\n') || code_point == 0x7f) {
        fputs("&#xfffd;", out);
    } else {
        fwrite(bytes, 1, len, out);
    }
}

/* JSON inside a script element: these occur in strings only, where an escape means the same. What
 * ends the element, or a line of a script of old, does not come through. */
static void put_json(FILE *out, uint32_t code_point, const char *bytes, size_t len)
{
    if (code_point == '<' || code_point == '>' || code_point == '&' || code_point == 0x2028 ||
        code_point == 0x2029) {
        fprintf(out, "\\u%04x", code_point);
    } else {
        fwrite(bytes, 1, len, out);
    }
}

static void put_text(FILE *out, const char *text, bool is_json)
{
    size_t taken;
    for (size_t left = strlen(text); left > 0; text += taken, left -= taken) {
        uint32_t code_point;
        const char *bytes = text;
        taken = text_utf8_decode(text, left, &code_point);
        size_t len = taken;
        if (taken == 0) {
            taken = 1;
            bytes = "\xef\xbf\xbd";
            len = 3;
            code_point = REPLACEMENT_CHARACTER;
        }
        (is_json ? put_json : put_html)(out, code_point, bytes, len);
    }
}

void page_write(FILE *out, const unsigned char *html, const struct page_texts *texts)
{
    /* in the order in which the page has them */
    const struct {
        const char *hole;
        const char *text;
        bool is_json;
    } holes[] = {{"@TITLE@", texts->title, false},
                 {"@SUMMARY@", texts->summary, false},
                 {"@ABOUT@", texts->about, true},
                 {"@DATA@", texts->data, true}};
    const char *at = (const char *)html;
    for (size_t i = 0; i < ARRAY_SIZE(holes); i++) {
        const char *hole = strstr(at, holes[i].hole);
        if (hole != NULL) {
            fwrite(at, 1, (size_t)(hole - at), out);
            put_text(out, holes[i].text, holes[i].is_json);
            at = hole + strlen(holes[i].hole);
        }
    }
    fputs(at, out);
}
