/* SPDX-License-Identifier: MIT */
/* Request ids: the client's own when it is short and harmless, else a new one. */
#include "lib/random.h"
#include "service/exchange/exchange.h"

enum { REQUEST_ID_MAX = 128 };

static bool is_harmless(struct span id)
{
	for (size_t i = 0; i < id.len; i++) {
		char c = id.at[i];
		if (c <= ' ' || c > '~' || c == '"' || c == '\\')
			return false;
	}
	return id.len > 0 && id.len <= REQUEST_ID_MAX;
}

struct span exchange_request_id(struct span offered, struct arena *arena)
{
	char id[] = "req_0123456789abcdef0123456789abcdef";
	if (is_harmless(offered))
		return arena_copy(arena, offered);
	random_hex(id + 4, 16);
	return arena_copy(arena, span_of(id));
}
