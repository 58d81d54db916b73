/* SPDX-License-Identifier: MIT */
/* Tables: commands that do not write, codes of errors. What is in none of them is taken for the worse. */
#include "clients/redis/protocol.h"

#include <stdio.h>

#include <openssl/sha.h>

#include "clients/redis/redis.h"

/* Each with a space on both sides. */
static const char reads[] =
    " GET MGET EXISTS PTTL TTL STRLEN GETRANGE HGET HMGET HGETALL HLEN HSCAN ZSCORE ZRANGE "
    "SMEMBERS SISMEMBER LRANGE LLEN XRANGE XREAD XLEN TYPE OBJECT SCAN TIME PING ECHO ROLE INFO CLUSTER "
    "SENTINEL EVAL_RO EVALSHA_RO DBSIZE ";
static const char frees[] = " DEL UNLINK EXPIRE PEXPIRE HDEL ZREM SREM XTRIM ";

/* Is the name, in upper case and with spaces around it, in the list? */
static bool is_listed(const char *list, const char *name)
{
	return strstr(list, name) != NULL;
}

enum redis_access redis_access_of(struct span name)
{
	char word[32] = " ";
	if (name.len + 3 > sizeof(word))
		return REDIS_ACCESS_WRITE;
	for (size_t i = 0; i < name.len; i++)
		word[i + 1] = (char)(name.at[i] >= 'a' && name.at[i] <= 'z' ? name.at[i] - 'a' + 'A' : name.at[i]);
	word[name.len + 1] = ' ';
	word[name.len + 2] = '\0';
	if (is_listed(reads, word))
		return REDIS_ACCESS_READ;
	return is_listed(frees, word) ? REDIS_ACCESS_FREE : REDIS_ACCESS_WRITE;
}

static size_t decimal_digits(size_t number)
{
	size_t digits = 1;
	while (number >= 10) {
		number /= 10;
		digits++;
	}
	return digits;
}

size_t redis_encoded_size(const struct span *args, size_t count)
{
	size_t size = 1 + decimal_digits(count) + 2;
	for (size_t i = 0; i < count; i++)
		size += 1 + decimal_digits(args[i].len) + 2 + args[i].len + 2;
	return size;
}

static char *put_number(char *to, char type, size_t number)
{
	size_t digits = decimal_digits(number);
	*to = type;
	for (size_t i = digits; i > 0; i--, number /= 10)
		to[i] = (char)('0' + number % 10);
	to[digits + 1] = '\r';
	to[digits + 2] = '\n';
	return to + digits + 3;
}

size_t redis_encode(char *out, const struct span *args, size_t count, size_t skip)
{
	char *to = put_number(out, '*', count);
	size_t tail = 0;
	for (size_t i = 0; i < count; i++) {
		if (i == skip)
			tail = (size_t)(to - out);
		to = put_number(to, '$', args[i].len);
		if (args[i].len != 0)
			memcpy(to, args[i].at, args[i].len);
		to += args[i].len;
		*to++ = '\r';
		*to++ = '\n';
	}
	*to = '\0'; /* hiredis looks for it */
	return tail;
}

static const struct redis_error errors[] = {
    {"OOM", REDIS_EFFECT_FULL, "OOM: its memory is full"},
    {"MISCONF", REDIS_EFFECT_NO_WRITE, "MISCONF: it cannot write its disk"},
    {"READONLY", REDIS_EFFECT_READONLY, "READONLY: it is a replica"},
    {"NOREPLICAS", REDIS_EFFECT_NO_WRITE, "NOREPLICAS: it has too few replicas"},
    {"LOADING", REDIS_EFFECT_DOWN, "LOADING: it reads its data"},
    {"BUSY", REDIS_EFFECT_DOWN, "BUSY: it runs a script"},
    {"MASTERDOWN", REDIS_EFFECT_DOWN, "MASTERDOWN: it is a replica without its master"},
    {"NOAUTH", REDIS_EFFECT_REJECTED, "NOAUTH: it wants a password"},
    {"WRONGPASS", REDIS_EFFECT_REJECTED, "WRONGPASS: it knows no such user and password"},
    {"NOSCRIPT", REDIS_EFFECT_NOSCRIPT, ""},
    {"MOVED", REDIS_EFFECT_MOVED, ""},
    {"ASK", REDIS_EFFECT_ASK, ""},
    {"TRYAGAIN", REDIS_EFFECT_TRYAGAIN, ""},
    {"CLUSTERDOWN", REDIS_EFFECT_CLUSTER_DOWN, "CLUSTERDOWN: the cluster does not serve"},
    {"NOPERM", REDIS_EFFECT_NOPERM, "NOPERM: the user lacks permissions"},
};

const struct redis_error *redis_error_of(struct span text)
{
	static const struct redis_error other = {"", REDIS_EFFECT_NONE, "it answers with an error"};
	const char *space = memchr(text.at, ' ', text.len);
	struct span code = {text.at, space == NULL ? text.len : (size_t)(space - text.at)};
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (span_is(code, errors[i].code))
			return &errors[i];
	return &other;
}

static uint16_t crc16(struct span bytes)
{
	uint16_t crc = 0;
	for (size_t i = 0; i < bytes.len; i++) {
		crc = (uint16_t)(crc ^ (uint16_t)((unsigned char)bytes.at[i] << 8));
		for (int bit = 0; bit < 8; bit++)
			crc = (uint16_t)((crc & 0x8000) != 0 ? crc << 1 ^ 0x1021 : crc << 1);
	}
	return crc;
}

uint16_t redis_hash_slot(struct span key)
{
	const char *open = key.len == 0 ? NULL : memchr(key.at, '{', key.len);
	if (open != NULL) {
		size_t rest = key.len - (size_t)(open + 1 - key.at);
		const char *close = memchr(open + 1, '}', rest);
		if (close != NULL && close != open + 1)
			key = (struct span){open + 1, (size_t)(close - open) - 1};
	}
	return crc16(key) % REDIS_HASH_SLOTS;
}

void redis_script_init(struct redis_script *script, const char *text, bool reads_only)
{
	unsigned char digest[SHA_DIGEST_LENGTH];
	SHA1((const unsigned char *)text, strlen(text), digest);
	*script = (struct redis_script){.text = text, .reads_only = reads_only};
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(script->sha1 + 2 * i, 3, "%02x", digest[i]);
}
