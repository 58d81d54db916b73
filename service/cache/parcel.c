/* SPDX-License-Identifier: MIT */
/* Parcels as bytes; parcel.h holds the contract. */
#include "service/cache/parcel.h"

#include <zstd.h>

#include "lib/hash.h"
#include "lib/little_endian.h"

/*
 *   0  magic and version, 4 bytes
 *   4  1 = the entry is a zstd frame, 0 = it is as it is; 4 bytes
 *   8  checksum of all that is before and behind it, 16 bytes
 *  24  fresh_us, 8 bytes; life_us, 8; bytes of the entry, inflated, 8
 *  48  the ids of the purge and of the renewal that were seen, 16 bytes each
 *  80  the key
 * 112  the entry
 */
enum {
	PARCEL_FLAGS = 4,
	PARCEL_CHECKSUM = 8,
	PARCEL_FRESH = 24,
	PARCEL_LIFE = 32,
	PARCEL_SIZE = 40,
	PARCEL_SEEN = 48,
	PARCEL_KEY = 80,
	PARCEL_HEADER = 112,
	PARCEL_ZSTD = 1,
	PARCEL_LEVEL = 1,      /* the quickest one */
	PARCEL_WORTH = 2048,   /* bytes below which nothing is compressed: the tables of a frame take longest to make */
	PARCEL_GAIN_SHARE = 8, /* at least one part in so many must be won */
};

static const char parcel_magic[PARCEL_FLAGS] = {'S', 'l', 'P', 3};

static void compute_checksum(const char *parcel, size_t len, char checksum[HASH_CHECKSUM_SIZE])
{
	hash_checksum(little_endian_get(parcel, PARCEL_CHECKSUM),
		      (struct span){parcel + PARCEL_FRESH, len - PARCEL_FRESH}, checksum);
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
	char *at = buf_reserve(out, PARCEL_HEADER + parcel->entry.len);
	if (at == NULL)
		return;
	size_t len = PARCEL_HEADER + pack(parcel->entry, at + PARCEL_HEADER, &flags);
	memcpy(at, parcel_magic, sizeof(parcel_magic));
	little_endian_put(at + PARCEL_FLAGS, flags, 4);
	little_endian_put(at + PARCEL_FRESH, parcel->fresh_us, 8);
	little_endian_put(at + PARCEL_LIFE, parcel->life_us, 8);
	little_endian_put(at + PARCEL_SIZE, parcel->entry.len, 8);
	for (size_t i = 0; i < PURGE_KINDS; i++) {
		little_endian_put(at + PARCEL_SEEN + 16 * i, parcel->seen[i].ms, 8);
		little_endian_put(at + PARCEL_SEEN + 16 * i + 8, parcel->seen[i].number, 8);
	}
	memcpy(at + PARCEL_KEY, key->bytes, CACHE_KEY_SIZE);
	compute_checksum(at, len, at + PARCEL_CHECKSUM);
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

size_t parcel_entry_size(struct span bytes)
{
	if (bytes.len < PARCEL_HEADER || memcmp(bytes.at, parcel_magic, sizeof(parcel_magic)) != 0)
		return 0;
	return (size_t)little_endian_get(bytes.at + PARCEL_SIZE, 8);
}

bool parcel_decode(struct span bytes, const struct cache_key *key, size_t most, struct buf *room, struct parcel *parcel)
{
	char checksum[HASH_CHECKSUM_SIZE];
	parcel->too_large = false;
	if (bytes.len < PARCEL_HEADER || memcmp(bytes.at, parcel_magic, sizeof(parcel_magic)) != 0 ||
	    memcmp(bytes.at + PARCEL_KEY, key->bytes, CACHE_KEY_SIZE) != 0)
		return false;
	compute_checksum(bytes.at, bytes.len, checksum);
	if (memcmp(bytes.at + PARCEL_CHECKSUM, checksum, sizeof(checksum)) != 0)
		return false;
	uint64_t flags = little_endian_get(bytes.at + PARCEL_FLAGS, 4);
	uint64_t size = little_endian_get(bytes.at + PARCEL_SIZE, 8);
	parcel->fresh_us = little_endian_get(bytes.at + PARCEL_FRESH, 8);
	parcel->life_us = little_endian_get(bytes.at + PARCEL_LIFE, 8);
	for (size_t i = 0; i < PURGE_KINDS; i++)
		parcel->seen[i] = (struct purge_id){little_endian_get(bytes.at + PARCEL_SEEN + 16 * i, 8),
						    little_endian_get(bytes.at + PARCEL_SEEN + 16 * i + 8, 8)};
	parcel->entry = (struct span){bytes.at + PARCEL_HEADER, bytes.len - PARCEL_HEADER};
	parcel->too_large = size > most;
	if (size > most || parcel->fresh_us > parcel->life_us || flags > PARCEL_ZSTD)
		return false;
	return flags == PARCEL_ZSTD ? inflate(parcel->entry, (size_t)size, room, &parcel->entry)
				    : size == parcel->entry.len;
}
