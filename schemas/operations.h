/* SPDX-License-Identifier: MIT */
/* The table of operations; operations.def is its source. */
#ifndef SLUICE_SCHEMAS_OPERATIONS_H
#define SLUICE_SCHEMAS_OPERATIONS_H

#include "lib/errors.h"
#include "lib/span.h"
#include "schemas/endpoint.h"
#include "schemas/field.h"

struct dialect;

enum operation {
#define OPERATION(symbol, ...) OPERATION_##symbol,
#include "schemas/operations.def"
#undef OPERATION
	OPERATION_COUNT
};

enum { OPERATION_NO_ENDPOINT = -1 };

/* Which listeners serve an operation. */
enum operation_surface {
	OPERATION_OF_CLIENTS, /* those for clients */
	OPERATION_OF_ALL,     /* every one */
	/* the admin listener, and those for clients where `public` lists the name */
	OPERATION_OF_METRICS,
	OPERATION_OF_DOCS,
	OPERATION_OF_OPENAPI,
	OPERATION_OF_ADMIN
};

/* What a key must allow, where clients show keys. Every row of the table says one. */
enum operation_right {
	OPERATION_RIGHT_UNSAID, /* nobody may */
	OPERATION_FREE,         /* no key is needed */
	OPERATION_RIGHT_ANY,    /* any key will do */
	/* the word of the key's scope `endpoints` */
	OPERATION_RIGHT_CHAT,
	OPERATION_RIGHT_COMPLETIONS,
	OPERATION_RIGHT_EMBEDDINGS,
	OPERATION_RIGHT_FANOUT,
	OPERATION_RIGHT_MODELS,
	OPERATION_RIGHT_ADMIN /* the scope `admin`; free on an admin listener that only this machine reaches */
};

/* A request body that shows something: complete, and valid for the demonstration. */
struct operation_example {
	const char *name;    /* of the example in the OpenAPI document */
	const char *summary; /* one line */
	const char *body;    /* JSON text */
};

struct operation_row {
	const char *id; /* OpenAPI's operationId */
	const char *method;
	const char *path;             /* as in OpenAPI; a segment in braces is an argument: a member of answer, or… */
	const struct field *argument; /* …of that rule */
	unsigned scope;               /* ERROR_ON_* beyond those that the other members tell */
	const char *tag;
	enum operation_surface surface;
	enum operation_right right;
	int endpoint;                     /* enum endpoint, or OPERATION_NO_ENDPOINT */
	const struct dialect *dialect;    /* with an endpoint or a plan: what requests and answers are written in */
	bool plans;                       /* the request brings its own plan */
	const struct field_table *query;  /* the parameters of the query; NULL = the query is not read */
	const struct field_table *body;   /* of the request; NULL = it has none */
	const char *media_type;           /* of a good answer that is not streamed */
	const struct field_table *answer; /* of a good JSON answer; NULL = it is no JSON object of ours */
	const struct field_table *other;  /* the same for clients of the Anthropic dialect; NULL = as answer */
	const char *also;                 /* another media type that a good answer can have; NULL = none */
	bool estimates;                   /* a good answer is an estimate, and its head says so */
	const struct field_table *event;  /* of the data of a streamed answer's events; NULL = it never streams */
	bool named_events;                /* they have names: that of each is its member type, or error */
	const char *last_event;           /* the type of a stream's last event; NULL = its data is [DONE] */
	const char *failed_event; /* the type of the event that reports a failure, before the end as ever; NULL = an
				   * Error takes the place of the end */
	int unready;              /* a status besides 200 that comes with answer, or 0 */
	bool revalidates;         /* answers carry an ETag, and If-None-Match is read */
	const char *deprecated;   /* the day it was deprecated, "2026-11-23"; NULL = it is not (RFC 9745) */
	const char *sunset;       /* the day it goes away, as above; NULL = not known (RFC 8594) */
	const char *sdk;          /* how the OpenAI SDKs call it: "chat.completions.create"; NULL = they don't */
	const struct operation_example *examples; /* bodies, the first is the plainest; NULL = it has no body */
	size_t example_count;
	const char *stream_example; /* a whole streamed answer */
	const char *text_example;   /* of a good answer that is no JSON, or of also; NULL = none */
	const char *summary;        /* one line */
	const char *doc;            /* more, in Markdown; NULL = nothing to add */
};

const struct operation_row *operation_row(enum operation operation);

/* The name by which `public` lists an operation of the admin listener; NULL for others. */
const char *operation_public_name(enum operation_surface surface);

/* The scope of a key that has the right: "chat" of `endpoints`, "admin"; NULL = no key is needed. */
const char *operation_right_name(enum operation_right right);

/* Says in a sentence what a key must allow. */
const char *operation_key_needed(enum operation_right right);

/* Says in a sentence which listeners serve such operations. */
const char *operation_listeners(enum operation_surface surface);

/* The rule of the path's argument; NULL = the operation takes none. */
const struct field *operation_argument(const struct operation_row *row);

/* The groups of operations, in the order of documents. */
struct operation_tag {
	const char *name;
	const char *doc; /* one line */
};

/* Ends with a name that is NULL. */
extern const struct operation_tag operation_tags[];

/* What the operation can tell: some of ERROR_ON_*. */
unsigned operation_error_scope(const struct operation_row *row);

/* True when a client can receive that error from the operation, as a status or within a stream. */
bool operation_can_fail_with(const struct operation_row *row, enum error_code code);

/* True when path is that of the operation; *argument is then the segment in braces, where there
 * is one. */
bool operation_matches(enum operation operation, struct span path, struct span *argument);

#endif
