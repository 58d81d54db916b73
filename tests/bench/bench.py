#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make bench`: Sluice beside plain proxies, in one interleaved run. docs/benchmarks.md tells how to read it.

BENCH_ROUNDS (11) and BENCH_CASES (all; names separated by blanks) narrow a run.
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from suite import cases, measure, processes, proxies, report  # noqa: E402  (the path above comes first)


def tell(text):
    """One line of progress on stderr."""
    end = "\n" if not sys.stderr.isatty() else ""
    sys.stderr.write(f"\r\033[K{text}" if not end else "")
    sys.stderr.flush()


def main():
    """Runs what is asked for and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", help="folder of the binaries")
    arguments = parser.parse_args()
    build = os.path.abspath(arguments.build)
    processes.allow_descriptors()
    rounds = int(os.environ.get("BENCH_ROUNDS") or 11)
    chosen = cases.by_name(os.environ.get("BENCH_CASES", "").split())
    names = [kind.name for kind in proxies.PLAIN]
    rows = []
    for case in chosen:
        samples, latencies = measure.run_case(case, proxies.PLAIN, build, rounds, tell)
        rows.append([case.name, case.title, "µs/" + case.unit] + [report.cell_cpu(samples, name) for name in names[1:]] +
                    [report.cell_ratio(samples, "sluice")])
        print(case.name, {name: (round(report.median([s["rate"] for s in values])),
                                 round(report.median([s["busy"] for s in values]), 2),
                                 round(values[0]["bytes"])) for name, values in samples.items()}, latencies,
              file=sys.stderr)
    print(report.markdown(["case", "what", "CPU"] + names[1:] + ["sluice / nginx"], rows))


if __name__ == "__main__":
    main()
