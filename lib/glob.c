/* SPDX-License-Identifier: MIT */
/* Matching with one place to go back to: a later star makes the earlier one's choice final. */
#include "lib/glob.h"

bool glob_matches(struct span pattern, struct span text)
{
	size_t at = 0, i = 0, star = pattern.len, resumed = 0;
	while (i < text.len) {
		if (at < pattern.len && pattern.at[at] == '*') {
			star = at++;
			resumed = i;
		} else if (at < pattern.len && pattern.at[at] == text.at[i]) {
			at++;
			i++;
		} else if (star < pattern.len) {
			at = star + 1;
			i = ++resumed;
		} else {
			return false;
		}
	}
	while (at < pattern.len && pattern.at[at] == '*')
		at++;
	return at == pattern.len;
}
