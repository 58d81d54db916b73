# SPDX-License-Identifier: MIT
# The cache gives only what the backend would give: random requests, every answer judged by what the backend received.

SLUICE_TRUTH_TRIALS ?= 20000
TRUTH_CLOCK := $(BUILD)/tests/cache-truth/stepped_clock.so

$(TRUTH_CLOCK): tests/cache-truth/stepped_clock.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -std=gnu11 -O2 -Wall -Wextra -Werror -shared -fPIC -o $@ $<

.PHONY: test-cache-truth
test-cache-truth: $(BUILD)/sluice $(TRUTH_CLOCK) ## random requests to one and two replicas, every answer judged (SLUICE_TRUTH_TRIALS, SLUICE_TRUTH_SEED)
	node --test tests/cache-truth/judge.test.js
	BIN=$(abspath $(BUILD)/sluice) CLOCK=$(abspath $(TRUTH_CLOCK)) SLUICE_TRUTH_KEEP=$(abspath $(BUILD)/cache-truth) \
	SLUICE_TRUTH_TRIALS=$(SLUICE_TRUTH_TRIALS) node tests/cache-truth/run.js
