/* SPDX-License-Identifier: MIT */
/*
 * A wire format as the service knows it: a table of what can be done in it. Nothing in the service names a particular
 * one; dialect.c lists all. A dialect keeps no state of its own: its functions may be called on any thread.
 *
 * What an answer says is told by deltas (event.h). Functions that change an answer but not its dialect edit the
 * document instead, so that members which no delta tells keep their bytes.
 */
#ifndef SLUICE_SCHEMAS_DIALECT_H
#define SLUICE_SCHEMAS_DIALECT_H

#include "lib/buf.h"
#include "lib/json.h"
#include "schemas/embeddings.h"
#include "schemas/endpoint.h"
#include "schemas/event.h"
#include "schemas/request.h"
#include "schemas/translation.h"

struct assembly;
struct error_told;
struct sse_event;

/* What a backend's error says. Spans borrow the body, or live in the arena; {NULL,0} = not said. */
struct backend_error {
	struct span message;
	struct span code; /* a word such as "model_not_found"; a number is the status */
	struct span type;
	int status;  /* the HTTP status that it names, from 400 to 599; 0 = none */
	bool object; /* the body has the dialect's own form */
	bool choice; /* a choice failed: why it ended is the type, or it holds an error */
};

/* What an event or a whole answer of a dialect says that is translated. */
struct answer_told {
	struct deltas deltas; /* of one choice; without any: usage alone */
	struct answer_identity identity;
};

/* A streamed event or a whole answer, as far as a target must know it to pass it on. */
struct answer_reading {
	unsigned carries;
	bool too_large;                    /* it could not be read: it has more values than a loop's turn may take */
	struct usage usage;                /* with CARRIES_USAGE */
	const struct backend_error *error; /* with CARRIES_ERROR: in the arena; NULL = memory ran out */
	size_t content;                    /* bytes of the generated content in an event, about */
	struct span repaired; /* {NULL,0} when it is fine as it is; else the whole data with repairs, in the arena */
	struct json json;     /* of the data as it came */
	bool more;            /* the event says more: it is read once more */
	bool alive;           /* with STREAM_NOTHING: the backend works on the answer all the same */
	const struct answer_told *told; /* of a dialect whose answers are translated: what it says, in the arena */
};

/* What the next event of a stream is. */
enum stream_step {
	STREAM_EVENT,   /* a piece of the answer, which may tell of an error */
	STREAM_END,     /* the backend says that the answer is complete */
	STREAM_NOTHING, /* nothing of the answer */
	STREAM_BROKEN,  /* it cannot be read: it is malformed or too large, or memory ran out */
};

/* What a whole answer that passes in pieces has come to. */
enum watch_step {
	WATCH_FINE,
	WATCH_BROKEN, /* no document of the dialect */
	WATCH_FAILED, /* it reports a failure */
	WATCH_CUT,    /* it ends before the document does */
};

/* How the members of an event or answer change when it becomes part of a gathered answer. */
struct answer_lane {
	struct span id;     /* replaces the id */
	struct span model;  /* replaces the model's name */
	struct span target; /* each choice is marked with it */
	int64_t index_base; /* added to each choice's index */
};

/* Where a value lies, in bytes of its document; start = end: nowhere. */
struct answer_mark {
	size_t start, end;
};

/* Where a whole answer has what is replaced when it is told once more. They do not overlap. */
struct answer_marks {
	struct answer_mark id, created;
};

struct answer_replay {
	const struct dialect *dialect; /* of the body */
	enum endpoint endpoint;        /* chat or completions; of embeddings there are no chunks */
	struct span body;              /* the whole answer */
	struct answer_marks marks;     /* of the body */
	struct span id;                /* fresh, of bytes that JSON has as they are; {NULL,0} = that of the body */
	int64_t created;               /* Unix seconds; -1 = that of the body */
	bool include_usage;            /* a last chunk tells the usage */
};

/* How large the input of a request is, for an estimate of its tokens. */
struct input_size {
	struct span model; /* decoded; {NULL,0} = the body names none */
	size_t text;       /* bytes of JSON, without what follows */
	size_t images;
	size_t documents; /* bytes of documents in base64 */
};

