# SPDX-License-Identifier: MIT
# Benchmarks. docs/benchmarks.md tells what they measure.

# The load of make bench: an open or closed loop of requests over HTTP/1.1 or HTTP/2.
$(BUILD)/tests/bench/bench-load: $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard tests/bench/load/*.c)))
	$(CC) $(LDFLAGS) -o $@ $^ -lnghttp2 -lssl -lcrypto

# BENCH_OPTIONS="--write docs/benchmarks.md" puts the figures into the page.
.PHONY: bench
bench: ## Sluice beside nginx and haproxy: CPU per request and event, memory (BENCH_ROUNDS, BENCH_CASES)
	tools/install.sh build run bench
	$(MAKE) build $(BUILD)/tests/bench/bench-load
	tests/bench/bench.py --build $(BUILD) $(BENCH_OPTIONS)
.PHONY: bench-peers
bench-peers: ## the same beside other gateways, from PyPI, npm and the Go module proxy
	tools/install.sh build run bench peers
	$(MAKE) build $(BUILD)/tests/bench/bench-load
	tests/bench/peers.sh $(BUILD)/peers
	tests/bench/bench.py --build $(BUILD) --peers $(BENCH_OPTIONS)

# CASE is one of those that BENCH_CASES can name.
CASE ?= json
.PHONY: profile
profile: ## a flame graph of Sluice in a case of make bench: CASE=json
	tools/install.sh build run bench profile
	$(MAKE) build $(BUILD)/tests/bench/bench-load
	tests/bench/profile.py --build $(BUILD) $(CASE)

$(BUILD)/tests/bench/%_bench: $(BUILD)/tests/bench/%_bench.o $(call links,schemas)
	$(CC) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs libcjson) -lm
.PHONY: bench-decode
bench-decode: ## instructions to validate a chat request, beside cJSON_Parse (callgrind)
	tools/install.sh build bench
	$(MAKE) $(BUILD)/tests/bench/decode_bench
	tests/bench/decode.sh $(BUILD)/tests/bench/decode_bench

# They use the harness of the scenarios.
$(BUILD)/tests/bench/hedge_bench $(BUILD)/tests/bench/door_bench: %: %.o $(SCENARIO_HARNESS)
	$(CC) $(LDFLAGS) -o $@ $^ $(SCENARIO_LIBS)
.PHONY: bench-hedge
bench-hedge: $(BUILD)/tests/bench/hedge_bench $(BUILD)/sluice $(BUILD)/sluice-sim ## time to first token with one slow backend of four, with spares and without
	$(SCENARIO_ENV) $<

# The scenarios of isolation_test, with the neighbour's times instead of its answers alone.
.PHONY: bench-neighbours
bench-neighbours: $(BUILD)/tests/scenario/isolation_test $(SCENARIO_NAMES) $(BUILD)/sluice $(BUILD)/sluice-sim ## a neighbour's median and p99 beside each misbehaviour, as ratios
	$(SCENARIO_ENV) tests/bench/neighbours.sh $<

.PHONY: bench-door
bench-door: $(BUILD)/tests/bench/door_bench $(BUILD)/sluice $(BUILD)/sluice-sim ## a neighbour's latencies before and during each attack on the front door
	$(SCENARIO_ENV) $<
