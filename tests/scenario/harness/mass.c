/* SPDX-License-Identifier: MIT */
/*
 * The mass client. A slot is one connection and the jobs on it; a job goes from
 * the queue into a slot, and is over when its answer ended or it left.
 */
#include "tests/scenario/harness/mass.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/scenario/harness/check.h"

enum { MOST_STREAMS = 512, STARTS_PER_TURN = 64, TURN_MS = 1, TURNS_PER_LOOK = 32 };

struct slot {
	bool open;
	enum via via;
	unsigned service;
	size_t used; /* jobs that ended on this HTTP/1.1 connection */
	struct h1 h1;
	struct h2 h2;
	struct mass_job *jobs[MOST_STREAMS];
	size_t job_count;
};

struct mass_run {
	struct mass *mass;
	struct slot *slots;
	int epoll;
	size_t next[MASS_SERVICES]; /* job to start */
	size_t open;                /* jobs in slots */
	uint64_t moved_us;          /* when something last happened */
	bool gate_is_open;          /* the simulator's */
};

static bool slot_is_h1(const struct slot *slot)
{
	return slot->via == VIA_H1 || slot->via == VIA_H1_TLS;
}

static bool slot_is_tls(const struct slot *slot)
{
	return slot->via == VIA_H1_TLS || slot->via == VIA_H2_TLS;
}

static void slot_open(struct mass_run *run, struct slot *slot)
{
	const struct mass *mass = run->mass;
	const struct sluice *sluice = slot->service == 0 ? mass->sluice : mass->others[slot->service - 1];
	bool tls = slot_is_tls(slot);
	int port = tls ? sluice->tls_port : sluice->port;
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = slot};
	if (slot_is_h1(slot))
		h1_open(&slot->h1, port, tls);
	else
		h2_open(&slot->h2, port, (tls ? H2_TLS : 0) | H2_WIDE);
	slot->h1.silent = true;
	slot->h2.silent = true;
	int fd = slot_is_h1(slot) ? slot->h1.wire.fd : slot->h2.wire.fd;
	assert_int_equal(epoll_ctl(run->epoll, EPOLL_CTL_ADD, fd, &event), 0);
	slot->open = true;
	slot->used = 0;
}

static void slot_close(struct slot *slot, bool reset)
{
	struct wire *wire = slot_is_h1(slot) ? &slot->h1.wire : &slot->h2.wire;
	if (reset)
		wire_reset(wire);
	if (slot_is_h1(slot))
		h1_close(&slot->h1);
	else
		h2_close(&slot->h2);
	slot->open = false;
}

static void slot_send_h1(struct h1 *h1, const struct mass_job *job, const char *path)
{
	char line[2048] = ""; /* a token has some 600 bytes */
	if (job->body == NULL) {
		h1_get(h1, path);
		return;
	}
	if (job->authorization != NULL)
		snprintf(line, sizeof line, "Authorization: %s\r\n", job->authorization);
	if (job->leaves != MASS_LEAVES_MID_REQUEST) {
		h1_post(h1, path, line, job->body);
		return;
	}
	size_t len = strlen(job->body);
	h1_send(h1,
		"POST %s HTTP/1.1\r\nHost: sluice.test\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\n\r\n%.*s",
		path, len, (int)(len / 2), job->body);
}

static void slot_send(struct slot *slot, struct mass_job *job)
{
	const char *path = job->path == NULL ? "/v1/chat/completions" : job->path;
	if (slot_is_h1(slot)) {
		slot_send_h1(&slot->h1, job, path);
		return;
	}
	const struct h2_header headers[] = {{"authorization", job->authorization}, {NULL, NULL}};
	slot->h2.withhold = job->leaves == MASS_LEAVES_MID_REQUEST;
	job->stream = h2_request(&slot->h2, job->body == NULL ? "GET" : "POST", path,
				 job->authorization == NULL ? NULL : headers, job->body);
}

static bool mass_may_start(const struct mass_run *run)
{
	const struct mass *mass = run->mass;
	return mass->started < mass->count && (mass->until_us == 0 || clock_us() < mass->until_us);
}

