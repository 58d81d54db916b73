/* SPDX-License-Identifier: MIT */
/*
 * Counts of tokens that no backend is asked for: estimates from the size of a request, which are marked. A body that
 * would hold a loop's turn is read by a helper; a counting owns all that the helper touches.
 */
#include <stdlib.h>
#include <time.h>

#include "lib/bytes.h"
#include "lib/container.h"
#include "schemas/dialect.h"
#include "schemas/request.h"
#include "service/admin/admin.h"
#include "service/exchange/reading.h"
#include "service/quotas/quotas.h"
#include "service/responses/response_memory.h"

enum {
	TOKENS_OF_IMAGE = 1600,       /* of one as large as models look at */
	DOCUMENT_BYTES_OF_TOKEN = 32, /* of a PDF in base64 */
	TOKENS_MOST = 2147483647
};

/* Tokens of a byte of JSON where nothing was learned. */
static const double of_text = 0.3;

struct counting {
	struct offload_job work;
	struct admin_job job;
	const struct dialect *dialect;
	const struct config *config; /* held by one that a helper reads */
	struct holder *holder;       /* the same */
	struct quotas *quotas;
	struct quota_now now;
	struct bytes *bytes; /* held: the body, when a helper reads it */
	struct span body;
	struct response_store *responses;
	struct offload_port *offload;
	struct span tenant; /* whose responses the request may go on from */
	struct arena arena;
	struct input_size size;
	struct findings findings;
	bool read;                     /* well */
	struct response_recall recall; /* of the conversation, where replicas share responses */
	bool recalling;                /* it is under way */
	bool silent;                   /* Redis did not answer */
};

/* Returns what the client may go on from; NULL: nothing is stored. */
static const struct request_memory *memory_of(struct counting *counting)
{
	const struct response_store_limits limits = response_limits(&counting->config->responses);
	return response_memory(counting->responses, &limits, counting->tenant, &counting->arena);
}

/* What is not in memory may be in Redis. */
static bool is_missed(const struct counting *counting)
{
	return counting->silent && !counting->read && counting->findings.list[0].code == ERROR_PREVIOUS_NOT_FOUND;
}

static void counting_read(struct counting *counting)
{
	counting->read =
	    counting->dialect->count_read(counting->body, &counting->config->limits.json, memory_of(counting),
					  &counting->arena, &counting->findings, &counting->size);
	if (is_missed(counting))
		finding_only(&counting->findings, (struct finding){.code = ERROR_RESPONSE_STORE});
}

/* Returns the id of the stored response that the request seems to go on from; {NULL,0}: of none. */
static struct span previous_of(const struct dialect *dialect, struct span body)
{
	return dialect->previous_glance == NULL ? (struct span){NULL, 0} : dialect->previous_glance(body);
}

/* Returns whether the request may go on from a stored conversation. */
static bool goes_on(const struct admin_request *request)
{
	return request->responses != NULL && previous_of(request->dialect, request->body).at != NULL;
}

/* Prepares the arena for the body, and for the conversation that it may go on from. */
static void begin_arena(struct counting *counting, const struct admin_request *request)
{
	size_t kept = goes_on(request) ? counting->config->responses.tenant_size : 0;
	arena_init(&counting->arena, request_arena_most(request->body.len + kept));
	arena_charge(&counting->arena, request->party);
}

/* Returns the tokens of a byte, as earlier requests had them. */
static double tokens_of_byte(const struct counting *counting, const struct config_model *model)
{
	struct quota_habit habit;
	bool exhausted = false;
	struct quota_subject *subject =
	    counting->quotas == NULL
		? NULL
		: quotas_find(counting->quotas, holder_key(counting->holder), model, counting->now, &habit, &exhausted);
	if (subject == NULL)
		return of_text;
	quotas_drop(counting->quotas, subject);
	return habit.tokens_per_byte;
}

static uint64_t estimate(const struct counting *counting, const struct config_model *model)
{
	const struct input_size *size = &counting->size;
	double tokens = tokens_of_byte(counting, model) * (double)size->text;
	tokens += (double)size->images * TOKENS_OF_IMAGE + (double)size->documents / DOCUMENT_BYTES_OF_TOKEN;
	if (tokens < 1)
		return 1;
	return tokens < TOKENS_MOST ? (uint64_t)tokens : TOKENS_MOST;
}

/* Returns the model that the request names; NULL with findings. */
static const struct config_model *find_model(struct counting *counting)
{
	struct span name = counting->size.model;
	const struct config_key *key = holder_key(counting->holder);
	if (!config_key_may_use(key, name)) {
		reading_refuse_model(&counting->findings, key, name, SPAN("model"), &counting->arena);
		return NULL;
	}
	const struct config_model *model = config_find_model(counting->config, name);
	if (model == NULL)
		finding_only(&counting->findings,
			     (struct finding){.code = ERROR_MODEL_NOT_FOUND,
					      .message = arena_printf(
						  &counting->arena, "The model `%.*s` does not exist.", SPAN_ARG(name)),
					      .param = SPAN("model")});
	return model;
}

