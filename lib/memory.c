/* SPDX-License-Identifier: MIT */
/* Trimming the heap and the mapped code; memory.h holds the contract. */
#include "lib/memory.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void memory_trim(void)
{
	malloc_trim(0);
}

/* Code is never written, so nothing is lost with its pages. */
static int drop_code(struct dl_phdr_info *object, size_t size, void *context)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	(void)size, (void)context;
	if (strncmp(object->dlpi_name, "linux-", 6) == 0) /* the kernel's own, of no file */
		return 0;
	for (size_t i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];
		if (part->p_type != PT_LOAD || (part->p_flags & (PF_X | PF_W)) != PF_X)
			continue;
		uintptr_t start = (object->dlpi_addr + part->p_vaddr) & ~(page - 1);
		uintptr_t end = (object->dlpi_addr + part->p_vaddr + part->p_memsz + page - 1) & ~(page - 1);
		madvise((void *)start, end - start, MADV_DONTNEED);
	}
	return 0;
}

void memory_rest(void)
{
	memory_trim();
	dl_iterate_phdr(drop_code, NULL);
}
