/* SPDX-License-Identifier: MIT */
/* The combinators, for plan.c only. */
#ifndef SLUICE_SERVICE_PLAN_KINDS_H
#define SLUICE_SERVICE_PLAN_KINDS_H

#include "service/plan/plan.h"

extern const struct plan_kind plan_kind_target;
extern const struct plan_kind plan_kind_balance;
extern const struct plan_kind plan_kind_retry;
extern const struct plan_kind plan_kind_fallback;
extern const struct plan_kind plan_kind_hedge;
extern const struct plan_kind plan_kind_race;
extern const struct plan_kind plan_kind_all;
extern const struct plan_kind plan_kind_quorum;

/* No combinator of its own: what the option resume puts around one. */
extern const struct plan_kind plan_kind_resume;

#endif
