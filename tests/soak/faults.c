/* SPDX-License-Identifier: MIT */
/* The list of faults, gone through from top to bottom again and again. */
#include "tests/soak/faults.h"

#include <signal.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"

#define MEMORY "8mb"
#define EVICTION "allkeys-lru"

/* Small: it must be full soon. */
const char faults_redis_options[] = "maxmemory " MEMORY "\nmaxmemory-policy " EVICTION "\n";

struct fault {
	const char *name;
	const char *begins; /* what the flaky backend is told; NULL: begin is called */
	const char *ends;
	void (*begin)(struct faults *faults);
	void (*end)(struct faults *faults);
};

static void nothing(struct faults *faults)
{
	(void)faults;
}

static void pause_redis(struct faults *faults)
{
	redis_process_signal(faults->redis, SIGSTOP);
}

static void resume_redis(struct faults *faults)
{
	redis_process_signal(faults->redis, SIGCONT);
}

static void kill_redis(struct faults *faults)
{
	redis_process_signal(faults->redis, SIGKILL);
}

static void restart_redis(struct faults *faults)
{
	redis_process_restart(faults->redis);
}

static void fill_redis(struct faults *faults)
{
	redis_process_say(faults->redis, "CONFIG SET maxmemory-policy noeviction");
	redis_process_say(faults->redis, "CONFIG SET maxmemory 1");
}

static void empty_redis(struct faults *faults)
{
	redis_process_say(faults->redis, "CONFIG SET maxmemory " MEMORY);
	redis_process_say(faults->redis, "CONFIG SET maxmemory-policy " EVICTION);
}

static void cut_redis(struct faults *faults)
{
	redis_process_say(faults->redis, "CLIENT KILL TYPE normal");
}

static void forget_scripts(struct faults *faults)
{
	redis_process_say(faults->redis, "SCRIPT FLUSH");
}

static void purge(struct faults *faults)
{
	struct answer answer;
	client_ask(faults->sluice, VIA_H1, "DELETE", "/admin/cache?model=kept", NULL, NULL, &answer);
	if (answer.status != 200)
		fail_msg("purge: status %d %s", answer.status, bytes_text(&answer.body));
	answer_free(&answer);
}

static const struct fault list[] = {
    {.name = "none", .begin = nothing, .end = nothing},
    {.name = "backend gone", .begins = "{\"listen\":false,\"drop_connections\":true}", .ends = "{\"listen\":true}"},
    {.name = "Redis paused", .begin = pause_redis, .end = resume_redis},
    {.name = "backend hangs", .begins = "{\"fault\":\"hang_before_head\"}", .ends = "{\"fault\":null}"},
    {.name = "Redis killed", .begin = kill_redis, .end = restart_redis},
    {.name = "backend resets", .begins = "{\"fault\":\"reset_mid;after=2\"}", .ends = "{\"fault\":null}"},
    {.name = "cache purged", .begin = purge, .end = nothing},
    {.name = "backend garbage", .begins = "{\"fault\":\"not_json\",\"probes\":true}", .ends = "{\"fault\":null}"},
    {.name = "Redis full", .begin = fill_redis, .end = empty_redis},
    {.name = "backend busy",
     .begins = "{\"fault\":\"status=429;retry_after=1;code=upstream_simulated\"}",
     .ends = "{\"fault\":null}"},
    {.name = "Redis cuts off", .begin = cut_redis, .end = forget_scripts},
    {.name = "backend stalls", .begins = "{\"fault\":\"events_then_hang;after=3\"}", .ends = "{\"fault\":null}"},
};

const char *faults_begin(struct faults *faults)
{
	const struct fault *fault = &list[faults->next++ % (sizeof list / sizeof *list)];
	faults->under = fault;
	if (fault->begins != NULL)
		sim_control(faults->flaky, fault->begins);
	else
		fault->begin(faults);
	return fault->name;
}

void faults_end(struct faults *faults)
{
	const struct fault *fault = faults->under;
	faults->under = NULL;
	if (fault == NULL)
		return;
	if (fault->ends != NULL)
		sim_control(faults->flaky, fault->ends);
	else
		fault->end(faults);
}
