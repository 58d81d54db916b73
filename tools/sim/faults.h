/* SPDX-License-Identifier: MIT */
/* The table of faults; faults.def is its source. */
#ifndef SLUICE_TOOLS_SIM_FAULTS_H
#define SLUICE_TOOLS_SIM_FAULTS_H

#include <stdio.h>

#include "lib/span.h"

enum fault_stage {
	FAULT_STAGE_NONE,
	FAULT_STAGE_LISTEN,
	FAULT_STAGE_HEAD,
	FAULT_STAGE_BODY,
	FAULT_STAGE_CONTENT,
	FAULT_STAGE_TAIL,
	FAULT_STAGE_CONNECTION,
	FAULT_STAGE_DRESS
};

enum fault {
	FAULT_NONE,
#define FAULT(symbol, name, row, stage, doc) FAULT_##symbol,
#include "tools/sim/faults.def"
#undef FAULT
	FAULT_COUNT
};

struct fault_row {
	const char *name;
	int row; /* of the fault table, 0 = none */
	enum fault_stage stage;
	const char *doc;
};

/* The row of a fault; FAULT_NONE is named "none". fault must be in range. */
const struct fault_row *fault_row(enum fault fault);

/* The fault of a name; "none" is FAULT_NONE; FAULT_COUNT when there is none. */
enum fault fault_find(struct span name);

/* Prints the table, a line per fault. */
void fault_print(FILE *out);

#endif
