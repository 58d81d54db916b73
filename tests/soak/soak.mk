# SPDX-License-Identifier: MIT
# The soak: mixed traffic with faults, and memory and descriptors that must be flat.

SOAK         := $(BUILD)/tests/soak/soak
SOAK_SECONDS ?= 1200

$(SOAK): $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard tests/soak/*.c))) $(SCENARIO_HARNESS)
	$(CC) $(LDFLAGS) -o $@ $^ $(SCENARIO_LIBS)

.PHONY: soak soak-short
soak: ## mixed traffic with faults for SOAK_SECONDS (1200): memory and descriptors are flat
	tools/install.sh build run test
	$(MAKE) build $(SOAK)
	$(SCENARIO_ENV) SOAK_SECONDS=$(SOAK_SECONDS) $(SOAK)
soak-short: ## the same for two minutes
	$(MAKE) soak SOAK_SECONDS=120
