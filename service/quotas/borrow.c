/* SPDX-License-Identifier: MIT */
/*
 * Calls and waiters of shared accounts; borrow.h holds the contract. All lists are under the lock of the accounts;
 * nothing is called while it is held, but for a port's post().
 */
#include "service/quotas/borrow.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "service/quotas/internal.h"

enum {
	WAITS_MOST = 8,     /* of one request: limits may turn out short one after the other */
	RENEWALS_MOST = 64, /* calls of a port at once, beyond which nothing is renewed */
	BUSY_US = 100000,   /* between two looks at what is to be renewed */
	IDLE_US = 1000000,
	OWED_US = 2000000 /* until all processes have returned what they do not use: they call every second */
};

struct quota_port {
	struct quotas *quotas;
	const struct quota_port_ops *ops;
	void *context;
	struct timers *timers;
	size_t calls; /* under way */
	bool posted;
	struct quota_waiter_list ready;
	struct quota_port *next; /* of quotas */
};

static struct quota_now now_of(const struct quota_port *port)
{
	return (struct quota_now){.us = timers_now(port->timers), .s = (uint64_t)time(NULL)};
}

struct quota_port *quota_port_create(struct quotas *quotas, const struct quota_port_ops *ops, void *context,
				     struct timers *timers)
{
	struct quota_port *port = calloc(1, sizeof(*port));
	if (port == NULL)
		return NULL;
	*port = (struct quota_port){.quotas = quotas, .ops = ops, .context = context, .timers = timers};
	TAILQ_INIT(&port->ready);
	pthread_mutex_lock(&quotas->lock);
	port->next = quotas->ports;
	quotas->ports = port;
	quotas->shared = true;
	quotas->open_ports++;
	pthread_mutex_unlock(&quotas->lock);
	return port;
}

void borrow_free_ports(struct quotas *quotas)
{
	for (struct quota_port *next, *port = quotas->ports; port != NULL; port = next) {
		next = port->next;
		free(port);
	}
}

/* ---- entries, with the lock held ---- */

struct quota_sharing *borrow_create_sharing(struct quotas *quotas)
{
	struct quota_sharing *sharing = calloc(1, sizeof(*sharing));
	if (sharing == NULL)
		return NULL;
	sharing->holding.loss = &quotas->loss;
	sharing->serial = ++quotas->serials;
	TAILQ_INIT(&sharing->waiters);
	return sharing;
}

bool borrow_is_busy(const struct quota_entry *entry)
{
	return entry->sharing != NULL && (entry->sharing->asking || entry->sharing->wanting);
}

void borrow_forget(struct quotas *quotas, struct quota_entry *entry)
{
	if (entry->sharing != NULL && entry->sharing->active)
		TAILQ_REMOVE(&quotas->active, entry, active_link);
	free(entry->sharing);
}

void borrow_note_active(struct quotas *quotas, struct quota_entry *entry, struct quota_now now)
{
	if (entry->sharing == NULL || entry->sharing->active)
		return;
	entry->sharing->active = true;
	entry->sharing->renewed_us = now.us;
	TAILQ_INSERT_TAIL(&quotas->active, entry, active_link);
}

static void want_call(struct quotas *quotas, struct quota_entry *entry)
{
	struct quota_sharing *sharing = entry->sharing;
	if (sharing->asking || sharing->wanting)
		return;
	sharing->wanting = true;
	TAILQ_INSERT_TAIL(&quotas->wanting, entry, wanting_link);
}

/* Has the entry want a call at the next renewal, together with others. */
static void want_call_soon(struct quotas *quotas, struct quota_entry *entry)
{
	struct quota_sharing *sharing = entry->sharing;
	if (sharing->asking || sharing->wanting)
		return;
	sharing->wanting = true;
	TAILQ_INSERT_TAIL(&quotas->deferred, entry, wanting_link);
}

static void want_deferred(struct quotas *quotas)
{
	TAILQ_CONCAT(&quotas->wanting, &quotas->deferred, wanting_link);
}

void borrow_note_end(struct quotas *quotas, struct quota_entry *entry)
{
	if (entry->sharing != NULL && entry->sharing->holding.others_lack)
		want_call_soon(quotas, entry);
}

static void wake(struct quota_waiter *waiter)
{
	struct quota_port *port = waiter->port;
	TAILQ_REMOVE(&waiter->entry->sharing->waiters, waiter, link);
	TAILQ_INSERT_TAIL(&port->ready, waiter, link);
	waiter->state = QUOTA_WAITER_ST_READY;
	if (port->posted)
		return;
	port->posted = true;
	port->ops->post(port->context);
}

/* Wakes those that a call of that round, or an earlier one, included. */
static void wake_all(struct quota_entry *entry, uint64_t round)
{
	struct quota_waiter *next;
	for (struct quota_waiter *at = TAILQ_FIRST(&entry->sharing->waiters); at != NULL; at = next) {
		next = TAILQ_NEXT(at, link);
		if (at->round <= round)
			wake(at);
	}
}

/* ---- calls ---- */