enum { ANSWER_ID_SIZE = 48 };

struct dialect {
	const char *name;  /* as the configuration calls it */
	const char *field; /* a header field that its clients send, and no others; NULL = none */
	bool tells;        /* requests become those of another dialect, and answers in that one are told anew */
	bool names_events; /* the events of a stream have names */
	bool keeps_errors; /* of one that tells: its errors are those of the other dialect */

	/* ---- requests ---- */

	/* Returns the path below a backend's base URL; NULL: backends of the dialect do not have the endpoint. */
	const char *(*endpoint_path)(enum endpoint endpoint);
	/* How a backend is shown its key: what stands before it in the head, such as "x-api-key: "; NULL = as a bearer.
	 */
	const char *key_line;
	/* Further lines of the head, each with its end; NULL = none. */
	const char *head_lines;
	/* The field of a client's head that goes on to backends of the dialect; {NULL,0} = there is none. */
	struct span options_field;
	/* Decodes and validates a body (borrowed) of request->endpoint; as request_decode(). */
	bool (*request_decode)(struct request *request, struct arena *arena, struct span body,
			       const struct json_limits *limits, struct findings *findings);
	/* Validates a decoded request by the strict rules as well. False with findings. */
	bool (*request_check_strict)(const struct request *request, struct arena *arena, struct findings *findings);
	/*
	 * Makes the body for a target: the client's own bytes but for what splice says. Appends it up to the last
	 * change; the rest, which is returned, are the request's own bytes. Failure is the buffer's.
	 */
	struct span (*request_splice)(const struct request *request, const struct request_splice *splice,
				      struct buf *out);
	/* Returns by how many bytes the body may grow. */
	size_t (*splice_growth)(const struct request_splice *splice);
	/* Returns whether an answer that began with text, of at least spent tokens, can be gone on with as a prefill.
	 */
	bool (*takes_prefill)(const struct request *request, struct span text, int64_t spent, struct arena *scratch);
	/* Returns whether the answer is to be JSON. */
	bool (*wants_json)(const struct request *request);
	/* Returns whether the client means the same request to have the same answer. */
	bool (*is_repeatable)(const struct request *request);
	/* Returns whether the answer may be told in another form than it came in, and nothing is lost. */
	bool (*is_convertible)(const struct request *request);
	/* Returns whether an answer may be kept and given again, if the request is contained. Never OUTSIDE. */
	enum request_caching (*caching)(const struct request *request);
	/* Returns whether the request refers to nothing outside of it. */
	bool (*is_contained)(const struct request *request);
	/* Appends the body in the form in which requests are compared. Failures are the buffer's and the arena's. */
	void (*write_canonical)(const struct request *request, struct arena *scratch, struct buf *out);
	/* Returns a hash of how the request begins: requests that share it can share a backend's KV cache. */
	uint64_t (*prefix)(const struct request *request);

	/* ---- requests of another dialect, translated for a backend of this one ---- */

	/* Returns which member asks for what no backend of the dialect can do; {NULL,0}: none. */
	struct span (*request_misfit)(const struct request *request);
	/* Appends the body that asks for the same. Of a request that came in this dialect these are its own bytes, but
	 * for what splice says. Failures are the buffer's and the arena's. */
	void (*request_translate)(const struct translation *translation);

	/* ---- streams of a backend ---- */

	/* Bytes of what must be remembered of one stream, and the begin of one. */
	size_t stream_size;
	void (*stream_begin)(void *stream, enum endpoint endpoint);
	/* Reads the next event. scratch: for what is read, reset by the caller between events. */
	enum stream_step (*stream_read)(void *stream, const struct sse_event *sse, struct arena *scratch,
					struct answer_reading *reading);
	/* Returns whether that many choices, and all that began, have finished. */
	bool (*stream_is_finished)(const void *stream, int64_t choices);

	/* ---- whole answers of a backend ---- */

