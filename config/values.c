/* SPDX-License-Identifier: MIT */
/* Parsers of scalars. Every refusal says what would have been right, with an example. */
#include "config/values.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "config/endpoint.h"
#include "config/key_values.h"
#include "config/quota_values.h"
#include "config/suggest.h"

struct value_unit {
	const char *name;
	uint64_t factor;
};

static const struct value_unit size_units[] = {
    {"", 1},           {"B", 1},          {"KB", 1000},      {"MB", 1000000}, {"GB", 1000000000},
    {"KiB", 1u << 10}, {"MiB", 1u << 20}, {"GiB", 1u << 30},
};

static const struct value_unit duration_units[] = {
    {"ms", 1000},
    {"s", 1000000},
    {"m", 60000000},
    {"h", 3600000000},
};

/* The digits at the front of *text, taken off it. */
static bool take_digits(struct span *text, uint64_t *number)
{
	size_t len = 0;
	*number = 0;
	for (; len < text->len && text->at[len] >= '0' && text->at[len] <= '9'; len++)
		if (__builtin_mul_overflow(*number, 10, number) ||
		    __builtin_add_overflow(*number, (uint64_t)(text->at[len] - '0'), number))
			return false;
	if (len == 0 || (len > 1 && text->at[0] == '0'))
		return false; /* a leading zero would mean octal to some readers of YAML */
	text->at += len;
	text->len -= len;
	return true;
}

static bool parse_with_unit(struct span text, const struct value_unit *units, size_t count, uint64_t *number)
{
	if (!take_digits(&text, number))
		return false;
	for (size_t i = 0; i < count; i++)
		if (span_is(text, units[i].name))
			return !__builtin_mul_overflow(*number, units[i].factor, number);
	return false;
}

bool value_parse_unsigned(struct span text, uint64_t *number)
{
	return take_digits(&text, number) && text.len == 0;
}

bool value_parse_size(struct span text, uint64_t *bytes)
{
	return parse_with_unit(text, size_units, sizeof(size_units) / sizeof(size_units[0]), bytes);
}

bool value_parse_duration(struct span text, uint64_t *microseconds)
{
	return parse_with_unit(text, duration_units, sizeof(duration_units) / sizeof(duration_units[0]), microseconds);
}

bool value_parse_percent(struct span text, uint64_t *percent)
{
	return take_digits(&text, percent) && span_is(text, "%");
}

bool value_is_name(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (!letter && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-')
			return false;
	}
	return text.len != 0 && text.len <= VALUE_NAME_MAX;
}

bool value_parse_bool(struct span text, bool *truth)
{
	*truth = span_is(text, "true");
	return *truth || span_is(text, "false");
}

static bool parse_number(enum key_type type, struct span text, uint64_t *number)
{
	if (type == KEY_SIZE)
		return value_parse_size(text, number);
	if (type == KEY_DURATION)
		return value_parse_duration(text, number);
	if (type == KEY_PERCENT)
		return value_parse_percent(text, number);
	return value_parse_unsigned(text, number);
}

static bool read_number(const struct key *key, struct span text, struct value *value, char expected[VALUE_EXPECTED_MAX])
{
	uint64_t least = 0;
	uint64_t most = UINT64_MAX;
	if (key->words != NULL && span_is(text, key->words)) {
		value->number = 0;
		return true;
	}
	if (!parse_number(key->type, text, &value->number))
		return false;
	if (key->least != NULL)
		parse_number(key->type, span_of(key->least), &least);
	if (key->most != NULL)
		parse_number(key->type, span_of(key->most), &most);
	if (value->number >= least && value->number <= most)
		return true;
	snprintf(expected, VALUE_EXPECTED_MAX, "%s%s%s from %s to %s", key->words == NULL ? "" : key->words,
		 key->words == NULL ? "" : " or ",
		 key->type == KEY_SIZE       ? "a size"
		 : key->type == KEY_DURATION ? "a duration"
		 : key->type == KEY_PERCENT  ? "a share"
					     : "a number",
		 key->least, key->most);
	return false;
}

