/* SPDX-License-Identifier: MIT */
/* The job holds the packed body, which its client may leave behind; unpacking.h holds the contract. */
#include "service/unpacking.h"

#include <stdlib.h>

#include "lib/gunzip.h"
#include "service/loop/offload.h"

enum { UNPACKING_EXTRA = 1 << 17 /* room to see that a body is too large */, UNPACKING_GUESS = 8 };

struct unpacking {
	struct offload_job job; /* first */
	struct bytes *packed;
	struct buf body;
	size_t most;
	enum gunzip_result result;
	/* the loop's */
	struct http_request *request;
	const struct operation_row *row;
	unpacking_done done;
	void *context;
};

static void unpacking_free(struct unpacking *unpacking)
{
	bytes_drop(unpacking->packed);
	buf_fini(&unpacking->body);
	free(unpacking);
}

/* On a helper thread. */
static void unpacking_on_work(struct offload_job *job)
{
	struct unpacking *unpacking = (struct unpacking *)job;
	unpacking->result = gunzip(unpacking->packed->span, unpacking->most, &unpacking->body);
	buf_fit(&unpacking->body);
}

static enum error_code error_of(const struct unpacking *unpacking)
{
	static const enum error_code errors[] = {[GUNZIP_DONE] = ERROR_NONE,
						 [GUNZIP_BROKEN] = ERROR_INVALID_VALUE,
						 [GUNZIP_TOO_LARGE] = ERROR_BODY_TOO_LARGE,
						 [GUNZIP_MEMORY] = ERROR_OVERLOADED};
	return unpacking->job.refused ? ERROR_OVERLOADED : errors[unpacking->result];
}

static void unpacking_on_done(struct offload_job *job)
{
	struct unpacking *unpacking = (struct unpacking *)job;
	enum error_code error = error_of(unpacking);
	http_request_attach(unpacking->request, NULL, NULL);
	if (error == ERROR_NONE)
		error = http_request_replace_body(unpacking->request, &unpacking->body);
	unpacking->done(unpacking->context, unpacking->request, unpacking->row, error);
	unpacking_free(unpacking);
}

static void unpacking_on_discard(struct offload_job *job)
{
	unpacking_free((struct unpacking *)job);
}

static void on_gone(void *context)
{
	struct unpacking *unpacking = context;
	offload_cancel(&unpacking->job);
}

static void on_drained(void *context)
{
	(void)context; /* nothing was written yet */
}

bool unpacking_begin(struct offload_port *port, struct http_request *request, const struct operation_row *row,
		     size_t most, unpacking_done done, void *context)
{
	static const struct http_request_ops ops = {on_gone, on_drained};
	struct unpacking *unpacking = calloc(1, sizeof(*unpacking));
	struct bytes *packed = unpacking == NULL ? NULL : http_request_hold_body(request);
	if (packed == NULL) {
		free(unpacking);
		return false;
	}
	size_t guess = packed->span.len * UNPACKING_GUESS;
	*unpacking = (struct unpacking){.job = {.work = unpacking_on_work,
						.done = unpacking_on_done,
						.discard = unpacking_on_discard,
						.kind = OFFLOAD_GUNZIP,
						.owner = {http_request_network(request), http_request_client(request)},
						.bytes = guess < most ? guess : most},
					.packed = packed,
					.most = most,
					.request = request,
					.row = row,
					.done = done,
					.context = context};
	buf_init(&unpacking->body, most + UNPACKING_EXTRA);
	buf_charge(&unpacking->body, http_request_party(request));
	http_request_attach(request, &ops, unpacking);
	offload_submit(port, &unpacking->job);
	return true;
}
