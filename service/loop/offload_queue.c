/* SPDX-License-Identifier: MIT */
/*
 * Who is next for a helper; offload_queue.h holds the contract. All that is queued lies in lists of clients, which lie
 * in a ring of their network, which lies in a ring of the queue: whoever is at a ring's head is next, and goes to the
 * end.
 */
#include "service/loop/offload_queue.h"

#include <stdlib.h>

#include "lib/hash.h"

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

static struct offload_party **queue_link_of(struct offload_queue *queue, const struct offload_party *network,
					    uint64_t id)
{
	uint64_t mixed = network == NULL ? id : hash_mix(network->id, id);
	struct offload_party **link = &queue->buckets[mixed % OFFLOAD_BUCKETS];
	while (*link != NULL && ((*link)->id != id || (*link)->network != network))
		link = &(*link)->next_same;
	return link;
}

/* Returns the party, made when there is none; NULL when out of memory. */
static struct offload_party *party_of(struct offload_queue *queue, struct offload_party *network, uint64_t id)
{
	struct offload_party **link = queue_link_of(queue, network, id);
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
static void party_rest(struct offload_queue *queue, struct offload_party *party)
{
	if (party->first != NULL || party->head != NULL || party->at_work > 0)
		return;
	*queue_link_of(queue, party->network, party->id) = party->next_same;
	free(party);
}

/* Forgets a client and its network, when they have no jobs. */
static void client_rest(struct offload_queue *queue, struct offload_party *client)
{
	struct offload_party *network = client->network;
	party_rest(queue, client);
	party_rest(queue, network);
}

/* Returns the client of an owner, made when there is none; NULL when out of memory. */
static struct offload_party *client_of(struct offload_queue *queue, const struct offload_owner *owner)
{
	struct offload_party *network = party_of(queue, NULL, owner->network);
	struct offload_party *client = network == NULL ? NULL : party_of(queue, network, owner->client);
	if (client == NULL && network != NULL)
		party_rest(queue, network);
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

static void queue_add(struct offload_queue *queue, struct offload_party *client, struct offload_job *job)
{
	job->of = client;
	job->queued = true;
	job->next = NULL;
	job->before = client->last;
	if (client->last == NULL) {
		client->first = job;
		if (client->network->head == NULL)
			ring_join(&queue->head, client->network);
		ring_join(&client->network->head, client);
	} else {
		client->last->next = job;
	}
	client->last = job;
	client->queued_bytes += job->bytes;
	client->network->queued_bytes += job->bytes;
	queue->jobs++;
	queue->bytes += job->bytes;
}

/* Takes a job out of its client's queue; it still counts in the pool. */
static void queue_take(struct offload_queue *queue, struct offload_job *job)
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
		ring_leave(&queue->head, client->network);
}

static void queue_forget(struct offload_queue *queue, struct offload_job *job)
{
	queue->jobs--;
	queue->bytes -= job->bytes;
	client_rest(queue, job->of);
}

/* Has the network's next job go to a helper. */
static struct offload_job *take_turn(struct offload_queue *queue, struct offload_party *network)
{
	struct offload_party *client = network->head;
	struct offload_job *job = client->first;
	queue->head = network->next;
	network->head = client->next;
	queue_take(queue, job);
	client->at_work++;
	network->at_work++;
	return job;
}

struct offload_job *offload_queue_next(struct offload_queue *queue)
{
	struct offload_party *network = queue->head;
	if (network == NULL)
		return NULL;
	do {
		if (network->at_work < queue->each)
			return take_turn(queue, network);
		network = network->next;
	} while (network != queue->head);
	return NULL;
}

static bool is_full(const struct offload_queue *queue, size_t bytes)
{
	return queue->jobs >= OFFLOAD_JOBS_MOST || queue->bytes + bytes > OFFLOAD_BYTES_MOST;
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
static struct offload_party *who_yields(const struct offload_queue *queue, const struct offload_party *client,
					size_t bytes)
{
	struct offload_party *network = heaviest(queue->head, client->network->queued_bytes + bytes);
	if (network != NULL)
		return heaviest(network->head, 0);
	return heaviest(client->network->head, client->queued_bytes + bytes);
}

/* Makes room for a job of that many bytes at the cost of those who have more queued. False: there are none. */
static bool queue_make_room(struct offload_queue *queue, const struct offload_party *client, size_t bytes,
			    void (*refuse)(struct offload_job *job))
{
	struct offload_party *network = client->network;
	network->at_work++; /* it stays when another client of it loses its last job */
	while (is_full(queue, bytes)) {
		struct offload_party *other = who_yields(queue, client, bytes);
		if (other == NULL)
			break;
		struct offload_job *job = other->last;
		queue_take(queue, job);
		queue_forget(queue, job);
		refuse(job);
	}
	network->at_work--;
	return !is_full(queue, bytes);
}

bool offload_queue_add(struct offload_queue *queue, struct offload_job *job, void (*refuse)(struct offload_job *job))
{
	struct offload_party *client = client_of(queue, &job->owner);
	if (client == NULL)
		return false;
	if (queue_make_room(queue, client, job->bytes, refuse)) {
		queue_add(queue, client, job);
		return true;
	}
	client_rest(queue, client);
	return false;
}

bool offload_queue_end(struct offload_queue *queue, struct offload_job *job)
{
	struct offload_party *client = job->of;
	client->at_work--;
	client->network->at_work--;
	bool more = client->network->head != NULL;
	queue_forget(queue, job);
	return more;
}

void offload_queue_remove(struct offload_queue *queue, struct offload_job *job)
{
	queue_take(queue, job);
	queue_forget(queue, job);
}
