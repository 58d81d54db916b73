/* SPDX-License-Identifier: MIT */
/* Values of metrics, read from the cells when somebody asks. */
#include "service/health/health_metrics.h"

#include "service/health/health_cells.h"

void health_metrics_names(struct metrics_names *names)
{
	static const char *breakers[HEALTH_BREAKER_STATES];
	static const char *reasons[HEALTH_REASON_COUNT];
	for (unsigned i = 0; i < HEALTH_BREAKER_STATES; i++)
		breakers[i] = health_breaker_name((enum health_breaker)i);
	for (unsigned i = 0; i < HEALTH_REASON_COUNT; i++)
		reasons[i] = health_reason_name((enum health_reason)i);
	names->breakers = breakers;
	names->breaker_count = HEALTH_BREAKER_STATES;
	names->refusals = reasons;
	names->refusal_count = HEALTH_REASON_COUNT;
}

static uint64_t state_of(struct health *health, size_t target)
{
	struct health_report report;
	health_report(health, target, 0, &report);
	return report.breaker;
}

/* Labels have one more value than there are names: for it there is nothing to tell. */
static bool read_value(void *context, unsigned metric, const uint32_t values[3], double *value)
{
	struct health *health = context;
	bool target = values[0] < health->config->target_count;
	if (metric == METRIC_BREAKER && target)
		*value = (double)state_of(health, values[0]);
	else if (metric == METRIC_BREAKER_CHANGES && target && values[1] < HEALTH_BREAKER_STATES)
		*value = (double)health_changes(health, values[0], (enum health_breaker)values[1]);
	else if (metric == METRIC_REFUSED_CALLS && target && values[1] < HEALTH_REASON_COUNT)
		*value = (double)health_refused(health, values[0], (enum health_reason)values[1]);
	else if (metric == METRIC_RETRIES_IN_FLIGHT && values[0] < health->config->backend_count)
		*value = health_extra(health, values[0]);
	else
		return false;
	return true;
}

struct metrics_reader health_metrics_reader(struct health *health)
{
	return (struct metrics_reader){read_value, health};
}
