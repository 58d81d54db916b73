/* SPDX-License-Identifier: MIT */
/* Trimming the heap and what is mapped of programs and libraries; memory.h holds the contract. */
#include "lib/memory.h"

#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LARGE_BLOCK = 4 * 1024 * 1024, FREE_END = 2 * LARGE_BLOCK /* that much a heap may keep of its free end */ };

void memory_setup(void)
{
	mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
	mallopt(M_TRIM_THRESHOLD, FREE_END);
}

void memory_prefer_large_pages(void *block, size_t size)
{
	if (size < LARGE_BLOCK)
		return;
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)block;
	uintptr_t start = (at + page - 1) & ~(page - 1), end = (at + size) & ~(page - 1);
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): the page in which the block begins */
	madvise((void *)start, end - start, MADV_HUGEPAGE);
}

/*
 * malloc_trim() leaves the free end of a thread's heap alone. A large block that is freed has glibc look at it, which
 * gives back all but 128 KiB when it is above the threshold. The threshold is the process's: one thread at a time;
 * others that free something meanwhile give back more than they had to.
 */
static void drop_heap_end(void)
{
	enum { LARGE_ENOUGH = 256 * 1024 /* for glibc to look */ };
	static pthread_mutex_t alone = PTHREAD_MUTEX_INITIALIZER;
	pthread_mutex_lock(&alone);
	mallopt(M_TRIM_THRESHOLD, 0);
	void *volatile block = malloc(LARGE_ENOUGH); /* or the compiler leaves both out */
	free(block);
	mallopt(M_TRIM_THRESHOLD, FREE_END);
	pthread_mutex_unlock(&alone);
}

void memory_trim(void)
{
	malloc_trim(0);
	drop_heap_end();
}

/* Code and constants are never written, so nothing is lost with their pages: they are read from the file again. */
static int drop_mapped(struct dl_phdr_info *object, size_t size, void *context)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	(void)size, (void)context;
	if (strncmp(object->dlpi_name, "linux-", 6) == 0) /* the kernel's own, of no file */
		return 0;
	for (size_t i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];
		if (part->p_type != PT_LOAD || (part->p_flags & PF_W) != 0)
			continue;
		uintptr_t start = (object->dlpi_addr + part->p_vaddr) & ~(page - 1);
		uintptr_t end = (object->dlpi_addr + part->p_vaddr + part->p_memsz + page - 1) & ~(page - 1);
		/* NOLINTNEXTLINE(performance-no-int-to-ptr): the loader tells addresses as numbers */
		madvise((void *)start, end - start, MADV_DONTNEED);
	}
	return 0;
}

enum { CACHE_SIZES = 64, CACHE_STEP = 16, CACHE_FIRST = 24, CACHE_OF_EACH = 7, CACHED = CACHE_SIZES * CACHE_OF_EACH };

static void *free_all(void *blocks)
{
	for (size_t i = 0; i < CACHED; i++)
		free(((void **)blocks)[i]);
	return NULL;
}

/*
 * glibc keeps a few freed blocks of each small size per thread. Behind a load they
 * lie scattered over the whole heap, some 400 of them, each of them keeps a page
 * or two, and no function gives them back; only the end of a thread does. So this
 * thread takes its blocks out of there, and another one frees them and ends.
 */
static void empty_thread_cache(void)
{
	pthread_t thread;
	void *blocks[CACHED];
	for (size_t i = 0; i < CACHED; i++)
		blocks[i] = malloc(CACHE_FIRST + CACHE_STEP * (i / CACHE_OF_EACH));
	if (pthread_create(&thread, NULL, free_all, blocks) == 0)
		pthread_join(thread, NULL);
	else
		free_all(blocks);
}

void memory_rest(void)
{
	empty_thread_cache();
	memory_trim();
	dl_iterate_phdr(drop_mapped, NULL);
}
