# SPDX-License-Identifier: MIT
# Sluice. `make help` lists the targets.
#
# Sources are found by folder. Each folder's code becomes one archive, and the
# archives are linked in the order of the allowed dependencies.

BUILD     ?= build
JOBS      ?= $(shell nproc)
ifeq ($(origin CC),default)
CC        := gcc
endif
OPT       ?= -O2 -g
SAN       ?=
# What an object and a link make of it.
SANITIZER  = $(SAN)
# gcc optimises the program over all its files as it is linked, which takes half a minute and saves a tenth of a request's time.
# The objects hold plain code as well, for the tests, which go without. So does `make LTO=`.
LTO       ?= $(if $(findstring clang,$(CC))$(SAN),,-flto=auto -ffat-lto-objects)
$(BUILD)/tests/%.o $(BUILD)/tools/%.o: LTO :=
VERSION   := $(shell cat VERSION)
PACKAGES  := libcurl libnghttp2 yaml-0.1 libcjson hiredis sqlite3 libzstd libbrotlidec openssl zlib

WARNINGS  := -Wall -Wextra -Wpedantic -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wundef -Wvla
# h2o leaves H2O_USE_LIBUV out of its own pkg-config file; struct layouts differ without it.
# Its headers are included as system headers: they do not pass our warnings.
CPPFLAGS  += $(if $(LOAD_DIVISOR),-DLOAD_DIVISOR=$(LOAD_DIVISOR)) -I. -D_GNU_SOURCE -DH2O_USE_LIBUV=0 -DSLUICE_VERSION='"$(VERSION)"'
CFLAGS    += -std=gnu11 $(OPT) $(LTO) $(WARNINGS) -fno-omit-frame-pointer -pthread $(SANITIZER)
LDFLAGS   += -pthread $(SANITIZER)
# Without a word where the packages are not there yet: targets such as run install them, and the compiler names what is missing.
LDLIBS    := -lh2o-evloop $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lm

FOLDERS   := lib schemas config clients service
sources    = $(filter-out service/main.c,$(shell find $(1) -name '*.c' 2>/dev/null | sort))
objects    = $(patsubst %.c,$(BUILD)/%.o,$(1))
archive    = $(BUILD)/libsluice-$(1).a
# Archives that code of a folder may use, itself first: the dependency rule as a link order.
uses_lib     := lib
uses_schemas := schemas lib
uses_config  := config lib
uses_clients := clients schemas config lib
uses_service := service clients schemas config lib
uses_tools   := lib
links      = $(foreach f,$(uses_$(1)),$(call archive,$(f)))

SIM_OBJECTS := $(call objects,$(shell find tools/sim -name '*.c' 2>/dev/null | sort))
UNIT_FOLDERS ?= $(FOLDERS) tools
UNIT_TESTS  := $(patsubst %.c,$(BUILD)/%,$(shell find $(UNIT_FOLDERS:%=tests/unit/%) -name '*_test.c' 2>/dev/null | sort))

.DEFAULT_GOAL := build
.PHONY: build
build: $(BUILD)/sluice $(BUILD)/sluice-sim ## compile build/sluice and build/sluice-sim

$(BUILD)/sluice: $(BUILD)/service/main.o $(call links,service)
	$(CC) $(LDFLAGS) $(OPT) $(LTO) -o $@ $^ $(LDLIBS)

$(BUILD)/sluice-sim: $(SIM_OBJECTS) $(call archive,lib)
	$(CC) $(LDFLAGS) -o $@ $^ -lm

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

define archive_rule
$(call archive,$(1)): $(call objects,$(call sources,$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@
	ar rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call archive_rule,$(f))))

# Text that the binary carries: config/demo.yaml as a C array.
$(BUILD)/config/demo_yaml.inc: config/demo.yaml
	@mkdir -p $(@D)
	od -v -An -tx1 $< | sed 's/\([0-9a-f][0-9a-f]\)/0x\1,/g' > $@
$(BUILD)/config/demo.o: CPPFLAGS += -I$(BUILD)
$(BUILD)/config/demo.o: $(BUILD)/config/demo_yaml.inc

