/* SPDX-License-Identifier: MIT */
/* Follows the members on the way to a choice's failure; anything else is PLACE_OTHER or NAME_OTHER. */
#include "schemas/openai/failure_scan.h"

#include <string.h>

#include "lib/container.h"
#include "lib/hex.h"
#include "schemas/failure_rules.h"

enum place { PLACE_OTHER, PLACE_DOCUMENT, PLACE_TOP, PLACE_CHOICES, PLACE_CHOICE, PLACE_MESSAGE };
enum name { NAME_OTHER, NAME_CHOICES, NAME_MESSAGE, NAME_FINISH, NAME_ERROR };

static const struct {
	enum place within;
	enum name name;
	const char *text;
} names[] = {
    {PLACE_TOP, NAME_ERROR, "error"},        {PLACE_TOP, NAME_CHOICES, "choices"},
    {PLACE_CHOICE, NAME_ERROR, "error"},     {PLACE_CHOICE, NAME_FINISH, "finish_reason"},
    {PLACE_CHOICE, NAME_MESSAGE, "message"}, {PLACE_CHOICE, NAME_MESSAGE, "delta"},
    {PLACE_MESSAGE, NAME_ERROR, "error"},
};

static enum place place_at(const struct openai_failure_scan *watch, unsigned depth)
{
	return depth <= OPENAI_WATCH_DEPTH ? (enum place)watch->places[depth] : PLACE_OTHER;
}

/* Reads the escape at text: *len is how long it is. Returns its byte, or 0 for one that no word looked for has. */
static char read_escape(struct span text, size_t *len)
{
	uint64_t unit = 0;
	*len = 6;
	if (text.len >= *len && text.at[1] == 'u' && hex_read((struct span){text.at + 2, 4}, &unit))
		return unit < 0x80 ? (char)unit : 0;
	*len = 2;
	return 0;
}

/* Returns the last string without its escapes; {NULL,0}: it is none of the words looked for. */
static struct span last_text(struct openai_failure_scan *watch)
{
	const struct json_scan *scan = &watch->scan;
	size_t used = 0, len = 1;
	if (scan->text_len > JSON_SCAN_STRING)
		return (struct span){NULL, 0};
	if (memchr(scan->text, '\\', scan->text_len) == NULL)
		return (struct span){scan->text, scan->text_len};
	for (size_t at = 0; at < scan->text_len; at += len) {
		struct span rest = {scan->text + at, scan->text_len - at};
		len = 1;
		char byte = *rest.at == '\\' ? read_escape(rest, &len) : *rest.at;
		if (byte == 0)
			return (struct span){NULL, 0};
		watch->plain[used++] = byte;
	}
	return (struct span){watch->plain, used};
}

/* Returns which member begins, by its name. Vectors of embeddings are called data; they cannot fail one by one. */
static enum name find_name(struct openai_failure_scan *watch)
{
	enum place place = place_at(watch, watch->scan.depth);
	struct span text = last_text(watch);
	if (place == PLACE_TOP && watch->endpoint == ENDPOINT_EMBEDDINGS && span_is(text, "data"))
		return NAME_CHOICES;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].within == place && span_is(text, names[i].text))
			return names[i].name;
	return NAME_OTHER;
}

/* Returns what the bracket that opens means. */
static enum place find_place(const struct openai_failure_scan *watch, bool object)
{
	switch (place_at(watch, watch->scan.depth)) {
	case PLACE_DOCUMENT:
		return object ? PLACE_TOP : PLACE_OTHER;
	case PLACE_TOP:
		return !object && watch->name == NAME_CHOICES ? PLACE_CHOICES : PLACE_OTHER;
	case PLACE_CHOICES:
		return object && watch->endpoint != ENDPOINT_EMBEDDINGS ? PLACE_CHOICE : PLACE_OTHER;
	case PLACE_CHOICE:
		return object && watch->name == NAME_MESSAGE ? PLACE_MESSAGE : PLACE_OTHER;
	default:
		return PLACE_OTHER;
	}
}

static void open_bracket(struct openai_failure_scan *watch, bool object)
{
	unsigned inside = watch->scan.depth + 1;
	watch->failed |= watch->name == NAME_ERROR; /* an object or a list is an error, whatever is in it */
	watch->choices |= place_at(watch, watch->scan.depth) == PLACE_CHOICES;
	if (inside <= OPENAI_WATCH_DEPTH)
		watch->places[inside] = (unsigned char)find_place(watch, object);
	watch->name = NAME_OTHER;
}

/* A string that is a member's value. */
static void take_text(struct openai_failure_scan *watch)
{
	if (watch->name == NAME_ERROR)
		watch->failed |= watch->scan.text_len > 0;
	else if (watch->name == NAME_FINISH)
		watch->failed |= failure_is_finish(last_text(watch));
	watch->name = NAME_OTHER;
}

/* An error is one unless it is null, false or zero. */
static void take_other(struct openai_failure_scan *watch)
{
	char first = watch->scan.first;
	watch->failed |= watch->name == NAME_ERROR && first != 'n' && first != 'f' && first != '0';
	watch->name = NAME_OTHER;
}

static void on_token(struct json_scan *scan, enum json_scan_token token)
{
	struct openai_failure_scan *watch = container_of(scan, struct openai_failure_scan, scan);
	switch (token) {
	case JSON_SCAN_OPEN_OBJECT:
	case JSON_SCAN_OPEN_ARRAY:
		open_bracket(watch, token == JSON_SCAN_OPEN_OBJECT);
		break;
	case JSON_SCAN_CLOSE:
		watch->name = NAME_OTHER;
		break;
	case JSON_SCAN_NAME:
		watch->name = (unsigned char)find_name(watch);
		break;
	case JSON_SCAN_TEXT:
		take_text(watch);
		break;
	case JSON_SCAN_OTHER:
		take_other(watch);
		break;
	}
}

void openai_failure_scan_init(struct openai_failure_scan *watch, enum endpoint endpoint)
{
	*watch = (struct openai_failure_scan){
	    .scan = {.on_token = on_token}, .endpoint = endpoint, .places = {[0] = PLACE_DOCUMENT}};
}

enum watch_step openai_failure_scan_add(struct openai_failure_scan *watch, struct span piece)
{
	if (!json_scan_add(&watch->scan, piece))
		return WATCH_BROKEN;
	return watch->failed ? WATCH_FAILED : WATCH_FINE;
}

enum watch_step openai_failure_scan_end(const struct openai_failure_scan *watch)
{
	if (!json_scan_is_whole(&watch->scan))
		return WATCH_CUT;
	return watch->choices && !watch->failed ? WATCH_FINE : WATCH_BROKEN;
}
