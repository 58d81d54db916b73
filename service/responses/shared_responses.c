/* SPDX-License-Identifier: MIT */
/* Stored responses in Redis; shared_responses.h holds the contract. */
#include "service/responses/shared_responses.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/container.h"
#include "lib/hash.h"
#include "lib/reactor.h"
#include "service/responses/shared_record.h"

enum { ID_MOST = 256, DECIMAL_SIZE = 24, PUT_ARGS = 4 };

/* drop(id) removes a record, if it is there, with what is known of it. */
#define DROP                                                                      \
	"local set,bytes=KEYS[1],KEYS[1]..':bytes'\n"                             \
	"local function drop(id)\n"                                               \
	" local size=redis.call('HGET',bytes,id)\n"                               \
	" if size then redis.call('HINCRBY',bytes,'total',-tonumber(size)) end\n" \
	" redis.call('HDEL',bytes,id)\n"                                          \
	" redis.call('ZREM',set,id)\n"                                            \
	" return redis.call('DEL',set..':'..id)\n"                                \
	"end\n"

/* ARGV: id, record, time to live in ms, bytes of the tenant. Up to 100 expired records are forgotten each time. */
static const char put_text[] =
    DROP "local clock=redis.call('TIME')\n"
	 "local now=tonumber(clock[1])*1000+math.floor(tonumber(clock[2])/1000)\n"
	 "local life,most=tonumber(ARGV[3]),tonumber(ARGV[4])\n"
	 "for _,id in ipairs(redis.call('ZRANGEBYSCORE',set,'-inf',string.format('%.0f',now),'LIMIT',0,100)) do "
	 "drop(id) end\n"
	 "drop(ARGV[1])\n"
	 "if #ARGV[2]>most then return 0 end\n"
	 "redis.call('SET',set..':'..ARGV[1],ARGV[2],'PX',ARGV[3])\n"
	 "redis.call('ZADD',set,string.format('%.0f',now+life),ARGV[1])\n"
	 "redis.call('HSET',bytes,ARGV[1],#ARGV[2])\n"
	 "local total=redis.call('HINCRBY',bytes,'total',#ARGV[2])\n"
	 "while total>most do\n"
	 " local oldest=redis.call('ZRANGE',set,0,0)[1]\n"
	 " if not oldest then break end\n"
	 " drop(oldest)\n"
	 " total=tonumber(redis.call('HGET',bytes,'total'))\n"
	 "end\n"
	 "redis.call('PEXPIRE',set,ARGV[3])\n"
	 "redis.call('PEXPIRE',bytes,ARGV[3])\n"
	 "return 1\n";

static const char remove_text[] = DROP "return drop(ARGV[1])\n";

/* A response on its way to Redis. */
struct parting {
	struct redis_command command; /* first */
	struct shared_responses *shared;
	struct parting *next, **back;
	struct span tenant, id; /* behind it */
	char texts[];
};

struct shared_responses {
	struct shared_responses_options options;
	struct redis_script put, remove;
	struct parting *partings; /* under way */
};

struct shared_responses *shared_responses_create(const struct shared_responses_options *options)
{
	struct shared_responses *shared = calloc(1, sizeof(*shared));
	if (shared == NULL)
		return NULL;
	shared->options = *options;
	redis_script_init(&shared->put, put_text, false);
	redis_script_init(&shared->remove, remove_text, false);
	return shared;
}

static void parting_free(struct parting *parting)
{
	*parting->back = parting->next;
	if (parting->next != NULL)
		parting->next->back = parting->back;
	free(parting);
}

void shared_responses_destroy(struct shared_responses *shared)
{
	if (shared == NULL)
		return;
	for (struct parting *next, *at = shared->partings; at != NULL; at = next) {
		next = at->next;
		redis_cancel(&at->command);
		parting_free(at);
	}
	free(shared);
}

/* ---- names ---- */

bool shared_responses_may_have(struct span id)
{
	return span_begins(id, "resp_") && id.len <= ID_MOST;
}

/* Writes the name of the tenant's set. */
static struct span write_set(const struct shared_responses *shared, struct span tenant,
			     char name[SHARED_RESPONSES_NAME_MAX])
{
	int len = snprintf(name, SHARED_RESPONSES_NAME_MAX, "%s:responses:{%016" PRIx64 "}", shared->options.prefix,
			   hash_bytes(HASH_START, tenant));
	return (struct span){name, (size_t)len};
}

/* Writes the name of a record. id: at most ID_MOST bytes. */
static struct span write_name(const struct shared_responses *shared, struct span tenant, struct span id,
			      char name[SHARED_RESPONSES_NAME_MAX])
{
	struct span set = write_set(shared, tenant, name);
	int len = snprintf(name + set.len, SHARED_RESPONSES_NAME_MAX - set.len, ":%.*s", SPAN_ARG(id));
	return (struct span){name, set.len + (size_t)len};
}

static uint64_t deadline(const struct shared_responses *shared)
{
	return timers_now(&shared->options.reactor->timers) + shared->options.budget_us;
}

/* ---- storing ---- */

static void on_put(struct redis_command *command, const struct redis_reply *reply)
{
	struct parting *parting = (struct parting *)command;
	if (reply->kind == REDIS_INTEGER && reply->integer == 1)
		response_store_mark(parting->shared->options.store, parting->tenant, parting->id);
	parting_free(parting);
}

