/* SPDX-License-Identifier: MIT */
/* Reads secrets again and says what came of it; secret_renewal.h holds the contract. */
#include "service/secret_renewal.h"

#include <string.h>

#include "config/secrets.h"
#include "lib/buf.h"
#include "lib/log.h"

enum { WHY_MAX = 1024 };

/* Appends the files that the value refers to: of what stands beside them, something may be secret. */
static void write_sources(struct span raw, struct buf *out)
{
	const char *end = raw.at + raw.len, *close;
	for (const char *at = raw.at; (at = memmem(at, (size_t)(end - at), "${", 2)) != NULL; at = close + 1) {
		struct span inside = {at + 2, (size_t)(end - at - 2)};
		close = memchr(at, '}', (size_t)(end - at));
		if (close == NULL)
			return;
		inside.len = (size_t)(close - inside.at);
		if (span_begins(inside, "file:") || span_begins(inside, "credential:"))
			buf_printf(out, "%s%.*s", buf_len(out) == 0 ? "" : ", ", SPAN_ARG(inside));
	}
}

static void log_change(const struct config_secret *secret, enum config_secret_change change, const struct buf *why)
{
	static const struct {
		enum log_level level;
		const char *message;
	} rows[] = {
	    [CONFIG_SECRET_NEW] = {LOG_INFO, "a secret was replaced"},
	    [CONFIG_SECRET_FIXED] = {LOG_ERROR, "a secret was not replaced"},
	    [CONFIG_SECRET_BAD] = {LOG_ERROR, "a secret was not replaced"},
	};
	struct log_line line;
	struct buf sources;
	if (change == CONFIG_SECRET_SAME)
		return;
	buf_init(&sources, WHY_MAX);
	write_sources(secret->raw, &sources);
	log_begin(&line, rows[change].level, rows[change].message);
	log_str(&line, "config_key", span_of(secret->place));
	if (change != CONFIG_SECRET_NEW)
		log_str(&line, "source", buf_span(&sources));
	if (change == CONFIG_SECRET_FIXED)
		log_str(&line, "error",
			SPAN("no key would be good under another pepper; make new keys, and start anew"));
	else if (change == CONFIG_SECRET_BAD)
		log_str(&line, "error", buf_span(why));
	log_end(&line);
	buf_fini(&sources);
}

void secret_renewal_run(const struct config *config)
{
	int64_t counts[CONFIG_SECRET_BAD + 1] = {0};
	struct log_line line;
	if (!config_secrets_may_change(config))
		return;
	for (const struct config_secret *at = config->secrets; at != NULL; at = at->next) {
		struct buf why;
		if (at->raw.at == NULL)
			continue;
		buf_init(&why, WHY_MAX);
		enum config_secret_change change = config_secret_read(at, &why);
		log_change(at, change, &why);
		counts[change]++;
		buf_fini(&why);
	}
	log_begin(&line, LOG_INFO, "secrets were read again");
	log_int(&line, "replaced", counts[CONFIG_SECRET_NEW]);
	log_int(&line, "unchanged", counts[CONFIG_SECRET_SAME]);
	log_int(&line, "refused", counts[CONFIG_SECRET_FIXED] + counts[CONFIG_SECRET_BAD]);
	log_end(&line);
}
