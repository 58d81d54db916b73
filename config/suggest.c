/* SPDX-License-Identifier: MIT */
/* The words of a suggestion; suggest.h holds the contract. */
#include "config/suggest.h"

#include <stdio.h>

#include "config/findings.h"

const char *suggest_text(const struct suggestion *suggestion, char text[SUGGEST_TEXT_MAX])
{
	char shown[FINDING_VALUE_MAX];
	text[0] = '\0';
	if (suggestion->best.at != NULL)
		snprintf(text, SUGGEST_TEXT_MAX, "; did you mean \"%s\"?", finding_value(suggestion->best, shown));
	return text;
}
