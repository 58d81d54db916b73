/* SPDX-License-Identifier: MIT */
/*
 * The inside of shared flights (shared.h), for the files that make them up: shared.c (its life; joining, or leading a
 * new one), leader.c (running the plan, and what followers want of it), follower.c (a follower's pace), replicas.c
 * (other replicas: who runs it), cache_answer.c (the answer on its way into the cache) and cache_vectors.c (the same
 * for embeddings).
 *
 * Two kinds of threads touch a shared flight: the leader's worker, which runs
 * the plan and appends to the log, and the followers' workers. The lock guards the
 * log's links, the list of followers and what is wanted of the leader; it is
 * never held while an event is delivered. They call each other by messages, but
 * for followers on the leader's own worker, which are served at once.
 */
#ifndef SLUICE_SERVICE_FLIGHTS_SHARED_INTERNAL_H
#define SLUICE_SERVICE_FLIGHTS_SHARED_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "lib/hash.h"
#include "schemas/request.h"
#include "service/flights/flight_log.h"
#include "service/flights/flight_table.h"
#include "service/flights/shared.h"
#include "service/loop/loop.h"

/* Where the events come from. Only shared_set_state changes it. */
enum shared_state {
	SHARED_ST_NEW,
	SHARED_ST_ASKING,    /* the other replicas are asked who runs it */
	SHARED_ST_OWN,       /* the plan runs here */
	SHARED_ST_ELSEWHERE, /* another replica runs it, and is listened to */
	SHARED_ST_KEEPING,   /* the plan ended; a helper makes an entry of the answer before the end is told */
	SHARED_ST_LANDED,    /* it is over */
	SHARED_ST_COUNT
};

struct shared_replicas;
struct whole;

/* Who may come to a shared flight; guarded by its lock. It only closes, by shared_close_door(). */
enum shared_door {
	SHARED_JOINABLE,   /* all events are still there, and it was not cancelled */
	SHARED_UNJOINABLE, /* those who follow stay */
	SHARED_OVER,       /* it landed: the leader needs no more messages */
};

/* Whether the answer is put together as it comes, so as to be kept. */
enum shared_assembly { SHARED_ASSEMBLES_NOTHING_YET, SHARED_ASSEMBLES, SHARED_ASSEMBLES_NOT };

/* What the followers want of the leader. */
enum shared_wish { SHARED_RUN, SHARED_PAUSE, SHARED_CANCEL };

struct shared {
	struct flight_place place; /* first */
	struct cache *cache;
	_Atomic size_t users;        /* followers, the leader and what is under way: freed at 0 */
	struct flight_record *spare; /* tells of missing memory when there is none */
	uint32_t party;              /* of the ledger, who is charged for it: the client that leads */
	pthread_mutex_t lock;
	/* guarded by the lock */
	struct flight_log log;
	struct follower *followers;
	enum shared_door door;
	enum shared_wish wish;
	bool followed_elsewhere; /* by other replicas */
	bool called;             /* the leader's message is on its way */
	/* the leader's */
	enum shared_state state;
	struct flight_worker *worker;
	struct flight *flight;            /* prepared, then started when it is run here; NULL once it ended */
	struct request *request;          /* held; NULL before it is led */
	struct flight_options options;    /* of the flight */
	struct shared_replicas *replicas; /* NULL = there are none to speak of */
	bool fresh;                       /* an answer that is kept will not do */
	struct run_sink sink;
	struct loop_message call;
	struct timer patience; /* with those who are behind */
	enum shared_wish granted;
	struct cache_keeping keeping;
	const struct plan *plan;
	bool convertible;
	bool as_streamed;
	bool by_bytes;
	char asked[HASH_CHECKSUM_SIZE]; /* of the body that is sent */
	enum shared_assembly assembly;
	struct whole *whole;        /* what the chunks so far amount to; NULL = nothing */
	uint64_t body_bytes;        /* of a whole answer that renews */
	struct flight_record *held; /* the last piece of one, told once it is kept; NULL = none */
	struct batch *batch;        /* of embeddings: what is kept vector by vector; NULL = the answer is kept whole */
	_Atomic unsigned attempts;
	atomic_bool runs_here; /* or did */
};

/* How a follower keeps up; guarded by the flight's lock. */
enum follower_pace {
	FOLLOWER_READS,     /* as the events come */
	FOLLOWER_IS_BEHIND, /* so far that the plan waits for it */
	FOLLOWER_IS_CUT,    /* it did not read for too long, and others did: it gets an error instead of what comes */
};

/* Its worker's. Only follower_set_state() changes it. */
enum follower_state {
	FOLLOWER_ST_FOLLOWING,
	FOLLOWER_ST_ENDED, /* the terminal event was delivered */
	FOLLOWER_ST_LEFT,  /* nobody is told anything; it leaves the list when nothing of it is up the stack */
	FOLLOWER_ST_GONE,  /* it left the list: only its message keeps it */
	FOLLOWER_ST_COUNT
};

/* Its message to its worker; guarded by the flight's lock. */
enum follower_call {
	FOLLOWER_NOT_CALLED,
	FOLLOWER_CALLED,
	FOLLOWER_RESTS, /* called, since it had enough for this turn: nobody serves it before */
};

