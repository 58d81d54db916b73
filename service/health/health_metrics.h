/* SPDX-License-Identifier: MIT */
/* The metrics that health knows, for whoever reads them. */
#ifndef SLUICE_SERVICE_HEALTH_HEALTH_METRICS_H
#define SLUICE_SERVICE_HEALTH_HEALTH_METRICS_H

#include "schemas/metrics.h"
#include "service/health/health.h"

/* Fills in the values of the labels that health is the source of, and nothing else. */
void health_metrics_names(struct metrics_names *names);

/* For metrics_set_reader(): health stays until metrics_teardown(). */
struct metrics_reader health_metrics_reader(struct health *health);

#endif
