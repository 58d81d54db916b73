/* SPDX-License-Identifier: MIT */
/* The tenants of a queue, for pages. */
#include "service/health/queue_lane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool in_use(const struct queue_lane *lane)
{
	return lane->counts && (lane->length > 0 || lane->running > 0);
}

/* Iterates over the lanes in use that have a weight, those of all networks included. */
static const struct queue_lane *next_lane(const struct queue *queue, size_t *at)
{
	while (*at < queue->lanes_used) {
		const struct queue_lane *lane = &queue->lanes[(*at)++];
		if (in_use(lane))
			return lane;
	}
	if (*at > queue->lanes_used || !in_use(queue->networks))
		return NULL;
	(*at)++;
	return queue->networks;
}

static void sum_weights(struct queue *queue)
{
	const struct queue_lane *lane;
	for (size_t at = 0; (lane = next_lane(queue, &at)) != NULL;)
		lane->parent->weights_below = 0;
	for (size_t at = 0; (lane = next_lane(queue, &at)) != NULL;)
		lane->parent->weights_below += lane->weight;
}

/* Returns the part of all places that is the lane's. */
static double share_of(const struct queue_lane *lane)
{
	double share = 1;
	for (; lane->parent != NULL; lane = lane->parent)
		share *= (double)lane->weight / lane->parent->weights_below;
	return share;
}

/* Writes the path from the root to the lane. */
static void write_path(const struct queue_lane *lane, char path[], size_t size)
{
	if (lane->parent->parent != NULL) {
		write_path(lane->parent, path, size);
		strncat(path, "/", size - strlen(path) - 1);
	}
	strncat(path, lane->text, size - strlen(path) - 1);
}

static int compare_paths(const void *a, const void *b)
{
	const struct queue_tenant_report *left = a, *right = b;
	return strcmp(left->path, right->path);
}

size_t queue_report_tenants(struct queue *queue, struct queue_tenant_report *reports, size_t most)
{
	const struct queue_lane *lane;
	size_t count = 0, at = 0;
	sum_weights(queue);
	while (count < most && (lane = next_lane(queue, &at)) != NULL) {
		if (lane->text[0] == '\0')
			continue;
		struct queue_tenant_report *report = &reports[count++];
		*report = (struct queue_tenant_report){
		    .weight = lane->weight, .running = lane->running, .waiting = lane->length, .share = share_of(lane)};
		write_path(lane, report->path, sizeof(report->path));
	}
	qsort(reports, count, sizeof(*reports), compare_paths);
	return count;
}
