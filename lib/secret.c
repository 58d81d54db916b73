/* SPDX-License-Identifier: MIT */
/* Cells of secrets; secret.h holds the contract. */
#include "lib/secret.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct secret {
	atomic_uint references;
	atomic_uint version;
	pthread_mutex_t lock;        /* of the texts' pointers */
	struct secret_text *present; /* never NULL */
	struct secret_text *former;  /* NULL = none */
};

static struct secret_text *make_text(struct span text)
{
	struct secret_text *made = malloc(sizeof(*made) + text.len + 1);
	if (made == NULL)
		return NULL;
	atomic_init(&made->references, 1);
	made->len = text.len;
	memcpy(made->at, text.at, text.len);
	made->at[text.len] = '\0';
	return made;
}

struct secret *secret_create(struct span text)
{
	struct secret *secret = calloc(1, sizeof(*secret));
	if (secret == NULL)
		return NULL;
	secret->present = make_text(text);
	if (secret->present == NULL) {
		free(secret);
		return NULL;
	}
	atomic_init(&secret->references, 1);
	pthread_mutex_init(&secret->lock, NULL);
	return secret;
}

struct secret *secret_hold(struct secret *secret)
{
	atomic_fetch_add_explicit(&secret->references, 1, memory_order_relaxed);
	return secret;
}

void secret_drop(struct secret *secret)
{
	if (secret == NULL)
		return;
	unsigned before = atomic_fetch_sub_explicit(&secret->references, 1, memory_order_acq_rel);
	assert(before != 0);
	if (before != 1)
		return;
	secret_text_drop(secret->present);
	secret_text_drop(secret->former);
	pthread_mutex_destroy(&secret->lock);
	free(secret);
}

static const struct secret_text *hold_text(struct secret *secret, struct secret_text *const *which)
{
	pthread_mutex_lock(&secret->lock);
	struct secret_text *text = *which;
	if (text != NULL)
		atomic_fetch_add_explicit(&text->references, 1, memory_order_relaxed);
	pthread_mutex_unlock(&secret->lock);
	return text;
}

const struct secret_text *secret_text_hold(struct secret *secret)
{
	return hold_text(secret, &secret->present);
}

const struct secret_text *secret_text_hold_former(struct secret *secret)
{
	return hold_text(secret, &secret->former);
}

void secret_text_drop(const struct secret_text *text)
{
	/* a count may change on something that is const for its readers */
	struct secret_text *own = (struct secret_text *)text;
	if (own == NULL || atomic_fetch_sub_explicit(&own->references, 1, memory_order_acq_rel) != 1)
		return;
	explicit_bzero(own->at, own->len);
	free(own);
}

bool secret_replace(struct secret *secret, struct span text)
{
	struct secret_text *made = make_text(text);
	if (made == NULL)
		return false;
	pthread_mutex_lock(&secret->lock);
	struct secret_text *over = secret->former;
	secret->former = secret->present;
	secret->present = made;
	atomic_fetch_add_explicit(&secret->version, 1, memory_order_release);
	pthread_mutex_unlock(&secret->lock);
	secret_text_drop(over);
	return true;
}

unsigned secret_version(const struct secret *secret)
{
	return atomic_load_explicit(&secret->version, memory_order_acquire);
}

static bool same(const struct secret_text *a, struct span b)
{
	unsigned char differences = 0;
	for (size_t i = 0; a->len == b.len && i < b.len; i++)
		differences |= (unsigned char)(a->at[i] ^ b.at[i]);
	return a->len == b.len && differences == 0;
}

bool secret_is(struct secret *secret, struct span text)
{
	const struct secret_text *present = secret_text_hold(secret);
	bool is = same(present, text);
	secret_text_drop(present);
	return is;
}

bool secret_equal(struct secret *a, struct secret *b)
{
	if (a == b || a == NULL || b == NULL)
		return a == b;
	const struct secret_text *text = secret_text_hold(b);
	bool equal = secret_is(a, (struct span){text->at, text->len});
	secret_text_drop(text);
	return equal;
}
