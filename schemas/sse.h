/* SPDX-License-Identifier: MIT */
/*
 * An incremental parser of server-sent events (WHATWG HTML, section 9.2.6):
 * LF, CR and CRLF also split between reads, one leading BOM, comments,
 * multi-line data joined by LF, unknown fields ignored, an unfinished event at
 * the end of the stream dropped. Any split of the input gives the same events.
 *
 * An event that lies whole in the input is returned without copying; only the
 * tail of an unfinished event is kept, and never more than the cap. What stands
 * between events (comments, blank lines, blocks without data) goes with the next
 * one's raw bytes, up to SSE_BETWEEN_MOST, so that a relay loses nothing.
 */
#ifndef SLUICE_SCHEMAS_SSE_H
#define SLUICE_SCHEMAS_SSE_H

#include "lib/buf.h"

enum { SSE_BETWEEN_MOST = 65536 /* bytes between two events that are kept; of more, the older ones are dropped */ };

struct sse_event {
	struct span data; /* data lines joined by LF; never empty-because-absent: blocks without data are not events */
	struct span name; /* of the event field; empty when absent */
	struct span
	    raw; /* all bytes behind the event before: what stands between, then the block, blank line included */
	size_t between; /* bytes of raw that stand before the block */
};

enum sse_result { SSE_EVENT, SSE_MORE, SSE_TOO_LARGE, SSE_NO_MEMORY };

/* The members are the parser's own, but for commented. */
struct sse_parser {
	struct buf kept;    /* raw bytes of the block begun but not finished, all searched for its end */
	struct buf joined;  /* data of a block with several data lines */
	struct buf between; /* bytes behind the last event that belong to none; then with the event that was returned */
	bool told;          /* the event that was returned lies in between */
	size_t cap;         /* bytes of one block; 0 once a block was too large */
	bool started;       /* the first bytes were seen: no BOM any more */
	bool commented;     /* a comment stood between blocks; for the caller to read and reset */
};

/* cap: most bytes of one block, its line ends included. Allocates nothing yet. */
void sse_init(struct sse_parser *parser, size_t cap);
/* Charges what the parser keeps to a party of the ledger. Right after sse_init. */
void sse_charge(struct sse_parser *parser, uint32_t party);
void sse_fini(struct sse_parser *parser);

/*
 * Takes the next event out of *input, which moves forward. SSE_EVENT: *event is
 * filled; its spans stay valid until the next call with this parser or until
 * the input's bytes go, whichever is first. SSE_MORE: all input was taken, no
 * further event is complete. SSE_TOO_LARGE: a block passed the cap; the parser
 * is unusable from then on. The cap holds for blocks and comments alike.
 */
enum sse_result sse_next(struct sse_parser *parser, struct span *input, struct sse_event *event);

#endif