static struct quota_call *make_call(struct quota_port *port, struct quota_entry *entry, struct quota_now now)
{
	struct quotas *quotas = port->quotas;
	struct quota_sharing *sharing = entry->sharing;
	struct quota_call *call = calloc(1, port->ops->call_size);
	if (call == NULL)
		return NULL;
	call->was_unsure = sharing->holding.unsure;
	sharing->abandoned = false;
	holding_ask(&entry->account, now, quotas->closing, &call->ask);
	call->ask.number = ++quotas->calls;
	snprintf(call->ask.id, sizeof(call->ask.id), "%s-%" PRIu64, quotas->id, sharing->serial);
	call->port = port;
	call->entry = entry;
	call->sent_us = now.us;
	call->round = ++sharing->round;
	sharing->asking = true;
	sharing->renewed_us = now.us;
	if (sharing->active)
		TAILQ_REMOVE(&quotas->active, entry, active_link);
	sharing->active = true;
	TAILQ_INSERT_TAIL(&quotas->active, entry, active_link);
	port->calls++;
	return call;
}

/* Returns the next call that is wanted. While Redis does not answer there is none, and nobody waits. */
static struct quota_call *next_call(struct quota_port *port)
{
	struct quotas *quotas = port->quotas;
	struct quota_now now = now_of(port);
	struct quota_call *call = NULL;
	struct quota_entry *entry;
	pthread_mutex_lock(&quotas->lock);
	while (call == NULL && (entry = TAILQ_FIRST(&quotas->wanting)) != NULL) {
		TAILQ_REMOVE(&quotas->wanting, entry, wanting_link);
		entry->sharing->wanting = false;
		if (now.us >= quotas->loss.until_us)
			call = make_call(port, entry, now);
		if (call == NULL) {
			entry->sharing->holding.need = 0;
			wake_all(entry, UINT64_MAX);
		}
	}
	pthread_mutex_unlock(&quotas->lock);
	return call;
}

/* Returns whether what requests lack is to be returned to them, so that they wait for it. Those that ask for a share
 * wait, too, when others were asked for that do not wait any more. */
static bool is_owed(const struct quota_sharing *sharing, const struct quota_call *call,
		    const struct script_answer *answer)
{
	bool overstated = call->ask.must > answer->ceiling && call->ask.share_count > 0 && sharing->abandoned;
	return answer->owed || overstated;
}

/* Has the requests of a call wait for another one, but for those that have waited long enough. */
static void wait_on(struct quotas *quotas, struct quota_entry *entry, uint64_t round, struct quota_now now)
{
	struct quota_waiter *next;
	for (struct quota_waiter *at = TAILQ_FIRST(&entry->sharing->waiters); at != NULL; at = next) {
		next = TAILQ_NEXT(at, link);
		if (at->round > round)
			continue;
		if (at->owed_until_us == 0)
			at->owed_until_us = now.us + OWED_US;
		if (now.us >= at->owed_until_us) {
			at->waits = WAITS_MOST;
			wake(at);
			continue;
		}
		at->round = entry->sharing->round + 1;
		holding_need(&entry->account, at->amount, at->enough);
		want_call_soon(quotas, entry);
	}
}

static void end_call(struct quota_call *call, const struct script_answer *answer)
{
	struct quota_port *port = call->port;
	struct quotas *quotas = port->quotas;
	struct quota_entry *entry = call->entry;
	struct quota_now now = now_of(port);
	pthread_mutex_lock(&quotas->lock);
	port->calls--;
	entry->sharing->asking = false;
	quotas->loss.until_us = answer == NULL ? now.us + HOLDING_LOSS_US : 0;
	bool owed = answer != NULL && is_owed(entry->sharing, call, answer);
	if (answer != NULL) {
		struct script_answer heard = *answer;
		heard.owed = owed;
		quotas->loss.holders = answer->holders;
		holding_hear(&entry->account, now, call->sent_us, &call->ask, &heard);
	}
	if (owed)
		wait_on(quotas, entry, call->round, now);
	else
		wake_all(entry, call->round);
	if (!TAILQ_EMPTY(&entry->sharing->waiters))
		want_call(quotas, entry);
	else if (answer != NULL && holding_is_idle(&entry->account, now))
		want_call_soon(quotas, entry);
	pthread_mutex_unlock(&quotas->lock);
	free(call);
}

/* Ends a call that Redis never got. */
static void end_unsent(struct quota_call *call)
{
	pthread_mutex_lock(&call->port->quotas->lock);
	call->entry->sharing->holding.unsure = call->was_unsure;
	pthread_mutex_unlock(&call->port->quotas->lock);
	end_call(call, NULL);
}

/* Sends all calls that are wanted. */
static void run(struct quota_port *port)
{
	struct quota_call *call;
	while ((call = next_call(port)) != NULL)
		if (!port->ops->send(port->context, call, (struct span){call->entry->name, call->entry->limit_len}))
			end_unsent(call);
}

void quota_call_end(struct quota_call *call, const struct script_answer *answer)
{
	struct quota_port *port = call->port;
	end_call(call, answer);
	run(port);
}

/* ---- waiting ---- */