/* The next job for the slot's service; NULL = there is none left. */
static struct mass_job *slot_next_job(struct mass_run *run, const struct slot *slot)
{
	size_t *next = &run->next[slot->service];
	while (*next < run->mass->count && run->mass->jobs[*next].service != slot->service)
		++*next;
	return *next == run->mass->count ? NULL : &run->mass->jobs[(*next)++];
}

static void slot_start(struct mass_run *run, struct slot *slot, struct mass_job *job)
{
	if (!slot->open)
		slot_open(run, slot);
	slot_send(slot, job);
	job->started_us = clock_us();
	slot->jobs[slot->job_count++] = job;
	run->open++;
	run->mass->started++;
	if (run->open > run->mass->most_open)
		run->mass->most_open = run->open;
}

static struct answer *job_answer(struct slot *slot, const struct mass_job *job)
{
	return slot_is_h1(slot) ? &slot->h1.answer : &job->stream->answer;
}

/* The job is over: its answer moves out of the connection. */
static void job_end(struct mass_run *run, struct slot *slot, size_t index)
{
	struct mass_job *job = slot->jobs[index];
	struct answer *answer = job_answer(slot, job);
	job->answer = *answer;
	*answer = (struct answer){.ended = answer->ended, .broken = answer->broken};
	slot->used++;
	if (job->stream != NULL)
		h2_forget(&slot->h2, job->stream);
	job->stream = NULL;
	slot->jobs[index] = slot->jobs[--slot->job_count];
	run->open--;
	run->mass->over++;
	run->moved_us = clock_us();
	if (run->mass->on_end != NULL)
		run->mass->on_end(run->mass, job);
}

static bool job_wants_to_leave(const struct mass_job *job, const struct answer *answer)
{
	switch (job->leaves) {
	case MASS_STAYS:
		break;
	case MASS_LEAVES_MID_REQUEST:
		return true;
	case MASS_LEAVES_AFTER_TIME:
		return clock_us() - job->started_us >= job->leave_at;
	case MASS_LEAVES_AFTER_BYTES:
		return answer->body.len >= job->leave_at;
	}
	return false;
}

/* Leaves alone by RST_STREAM, or takes the whole connection and its neighbours along. */
static void job_leave(struct mass_run *run, struct slot *slot, size_t index)
{
	struct mass_job *job = slot->jobs[index];
	if (job->how == LEAVE_CANCEL && !slot_is_h1(slot)) {
		h2_cancel(&slot->h2, job->stream);
		job->left = true;
		job_end(run, slot, index);
		return;
	}
	bool reset = job->how != LEAVE_FIN;
	while (slot->job_count > 0) {
		slot->jobs[0]->left = true;
		job_end(run, slot, 0);
	}
	slot_close(slot, reset);
}

/* A connection of HTTP/1.1 without a job stays open for the next one, where both sides want that. */
static bool slot_keep(const struct mass_run *run, struct slot *slot, bool closes)
{
	if (closes || slot->h1.answer.broken || slot->used >= run->mass->reuse || !mass_may_start(run))
		return false;
	h1_next(&slot->h1);
	return true;
}

static bool answer_closes(const struct answer *answer)
{
	char *connection = answer->head.len == 0 ? NULL : answer_header(answer, "connection");
	bool closes = connection != NULL && strcasecmp(connection, "close") == 0;
	free(connection);
	return closes;
}

static void slot_check(struct mass_run *run, struct slot *slot)
{
	bool closes = false;
	for (size_t i = slot->job_count; i-- > 0 && slot->open;) {
		if (i >= slot->job_count)
			continue;
		struct answer *answer = job_answer(slot, slot->jobs[i]);
		if (answer->ended || answer->broken) {
			closes = slot_is_h1(slot) && answer_closes(answer);
			job_end(run, slot, i);
		} else if (job_wants_to_leave(slot->jobs[i], answer))
			job_leave(run, slot, i);
	}
	if (!slot->open || slot->job_count > 0)
		return;
	if (slot_is_h1(slot) ? !slot_keep(run, slot, closes) : slot->h2.broken)
		slot_close(slot, false);
}

