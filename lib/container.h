/* SPDX-License-Identifier: MIT */
#ifndef SLUICE_LIB_CONTAINER_H
#define SLUICE_LIB_CONTAINER_H

#include <stddef.h>

/* Returns the struct type whose member is at pointer. */
#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#endif
