/* SPDX-License-Identifier: MIT */
/* Looks at files of certificates and reads them again; certificate_renewal.h holds the contract. */
#include "service/certificate_renewal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/hash.h"
#include "lib/log.h"

enum { ERRORS_MOST = 4096 };

/* Continues a hash by what a file is like: another one in its place, a write, or why it cannot be looked at. */
static uint64_t look_at(uint64_t hash, const char *path)
{
	struct stat file;
	if (path == NULL)
		return hash;
	if (stat(path, &file) != 0)
		return hash_mix(hash, (uint64_t)errno);
	hash = hash_mix(hash_mix(hash, file.st_dev), file.st_ino);
	hash = hash_mix(hash_mix(hash, (uint64_t)file.st_mtim.tv_sec), (uint64_t)file.st_mtim.tv_nsec);
	/* tools may set the time of a write back, but not that of a change */
	hash = hash_mix(hash_mix(hash, (uint64_t)file.st_ctim.tv_sec), (uint64_t)file.st_ctim.tv_nsec);
	return hash_mix(hash, (uint64_t)file.st_size);
}

static uint64_t look_at_listener(uint64_t hash, const struct config_listener *listener)
{
	hash = look_at(look_at(hash, listener->tls_certificate), listener->tls_key);
	hash = look_at(hash, listener->tls_clients);
	for (size_t i = 0; i < listener->tls_more_count; i++)
		hash = look_at(look_at(hash, listener->tls_more[i].tls_certificate), listener->tls_more[i].tls_key);
	return hash;
}

static uint64_t look(const struct config *config)
{
	uint64_t hash = HASH_START;
	for (size_t i = 0; i < config->listener_count; i++)
		hash = look_at_listener(hash, &config->listeners[i]);
	return hash;
}

void renewal_init(struct renewal_watch *watch, const struct config *config)
{
	*watch = (struct renewal_watch){.config = config, .seen = look(config)};
	for (size_t i = 0; i < config->listener_count; i++)
		watch->used = watch->used || config->listeners[i].tls_certificate != NULL;
}

static void tell_failure(const struct buf *errors)
{
	struct log_line line;
	log_begin(&line, LOG_ERROR, "certificates were not renewed");
	log_str(&line, "error", buf_span(errors));
	log_end(&line);
}

static void tell_success(void)
{
	struct log_line line;
	log_begin(&line, LOG_INFO, "certificates were renewed");
	log_end(&line);
}

/* Reads them for every worker before any uses them. False with why in errors. */
static bool renew(const struct renewal_watch *watch, struct buf *errors)
{
	struct worker_renewal **read = calloc(watch->worker_count, sizeof(*read));
	size_t count = 0;
	while (read != NULL && count < watch->worker_count &&
	       (read[count] = worker_read_certificates(watch->workers[count], errors)) != NULL)
		count++;
	if (read == NULL)
		buf_printf(errors, "out of memory\n");
	bool good = read != NULL && count == watch->worker_count;
	for (size_t i = 0; i < count; i++) {
		if (good)
			worker_use_certificates(read[i]);
		else
			worker_drop_certificates(read[i]);
	}
	free(read);
	return good;
}

/*
 * What failed is tried again at each look, as the files need not change for it to succeed: there was no descriptor or
 * memory, or the key became readable. It is logged again when it fails for another reason.
 */
void renewal_check(struct renewal_watch *watch, bool in_any_case)
{
	if (!watch->used)
		return;
	uint64_t like = look(watch->config); /* before they are read: a later change is seen next time */
	bool changed = like != watch->seen || in_any_case;
	if (!changed && watch->failure == 0)
		return;
	struct buf errors;
	buf_init(&errors, ERRORS_MOST);
	watch->seen = like;
	bool good = renew(watch, &errors);
	uint64_t failure = good ? 0 : hash_bytes(HASH_START, buf_span(&errors));
	if (good)
		tell_success();
	else if (changed || failure != watch->failure)
		tell_failure(&errors);
	watch->failure = failure;
	buf_fini(&errors);
}
