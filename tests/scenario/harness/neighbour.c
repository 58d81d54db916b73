/* SPDX-License-Identifier: MIT */
/* A thread with libcurl's blocking client: nothing of the harness, which may fail the test only on its own thread. */
#include "tests/scenario/harness/neighbour.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"

enum { ANSWER_MOST = 65536, HANG_S = 120, TIMES_MOST = 100000, TIMES_BEFORE = 200, TIMED_REPEATS = 3 };

/* How long each answer took, microseconds. */
struct times {
	uint32_t list[TIMES_MOST];
	size_t count;
};

struct neighbour {
	pthread_t thread;
	char base[64], model[64];
	atomic_bool ends;
	atomic_uint rounds;
	atomic_bool wrong;
	char what[512];                /* was wrong, first */
	atomic_bool beside;            /* the scenario misbehaves */
	struct times *before, *during; /* NULL = nobody wants to know */
};

struct answer_text {
	char text[ANSWER_MOST];
	size_t len;
};

/* What it asks for, and what a right answer holds. */
static const struct ask {
	const char *name, *path, *members, *holds;
	long version;
} asks[] = {
    {"a whole answer", "/v1/chat/completions", "", "\"finish_reason\":\"stop\"", CURL_HTTP_VERSION_1_1},
    {"a stream", "/v1/chat/completions", ",\"stream\":true", "data: [DONE]\n\n", CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE},
    {"a hit", "/v1/chat/completions", ",\"temperature\":0", "\"finish_reason\":\"stop\"", CURL_HTTP_VERSION_1_1},
    {"/livez", "/livez", NULL, "ok", CURL_HTTP_VERSION_1_1},
};

static size_t on_body(char *at, size_t size, size_t count, void *context)
{
	struct answer_text *answer = context;
	size_t len = size * count;
	if (len > sizeof answer->text - 1 - answer->len)
		return 0;
	memcpy(answer->text + answer->len, at, len);
	answer->len += len;
	answer->text[answer->len] = '\0';
	return len;
}

static void note_wrong(struct neighbour *neighbour, const struct ask *ask, const char *why, long status,
		       const struct answer_text *answer)
{
	if (atomic_load(&neighbour->wrong))
		return;
	snprintf(neighbour->what, sizeof neighbour->what, "%s: %s, status %ld: %.300s", ask->name, why, status,
		 answer->text);
	atomic_store(&neighbour->wrong, true);
}

static void note_time(struct neighbour *neighbour, uint64_t took_us)
{
	struct times *times = atomic_load(&neighbour->beside) ? neighbour->during : neighbour->before;
	if (times != NULL && times->count < TIMES_MOST)
		times->list[times->count++] = (uint32_t)took_us;
}

static void perform(struct neighbour *neighbour, const struct ask *ask, struct answer_text *answer)
{
	char url[160], body[512];
	long status = 0;
	CURL *curl = curl_easy_init();
	struct curl_slist *fields = curl_slist_append(NULL, "Content-Type: application/json");
	snprintf(url, sizeof url, "%s%s", neighbour->base, ask->path);
	snprintf(body, sizeof body, "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"neighbour\"}]%s}",
		 neighbour->model, ask->members == NULL ? "" : ask->members);
	answer->len = 0;
	answer->text[0] = '\0';
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_INTERFACE, "host!127.0.0.77");
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, ask->version);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)HANG_S);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	if (ask->members != NULL) {
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	}
	uint64_t started_us = clock_us();
	CURLcode code = curl_easy_perform(curl);
	note_time(neighbour, clock_us() - started_us);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (code != CURLE_OK)
		note_wrong(neighbour, ask, curl_easy_strerror(code), status, answer);
	else if (status != 200 || strstr(answer->text, ask->holds) == NULL)
		note_wrong(neighbour, ask, "not what was asked for", status, answer);
	curl_slist_free_all(fields);
	curl_easy_cleanup(curl);
}

static void *live(void *context)
{
	struct neighbour *neighbour = context;
	struct answer_text *answer = malloc(sizeof *answer);
	while (answer != NULL && !atomic_load(&neighbour->ends)) {
		for (size_t i = 0; i < sizeof asks / sizeof *asks; i++)
			perform(neighbour, &asks[i], answer);
		atomic_fetch_add(&neighbour->rounds, 1);
	}
	free(answer);
	return NULL;
}

static bool is_timed(void)
{
	return getenv("SLUICE_NEIGHBOUR_TIMES") != NULL;
}

unsigned neighbour_repeats(void)
{
	return is_timed() ? TIMED_REPEATS : 1;
}

static int compare_times(const void *a, const void *b)
{
	uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
	return (one > other) - (one < other);
}

/* Milliseconds that a share of the answers took at most. */
static double quantile(struct times *times, double share)
{
	qsort(times->list, times->count, sizeof *times->list, compare_times);
	return times->count == 0 ? 0 : times->list[(size_t)((double)(times->count - 1) * share)] / 1e3;
}

static void print_times(struct neighbour *neighbour)
{
	static const double shares[] = {0.5, 0.99};
	if (neighbour->before == NULL)
		return;
	for (size_t i = 0; i < 2; i++) {
		double before = quantile(neighbour->before, shares[i]), during = quantile(neighbour->during, shares[i]);
		print_message("TIMES p%g %.2f %.2f %.1f\n", shares[i] * 100, before, during, during / before);
	}
	free(neighbour->before);
	free(neighbour->during);
}

/* Its times before the scenario goes on. */
static void measure_before(struct neighbour *neighbour)
{
	neighbour_check(neighbour, 2);
	neighbour->before = calloc(1, sizeof *neighbour->before);
	neighbour->during = calloc(1, sizeof *neighbour->during);
	assert_true(neighbour->before != NULL && neighbour->during != NULL);
	neighbour_check(neighbour, TIMES_BEFORE);
}

struct neighbour *neighbour_start(const struct sluice *sluice, const char *model)
{
	struct neighbour *neighbour = calloc(1, sizeof *neighbour);
	assert_non_null(neighbour);
	snprintf(neighbour->base, sizeof neighbour->base, "http://127.0.0.1:%d", sluice->port);
	snprintf(neighbour->model, sizeof neighbour->model, "%s", model);
	assert_int_equal(pthread_create(&neighbour->thread, NULL, live, neighbour), 0);
	if (is_timed())
		measure_before(neighbour);
	neighbour_check(neighbour, 2); /* that the cache has its answer, too */
	atomic_store(&neighbour->beside, true);
	return neighbour;
}

static void check_right(const struct neighbour *neighbour)
{
	if (atomic_load(&neighbour->wrong))
		fail_msg("the neighbour got %s", neighbour->what);
}

void neighbour_check(struct neighbour *neighbour, unsigned rounds)
{
	struct patience patience = patience_for("the neighbour to be answered");
	unsigned until = atomic_load(&neighbour->rounds) + rounds;
	while ((int)(atomic_load(&neighbour->rounds) - until) < 0) {
		check_right(neighbour);
		patience_wait(&patience);
	}
	check_right(neighbour);
}

void neighbour_stop(struct neighbour *neighbour)
{
	neighbour_check(neighbour, 2); /* those that began before the scenario's last step, and one after it */
	atomic_store(&neighbour->ends, true);
	pthread_join(neighbour->thread, NULL);
	check_right(neighbour);
	print_times(neighbour);
	print_message("the neighbour had %u rounds of answers\n", atomic_load(&neighbour->rounds));
	free(neighbour);
}
