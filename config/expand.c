/* SPDX-License-Identifier: MIT */
/* Expansion of ${…}; expand.h holds the rules. Problems name variables and files, never their content. */
#include "config/expand.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/findings.h"
#include "lib/buf.h"

enum { EXPAND_TEXT_MAX = 1 << 20, EXPAND_FILE_MAX = 65536, EXPAND_PATH_MAX = 4096 };

/* printf into the problem; always false. */
#define REFUSE(out, ...) (snprintf((out)->problem, sizeof((out)->problem), __VA_ARGS__), false)

static bool is_name(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.at[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
		if (!letter && (i == 0 || c < '0' || c > '9'))
			return false;
	}
	return name.len != 0;
}

/* The bytes of an open file, without the one line end at their end. */
static bool append_stream(struct buf *text, FILE *file, const char *shown, struct expansion *out)
{
	char bytes[EXPAND_FILE_MAX + 1];
	size_t len = fread(bytes, 1, sizeof(bytes), file);
	if (ferror(file))
		return REFUSE(out, "the file \"%s\" cannot be read: %s", shown, strerror(errno));
	if (len > EXPAND_FILE_MAX)
		return REFUSE(out, "the file \"%s\" is larger than 64KiB", shown);
	if (memchr(bytes, '\0', len) != NULL)
		return REFUSE(out, "the file \"%s\" holds a NUL character", shown);
	if (len > 0 && bytes[len - 1] == '\n')
		len--;
	if (len > 0 && bytes[len - 1] == '\r')
		len--;
	buf_append(text, (struct span){bytes, len});
	explicit_bzero(bytes, sizeof(bytes));
	return true;
}

static bool append_file(struct buf *text, const char *path, const char *shown, struct expansion *out)
{
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return REFUSE(out, "the file \"%s\" cannot be read: %s", shown, strerror(errno));
	bool done = append_stream(text, file, shown, out);
	fclose(file);
	out->from_file = true;
	return done;
}

static bool expand_file(struct buf *text, struct span path, const char *directory, struct expansion *out)
{
	char name[EXPAND_PATH_MAX];
	char shown[FINDING_VALUE_MAX];
	finding_value(path, shown);
	bool absolute = path.len != 0 && path.at[0] == '/';
	int len = snprintf(name, sizeof(name), "%s%.*s", absolute ? "" : directory, SPAN_ARG(path));
	if (path.len == 0 || len < 0 || (size_t)len >= sizeof(name))
		return REFUSE(out, "expected the path of a file in ${file:PATH}");
	return append_file(text, name, shown, out);
}

/* A credential is a file of its name in the directory that systemd.exec(5) describes. */
static bool expand_credential(struct buf *text, struct span credential, struct expansion *out)
{
	char name[EXPAND_PATH_MAX];
	char shown[FINDING_VALUE_MAX];
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	finding_value(credential, shown);
	if (credential.len == 0 || memchr(credential.at, '/', credential.len) != NULL || credential.at[0] == '.')
		return REFUSE(out, "expected the name of a credential in ${credential:NAME}");
	if (directory == NULL || *directory == '\0')
		return REFUSE(out,
			      "the credential \"%s\" cannot be read: systemd passed none on (CREDENTIALS_DIRECTORY is "
			      "not set); expected LoadCredential= in the unit",
			      shown);
	int len = snprintf(name, sizeof(name), "%s/%.*s", directory, SPAN_ARG(credential));
	if (len < 0 || (size_t)len >= sizeof(name))
		return REFUSE(out, "the path of the credential is too long");
	return append_file(text, name, shown, out);
}

/* inside: NAME or NAME:-default. */
static bool expand_variable(struct buf *text, struct span inside, struct expansion *out)
{
	const char *mark = memmem(inside.at, inside.len, ":-", 2);
	struct span name = {inside.at, mark == NULL ? inside.len : (size_t)(mark - inside.at)};
	struct span standard = {"", 0};
	if (mark != NULL)
		standard = (struct span){mark + 2, inside.len - name.len - 2};
	char string[128]; /* no longer name is in use anywhere */
	if (!is_name(name) || name.len >= sizeof(string))
		return REFUSE(
		    out, "expected ${NAME}, ${NAME:-default}, ${file:PATH} or ${credential:NAME}, and $$ for a dollar "
			 "sign");
	if (memmem(standard.at, standard.len, "${", 2) != NULL)
		return REFUSE(out, "the default of ${%.*s} holds another ${…}; they do not nest", SPAN_ARG(name));
	memcpy(string, name.at, name.len);
	string[name.len] = '\0';
	const char *value = getenv(string);
	if (value == NULL && mark == NULL)
		return REFUSE(out, "the environment variable %s is not set; set it, or write ${%s:-default}", string,
			      string);
	bool missing = value == NULL || *value == '\0';
	buf_append(text, missing && mark != NULL ? standard : span_of(value));
	return true;
}

/* Takes the prefix away from a text that begins with it; else false. */
static bool take_prefix(struct span *text, const char *prefix)
{
	size_t len = strlen(prefix);
	if (text->len < len || memcmp(text->at, prefix, len) != 0)
		return false;
	*text = (struct span){text->at + len, text->len - len};
	return true;
}

/* at: behind "${". Advances *at behind the closing brace. */
static bool expand_reference(struct buf *text, const char **at, const char *end, const char *directory,
			     struct expansion *out)
{
	const char *close = memchr(*at, '}', (size_t)(end - *at));
	if (close == NULL)
		return REFUSE(out, "a ${ is not closed by a }; write $${ for the characters themselves");
	struct span inside = {*at, (size_t)(close - *at)};
	out->tainted = true;
	*at = close + 1;
	if (take_prefix(&inside, "file:"))
		return expand_file(text, inside, directory, out);
	if (take_prefix(&inside, "credential:"))
		return expand_credential(text, inside, out);
	return expand_variable(text, inside, out);
}

static bool expand_all(struct buf *text, struct span raw, const char *directory, struct expansion *out)
{
	const char *at = raw.at;
	const char *end = raw.at + raw.len;
	while (at < end) {
		const char *dollar = memchr(at, '$', (size_t)(end - at));
		size_t plain = (size_t)((dollar == NULL ? end : dollar) - at);
		buf_append(text, (struct span){at, plain});
		at += plain;
		if (dollar == NULL)
			break;
		bool reference = dollar + 1 < end && dollar[1] == '{';
		if (!reference) {
			buf_append(text, SPAN("$"));
			at += dollar + 1 < end && dollar[1] == '$' ? 2 : 1;
			continue;
		}
		at += 2;
		if (!expand_reference(text, &at, end, directory, out))
			return false;
	}
	return true;
}

bool expand(struct arena *arena, struct span raw, const char *directory, struct expansion *out)
{
	*out = (struct expansion){.text = {"", 0}};
	struct buf text;
	buf_init(&text, EXPAND_TEXT_MAX);
	bool done = expand_all(&text, raw, directory, out);
	if (done) {
		out->text = arena_copy(arena, buf_span(&text));
		if (buf_failed(&text) || out->text.at == NULL)
			done = REFUSE(out, "the value is too large");
	}
	if (text.bytes != NULL)
		explicit_bzero(text.bytes, text.capacity);
	buf_fini(&text);
	return done;
}
