/* SPDX-License-Identifier: MIT */
/*
 * getaddrinfo cannot be cancelled, so a thread may outlive everybody who asked.
 * A mailbox is shared by reference count between the loop and the threads: a
 * thread drops its answer there and wakes the loop by an eventfd; the last to
 * leave frees it. A lookup belongs to the loop; the thread owns a job that
 * points to no lookup but carries its number.
 */
#include "clients/http/dns_lookup.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/container.h"

enum { LOOKUP_STACK_BYTES = 256 * 1024, LOOKUP_MAX_ADDRESSES = 16 };

struct job {
	STAILQ_ENTRY(job) link;
	struct mailbox *mailbox; /* holds */
	uint64_t number;
	const char *why; /* static; NULL = addresses hold the answer */
	char addresses[LOOKUP_MAX_ADDRESSES * LOOKUP_ADDRESS_CHARS];
	char host[];
};

struct mailbox {
	pthread_mutex_t mutex;
	STAILQ_HEAD(job_list, job) answers;
	unsigned holders; /* the loop and every thread */
	int wake;         /* eventfd */
};

struct lookup {
	LIST_ENTRY(lookup) link;
	uint64_t number;
	lookup_cb on_answer;
	void *context;
};

struct lookups {
	struct reactor *reactor;
	struct mailbox *mailbox;
	struct watch watch;
	uint64_t last_number;
	LIST_HEAD(lookup_list, lookup) pending;
};

static struct mailbox *mailbox_create(void)
{
	struct mailbox *mailbox = calloc(1, sizeof(*mailbox));
	if (mailbox == NULL)
		return NULL;
	mailbox->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (mailbox->wake < 0) {
		free(mailbox);
		return NULL;
	}
	pthread_mutex_init(&mailbox->mutex, NULL);
	STAILQ_INIT(&mailbox->answers);
	mailbox->holders = 1;
	return mailbox;
}

static void mailbox_drop(struct mailbox *mailbox)
{
	pthread_mutex_lock(&mailbox->mutex);
	bool last = --mailbox->holders == 0;
	pthread_mutex_unlock(&mailbox->mutex);
	if (!last)
		return;
	struct job *job;
	while ((job = STAILQ_FIRST(&mailbox->answers)) != NULL) {
		STAILQ_REMOVE_HEAD(&mailbox->answers, link);
		free(job);
	}
	close(mailbox->wake);
	pthread_mutex_destroy(&mailbox->mutex);
	free(mailbox);
}

static void mailbox_put(struct mailbox *mailbox, struct job *job)
{
	pthread_mutex_lock(&mailbox->mutex);
	STAILQ_INSERT_TAIL(&mailbox->answers, job, link);
	pthread_mutex_unlock(&mailbox->mutex);
	uint64_t one = 1;
	ssize_t written = write(mailbox->wake, &one, sizeof(one));
	(void)written; /* EAGAIN: the counter is full, the loop wakes anyway */
}

static struct job *mailbox_take(struct mailbox *mailbox)
{
	pthread_mutex_lock(&mailbox->mutex);
	struct job *job = STAILQ_FIRST(&mailbox->answers);
	if (job != NULL)
		STAILQ_REMOVE_HEAD(&mailbox->answers, link);
	pthread_mutex_unlock(&mailbox->mutex);
	return job;
}

bool lookup_write_address(const struct sockaddr *address, char text[LOOKUP_ADDRESS_CHARS])
{
	char plain[INET6_ADDRSTRLEN];
	bool six = address->sa_family == AF_INET6;
	const void *bytes = six ? (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr
				: (const void *)&((const struct sockaddr_in *)address)->sin_addr;
	if (inet_ntop(address->sa_family, bytes, plain, sizeof(plain)) == NULL)
		return false;
	snprintf(text, LOOKUP_ADDRESS_CHARS, six ? "[%s]" : "%s", plain);
	return true;
}

static void job_add_address(struct job *job, const struct sockaddr *address)
{
	char text[LOOKUP_ADDRESS_CHARS];
	size_t used = strlen(job->addresses);
	if (sizeof(job->addresses) - used > LOOKUP_ADDRESS_CHARS && lookup_write_address(address, text))
		snprintf(job->addresses + used, sizeof(job->addresses) - used, "%s%s", used > 0 ? "," : "", text);
}

static void *job_run(void *context)
{
	struct job *job = context;
	struct mailbox *mailbox = job->mailbox;
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *answer = NULL;
	int error = getaddrinfo(job->host, NULL, &hints, &answer);
	for (struct addrinfo *at = answer; at != NULL; at = at->ai_next)
		if (at->ai_family == AF_INET || at->ai_family == AF_INET6)
			job_add_address(job, at->ai_addr);
	if (answer != NULL)
		freeaddrinfo(answer);
	if (error != 0)
		job->why = gai_strerror(error);
	else if (job->addresses[0] == '\0')
		job->why = "the name has no address";
	mailbox_put(mailbox, job);
	mailbox_drop(mailbox);
	return NULL;
}

/* Signals are for the threads that expect them: none reaches a lookup. */
static bool job_start(struct job *job)
{
	sigset_t all, before;
	pthread_attr_t attributes;
	pthread_t thread;
	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, LOOKUP_STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&thread, &attributes, job_run, job);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return error == 0;
}

