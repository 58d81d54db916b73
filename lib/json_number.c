/* SPDX-License-Identifier: MIT */
/*
 * Numbers of the JSON reader: scanning their text, and their values when asked
 * for. Never through the process's locale.
 */
#include "lib/json_internal.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static const unsigned char *skip_digits(const unsigned char *at, const unsigned char *end)
{
	while (at < end && is_digit(*at))
		at++;
	return at;
}

/* At least one digit. */
static const unsigned char *scan_digits(const unsigned char *at, const unsigned char *end, struct json_fault *fault)
{
	if (at < end && is_digit(*at))
		return skip_digits(at, end);
	*fault = (struct json_fault){at == end ? "unexpected end" : "a digit was expected", at};
	return NULL;
}

const unsigned char *json_scan_number(const unsigned char *at, const unsigned char *end, bool *integer,
				      struct json_fault *fault)
{
	if (*at == '-')
		at++;
	const unsigned char *first = at;
	at = scan_digits(at, end, fault);
	if (at == NULL)
		return NULL;
	if (*first == '0' && at - first > 1) {
		*fault = (struct json_fault){"leading zero", first};
		return NULL;
	}
	*integer = true;
	if (at < end && *at == '.') {
		*integer = false;
		at = scan_digits(at + 1, end, fault);
		if (at == NULL)
			return NULL;
	}
	if (at < end && (*at | 0x20) == 'e') {
		*integer = false;
		at++;
		if (at < end && (*at == '+' || *at == '-'))
			at++;
		at = scan_digits(at, end, fault);
	}
	return at;
}

bool json_int(const struct json *json, uint32_t node, int64_t *value)
{
	if (json->nodes[node].type != JSON_NUMBER || !json->nodes[node].integer)
		return false;
	struct span raw = json_raw(json, node);
	bool negative = raw.at[0] == '-';
	int64_t sum = 0;
	for (size_t i = negative; i < raw.len; i++) {
		int digit = raw.at[i] - '0';
		if (__builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_add_overflow(sum, negative ? -digit : digit, &sum))
			return false;
	}
	*value = sum;
	return true;
}

/* More significant digits than these can't change the nearest double, but for whether any follows. */
enum { DIGITS_KEPT = 800, EXPONENT_LIMIT = 1000000000 };

/* A number taken apart: 0.DIGITS × 10^exponent. */
struct decimal {
	bool negative;
	int count;
	int64_t exponent;
	char digits[DIGITS_KEPT + 2];
};

static void decimal_add(struct decimal *decimal, char digit)
{
	if (decimal->count < DIGITS_KEPT)
		decimal->digits[decimal->count++] = digit;
	else if (digit != '0')
		decimal->digits[DIGITS_KEPT] = '1'; /* sticky: something follows */
}

/* The exponent written at at ("e-5"), saturated. */
static int64_t written_exponent(const char *at, const char *end)
{
	if (at == end)
		return 0;
	at++;
	bool negative = *at == '-';
	if (*at == '-' || *at == '+')
		at++;
	int64_t value = 0;
	for (; at < end; at++)
		if (value < (int64_t)EXPONENT_LIMIT * 10)
			value = value * 10 + (*at - '0');
	return negative ? -value : value;
}

static void decimal_read(struct decimal *decimal, struct span raw)
{
	const char *at = raw.at, *end = raw.at + raw.len;
	decimal->negative = *at == '-';
	decimal->count = 0;
	decimal->exponent = 0;
	decimal->digits[DIGITS_KEPT] = '0';
	bool fraction = false;
	for (at += decimal->negative; at < end && (*at | 0x20) != 'e'; at++) {
		if (*at == '.') {
			fraction = true;
			continue;
		}
		if (decimal->count == 0 && *at == '0') {
			decimal->exponent -= fraction;
			continue;
		}
		decimal_add(decimal, *at);
		decimal->exponent += !fraction;
	}
	decimal->exponent += written_exponent(at, end);
	if (decimal->exponent > EXPONENT_LIMIT)
		decimal->exponent = EXPONENT_LIMIT;
	if (decimal->exponent < -EXPONENT_LIMIT)
		decimal->exponent = -EXPONENT_LIMIT;
}

/* The usual short number: both the digits and the power of ten are exact doubles, so one operation rounds once. */
static bool decimal_is_short(const struct decimal *decimal, double *value)
{
	static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
					1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
	int64_t scale = decimal->exponent - decimal->count;
	if (decimal->count > 15 || scale > 22 || scale < -22)
		return false;
	int64_t digits = 0;
	for (int i = 0; i < decimal->count; i++)
		digits = digits * 10 + (decimal->digits[i] - '0');
	*value = scale < 0 ? (double)digits / powers[-scale] : (double)digits * powers[scale];
	return true;
}

static double decimal_slow(struct decimal *decimal)
{
	char text[DIGITS_KEPT + 64];
	int count = decimal->count;
	if (decimal->digits[DIGITS_KEPT] != '0')
		count = DIGITS_KEPT + 1;
	snprintf(text, sizeof(text), "%.*se%" PRId64, count, decimal->digits, decimal->exponent - (int64_t)count);
	/* glibc hands out its built-in C locale here: nothing is allocated, nothing to free. */
	return strtod_l(text, NULL, newlocale(LC_ALL_MASK, "C", (locale_t)0));
}

static bool read_double(struct span raw, double *value)
{
	struct decimal decimal;
	decimal_read(&decimal, raw);
	double magnitude = 0;
	if (decimal.count != 0 && !decimal_is_short(&decimal, &magnitude))
		magnitude = decimal_slow(&decimal);
	if (!isfinite(magnitude))
		return false;
	*value = decimal.negative ? -magnitude : magnitude;
	return true;
}

bool json_number_is_finite(struct span raw)
{
	double value = 0;
	/* below 10^300 whatever the digits are, unless an exponent says otherwise */
	if (raw.len <= 300 && memchr(raw.at, 'e', raw.len) == NULL && memchr(raw.at, 'E', raw.len) == NULL)
		return true;
	return read_double(raw, &value);
}

bool json_double(const struct json *json, uint32_t node, double *value)
{
	return json->nodes[node].type == JSON_NUMBER && read_double(json_raw(json, node), value);
}
