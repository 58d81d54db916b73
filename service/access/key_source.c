/* SPDX-License-Identifier: MIT */
/* A timer and at most one call for each source, as probes are (service/health/probe.c); key_source.h holds the
 * contract. */
#include "service/access/key_source.h"

#include <stdlib.h>

#include "lib/container.h"
#include "lib/http_text.h"
#include "lib/log.h"
#include "lib/random.h"
#include "service/loop/loop.h"

enum {
	FETCH_LONGEST_US = 10000000, /* from the start of a fetch to its end */
	CONNECT_LONGEST_US = 5000000,
	RESOLVE_US = 30000000,    /* from one look-up of the host's name to the next */
	FIRST_RETRY_US = 1000000, /* after a failure, when there is no set yet */
	NOTES_MOST = 16 * 1024,   /* about keys that cannot be used */
	MAX_AGE_DIGITS = 9
};

struct key_source {
	struct key_sources *sources;
	size_t index; /* of its issuer */
	struct http_origin *origin;
	struct timer timer;     /* ends the fetch under way; without one, begins the next */
	struct http_call *call; /* NULL = none is under way */
	struct loop_message look;
	struct buf text; /* what has come of the set */
	uint64_t began_us;
	uint64_t due_us; /* when the next fetch begins, without a call */
	uint64_t age_us; /* as the answer's head allows */
	uint64_t retry_us;
	int status;
};

struct key_sources {
	struct key_sources_options options;
	bool stopped;
	size_t count;
	struct key_source list[];
};

static const struct config_issuer *issuer_of(const struct key_source *source)
{
	return &source->sources->options.config->auth.issuers[source->index];
}

static struct timers *timers_of(const struct key_source *source)
{
	return &loop_reactor(source->sources->options.loop)->timers;
}

static bool has_keys(const struct key_source *source)
{
	return issuers_generation(source->sources->options.issuers, source->index) != 0;
}

/* ---- how long ---- */

static bool read_seconds(struct span digits, uint64_t *seconds)
{
	*seconds = 0;
	for (size_t i = 0; i < digits.len && i < MAX_AGE_DIGITS; i++) {
		if (digits.at[i] < '0' || digits.at[i] > '9')
			return false;
		*seconds = *seconds * 10 + (uint64_t)(digits.at[i] - '0');
	}
	return digits.len > 0;
}

uint64_t key_source_age_us(struct span cache_control, uint64_t least_us, uint64_t most_us)
{
	static const char name[] = "max-age=";
	enum { NAME_LEN = sizeof(name) - 1 };
	uint64_t age_us = most_us, seconds;
	struct span rest = cache_control;
	while (rest.at != NULL) {
		struct span directive = http_take(&rest, ',');
		struct span start = {directive.at, directive.len < NAME_LEN ? directive.len : NAME_LEN};
		if (http_is_word(directive, "no-store") || http_is_word(directive, "no-cache"))
			return least_us;
		if (http_is_word(start, name) &&
		    read_seconds((struct span){directive.at + NAME_LEN, directive.len - NAME_LEN}, &seconds))
			age_us = seconds * 1000000;
	}
	return age_us < least_us ? least_us : age_us > most_us ? most_us : age_us;
}

/* Half a tenth more or less, so that replicas do not ask at once. */
static uint64_t spread(uint64_t delay_us)
{
	return delay_us - delay_us / 20 + random_u64() % (delay_us / 10 + 1);
}

/* ---- fetches ---- */

static void on_due(struct timer *timer);

/* Without memory for a timer the present keys stay, until a token names an unknown one. */
static void plan(struct key_source *source, uint64_t due_us)
{
	uint64_t now_us = timers_now(timers_of(source));
	source->due_us = due_us;
	timer_start(timers_of(source), &source->timer, due_us > now_us ? due_us - now_us : 0, on_due);
}

static void end_call(struct key_source *source)
{
	if (source->call != NULL)
		http_call_cancel(source->call);
	source->call = NULL;
}

static void log_outcome(const struct key_source *source, enum log_level level, const char *message, const char *key,
			struct span text)
{
	struct log_line line;
	log_begin(&line, level, message);
	log_str(&line, "issuer", span_of(issuer_of(source)->name));
	log_str(&line, "url", span_of(issuer_of(source)->jwks));
	if (text.len > 0)
		log_str(&line, key, text);
	if (source->status != 0)
		log_int(&line, "status", source->status);
	log_end(&line);
}

/* The call is over, or cancelled by end_call(). why: may point into what came. */
static void fail(struct key_source *source, struct span why)
{
	uint64_t least_us = issuer_of(source)->refresh_least_us;
	uint64_t retry_us = has_keys(source) || source->retry_us > least_us ? least_us : source->retry_us;
	source->retry_us = retry_us * 2;
	log_outcome(source, LOG_WARN, "keys of an issuer were not fetched", "error", why);
	buf_fini(&source->text);
	plan(source, source->began_us + spread(retry_us) + (has_keys(source) ? retry_us / 20 : 0));
}

static void succeed(struct key_source *source)
{
	struct buf notes;
	buf_init(&notes, NOTES_MOST);
	struct jwk_set *set = jwk_set_read(buf_span(&source->text), &notes);
	if (set == NULL) {
		fail(source, buf_span(&notes));
	} else {
		source->retry_us = FIRST_RETRY_US;
		log_outcome(source, buf_len(&notes) > 0 || !has_keys(source) ? LOG_INFO : LOG_DEBUG,
			    "keys of an issuer were fetched", "unusable", buf_span(&notes));
		issuers_replace(source->sources->options.issuers, source->index, set);
		buf_fini(&source->text);
		uint64_t least_us = issuer_of(source)->refresh_least_us, age_us = spread(source->age_us);
		plan(source, source->began_us + (age_us < least_us ? least_us : age_us));
	}
	buf_fini(&notes);
}

