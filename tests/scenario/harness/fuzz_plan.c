/* SPDX-License-Identifier: MIT */
/* Random plans and their oracle. */
#include "tests/scenario/harness/fuzz_plan.h"

#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"

enum { EXTRA = FUZZ_EARLY | FUZZ_LATE, ANY = FUZZ_OK | FUZZ_EARLY | FUZZ_FINAL | FUZZ_LATE };

const char *const fuzz_backend_names[FUZZ_BACKENDS] = {"a", "b", "terse", "messages", "queue", "refuse", "dead"};

/* ---- faults ---- */

struct fault {
	const char *items; /* of the simulator's model string */
	unsigned whole, stream;
	bool calm; /* each call of it is one call of the simulator */
	bool terse;
};

/* What the simulator does, and what a target makes of it. after=1: one token of at least two. */
static const struct fault faults[] = {
    {"reset_before_head", FUZZ_EARLY, FUZZ_EARLY, false, false},
    {"fin_before_head", FUZZ_EARLY, FUZZ_EARLY, false, false},
    {"close_after_head", FUZZ_EARLY, FUZZ_EARLY, true, false},
    {"reset_mid;after=1", FUZZ_EARLY, FUZZ_EARLY | FUZZ_LATE, true, false},
    {"fin_mid;after=1", FUZZ_EARLY, FUZZ_LATE, true, false},
    {"end_no_finish;after=1", FUZZ_EARLY, FUZZ_LATE, true, false},
    {"no_done", FUZZ_OK | FUZZ_EARLY, FUZZ_OK, true, false},
    {"done_no_finish", FUZZ_OK | FUZZ_EARLY, FUZZ_LATE, true, false},
    {"error_first_event", EXTRA | FUZZ_FINAL, FUZZ_EARLY | FUZZ_FINAL, true, false},
    {"error_mid;after=1", FUZZ_EARLY | FUZZ_FINAL, FUZZ_LATE, true, false},
    {"error_json_200", FUZZ_EARLY | FUZZ_FINAL, FUZZ_EARLY | FUZZ_FINAL, true, false},
    {"broken_json;after=1", FUZZ_EARLY, FUZZ_LATE, true, false},
    {"sse_odd", FUZZ_OK, FUZZ_OK, true, false},
    {"pings", FUZZ_OK, FUZZ_OK, true, false},
    {"long_line;bytes=2m;after=1", ANY, FUZZ_LATE, true, false},
    {"slow_bytes", FUZZ_OK, FUZZ_OK, true, false},
    {"wrong_content_length", FUZZ_EARLY, ANY, true, false},
    {"short_content_length", FUZZ_EARLY, ANY, true, false},
    {"cl_and_te", ANY, ANY, true, false},
    {"many_1xx;count=5", FUZZ_OK, FUZZ_OK, true, false},
    {"gzip_unsolicited", FUZZ_OK, FUZZ_OK, true, false},
    {"redirect", FUZZ_EARLY, FUZZ_EARLY, true, false},
    {"huge_headers;bytes=400k", FUZZ_EARLY, FUZZ_EARLY, true, false},
    {"status=500", FUZZ_EARLY, FUZZ_EARLY, true, false},
    {"status=503", FUZZ_EARLY, FUZZ_EARLY, true, false},
    {"status=429", FUZZ_EARLY, FUZZ_EARLY, true, false},
    {"status=429;retry_after=60", FUZZ_EARLY, FUZZ_EARLY, true, false},
    {"status=503;retry_after=-1", FUZZ_EARLY, FUZZ_EARLY, true, false},
    {"status=408", FUZZ_EARLY, FUZZ_EARLY, true, false},
    {"status=404", FUZZ_EARLY, FUZZ_EARLY, true, false},
    {"status=401", FUZZ_EARLY, FUZZ_EARLY, true, false},
    {"status=402", FUZZ_EARLY, FUZZ_EARLY, true, false},
    {"status=413", FUZZ_EARLY, FUZZ_EARLY, true, false},
    {"status=400;code=context_length_exceeded", FUZZ_EARLY, FUZZ_EARLY, true, false},
    {"finish=error", FUZZ_EARLY, FUZZ_LATE, true, false},
    {"status=400", FUZZ_FINAL, FUZZ_FINAL, true, false},
    {"status=422;code=odd", FUZZ_FINAL, FUZZ_FINAL, true, false},
    {"stale_conn", FUZZ_OK | FUZZ_EARLY, FUZZ_OK | FUZZ_EARLY, true, false},
    {"stale_on_reuse", FUZZ_OK | FUZZ_EARLY, FUZZ_OK | FUZZ_EARLY, true, false},
    {"role_missing", FUZZ_OK, FUZZ_OK, true, false},
    {"not_json", FUZZ_EARLY, FUZZ_EARLY, true, false},
    {"empty_200", FUZZ_EARLY, FUZZ_EARLY, true, false},
    {"sse_for_json", FUZZ_OK, FUZZ_OK, true, false},
    {"json_for_sse", FUZZ_OK, FUZZ_OK, true, false},
    {"no_choices", ANY, ANY, true, false},
    {"http10", FUZZ_OK, FUZZ_OK, true, false},
    {"usage_always", FUZZ_OK, FUZZ_OK, true, false},
    {"split=7", FUZZ_OK, FUZZ_OK, true, false},
    {"split_at=90", FUZZ_OK, FUZZ_OK, true, false},
    {"ttft=20ms;jitter=20ms", FUZZ_OK, FUZZ_OK, true, false},
    {"itl=3ms;jitter=5ms", FUZZ_OK, FUZZ_OK, true, false},
    {"hang_before_head", ANY, ANY, true, true},
    {"head_then_hang", ANY, ANY, true, true},
    {"events_then_hang;after=1", ANY, ANY, true, true},
    {"hang_before_head;for=40ms", ANY, ANY, true, true},
    {"events_then_hang;after=1;for=60ms", ANY, ANY, true, true},
};