static struct parting *parting_create(struct shared_responses *shared, struct span tenant, struct span id)
{
	struct parting *parting = calloc(1, sizeof(*parting) + tenant.len + id.len);
	if (parting == NULL)
		return NULL;
	parting->command.on_reply = on_put;
	parting->shared = shared;
	parting->tenant = (struct span){parting->texts, tenant.len};
	parting->id = (struct span){parting->texts + tenant.len, id.len};
	if (tenant.len > 0)
		memcpy(parting->texts, tenant.at, tenant.len);
	memcpy(parting->texts + tenant.len, id.at, id.len);
	parting->next = shared->partings;
	parting->back = &shared->partings;
	if (parting->next != NULL)
		parting->next->back = &parting->next;
	shared->partings = parting;
	return parting;
}

static void send_record(struct shared_responses *shared, const struct response_store_limits *limits, struct span tenant,
			struct span id, struct span record)
{
	char set[SHARED_RESPONSES_NAME_MAX], life[DECIMAL_SIZE], most[DECIMAL_SIZE];
	struct parting *parting = parting_create(shared, tenant, id);
	if (parting == NULL)
		return;
	int life_len = snprintf(life, sizeof(life), "%" PRIu64, limits->ttl_us / 1000);
	int most_len = snprintf(most, sizeof(most), "%zu", limits->tenant_size);
	const struct span args[PUT_ARGS] = {id, record, {life, (size_t)life_len}, {most, (size_t)most_len}};
	if (!redis_eval(shared->options.redis, &parting->command, &shared->put, write_set(shared, tenant, set), args,
			PUT_ARGS, deadline(shared)))
		parting_free(parting);
}

void shared_responses_put(struct shared_responses *shared, const struct response_store_limits *limits,
			  struct span tenant, struct span id)
{
	char name[SHARED_RESPONSES_NAME_MAX];
	struct buf out;
	struct stored_response *record =
	    shared_responses_may_have(id)
		? response_store_get(shared->options.store, tenant, id, timers_monotonic(NULL))
		: NULL;
	if (record == NULL)
		return;
	buf_init(&out, SHARED_RESPONSES_RECORD_MAX);
	shared_record_encode(&(struct shared_record){.tenant = tenant,
						     .id = id,
						     .answer = stored_response_answer(record),
						     .input = stored_response_input(record)},
			     write_name(shared, tenant, id, name), &out);
	stored_response_drop(record);
	if (!buf_failed(&out))
		send_record(shared, limits, tenant, id, buf_span(&out));
	buf_fini(&out);
}

/* ---- recalling and removing ---- */

static enum recall_result take(struct response_recall *recall, const struct redis_reply *reply)
{
	struct response_store *store = recall->shared->options.store;
	struct shared_record record;
	if (reply->kind == REDIS_NIL) {
		response_store_unmark(store, recall->tenant, recall->id, timers_monotonic(NULL));
		return RECALL_NONE;
	}
	if (reply->kind != REDIS_BYTES || !shared_record_decode(reply->text, span_of(recall->name), &record) ||
	    !span_equal(record.tenant, recall->tenant) || !span_equal(record.id, recall->id))
		return RECALL_SILENT;
	response_store_put(store, &recall->limits, record.tenant, record.id, record.answer, record.input,
			   timers_monotonic(NULL));
	response_store_mark(store, record.tenant, record.id);
	return RECALL_FOUND;
}

static void on_fetched(struct redis_command *command, const struct redis_reply *reply)
{
	struct response_recall *recall = container_of(command, struct response_recall, command);
	recall->on_done(recall, take(recall, reply));
}

/* Returns what became of a removal. Without a reply, nothing is removed in memory: the client may ask again. */
static enum recall_result take_removed(const struct response_recall *recall, const struct redis_reply *reply)
{
	if (reply->kind != REDIS_INTEGER)
		return RECALL_SILENT;
	bool here =
	    response_store_remove(recall->shared->options.store, recall->tenant, recall->id, timers_monotonic(NULL));
	return here || reply->integer > 0 ? RECALL_FOUND : RECALL_NONE;
}

static void on_removed(struct redis_command *command, const struct redis_reply *reply)
{
	struct response_recall *recall = container_of(command, struct response_recall, command);
	recall->on_done(recall, take_removed(recall, reply));
}

bool shared_responses_recall(struct shared_responses *shared, struct response_recall *recall)
{
	char set[SHARED_RESPONSES_NAME_MAX];
	recall->shared = shared;
	recall->command = (struct redis_command){.on_reply = recall->removes ? on_removed : on_fetched};
	struct span name = write_name(shared, recall->tenant, recall->id, recall->name);
	if (recall->removes)
		return redis_eval(shared->options.redis, &recall->command, &shared->remove,
				  write_set(shared, recall->tenant, set), &recall->id, 1, deadline(shared));
	const struct span args[] = {SPAN("GET"), name};
	return redis_send(shared->options.redis, &recall->command, args, 2, 1, deadline(shared));
}

void response_recall_cancel(struct response_recall *recall)
{
	if (redis_is_pending(&recall->command))
		redis_cancel(&recall->command);
}
