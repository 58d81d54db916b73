/* SPDX-License-Identifier: MIT */
/* Advice about limits that can never count anything. */
#include "config/advice_limits.h"

#include <stdio.h>

enum { ADVICE_KEY_MAX = 512 };

/* Returns a target of the plan that no price is for; NULL = there is none. */
static const char *unpriced_in(const struct config *config, const struct config_plan *plan)
{
	if (plan == NULL) /* the file is wrong elsewhere */
		return NULL;
	if (plan->combinator == NULL)
		return plan->target == NULL || config_find_price(config, plan->target) != NULL ? NULL : plan->target;
	const char *found = NULL;
	for (size_t i = 0; found == NULL && i < plan->child_count; i++)
		found = unpriced_in(config, plan->children[i]);
	return found;
}

static void check_spend(const struct config *config, const struct config_quota *quota, const char *key,
			struct findings *findings)
{
	const char *found = NULL;
	for (size_t i = 0; found == NULL && quota->rates[QUOTA_SPEND].count > 0 && i < config->model_count; i++)
		if (config_patterns_match(quota->models, quota->model_count, span_of(config->models[i].name)))
			found = unpriced_in(config, config->models[i].plan);
	if (found != NULL)
		findings_advise(findings, quota->line, key,
				"\"%s\" has no price, so its answers cost nothing; expected one in \"prices\"", found);
}

static bool is_of_model(const struct config *config, const char *pattern)
{
	bool found = false;
	for (size_t i = 0; !found && i < config->model_count; i++)
		found = config_patterns_match(&pattern, 1, span_of(config->models[i].name));
	return found;
}

static bool is_of_key(const struct config *config, const char *pattern)
{
	bool found = false;
	for (size_t i = 0; !found && i < config->key_count; i++)
		found = config_patterns_match(&pattern, 1, span_of(config->keys[i].name));
	return found;
}

static bool has_keys(const struct config *config, const char *tenant)
{
	bool found = false;
	for (size_t i = 0; !found && i < config->key_count; i++)
		found = config_tenant_is_within(config->keys[i].tenant, span_of(tenant));
	return found;
}

/* Returns whether all keys are in the file, where there are some, and nobody comes with a token. */
static bool knows_all_keys(const struct config *config)
{
	return config->key_count > 0 && !config_auth_has_store(config) && config->auth.issuer_count == 0;
}

static void check_quota(const struct config *config, const struct config_quota *quota, struct findings *findings)
{
	char key[ADVICE_KEY_MAX];
	snprintf(key, sizeof(key), "quotas.%s.models", quota->name);
	for (size_t i = 0; i < quota->model_count; i++)
		if (!is_of_model(config, quota->models[i]))
			findings_advise(findings, quota->line, key, "no model has the name \"%s\"", quota->models[i]);
	snprintf(key, sizeof(key), "quotas.%s.keys", quota->name);
	for (size_t i = 0; knows_all_keys(config) && i < quota->key_count; i++)
		if (!is_of_key(config, quota->keys[i]))
			findings_advise(findings, quota->line, key, "no key has the name \"%s\"", quota->keys[i]);
	snprintf(key, sizeof(key), "quotas.%s.tenant", quota->name);
	if (quota->tenant != NULL && knows_all_keys(config) && !has_keys(config, quota->tenant))
		findings_advise(findings, quota->line, key, "no key is one of the tenant \"%s\"", quota->tenant);
	for (size_t i = 0; i < quota->share_count && knows_all_keys(config); i++) {
		const struct config_share *share = &quota->shares[i];
		snprintf(key, sizeof(key), "quotas.%s.shares.%s", quota->name, share->tenant);
		if (!has_keys(config, share->tenant))
			findings_advise(findings, share->line, key, "no key is one of that tenant");
	}
	snprintf(key, sizeof(key), "quotas.%s.spend", quota->name);
	check_spend(config, quota, key, findings);
}

void advice_give_limits(const struct config *config, struct findings *findings)
{
	char key[ADVICE_KEY_MAX];
	for (size_t i = 0; i < config->quota_count; i++)
		check_quota(config, &config->quotas[i], findings);
	for (size_t i = 0; i < config->key_count; i++) {
		snprintf(key, sizeof(key), "keys.%s.limits.spend", config->keys[i].name);
		check_spend(config, &config->keys[i].limits, key, findings);
	}
	for (size_t i = 0; knows_all_keys(config) && i < config->tenant_count; i++) {
		const struct config_tenant *tenant = &config->tenants[i];
		snprintf(key, sizeof(key), "tenants.%s", tenant->path);
		if (!has_keys(config, tenant->path))
			findings_advise(findings, tenant->line, key, "no key is one of that tenant");
	}
}