enum { FAULTS = sizeof faults / sizeof faults[0] };

/* ---- making ---- */

static unsigned roll(struct fuzz_maker *maker, unsigned sides)
{
	return (unsigned)seed_below(maker->seed, sides);
}

static struct fuzz_plan *new_plan(enum fuzz_kind kind)
{
	struct fuzz_plan *plan = calloc(1, sizeof *plan);
	assert_non_null(plan);
	plan->kind = kind;
	plan->on = plan->resume = "";
	plan->width = 1;
	return plan;
}

void fuzz_text_model(unsigned text, char *model, size_t size)
{
	if (text >= FUZZ_BIG_FROM)
		snprintf(model, size, "w%u;tokens=40;token_bytes=8000", text);
	else
		snprintf(model, size, "w%u;tokens=%u", text, 2 + text % 11);
}

/* What the backend itself may do to a call. */
static unsigned backend_ends(enum fuzz_backend backend, unsigned ends)
{
	switch (backend) {
	case FUZZ_TERSE:
	case FUZZ_MESSAGES:
		return ends | EXTRA;
	case FUZZ_QUEUE:
		return ends | FUZZ_EARLY;
	case FUZZ_REFUSE:
		return ends | EXTRA;
	case FUZZ_DEAD:
		return FUZZ_EARLY;
	default:
		return ends;
	}
}

/* Names the target, and no other plan's target alike: gap is a setting that does nothing here. */
static struct fuzz_plan *finish_target(struct fuzz_maker *maker, struct fuzz_plan *plan, const char *items)
{
	char model[64];
	fuzz_text_model(plan->text, model, sizeof model);
	snprintf(plan->model, sizeof plan->model, "%s;gap=%uus%s%s", model, ++maker->serial, *items == '\0' ? "" : ";",
		 items);
	snprintf(plan->target, sizeof plan->target, "%s/%s", fuzz_backend_names[plan->backend], plan->model);
	for (int stream = 0; stream < 2; stream++)
		plan->ends[stream] = backend_ends(plan->backend, plan->ends[stream]);
	return plan;
}

