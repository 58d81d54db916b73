/* SPDX-License-Identifier: MIT */
/* Making and comparing entity tags; etag.h holds the contract. */
#include "lib/etag.h"

#include <stdint.h>
#include <stdio.h>

#include "lib/http_text.h"

__extension__ typedef unsigned __int128 uint128;

void etag_write(struct span body, char etag[ETAG_SIZE])
{
	uint128 hash = (uint128)0x6c62272e07bb0142 << 64 | 0x62b821756295c58d;
	const uint128 prime = (uint128)1 << 88 | 0x13b;
	for (size_t i = 0; i < body.len; i++)
		hash = (hash ^ (unsigned char)body.at[i]) * prime;
	snprintf(etag, ETAG_SIZE, "\"%016llx%016llx\"", (unsigned long long)(uint64_t)(hash >> 64),
		 (unsigned long long)(uint64_t)hash);
}

/* Takes one tag off the list, without its weakness. False at the end, or where the list is none. */
static bool take_tag(struct span *rest, struct span *tag)
{
	while (rest->len > 0 && (rest->at[0] == ',' || rest->at[0] == ' ' || rest->at[0] == '\t'))
		*rest = (struct span){rest->at + 1, rest->len - 1};
	if (rest->len > 2 && memcmp(rest->at, "W/", 2) == 0)
		*rest = (struct span){rest->at + 2, rest->len - 2};
	if (rest->len < 2 || rest->at[0] != '"')
		return false;
	const char *close = memchr(rest->at + 1, '"', rest->len - 1); /* commas may stand inside */
	if (close == NULL)
		return false;
	*tag = (struct span){rest->at, (size_t)(close + 1 - rest->at)};
	*rest = (struct span){close + 1, rest->len - tag->len};
	return true;
}

bool etag_matches(struct span if_none_match, struct span etag)
{
	struct span tag;
	if (span_is(http_trim(if_none_match), "*"))
		return true;
	while (take_tag(&if_none_match, &tag))
		if (span_equal(tag, etag))
			return true;
	return false;
}
