# SPDX-License-Identifier: MIT
# Agents, unmodified, through build/sluice to scripted backends.

.PHONY: test-agents
test-agents: build ## Claude Code and Codex through Sluice: tasks with tool calls (npm, 800 MB)
	tests/agents/install.sh
	SLUICE_BIN=$(abspath $(BUILD)/sluice) tests/agents/run.sh
