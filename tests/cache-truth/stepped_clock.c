/* SPDX-License-Identifier: MIT */
/*
 * A wall clock that a test steps: loaded in front of the C library, it adds the microseconds in the first eight bytes
 * of the file that SLUICE_TEST_CLOCK names to every reading of the wall clock. Monotonic clocks stay as they are.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { SECOND_NS = 1000000000, US_NS = 1000, SECOND_US = 1000000 };

static const _Atomic int64_t no_step;
static const _Atomic int64_t *step_us = &no_step;

__attribute__((constructor)) static void map_step(void)
{
	const char *path = getenv("SLUICE_TEST_CLOCK");
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	void *at = mmap(NULL, sizeof(*step_us), PROT_READ, MAP_SHARED, fd, 0);
	if (at != MAP_FAILED)
		step_us = at;
	close(fd);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	if (syscall(SYS_clock_gettime, clock, now) != 0)
		return -1;
	if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)
		return 0;
	int64_t step = atomic_load_explicit(step_us, memory_order_relaxed);
	int64_t ns = now->tv_nsec + step % SECOND_US * US_NS;
	now->tv_sec += step / SECOND_US + (ns >= SECOND_NS) - (ns < 0);
	now->tv_nsec = ns - (ns >= SECOND_NS) * (int64_t)SECOND_NS + (ns < 0) * (int64_t)SECOND_NS;
	return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec exact;
	(void)zone;
	clock_gettime(CLOCK_REALTIME, &exact);
	*now = (struct timeval){exact.tv_sec, exact.tv_nsec / US_NS};
	return 0;
}

time_t time(time_t *now)
{
	struct timespec exact;
	clock_gettime(CLOCK_REALTIME, &exact);
	if (now != NULL)
		*now = exact.tv_sec;
	return exact.tv_sec;
}
