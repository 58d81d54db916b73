/* SPDX-License-Identifier: MIT */
/* Jobs between loops; jobs.h holds the contract. */
#include "service/loop/jobs.h"

#include "lib/container.h"

void jobs_init(struct jobs *jobs, struct loop *loop, size_t most)
{
	*jobs = (struct jobs){.loop = loop, .most = most};
	jobs->last = &jobs->first;
}

static void on_job(struct loop_message *message)
{
	struct job *job = container_of(message, struct job, message);
	struct jobs *jobs = job->port->jobs;
	*jobs->last = job;
	jobs->last = &job->next;
}

bool jobs_submit(struct job_port *port, struct job *job)
{
	struct jobs *jobs = port->jobs;
	if (atomic_fetch_add(&jobs->pending, 1) >= jobs->most) {
		atomic_fetch_sub(&jobs->pending, 1);
		return false;
	}
	job->port = port;
	port->pending++;
	job->next = NULL;
	job->message.run = on_job;
	loop_post(jobs->loop, &job->message);
	return true;
}

struct job *jobs_take(struct jobs *jobs)
{
	struct job *job = jobs->first;
	if (job == NULL)
		return NULL;
	jobs->first = job->next;
	if (jobs->first == NULL)
		jobs->last = &jobs->first;
	return job;
}

static void on_ended(struct loop_message *message)
{
	struct job *job = container_of(message, struct job, message);
	job->port->pending--;
	job->done(job);
}

void jobs_end(struct job *job)
{
	atomic_fetch_sub(&job->port->jobs->pending, 1);
	job->message.run = on_ended;
	loop_post(job->port->loop, &job->message);
}
