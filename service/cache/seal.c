/* SPDX-License-Identifier: MIT */
/* Seals: the first half of a SHA-256 over the list's name, with its length in front, and the record. */
#include "service/cache/seal.h"

#include <openssl/evp.h>

#include "lib/little_endian.h"

enum { SEAL_SIZE = 16, SEAL_LENGTH_SIZE = 8 };

static bool compute(struct span list, struct span record, unsigned char digest[EVP_MAX_MD_SIZE])
{
	char length[SEAL_LENGTH_SIZE];
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	little_endian_put(length, list.len, SEAL_LENGTH_SIZE);
	bool computed = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
			EVP_DigestUpdate(context, length, SEAL_LENGTH_SIZE) == 1 &&
			EVP_DigestUpdate(context, list.at, list.len) == 1 &&
			EVP_DigestUpdate(context, record.at, record.len) == 1 &&
			EVP_DigestFinal_ex(context, digest, NULL) == 1;
	EVP_MD_CTX_free(context);
	return computed;
}

void seal_append(struct buf *record, struct span list)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	if (compute(list, buf_span(record), digest))
		buf_append(record, (struct span){(const char *)digest, SEAL_SIZE});
	else
		record->failed = true;
}

bool seal_open(struct span sealed, struct span list, struct span *record)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	if (sealed.len < SEAL_SIZE)
		return false;
	*record = (struct span){sealed.at, sealed.len - SEAL_SIZE};
	return compute(list, *record, digest) && memcmp(record->at + record->len, digest, SEAL_SIZE) == 0;
}
