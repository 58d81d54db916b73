# SPDX-License-Identifier: MIT
# Client libraries, unmodified, through build/sluice to a scripted backend.

.PHONY: test-clients
test-clients: build ## AI SDK, OpenAI Agents SDK and LangChain through Sluice to a scripted backend (npm)
	tests/clients/install.sh
	SLUICE_BIN=$(abspath $(BUILD)/sluice) LSAN_OPTIONS=suppressions=$(CURDIR)/tests/scenario/lsan.supp:print_suppressions=0 \
		tests/clients/run.sh