static void on_head(void *context, const struct http_head *head)
{
	struct key_source *source = context;
	const struct config_issuer *issuer = issuer_of(source);
	source->status = head->status;
	source->age_us = key_source_age_us(head->cache_control, issuer->refresh_least_us, issuer->refresh_us);
}

static void on_body(void *context, struct span bytes)
{
	struct key_source *source = context;
	if (buf_append(&source->text, bytes))
		return;
	end_call(source);
	fail(source, SPAN("the answer is larger than 256 KiB"));
}

static void on_done(void *context, const struct http_call_result *result)
{
	struct key_source *source = context;
	source->call = NULL;
	if (result->error != ERROR_NONE)
		fail(source, span_of(result->detail == NULL ? error_row(result->error)->text : result->detail));
	else if (source->status != 200)
		fail(source, SPAN("the status is not 200"));
	else
		succeed(source);
}

static void fetch(struct key_source *source)
{
	static const struct http_call_ops ops = {.on_head = on_head, .on_body = on_body, .on_done = on_done};
	struct http_call_request request = {.path = "", .get = true};
	source->began_us = timers_now(timers_of(source));
	source->status = 0;
	buf_init(&source->text, JWK_SET_BYTES_MAX);
	timer_start(timers_of(source), &source->timer, FETCH_LONGEST_US, on_due);
	source->call = http_call_start(source->origin, &request, &ops, source);
	if (source->call == NULL)
		fail(source, SPAN("out of memory"));
}

static void on_due(struct timer *timer)
{
	struct key_source *source = container_of(timer, struct key_source, timer);
	if (source->call == NULL) {
		fetch(source);
		return;
	}
	end_call(source);
	fail(source, SPAN("the answer was not complete within 10 s"));
}

/* ---- wishes ---- */

/* A fetch that is under way brings what there is; a new one waits until refresh_least has passed since the last. */
static void on_look(struct loop_message *message)
{
	struct key_source *source = container_of(message, struct key_source, look);
	issuers_looked(source->sources->options.issuers, source->index);
	if (source->call != NULL || source->sources->stopped)
		return;
	uint64_t soon_us = source->began_us + issuer_of(source)->refresh_least_us;
	if (soon_us < source->due_us)
		plan(source, soon_us);
}

/* Issuers with a file have no source. */
static void on_want(void *context, size_t index)
{
	struct key_sources *sources = context;
	for (size_t i = 0; i < sources->count; i++)
		if (sources->list[i].index == index)
			loop_post(sources->options.loop, &sources->list[i].look);
}

/* ---- lives ---- */

static bool open_source(struct key_source *source, struct key_sources *sources, size_t index, struct buf *errors)
{
	const struct config *config = sources->options.config;
	const struct config_issuer *issuer = &config->auth.issuers[index];
	const char *why = "out of memory";
	struct http_origin_options options = {.url = issuer->jwks,
					      .ca_file = issuer->ca,
					      .connect_timeout_us = CONNECT_LONGEST_US,
					      .resolve_us = RESOLVE_US};
	*source = (struct key_source){
	    .sources = sources, .index = index, .look = {.run = on_look}, .retry_us = FIRST_RETRY_US};
	buf_init(&source->text, JWK_SET_BYTES_MAX);
	source->origin = http_origin_create(sources->options.client, &options, &why);
	if (source->origin == NULL)
		buf_printf(errors, "%s:%u: auth.jwt.%s.jwks: %s\n", config->file, issuer->line, issuer->name, why);
	return source->origin != NULL;
}

struct key_sources *key_sources_create(const struct key_sources_options *options, struct buf *errors)
{
	const struct config_auth *auth = &options->config->auth;
	struct key_sources *sources = calloc(1, sizeof(*sources) + auth->issuer_count * sizeof(sources->list[0]));
	bool good = true;
	if (sources == NULL)
		return NULL;
	sources->options = *options;
	for (size_t i = 0; i < auth->issuer_count; i++)
		if (auth->issuers[i].jwks != NULL)
			good = open_source(&sources->list[sources->count++], sources, i, errors) && good;
	if (!good) {
		key_sources_destroy(sources);
		return NULL;
	}
	for (size_t i = 0; i < sources->count; i++)
		plan(&sources->list[i], 0);
	issuers_set_fetcher(options->issuers, (struct issuers_fetcher){on_want, sources});
	return sources;
}

void key_sources_stop(struct key_sources *sources)
{
	if (sources == NULL || sources->stopped)
		return;
	sources->stopped = true;
	issuers_set_fetcher(sources->options.issuers, (struct issuers_fetcher){NULL, NULL});
	for (size_t i = 0; i < sources->count; i++) {
		timer_stop(timers_of(&sources->list[i]), &sources->list[i].timer);
		end_call(&sources->list[i]);
	}
}

void key_sources_destroy(struct key_sources *sources)
{
	if (sources == NULL)
		return;
	key_sources_stop(sources);
	for (size_t i = 0; i < sources->count; i++) {
		buf_fini(&sources->list[i].text);
		if (sources->list[i].origin != NULL)
			http_origin_destroy(sources->list[i].origin);
	}
	free(sources);
}
