/* What is to be known beside a verdict, whether or not there is a finding: weights that are right,
 * what the routes make of the metadata, and what a proxy's log says. Inside check/ only; pure. */
#ifndef GRPCROUTE_CHECK_NOTES_H
#define GRPCROUTE_CHECK_NOTES_H

#include "check/finding.h"
#include "check/sentence.h"

#include <stddef.h>

#define CHECK_NOTES_MAX 4

struct check_notes {
    char texts[CHECK_NOTES_MAX][CHECK_TEXT_BYTES];
    size_t count;
};

/* "1200 streams by the proxy's log; 3 refused, 1 not answered". False: it says nothing of them. */
bool check_add_proxied(struct sentence *text, const struct check_proxied *proxied);

/* "5 streams: no route (3), draining (2)" */
void check_add_refusals(struct sentence *text, const struct check_proxy_log *log);

void check_report_notes(const struct check_report *report, size_t group, struct check_notes *ret);

#endif
