# SPDX-License-Identifier: MIT
# Agents, unmodified, through build/sluice to a scripted backend.

.PHONY: test-agents
test-agents: build ## Claude Code through Sluice: a task with tool calls (npm, 400 MB)
	tests/agents/install.sh
	SLUICE_BIN=$(abspath $(BUILD)/sluice) tests/agents/run.sh