static struct fuzz_plan *make_good(struct fuzz_maker *maker, unsigned text, const char *items)
{
	struct fuzz_plan *plan = new_plan(FUZZ_TARGET);
	plan->text = text;
	plan->backend = (enum fuzz_backend)roll(maker, 2);
	plan->ends[0] = plan->ends[1] = FUZZ_OK;
	return finish_target(maker, plan, items);
}

static const struct fault *random_fault(struct fuzz_maker *maker)
{
	for (;;) {
		const struct fault *fault = &faults[roll(maker, FAULTS)];
		if (!maker->style.calm || (fault->calm && !fault->terse))
			return fault;
	}
}

static struct fuzz_plan *make_faulty(struct fuzz_maker *maker, unsigned text)
{
	static const char *const times[] = {"", "", ";times=1", ";times=3"};
	char items[64];
	struct fuzz_plan *plan = new_plan(FUZZ_TARGET);
	const struct fault *fault = random_fault(maker);
	const char *some = times[roll(maker, 4)];
	bool small = fault->terse || text < FUZZ_BIG_FROM;
	plan->text = small ? text : text - FUZZ_BIG_FROM;
	plan->backend = fault->terse ? FUZZ_TERSE : (enum fuzz_backend)roll(maker, maker->style.calm ? 2 : FUZZ_DEAD);
	plan->ends[0] = fault->whole | (*some == '\0' ? 0 : FUZZ_OK);
	plan->ends[1] = fault->stream | (*some == '\0' ? 0 : FUZZ_OK);
	snprintf(items, sizeof items, "%s%s", fault->items, some);
	return finish_target(maker, plan, items);
}

static struct fuzz_plan *make_off(struct fuzz_maker *maker, unsigned text)
{
	struct fuzz_plan *plan = new_plan(FUZZ_TARGET);
	plan->text = text;
	plan->backend = FUZZ_TERSE + roll(maker, FUZZ_BACKENDS - FUZZ_TERSE);
	bool refuses = plan->backend == FUZZ_REFUSE && roll(maker, 3) == 0;
	plan->ends[0] = plan->ends[1] = refuses ? FUZZ_EARLY : FUZZ_OK;
	return finish_target(maker, plan, refuses ? "refuse;for=30ms" : "");
}

static struct fuzz_plan *make_target(struct fuzz_maker *maker, unsigned text)
{
	unsigned side = roll(maker, 10);
	if (maker->left > 0)
		maker->left--;
	if (side < 4)
		return make_good(maker, text, "");
	if (side == 4 && !maker->style.calm)
		return make_off(maker, text);
	return make_faulty(maker, text);
}

/* Never answers in time: for those that must be cancelled. */
static struct fuzz_plan *make_slow(struct fuzz_maker *maker, unsigned text)
{
	return make_good(maker, text, "ttft=100s");
}

struct place {
	unsigned depth; /* that is left */
	bool single;    /* one answer only */
	int text;       /* those below had better say this; -1 = whatever */
};

static struct fuzz_plan *make(struct fuzz_maker *maker, struct place place);

static enum fuzz_kind random_kind(struct fuzz_maker *maker)
{
	static const enum fuzz_kind calm[] = {FUZZ_BALANCE, FUZZ_RETRY, FUZZ_FALLBACK};
	return maker->style.calm ? calm[roll(maker, 3)] : (enum fuzz_kind)(FUZZ_BALANCE + roll(maker, 7));
}

static void pick_options(struct fuzz_maker *maker, struct fuzz_plan *plan)
{
	static const unsigned after[] = {0, 1, 5, 20};
	static const unsigned hedges[] = {0, 5, 20, 100};
	static const char *const on[] = {"",
					 "",
					 "",
					 ", on: connect",
					 ", on: [rate_limit, overload, server]",
					 ", on: [broken, timeout, connect, generation, request]"};
	plan->attempts = 1 + roll(maker, 3);
	plan->after_ms = after[roll(maker, 4)];
	plan->hedges = hedges[roll(maker, 4)];
	plan->agree = roll(maker, plan->count + 1);
	plan->by = roll(maker, 4);
	plan->on = on[roll(maker, 6)];
}

