/* SPDX-License-Identifier: MIT */
/* Sizes in bytes as people write them: 32 MiB, 5.2 MB. */
#ifndef SLUICE_LIB_SIZE_TEXT_H
#define SLUICE_LIB_SIZE_TEXT_H

#include <stddef.h>

enum { SIZE_TEXT_MAX = 32 };

/*
 * Writes a size: exactly in GiB, MiB or KiB where it is a multiple of them, in bytes below 1000, else in kB, MB or GB
 * with one decimal. Returns text.
 */
const char *size_text(size_t bytes, char text[SIZE_TEXT_MAX]);

#endif
