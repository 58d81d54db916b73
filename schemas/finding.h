/* SPDX-License-Identifier: MIT */
/* What is wrong with a document: what validation tells a client. */
#ifndef SLUICE_SCHEMAS_FINDING_H
#define SLUICE_SCHEMAS_FINDING_H

#include "lib/buf.h"
#include "lib/errors.h"
#include "lib/span.h"

enum { FINDINGS_MOST = 10 }; /* that one answer tells */

/* Which error, where, why. Spans live in the arena or are static. */
struct finding {
	enum error_code code;
	struct span message; /* {NULL,0} = the error's own text */
	struct span param;   /* path such as messages[1].role; {NULL,0} = the document itself */
	struct span loc;     /* the same as a JSON array: ["body","messages",1,"role"]; {NULL,0} = none */
	struct span input;   /* the value found, as JSON text, clipped; {NULL,0} = null */
};

/* The first is the one that message and param of an answer tell. */
struct findings {
	struct finding list[FINDINGS_MOST];
	size_t count; /* 0 = nothing is wrong */
};

/* A place for one more; NULL when there are FINDINGS_MOST. */
struct finding *finding_add(struct findings *findings);

/* Makes that finding the only one. */
void finding_only(struct findings *findings, struct finding finding);

/* Appends one of them as a JSON object; its loc must be there. */
void finding_write(struct buf *out, const struct finding *finding);

/* Appends the JSON array of error.details: [{"loc","msg","type","input"}, …]; those without loc are left out. */
void finding_write_all(struct buf *out, const struct findings *findings);

#endif