static void measure(struct fuzz_plan *plan)
{
	unsigned sum = 0, widest = 0;
	plan->compares = plan->kind == FUZZ_QUORUM;
	for (unsigned i = 0; i < plan->count; i++) {
		sum += plan->children[i]->width;
		widest = plan->children[i]->width > widest ? plan->children[i]->width : widest;
		plan->compares |= plan->children[i]->compares;
	}
	plan->width = plan->kind == FUZZ_ALL ? sum : widest;
}

/* A child that never answers joins those of whom one surely does. */
static void add_slow(struct fuzz_maker *maker, struct fuzz_plan *plan, int text)
{
	bool race = plan->kind == FUZZ_RACE;
	if (maker->style.extra_calls_refused || plan->count == FUZZ_WIDEST || (!race && plan->kind != FUZZ_QUORUM))
		return;
	for (int stream = 0; stream < 2; stream++) {
		if (fuzz_plan_ends(plan, &maker->style, stream) != FUZZ_OK)
			return;
	}
	if (!race && plan->agree == 0)
		plan->agree = plan->count / 2 + 1;
	plan->children[plan->count++] = make_slow(maker, (unsigned)text);
}

static struct fuzz_plan *make(struct fuzz_maker *maker, struct place place)
{
	unsigned text = place.text >= 0 && roll(maker, 4) != 0 ? (unsigned)place.text : roll(maker, FUZZ_TEXTS);
	if (place.depth == 0 || maker->left == 0 || roll(maker, 4) == 0)
		return make_target(maker, text);
	struct fuzz_plan *plan = new_plan(random_kind(maker));
	unsigned least = plan->kind == FUZZ_HEDGE || plan->kind == FUZZ_RACE || plan->kind == FUZZ_QUORUM ? 2 : 1;
	struct place below = {place.depth - 1, place.single || plan->kind == FUZZ_QUORUM, place.text};
	if (plan->kind == FUZZ_QUORUM)
		below.text = (int)text;
	plan->count = place.single && plan->kind == FUZZ_ALL ? 1 : least + roll(maker, FUZZ_WIDEST - least);
	for (unsigned i = 0; i < plan->count; i++)
		plan->children[i] = make(maker, below);
	pick_options(maker, plan);
	add_slow(maker, plan, (int)text);
	measure(plan);
	return plan;
}

static bool gathers(const struct fuzz_plan *plan)
{
	bool found = plan->kind == FUZZ_ALL || plan->kind == FUZZ_QUORUM;
	for (unsigned i = 0; i < plan->count && !found; i++)
		found = gathers(plan->children[i]);
	return found;
}

struct fuzz_plan *fuzz_plan_make(struct fuzz_maker *maker, unsigned depth)
{
	static const char *const resume[] = {"", "", "", "replay", "continue", "either"};
	struct fuzz_plan *plan = make(maker, (struct place){depth, false, -1});
	bool able = plan->kind != FUZZ_TARGET && !gathers(plan);
	if (able && !maker->style.calm)
		plan->resume = resume[roll(maker, 6)];
	return plan;
}

struct fuzz_plan *fuzz_plan_make_long(struct fuzz_maker *maker)
{
	struct fuzz_plan *plan = new_plan(FUZZ_QUORUM);
	unsigned text = FUZZ_BIG_FROM + roll(maker, FUZZ_TEXTS - FUZZ_BIG_FROM);
	plan->count = 2;
	for (unsigned i = 0; i < plan->count; i++)
		plan->children[i] = make_good(maker, text, "");
	measure(plan);
	return plan;
}

struct fuzz_plan *fuzz_plan_make_hedge(struct fuzz_maker *maker, unsigned hedges)
{
	struct fuzz_plan *plan = new_plan(FUZZ_HEDGE);
	plan->children[plan->count++] = make_good(maker, roll(maker, FUZZ_BIG_FROM), "ttft=20ms");
	plan->children[plan->count++] = make_good(maker, roll(maker, FUZZ_BIG_FROM), "");
	plan->after_ms = 1;
	plan->hedges = hedges;
	return plan;
}

