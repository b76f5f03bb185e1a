/* What a client can set where a limit of time was found, whoever runs the proxy. Pure. */
#ifndef GRPCROUTE_LIMITS_ADVICE_H
#define GRPCROUTE_LIMITS_ADVICE_H

#include "limits/finding.h"

/* Fills `advice`, once it is known what explains what. */
void limits_advise_all(struct limits_finding findings[static LIMITS_SHAPES]);

#endif
