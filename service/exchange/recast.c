/* SPDX-License-Identifier: MIT */
/* Making the answer, and sending it; recast.h holds the contract. */
#include "service/exchange/recast.h"

#include <stdlib.h>

#include "lib/container.h"
#include "lib/step.h"
#include "service/exchange/telling.h"
#include "service/loop/offload.h"
#include "service/plan/answer_slices.h"

enum {
	RECAST_MORE = 128, /* bytes that a fresh id and time may add */
	RECAST_MOST = 256 << 20
};

/* The making of an answer, which needs nothing but this. */
struct making {
	struct recast_source source;
	const struct config_plan *target;
	const struct dialect *to; /* the client's, when it is told in another one; NULL = as it is */
	struct request *request;  /* held, when it is told in another one */
	bool stream;
	struct buf body; /* put together from events */
	struct buf out;
	uint64_t events; /* chunks in out */
	struct usage usage;
	bool made;
	bool odd; /* it is not, as the backend's answer cannot be understood */
};

struct recast {
	struct offload_job job; /* first */
	struct answer_slices slices;
	struct exchange *exchange;
	bool submitted;
	bool failed; /* memory ran out in the middle */
	struct making making;
	char id[ANSWER_ID_SIZE];
};

static bool is_framed(const struct recast_source *source)
{
	return source->after != NULL;
}

/* ---- making ---- */

/*
 * Reads the part: an answer that was too long to be kept by its target came unread, and what goes into a frame must be
 * JSON. Returns whether it may; odd: it is none.
 */
static bool is_sound(struct span part, uint32_t party, bool *odd)
{
	struct arena scratch;
	struct json json;
	arena_init(&scratch, 0);
	arena_charge(&scratch, party);
	bool sound = event_parse(part, &scratch, &json);
	*odd = !sound && !arena_failed(&scratch);
	arena_fini(&scratch);
	return sound;
}

static void make_framed(struct making *making)
{
	struct recast_source *source = &making->source;
	struct span part = buf_span(&source->part), after = span_of(source->after);
	if (!is_sound(part, making->out.party, &making->odd) ||
	    buf_reserve(&source->before, part.len + after.len) == NULL)
		return;
	buf_append(&source->before, part);
	making->made = buf_append(&source->before, after);
	making->out = buf_take(&source->before);
}

/* Writes the answer anew, with its fresh id, in the client's dialect. */
static void make_told(struct making *making)
{
	const struct answer_replay *replay = &making->source.replay;
	bool exhausted = false;
	struct buf whole;
	buf_init(&whole, RECAST_MOST);
	buf_charge(&whole, making->out.party);
	making->made = buf_reserve(&whole, replay->body.len + RECAST_MORE) != NULL &&
		       replay->dialect->replay_whole(replay, &whole);
	if (making->made) {
		const struct telling_whole told = {.from = replay->dialect,
						   .to = making->to,
						   .endpoint = replay->endpoint,
						   .body = buf_span(&whole),
						   .request = making->request,
						   .stream = making->stream};
		making->made = telling_write(&told, &making->out, &exhausted);
		making->odd = !making->made && !exhausted;
	}
	buf_fini(&whole);
}

/* Thread-safe. */
static void make(struct making *making)
{
	struct recast_source *source = &making->source;
	if (is_framed(source)) {
		make_framed(making);
		return;
	}
	making->made = true;
	if (source->whole != NULL) {
		making->made = whole_write(source->whole, &making->body);
		making->odd = !making->made && !source->whole->exhausted;
		making->usage = source->whole->usage;
		source->replay.body = buf_span(&making->body);
	}
	if (making->made && making->to != NULL)
		make_told(making);
	else if (making->made && making->stream)
		making->made = source->replay.dialect->replay_stream(&source->replay, &making->out, &making->events);
	else if (making->made)
		making->made = buf_reserve(&making->out, source->replay.body.len + RECAST_MORE) != NULL &&
			       source->replay.dialect->replay_whole(&source->replay, &making->out);
}

static void making_init(struct making *making, const struct exchange *exchange, const struct recast_source *source,
			const struct config_plan *target)
{
	bool stream = exchange->request->stream && !is_framed(source);
	*making = (struct making){.source = *source, .target = target, .stream = stream, .usage = USAGE_UNKNOWN};
	if (telling_is_needed(exchange)) {
		making->to = exchange->to.dialect;
		making->request = request_hold(exchange->request);
	}
	buf_init(&making->body, RECAST_MOST);
	buf_init(&making->out, RECAST_MOST);
	buf_charge(&making->body, exchange->request->party);
	buf_charge(&making->out, exchange->request->party);
}

static void making_fini(struct making *making)
{
	request_drop(making->request);
	buf_fini(&making->body);
	buf_fini(&making->out);
	store_value_drop(making->source.held);
	if (making->source.whole != NULL)
		whole_fini(making->source.whole);
	free(making->source.whole);
	if (is_framed(&making->source)) {
		buf_fini(&making->source.part);
		buf_fini(&making->source.before);
	}
}

static enum error_code making_error(const struct making *making)
{
	return making->odd ? ERROR_UPSTREAM_INVALID : ERROR_OVERLOADED;
}

/* ---- sending ---- */