struct fuzz_plan *fuzz_plan_make_final(struct fuzz_maker *maker)
{
	struct fuzz_plan *plan = new_plan(FUZZ_FALLBACK);
	plan->children[plan->count++] = make_good(maker, roll(maker, FUZZ_BIG_FROM), "status=400");
	plan->children[plan->count++] = make_good(maker, roll(maker, FUZZ_BIG_FROM), "");
	plan->children[0]->ends[0] = plan->children[0]->ends[1] = FUZZ_FINAL;
	return plan;
}

/* A target that breaks off behind one to three of at least four tokens. */
static struct fuzz_plan *make_breaking(struct fuzz_maker *maker, unsigned text)
{
	static const char *const breaks[] = {"reset_mid", "fin_mid", "end_no_finish", "error_mid", "broken_json"};
	char items[64];
	struct fuzz_plan *plan = new_plan(FUZZ_TARGET);
	snprintf(items, sizeof items, "%s;after=%u", breaks[roll(maker, 5)], 1 + roll(maker, 3));
	plan->text = text;
	plan->backend = (enum fuzz_backend)roll(maker, 2);
	plan->ends[0] = FUZZ_EARLY | FUZZ_FINAL;
	plan->ends[1] = EXTRA;
	return finish_target(maker, plan, items);
}

struct fuzz_plan *fuzz_plan_make_resumed(struct fuzz_maker *maker)
{
	static const enum fuzz_kind kinds[] = {FUZZ_FALLBACK, FUZZ_BALANCE, FUZZ_HEDGE};
	static const char *const resume[] = {"replay", "continue", "either"};
	struct fuzz_plan *plan = new_plan(kinds[roll(maker, 3)]);
	unsigned text = 2 + 11 * roll(maker, 5) + roll(maker, 9); /* of at least four tokens */
	plan->count = 2 + roll(maker, 3);
	for (unsigned i = 0; i < plan->count; i++) {
		unsigned own = roll(maker, 3) == 0 ? roll(maker, FUZZ_BIG_FROM) : text;
		plan->children[i] = i == 0 || (i + 1 < plan->count && roll(maker, 2) == 0) ? make_breaking(maker, text)
											   : make_good(maker, own, "");
	}
	pick_options(maker, plan);
	plan->resume = resume[roll(maker, 3)];
	measure(plan);
	return plan;
}

void fuzz_plan_free(struct fuzz_plan *plan)
{
	for (unsigned i = 0; i < plan->count; i++)
		fuzz_plan_free(plan->children[i]);
	free(plan);
}

/* ---- writing ---- */

static void write_weights(const struct fuzz_plan *plan, struct bytes *yaml)
{
	bytes_printf(yaml, ", by: weighted, weights: [");
	for (unsigned i = 0; i < plan->count; i++)
		bytes_printf(yaml, "%s%u", i == 0 ? "" : ", ", 1 + (plan->attempts * 7 + i * 5) % 9);
	bytes_printf(yaml, "]");
}

static void write_options(const struct fuzz_plan *plan, struct bytes *yaml)
{
	static const char *const by[] = {"", ", by: p2c", ", by: prefix"};
	if (plan->kind == FUZZ_BALANCE && plan->by == 3)
		write_weights(plan, yaml);
	else if (plan->kind == FUZZ_BALANCE)
		bytes_printf(yaml, "%s", by[plan->by]);
	else if (plan->kind == FUZZ_RETRY)
		bytes_printf(yaml, ", attempts: %u%s", plan->attempts, plan->on);
	else if (plan->kind == FUZZ_FALLBACK)
		bytes_printf(yaml, "%s", plan->on);
	else if (plan->kind == FUZZ_HEDGE && plan->after_ms != 0)
		bytes_printf(yaml, ", hedges: %u%%, after: %ums", plan->hedges, plan->after_ms);
	else if (plan->kind == FUZZ_HEDGE)
		bytes_printf(yaml, ", hedges: %u%%", plan->hedges);
	else if (plan->kind == FUZZ_QUORUM && plan->agree != 0)
		bytes_printf(yaml, ", agree: %u", plan->agree);
}

