/* SPDX-License-Identifier: MIT */
/* GET /admin/usage: the record of use. The keeper (service/usage/keeper.h) answers on its own thread. */
#include <stdlib.h>

#include "lib/container.h"
#include "lib/media_type.h"
#include "service/admin/admin.h"
#include "service/usage/keeper.h"

struct usage_answer_job {
	struct admin_job job; /* first */
	struct usage_job work;
	bool left; /* nobody waits any more */
};

static void usage_free(struct usage_answer_job *usage)
{
	usage_question_fini(&usage->work.question);
	free(usage);
}

static void usage_tell(struct admin_job *job, struct admin_answer *answer)
{
	struct usage_answer_job *usage = (struct usage_answer_job *)job;
	struct usage_question *question = &usage->work.question;
	answer->error = question->error;
	if (question->error == ERROR_NONE) {
		buf_fini(&answer->body);
		answer->body = buf_take(&question->answer);
		if (question->csv)
			answer->content_type = "text/csv; charset=utf-8; header=present";
	} else {
		buf_append(&answer->body, question->message);
	}
	answer->fields[answer->field_count++] = (struct http_field){SPAN("vary"), SPAN("accept")};
	usage_free(usage);
}

static void usage_leave(struct admin_job *job)
{
	struct usage_answer_job *usage = (struct usage_answer_job *)job;
	usage->left = true;
}

static void on_done(struct job *work)
{
	struct usage_answer_job *usage = container_of(work, struct usage_answer_job, work.job);
	if (usage->left)
		usage_free(usage);
	else
		usage->job.on_ready(usage->job.waiter);
}

/* Whoever takes anything gets JSON. */
static bool wants_csv(struct span accept)
{
	return accept.at != NULL && media_type_accepted(accept, "text/csv") &&
	       !media_type_accepted(accept, "application/json");
}

void admin_usage(const struct admin_request *request, struct admin_answer *answer)
{
	struct findings findings = {.count = 0};
	struct usage_answer_job *usage = request->usage == NULL ? NULL : calloc(1, sizeof(*usage));
	answer->error = ERROR_OVERLOADED;
	if (usage == NULL)
		return;
	usage->job = (struct admin_job){.tell = usage_tell, .leave = usage_leave};
	usage->work.job.done = on_done;
	usage_question_init(&usage->work.question);
	if (!usage_question_read(&usage->work.question, request->query, wants_csv(request->accept), &findings)) {
		admin_refuse_findings(request, answer, &findings);
		if (answer->param.at != NULL)
			answer->param = arena_copy(request->arena, answer->param);
	} else if (jobs_submit(request->usage, &usage->work.job)) {
		answer->error = ERROR_NONE;
		answer->job = &usage->job;
		return;
	}
	usage_free(usage);
}
