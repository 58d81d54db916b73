/* SPDX-License-Identifier: MIT */
/*
 * The operations on keys; key_book.h holds the contract. Each reads what is new first. A change replaces the record in
 * the version that was read; when somebody else was faster, it is made again on what is there now.
 */
#include <inttypes.h>
#include <time.h>

#include "lib/json_write.h"
#include "schemas/admin_fields.h"
#include "schemas/query.h"
#include "service/access/key_book_internal.h"
#include "service/access/key_edit.h"

enum {
	TRIALS_MOST = 64, /* each is lost to somebody whose change was made */
	ANSWER_MAX = 256 << 20,
	DETAILS_MAX = 64 << 10,
	HEX_SUM = 2 * HMAC_SIZE,
	LIST_STANDARD = 100
};

void key_task_init(struct key_task *task, enum key_operation operation)
{
	*task = (struct key_task){.operation = operation};
	arena_init(&task->arena, 0);
	buf_init(&task->answer, ANSWER_MAX);
}

void key_task_fini(struct key_task *task)
{
	if (task->answer.bytes != NULL)
		explicit_bzero(task->answer.bytes, task->answer.capacity);
	buf_fini(&task->answer);
	arena_fini(&task->arena);
}

/* ---- how it ends ---- */

static bool fail(struct key_task *task, enum error_code code, struct span message)
{
	task->error = code;
	task->message = message;
	return false;
}

static bool fail_store(struct key_task *task, const char *why)
{
	return fail(task, ERROR_KEY_STORE,
		    arena_printf(&task->arena, "The store of keys cannot be used: %s. Try again later.", why));
}

/* As the admin listener refuses queries. */
static bool fail_findings(struct key_task *task, const struct findings *findings)
{
	const struct finding *first = &findings->list[0];
	struct buf details;
	buf_init(&details, DETAILS_MAX);
	finding_write_all(&details, findings);
	task->param = first->param;
	if (first->loc.at != NULL && !buf_failed(&details))
		task->details = arena_copy(&task->arena, buf_span(&details));
	buf_fini(&details);
	return fail(task, first->code, first->message);
}

static bool fail_unknown(struct key_task *task)
{
	return fail(task, ERROR_KEY_NOT_FOUND,
		    api_key_is_id(task->id)
			? arena_printf(&task->arena, "The store has no key of the id %.*s.", SPAN_ARG(task->id))
			: arena_printf(&task->arena,
				       "An id of a key has %d letters and digits; GET /admin/keys lists them.",
				       API_KEY_ID));
}

/* ---- secrets ---- */

static struct span sum_of(struct key_book *book, struct key_task *task, struct span key)
{
	unsigned char sum[HMAC_SIZE];
	struct buf hex;
	char text[HEX_SUM + 1];
	if (!hmac_sum(book->hmac, key, sum))
		return (struct span){NULL, 0};
	buf_init_over(&hex, text, sizeof(text));
	for (size_t i = 0; i < HMAC_SIZE; i++)
		buf_printf(&hex, "%02x", sum[i]);
	return arena_copy(&task->arena, (struct span){text, HEX_SUM});
}

/* Gives the record the hash of a new key. id: {NULL,0} = a new one. key: for the caller to wipe. */
static bool make_secret(struct key_book *book, struct key_task *task, struct span id, struct key_record *record,
			char key[API_KEY_LENGTH + 1])
{
	bool made = id.at == NULL ? api_key_make(key) : api_key_make_as(id, key);
	record->hash = made ? sum_of(book, task, (struct span){key, API_KEY_LENGTH}) : (struct span){NULL, 0};
	return record->hash.at != NULL || fail(task, ERROR_OVERLOADED, (struct span){NULL, 0});
}

/* ---- storing ---- */

static enum key_store_put store(struct key_book *book, struct span id, uint64_t version, struct key_record *record)
{
	struct buf text;
	uint64_t stored;
	record->updated_s = (uint64_t)time(NULL);
	buf_init(&text, KEY_STORE_RECORD_MAX);
	key_record_write(record, &text);
	struct key_store_item item = {.id = id, .version = version, .record = buf_span(&text)};
	enum key_store_put put = buf_failed(&text) ? KEY_STORE_FAILED : key_store_put(book->store, &item, &stored);
	buf_fini(&text);
	return put;
}

