/* SPDX-License-Identifier: MIT */
/* A worker's commands to Redis that nobody waits for, and what belongs to its way there; remote.h holds the contract.
 */
#include "service/cache/remote.h"

#include <stdlib.h>

#include "service/cache/purge.h"
#include "service/cache/remote_internal.h"
#include "service/cache/replica_purges.h"

/* A command whose sender does not wait for it. */
struct errand {
	struct redis_command command; /* first */
	struct errand *next;
	struct errand **back;
	remote_told on_told; /* NULL = nobody wants to know */
	void *context;
};

static void errand_free(struct errand *errand)
{
	*errand->back = errand->next;
	if (errand->next != NULL)
		errand->next->back = errand->back;
	free(errand);
}

static void on_errand_done(struct redis_command *command, const struct redis_reply *reply)
{
	struct errand *errand = (struct errand *)command;
	remote_told on_told = errand->on_told;
	void *context = errand->context;
	errand_free(errand);
	if (on_told != NULL)
		on_told(context, reply);
}

static struct errand *errand_create(struct remote *remote, remote_told on_told, void *context)
{
	struct errand *errand = calloc(1, sizeof(*errand));
	if (errand == NULL)
		return NULL;
	*errand = (struct errand){.command = {.on_reply = on_errand_done},
				  .next = remote->errands,
				  .back = &remote->errands,
				  .on_told = on_told,
				  .context = context};
	if (errand->next != NULL)
		errand->next->back = &errand->next;
	remote->errands = errand;
	return errand;
}

bool remote_ask(struct remote *remote, const struct span *args, size_t count, uint64_t deadline_us, remote_told on_told,
		void *context)
{
	struct errand *errand = errand_create(remote, on_told, context);
	if (errand == NULL)
		return false;
	if (redis_send(remote->options.redis, &errand->command, args, count, 1, deadline_us))
		return true;
	errand_free(errand);
	return false;
}

bool remote_tell(struct remote *remote, const struct span *args, size_t count)
{
	return remote_ask(remote, args, count, remote_deadline(remote), NULL, NULL);
}

bool remote_tell_script(struct remote *remote, const struct redis_script *script, struct span key, struct span arg)
{
	struct errand *errand = errand_create(remote, NULL, NULL);
	if (errand == NULL)
		return false;
	if (redis_eval(remote->options.redis, &errand->command, script, key, &arg, 1, remote_deadline(remote)))
		return true;
	errand_free(errand);
	return false;
}

struct redis *remote_redis(const struct remote *remote)
{
	return remote->options.redis;
}

struct reactor *remote_reactor(const struct remote *remote)
{
	return remote->options.worker->reactor;
}

struct metrics_cells *remote_metrics(const struct remote *remote)
{
	return remote->options.metrics;
}

const struct remote_options *remote_options_of(const struct remote *remote)
{
	return &remote->options;
}

unsigned *remote_hurries(struct remote *remote)
{
	return &remote->hurries;
}

struct cache_purge **remote_purges(struct remote *remote)
{
	return &remote->purges;
}

uint64_t remote_deadline(const struct remote *remote)
{
	return timers_now(&remote->options.worker->reactor->timers) + remote->options.budget_us;
}

struct remote *remote_create(const struct remote_options *options)
{
	struct remote *remote = calloc(1, sizeof(*remote));
	if (remote == NULL)
		return NULL;
	remote->options = *options;
	buf_init(&remote->room, remote_entry_most(remote));
	bool watched = true;
	for (int kind = 0; kind < PURGE_KINDS && options->watches; kind++) {
		remote->watches[kind] = replica_purges_create(remote, (enum purge_kind)kind);
		watched &= remote->watches[kind] != NULL;
	}
	if (watched)
		return remote;
	remote_destroy(remote);
	return NULL;
}

void remote_destroy(struct remote *remote)
{
	if (remote == NULL)
		return;
	cache_purge_end_all(&remote->purges);
	for (int kind = 0; kind < PURGE_KINDS; kind++)
		if (remote->watches[kind] != NULL)
			replica_purges_destroy(remote->watches[kind]);
	for (struct errand *at = remote->errands, *next; at != NULL; at = next) {
		next = at->next;
		redis_cancel(&at->command);
		errand_free(at);
	}
	buf_fini(&remote->room);
	free(remote);
}
