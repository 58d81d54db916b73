/* SPDX-License-Identifier: MIT */
/* Rates and a number out of a JSON object; key_limits.h holds the contract. */
#include "service/access/key_limits.h"

#include "config/quota_values.h"

enum { CONCURRENT_MOST = 1000000 };

static bool refuse(struct key_limits_wrong *wrong, const char *member, int index, uint32_t node, const char *expected)
{
	*wrong = (struct key_limits_wrong){.member = member, .index = index, .node = node, .expected = expected};
	return false;
}

static bool read_rate(const struct json *json, uint32_t node, enum quota_unit unit, struct arena *arena,
		      struct config_rate *rate)
{
	const void *made = NULL;
	if (json_type(json, node) != JSON_STRING)
		return false;
	struct span text = json_string(json, node, arena);
	bool read =
	    unit == QUOTA_SPEND ? quota_value_spending(arena, text, &made) : quota_value_rate(arena, text, &made);
	if (read)
		*rate = *(const struct config_rate *)made;
	return read;
}

static const char *expected_of(enum quota_unit unit)
{
	return unit == QUOTA_SPEND ? "dollars, a slash and second, minute, hour, day or month, such as \"5.50/day\""
				   : "a number from 1, a slash and second, minute, hour, day or month, such as "
				     "\"60/minute\"";
}

/* One rate, or a list of them. */
static bool read_unit(const struct json *json, uint32_t value, enum quota_unit unit, struct arena *arena,
		      struct config_rates *rates, struct key_limits_wrong *wrong)
{
	bool list = json_type(json, value) == JSON_ARRAY;
	size_t count = list ? json->nodes[value].count : 1;
	struct config_rate *made = arena_zalloc(arena, count + 1, sizeof(*made));
	if (made == NULL)
		return refuse(wrong, quota_unit_name(unit), -1, JSON_NONE, NULL);
	uint32_t at = list ? json_first(json, value) : value;
	for (size_t i = 0; i < count; i++, at = list ? json_next(json, value, at) : JSON_NONE) {
		if (!read_rate(json, at, unit, arena, &made[i]))
			return refuse(wrong, quota_unit_name(unit), list ? (int)i : -1, at, expected_of(unit));
		if (quota_repeats_window(made, i + 1))
			return refuse(wrong, quota_unit_name(unit), (int)i, at, "one limit for each window");
	}
	*rates = (struct config_rates){.list = made, .count = count};
	return true;
}

static uint32_t value_of(const struct json *json, uint32_t object, const char *name)
{
	uint32_t node = json_member(json, object, name);
	return node == JSON_NONE || json_type(json, node) == JSON_NULL ? JSON_NONE : node;
}

static bool is_known(const struct json *json, uint32_t key)
{
	bool known = json_string_is(json, key, "concurrent");
	for (int unit = 0; unit < QUOTA_UNITS; unit++)
		known = known || json_string_is(json, key, quota_unit_name((enum quota_unit)unit));
	return known;
}

/* A limit that is not known might be kept by nobody. */
static bool check_members(const struct json *json, uint32_t object, struct arena *arena, struct key_limits_wrong *wrong)
{
	for (uint32_t at = json_first(json, object); at != JSON_NONE; at = json_next(json, object, at)) {
		if (is_known(json, at))
			continue;
		const char *name = arena_copy(arena, json_string(json, at, arena)).at;
		return refuse(wrong, name, -1, name == NULL ? JSON_NONE : at + 1,
			      "one of requests, tokens, input_tokens, output_tokens, spend and concurrent");
	}
	return true;
}

bool key_limits_read(const struct json *json, uint32_t object, struct arena *arena, struct config_quota *limits,
		     struct key_limits_wrong *wrong)
{
	int64_t concurrent = 0;
	if (!check_members(json, object, arena, wrong))
		return false;
	for (int unit = 0; unit < QUOTA_UNITS; unit++) {
		uint32_t value = value_of(json, object, quota_unit_name((enum quota_unit)unit));
		if (value != JSON_NONE &&
		    !read_unit(json, value, (enum quota_unit)unit, arena, &limits->rates[unit], wrong))
			return false;
	}
	uint32_t value = value_of(json, object, "concurrent");
	if (value == JSON_NONE)
		return true;
	if (!json_int(json, value, &concurrent) || concurrent < 1 || concurrent > CONCURRENT_MOST)
		return refuse(wrong, "concurrent", -1, value, "an integer between 1 and 1000000");
	limits->concurrent = (unsigned)concurrent;
	return true;
}
