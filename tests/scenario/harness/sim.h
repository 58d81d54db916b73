/* SPDX-License-Identifier: MIT */
/* The real model simulator as a backend, and what it saw. See docs/simulator.md. */
#ifndef SLUICE_TESTS_HARNESS_SIM_H
#define SLUICE_TESTS_HARNESS_SIM_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "tests/scenario/harness/proc.h"

struct sim {
	struct proc *proc;
	int port;         /* plays the backend */
	int control_port; /* answers our questions, also while faults keep the other closed */
};

/* Starts build/sluice-sim (SLUICE_SIM) without pauses of its own, plus options up to NULL. Ended at tear-down. */
struct sim *sim_start(const char *const options[]);

/* GET /sim/calls: the array of calls, oldest first. The caller deletes it. */
cJSON *sim_calls(const struct sim *sim);

/* As sim_calls, with the headers and bodies of the requests. */
cJSON *sim_calls_told(const struct sim *sim);

/* Calls so far whose model string holds that text. */
size_t sim_call_count(const struct sim *sim, const char *model);

/* A member of the newest call whose model string holds that text; fails the test when there is no such call. */
double sim_call_number(const struct sim *sim, const char *model, const char *member);

/* Fails unless the request of the newest such call holds that text. */
void sim_check_body(const struct sim *sim, const char *model, const char *part);

/* When the peer of the newest such call left, on clock_us; waits for it (hang guard). */
uint64_t sim_wait_left(const struct sim *sim, const char *model);

/* Waits until that many calls whose model string holds that text began. */
void sim_wait_calls(const struct sim *sim, const char *model, size_t count);

/* A number of GET /sim/stats, such as "open". */
double sim_stat(const struct sim *sim, const char *member);

/* Waits until no call is open. */
void sim_wait_idle(const struct sim *sim);

/* The answer that a request of that body would get without faults: POST /sim/expect. The caller deletes it. */
cJSON *sim_expect(const struct sim *sim, const char *body);

/* POST /sim/control: a JSON object, such as {"listen":false}. */
void sim_control(const struct sim *sim, const char *body);

/* Lets calls with the setting `gate` go on, those to come included; or has those to come wait again. */
void sim_open_gate(const struct sim *sim);
void sim_close_gate(const struct sim *sim);

/*
 * Waits until the newest call whose model string holds that text has begun to send, and has sent nothing for that long.
 * Returns how many tokens it sent by then. ms: milliseconds.
 */
double sim_wait_stalled(const struct sim *sim, const char *model, unsigned ms);

/* Forgets the calls so far, and standing faults, and closes the gate. */
void sim_reset(const struct sim *sim);

#endif
