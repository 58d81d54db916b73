/* SPDX-License-Identifier: MIT */
/* The log of exchanges: from what a client saw to one JSON line. */
#include "tests/scenario/harness/record.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/scenario.h"

enum { PORTS = 65536 };

static bool services[PORTS];

static const char *record_path(void)
{
	return getenv("SLUICE_RECORD");
}

void record_service(int port)
{
	services[port & (PORTS - 1)] = true;
}

bool record_wanted(int port)
{
	return services[port & (PORTS - 1)] && record_path() != NULL;
}

/* Bytes of the UTF-8 sequence that begins there; 0 when it is none (RFC 3629). */
static size_t utf8_length(const unsigned char *at, size_t left)
{
	static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = *at < 0x80 ? 1 : *at >> 5 == 6 ? 2 : *at >> 4 == 14 ? 3 : *at >> 3 == 30 ? 4 : 0;
	if (len < 2)
		return len;
	if (len > left)
		return 0;
	unsigned code = *at & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if (at[i] >> 6 != 2)
			return 0;
		code = code << 6 | (at[i] & 0x3fu);
	}
	return code < least[len] || code > 0x10ffff || code >> 11 == 0x1b ? 0 : len;
}

/* Whether cJSON can print it as it is: UTF-8 without NUL. */
static bool is_text(const struct bytes *bytes)
{
	const unsigned char *at = (const unsigned char *)bytes_text(bytes);
	for (size_t i = 0, len; i < bytes->len; i += len) {
		len = utf8_length(at + i, bytes->len - i);
		if (len == 0 || at[i] == 0)
			return false;
	}
	return true;
}

/* Field values may hold any byte: what is not UTF-8 is read as Latin-1. */
static cJSON *json_of_value(const char *value, size_t len)
{
	struct bytes text = {0}, latin = {0};
	bytes_append(&text, value, len);
	for (size_t i = 0; i < len; i++) {
		unsigned char byte = (unsigned char)value[i];
		if (byte < 0x80)
			bytes_append(&latin, &byte, 1);
		else
			bytes_printf(&latin, "%c%c", 0xc0 | byte >> 6, 0x80 | (byte & 0x3f));
	}
	cJSON *json = cJSON_CreateString(bytes_text(is_text(&text) ? &text : &latin));
	bytes_free(&text);
	bytes_free(&latin);
	return json;
}

/* An array of [name, value]: a header that came twice is there twice. */
static cJSON *json_of_head(const struct bytes *head)
{
	cJSON *list = cJSON_CreateArray();
	for (const char *line = bytes_text(head), *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		const char *colon = memmem(line, (size_t)(end - line), ": ", 2);
		if (colon == NULL)
			continue;
		cJSON *pair = cJSON_CreateArray();
		cJSON_AddItemToArray(pair, json_of_value(line, (size_t)(colon - line)));
		cJSON_AddItemToArray(pair, json_of_value(colon + 2, (size_t)(end - colon - 2)));
		cJSON_AddItemToArray(list, pair);
	}
	return list;
}

static void add_hash(cJSON *message, const struct bytes *body)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char hex[2 * EVP_MAX_MD_SIZE + 1];
	unsigned len = 0;
	assert_int_equal(EVP_Digest(body->at, body->len, digest, &len, EVP_sha256(), NULL), 1);
	for (unsigned i = 0; i < len; i++)
		snprintf(hex + 2 * (size_t)i, 3, "%02x", digest[i]);
	cJSON_AddBoolToObject(message, "clipped", true);
	cJSON_AddStringToObject(message, "sha256", hex);
}

static void add_base64(cJSON *message, const struct bytes *body)
{
	unsigned char *text = malloc(body->len / 3 * 4 + 8);
	assert_non_null(text);
	EVP_EncodeBlock(text, (const unsigned char *)body->at, (int)body->len);
	cJSON_AddStringToObject(message, "base64", (const char *)text);
	free(text);
}

/* A request or an answer: its headers and its body as text, as base64, or as a hash. */
static cJSON *add_message(cJSON *line, const char *name, const struct bytes *head, const struct bytes *body)
{
	cJSON *message = cJSON_AddObjectToObject(line, name);
	cJSON_AddItemToObject(message, "headers", json_of_head(head));
	cJSON_AddNumberToObject(message, "length", (double)body->len);
	if (body->len > RECORD_BODY_MOST)
		add_hash(message, body);
	else if (is_text(body))
		cJSON_AddStringToObject(message, "body", bytes_text(body));
	else
		add_base64(message, body);
	return message;
}

static cJSON *json_of_record(const struct record *record)
{
	const struct answer *answer = record->answer;
	cJSON *line = cJSON_CreateObject();
	cJSON_AddStringToObject(line, "program", program_invocation_short_name);
	cJSON_AddStringToObject(line, "scenario", scenario_name());
	cJSON_AddStringToObject(line, "http_version", record->http_version);
	cJSON_AddStringToObject(line, "method", record->method);
	cJSON_AddItemToObject(line, "path", json_of_value(record->path, strlen(record->path)));
	cJSON_AddBoolToObject(line, "malformed", record->malformed);
	cJSON_AddBoolToObject(line, "client_left", record->client_left);
	cJSON *request = add_message(line, "request", record->head, record->body);
	cJSON_AddBoolToObject(request, "complete", record->request_whole);
	cJSON *response = add_message(line, "response", &answer->head, &answer->body);
	cJSON_AddNumberToObject(response, "status", answer->status);
	cJSON_AddBoolToObject(response, "complete", answer->ended);
	return line;
}

void record_write(const struct record *record)
{
	struct bytes text = {0};
	cJSON *line = json_of_record(record);
	char *printed = cJSON_PrintUnformatted(line);
	assert_non_null(printed);
	bytes_printf(&text, "%s\n", printed);
	int file = open(record_path(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (file < 0 || write(file, text.at, text.len) != (ssize_t)text.len)
		fail_msg("%s: %s", record_path(), strerror(errno));
	close(file);
	cJSON_free(printed);
	cJSON_Delete(line);
	bytes_free(&text);
}
