/* SPDX-License-Identifier: MIT */
/* Fall, rise, and the share after a recovery. */
#include "service/health/liveness.h"

/* The one place where the state changes. */
static void liveness_set_state(struct liveness *liveness, enum liveness_state state, uint64_t now_us)
{
	if (liveness->state == state)
		__builtin_trap();
	liveness->state = state;
	liveness->row = 0;
	if (state == LIVENESS_UP)
		liveness->recovered_us = now_us;
}

bool liveness_probed(struct liveness *liveness, const struct config_probe *options, bool alive, uint64_t now_us)
{
	bool up = liveness->state == LIVENESS_UP;
	bool trusted = liveness->proven && now_us < liveness->proven_us + LIVENESS_TRUST_US;
	if (alive == up || trusted) {
		liveness->row = 0;
		return false;
	}
	liveness->row++;
	if (liveness->row < (up ? options->fall : options->rise))
		return false;
	liveness_set_state(liveness, up ? LIVENESS_DOWN : LIVENESS_UP, now_us);
	return true;
}

bool liveness_proven(struct liveness *liveness, uint64_t now_us)
{
	liveness->proven = true;
	if (now_us > liveness->proven_us)
		liveness->proven_us = now_us;
	if (liveness->state == LIVENESS_UP) {
		liveness->row = 0;
		return false;
	}
	liveness_set_state(liveness, LIVENESS_UP, now_us);
	return true;
}

double liveness_share(uint64_t recovered_us, uint64_t span_us, uint64_t now_us)
{
	static const double least = 0.1;
	if (recovered_us == 0 || now_us >= recovered_us + span_us)
		return 1;
	uint64_t passed = now_us > recovered_us ? now_us - recovered_us : 0;
	return least + (1 - least) * (double)passed / (double)span_us;
}
