/* SPDX-License-Identifier: MIT */
/* Sampling by /proc and /metrics. Only counts and sizes are judged, never durations. */
#include "tests/soak/samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"

/*
 * Medians of the last quarter may be above those of the second by so much. Those of a few samples wander more: the
 * resident size has peaks of some MiB that come and go. A leak of 256 bytes per request is 7 MiB in two minutes.
 */
enum { GROWTH_PERCENT = 4, GROWTH_BYTES = 1 << 20, GROWTH_BYTES_FEW = 3 << 20, FEW_SAMPLES = 24, GROWTH_FDS = 64 };

/* A number of a line of /proc/PID/status. */
static size_t status_field(const struct sluice *sluice, const char *name)
{
	char path[64];
	struct bytes text = {0};
	snprintf(path, sizeof path, "/proc/%d/status", (int)sluice->proc->pid);
	if (!bytes_read_file(&text, path))
		fail_msg("sluice is gone");
	const char *line = strstr(bytes_text(&text), name);
	size_t value = line == NULL ? 0 : strtoul(line + strlen(name), NULL, 10);
	bytes_free(&text);
	return value;
}

void samples_start(struct samples *samples, const struct sluice *sluice)
{
	samples->sluice = sluice;
	samples->threads = status_field(sluice, "\nThreads:");
	samples->count = 0;
}

