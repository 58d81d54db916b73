/* SPDX-License-Identifier: MIT */
/* Memory of the process that is not needed at rest. */
#ifndef SLUICE_LIB_MEMORY_H
#define SLUICE_LIB_MEMORY_H

#include <stddef.h>

/*
 * Before any thread. Blocks of some hundred kilobytes, which large requests need
 * several of, come from the heap and go back to it: mapping and zeroing their pages
 * anew took a quarter of such a request's time.
 */
void memory_setup(void);

/*
 * For a block of the heap that is about to be filled. From 4 MiB on, where it is mapped for itself, the system may give
 * it pages of 2 MiB instead of 4 KiB: thousands of page faults took more time than the bytes that were copied.
 */
void memory_prefer_large_pages(void *block, size_t size);

/*
 * Gives free heap pages back to the system, the end of this thread's heap too. Takes about a millisecond per 100 MB
 * that were used, for which other threads may wait: for every now and then.
 */
void memory_trim(void);

/*
 * For a process at rest: as memory_trim(), with the small blocks that glibc keeps for this thread,
 * and unmaps the pages of code and constants, ours and the libraries', until they
 * are used again. They stay in the system's page cache: what is used comes back by
 * minor faults, what only the start needed does not.
 */
void memory_rest(void);

#endif
