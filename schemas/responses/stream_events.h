/* SPDX-License-Identifier: MIT */
/* The events of a stream of the Responses dialect, each appended to stream->out; nothing when that is NULL. */
#ifndef SLUICE_SCHEMAS_RESPONSES_STREAM_EVENTS_H
#define SLUICE_SCHEMAS_RESPONSES_STREAM_EVENTS_H

#include "schemas/responses/stream_write.h"

/* An event that holds the response object. type: response.created for one; status: of the response. told: of the items
 * and usage so far; error: of a failed response, or NULL. */
void responses_event_response(struct responses_stream *stream, const char *type, const char *status, bool told,
			      const struct error_told *error);

/* The events that begin an item: it is added, and so is its part. */
void responses_event_begin(struct responses_stream *stream, const struct responses_item *item);

/* A piece of an item's content. */
void responses_event_delta(struct responses_stream *stream, const struct responses_item *item, struct span text);

/* The events that end an item: its content is done, its part, and itself. */
void responses_event_end(struct responses_stream *stream, const struct responses_item *item);

#endif