	/* Reads one. False when it is malformed, or when memory ran out. */
	bool (*answer_read)(enum endpoint endpoint, struct span body, struct arena *scratch,
			    struct answer_reading *reading);
	/* Bytes of what must be remembered of an answer that passes in pieces, and the begin of one. */
	size_t watch_size;
	void (*watch_begin)(void *watch, enum endpoint endpoint);
	enum watch_step (*watch_add)(void *watch, struct span piece);
	/* Returns whether the answer may end here. BROKEN: it is a document, but no answer. */
	enum watch_step (*watch_end)(const void *watch);

	/* ---- errors of a backend ---- */

	/* Reads the body of an error status. False when it says nothing. */
	bool (*error_read)(struct span body, struct arena *arena, struct backend_error *error);

	/* ---- what answers say ---- */

	/* Reads the deltas of an event's data, or of a whole answer. False when it has no choices, or when memory ran
	 * out. */
	bool (*deltas_read)(const struct json *json, struct arena *arena, struct deltas *deltas);
	/* Reads what an answer is called; in the arena. */
	void (*identity_read)(const struct json *json, struct arena *arena, struct answer_identity *identity);
	/*
	 * Appends the whole answer that was put together; usage last, if any of it is known. False, with nothing
	 * appended, after a failure, or when nothing was added.
	 */
	bool (*answer_write)(const struct assembly *assembly, enum endpoint endpoint,
			     const struct answer_identity *identity, const struct usage *usage, struct buf *out);
	/* Appends usage as an object; an unknown count is 0, an unknown total the sum. */
	void (*usage_write)(struct buf *out, enum endpoint endpoint, const struct usage *usage);
	/* Appends the data of an event with those deltas of one choice, at most one for each part and tool. */
	void (*event_write)(struct buf *out, enum endpoint endpoint, const struct answer_identity *identity,
			    const struct deltas *deltas);
	/* Appends the data of an event that tells nothing but usage. */
	void (*usage_event_write)(struct buf *out, enum endpoint endpoint, const struct answer_identity *identity,
				  const struct usage *usage);

	/* ---- answers to clients ---- */

	/* Appends the last event of a stream, framed. Failure is the buffer's. */
	void (*stream_end_write)(struct buf *out);
	/* Returns a fresh id of an answer, in room. */
	struct span (*make_id)(enum endpoint endpoint, char room[ANSWER_ID_SIZE]);
	/* Appends the body of an error, or the data of an event that reports one; and the error object alone. */
	void (*error_write)(struct buf *out, const struct error_told *told);
	void (*error_write_object)(struct buf *out, const struct error_told *told);
	/* Appends a backend's error body with details (a JSON array) added. False, with nothing appended, when it has
	 * no room for them. */
	bool (*error_add_details)(struct span body, struct span details, struct arena *scratch, struct buf *out);

	/* Returns the id of the stored answer that a request goes on from, by a glance at its body; borrowed from it.
	 * {NULL,0}: it seems to go on from none. NULL: no request does. */
	struct span (*previous_glance)(struct span body);

	/* ---- counting the tokens of a request ---- */

	/* Reads a body (borrowed) whose tokens are to be counted, and measures it, with the conversation that it goes
	 * on from, which is in memory (NULL: nothing is kept). False with findings, as request_decode; size->model is
	 * set where the body names one. NULL: the dialect has no such requests. */
	bool (*count_read)(struct span body, const struct json_limits *limits, const struct request_memory *memory,
			   struct arena *arena, struct findings *findings, struct input_size *size);
	/* Appends the answer. */
	void (*count_write)(struct buf *out, uint64_t tokens);

	/* ---- lists of models ---- */

	/* Appends a model, whose name is given, as an object; and what a list of them begins with, up to the first. */
	void (*model_write)(struct buf *out, struct span name);
	void (*models_begin)(struct buf *out);

	/* ---- answers of another dialect, told to this one's clients; only where `tells` ---- */

