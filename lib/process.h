/* SPDX-License-Identifier: MIT */
/* Figures of the process as the system reports them. Each function returns false when the system does not say. */
#ifndef SLUICE_LIB_PROCESS_H
#define SLUICE_LIB_PROCESS_H

#include <stdbool.h>

/* Processor time used by all threads. */
bool process_cpu_seconds(double *value);
/* Memory of the process that is resident. */
bool process_resident_bytes(double *value);
/* Open descriptors. */
bool process_open_fds(double *value);
/* Descriptors that the process may open (RLIMIT_NOFILE). */
bool process_max_fds(double *value);
/* When the process started, in seconds since 1970. */
bool process_start_seconds(double *value);

/*
 * Keeps the memory of the process out of core dumps and from debuggers of the same user: it holds keys, and what
 * clients say. Nothing under AddressSanitizer, whose leak check is such a debugger.
 */
void process_refuse_dumps(void);

#endif
