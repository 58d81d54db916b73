# SPDX-License-Identifier: MIT
# Client libraries, unmodified, through build/sluice to a scripted backend.

.PHONY: test-clients
test-clients: build ## AI SDK, OpenAI Agents SDK and LangChain through Sluice to a scripted backend (npm)
	tests/clients/install.sh
	SLUICE_BIN=$(abspath $(BUILD)/sluice) LSAN_OPTIONS=suppressions=$(CURDIR)/tests/scenario/lsan.supp:print_suppressions=0 \
		tests/clients/run.sh

.PHONY: test-clients-pypi
test-clients-pypi: build ## openai, anthropic, pydantic-ai and litellm through Sluice to a scripted backend (PyPI)
	tools/install.sh build schemathesis
	tests/clients/install.sh
	tests/clients/pypi/run.sh $(BUILD)
