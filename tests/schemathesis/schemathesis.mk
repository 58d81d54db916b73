# SPDX-License-Identifier: MIT

.PHONY: test-schemathesis
test-schemathesis: build ## schemathesis against /openapi.json, valid and invalid data, all checks (PyPI)
	tools/install.sh build schemathesis
	tests/schemathesis/run.sh $(BUILD)