struct follower {
	struct shared *shared;
	struct follower *next;      /* guarded by the shared flight's lock, as all up to behind_at */
	struct flight_record *todo; /* the next event; NULL = it has seen all there are */
	uint64_t seen;              /* number of the last event it is done with */
	uint64_t seen_bytes;
	bool paused; /* its client has enough for now */
	enum follower_pace pace;
	enum follower_call call;
	size_t behind_at; /* seen_bytes when it was last looked whether it reads */
	/* its worker's */
	enum follower_state state;
	struct flight_worker *worker;
	struct run_sink *to;
	struct loop_message wake;
	char asked[HASH_CHECKSUM_SIZE]; /* of the body that it would have sent */
	unsigned busy;                  /* depth of deliveries */
};

/* A flight that nobody follows and nobody runs yet, with one user: the leader. NULL: out of memory. */
struct shared *shared_create(struct flight_worker *worker, const struct shared_request *request);

/* One user more, one less. */
void shared_hold(struct shared *shared);
void shared_release(struct shared *shared);

/* Whether an answer went into the cache, or why not. */
enum keep_result {
	KEEP_RESULT_YES,
	KEEP_RESULT_TOO_LARGE,
	KEEP_RESULT_UNFINISHED,
	KEEP_RESULT_STAND_IN, /* another model answered, or several */
	KEEP_RESULT_FORM,     /* a stream that cannot become a whole answer, or vectors of unknown inputs */
	KEEP_RESULT_NO_MEMORY,
	KEEP_RESULT_PURGED /* while it was computed */
};

/* Counts what became of a number of answers. */
void shared_count_kept(const struct shared *shared, enum keep_result kept, size_t count);

/* Keeps an entry; what became of it. */
enum keep_result shared_keep_entry(const struct shared *shared, const struct cache_keeping *keeping,
				   const struct cache_entry *entry);

/*
 * Puts together what a streamed answer amounts to, as it comes: takes an event that is in the log. A long answer, and
 * one that comes whole, are put together of the log when they are complete; of a long one a helper does it.
 */
void shared_assemble(struct shared *shared, const struct event *event);
/* What it made so far is needed no more. */
void shared_stop_assembling(struct shared *shared);

/* What is kept from before goes, when an answer that renews it is not kept itself (kept tells why). */
void shared_renew(const struct shared *shared, const struct cache_keeping *keeping, enum keep_result kept);

/*
 * Puts the complete answer, whose end is not in the log yet, into the cache, if it may be there. On the leader's
 * thread. True when it is there.
 */
bool shared_keep(struct shared *shared, const struct flight_record *end);

/*
 * Has a helper do most of that for a large answer, which lacks nothing but end (taken): shared_on_kept() comes with it.
 * A large batch of vectors that renews takes its time, too. False: it is neither.
 */
bool shared_keep_apart(struct shared *shared, struct flight_record *end);

/* The answer is kept, or not: its end may be told. */
void shared_on_kept(struct shared *shared, struct flight_record *end, bool kept);

/* ---- the leader's, on its thread ---- */

void shared_set_state(struct shared *shared, enum shared_state state);

/* Under the lock. */
void shared_close_door(struct shared *shared, enum shared_door door);

/* Has it hear of its plan and of its followers. */
void shared_open(struct shared *shared);

/* Runs the plan here. */
void shared_take_off(struct shared *shared);

/* Takes an event, from whichever source. The flight may have landed when it returns. */
void shared_add(struct shared *shared, const struct event *event);

/* Takes an event of another replica that was copied before (taken). */
void shared_add_record(struct shared *shared, struct flight_record *record);

/* The answer is there already; the hit is given back. */
void shared_give_kept(struct shared *shared, struct cache_hit *hit);

/* It ends for everybody by that error, since it cannot go on. */
void shared_fail(struct shared *shared, enum error_code code);

/* ---- other replicas, on the leader's thread ---- */

/* Asks who runs it; the answer makes it go on. False: nobody can be asked. */
bool shared_replicas_ask(struct shared *shared);

/* An event was appended to the log of a plan that runs here. */
void shared_replicas_publish(struct shared *shared, const struct flight_record *record);

/* What is heard of another replica's flight is held back, or not any more. */
void shared_replicas_pause(struct shared *shared, bool paused);

/* The flight has landed. ended: by an event, not for want of followers; kept: its answer was. */
void shared_replicas_land(struct shared *shared, bool ended, bool kept);

/* Thread-safe. True when the flight runs a call that began with it: not one of another replica, which may be older. */
bool shared_is_own(const struct shared *shared);

/* Thread-safe. True when one of the inputs was purged, or renewed, since the flight began. */
bool shared_batch_is_purged(struct shared *shared);
/* The keys of the inputs, for the leader. NULL: the answer is kept as a whole. */
const struct cache_key *shared_batch_keys(const struct shared *shared, size_t *count);

/* The same vector by vector: begins with the inputs (copied), takes what comes, keeps it, lets go. */
bool shared_batch_open(struct shared *shared, const struct shared_batch *inputs);
void shared_batch_add(struct shared *shared, const struct event *event);
void shared_batch_keep(struct shared *shared);
/* The same of one that renews: true when that takes longer; shared_on_kept() comes with its end (taken) then. */
bool shared_batch_keep_apart(struct shared *shared, struct flight_record *end);
void shared_batch_close(struct shared *shared);

/* A follower changed its mind, or left. worker: whose thread this is. */
void shared_reconsider(struct shared *shared, const struct flight_worker *worker);

/* One that follows nothing yet. NULL: out of memory. */
struct follower *follower_create(struct flight_worker *worker, struct run_sink *sink);

/* Gives a follower what it has not seen yet, unless it is paused. On its thread. */
void follower_deliver(struct follower *follower);

/* Has it served in the next turn, and, if it rests, not before. On its thread. */
void follower_wake(struct follower *follower, enum follower_call call);

#endif
