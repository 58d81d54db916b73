/* SPDX-License-Identifier: MIT */
/* One finding about a document: what validation tells a client. */
#ifndef SLUICE_SCHEMAS_FINDING_H
#define SLUICE_SCHEMAS_FINDING_H

#include "lib/errors.h"
#include "lib/span.h"

/* Which error, where, why. Spans live in the arena or are static. */
struct finding {
	enum error_code code;
	struct span message; /* {NULL,0} = the error's own text */
	struct span param;   /* path such as messages[1].role; {NULL,0} = the document itself */
};

#endif
