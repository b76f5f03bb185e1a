/* Which setting of which proxy or server gives such an end, and what a client can set. Pure. */
#ifndef GRPCROUTE_LIMITS_SETTING_H
#define GRPCROUTE_LIMITS_SETTING_H

#include "limits/finding.h"

/* Fills `settings` and `advice` of all findings that are limits; once what explains what is known.
 */
void limits_setting_name_all(struct limits_finding findings[static LIMITS_SHAPES]);

#endif
