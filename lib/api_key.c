/* SPDX-License-Identifier: MIT */
/* The form of keys; api_key.h describes it. */
#include "lib/api_key.h"

#include <sys/random.h>
#include <zlib.h>

enum { DIGITS = 62, PREFIX = sizeof(API_KEY_PREFIX) - 1 };

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static bool is_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool are_digits(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!is_digit(text.at[i]))
			return false;
	return true;
}

void api_key_checksum(struct span text, char check[API_KEY_CHECK])
{
	unsigned long crc = crc32(0, (const unsigned char *)text.at, (unsigned)text.len);
	for (size_t i = API_KEY_CHECK; i > 0; i--, crc /= DIGITS)
		check[i - 1] = digits[crc % DIGITS];
}

bool api_key_is_id(struct span text)
{
	return text.len == API_KEY_ID && are_digits(text);
}

bool api_key_glance(struct span text, struct span *id)
{
	if (text.len != API_KEY_LENGTH || memcmp(text.at, API_KEY_PREFIX, PREFIX) != 0)
		return false;
	*id = (struct span){text.at + PREFIX, API_KEY_ID};
	return true;
}

bool api_key_parse(struct span text, struct span *id)
{
	char check[API_KEY_CHECK];
	if (!api_key_glance(text, id) || !are_digits((struct span){text.at + PREFIX, text.len - PREFIX}))
		return false;
	api_key_checksum((struct span){text.at, text.len - API_KEY_CHECK}, check);
	return memcmp(text.at + text.len - API_KEY_CHECK, check, API_KEY_CHECK) == 0;
}

/* Adds random digits up to the checksum, and that. Bytes from 248 on are passed over, so that every digit is as likely
 * as any other. */
static bool fill_up(char key[API_KEY_LENGTH + 1], size_t len)
{
	enum { EVEN = 256 / DIGITS * DIGITS };
	while (len < API_KEY_LENGTH - API_KEY_CHECK) {
		unsigned char byte;
		if (getrandom(&byte, 1, 0) != 1)
			return false;
		if (byte < EVEN)
			key[len++] = digits[byte % DIGITS];
	}
	api_key_checksum((struct span){key, len}, key + len);
	key[API_KEY_LENGTH] = '\0';
	return true;
}

bool api_key_make(char key[API_KEY_LENGTH + 1])
{
	memcpy(key, API_KEY_PREFIX, PREFIX);
	return fill_up(key, PREFIX);
}

bool api_key_make_as(struct span id, char key[API_KEY_LENGTH + 1])
{
	memcpy(key, API_KEY_PREFIX, PREFIX);
	memcpy(key + PREFIX, id.at, API_KEY_ID);
	return fill_up(key, PREFIX + API_KEY_ID);
}
