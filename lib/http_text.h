/* SPDX-License-Identifier: MIT */
/* The small grammar that header fields share (RFC 9110, section 5.6): tokens, lists, blanks around them. */
#ifndef SLUICE_LIB_HTTP_TEXT_H
#define SLUICE_LIB_HTTP_TEXT_H

#include "lib/span.h"

/* Without the spaces and tabs at both ends. */
struct span http_trim(struct span text);

/* Takes what is in front of the next separator, trimmed, off *rest; *rest is {NULL,0} behind the last. */
struct span http_take(struct span *rest, char separator);

/* As http_is_word, for a word of the text's length. */
bool http_is_word_of_length(struct span text, const char *word);

/* True when text is word, whatever the case of its ASCII letters. word: in lower case. */
static inline bool http_is_word(struct span text, const char *word)
{
	return text.len == strlen(word) && http_is_word_of_length(text, word);
}

/* True when text is a token: a method, a field's name. */
bool http_is_token(struct span text);

/* True when text may be a field's value: no control characters but tabs; bytes above 127 are opaque and allowed (RFC
 * 9110, section 5.5). */
bool http_is_field_value(struct span text);

#endif
