/* SPDX-License-Identifier: MIT */
/*
 * How a worker hears that other replicas want to follow a flight of its own: they put the flight's name into a list in
 * Redis that only this worker takes from. It looks there often, but only while there is something to follow.
 */
#ifndef SLUICE_SERVICE_FLIGHTS_MAILBOX_H
#define SLUICE_SERVICE_FLIGHTS_MAILBOX_H

#include "lib/span.h"

struct mailbox;
struct remote;

/* Characters at the end of an address, hexadecimal digits, that are the mailbox's own. */
enum { MAILBOX_ID_LEN = 32 };

/* Something that can be wanted, embedded in its owner. Zero-initialised means not registered. */
struct mailbox_place {
	void (*on_wanted)(struct mailbox_place *place); /* may come more than once; may remove any place */
	struct span name;                               /* borrowed */
	struct mailbox_place *next;
	struct mailbox_place **back; /* NULL = not registered */
};

/* NULL: out of memory. */
struct mailbox *mailbox_create(struct remote *remote, const char *prefix);

/* No place may be registered. NULL is fine. */
void mailbox_destroy(struct mailbox *mailbox);

/* The key of the list, for others to write to. */
struct span mailbox_address(const struct mailbox *mailbox);

void mailbox_add(struct mailbox *mailbox, struct mailbox_place *place);
/* Harmless when it is not registered. */
void mailbox_remove(struct mailbox_place *place);

/* Tells whoever takes from that list that the flight of that name is wanted. False: not sent. */
bool mailbox_write(struct remote *remote, struct span address, struct span name);

#endif
