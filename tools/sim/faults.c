/* SPDX-License-Identifier: MIT */
/* The table of faults as an array, its look-up and its printed form. */
#include "tools/sim/faults.h"

static const struct fault_row rows[] = {
    [FAULT_NONE] = {"none", 0, FAULT_STAGE_NONE, "a good answer"},
#define FAULT(symbol, name, row, stage, doc) [FAULT_##symbol] = {name, row, FAULT_STAGE_##stage, doc},
#include "tools/sim/faults.def"
#undef FAULT
};

const struct fault_row *fault_row(enum fault fault)
{
	return &rows[fault];
}

enum fault fault_find(struct span name)
{
	for (int i = 0; i < FAULT_COUNT; i++)
		if (span_is(name, rows[i].name))
			return (enum fault)i;
	return FAULT_COUNT;
}

void fault_print(FILE *out)
{
	fprintf(out, "%-22s %3s  %s\n", "fault", "row", "what the peer sees");
	for (int i = 1; i < FAULT_COUNT; i++) {
		char row[8] = "-";
		if (rows[i].row != 0)
			snprintf(row, sizeof row, "%d", rows[i].row);
		fprintf(out, "%-22s %3s  %s\n", rows[i].name, row, rows[i].doc);
	}
}
