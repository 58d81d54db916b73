/* SPDX-License-Identifier: MIT */
/* sluice-sim: a simulator of an OpenAI-compatible model server, for tests and benchmarks. sim.h tours the parts. */
#include <stdio.h>
#include <stdlib.h>

#include "tools/sim/loop.h"

static void announce(const struct sim *sim)
{
	char text[64];
	printf("sluice-sim listening on %s\n", address_text(&sim->main.address, text, sizeof text));
	if (sim->control.source.fd >= 0)
		printf("sluice-sim control on %s\n", address_text(&sim->control.address, text, sizeof text));
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct sim *sim = calloc(1, sizeof *sim);
	if (sim == NULL) {
		perror("sluice-sim");
		return EXIT_FAILURE;
	}
	int status = EXIT_SUCCESS;
	enum options_result result = options_parse(&sim->options, argc, argv);
	if (result == OPTIONS_BAD)
		status = 2;
	if (result != OPTIONS_RUN)
		goto out;
	if (loop_setup(sim)) {
		announce(sim);
		loop_run(sim);
	} else {
		status = EXIT_FAILURE;
	}
	loop_teardown(sim);
out:
	free(sim);
	return status;
}
