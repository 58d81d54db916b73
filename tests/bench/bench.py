#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sluice beside plain proxies and other gateways, in one interleaved run. docs/benchmarks.md tells how to read it.

BENCH_ROUNDS (11) and BENCH_CASES (names separated by blanks, `memory` among them; all) narrow a run.
"""
import argparse
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from suite import cases, measure, memory, peers, processes, proxies, report, targets  # noqa: E402

STREAMS = {  # of memory: connections, streams per connection, TLS
    "1,000 streams, HTTP/1.1": (1000, 0, False),
    "1,000 streams, HTTP/2": (10, 100, False),
    "1,000 streams, HTTP/1.1 over TLS": (1000, 0, True),
    "1,000 streams, HTTP/2 over TLS": (10, 100, True),
    "10,000 streams, HTTP/2": (100, 100, False),
}


def tell(text):
    """Progress on stderr."""
    print(text, file=sys.stderr, flush=True)


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
        for name, (connections, streams, tls) in STREAMS.items():
            tell(f"memory: {name}")
            found[name] = {kind.name: memory.per_stream(kind, build, connections, streams, tls,
                                                        seconds=3 if connections * streams > 1000 else 0.5)
                           for kind in proxies.PLAIN if kind.name != "direct"}
        tell("memory: start to ready")
        found["start"] = memory.start_to_ready(build)
        tell("memory: the minute behind the load")
        found["after"] = after.finish()
    return found


def machine():
    """One line about where and when this ran."""
    with open("/proc/cpuinfo", encoding="ascii") as file:
        model = next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    versions = [subprocess.run(command, capture_output=True, text=True, check=False) for command in
                (["nginx", "-v"], ["haproxy", "-v"])]
    names = [(done.stdout + done.stderr).split("\n")[0].replace("nginx version: ", "").split(" 20")[0]
             for done in versions]
    return (f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores of {model}, Linux {os.uname().release.split('-')[0]}; "
            + ", ".join(names))


def print_report(chosen, kinds, rounds, results, latencies, skipped, found, build):
    """The report as Markdown."""
    names = [kind.name for kind in kinds if kind.name != "direct"]
    out = [f"{machine()}. {rounds} rounds; median (quartiles).", ""]
    rows = [[f"`{case.name}`", case.title, case.unit] + [report.cell_cpu(results[case.name], name) for name in names] +
            [report.cell_ratio(results[case.name], "sluice")] for case in chosen if case.name in results]
    if rows:
        out += ["CPU-µs of the proxy:", "",
                report.markdown(["case", "what", "per"] + names + ["sluice / nginx"], rows), ""]
        out += ["Per second, and the proxy's share of its core (the load is the limit where that is far below 100 %):", "",
                report.markdown(["case"] + [kind.name for kind in kinds],
                                [[f"`{case.name}`"] + [report.cell_rate(results[case.name], kind.name) for kind in kinds]
                                 for case in chosen if case.name in results]), ""]
    rows = [[f"`{case.name}`, {case.latency:.0f}/s", name] + [f"{values[key] / 1000:.2f}" for key in
                                                            ("p50", "p90", "p99", "max")]
            for case in chosen for name, values in latencies.get(case.name, {}).items()]
    if rows:
        out += ["Latency in ms, open loop, from the intended start:", "",
                report.markdown(["load", "through", "p50", "p90", "p99", "most"], rows), ""]
    if found:
        plain = ("nginx", "haproxy", "sluice")
        rows = [[name] + [f"{found[name][proxy]['kib']:.1f}" for proxy in plain] for name in STREAMS]
        out += ["Resident memory per idle stream in KiB (one worker):", "",
                report.markdown(["streams"] + list(plain), rows), ""]
        many = found["10,000 streams, HTTP/2"]
        out += ["CPU-µs per event of the 10,000 streams: "
                + ", ".join(f"{many[proxy]['cpu']:.1f} {proxy}" for proxy in plain) + ".", ""]
        after = found["after"]
        out += [f"Two workers, nothing kept: {after['idle'] / 1024:.1f} MiB idle, {after['loaded'] / 1024:.1f} MiB as a load "
                f"of 1,000 streams ended, {after['after'] / 1024:.1f} MiB 60 s later.", ""]
    out += [report.markdown(["target", "wanted", "measured", ""],
                            [target.row() for target in targets.all_targets(results, found)]), ""]
    out += [f"{kind.name} {kind.version(build)} takes part." for kind in kinds if kind.peer]
    return "\n".join(out + skipped)


def write_between_marks(path, text):
    """Replaces what stands between the marks of a page."""
    begin, end = "<!-- bench:begin -->", "<!-- bench:end -->"
    with open(path, encoding="utf-8") as file:
        page = file.read()
    head, _, rest = page.partition(begin)
    _, _, tail = rest.partition(end)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{head}{begin}\n{text}\n{end}{tail}")


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
    kinds, absent = list(proxies.PLAIN), []
    for kind in peers.PEERS if arguments.peers else []:
        why = kind.missing(build)
        if why:
            absent.append(f"{kind.name} takes no part: {why}")
            tell(absent[-1])
        else:
            kinds.append(kind)
    results, latencies, skipped = run_cases(chosen, kinds, build, rounds)
    found = run_memory(build) if with_memory else {}
    text = print_report(chosen, kinds, rounds, results, latencies, absent + skipped, found, build)
    print(text)
    if arguments.write:
        write_between_marks(arguments.write, text)


if __name__ == "__main__":
    main()