# The docs page: compressed files as C arrays, empty ones without npm or with DOCS=no.
DOCS ?= yes
$(BUILD)/web/docs/made: $(filter-out web/docs/node_modules/%,$(wildcard web/docs/*.*)) $(if $(filter yes,$(DOCS)),,FORCE)
	DOCS=$(DOCS) web/docs/build.sh $(@D)
	@touch $@
.PHONY: FORCE
FORCE:
$(BUILD)/service/admin/docs_page.o: CPPFLAGS += -I$(BUILD)
$(BUILD)/service/admin/docs_page.o: $(BUILD)/web/docs/made

# Fuzz targets: with gcc or clang a main() that replays their corpora, with
# `make fuzz` (clang) the fuzzers themselves.
FUZZ_TARGETS := $(patsubst tests/fuzz/%_fuzz.c,%,$(wildcard tests/fuzz/*_fuzz.c))
FUZZ_SECONDS ?= 600

# A unit test links what its folder may use: tests/unit/FOLDER/x_test.c.
define unit_rule
$(BUILD)/tests/unit/$(1)/%: $(BUILD)/tests/unit/$(1)/%.o $(if $(filter tools,$(1)),$(filter-out %/main.o,$(SIM_OBJECTS))) $(call links,$(1))
	$(CC) $(LDFLAGS) -o $$@ $$^ -lcmocka $$(LDLIBS)
endef
$(foreach f,$(FOLDERS) tools,$(eval $(call unit_rule,$(f))))

$(BUILD)/tests/unit/lib/decoder_test: LDLIBS += -lbrotlienc

# These start real servers.
$(filter $(BUILD)/tests/unit/clients/redis_% %_redis_test %/key_store_test,$(UNIT_TESTS)): $(BUILD)/tests/redis/redis_server.o

.SECONDARY:

.PHONY: build-tests
build-tests: build build-scenario $(UNIT_TESTS) $(FUZZ_TARGETS:%=$(BUILD)/tests/fuzz/%_replay)

UNIT_RUNS := $(addsuffix .run,$(UNIT_TESTS))
.PHONY: test-unit $(UNIT_RUNS)
test-unit: $(UNIT_RUNS) ## run the unit tests (cmocka)
$(UNIT_RUNS): %.run: %
	@LSAN_OPTIONS=suppressions=tests/lsan.supp:print_suppressions=0 $<

$(BUILD)/tests/fuzz/%_replay: $(BUILD)/tests/fuzz/%_fuzz.o $(BUILD)/tests/fuzz/replay_main.o $(call links,service)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/tests/fuzz/%_fuzz: $(BUILD)/tests/fuzz/%_fuzz.o $(call links,service)
	$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

.PHONY: test-fuzz-corpus
test-fuzz-corpus: $(FUZZ_TARGETS:%=$(BUILD)/tests/fuzz/%_replay) ## replay the fuzzing corpora
	@set -e; for t in $(FUZZ_TARGETS); do $(BUILD)/tests/fuzz/$${t}_replay tests/fuzz/corpus/$$t; done

.PHONY: fuzz
fuzz: ## run every fuzzer for FUZZ_SECONDS (600)
	tools/install.sh build sanitize
	$(MAKE) BUILD=build-fuzz CC=clang SAN="-fsanitize=address,undefined,fuzzer-no-link" $(FUZZ_TARGETS:%=build-fuzz/tests/fuzz/%_fuzz)
	@set -e; for t in $(FUZZ_TARGETS); do echo "== $$t"; mkdir -p build-fuzz/corpus/$$t; \
	build-fuzz/tests/fuzz/$${t}_fuzz -max_total_time=$(FUZZ_SECONDS) -max_len=65536 -print_final_stats=1 \
		build-fuzz/corpus/$$t tests/fuzz/corpus/$$t; done

-include tests/scenario/scenario.mk
-include tests/soak/soak.mk
-include tests/contract/contract.mk
-include tests/conformance/conformance.mk
-include tests/schemathesis/schemathesis.mk
-include tests/clients/clients.mk
-include tests/agents/agents.mk
-include tests/docs-page/docs-page.mk
-include tests/cache-truth/cache-truth.mk

-include tests/bench/bench.mk

# The gateway itself under callgrind, told every step by a client and a backend of the harness.
RATCHET_BENCH := $(BUILD)/tests/bench/ratchet_bench
$(RATCHET_BENCH): %: %.o $(BUILD)/tests/bench/lockstep.o $(SCENARIO_HARNESS)
	$(CC) $(LDFLAGS) -o $@ $^ $(SCENARIO_LIBS)
# What the steps of .ci/run use besides the tests.
.PHONY: build-tools
build-tools: $(RATCHET_BENCH) $(BUILD)/tests/bench/decode_bench $(SOAK) $(BUILD)/tests/contract/validate
.PHONY: ratchet ratchet-write
ratchet: $(RATCHET_BENCH) $(BUILD)/tests/bench/decode_bench $(BUILD)/sluice ## instructions per request, event and cache hit; fails when one rose by more than 3 %
	tools/install.sh build bench
	tests/bench/ratchet.sh check $(BUILD)
ratchet-write: $(RATCHET_BENCH) $(BUILD)/tests/bench/decode_bench $(BUILD)/sluice ## the same, recorded as the new figures
	tools/install.sh build bench
	tests/bench/ratchet.sh write $(BUILD)

.PHONY: test-engine
test-engine: build ## official SDKs through Sluice to a real llama.cpp (npm)
	tests/engine/install.sh
	SLUICE_BIN=$(abspath $(BUILD)/sluice) LSAN_OPTIONS=suppressions=$(CURDIR)/tests/scenario/lsan.supp:print_suppressions=0 \
		tests/engine/run.sh

.PHONY: test-reference
test-reference: build ## compare docs/reference with what the binary says
	tools/reference.sh check $(BUILD)/sluice

.PHONY: reference
reference: build ## write docs/reference from the binary's tables
	tools/reference.sh write $(BUILD)/sluice

.PHONY: test
test: ## install what is missing, build, pass all tests
	$(MAKE) test-suites
	$(MAKE) test-docs-page
.PHONY: test-suites
test-suites: ## the same without the docs page in Chromium
	tools/install.sh build run test
	$(MAKE) -j$(JOBS) build-tests
	$(MAKE) -j$(JOBS) --output-sync=target test-unit
	$(MAKE) test-fuzz-corpus test-reference test-contract test-examples
	$(MAKE) test-conformance test-engine test-clients test-cache-truth

.PHONY: run
run: ## install what is missing, build, serve the demonstration on 127.0.0.1:8080, for operators on 9090
	@tools/install.sh build run
	@$(MAKE) --no-print-directory -s build
	@exec tools/run.sh $(BUILD)

.PHONY: lint
lint: ## warnings under gcc and clang, clang-tidy, cppcheck, formatting, dependency directions
	tools/install.sh build test lint
	tools/lint.sh

.PHONY: sanitize
sanitize: sanitize-asan sanitize-tsan ## the whole suite under ASan+UBSan and under TSan
# The knob of the loads there (tests/scenario/harness/check.h): SANITIZE_LOAD_DIVISOR=1, after make clean, has them whole.
SANITIZE_LOAD_DIVISOR ?= 4
# They are slow: some miss limits in time beside others, and tail tells slow from fast by the time that calls take.
SANITIZED := CC=clang OPT="-O1 -g" LOAD_DIVISOR=$(SANITIZE_LOAD_DIVISOR) SCENARIO_ALONE="faults load memory tail"
ASAN := BUILD=build-asan $(SANITIZED) SAN="-fsanitize=address,undefined -fno-sanitize-recover=undefined"
# Only the folders whose unit tests have threads.
TSAN := BUILD=build-tsan $(SANITIZED) SAN=-fsanitize=thread UNIT_FOLDERS="lib clients service"
# What .ci/run builds while other steps wait.
.PHONY: build-sanitized build-sanitized-asan build-sanitized-tsan
build-sanitized: build-sanitized-asan build-sanitized-tsan
build-sanitized-asan build-sanitized-tsan:
	tools/install.sh build test sanitize
	$(MAKE) $(if $(filter %-asan,$@),$(ASAN),$(TSAN)) -j$(JOBS) build-tests
.PHONY: sanitize-asan
sanitize-asan: build-sanitized-asan
	$(MAKE) $(ASAN) -j$(JOBS) --output-sync=target test-unit
	$(MAKE) $(ASAN) test-fuzz-corpus
	$(MAKE) $(ASAN) test-scenario test-engine
.PHONY: sanitize-tsan
sanitize-tsan: build-sanitized-tsan
	$(MAKE) $(TSAN) -j$(JOBS) --output-sync=target test-unit
	$(MAKE) $(TSAN) test-scenario

.PHONY: test-compose
test-compose: ## build the images and run docker-compose.yml for real
	tests/compose/run.sh

.PHONY: test-h2spec
test-h2spec: build ## h2spec against the HTTP/2 server (needs Go)
	tests/h2spec/run.sh $(BUILD)

.PHONY: format
format: ## format all C sources
	find $(FOLDERS) tools tests -name '*.[ch]' | xargs clang-format -i

.PHONY: clean
clean: ## remove everything that was built
	rm -rf $(BUILD) build-*

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-zA-Z0-9_-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
