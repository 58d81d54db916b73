/* SPDX-License-Identifier: MIT */
/*
 * The pool of helpers; offload.h holds the contract. All that is queued lies in lists of clients, which lie in a ring
 * of their network, which lies in a ring of the pool: whoever is at a ring's head is next, and goes to the end.
 */
#include "service/loop/offload.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/container.h"
#include "lib/hash.h"

enum { OFFLOAD_BUCKETS = 1024, OFFLOAD_NICE = 5 /* helpers yield to loops where cores are few */ };

/* A network with jobs, or a client of one. */
struct offload_party {
	uint64_t id;
	struct offload_party *network;   /* of a client; NULL = this is a network */
	struct offload_party *next_same; /* in its bucket */
	struct offload_party *next;      /* in its ring; of those with queued jobs */
	struct offload_party *before;
	struct offload_party *head;       /* of a network: the ring of its clients; NULL = nothing is queued */
	struct offload_job *first, *last; /* of a client: queued */
	size_t queued_bytes;
	unsigned at_work;
};

struct offload {
	pthread_mutex_t lock;
	pthread_cond_t more;
	/* under the lock */
	struct offload_party *buckets[OFFLOAD_BUCKETS];
	struct offload_party *head; /* of the ring of networks; NULL = nothing is queued */
	size_t jobs, bytes;         /* queued or at work */
	bool stops;
	/* constant */
	unsigned each; /* helpers that one network may have */
	unsigned thread_count;
	pthread_t threads[];
};

struct offload_port {
	struct offload *offload;
	struct loop *loop;
	struct metrics_cells *metrics;
	size_t pending;
};

/* ---- the queue, under the lock ---- */

static struct offload_party **link_of(struct offload *offload, const struct offload_party *network, uint64_t id)
{
	uint64_t mixed = network == NULL ? id : hash_mix(network->id, id);
	struct offload_party **link = &offload->buckets[mixed % OFFLOAD_BUCKETS];
	while (*link != NULL && ((*link)->id != id || (*link)->network != network))
		link = &(*link)->next_same;
	return link;
}

/* Returns the party, made when there is none; NULL when out of memory. */
static struct offload_party *party_of(struct offload *offload, struct offload_party *network, uint64_t id)
{
	struct offload_party **link = link_of(offload, network, id);
	if (*link == NULL) {
		*link = calloc(1, sizeof(**link));
		if (*link != NULL) {
			(*link)->id = id;
			(*link)->network = network;
		}
	}
	return *link;
}

/* Forgets a party without jobs. */
static void party_rest(struct offload *offload, struct offload_party *party)
{
	if (party->first != NULL || party->head != NULL || party->at_work > 0)
		return;
	*link_of(offload, party->network, party->id) = party->next_same;
	free(party);
}

/* Forgets a client and its network, when they have no jobs. */
static void client_rest(struct offload *offload, struct offload_party *client)
{
	struct offload_party *network = client->network;
	party_rest(offload, client);
	party_rest(offload, network);
}

/* Returns the client of an owner, made when there is none; NULL when out of memory. */
static struct offload_party *client_of(struct offload *offload, const struct offload_owner *owner)
{
	struct offload_party *network = party_of(offload, NULL, owner->network);
	struct offload_party *client = network == NULL ? NULL : party_of(offload, network, owner->client);
	if (client == NULL && network != NULL)
		party_rest(offload, network);
	return client;
}

static void ring_join(struct offload_party **ring, struct offload_party *party)
{
	struct offload_party *head = *ring;
	if (head == NULL) {
		party->next = party->before = *ring = party;
		return;
	}
	party->next = head;
	party->before = head->before;
	party->before->next = head->before = party;
}

static void ring_leave(struct offload_party **ring, struct offload_party *party)
{
	if (*ring == party)
		*ring = party->next == party ? NULL : party->next;
	party->before->next = party->next;
	party->next->before = party->before;
}

