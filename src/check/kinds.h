/* Names of what is checked, in sentences. Inside check/ only; pure. */
#ifndef GRPCROUTE_CHECK_KINDS_H
#define GRPCROUTE_CHECK_KINDS_H

#include "check/sentence.h"
#include "check/verdict.h"

/* "order, loss" for a bit per check_kind. */
void check_add_kinds(struct sentence *sentence, unsigned kinds);

#endif