static void slot_pump(struct mass_run *run, struct slot *slot)
{
	bool h1 = slot_is_h1(slot);
	while (slot->open && (h1 ? h1_pump(&slot->h1) : h2_pump(&slot->h2)))
		run->moved_us = clock_us();
}

static void mass_start_some(struct mass_run *run)
{
	size_t starts = 0;
	for (size_t i = 0; i < run->mass->connections && starts < STARTS_PER_TURN; i++) {
		struct slot *slot = &run->slots[i];
		size_t most = slot_is_h1(slot) ? 1 : run->mass->streams;
		for (struct mass_job *job; slot->job_count < most && mass_may_start(run); starts++) {
			if ((job = slot_next_job(run, slot)) == NULL)
				break;
			slot_start(run, slot, job);
		}
	}
}

/* Opens the gate once each job is over or under way in its service. */
static void mass_open_gate(struct mass_run *run)
{
	const struct mass *mass = run->mass;
	if (mass->gate == NULL || run->gate_is_open || mass->started < mass->count)
		return;
	double under_way = (double)mass->over + sluice_metric(mass->sluice, "sluice_exchanges_in_flight");
	for (unsigned i = 1; i < mass->services; i++)
		under_way += sluice_metric(mass->others[i - 1], "sluice_exchanges_in_flight");
	if (under_way < (double)mass->count)
		return;
	sim_open_gate(mass->gate);
	run->gate_is_open = true;
}

static void mass_turn(struct mass_run *run)
{
	struct epoll_event events[256];
	mass_start_some(run);
	int count = epoll_wait(run->epoll, events, 256, TURN_MS);
	for (int i = 0; i < count; i++)
		slot_pump(run, events[i].data.ptr);
	for (size_t i = 0; i < run->mass->connections; i++)
		if (run->slots[i].open)
			slot_check(run, &run->slots[i]);
	if (clock_us() - run->moved_us > (uint64_t)HANG_GUARD_MS * 1000)
		fail_msg("%zu of %zu exchanges are over, %zu are open, and nothing moves", run->mass->over,
			 run->mass->count, run->open);
}

struct mass_job *mass_jobs(size_t count, const char *body)
{
	struct mass_job *jobs = calloc(count, sizeof *jobs);
	assert_non_null(jobs);
	for (size_t i = 0; i < count; i++)
		jobs[i].body = body;
	return jobs;
}

struct mass mass_crowd(const struct sluice *sluice, struct mass_job *jobs, size_t count)
{
	enum { CONNECTIONS = 30 };
	bool few = count < CONNECTIONS;
	return (struct mass){.sluice = sluice,
			     .via = MASS_MIXED,
			     .connections = few ? count : CONNECTIONS,
			     .streams = few ? 1 : count / CONNECTIONS,
			     .jobs = jobs,
			     .count = count};
}

void mass_run(struct mass *mass)
{
	struct mass_run run = {.mass = mass, .moved_us = clock_us()};
	unsigned services = mass->services == 0 ? 1 : mass->services;
	assert_true(mass->streams <= MOST_STREAMS && services <= MASS_SERVICES);
	mass->most_open = mass->over = mass->started = 0;
	size_t turns = 0;
	run.slots = calloc(mass->connections, sizeof *run.slots);
	run.epoll = epoll_create1(EPOLL_CLOEXEC);
	assert_non_null(run.slots);
	for (size_t i = 0; i < mass->connections; i++) {
		run.slots[i].via = mass->via == MASS_MIXED ? (enum via)(i % VIA_COUNT) : (enum via)mass->via;
		run.slots[i].service = (unsigned)(i % services);
	}
	while (mass->over < mass->started || mass_may_start(&run)) {
		mass_turn(&run);
		if (++turns % TURNS_PER_LOOK != 0)
			continue;
		mass_open_gate(&run);
		if (mass->on_turn != NULL)
			mass->on_turn(mass);
	}
	for (size_t i = 0; i < mass->connections; i++)
		if (run.slots[i].open)
			slot_close(&run.slots[i], false);
	free(run.slots);
	close(run.epoll);
}

void mass_free_answers(struct mass *mass)
{
	for (size_t i = 0; i < mass->count; i++)
		answer_free(&mass->jobs[i].answer);
}
