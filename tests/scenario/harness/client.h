/* SPDX-License-Identifier: MIT */
/*
 * One exchange of one client over any of the four ways in, so that a scenario
 * can be told once and run for all of them.
 */
#ifndef SLUICE_TESTS_HARNESS_CLIENT_H
#define SLUICE_TESTS_HARNESS_CLIENT_H

#include "tests/scenario/harness/h1.h"
#include "tests/scenario/harness/h2.h"
#include "tests/scenario/harness/sluice.h"

enum via { VIA_H1, VIA_H1_TLS, VIA_H2, VIA_H2_TLS, VIA_COUNT };

const char *via_name(enum via via);

struct client {
	enum via via;
	struct h1 h1;
	struct h2 h2;
	struct h2_stream *stream;
};

/* Opens a connection and sends a request there. headers: as h2_request takes them. body: with Content-Type
 * application/json; NULL: none. */
void client_send(struct client *client, const struct sluice *sluice, enum via via, const char *method, const char *path,
		 const struct h2_header *headers, const char *body);

/* Opens a connection and posts body there. */
void client_post(struct client *client, const struct sluice *sluice, enum via via, const char *path, const char *body);

/* POST /v1/chat/completions of one user message to a model. */
void client_chat(struct client *client, const struct sluice *sluice, enum via via, const char *model, bool stream);

/* The body client_chat sends. Static, until the next call. */
const char *chat_body(const char *model, bool stream);
/* A chat whose body has size bytes. The caller frees it. */
char *chat_body_large(const char *model, size_t size);

struct answer *client_answer(struct client *client);
void client_wait_head(struct client *client);
void client_wait_end(struct client *client);

/* Waits until the body has at least len bytes, or has ended. */
void client_wait_body(struct client *client, size_t len);

/* Waits until the body holds at least count complete events; the reader is fed and stays the caller's. */
struct sse;
void client_wait_events(struct client *client, struct sse *sse, size_t count);

/* How a client may leave. */
enum leave { LEAVE_FIN, LEAVE_RST, LEAVE_CANCEL /* RST_STREAM where there is one, else as LEAVE_RST */ };

/* Leaves; the time just before, on clock_us. */
uint64_t client_leave(struct client *client, enum leave how);

/* Frees everything, closing what is open. */
void client_close(struct client *client);

/* Waits for the end, hands the answer over (the caller frees it), and closes. */
void client_finish(struct client *client, struct answer *answer);

/* Sends, waits for the end, hands the answer over (the caller frees it). */
void client_ask(const struct sluice *sluice, enum via via, const char *method, const char *path,
		const struct h2_header *headers, const char *body, struct answer *answer);

/* All at once: posts, waits for the end, hands the answer over (the caller frees it). */
void client_fetch(const struct sluice *sluice, enum via via, const char *path, const char *body, struct answer *answer);
void client_fetch_chat(const struct sluice *sluice, enum via via, const char *model, bool stream,
		       struct answer *answer);

#endif