	/* Bytes of what must be remembered of one answer, its begin and its end. request: borrowed until the end. */
	size_t teller_size;
	void (*teller_init)(void *teller, const struct request *request);
	void (*teller_fini)(void *teller);
	/* Appends the events, framed, that tell what an event says; and those that end the stream. usage: USAGE_UNKNOWN
	 * = it told none. False when it cannot be told; when memory ran out, out has failed as well. */
	bool (*teller_add)(void *teller, const struct deltas *deltas, const struct usage *usage,
			   const struct answer_identity *identity, struct buf *out);
	bool (*teller_end)(void *teller, struct buf *out);
	/* Appends the end of a stream that failed, framed. False when memory ran out. */
	bool (*teller_fail)(void *teller, const struct error_told *told, struct buf *out);
	/* Appends the whole answer that those deltas tell, instead of a stream. False as above. NULL: answer_write
	 * does.
	 */
	bool (*teller_whole)(void *teller, const struct deltas *deltas, const struct usage *usage,
			     const struct answer_identity *identity, struct buf *out);

	/* ---- answers that are kept ---- */

	/* Returns whether a whole answer may be kept: it is complete; any: however it ended, but for a filter. */
	bool (*answer_is_keepable)(const struct json *json, bool any);
	/* Returns the marks of a whole answer. */
	struct answer_marks (*replay_marks)(const struct json *json);
	/* Appends the whole answer with the fresh id and time. The body is not read. False when out of memory. */
	bool (*replay_whole)(const struct answer_replay *replay, struct buf *out);
	/* Appends the stream that the whole answer amounts to, and its end. *events: how many; may be NULL. False when
	 * it has no choices, or when memory ran out. */
	bool (*replay_stream)(const struct answer_replay *replay, struct buf *out, uint64_t *events);
	/* What is done with embeddings; NULL: the dialect has none. */
	const struct dialect_embeddings *embeddings;

	/* ---- edits: other bytes stay ---- */

	/* Appends an event's data with those counts. False, with nothing appended, when it tells no usage. */
	bool (*event_set_usage)(struct span data, const struct usage *usage, struct arena *scratch, struct buf *out);
	/*
	 * Appends what stands beside the usage of an event without choices, for a client that did not ask for usage.
	 * False when there is nothing.
	 */
	bool (*event_hide_usage)(const struct json *json, enum endpoint endpoint, struct buf *out);
	/* Appends an event's data as part of a gathered answer. False when it has no choices. */
	bool (*event_set_lane)(struct span data, const struct answer_lane *lane, struct arena *scratch,
			       struct buf *out);
	/*
	 * Returns an event's data as a part of the answer with that identity: without a role, and of the text of delta
	 * i without the first heard[i] bytes; heard: NULL = with all of it. In the arena; {NULL,0} when memory ran out.
	 */
	struct span (*event_rejoin)(const struct json *json, const struct deltas *deltas, const size_t *heard,
				    const struct answer_identity *identity, struct arena *arena);
	/* Appends a whole answer with usage in place of its own. Nothing known: as it is. False when it has no choices.
	 */
	bool (*answer_set_usage)(struct span body, const struct usage *usage, struct arena *scratch, struct buf *out);
	/*
	 * Appends one whole answer made of several: the members of the first, the choices of all in order, each marked
	 * with its target, and usage summed. bodies[i] belongs to lanes[i], whose index_base is set here. False when
	 * one has no choices.
	 */
	bool (*answers_merge)(const struct span *bodies, struct answer_lane *lanes, size_t count, struct arena *scratch,
			      struct buf *out);
};

/* Returns the dialect of that name; NULL when there is none. */
const struct dialect *dialect_find(const char *name);

/* Returns the dialect of answers that belong to no request of another one: refusals, and the service's own operations.
 */
const struct dialect *dialect_default(void);

/* Returns the dialect whose clients send that header field, in lower case; NULL when there is none. */
const struct dialect *dialect_by_field(struct span name);
/* Returns all such fields, by commas. */
struct span dialect_fields(void);

/* Reads the deltas of a CHUNK, or of a BODY that is a whole answer; as deltas_read. */
bool event_deltas(const struct event *event, struct arena *arena, struct deltas *deltas);

#endif
