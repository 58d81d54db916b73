/* SPDX-License-Identifier: MIT */
/* The real gateway under test: started from YAML text, asked for its metrics, watched for leaks. */
#ifndef SLUICE_TESTS_HARNESS_SLUICE_H
#define SLUICE_TESTS_HARNESS_SLUICE_H

#include "tests/scenario/harness/answer.h"
#include "tests/scenario/harness/proc.h"

struct sluice {
	struct proc *proc;
	int port;       /* HTTP/1.1 and h2c */
	int tls_port;   /* HTTP/1.1 and HTTP/2 by ALPN */
	int admin_port; /* 0 = the admin listener is off, or a socket */
	unsigned workers;
	bool ready;
	struct proc_fds idle_fds;
	size_t idle_rss;
};

/*
 * Starts build/sluice (SLUICE_BIN) with a cleartext and a TLS listener, an
 * admin listener, two workers, and yaml behind that: the backends, models and
 * limits of the scenario, formatted. Unless yaml says `public:`, all operations
 * are public, so that a scenario can try them in all ways. Ready when it
 * returns. Ended at tear-down.
 */
struct sluice *sluice_start(const char *yaml, ...) __attribute__((format(printf, 1, 2)));

/* The same with so many workers. */
struct sluice *sluice_start_workers(unsigned workers, const char *yaml, ...) __attribute__((format(printf, 2, 3)));

/* Runs it with those arguments (up to NULL) until it ends by itself; its exit status and output. */
int sluice_run(const char *const arguments[], struct bytes *out, struct bytes *err);

/* One GET over a fresh HTTP/1.1 connection, of /metrics and /admin at the admin listener. The caller frees the answer.
 */
void sluice_get(const struct sluice *sluice, const char *path, struct answer *answer);

/* The key that sluice_get shows from now on, to the end of the scenario; borrows. */
void sluice_show_key(const char *key);

/* The value of the sample of /metrics that begins with that name and labels; 0 when absent. */
double sluice_metric(const struct sluice *sluice, const char *sample);

/* sluice_errors_total of that code. */
double sluice_errors(const struct sluice *sluice, const char *code);

/* Waits until it serves that many requests, whatever becomes of them: each was read and has begun. */
void sluice_wait_in_flight(const struct sluice *sluice, size_t count);

/*
 * Waits until nothing is left of past exchanges: no client connection, no more
 * other descriptors than right after the start, nothing in flight, and no memory
 * that clients hold.
 */
void sluice_wait_idle(const struct sluice *sluice);

/* The same behind an attack, which has left no memory either: some MiB beside that at the start are holes of the heap.
 */
void sluice_wait_base(const struct sluice *sluice);

/*
 * Waits until it holds no more memory than before, rss, and most bytes beside that: workers give back what they do not
 * need within a minute. Fails the test when it does not; builds with sanitizers are not judged.
 */
void sluice_wait_rest(const struct sluice *sluice, size_t rss, size_t most);

#endif
