/* SPDX-License-Identifier: MIT */
/*
 * The mass client. A slot is one connection and the jobs on it; a job goes from
 * the queue into a slot, and is over when its answer ended or it left.
 */
#include "tests/scenario/harness/mass.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/scenario/harness/check.h"

enum { MOST_STREAMS = 512, STARTS_PER_TURN = 64, TURN_MS = 1, TURNS_PER_LOOK = 32 };

struct slot {
	bool open;
	unsigned service;
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
};

static bool mass_is_h1(const struct mass *mass)
{
	return mass->via == VIA_H1 || mass->via == VIA_H1_TLS;
}

static bool mass_is_tls(const struct mass *mass)
{
	return mass->via == VIA_H1_TLS || mass->via == VIA_H2_TLS;
}

static void slot_open(struct mass_run *run, struct slot *slot)
{
	const struct mass *mass = run->mass;
	const struct sluice *sluice = slot->service == 0 ? mass->sluice : mass->others[slot->service - 1];
	bool tls = mass_is_tls(mass);
	int port = tls ? sluice->tls_port : sluice->port;
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = slot};
	if (mass_is_h1(mass))
		h1_open(&slot->h1, port, tls);
	else
		h2_open(&slot->h2, port, (tls ? H2_TLS : 0) | H2_WIDE);
	slot->h1.silent = true;
	slot->h2.silent = true;
	int fd = mass_is_h1(mass) ? slot->h1.wire.fd : slot->h2.wire.fd;
	assert_int_equal(epoll_ctl(run->epoll, EPOLL_CTL_ADD, fd, &event), 0);
	slot->open = true;
}

static void slot_close(struct mass_run *run, struct slot *slot, bool reset)
{
	struct wire *wire = mass_is_h1(run->mass) ? &slot->h1.wire : &slot->h2.wire;
	if (reset)
		wire_reset(wire);
	if (mass_is_h1(run->mass))
		h1_close(&slot->h1);
	else
		h2_close(&slot->h2);
	slot->open = false;
}

static void slot_send(struct mass_run *run, struct slot *slot, struct mass_job *job)
{
	bool half = job->leaves == MASS_LEAVES_MID_REQUEST;
	if (!mass_is_h1(run->mass)) {
		const struct h2_header headers[] = {{"authorization", job->authorization}, {NULL, NULL}};
		slot->h2.withhold = half;
		job->stream = h2_request(&slot->h2, "POST", "/v1/chat/completions",
					 job->authorization == NULL ? NULL : headers, job->body);
		return;
	}
	if (!half) {
		char line[128] = "";
		if (job->authorization != NULL)
			snprintf(line, sizeof line, "Authorization: %s\r\n", job->authorization);
		h1_post(&slot->h1, "/v1/chat/completions", line, job->body);
		return;
	}
	size_t len = strlen(job->body);
	h1_send(&slot->h1,
		"POST /v1/chat/completions HTTP/1.1\r\nHost: sluice.test\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\n\r\n%.*s",
		len, (int)(len / 2), job->body);
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
	slot_send(run, slot, job);
	job->started_us = clock_us();
	slot->jobs[slot->job_count++] = job;
	run->open++;
	if (run->open > run->mass->most_open)
		run->mass->most_open = run->open;
}

static struct answer *job_answer(const struct mass_run *run, struct slot *slot, const struct mass_job *job)
{
	return mass_is_h1(run->mass) ? &slot->h1.answer : &job->stream->answer;
}

/* The job is over: its answer moves out of the connection. */
static void job_end(struct mass_run *run, struct slot *slot, size_t index)
{
	struct mass_job *job = slot->jobs[index];
	struct answer *answer = job_answer(run, slot, job);
	job->answer = *answer;
	*answer = (struct answer){.ended = answer->ended, .broken = answer->broken};
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
	if (job->how == LEAVE_CANCEL && !mass_is_h1(run->mass)) {
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
	slot_close(run, slot, reset);
}

static void slot_check(struct mass_run *run, struct slot *slot)
{
	for (size_t i = slot->job_count; i-- > 0 && slot->open;) {
		if (i >= slot->job_count)
			continue;
		struct answer *answer = job_answer(run, slot, slot->jobs[i]);
		if (answer->ended || answer->broken)
			job_end(run, slot, i);
		else if (job_wants_to_leave(slot->jobs[i], answer))
			job_leave(run, slot, i);
	}
	bool spent = mass_is_h1(run->mass) ? slot->job_count == 0 : slot->h2.broken;
	if (slot->open && spent && slot->job_count == 0)
		slot_close(run, slot, false);
}

static void slot_pump(struct mass_run *run, struct slot *slot)
{
	bool h1 = mass_is_h1(run->mass);
	while (slot->open && (h1 ? h1_pump(&slot->h1) : h2_pump(&slot->h2)))
		run->moved_us = clock_us();
}

static void mass_start_some(struct mass_run *run)
{
	size_t starts = 0;
	for (size_t i = 0; i < run->mass->connections && starts < STARTS_PER_TURN; i++) {
		struct slot *slot = &run->slots[i];
		for (struct mass_job *job; slot->job_count < run->mass->streams; starts++) {
			if ((job = slot_next_job(run, slot)) == NULL)
				break;
			slot_start(run, slot, job);
		}
	}
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

void mass_run(struct mass *mass)
{
	struct mass_run run = {.mass = mass, .moved_us = clock_us()};
	unsigned services = mass->services == 0 ? 1 : mass->services;
	assert_true(mass->streams <= MOST_STREAMS && services <= MASS_SERVICES);
	mass->most_open = mass->over = 0;
	size_t turns = 0;
	run.slots = calloc(mass->connections, sizeof *run.slots);
	run.epoll = epoll_create1(EPOLL_CLOEXEC);
	assert_non_null(run.slots);
	for (size_t i = 0; i < mass->connections; i++)
		run.slots[i].service = (unsigned)(i % services);
	while (mass->over < mass->count) {
		mass_turn(&run);
		if (mass->on_turn != NULL && ++turns % TURNS_PER_LOOK == 0)
			mass->on_turn(mass);
	}
	for (size_t i = 0; i < mass->connections; i++)
		if (run.slots[i].open)
			slot_close(&run, &run.slots[i], false);
	free(run.slots);
	close(run.epoll);
}

void mass_free_answers(struct mass *mass)
{
	for (size_t i = 0; i < mass->count; i++)
		answer_free(&mass->jobs[i].answer);
}