/* "one of a, b, c" */
static size_t list_words(const struct key *key, char text[VALUE_EXPECTED_MAX])
{
	struct span word;
	size_t len = (size_t)snprintf(text, VALUE_EXPECTED_MAX, "one of");
	for (const char *at = key->words; key_next_word(&at, &word);)
		len += (size_t)snprintf(text + len, VALUE_EXPECTED_MAX - len, "%s %.*s",
					word.at == key->words ? "" : ",", SPAN_ARG(word));
	return len; /* the words are few and short: a test checks that all fits */
}

static bool read_word(struct arena *arena, const struct key *key, struct span text, struct value *value,
		      char expected[VALUE_EXPECTED_MAX])
{
	struct suggestion near = suggest(text);
	struct span word;
	value->number = 0;
	for (const char *at = key->words; key_next_word(&at, &word); value->number++) {
		if (span_equal(word, text)) {
			value->string = arena_copy(arena, word).at;
			return value->string != NULL;
		}
		suggest_offer(&near, word);
	}
	size_t len = list_words(key, expected);
	suggest_text(&near, expected + len);
	return false;
}

static bool read_name(struct arena *arena, struct span text, struct value *value)
{
	value->string = value_is_name(text) ? arena_copy(arena, text).at : NULL;
	return value->string != NULL;
}

/* A file that can be read now; an empty text is no file. */
static bool read_path(struct arena *arena, const struct key *key, struct span text, const char *directory,
		      struct value *value, char expected[VALUE_EXPECTED_MAX])
{
	value->string = NULL;
	if (text.len == 0)
		return (key->flags & KEY_REQUIRED) == 0;
	const char *path = arena_printf(arena, "%s%.*s", text.at[0] == '/' ? "" : directory, SPAN_ARG(text)).at;
	struct stat status;
	if (path == NULL)
		return false;
	if (stat(path, &status) != 0 || access(path, R_OK) != 0) {
		snprintf(expected, VALUE_EXPECTED_MAX, "the path of a readable file (%s)", strerror(errno));
		return false;
	}
	if (!S_ISREG(status.st_mode))
		return false;
	value->string = path;
	return true;
}