/* After a change: it is in the store in any case, and in the copy when that answers. */
static void answer(struct key_book *book, struct key_task *task, struct span id, const struct key_record *record,
		   struct span secret)
{
	key_book_refresh(book, false);
	key_record_show(id, record, (uint64_t)time(NULL), secret, &task->answer);
	if (buf_failed(&task->answer))
		fail(task, ERROR_OVERLOADED, (struct span){NULL, 0});
}

/* ---- operations ---- */

static struct key_edit edit_of(struct key_book *book, struct key_task *task, struct findings *findings)
{
	return (struct key_edit){
	    .body = task->body, .limits = &book->config->limits.json, .arena = &task->arena, .findings = findings};
}

static bool is_full(const struct key_book *book)
{
	return book->copy != NULL && book->copy->count >= KEY_STORE_KEYS_MAX;
}

static void create(struct key_book *book, struct key_task *task)
{
	char key[API_KEY_LENGTH + 1];
	struct findings findings;
	struct key_edit edit = edit_of(book, task, &findings);
	struct key_record record = {.created_s = (uint64_t)time(NULL)};
	enum key_store_put put = KEY_STORE_CONFLICT;
	if (!key_edit_create(&edit, &record)) {
		fail_findings(task, &findings);
		return;
	}
	for (int trial = 0; trial < TRIALS_MOST && put == KEY_STORE_CONFLICT && !is_full(book); trial++) {
		if (!make_secret(book, task, (struct span){NULL, 0}, &record, key))
			return;
		struct span id = {key + sizeof(API_KEY_PREFIX) - 1, API_KEY_ID};
		bool taken = config_find_key(book->config, id) != NULL;
		put = taken ? KEY_STORE_CONFLICT : store(book, id, 0, &record);
		if (put == KEY_STORE_DONE) {
			task->id = arena_copy(&task->arena, id);
			answer(book, task, id, &record, (struct span){key, API_KEY_LENGTH});
		} else if (put == KEY_STORE_CONFLICT) {
			key_book_refresh(book, false);
		}
	}
	explicit_bzero(key, sizeof(key));
	if (put == KEY_STORE_CONFLICT)
		fail(task, ERROR_KEY_STORE_FULL, (struct span){NULL, 0});
	else if (put == KEY_STORE_FAILED)
		fail_store(task, key_store_why(book->store));
}

/* What an operation makes of a record. False with the task's error. key: filled where it makes a new secret. */
typedef bool (*change)(struct key_book *book, struct key_task *task, struct span id, struct key_record *record,
		       char key[API_KEY_LENGTH + 1]);

static bool change_members(struct key_book *book, struct key_task *task, struct span id, struct key_record *record,
			   char key[API_KEY_LENGTH + 1])
{
	struct findings findings;
	struct key_edit edit = edit_of(book, task, &findings);
	(void)id;
	(void)key;
	return key_edit_change(&edit, record) || fail_findings(task, &findings);
}

static bool revoke(struct key_book *book, struct key_task *task, struct span id, struct key_record *record,
		   char key[API_KEY_LENGTH + 1])
{
	(void)book;
	(void)task;
	(void)id;
	(void)key;
	record->state = CONFIG_KEY_REVOKED;
	return true;
}

/* The secret before the former one is over, whatever its time was. */
static bool rotate(struct key_book *book, struct key_task *task, struct span id, struct key_record *record,
		   char key[API_KEY_LENGTH + 1])
{
	struct findings findings;
	struct key_edit edit = edit_of(book, task, &findings);
	uint64_t overlap_s;
	if (!key_edit_rotate(&edit, &overlap_s))
		return fail_findings(task, &findings);
	record->former = overlap_s == 0 ? (struct span){NULL, 0} : record->hash;
	record->former_until_s = overlap_s == 0 ? 0 : (uint64_t)time(NULL) + overlap_s;
	return make_secret(book, task, id, record, key);
}

