/* SPDX-License-Identifier: MIT */
/*
 * Metrics of the process. Writing them takes 185 ms with 500 models and 50 backends, and any thread may: a helper does,
 * whoever is served meanwhile.
 */
#include <stdlib.h>

#include "lib/container.h"
#include "service/admin/admin.h"
#include "service/loop/offload.h"

struct metrics_job {
	struct offload_job work;
	struct admin_job job;
	struct buf text;
};

static struct metrics_job *of_work(struct offload_job *work)
{
	return container_of(work, struct metrics_job, work);
}

static struct metrics_job *of_job(struct admin_job *job)
{
	return container_of(job, struct metrics_job, job);
}

static void metrics_free(struct metrics_job *metrics)
{
	buf_fini(&metrics->text);
	free(metrics);
}

/* On a helper thread. */
static void metrics_job_on_work(struct offload_job *work)
{
	metrics_write_prometheus(&of_work(work)->text);
}

static void metrics_job_on_done(struct offload_job *work)
{
	struct metrics_job *metrics = of_work(work);
	metrics->job.on_ready(metrics->job.waiter);
}

static void metrics_job_on_discard(struct offload_job *work)
{
	metrics_free(of_work(work));
}

static void metrics_job_tell(struct admin_job *job, struct admin_answer *answer)
{
	struct metrics_job *metrics = of_job(job);
	if (metrics->work.refused)
		answer->error = ERROR_OVERLOADED;
	buf_fini(&answer->body);
	answer->body = buf_take(&metrics->text);
	metrics_free(metrics);
}

static void metrics_job_leave(struct admin_job *job)
{
	offload_cancel(&of_job(job)->work);
}

void admin_metrics(const struct admin_request *request, struct admin_answer *answer)
{
	struct metrics_job *metrics = request->offload == NULL ? NULL : calloc(1, sizeof(*metrics));
	if (metrics == NULL) {
		metrics_write_prometheus(&answer->body);
		return;
	}
	buf_init(&metrics->text, answer->body.ceiling);
	metrics->job = (struct admin_job){.tell = metrics_job_tell, .leave = metrics_job_leave};
	metrics->work = (struct offload_job){.work = metrics_job_on_work,
					     .done = metrics_job_on_done,
					     .discard = metrics_job_on_discard,
					     .kind = OFFLOAD_METRICS};
	offload_submit(request->offload, &metrics->work);
	answer->job = &metrics->job;
}
