/* SPDX-License-Identifier: MIT */
/*
 * The pieces of an answer, whatever its dialect. An event tells what it carries and keeps the bytes that it came in;
 * its deltas, which say the same without any dialect, are made when somebody asks for them.
 *
 * A run of a plan gives any number of CHUNK and USAGE events (a streamed answer) or of BODY events (a whole one), then
 * exactly one END or ERROR, then nothing. An event borrows everything that it points to: whoever keeps some of it past
 * the callback makes a copy.
 */
#ifndef SLUICE_SCHEMAS_EVENT_H
#define SLUICE_SCHEMAS_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/span.h"

struct arena;
struct config_plan;
struct dialect;
struct failure;
struct json;

/* Token counts as the backend told them; -1 = not told. */
struct usage {
	int64_t prompt_tokens;
	int64_t completion_tokens;
	int64_t total_tokens;
	int64_t cache_read;  /* of the prompt, those that the backend had in its cache; 0 or less: none are known of */
	int64_t cache_write; /* and those that it put there */
};

/* A count beyond is none. It bounds sums: a backend may say anything. */
#define USAGE_MOST INT64_C(1000000000)

#define USAGE_UNKNOWN ((struct usage){-1, -1, -1, -1, -1})

/* Adds what b knows to a (unknown counts as 0 once either is known). */
void usage_add(struct usage *a, const struct usage *b);

/* Returns whether some count was told. */
static inline bool usage_is_known(const struct usage *usage)
{
	return usage->prompt_tokens >= 0 || usage->completion_tokens >= 0 || usage->total_tokens >= 0;
}

/* Gives share of a total to each weight, in proportion; they add up to the total. A total less than 0 is not known. */
void usage_share_out(int64_t total, const uint64_t *weights, size_t count, int64_t *shares);

/* What an event carries; several at once are common. */
enum {
	CARRIES_ROLE = 1,       /* a choice begins */
	CARRIES_CONTENT = 2,    /* generated content of any kind, not empty */
	CARRIES_FINISH = 4,     /* a choice has finished */
	CARRIES_USAGE = 8,      /* token counts */
	CARRIES_ERROR = 16,     /* an error, of the answer or of a choice */
	CARRIES_NO_CHOICE = 32, /* nothing of any choice */
};

enum part {
	PART_CHOICE,         /* the choice has a place in the event: the first of its deltas, without a text */
	PART_ROLE,           /* text: the role of who speaks */
	PART_TEXT,           /* text: what the model says */
	PART_REFUSAL,        /* text: why the model does not say more */
	PART_REASONING,      /* text: what the model thinks; name: how the dialect calls that */
	PART_TOOL_BEGIN,     /* a call of a tool. text: some of the tool's name; name: the call's id */
	PART_TOOL_TYPE,      /* text: what kind of tool is called */
	PART_TOOL_ARGUMENTS, /* text: some of the JSON text of its arguments */
	PART_ANNOTATION,     /* text: a JSON token, such as a list of citations; name: its member */
	PART_LOGPROBS,       /* text: a JSON token, a list by token; name: its member */
	PART_SOUND,          /* text: a JSON token of what is heard; name: its member */
	PART_OPAQUE,         /* text: a JSON token that only the dialect understands; name: its member */
	PART_ODD,            /* name: a member that should have a text and has something else */
	PART_FINISH,         /* text: why the choice ends, in the dialect's word */
	PART_ORIGIN,         /* text: the target which a choice of a gathered answer came from */
};

/* A piece of one choice. Texts are decoded; {NULL,0} = not told. */
struct delta {
	enum part part;
	int64_t choice;
	int64_t tool;  /* the position of the call that it belongs to; -1 = none */
	uint32_t node; /* where the dialect found it */
	struct span text;
	struct span name;
};

/* The deltas of one event, or of a whole answer: those of a choice follow each other. In an arena. */
struct deltas {
	const struct delta *list;
	size_t count;
	size_t choices; /* that have a place in it */
};

/* What a streamed answer's first event, or a whole answer, is called; {NULL,0} and -1: not told. */
struct answer_identity {
	struct span id;
	struct span model;
	int64_t created; /* Unix seconds */
};

/* Values, and names of members, that a streamed event may have: whoever handles it reads it in one turn of a loop. */
enum { EVENT_VALUES = 131072 };

enum event_kind {
	EVENT_CHUNK, /* one event of a streamed answer */
	EVENT_USAGE, /* usage that the client did not ask for: for our books only */
	EVENT_BODY,  /* bytes of a whole answer */
	EVENT_END,   /* the answer is complete */
	EVENT_ERROR, /* the answer failed; nothing more will come */
};

/* What an answer of another dialect leaves behind its translation. */
struct event_origin {
	const struct dialect *dialect; /* of the backend */
	/* CHUNK, BODY, END: the bytes that came, of the event and of those before it that told nothing, ready to relay
	 * to a client of the dialect; {NULL,0} = there is none */
	struct span bytes;
	struct span
	    dropped; /* the first CHUNK or BODY of a target: what of the request its backend was not told: paths */
};

struct event {
	enum event_kind kind;
	const struct config_plan *target; /* the leaf that answers; NULL for what was gathered from several */
	const struct dialect *dialect;    /* CHUNK, BODY: of the data */
	unsigned carries;                 /* CHUNK: CARRIES_* */
	struct span data;                 /* CHUNK: the JSON text; BODY: bytes */
	const struct json *json; /* CHUNK: the data, read; NULL = it was not, as after a rewrite or in a copy */
	struct span raw; /* CHUNK: the backend's own bytes, ready to relay; {NULL,0} = frame the data anew; END: bytes
			  * before the end that belong to no event */
	const struct event_origin
	    *origin;                   /* of an answer that was translated; NULL = it was not, or others changed it */
	int64_t total;                 /* BODY: bytes of the whole body; -1 = not known */
	bool joined;                   /* an answer broke off, and another one goes on from here */
	bool gathered;                 /* its choices already say which target they came from */
	struct usage usage;            /* CHUNK with CARRIES_USAGE, USAGE, BODY */
	const struct failure *failure; /* ERROR */
};

/* Reads an event's data, or a whole answer. False when it is no JSON object, or when memory ran out. */
bool event_parse(struct span data, struct arena *arena, struct json *json);

/* Returns the data of a CHUNK, read: as it was, or anew, in room. NULL: as event_parse's false. */
const struct json *event_json(const struct event *event, struct arena *arena, struct json *room);

/* Returns why the first choice ended that tells it; {NULL,0} = none does. */
struct span deltas_finish(const struct deltas *deltas);

/* Gives a CHUNK other bytes than those that the backend sent. */
static inline void event_rewrite(struct event *event, struct span data)
{
	event->data = data;
	event->json = NULL;
	event->raw = (struct span){NULL, 0};
	event->origin = NULL;
}

#endif
