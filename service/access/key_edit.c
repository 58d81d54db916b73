/* SPDX-License-Identifier: MIT */
/* Bodies by their field tables, then what no table can say; key_edit.h holds the contract. */
#include "service/access/key_edit.h"

#include <stdio.h>

#include "config/key_values.h"
#include "lib/json_write.h"
#include "schemas/admin_fields.h"
#include "schemas/field_message.h"
#include "schemas/finding_json.h"
#include "service/access/key_limits.h"

enum { LABELS_MOST = 32, SHOWN_MOST = 64 };

/* A body that has the form of its table. into: the table's struct, or NULL. */
static bool read_body(const struct key_edit *edit, const struct field_table *table, struct json *json, void *into)
{
	struct json_error error;
	edit->findings->count = 0;
	if (edit->body.len > KEY_EDIT_BODY_MAX) {
		struct span message = arena_printf(edit->arena, "The request body of a key may have at most %d bytes.",
						   KEY_EDIT_BODY_MAX);
		finding_only(edit->findings, (struct finding){.code = ERROR_BODY_TOO_LARGE, .message = message});
		return false;
	}
	if (!json_parse_within(json, edit->arena, edit->body, edit->limits, &error)) {
		finding_of_json(edit->findings, edit->arena, json, &error, edit->limits);
		return false;
	}
	return field_read(json, table, "body", edit->arena, into, edit->findings);
}

/* ---- what no table can say ---- */

/* value: the node that is wrong, at that place. */
static void refuse(const struct key_edit *edit, const struct json *json, const struct field_place *place,
		   uint32_t value, const char *expected)
{
	struct finding *finding = finding_add(edit->findings);
	struct span raw = json_raw(json, value);
	if (finding == NULL)
		return;
	struct span path = field_path(edit->arena, place);
	*finding =
	    (struct finding){.code = ERROR_INVALID_VALUE,
			     .param = path,
			     .loc = field_location(edit->arena, "body", place),
			     .input = field_input(edit->arena, json, value),
			     .message = json_type(json, value) == JSON_STRING && raw.len <= SHOWN_MOST
					    ? arena_printf(edit->arena, "%.*s must be %s; got %.*s", SPAN_ARG(path),
							   expected, SPAN_ARG(raw))
					    : arena_printf(edit->arena, "%.*s must be %s", SPAN_ARG(path), expected)};
}

static void refuse_member(const struct key_edit *edit, const struct json *json, const char *name, uint32_t value,
			  const char *expected)
{
	struct field_place place = {.name = span_of(name)};
	refuse(edit, json, &place, value, expected);
}

/* The member's value; JSON_NONE when it is absent or null. */
static uint32_t value_of(const struct json *json, const char *name)
{
	uint32_t node = json_member(json, 0, name);
	return node == JSON_NONE || json_type(json, node) == JSON_NULL ? JSON_NONE : node;
}

static void check_networks(const struct key_edit *edit, const struct json *json)
{
	uint32_t list = value_of(json, "networks");
	const void *made;
	struct field_place outer = {.name = SPAN("networks")}, place = {.around = &outer};
	for (uint32_t at = list == JSON_NONE ? JSON_NONE : json_first(json, list); at != JSON_NONE;
	     at = json_next(json, list, at), place.index++)
		if (!key_value_network(edit->arena, json_string(json, at, edit->arena), &made))
			refuse(edit, json, &place, at,
			       "an address or a network whose other bits are 0, such as 192.0.2.7, 10.0.0.0/8 or "
			       "fd00::/8");
}

static void check_limits(const struct key_edit *edit, const struct json *json)
{
	uint32_t limits = value_of(json, "limits");
	struct config_quota read = {.concurrent = 0};
	struct key_limits_wrong wrong;
	if (limits == JSON_NONE || key_limits_read(json, limits, edit->arena, &read, &wrong))
		return;
	if (wrong.node == JSON_NONE) {
		finding_only(edit->findings, (struct finding){.code = ERROR_OVERLOADED});
		return;
	}
	struct field_place outer = {.name = SPAN("limits")};
	struct field_place member = {.around = &outer, .name = span_of(wrong.member)};
	struct field_place element = {.around = &member, .index = wrong.index < 0 ? 0 : (uint32_t)wrong.index};
	refuse(edit, json, wrong.index < 0 ? &member : &element, wrong.node, wrong.expected);
}

