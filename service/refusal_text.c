/* SPDX-License-Identifier: MIT */
/* Refusals by routing in words, from the table of operations; refusal_text.h holds the contract. */
#include "service/refusal_text.h"

#include "lib/size_text.h"
#include "service/methods.h"

enum { PATH_SHOWN = 128, METHOD_SHOWN = 32, TEXT_BYTES_MOST = 4096 };

static const char version[] = "/v1";
enum { VERSION_LEN = sizeof(version) - 1 };

static struct span clip(struct span text, size_t most)
{
	return text.len > most ? (struct span){text.at, most} : text;
}

/* A HEAD request has the head of a GET, and so its words. */
static struct span shown_method(struct span method)
{
	return span_is(method, "HEAD") ? SPAN("GET") : clip(method, METHOD_SHOWN);
}

static bool begins(struct span text, const char *with)
{
	size_t len = strlen(with);
	return text.len >= len && memcmp(text.at, with, len) == 0;
}

static bool is_served(struct span path)
{
	char allow[METHODS_ALLOW_SIZE];
	return methods_allow(path, allow);
}

static struct span without_slashes(struct span path)
{
	while (path.len > 1 && path.at[path.len - 1] == '/')
		path.len--;
	return path;
}

/* Returns the served path that a client probably meant, in the arena; {NULL,0} when none is near. */
static struct span meant(struct span path, struct arena *arena)
{
	struct span bare = without_slashes(path);
	struct span longer = arena_printf(arena, "%s%.*s", version, SPAN_ARG(bare));
	struct span shorter = SPAN("");
	if (begins(bare, version))
		shorter = (struct span){bare.at + VERSION_LEN, bare.len - VERSION_LEN};
	if (bare.len > 1 && is_served(bare))
		return bare;
	if (longer.at != NULL && is_served(longer))
		return longer;
	return begins(shorter, version) && is_served(shorter) ? shorter : (struct span){NULL, 0};
}

/* The operations under /v1, as "POST /v1/chat/completions, …". */
static void write_served(struct buf *out)
{
	bool first = true;
	for (enum operation operation = 0; operation < OPERATION_COUNT; operation++) {
		const struct operation_row *row = operation_row(operation);
		if (!begins(span_of(row->path), "/v1/"))
			continue;
		buf_printf(out, "%s%s %s", first ? "" : ", ", row->method, row->path);
		first = false;
	}
}

struct span refusal_text_path(struct span method, struct span path, struct arena *arena)
{
	struct span text = {NULL, 0};
	struct span near = meant(clip(path, PATH_SHOWN), arena);
	struct buf out;
	buf_init(&out, TEXT_BYTES_MOST);
	buf_append(&out, shown_method(method));
	buf_append(&out, SPAN(" "));
	buf_append(&out, clip(path, PATH_SHOWN));
	buf_append(&out, SPAN(" is not served"));
	if (near.at != NULL)
		buf_printf(&out, "; did you mean %.*s?", SPAN_ARG(near));
	if (near.at != NULL && near.len != without_slashes(path).len)
		buf_printf(&out, " OpenAI clients' base URL ends in %s, once.", version);
	buf_append(&out, near.at != NULL ? SPAN(" This") : SPAN("; this"));
	buf_append(&out, SPAN(" gateway serves "));
	write_served(&out);
	buf_append(&out, SPAN(", and describes all operations at /docs."));
	if (!buf_failed(&out))
		text = arena_copy(arena, buf_span(&out));
	buf_fini(&out);
	return text;
}

struct span refusal_text_method(struct span method, struct span path, const char *allow, struct arena *arena)
{
	return arena_printf(arena, "%.*s is not allowed for %.*s; allowed: %s.", SPAN_ARG(shown_method(method)),
			    SPAN_ARG(clip(path, PATH_SHOWN)), allow);
}

struct span refusal_text_size(enum error_code error, size_t size, const struct config_limits *limits,
			      struct arena *arena)
{
	char most[SIZE_TEXT_MAX], has[SIZE_TEXT_MAX];
	if (error == ERROR_HEADERS_TOO_LARGE)
		return arena_printf(arena, "The request headers are too large; the limit is %s (limits.header_list).",
				    size_text(limits->header_list, most));
	if (error == ERROR_BODIES_FULL)
		return arena_printf(arena,
				    "There is no room for a request body of %s at present; all bodies of running "
				    "requests have %s, and one client a share of it (limits.bodies).",
				    size_text(size, has), size_text(limits->bodies, most));
	if (error != ERROR_BODY_TOO_LARGE)
		return (struct span){NULL, 0};
	size_text(limits->body, most);
	if (size <= limits->body)
		return arena_printf(arena, "The request body is larger than %s (limits.body).", most);
	return arena_printf(arena, "The request body has %s; the limit is %s (limits.body).", size_text(size, has),
			    most);
}
