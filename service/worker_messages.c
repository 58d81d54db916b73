/* SPDX-License-Identifier: MIT */
/* Connections that workers pass on to each other, and certificates that were read anew; worker.h holds the contract. */
#include "service/worker_internal.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/container.h"

/* ---- connections that another worker has more time for ---- */

struct passed {
	struct loop_message message; /* first */
	struct worker *to;
	size_t listener;
	int fd;
};

static void worker_on_passed(struct loop_message *message)
{
	struct passed *passed = (struct passed *)message;
	http_client_note_work(passed->to->client);
	if (passed->to->server != NULL)
		http_server_take(passed->to->server, passed->listener, passed->fd);
	else
		close(passed->fd); /* the process ends */
	free(passed);
}

bool worker_passes_on(void *context, size_t listener, int fd)
{
	struct worker *worker = context;
	http_client_note_work(worker->client);
	if (worker->handover.count == 0 || worker->routes.draining)
		return false;
	struct worker *to = worker->others[handover_choose(&worker->handover, timers_monotonic(NULL))];
	struct passed *passed = to == worker ? NULL : malloc(sizeof(*passed));
	if (passed == NULL)
		return false;
	*passed = (struct passed){.message = {.run = worker_on_passed}, .to = to, .listener = listener, .fd = fd};
	metrics_count(worker->exchange.flights.plan.metrics, METRIC_CONNECTIONS_PASSED);
	loop_post(to->loop, &passed->message);
	return true;
}

static void worker_on_meet(struct loop_message *message)
{
	struct worker *worker = container_of(message, struct worker, meet);
	size_t own = 0;
	while (worker->others[own] != worker)
		own++;
	if (!handover_init(&worker->handover, worker->other_count, own))
		return;
	for (size_t i = 0; i < worker->other_count; i++)
		handover_meet(&worker->handover, i, worker->others[i]->thread);
}

void worker_meet(struct worker *worker, struct worker *const *workers, size_t count)
{
	worker->others = workers;
	worker->other_count = count;
	worker->meet.run = worker_on_meet;
	loop_post(worker->loop, &worker->meet);
}

/* ---- certificates that were read anew ---- */

struct worker_renewal {
	struct loop_message message; /* first */
	struct worker *worker;
	struct http_certificates *certificates;
};

void worker_drop_certificates(struct worker_renewal *renewal)
{
	http_certificates_drop(renewal->certificates);
	free(renewal);
}

static void worker_on_renewal(struct loop_message *message)
{
	struct worker_renewal *renewal = (struct worker_renewal *)message;
	if (renewal->worker->server == NULL) {
		worker_drop_certificates(renewal);
		return;
	}
	http_server_use_certificates(renewal->worker->server, renewal->certificates);
	free(renewal);
}

/* What will be needed to use them is allocated before, so that either all workers use new ones or none does. */
struct worker_renewal *worker_read_certificates(struct worker *worker, struct buf *error)
{
	struct worker_renewal *renewal = malloc(sizeof(*renewal));
	if (renewal == NULL) {
		buf_printf(error, "out of memory\n");
		return NULL;
	}
	*renewal = (struct worker_renewal){.message = {.run = worker_on_renewal}, .worker = worker};
	renewal->certificates = http_server_read_certificates(worker->server, error);
	if (renewal->certificates != NULL)
		return renewal;
	free(renewal);
	return NULL;
}

void worker_use_certificates(struct worker_renewal *renewal)
{
	loop_post(renewal->worker->loop, &renewal->message);
}
