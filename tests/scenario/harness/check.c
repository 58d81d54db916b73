/* SPDX-License-Identifier: MIT */
/* Checks that print what they saw, and bounded patience. */
#include "tests/scenario/harness/check.h"

#include <string.h>
#include <time.h>

uint64_t clock_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

struct patience patience_for(const char *what)
{
	return (struct patience){clock_us() + (uint64_t)HANG_GUARD_MS * 1000, what};
}

void patience_wait(struct patience *patience)
{
	if (clock_us() > patience->until_us)
		fail_msg("gave up waiting for %s", patience->what);
	struct timespec moment = {0, 2000000};
	nanosleep(&moment, NULL);
}

void check_contains(const struct bytes *text, const char *part)
{
	enum { SHOWN = 400 }; /* cmocka cuts long texts */
	size_t skip = text->len > (size_t)2 * SHOWN ? text->len - SHOWN : 0;
	if (!bytes_contain(text, part))
		fail_msg("expected to find\n  %s\nin\n  %.*s%s%s", part, skip > 0 ? SHOWN : 2 * SHOWN, bytes_text(text),
			 skip > 0 ? "\n  …\n" : "", skip > 0 ? bytes_text(text) + skip : "");
}

void check_lacks(const struct bytes *text, const char *part)
{
	if (bytes_contain(text, part))
		fail_msg("expected not to find\n  %s\nin\n  %.4000s", part, bytes_text(text));
}

void check_same(const void *got, size_t got_len, const void *want, size_t want_len)
{
	const char *a = got;
	const char *b = want;
	size_t same = 0;
	while (same < got_len && same < want_len && a[same] == b[same])
		same++;
	if (same == got_len && same == want_len)
		return;
	int got_rest = (int)(got_len - same < 200 ? got_len - same : 200);
	int want_rest = (int)(want_len - same < 200 ? want_len - same : 200);
	fail_msg("got %zu bytes, want %zu; they part at byte %zu:\n  got  «%.*s»\n  want «%.*s»", got_len, want_len,
		 same, got_rest, got_len == 0 ? "" : a + same, want_rest, want_len == 0 ? "" : b + same);
}

void check_memory(const char *what, size_t before, size_t after, size_t most)
{
	if (!SERVICE_SANITIZED && after > before + most)
		fail_msg("%s: memory grew from %zu to %zu bytes, more than %zu", what, before, after, most);
}
