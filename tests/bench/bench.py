#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sluice beside plain proxies and other gateways, in one interleaved run. docs/benchmarks.md tells how to read it.

BENCH_ROUNDS (11) and BENCH_CASES (names separated by blanks, `memory` among them; all) narrow a run.
"""
import argparse
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from suite import cases, measure, memory, page, peers, processes, proxies  # noqa: E402


def tell(text):
    """Progress on stderr."""
    print(text, file=sys.stderr, flush=True)


def kinds_for(build, with_peers):
    """What is compared, and a note about every other gateway."""
    kinds, notes = list(proxies.PLAIN), []
    for kind in peers.PEERS if with_peers else []:
        why = kind.missing(build)
        if why is None:
            kinds.append(kind)
        notes.append(f"{kind.name} takes no part: {why}" if why else f"{kind.name} {kind.version(build)} takes part.")
        tell(notes[-1])
    return kinds, notes


def run_cases(chosen, kinds, build, rounds):
    """Samples and latencies by case, and what was left out."""
    results, latencies, skipped = {}, {}, []
    for case in chosen:
        try:
            results[case.name], latencies[case.name] = measure.run_case(case, kinds, build, rounds, tell)
        except measure.Skip as why:
            skipped.append(f"`{case.name}` was not run: {why}.")
            tell(skipped[-1])
    return results, latencies, skipped


def run_memory(build):
    """Memory of idle streams for each proxy, of two workers behind a load, and the time to start."""
    found = {}
    tell("memory: a load of 1,000 streams")
    with memory.AfterLoad(build) as after:
        for name, (connections, streams, tls) in memory.STREAMS.items():
            tell(f"memory: {name}")
            found[name] = {kind.name: memory.per_stream(kind, build, connections, streams, tls,
                                                        seconds=3 if connections * streams > 1000 else 0.5)
                           for kind in proxies.PLAIN if kind.name != "direct"}
        tell("memory: start to ready")
        found["start"] = memory.start_to_ready(build)
        tell("memory: the minute behind the load")
        found["after"] = after.finish()
    return found


def main():
    """Runs what is asked for and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="folder of the binaries")
    parser.add_argument("--peers", action="store_true", help="other gateways, too, where they are installed")
    parser.add_argument("--write", metavar="PAGE", help="put the report between the marks of a Markdown page")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    build = os.path.abspath(arguments.build)
    processes.allow_descriptors()
    rounds = int(os.environ.get("BENCH_ROUNDS") or 11)
    names = os.environ.get("BENCH_CASES", "").split()
    chosen = cases.by_name([name for name in names if name != "memory"]) if names != ["memory"] else []
    with_memory = not names or "memory" in names
    kinds, notes = kinds_for(build, arguments.peers)
    results, latencies, skipped = run_cases(chosen, kinds, build, rounds)
    found = run_memory(build) if with_memory else {}
    text = page.text_of(chosen, kinds, rounds, results, latencies, notes + skipped, found)
    print(text)
    if arguments.write:
        page.write_between_marks(arguments.write, text)


if __name__ == "__main__":
    main()
