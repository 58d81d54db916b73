/* SPDX-License-Identifier: MIT */
/* Seals: a checksum of the record, with the list's name for its seed; seal.h holds the contract. */
#include "service/cache/seal.h"

#include "lib/hash.h"

static void compute(struct span list, struct span record, char seal[HASH_CHECKSUM_SIZE])
{
	hash_checksum(hash_bytes(HASH_START, list), record, seal);
}

void seal_append(struct buf *record, struct span list)
{
	char seal[HASH_CHECKSUM_SIZE];
	compute(list, buf_span(record), seal);
	buf_append(record, (struct span){seal, sizeof(seal)});
}

bool seal_open(struct span sealed, struct span list, struct span *record)
{
	char seal[HASH_CHECKSUM_SIZE];
	if (sealed.len < sizeof(seal))
		return false;
	*record = (struct span){sealed.at, sealed.len - sizeof(seal)};
	compute(list, *record, seal);
	return memcmp(record->at + record->len, seal, sizeof(seal)) == 0;
}
