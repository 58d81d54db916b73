/* SPDX-License-Identifier: MIT */
/* xoshiro256** (Blackman and Vigna), one state per thread, seeded once from the kernel. */
#include "lib/random.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "lib/hex.h"

static _Thread_local uint64_t state[4];
static _Thread_local bool seeded;

static uint64_t rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

void random_from_kernel(uint64_t *numbers, size_t count)
{
	size_t size = count * sizeof(*numbers);
	if (getrandom(numbers, size, 0) == (ssize_t)size)
		return;
	/* Early boot or an old kernel; still different from run to run. */
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	for (size_t i = 0; i < count; i++)
		numbers[i] = ((uint64_t)now.tv_nsec + i + 1) * UINT64_C(0x9E3779B97F4A7C15) ^ (uint64_t)(uintptr_t)&now;
}

static void seed(void)
{
	random_from_kernel(state, sizeof(state) / sizeof(state[0]));
	state[2] |= 1; /* never all zero */
	seeded = true;
}

uint64_t random_u64(void)
{
	if (!seeded)
		seed();
	uint64_t result = rotl(state[1] * 5, 7) * 9;
	uint64_t t = state[1] << 17;
	state[2] ^= state[0];
	state[3] ^= state[1];
	state[1] ^= state[2];
	state[0] ^= state[3];
	state[2] ^= t;
	state[3] = rotl(state[3], 45);
	return result;
}

void random_hex(char *out, size_t bytes)
{
	char digits[HEX_SIZE];
	for (size_t left = bytes * 2; left > 0;) {
		size_t some = left < HEX_SIZE ? left : HEX_SIZE;
		uint64_t bits = random_u64();
		hex_write_eight(digits, (uint32_t)(bits >> 32));
		hex_write_eight(digits + HEX_EIGHT, (uint32_t)bits);
		memcpy(out, digits, some);
		out += some;
		left -= some;
	}
	*out = '\0';
}

static pthread_once_t secret_once = PTHREAD_ONCE_INIT;
static uint64_t secret;

static void make_secret(void)
{
	random_from_kernel(&secret, 1); /* what random_u64 gives shows in ids, from which its past can be computed */
}

uint64_t random_secret(void)
{
	pthread_once(&secret_once, make_secret);
	return secret;
}