void fuzz_plan_write(const struct fuzz_plan *plan, struct bytes *yaml)
{
	static const char *const names[] = {"", "balance", "retry", "fallback", "hedge", "race", "all", "quorum"};
	if (plan->kind == FUZZ_TARGET) {
		bytes_printf(yaml, "'%s'", plan->target);
		return;
	}
	bytes_printf(yaml, "{ %s: [", names[plan->kind]);
	for (unsigned i = 0; i < plan->count; i++) {
		bool named = (plan->attempts + i) % 3 == 0;
		bytes_printf(yaml, named ? "%s{ name: n%u, plan: " : "%s", i == 0 ? "" : ", ", i);
		fuzz_plan_write(plan->children[i], yaml);
		bytes_printf(yaml, named ? " }" : "");
	}
	bytes_printf(yaml, "]");
	write_options(plan, yaml);
	bytes_printf(yaml, *plan->resume == '\0' ? " }" : ", resume: %s }", plan->resume);
}

/* ---- the oracle ---- */

/* Several failed: which of them is told decides what may become of it. */
static unsigned told(unsigned failures)
{
	return (failures & FUZZ_FINAL) != 0 ? failures | FUZZ_EARLY : failures;
}

static unsigned child_ends(const struct fuzz_plan *plan, unsigned index, const struct fuzz_style *style, bool stream)
{
	return fuzz_plan_ends(plan->children[index], style, stream);
}

/* With `on` any failure may be the last, and any may bring the next child. */
static unsigned picky_ends(const struct fuzz_plan *plan, unsigned count, const struct fuzz_style *style, bool stream)
{
	unsigned any = child_ends(plan, 0, style, stream);
	if ((any & (FUZZ_EARLY | FUZZ_FINAL)) == 0)
		return any;
	for (unsigned i = 1; i < count; i++)
		any |= child_ends(plan, i % plan->count, style, stream);
	return told(any);
}

/* One after the other, count of them, while they fail in a way that another may mend. */
static unsigned sequence_ends(const struct fuzz_plan *plan, unsigned count, const struct fuzz_style *style, bool stream)
{
	if (*plan->on != '\0')
		return picky_ends(plan, count, style, stream);
	unsigned ends = child_ends(plan, 0, style, stream);
	unsigned seen = ends & ~FUZZ_EARLY;
	for (unsigned i = 1; i < count && (ends & FUZZ_EARLY) != 0; i++) {
		ends = child_ends(plan, i % plan->count, style, stream);
		if (style->extra_calls_refused)
			ends |= EXTRA;
		seen |= ends & ~FUZZ_EARLY;
	}
	return told(seen | (ends & FUZZ_EARLY));
}

/* Any of them may be the first. all_early: only when all may fail does the whole. */
static unsigned contest_ends(const struct fuzz_plan *plan, const struct fuzz_style *style, bool stream)
{
	unsigned any = 0, every = ANY;
	for (unsigned i = 0; i < plan->count; i++) {
		unsigned ends = child_ends(plan, i, style, stream);
		if (i > 0 && plan->kind == FUZZ_HEDGE && style->extra_calls_refused)
			ends |= EXTRA;
		any |= ends;
		every &= (ends & (FUZZ_EARLY | FUZZ_FINAL)) != 0 ? ANY : 0;
	}
	if (plan->kind == FUZZ_BALANCE)
		return any;
	if (plan->kind == FUZZ_HEDGE)
		return told(any & (every != 0 ? ANY : ANY & ~FUZZ_EARLY));
	return every != 0 ? told(any) : any & ~(FUZZ_EARLY | FUZZ_FINAL);
}

static unsigned all_ends(const struct fuzz_plan *plan, const struct fuzz_style *style, bool stream)
{
	unsigned any = 0, every = ANY;
	for (unsigned i = 0; i < plan->count; i++) {
		unsigned ends = child_ends(plan, i, style, stream);
		any |= ends;
		every &= ends;
	}
	unsigned bad = any & ~FUZZ_OK;
	if ((bad & FUZZ_LATE) != 0)
		bad |= FUZZ_EARLY; /* nothing of a whole answer was told yet */
	if (bad != 0 && stream)
		bad |= FUZZ_LATE; /* the others told something */
	return bad | (every & FUZZ_OK);
}

