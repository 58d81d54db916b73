# SPDX-License-Identifier: MIT
# The contract: the committed OpenAPI document (test-reference compares it with the binary) under its linters and tests.

CONTRACT := docs/reference/openapi.json

.PHONY: lint-contract
lint-contract: ## Redocly and Spectral on docs/reference/openapi.json: no errors, no warnings (npm)
	tests/contract/install.sh
	tests/contract/lint.sh $(CONTRACT)

.PHONY: test-contract
test-contract: ## every example in docs/reference/openapi.json fits its own schema (npm)
	tests/contract/install.sh
	tests/contract/node tests/contract/examples.mjs $(CONTRACT)
