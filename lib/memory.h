/* SPDX-License-Identifier: MIT */
/* Memory of the process that is not needed at rest. */
#ifndef SLUICE_LIB_MEMORY_H
#define SLUICE_LIB_MEMORY_H

/* Gives free heap pages back to the system. Takes about a millisecond per 100 MB that were used: for a thread at rest.
 */
void memory_trim(void);

/*
 * For a process at rest: as memory_trim(), and unmaps the pages of code, ours and
 * the libraries', until they are run again. They stay in the system's page cache:
 * what is run comes back by minor faults, what only the start needed does not.
 */
void memory_rest(void);

#endif
