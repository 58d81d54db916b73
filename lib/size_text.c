/* SPDX-License-Identifier: MIT */
/* Units of sizes; size_text.h holds the contract. */
#include "lib/size_text.h"

#include <stdio.h>

const char *size_text(size_t bytes, char text[SIZE_TEXT_MAX])
{
	static const char letters[] = {'G', 'M', 'K'};
	static const double units[] = {1e9, 1e6, 1e3};
	for (size_t i = 0; i < sizeof(letters); i++) {
		size_t unit = (size_t)1 << (30 - 10 * i);
		if (bytes != 0 && bytes % unit == 0) {
			snprintf(text, SIZE_TEXT_MAX, "%zu %ciB", bytes / unit, letters[i]);
			return text;
		}
	}
	for (size_t i = 0; i < sizeof(letters); i++) {
		if ((double)bytes >= units[i]) {
			snprintf(text, SIZE_TEXT_MAX, "%.1f %cB", (double)bytes / units[i], i == 2 ? 'k' : letters[i]);
			return text;
		}
	}
	snprintf(text, SIZE_TEXT_MAX, "%zu bytes", bytes);
	return text;
}
