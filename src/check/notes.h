/* What is to be known beside a verdict, whether or not there is a finding: weights that are right,
 * and what the routes make of the metadata. Inside check/ only; pure. */
#ifndef GRPCROUTE_CHECK_NOTES_H
#define GRPCROUTE_CHECK_NOTES_H

#include "check/verdict.h"

#include <stddef.h>

#define CHECK_NOTES_MAX 3

struct check_notes {
    char texts[CHECK_NOTES_MAX][CHECK_TEXT_BYTES];
    size_t count;
};

void check_report_notes(const struct check_report *report, size_t group,
                        struct check_notes *ret);

#endif
