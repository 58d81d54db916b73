/* SPDX-License-Identifier: MIT */
/* Parsers of what keys of clients have; key_values.h says what they take. */
#include "config/key_values.h"

#include <arpa/inet.h>
#include <time.h>

#include "config/config.h"
#include "config/values.h"
#include "lib/hex.h"

enum { TENANT_LEVELS = 3, PATTERN_MAX = 256, ADDRESS_TEXT = 48, BITS_4 = 32, BITS_6 = 128, MAPPED = BITS_6 - BITS_4 };

/* Reads two digits for each byte. */
static bool read_sum(const char *digits, unsigned char sum[HMAC_SIZE])
{
	for (size_t i = 0; i < HMAC_SIZE; i++) {
		int high = hex_value(digits[2 * i]), low = hex_value(digits[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		sum[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

bool key_value_hash(struct arena *arena, struct span text, const void **made)
{
	struct config_key_hash *hash = arena_zalloc(arena, 1, sizeof(*hash));
	struct span id = {text.at, API_KEY_ID};
	if (hash == NULL || text.len != API_KEY_ID + 1 + 2 * HMAC_SIZE || !api_key_is_id(id) ||
	    text.at[API_KEY_ID] != ':')
		return false;
	memcpy(hash->id, id.at, API_KEY_ID);
	*made = hash;
	return read_sum(text.at + API_KEY_ID + 1, hash->sum);
}

bool key_value_tenant(struct arena *arena, struct span text, const char **tenant)
{
	struct span rest = text;
	for (int level = 1; level <= TENANT_LEVELS; level++) {
		const char *slash = memchr(rest.at, '/', rest.len);
		struct span name = {rest.at, slash == NULL ? rest.len : (size_t)(slash - rest.at)};
		if (!value_is_name(name))
			return false;
		if (slash == NULL) {
			*tenant = arena_copy(arena, text).at;
			return *tenant != NULL;
		}
		rest = (struct span){slash + 1, rest.len - name.len - 1};
	}
	return false;
}

bool key_value_pattern(struct arena *arena, struct span text, const char **pattern)
{
	*pattern = text.len == 0 || text.len > PATTERN_MAX ? NULL : arena_copy(arena, text).at;
	return *pattern != NULL;
}

/* Reads an address into IPv6's form. *bits: how many of its bits count, of 128. */
static bool read_address(struct span text, unsigned char address[16], unsigned *bits)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	char copy[ADDRESS_TEXT];
	if (text.len == 0 || text.len >= sizeof(copy))
		return false;
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	*bits = BITS_6;
	if (inet_pton(AF_INET6, copy, address) == 1)
		return true;
	memcpy(address, mapped, sizeof(mapped));
	*bits = BITS_4;
	return inet_pton(AF_INET, copy, address + sizeof(mapped)) == 1;
}

static bool are_clear_behind(const unsigned char address[16], unsigned bits)
{
	for (unsigned bit = bits; bit < BITS_6; bit++)
		if ((address[bit / 8] >> (7 - bit % 8) & 1) != 0)
			return false;
	return true;
}

bool key_value_network(struct arena *arena, struct span text, const void **made)
{
	struct config_network *network = arena_zalloc(arena, 1, sizeof(*network));
	const char *slash = text.len == 0 ? NULL : memchr(text.at, '/', text.len);
	struct span address = {text.at, slash == NULL ? text.len : (size_t)(slash - text.at)};
	uint64_t length = 0;
	unsigned most = 0;
	if (network == NULL || !read_address(address, network->address, &most))
		return false;
	if (slash == NULL)
		length = most;
	else if (!value_parse_unsigned((struct span){slash + 1, text.len - address.len - 1}, &length) || length > most)
		return false;
	network->bits = (unsigned)length + (most == BITS_4 ? MAPPED : 0);
	*made = network;
	return are_clear_behind(network->address, network->bits);
}

/* Two or four digits at that place. */
static int number_at(struct span text, size_t at, size_t digits)
{
	int number = 0;
	for (size_t i = at; i < at + digits; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return -1;
		number = number * 10 + (text.at[i] - '0');
	}
	return number;
}

static bool is_shaped(struct span text)
{
	static const char date[] = "0000-00-00", both[] = "0000-00-00T00:00:00Z";
	const char *shape = text.len == sizeof(date) - 1 ? date : both;
	if (text.len != strlen(shape))
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (shape[i] == '0' ? text.at[i] < '0' || text.at[i] > '9' : text.at[i] != shape[i])
			return false;
	return true;
}

bool key_value_time(struct span text, uint64_t *seconds)
{
	if (!is_shaped(text))
		return false;
	bool hours = text.len > sizeof("0000-00-00");
	struct tm given = {.tm_year = number_at(text, 0, 4) - 1900,
			   .tm_mon = number_at(text, 5, 2) - 1,
			   .tm_mday = number_at(text, 8, 2),
			   .tm_hour = hours ? number_at(text, 11, 2) : 0,
			   .tm_min = hours ? number_at(text, 14, 2) : 0,
			   .tm_sec = hours ? number_at(text, 17, 2) : 0};
	struct tm kept = given;
	time_t at = timegm(&kept); /* it moves 31 February into March */
	*seconds = at > 0 ? (uint64_t)at : 0;
	return at > 0 && kept.tm_mon == given.tm_mon && kept.tm_mday == given.tm_mday &&
	       kept.tm_hour == given.tm_hour && kept.tm_min == given.tm_min && kept.tm_sec == given.tm_sec;
}
