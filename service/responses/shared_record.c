/* SPDX-License-Identifier: MIT */
/* Records in Redis: four lengths (64 bits, little-endian), the texts, the checksum; shared_record.h holds the contract.
 */
#include "service/responses/shared_record.h"

#include "lib/hash.h"
#include "lib/little_endian.h"

enum { LENGTH_SIZE = 8, TEXTS = 4, HEAD_SIZE = TEXTS * LENGTH_SIZE };

static void append_length(struct buf *out, size_t length)
{
	char bytes[LENGTH_SIZE];
	little_endian_put(bytes, length, LENGTH_SIZE);
	buf_append(out, (struct span){bytes, LENGTH_SIZE});
}

static void compute(struct span name, struct span bytes, char checksum[HASH_CHECKSUM_SIZE])
{
	hash_checksum(hash_bytes(HASH_START, name), bytes, checksum);
}

void shared_record_encode(const struct shared_record *record, struct span name, struct buf *out)
{
	const struct span texts[TEXTS] = {record->tenant, record->id, record->answer, record->input};
	char checksum[HASH_CHECKSUM_SIZE];
	size_t start = buf_len(out);
	for (int i = 0; i < TEXTS; i++)
		append_length(out, texts[i].len);
	for (int i = 0; i < TEXTS; i++)
		buf_append(out, texts[i]);
	if (buf_failed(out))
		return;
	compute(name, (struct span){buf_span(out).at + start, buf_len(out) - start}, checksum);
	buf_append(out, (struct span){checksum, sizeof(checksum)});
}

bool shared_record_decode(struct span bytes, struct span name, struct shared_record *record)
{
	struct span *const texts[TEXTS] = {&record->tenant, &record->id, &record->answer, &record->input};
	char checksum[HASH_CHECKSUM_SIZE];
	if (bytes.len < HEAD_SIZE + HASH_CHECKSUM_SIZE)
		return false;
	bytes.len -= HASH_CHECKSUM_SIZE;
	compute(name, bytes, checksum);
	if (memcmp(bytes.at + bytes.len, checksum, sizeof(checksum)) != 0)
		return false;
	size_t at = HEAD_SIZE;
	for (int i = 0; i < TEXTS; i++) {
		uint64_t length = little_endian_get(bytes.at + (size_t)i * LENGTH_SIZE, LENGTH_SIZE);
		if (length > bytes.len - at)
			return false;
		*texts[i] = (struct span){bytes.at + at, (size_t)length};
		at += (size_t)length;
	}
	return at == bytes.len;
}
