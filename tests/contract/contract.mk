# SPDX-License-Identifier: MIT
# The contract: the committed OpenAPI document (test-reference compares it with the binary) under its linters and tests.

CONTRACT := docs/reference/openapi.json

.PHONY: lint-contract
lint-contract: ## Redocly and Spectral on docs/reference/openapi.json: no errors, no warnings (npm)
	tests/contract/install.sh
	tests/contract/lint.sh $(CONTRACT)

.PHONY: test-contract
test-contract: $(BUILD)/tests/contract/validate ## docs/reference/openapi.json: examples fit, schemas allow what validation does (npm)
	tests/contract/install.sh
	tests/contract/node tests/contract/examples.mjs $(CONTRACT)
	tests/contract/node tests/contract/agreement.mjs $(CONTRACT) $(BUILD)/tests/contract/validate

$(BUILD)/tests/contract/validate: $(BUILD)/tests/contract/validate.o $(call links,schemas)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

.PHONY: test-examples
test-examples: build ## newman sends every request that docs/reference/openapi.json shows (npm)
	tests/contract/install.sh
	tests/serve.sh $(BUILD) $(BUILD)/examples tests/contract/node tests/contract/newman.mjs $(CONTRACT)
