/* SPDX-License-Identifier: MIT */
/* Merging of settings; settings.h holds the order. */
#include "tools/sim/settings.h"

#include <stdio.h>

static const char prefix[] = "x-sim-";
enum { PREFIX_LEN = sizeof prefix - 1, NAME_MOST = 32 };

/* A header x-sim-NAME; others are none of ours. */
static bool header_parse(struct knobs *knobs, const struct http_header *header, struct knobs_error *error)
{
	char name[NAME_MOST];
	size_t len = header->name.len - PREFIX_LEN;
	if (header->name.len <= PREFIX_LEN || len >= sizeof name ||
	    !http_name_is((struct span){header->name.at, PREFIX_LEN}, prefix))
		return true;
	for (size_t i = 0; i < len; i++) {
		char c = header->name.at[PREFIX_LEN + i];
		name[i] = c == '-' ? '_' : c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	struct span key = {name, len};
	if (span_is(key, "fault"))
		return knobs_parse(knobs, header->value, error);
	enum knob knob = knobs_find(key);
	if (knob != KNOB_COUNT_OF)
		return knobs_set(knobs, knob, header->value, error);
	snprintf(error->what, sizeof error->what, "x-sim-%.*s: expected a setting of `--help knobs`", SPAN_ARG(key));
	return false;
}

/* Adds the standing fault, as long as its `times` last. */
static void add_standing(struct knobs *knobs, struct sim *sim, bool counts)
{
	struct knobs standing = sim->standing.knobs;
	if (counts)
		sim->standing.calls++;
	if (sim->standing.calls > knobs_get(&standing, KNOB_TIMES, UINT64_MAX))
		knobs_clear_fault(&standing);
	knobs_inherit(knobs, &standing);
}

bool settings_of_call(struct knobs *knobs, struct sim *sim, const struct ask *ask, const struct http_request *request,
		      uint64_t attempt, struct knobs_error *error)
{
	struct knobs named = {.set = 0};
	*knobs = (struct knobs){.set = 0};
	if (!knobs_parse(&named, ask->list, error))
		return false;
	for (size_t i = 0; i < request->header_count; i++)
		if (!header_parse(knobs, &request->headers[i], error))
			return false;
	knobs_inherit(knobs, &named);
	if (attempt > knobs_get(knobs, KNOB_TIMES, UINT64_MAX))
		knobs_clear_fault(knobs);
	add_standing(knobs, sim, attempt > 0);
	bool tokens_asked = knobs_has(knobs, KNOB_TOKENS);
	knobs_inherit(knobs, &sim->options.defaults);
	if (span_is(ask->name, "echo") && !tokens_asked)
		knobs->set &= ~(UINT32_C(1) << KNOB_TOKENS); /* an echo is as long as its prompt */
	return true;
}

void settings_of_probe(struct knobs *knobs, struct sim *sim)
{
	*knobs = (struct knobs){.set = 0};
	if (sim->standing.probes)
		add_standing(knobs, sim, true);
	knobs_inherit(knobs, &(struct knobs){.set = 0});
}
