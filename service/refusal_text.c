/* SPDX-License-Identifier: MIT */
/* Refusals by routing in words, from the table of operations; refusal_text.h holds the contract. */
#include "service/refusal_text.h"

#include "lib/ledger.h"
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

static bool is_served(const struct surface *surface, struct span path)
{
	enum operation operation = methods_at(path);
	return operation != OPERATION_COUNT && surface_serves(surface, operation);
}

static struct span without_slashes(struct span path)
{
	while (path.len > 1 && path.at[path.len - 1] == '/')
		path.len--;
	return path;
}

/* Returns the served path that a client probably meant, in the arena; {NULL,0} when none is near. */
static struct span meant(const struct surface *surface, struct span path, struct arena *arena)
{
	struct span bare = without_slashes(path);
	struct span longer = arena_printf(arena, "%s%.*s", version, SPAN_ARG(bare));
	struct span shorter = SPAN("");
	if (span_begins(bare, version))
		shorter = (struct span){bare.at + VERSION_LEN, bare.len - VERSION_LEN};
	if (bare.len > 1 && is_served(surface, bare))
		return bare;
	if (longer.at != NULL && is_served(surface, longer))
		return longer;
	return span_begins(shorter, version) && is_served(surface, shorter) ? shorter : (struct span){NULL, 0};
}

/* What the listener is for, as "POST /v1/chat/completions, …": operations under /v1, or of the admin listener all
 * others. */
static void write_served(struct buf *out, const struct surface *surface)
{
	bool first = true;
	for (enum operation operation = 0; operation < OPERATION_COUNT; operation++) {
		const struct operation_row *row = operation_row(operation);
		if (span_begins(span_of(row->path), "/v1/") == surface->admin || !surface_serves(surface, operation))
			continue;
		if (!surface->admin && row->surface != OPERATION_OF_CLIENTS)
			continue;
		buf_printf(out, "%s%s %s", first ? "" : ", ", row->method, row->path);
		first = false;
	}
}

/* Where the docs page is. */
static void write_docs(struct buf *out, const struct surface *surface, struct span path)
{
	if (surface_serves(surface, OPERATION_DOCS))
		buf_append(out, SPAN(", and describes all operations at /docs."));
	else if (span_is(path, "/") && config_admin_is_on(surface->config))
		buf_append(
		    out, SPAN(". The admin listener serves the docs page; list `docs` in `public` to serve it here."));
	else
		buf_append(out, SPAN("."));
}

struct span refusal_text_path(struct span method, struct span path, const struct surface *surface, struct arena *arena)
{
	struct span text = {NULL, 0};
	struct span near = meant(surface, clip(path, PATH_SHOWN), arena);
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
	buf_append(&out, surface->admin ? SPAN(" listener serves ") : SPAN(" gateway serves "));
	write_served(&out, surface);
	write_docs(&out, surface, path);
	if (!buf_failed(&out))
		text = arena_copy(arena, buf_span(&out));
	buf_fini(&out);
	return text;
}

struct span refusal_text_elsewhere(struct span method, struct span path, enum operation operation,
				   const struct surface *surface, struct arena *arena)
{
	const char *name = operation_public_name(operation_row(operation)->surface);
	struct span asked =
	    arena_printf(arena, "%.*s %.*s", SPAN_ARG(shown_method(method)), SPAN_ARG(clip(path, PATH_SHOWN)));
	if (surface->admin)
		return arena_printf(arena,
				    "%.*s is served by the public listeners (`listen`); the admin listener serves it "
				    "to its own docs page alone.",
				    SPAN_ARG(asked));
	if (!config_admin_is_on(surface->config))
		return arena_printf(arena,
				    "%.*s is not served, since `admin` is off; list `%s` in `public` to serve it here.",
				    SPAN_ARG(asked), name);
	return arena_printf(arena,
			    "%.*s is served by the admin listener (`admin`); list `%s` in `public` to serve it here.",
			    SPAN_ARG(asked), name);
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
	if (error == ERROR_MEMORY_FULL)
		return arena_printf(arena,
				    "The client holds all the memory that it may have at present; all requests have "
				    "%s, and one client a share of it (limits.memory).",
				    size_text(ledger_ceiling(), most));
	if (error != ERROR_BODY_TOO_LARGE)
		return (struct span){NULL, 0};
	size_text(limits->body, most);
	if (size <= limits->body)
		return arena_printf(arena, "The request body is larger than %s (limits.body).", most);
	return arena_printf(arena, "The request body has %s; the limit is %s (limits.body).", size_text(size, has),
			    most);
}
