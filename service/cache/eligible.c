/* SPDX-License-Identifier: MIT */
/* Which requests the cache is for; eligible.h holds the contract. */
#include "service/cache/eligible.h"

#include "schemas/openai/caching.h"

static bool is_allowed(enum openai_caching caching, const struct config_cache_rule *rule)
{
	switch (caching) {
	case OPENAI_CACHING_YES:
		return true;
	case OPENAI_CACHING_SEEDED:
		return rule->seed || rule->policy == CONFIG_CACHE_ALWAYS;
	case OPENAI_CACHING_RANDOM:
		return rule->policy == CONFIG_CACHE_ALWAYS;
	default:
		return false;
	}
}

const char *cache_ineligible(const struct openai_request *request, const struct config_cache_rule *rule)
{
	if (rule->policy == CONFIG_CACHE_OFF)
		return "the policy of its model is off";
	enum openai_caching caching = openai_request_caching(request);
	if (is_allowed(caching, rule) && !openai_request_is_contained(request))
		caching = OPENAI_CACHING_OUTSIDE;
	return is_allowed(caching, rule) ? NULL : openai_caching_text(caching);
}
