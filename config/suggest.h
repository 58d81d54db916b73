/* SPDX-License-Identifier: MIT */
/* "Did you mean …?" in the words of a finding. */
#ifndef SLUICE_CONFIG_SUGGEST_H
#define SLUICE_CONFIG_SUGGEST_H

#include "lib/suggest.h"

/*
 * "; did you mean "WORD"?", or "" when nothing is near. text: at least
 * SUGGEST_TEXT_MAX bytes; returns text.
 */
enum { SUGGEST_TEXT_MAX = 128 };
const char *suggest_text(const struct suggestion *suggestion, char text[SUGGEST_TEXT_MAX]);

#endif
