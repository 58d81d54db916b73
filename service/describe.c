/* SPDX-License-Identifier: MIT */
/* The topics of --describe, each printed from its table. */
#include "service/describe.h"

#include "config/config.h"
#include "lib/errors.h"
#include "lib/metrics.h"
#include "schemas/caching_reference.h"
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

static const struct {
	const char *name;
	void (*write)(struct buf *out);
} topics[] = {
    {"api", reference_write},   {"cache", caching_reference_write}, {"config", describe_config},
    {"errors", error_describe}, {"metrics", metrics_describe},      {"openapi", openapi_write},
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

const char *describe_topics(void)
{
	return "api, cache, config, errors, metrics, openapi";
}
