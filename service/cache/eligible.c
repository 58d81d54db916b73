/* SPDX-License-Identifier: MIT */
/* Which requests the cache is for; eligible.h holds the contract. */
#include "service/cache/eligible.h"

#include "schemas/dialect.h"

static bool is_allowed(enum request_caching caching, const struct config_cache_rule *rule)
{
	switch (caching) {
	case CACHING_GRADE_YES:
		return true;
	case CACHING_GRADE_SEEDED:
		return rule->seed || rule->policy == CONFIG_CACHE_ALWAYS;
	case CACHING_GRADE_RANDOM:
		return rule->policy == CONFIG_CACHE_ALWAYS;
	default:
		return false;
	}
}

const char *cache_ineligible(const struct request *request, const struct config_cache_rule *rule)
{
	if (rule->policy == CONFIG_CACHE_OFF)
		return "the policy of its model is off";
	enum request_caching caching = request->dialect->caching(request);
	bool more = (request->dropped != NULL && request->dropped->material) || request->own_options.len > 0;
	bool own = (request->own_told && more) || request->refuses_alone ||
		   (request->refuses_losses && request->dropped != NULL && request->dropped->count > 0);
	if (own && is_allowed(caching, rule))
		caching = CACHING_GRADE_DIALECT;
	if (is_allowed(caching, rule) && !request->dialect->is_contained(request))
		caching = CACHING_GRADE_OUTSIDE;
	return is_allowed(caching, rule) ? NULL : request_caching_text(caching);
}
