# SPDX-License-Identifier: MIT
# Scenario tests: each tests/scenario/*_test.c is a program that starts the real
# build/sluice and build/sluice-sim, and judges them from outside.

# A resolver that obeys, for LD_PRELOAD.
SCENARIO_NAMES   := $(BUILD)/tests/scenario/fake_names.so
SCENARIO_HARNESS := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard tests/scenario/harness/*.c))) \
		    $(BUILD)/tests/redis/redis_server.o
SCENARIO_TESTS   := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/scenario/*_test.c)))
SCENARIO_ENV      = SLUICE_BIN=$(BUILD)/sluice SLUICE_SIM=$(BUILD)/sluice-sim \
		    SLUICE_NAMES=$(abspath $(SCENARIO_NAMES)) \
		    LSAN_OPTIONS=suppressions=$(CURDIR)/tests/scenario/lsan.supp:print_suppressions=0
# What the clients of the scenarios saw, one exchange a line; tests/conformance judges it.
SCENARIO_RECORD  := $(abspath $(BUILD)/exchanges.jsonl)
SCENARIO_LIBS    := -lcurl -lnghttp2 -lz -lssl -lcrypto -lcjson -lcmocka -lpthread

# The programs go without sanitizers: what they try is the service, which is slow enough with them.
$(BUILD)/tests/scenario/%.o $(BUILD)/tests/redis/%.o: private SANITIZER :=
$(BUILD)/tests/scenario/%.o: private CPPFLAGS += -DSERVICE_SANITIZED=$(if $(SAN),1,0)
$(BUILD)/tests/scenario/%_test: private SANITIZER :=
$(BUILD)/tests/scenario/%_test: $(BUILD)/tests/scenario/%_test.o $(SCENARIO_HARNESS)
	$(CC) $(LDFLAGS) -o $@ $^ $(SCENARIO_LIBS)
# Its requests are made from the field tables, and those of keys from the table of operations.
$(BUILD)/tests/scenario/roundtrip_test $(BUILD)/tests/scenario/keys_test $(BUILD)/tests/scenario/limits_test $(BUILD)/tests/scenario/secrets_test: private SANITIZER = $(SAN)
$(BUILD)/tests/scenario/roundtrip_test $(BUILD)/tests/scenario/keys_test $(BUILD)/tests/scenario/limits_test $(BUILD)/tests/scenario/secrets_test: $(call links,schemas)

$(SCENARIO_NAMES): tests/scenario/preload/fake_names.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -std=gnu11 -O2 -Wall -Wextra -Werror -shared -fPIC -o $@ $< -ldl

.PHONY: build-scenario
build-scenario: $(SCENARIO_TESTS) $(SCENARIO_NAMES)

# All of them run, also behind one that failed: a finding is worth more with its neighbours. Most of them wait most of the
# time, so several run at once, the long ones first, and each one's output comes when it ends. Those of SCENARIO_ALONE
# judge the service's own time limits or open thousands of streams at once: behind the others, one after the other.
SCENARIO_JOBS  ?= $(shell echo $$(($(JOBS) * 5 / 2)))
SCENARIO_FIRST := redis_chaos memory_ceiling h2_attacks isolation stored_keys shared_usage bodies cache_renewal standby tail faults chaos \
		  neighbours redis_flights plan_fuzz
SCENARIO_ALONE ?=
scenario_runs   = $(patsubst %,$(BUILD)/tests/scenario/%_test.run,$(1))
SCENARIO_RUNS  := $(filter-out $(call scenario_runs,$(SCENARIO_FIRST) $(SCENARIO_ALONE)),$(SCENARIO_TESTS:=.run))
SCENARIO_RUNS  := $(filter-out $(call scenario_runs,$(SCENARIO_ALONE)),$(call scenario_runs,$(SCENARIO_FIRST))) $(SCENARIO_RUNS)
SCENARIO_LAST  := $(call scenario_runs,$(SCENARIO_ALONE))
.PHONY: test-scenario scenarios-together scenarios-alone $(SCENARIO_RUNS) $(SCENARIO_LAST)
test-scenario: $(SCENARIO_TESTS) $(SCENARIO_NAMES) $(BUILD)/sluice $(BUILD)/sluice-sim ## run the scenario tests against the real binaries
	@rm -f $(SCENARIO_RECORD)
	@status=0; $(MAKE) --no-print-directory -k -j$(SCENARIO_JOBS) --output-sync=target scenarios-together || status=$$?; \
	$(MAKE) --no-print-directory -k -j1 scenarios-alone && exit $$status
scenarios-together: $(SCENARIO_RUNS)
scenarios-alone: $(SCENARIO_LAST)
$(SCENARIO_RUNS) $(SCENARIO_LAST): %.run: %
	@echo "== $<"
	@start=$$(date +%s); SLUICE_RECORD=$(SCENARIO_RECORD) $(SCENARIO_ENV) $<; status=$$?; \
	echo "== $< took $$(($$(date +%s) - start)) s"; exit $$status

.PHONY: test-cache-load
test-cache-load: $(BUILD)/tests/scenario/redis_chaos_test $(BUILD)/sluice $(BUILD)/sluice-sim ## 200,000 requests to two replicas and one Redis, with and without faults (minutes)
	SLUICE_CACHE_LOAD=$(or $(SLUICE_CACHE_LOAD),200000) $(SCENARIO_ENV) $<

# What one party does to others: the programs that docs/isolation.md names.
NEIGHBOURS := isolation neighbours bodies queue turns own_fault standby outage backpressure admin_listener
.PHONY: test-neighbours
test-neighbours: $(patsubst %,$(BUILD)/tests/scenario/%_test,$(NEIGHBOURS)) $(SCENARIO_NAMES) $(BUILD)/sluice $(BUILD)/sluice-sim ## one client, backend or model misbehaves beside a neighbour
	@status=0; for test in $(NEIGHBOURS); do $(SCENARIO_ENV) $(BUILD)/tests/scenario/$${test}_test || status=1; done; exit $$status
