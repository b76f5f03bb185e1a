/* Which setting of which proxy or server gives such an end, and what a client can set. Pure.
 *
 * What each of them looks like at both ends was measured, each set to 5, 7 and 9 s in the real
 * proxy (tests/e2e/test_limits.py); one that never ended anything is not named. */
#ifndef GRPCROUTE_LIMITS_SETTING_H
#define GRPCROUTE_LIMITS_SETTING_H

#include "limits/finding.h"

/* Fills `settings` of all findings that are limits, those whose default is what was found first;
 * and `advice`. Once it is known what explains what. `direct`: no hop is between, and the settings
 * are those of grpcroute server. */
void limits_setting_name_all(struct limits_finding findings[static LIMITS_SHAPES], bool direct);

#endif