void borrow_wait(struct quotas *quotas, struct quota_entry *entry, const struct quota_ask *ask,
		 struct quota_waiter *waiter)
{
	uint64_t amount = ask->amount, enough = account_enough(&entry->account, ask);
	holding_need(&entry->account, amount, enough);
	want_call(quotas, entry);
	if (waiter->state != QUOTA_WAITER_ST_IDLE)
		return;
	waiter->state = QUOTA_WAITER_ST_WAITING;
	waiter->entry = entry;
	waiter->round = entry->sharing->round + 1;
	waiter->amount = amount < entry->account.limit ? amount : entry->account.limit;
	waiter->enough = enough;
	TAILQ_INSERT_TAIL(&entry->sharing->waiters, waiter, link);
}

bool quotas_wait(struct quotas *quotas, struct quota_part *parts, size_t count, struct quota_now now,
		 struct quota_waiter *waiter)
{
	if (waiter->waits == WAITS_MOST)
		return false;
	pthread_mutex_lock(&quotas->lock);
	quotas_each_short(quotas, parts, count, now, waiter);
	bool waits = waiter->state == QUOTA_WAITER_ST_WAITING;
	if (waits && waiter->waits++ == 0)
		waiter->owed_until_us = 0;
	pthread_mutex_unlock(&quotas->lock);
	run(waiter->port);
	return waits;
}

static void stop_waiting(struct quota_waiter *waiter)
{
	struct quota_sharing *sharing = waiter->entry->sharing;
	TAILQ_REMOVE(&sharing->waiters, waiter, link);
	if (waiter->round <= sharing->round)
		sharing->abandoned = true;
	else
		sharing->holding.need -= waiter->amount;
}

void quotas_abandon(struct quotas *quotas, struct quota_waiter *waiter)
{
	if (waiter->port == NULL)
		return;
	pthread_mutex_lock(&quotas->lock);
	if (waiter->state == QUOTA_WAITER_ST_WAITING)
		stop_waiting(waiter);
	else if (waiter->state == QUOTA_WAITER_ST_READY)
		TAILQ_REMOVE(&waiter->port->ready, waiter, link);
	waiter->state = QUOTA_WAITER_ST_IDLE;
	pthread_mutex_unlock(&quotas->lock);
}

void quota_port_deliver(struct quota_port *port)
{
	struct quota_waiter *waiter;
	do {
		pthread_mutex_lock(&port->quotas->lock);
		waiter = TAILQ_FIRST(&port->ready);
		if (waiter != NULL) {
			TAILQ_REMOVE(&port->ready, waiter, link);
			waiter->state = QUOTA_WAITER_ST_IDLE;
		} else {
			port->posted = false;
		}
		pthread_mutex_unlock(&port->quotas->lock);
		if (waiter != NULL)
			waiter->on_ready(waiter);
	} while (waiter != NULL);
}

/* ---- renewing ---- */

/* The entries are in the order of their last calls. */
static void want_renewals(struct quota_port *port, struct quota_now now)
{
	struct quotas *quotas = port->quotas;
	struct quota_entry *next;
	size_t wanted = port->calls;
	for (struct quota_entry *entry = TAILQ_FIRST(&quotas->active); entry != NULL; entry = next) {
		struct quota_sharing *sharing = entry->sharing;
		next = TAILQ_NEXT(entry, active_link);
		if (now.us < sharing->renewed_us + HOLDING_RENEW_US || wanted >= RENEWALS_MOST)
			break;
		if (borrow_is_busy(entry))
			continue;
		if (holding_is_active(&entry->account, now)) {
			want_call(quotas, entry);
			wanted++;
		} else {
			TAILQ_REMOVE(&quotas->active, entry, active_link);
			sharing->active = false;
		}
	}
}

uint64_t quota_port_renew(struct quota_port *port)
{
	struct quotas *quotas = port->quotas;
	struct quota_now now = now_of(port);
	pthread_mutex_lock(&quotas->lock);
	if (now.us >= quotas->loss.until_us)
		want_renewals(port, now);
	want_deferred(quotas);
	bool idle = TAILQ_EMPTY(&quotas->active);
	pthread_mutex_unlock(&quotas->lock);
	run(port);
	return idle ? IDLE_US : BUSY_US;
}

bool quota_port_close(struct quota_port *port)
{
	pthread_mutex_lock(&port->quotas->lock);
	bool last = --port->quotas->open_ports == 0;
	pthread_mutex_unlock(&port->quotas->lock);
	return last;
}

void quota_port_give_back(struct quota_port *port)
{
	struct quotas *quotas = port->quotas;
	pthread_mutex_lock(&quotas->lock);
	quotas->closing = true;
	want_deferred(quotas);
	for (struct quota_entry *entry = TAILQ_FIRST(&quotas->active); entry != NULL;
	     entry = TAILQ_NEXT(entry, active_link))
		if (holding_is_active(&entry->account, now_of(port)))
			want_call(quotas, entry);
	pthread_mutex_unlock(&quotas->lock);
	run(port);
}

bool quota_port_is_busy(const struct quota_port *port)
{
	return port->calls > 0;
}
