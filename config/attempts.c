/* SPDX-License-Identifier: MIT */
/* The product of attempts along each path of a plan; attempts.h holds the contract. */
#include "config/attempts.h"

#include <stdio.h>

#include "config/plan_options.h"

/* around: the product of the retries that the plan is inside of. */
static void check(const struct plan_reader *reader, const struct config_plan *plan, const char *path, uint64_t around)
{
	unsigned most = reader->config->attempts_most;
	if (plan == NULL || plan->combinator == NULL || plan->children == NULL) /* a leaf, or out of memory */
		return;
	uint64_t attempts = around;
	if (plan_option_takes(SPAN("attempts"), plan->combinator))
		attempts *= plan->options.attempts;
	if (attempts > most) {
		findings_add(reader->in.findings, plan->line, path,
			     "retries inside each other come to %llu attempts; expected at most %u "
			     "(retries.attempts): lower \"attempts\" here or around it, or take a retry out",
			     (unsigned long long)attempts, most);
		return;
	}
	for (size_t i = 0; i < plan->child_count; i++) {
		char place[READER_PATH_MAX];
		size_t len = (size_t)snprintf(place, sizeof(place), "%s.%s", path, plan->combinator);
		if (plan->child_count > 1 && len < sizeof(place))
			snprintf(place + len, sizeof(place) - len, "[%zu]", i);
		check(reader, plan->children[i], place, attempts);
	}
}

void attempts_check(const struct plan_reader *reader, const struct config_plan *plan, const char *path)
{
	check(reader, plan, path, 1);
}
