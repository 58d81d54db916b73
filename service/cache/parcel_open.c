/* SPDX-License-Identifier: MIT */
/* The job owns the copy and the value; parcel_open.h holds the contract. */
#include "service/cache/parcel_open.h"

#include <stdlib.h>

struct opening {
	struct offload_job job; /* first */
	struct cache_key key;
	size_t most;
	struct buf bytes;
	struct buf room;
	struct opened opened;
	/* the loop's */
	void (*on_opened)(void *context, const struct opened *opened, bool refused);
	void *context;
};

void parcel_open(struct span bytes, const struct cache_key *key, size_t most, struct buf *room, struct opened *opened)
{
	bool whole = parcel_decode(bytes, key, most, room, &opened->parcel);
	opened->value = whole ? store_value_create(opened->parcel.entry) : NULL;
	if (opened->value != NULL)
		opened->parcel.entry = (struct span){opened->value->bytes, opened->value->len};
}

bool opening_is_worth(const struct offload_port *offload, struct span bytes)
{
	return offload != NULL && (bytes.len > OPENED_IN_TURN || parcel_entry_size(bytes) > OPENED_IN_TURN);
}

static void opening_free(struct opening *opening)
{
	buf_fini(&opening->bytes);
	buf_fini(&opening->room);
	free(opening);
}

/* On a helper thread. */
static void opening_on_work(struct offload_job *job)
{
	struct opening *opening = (struct opening *)job;
	parcel_open(buf_span(&opening->bytes), &opening->key, opening->most, &opening->room, &opening->opened);
	buf_fini(&opening->room);
	buf_fini(&opening->bytes);
}

static void opening_on_done(struct offload_job *job)
{
	struct opening *opening = (struct opening *)job;
	opening->on_opened(opening->context, &opening->opened, job->refused);
	opening_free(opening);
}

static void opening_on_discard(struct offload_job *job)
{
	struct opening *opening = (struct opening *)job;
	store_value_drop(opening->opened.value);
	opening_free(opening);
}

struct opening *opening_begin(struct offload_port *offload, const struct offload_owner *owner, struct span bytes,
			      const struct cache_key *key, size_t most,
			      void (*on_opened)(void *context, const struct opened *opened, bool refused),
			      void *context)
{
	struct opening *opening = calloc(1, sizeof(*opening));
	if (opening == NULL)
		return NULL;
	size_t claimed = parcel_entry_size(bytes);
	buf_init(&opening->bytes, bytes.len + 1);
	buf_init(&opening->room, most);
	if (!buf_append(&opening->bytes, bytes)) {
		opening_free(opening);
		return NULL;
	}
	opening->key = *key;
	opening->most = most;
	opening->on_opened = on_opened;
	opening->context = context;
	opening->job = (struct offload_job){.work = opening_on_work,
					    .done = opening_on_done,
					    .discard = opening_on_discard,
					    .kind = OFFLOAD_INFLATE,
					    .owner = *owner,
					    .bytes = bytes.len + 2 * (claimed < most ? claimed : most)};
	offload_submit(offload, &opening->job);
	return opening;
}

void opening_cancel(struct opening *opening)
{
	offload_cancel(&opening->job);
}