/* It need not be there yet. */
static bool read_socket(struct arena *arena, struct span text, const char *directory, struct value *value)
{
	value->string = NULL;
	if (text.len == 0)
		return true;
	struct span path = arena_printf(arena, "%s%.*s", text.at[0] == '/' ? "" : directory, SPAN_ARG(text));
	/* hiredis ends the path of a socket address only when it is shorter than that */
	if (path.at == NULL || path.len + 1 >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return false;
	value->string = path.at;
	return true;
}

/* An address, "unix:" and a path, or the word that turns the listener off. */
static bool read_listener(struct arena *arena, const struct key *key, struct span text, const char *directory,
			  struct value *value)
{
	static const char scheme[] = "unix:";
	enum { SCHEME_LEN = sizeof(scheme) - 1 };
	struct value path;
	if (key->words != NULL && span_is(text, key->words))
		return true;
	if (text.len <= SCHEME_LEN || memcmp(text.at, scheme, SCHEME_LEN) != 0)
		return endpoint_parse_address(arena, text, &value->string, &value->port);
	struct span rest = {text.at + SCHEME_LEN, text.len - SCHEME_LEN};
	if (!read_socket(arena, rest, directory, &path))
		return false;
	value->socket = path.string;
	return true;
}

/* It goes into a header field: visible ASCII only. */
bool value_is_secret(struct span text)
{
	bool visible = true;
	for (size_t i = 0; visible && i < text.len; i++)
		visible = text.at[i] > ' ' && text.at[i] < 0x7f;
	return visible;
}

static bool read_secret(struct arena *arena, struct span text, struct value *value)
{
	if (!value_is_secret(text))
		return false;
	value->string = text.len == 0 ? NULL : arena_copy(arena, text).at;
	return text.len == 0 || value->string != NULL;
}

/* It is compared with what tokens say. */
static bool read_text(struct arena *arena, const struct key *key, struct span text, struct value *value)
{
	if (key->words != NULL && span_is(text, key->words))
		return true;
	return text.len > 0 && text.len <= VALUE_TEXT_MAX && read_secret(arena, text, value);
}

static const char *type_expected(enum key_type type)
{
	switch (type) {
	case KEY_SECTION:
		return "a mapping of keys to values";
	case KEY_CERTIFICATES:
		return "a mapping of certificate and key, or a list of such mappings";
	case KEY_LISTENERS:
		return "a list such as [\"127.0.0.1:8080\"]";
	case KEY_BACKENDS:
		return "a mapping of names to backends, such as local: {url: \"http://127.0.0.1:8000/v1\"}";
	case KEY_KEYS:
		return "a mapping of names to keys, as `sluice keys create` prints them";
	case KEY_QUOTAS:
		return "a mapping of names to quotas, such as team: {tenant: acme, tokens: 100000/minute}";
	case KEY_SHARES:
		return "a mapping of tenants to shares, such as acme/search: 40%";
	case KEY_TENANTS:
		return "a mapping of tenants to what they have, such as acme/search: {weight: 3}";
	case KEY_PRICES:
		return "a mapping of targets to prices, such as openai/gpt-4o: {input: 2.50, output: 10}";
	case KEY_ISSUERS:
		return "a mapping of names to issuers of tokens, such as corp: {issuer: \"https://id.example.com\", "
		       "audience: sluice, jwks: \"https://id.example.com/jwks\"}";
	case KEY_CACHE_MODELS:
		return "a mapping of models' names to what differs for them, such as small: {policy: off}";
	case KEY_MODELS:
		return "a mapping of names to plans, such as small: local/llama-3-8b";
	case KEY_PLAN:
		return "a target such as backend/model, or one combinator such as fallback: [a/model, b/model]";
	case KEY_BOOL:
		return "true or false";
	case KEY_UNSIGNED:
		return "a number such as 64";
	case KEY_SIZE:
		return "a size such as 4MiB, 512KiB or 1048576";
	case KEY_DURATION:
		return "a duration such as 250ms, 2s, 10m or 1h";
	case KEY_PERCENT:
		return "a share such as 5%";
	case KEY_NUMBERS:
		return "a list of numbers such as [3, 1]";
	case KEY_KINDS:
		return "a kind of failure such as rate_limit, or a list of them";
	case KEY_ENUM:
	case KEY_WORD:
	case KEY_WORDS:
		return "one of some words"; /* value_expected lists them */
	case KEY_NAME:
		return "1 to 64 letters, digits, \".\", \"_\" and \"-\"";
	case KEY_TEXT:
		return "1 to 256 visible ASCII characters without spaces";
	case KEY_TEXTS:
		return "1 to 256 visible ASCII characters without spaces, or a list of such texts";
	case KEY_PATH:
		return "the path of a readable file";
	case KEY_SECRET:
		return "visible ASCII characters without spaces";
	case KEY_URL:
		return "an http:// or https:// URL without user, query and fragment, such as "
		       "http://127.0.0.1:8000/v1";
	case KEY_URL_PATH:
		return "a path that begins with a slash, such as /health, without query and fragment";
	case KEY_ADDRESS:
		return "an address with port, such as 127.0.0.1:8080 or \"[::1]:8080\"";
	case KEY_LISTENER:
		return "an address with port, such as 127.0.0.1:9090, or unix: and the path of a socket, at most 106 "
		       "bytes "
		       "long";
	case KEY_FILE:
		return "the path of a file";
	case KEY_SOCKET:
		return "the path of a unix socket, at most 106 bytes long";
	case KEY_HASH:
		return "an id, a colon and 64 hex digits, as `sluice keys create` prints them";
	case KEY_TENANT:
		return "one to three names by slashes, such as acme/search/crawler, each of at most 64 letters, "
		       "digits, "
		       "\".\", \"_\" and \"-\"";
	case KEY_PATTERNS:
		return "a model's name of at most 256 bytes, in which * stands for any characters, such as gpt-*, or a "
		       "list of "
		       "them";
	case KEY_NETWORKS:
		return "an address or a network such as 10.0.0.0/8 or \"fd00::/8\", without bits behind its length, or "
		       "a "
		       "list of them";
	case KEY_TIME:
		return "a time in UTC such as 2027-01-31 or 2027-01-31T12:00:00Z";
	case KEY_RATES:
		return "a number, a slash and second, minute, hour, day or month, such as 60/minute, or a list of them";
	case KEY_SPENDING:
		return "dollars, a slash and second, minute, hour, day or month, such as 5.50/day, or a list of them";
	case KEY_MONEY:
		return "dollars such as 2.50, with at most 9 digits after the point";
	case KEY_SERVERS:
		return "an address with port, such as 127.0.0.1:6379 or \"[::1]:6379\", or a list of them";
	case KEY_HOSTS:
		return "a host such as gateway.example.com, without a port, or \"*\"";
	case KEY_ORIGINS:
		return "an origin such as https://app.example.com or http://localhost:3000, without a path, or \"*\"";
	}
	return "";
}

const char *value_expected(const struct key *key, char text[VALUE_EXPECTED_MAX])
{
	bool word = key->words != NULL;
	if (key->type == KEY_ENUM || key->type == KEY_WORD || key->type == KEY_WORDS)
		list_words(key, text);
	else
		snprintf(text, VALUE_EXPECTED_MAX, "%s%s%s", word ? key->words : "", word ? " or " : "",
			 type_expected(key->type));
	return text;
}

bool value_read(struct arena *arena, const struct key *key, struct span text, const char *directory,
		struct value *value, char expected[VALUE_EXPECTED_MAX])
{
	*value = (struct value){.number = 0};
	value_expected(key, expected);
	switch (key->type) {
	case KEY_BOOL:
		return value_parse_bool(text, &value->truth);
	case KEY_UNSIGNED:
	case KEY_SIZE:
	case KEY_DURATION:
	case KEY_PERCENT:
		return read_number(key, text, value, expected);
	case KEY_NAME:
		return read_name(arena, text, value);
	case KEY_ENUM:
	case KEY_WORD:
	case KEY_WORDS: /* one of them */
		return read_word(arena, key, text, value, expected);
	case KEY_TEXT:
	case KEY_TEXTS: /* one of them */
		return read_text(arena, key, text, value);
	case KEY_PATH:
		return read_path(arena, key, text, directory, value, expected);
	case KEY_SECRET:
		return read_secret(arena, text, value);
	case KEY_URL:
		return endpoint_parse_url(arena, text, &value->string);
	case KEY_URL_PATH:
		return text.len == 0 || endpoint_parse_path(arena, text, &value->string);
	case KEY_ADDRESS:
		return endpoint_parse_address(arena, text, &value->string, &value->port);
	case KEY_LISTENER:
		return read_listener(arena, key, text, directory, value);
	case KEY_FILE:
		value->string =
		    text.len == 0
			? NULL
			: arena_printf(arena, "%s%.*s", text.at[0] == '/' ? "" : directory, SPAN_ARG(text)).at;
		return text.len == 0 || value->string != NULL;
	case KEY_SOCKET:
		return read_socket(arena, text, directory, value);
	case KEY_SERVERS: /* one of them */
		return endpoint_parse_address(arena, text, &value->string, &value->port) &&
		       !span_is(span_of(value->port), "0");
	case KEY_HOSTS: /* one of them */
		return endpoint_parse_host(arena, text, &value->string);
	case KEY_ORIGINS: /* one of them */
		return endpoint_parse_origin(arena, text, &value->string);
	case KEY_HASH:
		return key_value_hash(arena, text, &value->made);
	case KEY_TENANT:
		return (key->words != NULL && span_is(text, key->words)) ||
		       key_value_tenant(arena, text, &value->string);
	case KEY_PATTERNS: /* one of them */
		return key_value_pattern(arena, text, &value->string);
	case KEY_NETWORKS: /* one of them */
		return key_value_network(arena, text, &value->made);
	case KEY_TIME:
		return key_value_time(text, &value->number);
	case KEY_RATES: /* one of them */
		return quota_value_rate(arena, text, &value->made);
	case KEY_SPENDING: /* one of them */
		return quota_value_spending(arena, text, &value->made);
	case KEY_MONEY:
		return quota_value_money(text, &value->number);
	case KEY_SECTION:
	case KEY_CERTIFICATES:
	case KEY_LISTENERS:
	case KEY_BACKENDS:
	case KEY_MODELS:
	case KEY_KEYS:
	case KEY_QUOTAS:
	case KEY_SHARES:
	case KEY_TENANTS:
	case KEY_PRICES:
	case KEY_ISSUERS:
	case KEY_CACHE_MODELS:
	case KEY_PLAN:
	case KEY_NUMBERS:
	case KEY_KINDS:
		break;
	}
	return false;
}
