/* SPDX-License-Identifier: MIT */
/* Whole answers, told once more; replay.h holds the contract. */
#include "schemas/openai/replay.h"

#include "lib/decimal.h"
#include "schemas/openai/internal.h"
#include "schemas/openai/stream_end.h"
#include "schemas/sse_write.h"

static struct answer_mark mark(const struct json *json, const char *key)
{
	uint32_t value = json_member(json, 0, key);
	if (value == JSON_NONE)
		return (struct answer_mark){0, 0};
	return (struct answer_mark){json->nodes[value].start, json->nodes[value].end};
}

struct answer_marks openai_replay_marks(const struct json *json)
{
	return (struct answer_marks){.id = mark(json, "id"), .created = mark(json, "created")};
}

/* Appends the body from done to a mark, and steps over that. */
static void append_to(const struct answer_replay *replay, struct answer_mark to, size_t *done, struct buf *out)
{
	buf_append(out, (struct span){replay->body.at + *done, to.start - *done});
	*done = to.end;
}

static void put_id(const struct answer_replay *replay, size_t *done, struct buf *out)
{
	if (replay->id.at == NULL || replay->marks.id.start == replay->marks.id.end)
		return;
	append_to(replay, replay->marks.id, done, out);
	buf_append(out, SPAN("\""));
	buf_append(out, replay->id);
	buf_append(out, SPAN("\""));
}

static void put_created(const struct answer_replay *replay, size_t *done, struct buf *out)
{
	if (replay->created < 0 || replay->marks.created.start == replay->marks.created.end)
		return;
	append_to(replay, replay->marks.created, done, out);
	decimal_append_signed(out, replay->created);
}

bool openai_replay_whole(const struct answer_replay *replay, struct buf *out)
{
	size_t done = 0;
	bool id_first = replay->marks.id.start < replay->marks.created.start;
	if (id_first)
		put_id(replay, &done, out);
	put_created(replay, &done, out);
	if (!id_first)
		put_id(replay, &done, out);
	append_to(replay, (struct answer_mark){replay->body.len, replay->body.len}, &done, out);
	return !buf_failed(out);
}

/* Where a stream is written. */
struct written_stream {
	struct buf *out;
	uint64_t events;
};

static bool write_event(void *context, struct span data, unsigned carries)
{
	struct written_stream *stream = context;
	(void)carries;
	stream->events++;
	sse_write_event(stream->out, data);
	return !buf_failed(stream->out);
}

bool openai_replay_stream(const struct answer_replay *replay, struct buf *out, uint64_t *events)
{
	struct arena scratch;
	struct written_stream stream = {.out = out};
	arena_init(&scratch, 0);
	arena_charge(&scratch, out->party);
	bool written = openai_replay_chunks(replay, &scratch, write_event, &stream);
	out->failed |= arena_failed(&scratch);
	arena_fini(&scratch);
	if (events != NULL)
		*events = stream.events;
	if (written)
		openai_stream_end_write(out);
	return written && !buf_failed(out);
}