static uint64_t texts_of(const struct fuzz_plan *plan)
{
	uint64_t texts = plan->kind == FUZZ_TARGET ? UINT64_C(1) << plan->text : 0;
	for (unsigned i = 0; i < plan->count; i++)
		texts |= texts_of(plan->children[i]);
	return texts;
}

static unsigned need_of(const struct fuzz_plan *plan)
{
	return plan->agree == 0 ? plan->count / 2 + 1 : plan->agree;
}

static unsigned quorum_ends(const struct fuzz_plan *plan, const struct fuzz_style *style, bool stream)
{
	unsigned ends = 0, failures = 0;
	bool certain = false;
	for (unsigned text = 0; text < FUZZ_TEXTS; text++) {
		unsigned may = 0, must = 0;
		for (unsigned i = 0; i < plan->count; i++) {
			unsigned child = child_ends(plan, i, style, stream);
			uint64_t texts = texts_of(plan->children[i]), one = UINT64_C(1) << text;
			may += (child & FUZZ_OK) != 0 && (texts & one) != 0;
			must += child == FUZZ_OK && texts == one;
			failures |= child & ~FUZZ_OK;
		}
		ends |= may >= need_of(plan) ? FUZZ_OK : 0;
		certain |= must >= need_of(plan);
	}
	return certain ? FUZZ_OK : ends | FUZZ_EARLY | (failures & FUZZ_FINAL);
}

static unsigned retry_ends(const struct fuzz_plan *plan, const struct fuzz_style *style, bool stream)
{
	unsigned first = child_ends(plan, 0, style, stream), early = first & FUZZ_EARLY;
	/* It stops when asked to wait for long, so any failure may be the last. */
	if (plan->count > 1) {
		unsigned ends = sequence_ends(plan, plan->attempts, style, stream) | early;
		/* A child that takes no call is passed over, which is no try: the next one comes before its turn. */
		for (unsigned i = 1; i < plan->count && early != 0; i++) {
			unsigned next = child_ends(plan, i, style, stream);
			ends |= next;
			early &= next;
		}
		return ends;
	}
	bool refused = style->extra_calls_refused && plan->attempts > 1 && (early != 0 || *plan->on != '\0');
	return told(first | (refused ? EXTRA : 0));
}

static unsigned plain_ends(const struct fuzz_plan *plan, const struct fuzz_style *style, bool stream)
{
	switch (plan->kind) {
	case FUZZ_TARGET:
		return plan->ends[stream];
	case FUZZ_RETRY:
		return retry_ends(plan, style, stream);
	case FUZZ_FALLBACK:
		return sequence_ends(plan, plan->count, style, stream);
	case FUZZ_ALL:
		return all_ends(plan, style, stream);
	case FUZZ_QUORUM:
		return quorum_ends(plan, style, stream);
	default:
		return contest_ends(plan, style, stream);
	}
}

/* A stream that breaks off may be gone on with. */
unsigned fuzz_plan_ends(const struct fuzz_plan *plan, const struct fuzz_style *style, bool stream)
{
	unsigned ends = plain_ends(plan, style, stream);
	return *plan->resume != '\0' && stream && (ends & FUZZ_LATE) != 0 ? ends | FUZZ_OK : ends;
}

const struct fuzz_plan *fuzz_plan_find(const struct fuzz_plan *plan, const char *target)
{
	if (plan->kind == FUZZ_TARGET)
		return strcmp(plan->target, target) == 0 ? plan : NULL;
	for (unsigned i = 0; i < plan->count; i++) {
		const struct fuzz_plan *found = fuzz_plan_find(plan->children[i], target);
		if (found != NULL)
			return found;
	}
	return NULL;
}

static bool target_fits(const struct fuzz_plan *plan, const struct fuzz_plan *const *targets, unsigned per, bool whole)
{
	for (unsigned i = 0; i < per; i++) {
		if (targets[i] != plan && (whole || targets[i] != NULL))
			return false;
	}
	return true;
}