static struct job *job_create(struct mailbox *mailbox, uint64_t number, const char *host)
{
	size_t size = strlen(host) + 1;
	struct job *job = calloc(1, sizeof(*job) + size);
	if (job == NULL)
		return NULL;
	job->mailbox = mailbox;
	job->number = number;
	memcpy(job->host, host, size);
	return job;
}

struct lookup *lookup_start(struct lookups *lookups, const char *host, lookup_cb on_answer, void *context)
{
	struct mailbox *mailbox = lookups->mailbox;
	struct lookup *lookup = calloc(1, sizeof(*lookup));
	struct job *job = job_create(mailbox, ++lookups->last_number, host);
	if (lookup == NULL || job == NULL)
		goto fail;
	pthread_mutex_lock(&mailbox->mutex);
	mailbox->holders++;
	pthread_mutex_unlock(&mailbox->mutex);
	if (!job_start(job)) {
		mailbox_drop(mailbox);
		goto fail;
	}
	*lookup = (struct lookup){.number = lookups->last_number, .on_answer = on_answer, .context = context};
	LIST_INSERT_HEAD(&lookups->pending, lookup, link);
	return lookup;
fail:
	free(lookup);
	free(job);
	return NULL;
}

void lookup_abandon(struct lookup *lookup)
{
	LIST_REMOVE(lookup, link);
	free(lookup);
}

static void lookups_deliver(struct lookups *lookups, const struct job *job)
{
	for (struct lookup *lookup = LIST_FIRST(&lookups->pending); lookup != NULL; lookup = LIST_NEXT(lookup, link)) {
		if (lookup->number != job->number)
			continue;
		lookup_cb on_answer = lookup->on_answer;
		void *context = lookup->context;
		lookup_abandon(lookup);
		on_answer(context, job->why == NULL ? job->addresses : NULL, job->why);
		return;
	}
}

static void on_wake(struct watch *watch, unsigned events)
{
	(void)events;
	struct lookups *lookups = container_of(watch, struct lookups, watch);
	uint64_t count = 0;
	ssize_t got = read(lookups->mailbox->wake, &count, sizeof(count));
	(void)got; /* only empties the counter */
	struct job *job;
	while ((job = mailbox_take(lookups->mailbox)) != NULL) {
		lookups_deliver(lookups, job);
		free(job);
	}
}

struct lookups *lookups_create(struct reactor *reactor)
{
	struct lookups *lookups = calloc(1, sizeof(*lookups));
	if (lookups == NULL)
		return NULL;
	lookups->reactor = reactor;
	lookups->watch.on_ready = on_wake;
	LIST_INIT(&lookups->pending);
	lookups->mailbox = mailbox_create();
	if (lookups->mailbox == NULL)
		goto fail;
	if (reactor->ops->watch(reactor, &lookups->watch, lookups->mailbox->wake, REACTOR_READ))
		return lookups;
	mailbox_drop(lookups->mailbox);
fail:
	free(lookups);
	return NULL;
}

void lookups_destroy(struct lookups *lookups)
{
	struct lookup *lookup;
	while ((lookup = LIST_FIRST(&lookups->pending)) != NULL)
		lookup_abandon(lookup); /* NOLINT(clang-analyzer-unix.Malloc): it unlinks itself */
	lookups->reactor->ops->unwatch(lookups->reactor, &lookups->watch);
	mailbox_drop(lookups->mailbox);
	free(lookups);
}
