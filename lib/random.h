/* SPDX-License-Identifier: MIT */
/* Random numbers for ids and jitter: fast, per thread, seeded by the kernel. Not for secrets. */
#ifndef SLUICE_LIB_RANDOM_H
#define SLUICE_LIB_RANDOM_H

#include <stddef.h>
#include <stdint.h>

uint64_t random_u64(void);

/* Writes 2 × bytes lower-case hex digits and a NUL. out: room for 2 × bytes + 1. */
void random_hex(char *out, size_t bytes);

/* Returns a number that nobody outside can know, the same for all threads of the process. */
uint64_t random_secret(void);

#endif
