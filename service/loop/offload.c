/* SPDX-License-Identifier: MIT */
/* The pool of helpers: their threads, and the ways of the loops to them; offload.h holds the contract. */
#include "service/loop/offload.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/container.h"
#include "service/loop/offload_queue.h"

enum { OFFLOAD_NICE = 5 /* helpers yield to loops where cores are few */ };

struct offload {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct offload_queue queue; /* under the lock */
	bool stops;                 /* as well */
	/* constant */
	unsigned thread_count;
	pthread_t threads[];
};

struct offload_port {
	struct offload *offload;
	struct loop *loop;
	struct metrics_cells *metrics;
	size_t pending;
};

/* ---- answers to the loops ---- */

static const enum metrics_offload offload_labels[] = {
    [OFFLOAD_DECODE] = METRICS_OFFLOAD_DECODE,   [OFFLOAD_KEEP] = METRICS_OFFLOAD_KEEP,
    [OFFLOAD_MERGE] = METRICS_OFFLOAD_MERGE,     [OFFLOAD_VOTE] = METRICS_OFFLOAD_VOTE,
    [OFFLOAD_METRICS] = METRICS_OFFLOAD_METRICS, [OFFLOAD_GUNZIP] = METRICS_OFFLOAD_GUNZIP,
    [OFFLOAD_ANSWER] = METRICS_OFFLOAD_ANSWER,   [OFFLOAD_RECAST] = METRICS_OFFLOAD_RECAST,
    [OFFLOAD_INFLATE] = METRICS_OFFLOAD_INFLATE, [OFFLOAD_TRANSLATE] = METRICS_OFFLOAD_TRANSLATE,
};

/* One job more of the port, or one less. */
static void port_move(const struct offload_job *job, int by)
{
	job->port->pending += (size_t)by;
	metrics_move(job->port->metrics, by, METRIC_OFFLOAD_PENDING, offload_labels[job->kind]);
}

static void offload_on_message(struct loop_message *message)
{
	struct offload_job *job = container_of(message, struct offload_job, message);
	port_move(job, -1);
	if (job->cancelled)
		job->discard(job);
	else
		job->done(job);
}

static void offload_refuse(struct offload_job *job)
{
	job->refused = true;
	loop_post(job->port->loop, &job->message);
}

/* ---- helpers ---- */

static void *offload_help(void *context)
{
	struct offload *offload = context;
	setpriority(PRIO_PROCESS, (id_t)gettid(), OFFLOAD_NICE); /* of this thread alone, on Linux */
	pthread_mutex_lock(&offload->lock);
	for (;;) {
		struct offload_job *job = offload_queue_next(&offload->queue);
		if (job == NULL && offload->stops)
			break;
		if (job == NULL) {
			pthread_cond_wait(&offload->more, &offload->lock);
			continue;
		}
		pthread_mutex_unlock(&offload->lock);
		job->work(job);
		pthread_mutex_lock(&offload->lock);
		if (offload_queue_end(&offload->queue, job))
			pthread_cond_signal(&offload->more); /* its network may have another helper again */
		loop_post(job->port->loop, &job->message);   /* the job may be gone from here on */
	}
	pthread_mutex_unlock(&offload->lock);
	return NULL;
}

struct offload *offload_create(unsigned threads)
{
	threads = threads < 2 ? 2 : threads;
	struct offload *offload = calloc(1, sizeof(*offload) + threads * sizeof(offload->threads[0]));
	if (offload == NULL)
		return NULL;
	offload->queue.each = threads - 1;
	pthread_mutex_init(&offload->lock, NULL);
	pthread_cond_init(&offload->more, NULL);
	for (; offload->thread_count < threads; offload->thread_count++) {
		if (pthread_create(&offload->threads[offload->thread_count], NULL, offload_help, offload) == 0)
			continue;
		offload_destroy(offload);
		return NULL;
	}
	return offload;
}

void offload_destroy(struct offload *offload)
{
	if (offload == NULL)
		return;
	pthread_mutex_lock(&offload->lock);
	offload->stops = true;
	pthread_cond_broadcast(&offload->more);
	pthread_mutex_unlock(&offload->lock);
	for (unsigned i = 0; i < offload->thread_count; i++)
		pthread_join(offload->threads[i], NULL);
	pthread_cond_destroy(&offload->more);
	pthread_mutex_destroy(&offload->lock);
	free(offload);
}

/* ---- loops ---- */

struct offload_port *offload_port_create(struct offload *offload, struct loop *loop, struct metrics_cells *metrics)
{
	struct offload_port *port = calloc(1, sizeof(*port));
	if (port != NULL)
		*port = (struct offload_port){.offload = offload, .loop = loop, .metrics = metrics};
	return port;
}

void offload_port_destroy(struct offload_port *port)
{
	free(port);
}

size_t offload_pending(const struct offload_port *port)
{
	return port == NULL ? 0 : port->pending;
}

void offload_submit(struct offload_port *port, struct offload_job *job)
{
	struct offload *offload = port->offload;
	job->port = port;
	job->message.run = offload_on_message;
	job->refused = job->cancelled = job->queued = false;
	port_move(job, 1);
	pthread_mutex_lock(&offload->lock);
	if (offload_queue_add(&offload->queue, job, offload_refuse)) {
		metrics_count(port->metrics, METRIC_OFFLOADED, offload_labels[job->kind]);
		pthread_cond_signal(&offload->more);
	} else {
		metrics_count(port->metrics, METRIC_OFFLOAD_REFUSED, offload_labels[job->kind]);
		offload_refuse(job);
	}
	pthread_mutex_unlock(&offload->lock);
}

void offload_cancel(struct offload_job *job)
{
	struct offload *offload = job->port->offload;
	pthread_mutex_lock(&offload->lock);
	bool queued = job->queued;
	if (queued)
		offload_queue_remove(&offload->queue, job);
	pthread_mutex_unlock(&offload->lock);
	job->cancelled = true;
	if (!queued)
		return;
	port_move(job, -1);
	job->discard(job);
}

bool offload_is_heavy(struct span json)
{
	if (json.len <= OFFLOAD_SMALL || json.len >= OFFLOAD_LARGE)
		return json.len >= OFFLOAD_LARGE;
	const char *at = json.at, *end = json.at + json.len;
	for (unsigned commas = 0; commas < OFFLOAD_DENSE; commas++) {
		at = memchr(at, ',', (size_t)(end - at));
		if (at == NULL)
			return false;
		at++;
	}
	return true;
}
