/* SPDX-License-Identifier: MIT */
/* The examples for shells, run against a service whose models have other names than the demonstration's. */
#include <stdio.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"
#include "tests/scenario/harness/sluice.h"

static struct sluice *start(void)
{
	struct sim *sim = sim_start(NULL);
	return sluice_start("backends:\n  sim: { url: 'http://127.0.0.1:%d/v1' }\n"
			    "models:\n  first/one: sim/count;tokens=3\n"
			    "  every: { all: [sim/count;tokens=3, sim/count;tokens=2] }\n",
			    sim->port);
}

/* Runs examples/curl.sh, with SLUICE_MODEL unless model is NULL, and appends what it prints. */
static void run(const struct sluice *sluice, const char *model, struct bytes *out)
{
	static const char *const arguments[] = {"/bin/sh", "examples/curl.sh", NULL};
	char url[80], chosen[80];
	snprintf(url, sizeof url, "SLUICE_URL=http://127.0.0.1:%d/v1", sluice->port);
	snprintf(chosen, sizeof chosen, "SLUICE_MODEL=%s", model == NULL ? "" : model);
	const char *const environment[] = {url, chosen, NULL};
	struct proc *proc = proc_start("curl", arguments, environment);
	int status = proc_wait(proc);
	proc_read(proc, PROC_STDOUT, out);
	if (status != 0)
		fail_msg("exit %d\n%s", status, bytes_text(out));
}

static void the_shell_example_works_with_the_first_model(void **state)
{
	struct bytes out = {0};
	(void)state;
	run(start(), NULL, &out);
	check_contains(&out, "\"first_id\":\"first/one\"");
	check_contains(&out, "data: [DONE]");
	check_contains(&out, "event: result");
	check_contains(&out, "\"object\":\"embedding\"");
	check_lacks(&out, "\"error\":{");
	bytes_free(&out);
}

static void the_shell_example_works_with_any_model(void **state)
{
	struct bytes out = {0};
	(void)state;
	run(start(), "every", &out);
	check_contains(&out, "\"sluice_target\"");
	check_contains(&out, "data: [DONE]");
	check_contains(&out, "event: result");
	check_contains(&out, "gathers several answers, which embeddings do not have");
	bytes_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(the_shell_example_works_with_the_first_model),
	    SCENARIO(the_shell_example_works_with_any_model),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