/* Sends the head of an answer that is made. */
static void begin_answer(struct exchange *exchange, const struct making *making)
{
	struct event event = {
	    .kind = making->stream ? EVENT_CHUNK : EVENT_BODY, .carries = CARRIES_CONTENT, .usage = making->usage};
	exchange_note(exchange, &event, false);
	exchange->report.events = making->events;
	if (making->source.whole != NULL)
		exchange->report.usage = making->usage;
	if (making->stream)
		exchange_head(exchange, EXCHANGE_ST_STREAM, making->target, -1);
	else
		exchange_head(exchange, EXCHANGE_ST_BODY, making->target, (int64_t)buf_len(&making->out));
}

static enum exchange_step send_now(struct exchange *exchange, const struct recast_source *source,
				   const struct config_plan *target)
{
	struct making making;
	making_init(&making, exchange, source, target);
	struct step_mark before = step_enter("replay");
	make(&making);
	step_leave(before);
	if (making.made)
		begin_answer(exchange, &making);
	bool sent = making.made && exchange_send(exchange, buf_span(&making.out));
	enum exchange_step next = sent ? exchange_completes(exchange) : exchange_fails(exchange, making_error(&making));
	making_fini(&making);
	return next;
}

static void recast_slice(struct answer_slices *slices, struct event *event)
{
	struct recast *recast = container_of(slices, struct recast, slices);
	recast->failed = recast->failed || !exchange_send(recast->exchange, event->data);
}

static void recast_sent(struct answer_slices *slices)
{
	struct recast *recast = container_of(slices, struct recast, slices);
	struct exchange *exchange = recast->exchange;
	exchange_go(exchange,
		    recast->failed ? exchange_cuts(exchange, ERROR_OVERLOADED) : exchange_completes(exchange));
}

static void recast_free(struct recast *recast)
{
	making_fini(&recast->making);
	free(recast);
}

static void recast_work(struct offload_job *job)
{
	make(&container_of(job, struct recast, job)->making);
}

static void recast_done(struct offload_job *job)
{
	struct recast *recast = container_of(job, struct recast, job);
	struct exchange *exchange = recast->exchange;
	struct usage unknown = USAGE_UNKNOWN;
	recast->submitted = false;
	store_value_drop(recast->making.source.held); /* all that is sent is in out */
	recast->making.source.held = NULL;
	if (job->refused || !recast->making.made) {
		exchange_go(exchange,
			    exchange_fails(exchange, job->refused ? ERROR_OVERLOADED : making_error(&recast->making)));
		return;
	}
	exchange_keepalive_end(exchange); /* no comment may come between two slices */
	begin_answer(exchange, &recast->making);
	recast->slices.emit = recast_slice;
	recast->slices.on_told = recast_sent;
	answer_slices_begin(&recast->slices, exchange_plan(exchange)->reactor, buf_span(&recast->making.out), &unknown);
}

static void recast_discard(struct offload_job *job)
{
	recast_free(container_of(job, struct recast, job));
}

/* Bytes that have to be read and written. */
static size_t recast_weight(const struct recast_source *source)
{
	if (is_framed(source))
		return buf_len(&source->part);
	return source->whole != NULL ? whole_bytes(source->whole) : source->replay.body.len;
}

static struct recast *recast_create(struct exchange *exchange, const struct recast_source *source,
				    const struct config_plan *target)
{
	struct recast *recast = calloc(1, sizeof(*recast));
	if (recast == NULL)
		return NULL;
	making_init(&recast->making, exchange, source, target);
	struct span *id = &recast->making.source.replay.id;
	if (id->at != NULL && id->len <= ANSWER_ID_SIZE)
		id->at = memcpy(recast->id, id->at, id->len);
	recast->exchange = exchange;
	recast->slices.paused = exchange->paused;
	recast->job = (struct offload_job){.work = recast_work,
					   .done = recast_done,
					   .discard = recast_discard,
					   .kind = OFFLOAD_RECAST,
					   .owner = {exchange->request->network, exchange->request->identity},
					   .bytes = recast_weight(source) * 2};
	return recast;
}

static void pause_recast(struct exchange *exchange, bool paused)
{
	answer_slices_pause(&exchange->recast->slices, paused);
}

/* The exchange ends, perhaps before the answer did. */
static void leave_recast(struct exchange *exchange)
{
	struct recast *recast = exchange->recast;
	exchange->recast = NULL;
	answer_slices_end(&recast->slices);
	if (recast->submitted)
		offload_cancel(&recast->job);
	else
		recast_free(recast);
}

enum exchange_step recast_begin(struct exchange *exchange, const struct recast_source *source,
				const struct config_plan *target)
{
	static const struct exchange_source recast_ops = {.pause = pause_recast, .leave = leave_recast};
	struct offload_port *offload = exchange_plan(exchange)->offload;
	bool light = offload == NULL || recast_weight(source) <= RECAST_IN_TURN;
	struct recast *recast = light ? NULL : recast_create(exchange, source, target);
	if (recast == NULL)
		return send_now(exchange, source, target);
	exchange_set_source(exchange, NULL);
	exchange->recast = recast;
	exchange_set_source(exchange, &recast_ops);
	recast->submitted = true;
	offload_submit(offload, &recast->job);
	return EXCHANGE_WAIT;
}
