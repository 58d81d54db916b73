/* SPDX-License-Identifier: MIT */
/* Reading and making traceparent values; trace.h names the specification. */
#include "lib/trace.h"

#include "lib/random.h"

static bool is_hex(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
	}
	return true;
}

/* An id of only zeros is invalid. */
static bool is_id(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] != '0')
			return is_hex(text);
	}
	return false;
}

static bool is_valid(struct span in)
{
	if (in.len < 55 || in.at[2] != '-' || in.at[35] != '-' || in.at[52] != '-')
		return false;
	if (memcmp(in.at, "ff", 2) == 0 || (memcmp(in.at, "00", 2) == 0 && in.len != 55))
		return false;
	return is_hex((struct span){in.at, 2}) && is_id((struct span){in.at + 3, 32}) &&
	       is_id((struct span){in.at + 36, 16}) && is_hex((struct span){in.at + 53, 2});
}

bool trace_continue(struct span incoming, char out[TRACE_PARENT_SIZE])
{
	bool valid = is_valid(incoming);
	memcpy(out, "00-", 3);
	if (valid)
		memcpy(out + 3, incoming.at + 3, 32);
	else
		random_hex(out + 3, 16);
	random_hex(out + 36, 8);
	out[35] = out[52] = '-';
	memcpy(out + 53, valid ? incoming.at + 53 : "01", 2);
	out[55] = '\0';
	return valid;
}
