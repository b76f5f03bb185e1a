/* Writing a report as one HTML file. The page is made by src/page/inline.py and has holes; what
 * goes into them may be anybody's text and cannot leave them. */
#ifndef GRPCROUTE_BASE_PAGE_H
#define GRPCROUTE_BASE_PAGE_H

#include <stdio.h>

struct page_texts {
    const char *title;   /* of the window or tab */
    const char *summary; /* for who sees the page without its script */
    const char *about;   /* JSON: what all reports say of themselves */
    const char *data;    /* JSON: what this one shows */
};

/* Writes `html`, with its holes filled, to `out`. Texts that are no UTF-8 are shown with U+FFFD. */
void page_write(FILE *out, const unsigned char *html, const struct page_texts *texts);

#endif
