/* SPDX-License-Identifier: MIT */
/* The references that the binary prints from its own tables. */
#ifndef SLUICE_SERVICE_DESCRIBE_H
#define SLUICE_SERVICE_DESCRIBE_H

#include "lib/buf.h"

/* Appends the reference of a topic. False when there is no such topic. */
bool describe_write(struct buf *out, const char *topic);

/* The topics, for messages, in the order of the alphabet with commas between. */
const char *describe_topics(void);

/* The topic that was probably meant; {NULL,0} when none is near. */
struct span describe_suggest(const char *topic);

#endif
