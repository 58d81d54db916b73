/* SPDX-License-Identifier: MIT */
/* Arrivals, and the counting of what came back. */
#include "tests/bench/load/load.h"

#include <stdlib.h>
#include <string.h>

static void samples_add(struct samples *samples, uint64_t ns)
{
	if (samples->count == samples->room) {
		samples->room = samples->room == 0 ? 1 << 16 : samples->room * 2;
		samples->us = realloc(samples->us, samples->room * sizeof *samples->us);
		if (samples->us == NULL)
			load_fail("out of memory");
	}
	samples->us[samples->count++] = (uint32_t)(ns / 1000);
}

void slot_add_free(struct slot *slot)
{
	slot->state = SLOT_FREE;
	slot->next_free = slot->conn->load->free_slots;
	slot->conn->load->free_slots = slot;
}

static void slot_begin(struct slot *slot, uint64_t intended)
{
	slot->state = SLOT_WAITING;
	slot->status = 0;
	slot->blank = false;
	slot->intended = intended;
	slot->sent = 0;
	if (slot->conn->h2 != NULL)
		h2_begin(slot);
	else
		h1_begin(slot);
}

static struct slot *take_free(struct load *load)
{
	struct slot *slot = load->free_slots;
	load->free_slots = slot->next_free;
	return slot;
}

static uint64_t arrival_at(const struct load *load, uint64_t index)
{
	return load->started + (uint64_t)((double)index * 1e9 / load->options.rate);
}

void load_begin_due(struct load *load)
{
	uint64_t most = load->options.again ? UINT64_MAX : load->slot_count;
	while (load->free_slots != NULL && load->arrivals < most) {
		uint64_t intended = load->now;
		if (load->options.rate > 0) {
			intended = arrival_at(load, load->arrivals);
			if (intended > load->now)
				return;
		}
		load->arrivals++;
		slot_begin(take_free(load), intended);
	}
}

uint64_t load_next_due(const struct load *load, uint64_t most)
{
	if (load->options.rate <= 0 || load->free_slots == NULL)
		return most;
	uint64_t at = arrival_at(load, load->arrivals);
	uint64_t wait = at > load->now ? at - load->now : 0;
	return wait < most ? wait : most;
}

/* An event of a stream ends with a blank line. */
static uint64_t count_events(struct slot *slot, const char *data, size_t len)
{
	uint64_t events = 0;
	const char *end = data + len;
	while (data < end) {
		if (*data == '\n') {
			events += slot->blank;
			slot->blank = !slot->blank;
			data++;
			continue;
		}
		slot->blank = false;
		data = memchr(data, '\n', (size_t)(end - data));
		if (data == NULL)
			break;
		slot->blank = true;
		data++;
	}
	return events;
}

void slot_body(struct slot *slot, const char *data, size_t len)
{
	struct load *load = slot->conn->load;
	if (len == 0)
		return;
	if (slot->state == SLOT_WAITING) {
		slot->state = SLOT_ANSWER;
		slot->first = load->now;
		load->begun++;
	}
	load->counts.bytes += len;
	load->counts.events += count_events(slot, data, len);
}

void slot_done(struct slot *slot, bool whole)
{
	struct load *load = slot->conn->load;
	if (slot->state == SLOT_FREE)
		return;
	if (whole && slot->status == load->options.status) {
		load->counts.requests++;
		if (load->in_window) {
			samples_add(&load->whole, load->now - slot->intended);
			if (slot->state == SLOT_ANSWER)
				samples_add(&load->first, slot->first - slot->intended);
		}
	} else {
		load->counts.bad++;
	}
	slot_add_free(slot);
}