/* No choices from here on, up to there. */
static bool none(const struct fuzz_plan *const *targets, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		if (targets[i] != NULL)
			return false;
	}
	return true;
}

static bool fits(const struct fuzz_plan *plan, const struct fuzz_plan *const *targets, unsigned base, unsigned per,
		 bool whole)
{
	if (plan->kind == FUZZ_TARGET)
		return target_fits(plan, targets + base, per, whole);
	for (unsigned i = 0, at = base; i < plan->count; i++) {
		const struct fuzz_plan *child = plan->children[i];
		bool good = fits(child, targets, at, per, whole);
		if (plan->kind == FUZZ_ALL) {
			if (!good)
				return false;
			at += child->width * per;
		} else if (good && none(targets, base + child->width * per, base + plan->width * per)) {
			return true;
		}
	}
	return plan->kind == FUZZ_ALL;
}

bool fuzz_plan_fits_stream(const struct fuzz_plan *plan, const struct fuzz_plan *const *targets, unsigned per,
			   bool whole)
{
	return fits(plan, targets, 0, per, whole) && none(targets, plan->width * per, FUZZ_CHOICES);
}

/* Where an answer may end: a set of indices. */
struct ends {
	bool at[FUZZ_CHOICES + 1];
};

/* Where answers of plan may end that begin where others did. */
static struct ends follow(const struct fuzz_plan *plan, const struct fuzz_plan *const *targets, unsigned per,
			  struct ends before)
{
	struct ends after = {{false}};
	for (unsigned at = 0; plan->kind == FUZZ_TARGET && at + per <= FUZZ_CHOICES; at++)
		after.at[at + per] = before.at[at] && target_fits(plan, targets + at, per, true);
	for (unsigned i = 0; i < plan->count; i++) {
		struct ends child = follow(plan->children[i], targets, per, before);
		if (plan->kind == FUZZ_ALL)
			before = after = child;
		for (unsigned at = 0; at <= FUZZ_CHOICES; at++)
			after.at[at] |= child.at[at];
	}
	return after;
}

bool fuzz_plan_fits_whole(const struct fuzz_plan *plan, const struct fuzz_plan *const *targets, unsigned per)
{
	unsigned count = 0;
	while (count < FUZZ_CHOICES && targets[count] != NULL)
		count++;
	struct ends end = follow(plan, targets, per, (struct ends){{true}});
	return end.at[count] && none(targets, count, FUZZ_CHOICES);
}

/* The most calls that start at once with a plan. */
static double calls_at_once(const struct fuzz_plan *plan)
{
	double most = plan->kind == FUZZ_TARGET, sum = 0;
	for (unsigned i = 0; i < plan->count; i++) {
		double calls = calls_at_once(plan->children[i]);
		sum += calls;
		most = calls > most ? calls : most;
	}
	return plan->kind == FUZZ_RACE || plan->kind == FUZZ_ALL || plan->kind == FUZZ_QUORUM ? sum : most;
}

/* What the hedges of a plan have in common: one purse for each model, whose content each spends at its own price. */
struct purse {
	double runs;    /* of all hedges */
	double percent; /* of the most generous one */
	double calls;   /* that a spare may be */
};

static void count_hedges(const struct fuzz_plan *plan, double requests, struct purse *purse)
{
	double calls = calls_at_once(plan);
	double below = plan->kind == FUZZ_RETRY ? requests * plan->attempts : requests;
	for (unsigned i = 0; i < plan->count; i++)
		count_hedges(plan->children[i], below, purse);
	if (plan->kind != FUZZ_HEDGE)
		return;
	purse->runs += requests;
	purse->percent = plan->hedges > purse->percent ? plan->hedges : purse->percent;
	purse->calls = calls > purse->calls ? calls : purse->calls;
}

double fuzz_plan_spares(const struct fuzz_plan *plan, double requests)
{
	enum { RUNS = 4 }; /* the first, and three that go on where one broke off */
	struct purse purse = {0};
	count_hedges(plan, *plan->resume == '\0' ? requests : requests * RUNS, &purse);
	return (purse.runs * purse.percent / 100 + (purse.percent > 0 ? 3 : 0)) * purse.calls;
}
