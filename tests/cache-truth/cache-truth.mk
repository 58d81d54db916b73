# SPDX-License-Identifier: MIT
# The cache gives only what the backend would give: random requests, every answer judged by what the backend received.

SLUICE_TRUTH_TRIALS ?= 20000
.PHONY: test-cache-truth
test-cache-truth: $(BUILD)/sluice ## random requests to one and two replicas, every answer judged (SLUICE_TRUTH_TRIALS, SLUICE_TRUTH_SEED)
	BIN=$(abspath $(BUILD)/sluice) SLUICE_TRUTH_TRIALS=$(SLUICE_TRUTH_TRIALS) node tests/cache-truth/run.js
