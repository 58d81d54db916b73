# SPDX-License-Identifier: MIT

.PHONY: test-docs-page
test-docs-page: build ## the docs page in Chromium; pictures in build/docs-page (npm, chromium)
	tools/install.sh build browser
	tests/node/install.sh tests/docs-page 20.0.0
	LDLIBS="$(LDLIBS)" tests/docs-page/run.sh $(BUILD)
