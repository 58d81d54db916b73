/* SPDX-License-Identifier: MIT */
/* Random numbers for ids and jitter: fast, per thread, seeded by the kernel. Secrets come from the kernel itself. */
#ifndef SLUICE_LIB_RANDOM_H
#define SLUICE_LIB_RANDOM_H

#include <stddef.h>
#include <stdint.h>

uint64_t random_u64(void);

/* Writes 2 × bytes lower-case hex digits and a NUL. out: room for 2 × bytes + 1. */
void random_hex(char *out, size_t bytes);

/* Fills numbers from the kernel, or from the clock where the kernel has none yet. */
void random_from_kernel(uint64_t *numbers, size_t count);

/* Returns a number that nobody outside can know, the same for all threads of the process. */
uint64_t random_secret(void);

#endif
