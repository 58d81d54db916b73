/* SPDX-License-Identifier: MIT */
/*
 * What a peer does for nothing is charged to a leaky bucket. A peer that provokes resets pays for them as if it had
 * sent them itself (CVE-2023-44487, CVE-2025-8671), and so does one that sends heads to be refused for their size.
 */
#include "service/http/h2_flood.h"

enum { HEAD_LIMITS = 4 /* limits.header_list that one head may be decoded to before the connection ends */ };

/* False when the peer has used up what it may do. */
static bool allow(struct h2_allowance *allowance, uint64_t now_us, unsigned burst, unsigned per_second)
{
	uint64_t cost_us = 1000000 / per_second;
	if (allowance->at_us < now_us)
		allowance->at_us = now_us;
	allowance->at_us += cost_us;
	return allowance->at_us - now_us <= burst * cost_us;
}

/* Ends the connection. */
static int calm(struct h2_session *session)
{
	nghttp2_session_terminate_session(session->nghttp2, NGHTTP2_ENHANCE_YOUR_CALM);
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

int h2_flood_control(struct h2_session *session)
{
	return allow(&session->controls, h2_now(session), H2_CONTROLS_BURST, H2_CONTROLS_PER_SECOND) ? 0
												     : calm(session);
}

int h2_flood_reset(struct h2_session *session)
{
	return allow(&session->resets, h2_now(session), H2_RESETS_BURST, H2_RESETS_PER_SECOND) ? 0 : calm(session);
}

/*
 * A few KB of indices decode to megabytes. Decoding cannot stop without losing the table that the connection shares, so
 * the connection ends.
 */
int h2_flood_header(struct h2_session *session, size_t decoded)
{
	session->head_bytes += decoded;
	return session->head_bytes > HEAD_LIMITS * h2_limits(session)->header_list ? calm(session) : 0;
}