/* Writes the answer, or why there is none. arena: lives until it was sent. */
static void counting_tell(struct counting *counting, struct arena *arena, struct admin_answer *answer)
{
	const struct config_model *model = counting->read ? find_model(counting) : NULL;
	if (model == NULL) {
		admin_refuse_findings(&(struct admin_request){.arena = arena}, answer, &counting->findings);
		if (answer->param.at != NULL)
			answer->param = arena_copy(arena, answer->param);
		return;
	}
	answer->fields[answer->field_count++] = (struct http_field){SPAN("x-sluice-estimated"), SPAN("true")};
	counting->dialect->count_write(&answer->body, estimate(counting, model));
}

/* ---- by a helper ---- */

static void counting_free(struct counting *counting)
{
	arena_fini(&counting->arena);
	bytes_drop(counting->bytes);
	holder_drop(counting->holder);
	config_drop(counting->config);
	free(counting);
}

static void counting_on_work(struct offload_job *work)
{
	counting_read(container_of(work, struct counting, work));
}

static void counting_on_done(struct offload_job *work)
{
	struct counting *counting = container_of(work, struct counting, work);
	counting->job.on_ready(counting->job.waiter);
}

static void counting_on_discard(struct offload_job *work)
{
	counting_free(container_of(work, struct counting, work));
}

static void counting_job_tell(struct admin_job *job, struct admin_answer *answer)
{
	struct counting *counting = container_of(job, struct counting, job);
	if (counting->work.refused)
		answer->error = ERROR_OVERLOADED;
	else
		counting_tell(counting, answer->arena, answer);
	counting_free(counting);
}

static void counting_job_leave(struct admin_job *job)
{
	struct counting *counting = container_of(job, struct counting, job);
	if (!counting->recalling) {
		offload_cancel(&counting->work);
		return;
	}
	response_recall_cancel(&counting->recall);
	counting_free(counting);
}

static void counting_on_recalled(struct response_recall *recall, enum recall_result result)
{
	struct counting *counting = container_of(recall, struct counting, recall);
	counting->recalling = false;
	counting->silent = result == RECALL_SILENT;
	offload_submit(counting->offload, &counting->work);
}

/* Asks Redis for the conversation that the request goes on from. Returns false when there is nothing to wait for. */
static bool recall(struct counting *counting, struct shared_responses *shared)
{
	struct span id = previous_of(counting->dialect, counting->body);
	if (shared == NULL || !shared_responses_may_have(id))
		return false;
	counting->recall = (struct response_recall){.tenant = counting->tenant,
						    .id = id,
						    .limits = response_limits(&counting->config->responses),
						    .on_done = counting_on_recalled};
	counting->recalling = shared_responses_recall(shared, &counting->recall);
	counting->silent = !counting->recalling;
	return counting->recalling;
}

static void count_apart(const struct admin_request *request, const struct counting *made, struct admin_answer *answer)
{
	struct bytes *bytes = request->hold_body(request->lender);
	struct counting *counting = bytes == NULL ? NULL : malloc(sizeof(*counting));
	if (counting == NULL) {
		bytes_drop(bytes);
		answer->error = ERROR_OVERLOADED;
		return;
	}
	*counting = *made;
	begin_arena(counting, request);
	counting->tenant = request->tenant.len == 0 ? SPAN("") : arena_copy(&counting->arena, request->tenant);
	counting->bytes = bytes;
	counting->body = bytes->span;
	holder_hold(counting->holder);
	config_hold(counting->config);
	counting->job = (struct admin_job){.tell = counting_job_tell, .leave = counting_job_leave};
	counting->work = (struct offload_job){.work = counting_on_work,
					      .done = counting_on_done,
					      .discard = counting_on_discard,
					      .kind = OFFLOAD_DECODE,
					      .owner = {request->network, request->client},
					      .bytes = request->body.len};
	answer->job = &counting->job;
	if (!recall(counting, request->shared_responses))
		offload_submit(request->offload, &counting->work);
}

void admin_count_tokens(const struct admin_request *request, struct admin_answer *answer)
{
	struct counting counting = {.dialect = request->dialect,
				    .config = request->config,
				    .holder = request->shown,
				    .quotas = request->quotas,
				    .now = {.us = request->now_us, .s = (uint64_t)time(NULL)},
				    .body = request->body,
				    .responses = request->responses,
				    .offload = request->offload,
				    .tenant = request->tenant};
	if (request->offload != NULL && (offload_is_heavy(request->body) || goes_on(request))) {
		count_apart(request, &counting, answer);
		return;
	}
	begin_arena(&counting, request);
	counting_read(&counting);
	counting_tell(&counting, request->arena, answer);
	arena_fini(&counting.arena);
}