/* Sum of the samples whose name and labels begin so. */
static double sum_of(const struct bytes *metrics, const char *beginning)
{
	double sum = 0;
	size_t len = strlen(beginning);
	for (const char *line = bytes_text(metrics), *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
		if (strncmp(line, beginning, len) == 0)
			sum += strtod(memchr(line, ' ', (size_t)(end - line)), NULL);
	return sum;
}

static bool is_busy(const struct bytes *metrics)
{
	return sum_of(metrics, "sluice_exchanges_in_flight") > 1 || sum_of(metrics, "sluice_calls_in_flight") > 0 ||
	       sum_of(metrics, "sluice_queue_waiting") > 0 || sum_of(metrics, "sluice_retries_in_flight") > 0 ||
	       sum_of(metrics, "sluice_connections ") > 1 || sum_of(metrics, "sluice_redis_up") == 0;
}

/* /metrics, as soon as nothing is under way but the question itself, and Redis is there. The caller frees. */
static void wait_quiet(const struct samples *samples, struct answer *answer)
{
	static char seen[240];
	struct patience patience = patience_for(seen);
	sluice_wait_idle(samples->sluice);
	for (;;) {
		sluice_get(samples->sluice, "/metrics", answer);
		const struct bytes *metrics = &answer->body;
		bool threads = status_field(samples->sluice, "\nThreads:") <= samples->threads;
		if (!is_busy(metrics) && threads)
			return;
		snprintf(seen, sizeof seen,
			 "a quiet moment: %g exchanges, %g calls, %g queued, %g retries, %g connections, "
			 "redis_up %g, %s",
			 sum_of(metrics, "sluice_exchanges_in_flight"), sum_of(metrics, "sluice_calls_in_flight"),
			 sum_of(metrics, "sluice_queue_waiting"), sum_of(metrics, "sluice_retries_in_flight"),
			 sum_of(metrics, "sluice_connections "), sum_of(metrics, "sluice_redis_up"),
			 threads ? "no thread too many" : "threads that were not there");
		answer_free(answer);
		patience_wait(&patience);
	}
}

void samples_take(struct samples *samples, size_t seconds, const char *what, size_t requests)
{
	struct answer answer;
	wait_quiet(samples, &answer);
	struct sample *sample = &samples->all[samples->count];
	*sample = (struct sample){.rss = proc_rss(samples->sluice->proc),
				  .anonymous = status_field(samples->sluice, "\nRssAnon:") * 1024,
				  .threads = status_field(samples->sluice, "\nThreads:"),
				  .fds = proc_fds(samples->sluice->proc),
				  .cache_bytes = sum_of(&answer.body, "sluice_cache_bytes")};
	if (samples->count == 0)
		printf("%7s  %-16s %9s %9s %9s %8s %8s %7s %9s\n", "seconds", "fault", "requests", "RSS KiB",
		       "anon KiB", "upstream", "other fd", "threads", "cache KiB");
	printf("%7zu  %-16s %9zu %9zu %9zu %8zu %8zu %7zu %9.0f\n", seconds, what, requests, sample->rss / 1024,
	       sample->anonymous / 1024, sample->fds.upstream, sample->fds.other, sample->threads,
	       sample->cache_bytes / 1024);
	fflush(stdout);
	if (sum_of(&answer.body, "sluice_errors_total{code=\"internal_error\"}") > 0)
		fail_msg("an internal error");
	answer_free(&answer);
	if (samples->count + 1 < SAMPLES_MOST)
		samples->count++;
}

static int by_size(const void *a, const void *b)
{
	size_t left = *(const size_t *)a, right = *(const size_t *)b;
	return (left > right) - (left < right);
}

/* The median of a quarter (0 to 3) of the samples, of the member at that offset. */
static size_t median(const struct samples *samples, size_t quarter, size_t offset)
{
	size_t values[SAMPLES_MOST] = {0};
	size_t from = samples->count * quarter / 4, to = samples->count * (quarter + 1) / 4;
	for (size_t i = from; i < to; i++)
		memcpy(&values[i - from], (const char *)&samples->all[i] + offset, sizeof values[0]);
	qsort(values, to - from, sizeof values[0], by_size);
	return values[(to - from) / 2];
}

static void judge(const struct samples *samples, const char *name, size_t offset, size_t unit, size_t most)
{
	size_t quarters[4];
	for (size_t i = 0; i < 4; i++)
		quarters[i] = median(samples, i, offset);
	printf("%-22s %9zu %9zu %9zu %9zu\n", name, quarters[0] / unit, quarters[1] / unit, quarters[2] / unit,
	       quarters[3] / unit);
	check_memory(name, quarters[1], quarters[3],
		     most == 0 ? quarters[1] * GROWTH_PERCENT / 100 +
				     (samples->count < FEW_SAMPLES ? GROWTH_BYTES_FEW : GROWTH_BYTES)
			       : most);
}

/* What the traffic and the faults are there for: without it the flat lines say little. */
static void check_happened(const struct samples *samples)
{
	static const char *const events[] = {
	    "sluice_attempts_total{model=\"again\",reason=\"retry\"}",
	    "sluice_attempts_total{model=\"back\",reason=\"fallback\"}",
	    "sluice_attempts_total{model=\"spare\",reason=\"hedge\"}",
	    "sluice_resumes_total{model=\"joined\",result=\"joined\"}",
	    "sluice_cache_requests_total{model=\"kept\",result=\"hit\"}",
	    "sluice_cache_requests_total{model=\"kept\",result=\"miss\"}",
	    "sluice_cache_inputs_total{model=\"vectors\",result=\"hit\"}",
	    "sluice_cache_evictions_total",
	    "sluice_cache_redis_total{result=\"hit\"}",
	    "sluice_cache_redis_total{result=\"stored\"}",
	    "sluice_redis_reconnects_total",
	    "sluice_breaker_transitions_total",
	    "sluice_calls_refused_total",
	    "sluice_queue_refused_total",
	    "sluice_probes_total{backend=\"flaky\",result=\"dead\"}",
	};
	struct answer answer;
	sluice_get(samples->sluice, "/metrics", &answer);
	printf("\n");
	for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
		double count = sum_of(&answer.body, events[i]);
		printf("%-66s %9.0f\n", events[i], count);
		if (count == 0)
			fail_msg("%s never happened", events[i]);
	}
	answer_free(&answer);
}

void samples_close(const struct samples *samples)
{
	check_happened(samples);
	assert_true(samples->count >= 8);
	printf("\n%-22s %9s %9s %9s %9s\n", "medians of quarters", "1st", "2nd", "3rd", "4th");
	judge(samples, "RSS, KiB", offsetof(struct sample, rss), 1024, 0);
	judge(samples, "anonymous, KiB", offsetof(struct sample, anonymous), 1024, 0);
	judge(samples, "upstream descriptors", offsetof(struct sample, fds.upstream), 1, GROWTH_FDS);
	judge(samples, "other descriptors", offsetof(struct sample, fds.other), 1, 1);
	judge(samples, "threads", offsetof(struct sample, threads), 1, 1);
}
