/* SPDX-License-Identifier: MIT */
/* Room for a body, and handing a body on to those who keep it longer; h1_body.h and h1_session.h hold the contracts. */
#include "service/http/h1_body.h"

#include <stdlib.h>

#include "lib/ledger.h"
#include "service/http/body_memory.h"

/* A small body takes no room; what its client may hold in all is bounded as well. */
static enum error_code charge_small(struct h1_session *session, size_t bytes)
{
	if (session->charged > 0 || (bytes < LEDGER_BLOCK && !session->chunked))
		return ERROR_NONE;
	if (!ledger_begin(session->connection->party, BODY_MEMORY_SMALL))
		return ERROR_MEMORY_FULL;
	session->charged = BODY_MEMORY_SMALL;
	return ERROR_NONE;
}

static void uncharge_small(struct h1_session *session)
{
	ledger_give(session->connection->party, session->charged);
	session->charged = 0;
}

enum error_code h1_body_take_room(struct h1_session *session, size_t bytes)
{
	const struct http_connection *connection = session->connection;
	size_t more = session->chunked ? BODY_MEMORY_STEP : bytes;
	if (bytes <= BODY_MEMORY_SMALL)
		return charge_small(session, bytes);
	if (bytes <= session->room)
		return ERROR_NONE;
	enum error_code error =
	    body_memory_take(&connection->server->config->limits, connection->address, connection->party, more);
	if (error == ERROR_NONE)
		session->room += more;
	return error;
}

void h1_body_fit_room(struct h1_session *session, size_t need)
{
	body_memory_fit(session->connection->address, session->connection->party, &session->room, need);
	if (session->room > 0 || need == 0)
		uncharge_small(session);
}

/* An input buffer of h2o that holds a body. */
struct taken_input {
	struct bytes bytes; /* first */
	h2o_buffer_t *input;
};

static void dispose_input(struct bytes *bytes)
{
	struct taken_input *taken = (struct taken_input *)bytes;
	h2o_buffer_dispose(&taken->input);
	free(taken);
}

/* The socket gets a buffer of its own for what the client has sent ahead. False: out of memory. */
static bool replace_input(struct h1_session *session)
{
	h2o_buffer_t *input = session->sock->input;
	size_t ahead = input->size - session->content_length;
	h2o_buffer_init(&session->sock->input, input->_prototype);
	if (ahead == 0)
		return true;
	h2o_iovec_t room = h2o_buffer_reserve(&session->sock->input, ahead);
	if (room.base == NULL) {
		session->sock->input = input;
		return false;
	}
	memcpy(room.base, input->bytes + session->content_length, ahead);
	session->sock->input->size += ahead;
	return true;
}

struct bytes *h1_session_take_body(struct h1_session *session)
{
	/* of no thread and of no server, and of no size: what is taken is freed as any other memory */
	static h2o_buffer_prototype_t nobodys = {._initial_buf = {.capacity = SIZE_MAX, ._fd = -1}};
	h2o_buffer_t *input = session->sock->input;
	if (session->chunked)
		return bytes_take(&session->body);
	struct taken_input *taken = input->size == 0 ? NULL : malloc(sizeof(*taken));
	if (taken == NULL || !replace_input(session)) {
		free(taken);
		return NULL;
	}
	h2o_buffer_set_prototype(&input, &nobodys);
	taken->input = input;
	bytes_init(&taken->bytes, (struct span){session->req.entity.base, session->req.entity.len}, dispose_input);
	session->content_length = 0; /* of the input that is left, nothing is this request's */
	return &taken->bytes;
}
