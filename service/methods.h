/* SPDX-License-Identifier: MIT */
/* Which operation a path and a method name, and which methods a path has. */
#ifndef SLUICE_SERVICE_METHODS_H
#define SLUICE_SERVICE_METHODS_H

#include "service/listener_surface.h"

/*
 * The operation at path that method names, HEAD counting as GET; *argument is
 * its path's argument. OPERATION_COUNT: there is none.
 */
enum operation methods_find(struct span path, struct span method, struct span *argument);

/* The first operation at path, whatever its method. OPERATION_COUNT: there is none. */
enum operation methods_at(struct span path);

enum { METHODS_ALLOW_SIZE = 64 };

/*
 * The value of Allow (RFC 9110, section 10.2.1) for a path, made from the operations that the surface serves, such as
 * "GET, HEAD, OPTIONS"; path "*" is that surface as a whole. False when there is nothing at this path.
 */
bool methods_allow(const struct surface *surface, struct span path, char allow[METHODS_ALLOW_SIZE]);

#endif
