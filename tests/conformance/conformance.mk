# SPDX-License-Identifier: MIT
# Conformance: the exchanges that the scenarios recorded against the OpenAPI document.

.PHONY: test-conformance
test-conformance: test-scenario ## judge what the scenarios saw against the OpenAPI document (npm)
	@$(MAKE) --no-print-directory check-conformance

.PHONY: check-conformance
check-conformance: $(BUILD)/sluice
	$(BUILD)/sluice --describe openapi >$(BUILD)/openapi.json
	tests/conformance/run.sh $(abspath $(BUILD)/openapi.json) $(SCENARIO_RECORD)