static bool check_values(const struct key_edit *edit, const struct json *json)
{
	uint32_t tenant = value_of(json, "tenant"), expires = value_of(json, "expires"),
		 labels = value_of(json, "labels");
	const char *path;
	uint64_t seconds;
	if (tenant != JSON_NONE && !key_value_tenant(edit->arena, json_string(json, tenant, edit->arena), &path))
		refuse_member(
		    edit, json, "tenant", tenant,
		    "one to three names by slashes, each of at most 64 letters, digits, \".\", \"_\" and \"-\"");
	check_networks(edit, json);
	if (expires != JSON_NONE && !key_value_time(json_string(json, expires, edit->arena), &seconds))
		refuse_member(edit, json, "expires", expires,
			      "a day or a time in UTC, such as 2035-12-31 or 2035-12-31T12:00:00Z");
	if (labels != JSON_NONE && json->nodes[labels].count > LABELS_MOST)
		refuse_member(edit, json, "labels", labels, "an object of at most 32 members");
	check_limits(edit, json);
	return edit->findings->count == 0;
}

/* ---- from the body into the record ---- */

/* Returns whether the body names the member; *node is then its value, JSON_NONE for null. */
static bool names(const struct json *json, const char *name, uint32_t *node)
{
	*node = value_of(json, name);
	return json_member(json, 0, name) != JSON_NONE;
}

static void take_string(const struct key_edit *edit, const struct json *json, const char *name, struct span *into)
{
	uint32_t node;
	if (names(json, name, &node))
		*into = node == JSON_NONE ? (struct span){NULL, 0} : json_string(json, node, edit->arena);
}

/* An object without members, and an array of none, are as if they were not there. */
static void take_json(const struct json *json, const char *name, struct span *into)
{
	uint32_t node;
	if (names(json, name, &node))
		*into =
		    node == JSON_NONE || json->nodes[node].count == 0 ? (struct span){NULL, 0} : json_raw(json, node);
}

static void take_members(const struct key_edit *edit, const struct json *json, struct key_record *record)
{
	uint32_t node;
	take_string(edit, json, "name", &record->name);
	take_string(edit, json, "tenant", &record->tenant);
	take_string(edit, json, "expires", &record->expires);
	take_json(json, "models", &record->models);
	take_json(json, "endpoints", &record->endpoints);
	take_json(json, "networks", &record->networks);
	take_json(json, "labels", &record->labels);
	take_json(json, "limits", &record->limits);
	if (names(json, "admin", &node))
		record->admin = node != JSON_NONE && json_type(json, node) == JSON_TRUE;
}

bool key_edit_create(const struct key_edit *edit, struct key_record *record)
{
	struct json json;
	if (!read_body(edit, &key_create_fields, &json, NULL) || !check_values(edit, &json))
		return false;
	take_members(edit, &json, record);
	return true;
}

bool key_edit_change(const struct key_edit *edit, struct key_record *record)
{
	struct json json;
	struct span name = record->name;
	uint32_t state;
	if (!read_body(edit, &key_change_fields, &json, NULL) || !check_values(edit, &json))
		return false;
	take_members(edit, &json, record);
	if (record->name.at == NULL) /* a key has one in any case */
		record->name = name;
	if (names(&json, "state", &state))
		record->state = state != JSON_NONE && json_string_is(&json, state, "revoked") ? CONFIG_KEY_REVOKED
											      : CONFIG_KEY_ACTIVE;
	return true;
}

bool key_edit_rotate(const struct key_edit *edit, uint64_t *overlap_s)
{
	struct json json;
	struct key_rotate body;
	struct key_edit own = *edit;
	if (own.body.len == 0)
		own.body = SPAN("{}");
	if (!read_body(&own, &key_rotate_fields, &json, &body))
		return false;
	*overlap_s = (uint64_t)body.overlap.value;
	return true;
}
