/* SPDX-License-Identifier: MIT */
/* The words of quotas, and what they have in common wherever they are kept; quota.h holds the contract. */
#include "config/quota.h"

const char *quota_unit_name(enum quota_unit unit)
{
	static const char *const names[QUOTA_UNITS] = {[QUOTA_REQUESTS] = "requests",
						       [QUOTA_TOKENS] = "tokens",
						       [QUOTA_INPUT_TOKENS] = "input_tokens",
						       [QUOTA_OUTPUT_TOKENS] = "output_tokens",
						       [QUOTA_SPEND] = "spend"};
	return names[unit];
}

const char *quota_window_name(enum quota_window window)
{
	static const char *const names[QUOTA_WINDOWS] = {"second", "minute", "hour", "day", "month"};
	return names[window];
}

bool quota_repeats_window(const struct config_rate *rates, size_t count)
{
	for (size_t i = 0; i + 1 < count; i++)
		if (rates[i].window == rates[count - 1].window)
			return true;
	return false;
}

uint64_t quota_share(uint64_t limit, unsigned percent)
{
	return limit * percent / 100;
}

bool quota_limits_anything(const struct config_quota *quota)
{
	bool any = quota->concurrent > 0;
	for (int i = 0; i < QUOTA_UNITS; i++)
		any = any || quota->rates[i].count > 0;
	return any;
}
