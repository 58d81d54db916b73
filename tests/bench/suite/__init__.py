# SPDX-License-Identifier: MIT
"""What `make bench` is made of; tests/bench/bench.py is its command."""