static void queue_add(struct offload *offload, struct offload_party *client, struct offload_job *job)
{
	job->of = client;
	job->queued = true;
	job->next = NULL;
	job->before = client->last;
	if (client->last == NULL) {
		client->first = job;
		if (client->network->head == NULL)
			ring_join(&offload->head, client->network);
		ring_join(&client->network->head, client);
	} else {
		client->last->next = job;
	}
	client->last = job;
	client->queued_bytes += job->bytes;
	client->network->queued_bytes += job->bytes;
	offload->jobs++;
	offload->bytes += job->bytes;
}

/* Takes a job out of its client's queue; it still counts in the pool. */
static void queue_take(struct offload *offload, struct offload_job *job)
{
	struct offload_party *client = job->of;
	job->queued = false;
	client->queued_bytes -= job->bytes;
	client->network->queued_bytes -= job->bytes;
	*(job->before == NULL ? &client->first : &job->before->next) = job->next;
	*(job->next == NULL ? &client->last : &job->next->before) = job->before;
	if (client->first != NULL)
		return;
	ring_leave(&client->network->head, client);
	if (client->network->head == NULL)
		ring_leave(&offload->head, client->network);
}

/* The job is nothing of the pool's any more. */
static void pool_leave(struct offload *offload, struct offload_job *job)
{
	offload->jobs--;
	offload->bytes -= job->bytes;
	client_rest(offload, job->of);
}

/* Has the network's next job go to a helper. */
static struct offload_job *take_turn(struct offload *offload, struct offload_party *network)
{
	struct offload_party *client = network->head;
	struct offload_job *job = client->first;
	offload->head = network->next;
	network->head = client->next;
	queue_take(offload, job);
	client->at_work++;
	network->at_work++;
	return job;
}

/* The next job of the network whose turn it is and that has not all helpers it may have; NULL: none. */
static struct offload_job *next_job(struct offload *offload)
{
	struct offload_party *network = offload->head;
	if (network == NULL)
		return NULL;
	do {
		if (network->at_work < offload->each)
			return take_turn(offload, network);
		network = network->next;
	} while (network != offload->head);
	return NULL;
}

static bool is_full(const struct offload *offload, size_t bytes)
{
	return offload->jobs >= OFFLOAD_JOBS_MOST || offload->bytes + bytes > OFFLOAD_BYTES_MOST;
}

/* Who of a ring has the most bytes queued, if more than that; NULL: nobody. */
static struct offload_party *heaviest(struct offload_party *head, size_t bytes)
{
	struct offload_party *heaviest = NULL, *at = head;
	for (bool begun = false; at != NULL && !(begun && at == head); begun = true, at = at->next)
		if (at->queued_bytes > bytes) {
			bytes = at->queued_bytes;
			heaviest = at;
		}
	return heaviest;
}

/* The client that must yield to a newcomer with so many bytes: of a network that has more, or of its own; NULL: none.
 */
static struct offload_party *who_yields(const struct offload *offload, const struct offload_party *client, size_t bytes)
{
	struct offload_party *network = heaviest(offload->head, client->network->queued_bytes + bytes);
	if (network != NULL)
		return heaviest(network->head, 0);
	return heaviest(client->network->head, client->queued_bytes + bytes);
}

/* ---- answers to the loops ---- */

static const enum metrics_offload kind_labels[] = {
    [OFFLOAD_DECODE] = METRICS_OFFLOAD_DECODE,   [OFFLOAD_KEEP] = METRICS_OFFLOAD_KEEP,
    [OFFLOAD_MERGE] = METRICS_OFFLOAD_MERGE,     [OFFLOAD_VOTE] = METRICS_OFFLOAD_VOTE,
    [OFFLOAD_METRICS] = METRICS_OFFLOAD_METRICS, [OFFLOAD_GUNZIP] = METRICS_OFFLOAD_GUNZIP,
    [OFFLOAD_ANSWER] = METRICS_OFFLOAD_ANSWER,   [OFFLOAD_RECAST] = METRICS_OFFLOAD_RECAST,
    [OFFLOAD_INFLATE] = METRICS_OFFLOAD_INFLATE,
};

