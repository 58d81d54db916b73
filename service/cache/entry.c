/* SPDX-License-Identifier: MIT */
/* Entries as bytes; entry.h holds the contract. */
#include "service/cache/entry.h"

#include "lib/hash.h"
#include "lib/little_endian.h"

/*
 *   0  magic and version, 4 bytes
 *   4  endpoint, 8 bytes; created, 8; prompt, completion and total tokens, 8 each
 *  44  start and end of the body's id, start and end of its time, 8 each
 *  76  length, 8 bytes; digest, 8
 *  92  bytes of target, finish and body, 8 each
 * 116  target, finish, body
 */
enum { ENTRY_TABLE = 4, ENTRY_NUMBERS = 14, ENTRY_LENGTHS = 11, ENTRY_HEADER = ENTRY_TABLE + ENTRY_NUMBERS * 8 };

static const char entry_magic[ENTRY_TABLE] = {'S', 'l', 'C', 4};

static bool is_within(struct answer_mark mark, size_t len)
{
	return mark.start <= mark.end && mark.end <= len;
}

static bool are_marks(struct answer_marks marks, size_t len)
{
	return is_within(marks.id, len) && is_within(marks.created, len) &&
	       (marks.id.end <= marks.created.start || marks.created.end <= marks.id.start);
}

static struct span cut(struct span text, uint64_t start, uint64_t end)
{
	return (struct span){text.at + start, (size_t)(end - start)};
}

/* The body is hashed around its id and its time, which say nothing. */
static uint64_t digest_of(const struct cache_entry *entry)
{
	const struct answer_marks none = {{0, 0}, {0, 0}};
	struct answer_marks marks = are_marks(entry->marks, entry->body.len) ? entry->marks : none;
	bool swapped = marks.created.start < marks.id.start;
	struct answer_mark first = swapped ? marks.created : marks.id, second = swapped ? marks.id : marks.created;
	uint64_t digest = hash_bytes(hash_bytes(HASH_START, entry->target), entry->finish);
	digest = hash_bytes(digest, cut(entry->body, 0, first.start));
	digest = hash_bytes(digest, cut(entry->body, first.end, second.start));
	return hash_bytes(digest, cut(entry->body, second.end, entry->body.len));
}

void cache_entry_encode(const struct cache_entry *entry, struct buf *out)
{
	const uint64_t numbers[ENTRY_NUMBERS] = {(uint64_t)entry->endpoint,
						 (uint64_t)entry->created,
						 (uint64_t)entry->usage.prompt_tokens,
						 (uint64_t)entry->usage.completion_tokens,
						 (uint64_t)entry->usage.total_tokens,
						 entry->marks.id.start,
						 entry->marks.id.end,
						 entry->marks.created.start,
						 entry->marks.created.end,
						 entry->length,
						 digest_of(entry),
						 entry->target.len,
						 entry->finish.len,
						 entry->body.len};
	size_t len = ENTRY_HEADER + entry->target.len + entry->finish.len + entry->body.len;
	char *at = buf_reserve(out, len);
	if (at == NULL)
		return;
	char *texts = at + ENTRY_HEADER;
	memcpy(at, entry_magic, sizeof(entry_magic));
	for (size_t i = 0; i < ENTRY_NUMBERS; i++)
		little_endian_put(at + ENTRY_TABLE + 8 * i, numbers[i], 8);
	const struct span parts[] = {entry->target, entry->finish, entry->body};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].len > 0)
			memcpy(texts, parts[i].at, parts[i].len);
		texts += parts[i].len;
	}
	buf_commit(out, len);
}

/* The lengths must fill the rest exactly. */
static bool take_texts(struct span rest, const uint64_t lengths[3], struct span *texts[3])
{
	for (size_t i = 0; i < 3; i++) {
		if (lengths[i] > rest.len)
			return false;
		*texts[i] = (struct span){rest.at, (size_t)lengths[i]};
		rest = (struct span){rest.at + lengths[i], rest.len - (size_t)lengths[i]};
	}
	return rest.len == 0;
}

bool cache_entry_decode(struct span bytes, struct cache_entry *entry)
{
	uint64_t numbers[ENTRY_NUMBERS];
	struct span *texts[3] = {&entry->target, &entry->finish, &entry->body};
	if (bytes.len < ENTRY_HEADER || memcmp(bytes.at, entry_magic, sizeof(entry_magic)) != 0)
		return false;
	for (size_t i = 0; i < ENTRY_NUMBERS; i++)
		numbers[i] = little_endian_get(bytes.at + ENTRY_TABLE + 8 * i, 8);
	if (numbers[0] >= ENDPOINT_COUNT)
		return false;
	*entry = (struct cache_entry){.endpoint = (enum endpoint)numbers[0],
				      .created = (int64_t)numbers[1],
				      .usage = {.prompt_tokens = (int64_t)numbers[2],
						.completion_tokens = (int64_t)numbers[3],
						.total_tokens = (int64_t)numbers[4]},
				      .marks = {{numbers[5], numbers[6]}, {numbers[7], numbers[8]}},
				      .length = numbers[9],
				      .digest = numbers[10]};
	return take_texts((struct span){bytes.at + ENTRY_HEADER, bytes.len - ENTRY_HEADER}, &numbers[ENTRY_LENGTHS],
			  texts) &&
	       are_marks(entry->marks, entry->body.len);
}
