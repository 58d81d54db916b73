/* SPDX-License-Identifier: MIT */
/* The topics of --describe, each printed from its table. */
#include "service/describe.h"

#include "config/config.h"
#include "lib/failures.h"
#include "lib/suggest.h"
#include "schemas/caching_reference.h"
#include "schemas/error_body.h"
#include "schemas/failure_rules.h"
#include "schemas/metrics.h"
#include "schemas/openapi.h"
#include "schemas/reference.h"
#include "service/plan/plan.h"

static void describe_config(struct buf *out)
{
	config_describe(out);
	buf_append(out, SPAN("\n## Plans\n\nA model is a target, or a combinator over other plans; they nest.\n\n"));
	plan_describe(out);
	config_describe_options(out);
}

static void describe_failures(struct buf *out)
{
	buf_append(
	    out,
	    SPAN("# Failures\n\nEvery failure of a call is of one kind. The kind says whether another target may help "
		 "(`fallback` goes on), whether the same one may (`retry` asks again), what the target's breaker "
		 "makes of it, and what a client receives when nothing is left to try. `on:` beside `retry` and "
		 "`fallback` names kinds instead.\n\n"));
	failure_describe(out);
	buf_append(
	    out,
	    SPAN("\n## Which answer is of which kind\n\nThe first rule that fits decides. A failure within a 200 (an "
		 "error event, an error in a choice) may name a status; one that names none fits rules with words or "
		 "patterns, and those for `none`. Words are compared as a whole, patterns anywhere in the message, "
		 "both in any case; `*` stands for any text.\n\n"));
	failure_rules_describe(out);
}

static const struct {
	const char *name;
	void (*write)(struct buf *out);
} topics[] = {
    {"api", reference_write},   {"cache", caching_reference_write}, {"config", describe_config},
    {"errors", error_describe}, {"failures", describe_failures},    {"metrics", metrics_describe},
    {"openapi", openapi_write},
};

bool describe_write(struct buf *out, const char *topic)
{
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
		if (strcmp(topics[i].name, topic) == 0) {
			topics[i].write(out);
			return true;
		}
	}
	return false;
}

struct span describe_suggest(const char *topic)
{
	struct suggestion near = suggest(span_of(topic));
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
		suggest_offer(&near, span_of(topics[i].name));
	return near.best;
}

const char *describe_topics(void)
{
	return "api, cache, config, errors, failures, metrics, openapi";
}
