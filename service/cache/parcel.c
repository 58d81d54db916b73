/* SPDX-License-Identifier: MIT */
/* Parcels as bytes; parcel.h holds the contract. */
#include "service/cache/parcel.h"

#include <openssl/evp.h>
#include <zstd.h>

#include "lib/little_endian.h"

/*
 *   0  magic and version, 4 bytes
 *   4  1 = the entry is a zstd frame, 0 = it is as it is; 4 bytes
 *   8  fresh_us, 8 bytes; life_us, 8; bytes of the entry, inflated, 8
 *  32  the key
 *  64  SHA-256 of all that is before and behind it
 *  96  the entry
 */
enum {
	PARCEL_FLAGS = 4,
	PARCEL_FRESH = 8,
	PARCEL_LIFE = 16,
	PARCEL_SIZE = 24,
	PARCEL_KEY = 32,
	PARCEL_DIGEST = 64,
	PARCEL_HEADER = 96,
	PARCEL_DIGEST_SIZE = 32,
	PARCEL_ZSTD = 1,
	PARCEL_LEVEL = 1,      /* the quickest one */
	PARCEL_WORTH = 256,    /* bytes below which nothing is compressed */
	PARCEL_GAIN_SHARE = 8, /* at least one part in so many must be won */
};

static const char parcel_magic[PARCEL_FLAGS] = {'S', 'l', 'P', 1};

static bool compute_digest(const char *parcel, size_t len, unsigned char digest[EVP_MAX_MD_SIZE])
{
	unsigned size = 0;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool computed = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
			EVP_DigestUpdate(context, parcel, PARCEL_DIGEST) == 1 &&
			EVP_DigestUpdate(context, parcel + PARCEL_HEADER, len - PARCEL_HEADER) == 1 &&
			EVP_DigestFinal_ex(context, digest, &size) == 1 && size == PARCEL_DIGEST_SIZE;
	EVP_MD_CTX_free(context);
	return computed;
}

/* Writes the entry to at, which has room for it; the bytes taken. *flags tells how. */
static size_t pack(struct span entry, char *at, unsigned *flags)
{
	size_t most = entry.len - entry.len / PARCEL_GAIN_SHARE;
	size_t packed = entry.len < PARCEL_WORTH ? 0 : ZSTD_compress(at, most, entry.at, entry.len, PARCEL_LEVEL);
	*flags = packed == 0 || ZSTD_isError(packed) ? 0 : PARCEL_ZSTD;
	if (*flags == PARCEL_ZSTD)
		return packed;
	memcpy(at, entry.at, entry.len);
	return entry.len;
}

void parcel_encode(const struct parcel *parcel, const struct cache_key *key, struct buf *out)
{
	unsigned flags = 0;
	unsigned char digest[EVP_MAX_MD_SIZE];
	char *at = buf_reserve(out, PARCEL_HEADER + parcel->entry.len);
	if (at == NULL)
		return;
	size_t len = PARCEL_HEADER + pack(parcel->entry, at + PARCEL_HEADER, &flags);
	memcpy(at, parcel_magic, sizeof(parcel_magic));
	little_endian_put(at + PARCEL_FLAGS, flags, 4);
	little_endian_put(at + PARCEL_FRESH, parcel->fresh_us, 8);
	little_endian_put(at + PARCEL_LIFE, parcel->life_us, 8);
	little_endian_put(at + PARCEL_SIZE, parcel->entry.len, 8);
	memcpy(at + PARCEL_KEY, key->bytes, CACHE_KEY_SIZE);
	if (!compute_digest(at, len, digest)) {
		out->failed = true;
		return;
	}
	memcpy(at + PARCEL_DIGEST, digest, PARCEL_DIGEST_SIZE);
	buf_commit(out, len);
}

static bool inflate(struct span packed, size_t size, struct buf *room, struct span *entry)
{
	buf_reset(room);
	char *at = buf_reserve(room, size);
	if (at == NULL || ZSTD_decompress(at, size, packed.at, packed.len) != size)
		return false;
	buf_commit(room, size);
	*entry = buf_span(room);
	return true;
}

bool parcel_decode(struct span bytes, const struct cache_key *key, size_t most, struct buf *room, struct parcel *parcel)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	if (bytes.len < PARCEL_HEADER || memcmp(bytes.at, parcel_magic, sizeof(parcel_magic)) != 0 ||
	    memcmp(bytes.at + PARCEL_KEY, key->bytes, CACHE_KEY_SIZE) != 0 ||
	    !compute_digest(bytes.at, bytes.len, digest) ||
	    memcmp(bytes.at + PARCEL_DIGEST, digest, PARCEL_DIGEST_SIZE) != 0)
		return false;
	uint64_t flags = little_endian_get(bytes.at + PARCEL_FLAGS, 4);
	uint64_t size = little_endian_get(bytes.at + PARCEL_SIZE, 8);
	parcel->fresh_us = little_endian_get(bytes.at + PARCEL_FRESH, 8);
	parcel->life_us = little_endian_get(bytes.at + PARCEL_LIFE, 8);
	parcel->entry = (struct span){bytes.at + PARCEL_HEADER, bytes.len - PARCEL_HEADER};
	if (size > most || parcel->fresh_us > parcel->life_us || flags > PARCEL_ZSTD)
		return false;
	return flags == PARCEL_ZSTD ? inflate(parcel->entry, (size_t)size, room, &parcel->entry)
				    : size == parcel->entry.len;
}
