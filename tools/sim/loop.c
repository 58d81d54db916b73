/* SPDX-License-Identifier: MIT */
/* The turns of the loop; loop.h holds the contract. Must never block but in the one wait. */
#include "tools/sim/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "tools/sim/conn.h"
#include "tools/sim/listen.h"

enum {
	EVENTS_PER_TURN = 512,
	WAIT_LEAST_US = 50, /* timers that are due within this share one turn */
	SCRATCH_CEILING = 512 * 1024 * 1024
};

static volatile sig_atomic_t stop_wanted;

static void on_signal(int signal)
{
	(void)signal;
	stop_wanted = 1;
}

/* Signals are delivered inside the wait only, so that none is lost between check and wait. */
static void signals_setup(void)
{
	sigset_t mask;
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	struct sigaction action = {.sa_handler = on_signal};
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void raise_descriptors(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static bool open_listener(struct listener *listener, struct sim *sim, const struct address *address, const char *option)
{
	char text[64];
	if (listener_open(listener, sim, address))
		return true;
	int error = errno;
	fprintf(stderr, "sluice-sim: %s: cannot listen on %s: %s\n", option, address_text(address, text, sizeof text),
		strerror(error));
	return false;
}

bool loop_setup(struct sim *sim)
{
	signals_setup();
	raise_descriptors();
	timers_init(&sim->timers, NULL, NULL);
	buf_init(&sim->payload, SCRATCH_CEILING);
	buf_init(&sim->dress, SCRATCH_CEILING);
	sim->random = sim->options.seed;
	sim->main.source.fd = sim->control.source.fd = -1;
	sim->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	sim->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (sim->epoll_fd < 0) {
		perror("sluice-sim: epoll");
		return false;
	}
	if (!open_listener(&sim->main, sim, &sim->options.listen, "--listen"))
		return false;
	return sim->options.control.len == 0 || open_listener(&sim->control, sim, &sim->options.control, "--control");
}

static int wait_events(struct sim *sim, struct epoll_event *events)
{
	sigset_t none;
	sigemptyset(&none);
	uint64_t wait = timers_wait(&sim->timers);
	if (wait == UINT64_MAX)
		return epoll_pwait2(sim->epoll_fd, events, EVENTS_PER_TURN, NULL, &none);
	if (wait > 0 && wait < WAIT_LEAST_US)
		wait = WAIT_LEAST_US;
	struct timespec timeout = {(time_t)(wait / 1000000), (long)(wait % 1000000) * 1000};
	return epoll_pwait2(sim->epoll_fd, events, EVENTS_PER_TURN, &timeout, &none);
}

void loop_run(struct sim *sim)
{
	struct epoll_event events[EVENTS_PER_TURN];
	while (!stop_wanted) {
		int count = wait_events(sim, events);
		if (count < 0 && errno != EINTR) {
			perror("sluice-sim: epoll_pwait2");
			return;
		}
		timers_refresh(&sim->timers);
		for (int i = 0; i < count; i++) {
			struct source *source = events[i].data.ptr;
			source->on_ready(source, events[i].events);
		}
		timers_run(&sim->timers);
		conn_bury(sim);
	}
}

void loop_teardown(struct sim *sim)
{
	conn_teardown(sim);
	listener_close(&sim->control);
	listener_close(&sim->main);
	if (sim->spare_fd >= 0)
		close(sim->spare_fd);
	if (sim->epoll_fd >= 0)
		close(sim->epoll_fd);
	journal_fini(&sim->journal);
	buf_fini(&sim->dress);
	buf_fini(&sim->payload);
	timers_fini(&sim->timers);
}