/* One job more of the port, or one less. */
static void port_move(const struct offload_job *job, int by)
{
	job->port->pending += (size_t)by;
	metrics_move(job->port->metrics, by, METRIC_OFFLOAD_PENDING, kind_labels[job->kind]);
}

static void on_message(struct loop_message *message)
{
	struct offload_job *job = container_of(message, struct offload_job, message);
	port_move(job, -1);
	if (job->cancelled)
		job->discard(job);
	else
		job->done(job);
}

static void refuse(struct offload_job *job)
{
	job->refused = true;
	loop_post(job->port->loop, &job->message);
}

/* ---- helpers ---- */

static void *help(void *context)
{
	struct offload *offload = context;
	setpriority(PRIO_PROCESS, (id_t)gettid(), OFFLOAD_NICE); /* of this thread alone, on Linux */
	pthread_mutex_lock(&offload->lock);
	for (;;) {
		struct offload_job *job = next_job(offload);
		if (job == NULL && offload->stops)
			break;
		if (job == NULL) {
			pthread_cond_wait(&offload->more, &offload->lock);
			continue;
		}
		pthread_mutex_unlock(&offload->lock);
		job->work(job);
		pthread_mutex_lock(&offload->lock);
		job->of->at_work--;
		job->of->network->at_work--;
		if (job->of->network->head != NULL)
			pthread_cond_signal(&offload->more); /* it may have another helper again */
		pool_leave(offload, job);
		loop_post(job->port->loop, &job->message); /* the job may be gone from here on */
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
	offload->each = threads - 1;
	pthread_mutex_init(&offload->lock, NULL);
	pthread_cond_init(&offload->more, NULL);
	for (; offload->thread_count < threads; offload->thread_count++) {
		if (pthread_create(&offload->threads[offload->thread_count], NULL, help, offload) == 0)
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

/* Makes room for a job of that many bytes at the cost of those who have more queued. False: there are none. */
static bool make_room(struct offload *offload, const struct offload_party *client, size_t bytes)
{
	struct offload_party *network = client->network;
	network->at_work++; /* it stays when another client of it loses its last job */
	while (is_full(offload, bytes)) {
		struct offload_party *other = who_yields(offload, client, bytes);
		if (other == NULL)
			break;
		struct offload_job *job = other->last;
		queue_take(offload, job);
		pool_leave(offload, job);
		refuse(job);
	}
	network->at_work--;
	return !is_full(offload, bytes);
}

void offload_submit(struct offload_port *port, struct offload_job *job)
{
	struct offload *offload = port->offload;
	job->port = port;
	job->message.run = on_message;
	job->refused = job->cancelled = job->queued = false;
	port_move(job, 1);
	pthread_mutex_lock(&offload->lock);
	struct offload_party *client = client_of(offload, &job->owner);
	if (client != NULL && make_room(offload, client, job->bytes)) {
		queue_add(offload, client, job);
		metrics_count(port->metrics, METRIC_OFFLOADED, kind_labels[job->kind]);
		pthread_cond_signal(&offload->more);
	} else {
		if (client != NULL)
			client_rest(offload, client);
		metrics_count(port->metrics, METRIC_OFFLOAD_REFUSED, kind_labels[job->kind]);
		refuse(job);
	}
	pthread_mutex_unlock(&offload->lock);
}

void offload_cancel(struct offload_job *job)
{
	struct offload *offload = job->port->offload;
	pthread_mutex_lock(&offload->lock);
	bool queued = job->queued;
	if (queued) {
		queue_take(offload, job);
		pool_leave(offload, job);
	}
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