/* Makes the change on the record as it is. Returns how storing it ended; DONE, too, where the task has an error. */
static enum key_store_put try_change(struct key_book *book, struct key_task *task, change make)
{
	char key[API_KEY_LENGTH + 1] = "";
	struct stored_key *found = stored_key_hold(key_copy_find(book->copy, task->id));
	enum key_store_put put = KEY_STORE_DONE;
	if (found == NULL) {
		fail_unknown(task);
		return KEY_STORE_DONE;
	}
	struct key_record record = found->record;
	struct span id = {found->key.hash->id, API_KEY_ID};
	if (make(book, task, id, &record, key)) {
		put = store(book, id, found->version, &record);
		if (put == KEY_STORE_DONE)
			answer(book, task, id, &record,
			       key[0] == '\0' ? (struct span){NULL, 0} : (struct span){key, API_KEY_LENGTH});
	}
	explicit_bzero(key, sizeof(key));
	stored_key_drop(found);
	return put;
}

static void apply(struct key_book *book, struct key_task *task, change make)
{
	enum key_store_put put = KEY_STORE_CONFLICT;
	for (int trial = 0; trial < TRIALS_MOST && put == KEY_STORE_CONFLICT; trial++) {
		put = try_change(book, task, make);
		if (put == KEY_STORE_CONFLICT && !key_book_refresh(book, false))
			put = KEY_STORE_FAILED;
	}
	if (put == KEY_STORE_CONFLICT)
		fail_store(task, "others change the key all the time");
	else if (put == KEY_STORE_FAILED)
		fail_store(task, key_store_why(book->store));
}

static void show(struct key_book *book, struct key_task *task)
{
	const struct stored_key *found = key_copy_find(book->copy, task->id);
	if (found == NULL)
		fail_unknown(task);
	else
		key_record_show(task->id, &found->record, (uint64_t)time(NULL), (struct span){NULL, 0}, &task->answer);
}

/* ---- lists ---- */

static bool is_wanted(const struct stored_key *key, const struct keys_query *query)
{
	bool revoked = key->key.state == CONFIG_KEY_REVOKED;
	if (query->tenant.node != JSON_NONE && !config_tenant_is_within(key->key.tenant, query->tenant.value))
		return false;
	return query->state.node == JSON_NONE || span_is(query->state.value, "revoked") == revoked;
}

static void list(struct key_book *book, struct key_task *task)
{
	struct keys_query query;
	struct findings findings;
	const struct key_copy *copy = book->copy;
	struct span first = {NULL, 0}, last = {NULL, 0};
	int64_t count = 0;
	if (!query_read(task->query, &keys_query_fields, &task->arena, &query, &findings)) {
		fail_findings(task, &findings);
		return;
	}
	size_t at = query.after.node == JSON_NONE ? 0 : key_copy_after(copy, query.after.value);
	buf_append(&task->answer, SPAN("{\"object\":\"list\",\"data\":["));
	for (; at < copy->count; at++) {
		const struct stored_key *key = copy->keys[at];
		if (!is_wanted(key, &query))
			continue;
		if (count++ == query.limit.value)
			break;
		last = (struct span){key->key.hash->id, API_KEY_ID};
		first = first.at == NULL ? last : first;
		buf_append(&task->answer, count > 1 ? SPAN(",") : SPAN(""));
		key_record_show(last, &key->record, (uint64_t)time(NULL), (struct span){NULL, 0}, &task->answer);
	}
	buf_append(&task->answer, SPAN("],\"first_id\":"));
	json_write_string_or_null(&task->answer, first);
	buf_append(&task->answer, SPAN(",\"last_id\":"));
	json_write_string_or_null(&task->answer, last);
	buf_append(&task->answer, at < copy->count ? SPAN(",\"has_more\":true}") : SPAN(",\"has_more\":false}"));
}

void key_book_run(struct key_book *book, struct key_task *task)
{
	bool fresh = key_book_refresh(book, false);
	bool new = task->operation == KEY_CREATE && book->copy == NULL; /* the first key makes the store */
	if (!fresh && !new) {
		fail_store(task, book->why);
		return;
	}
	switch (task->operation) {
	case KEY_LIST:
		list(book, task);
		break;
	case KEY_SHOW:
		show(book, task);
		break;
	case KEY_CREATE:
		create(book, task);
		break;
	case KEY_CHANGE:
		apply(book, task, change_members);
		break;
	case KEY_ROTATE:
		apply(book, task, rotate);
		break;
	case KEY_REVOKE:
		apply(book, task, revoke);
		break;
	}
}
