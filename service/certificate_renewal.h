/* SPDX-License-Identifier: MIT */
/*
 * Certificates are renewed while the service runs: the files of `listen[].tls` are read again on SIGHUP, and when one
 * of them has changed (`tls_watch`). What can be used is used by new handshakes of all workers. What cannot, such as a
 * certificate whose key is not written yet, leaves all as it was and is logged; it is tried again at each look.
 */
#ifndef SLUICE_SERVICE_CERTIFICATE_RENEWAL_H
#define SLUICE_SERVICE_CERTIFICATE_RENEWAL_H

#include "service/worker.h"

struct renewal_watch {
	const struct config *config;
	struct worker *const *workers;
	size_t worker_count;
	bool used;        /* there are such files, to be looked at */
	uint64_t seen;    /* stands for what the files were like when they were last read */
	uint64_t failure; /* stands for why they could not be used then; 0 = they could */
};

/* Remembers what the files are like. Before they are read for the first time. */
void renewal_init(struct renewal_watch *watch, const struct config *config);
/* Reads the files again if one of them has changed or could not be used, or in any case. By the control thread. */
void renewal_check(struct renewal_watch *watch, bool in_any_case);

#endif
