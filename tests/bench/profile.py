#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make profile CASE=json`: where the time of a case goes in Sluice, as a flame graph and a list of functions.

perf samples the process by the CPU clock (which virtual machines have) while the load of the case runs.
"""
import argparse
import collections
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from suite import cases, flamegraph, measure, processes  # noqa: E402

OWN = "sluice"


def record(case, build, seconds, data):
    """Runs the load of the case with perf attached to Sluice."""
    why = case.sluice.missing(build)
    if why:
        raise SystemExit(f"{case.name} can't be run: {why}")
    with processes.Stage() as stage:
        simulator = measure.Simulator(stage, build, case.sim)
        proxy = case.sluice(stage, simulator, build)
        body = stage.file("body.json", case.body)
        measure.run_load(measure.case_command(case, proxy, build, body, 0.5))
        load = subprocess.Popen(measure.case_command(case, proxy, build, body, seconds + 2), stdout=subprocess.DEVNULL)
        try:
            subprocess.run(["sleep", "1.5"], check=True)
            subprocess.run(
                ["perf", "record", "-q", "-e", "cpu-clock", "-F", "1999", "--call-graph", "dwarf,16384", "-o", data, "-p",
                 str(proxy.process.pid), "--", "sleep", str(seconds)], check=True)
        finally:
            load.terminate()
            load.wait()


def name_of(symbol, library):
    """A frame's name: kernel and library functions say where they are from."""
    symbol = re.sub(r"\+0x[0-9a-f]+$", "", symbol)
    file = os.path.basename(library)
    if "kernel" in library or "vmlinux" in library or library.startswith("["):
        return symbol + "_[k]"
    if file == OWN:
        return symbol
    return f"{file.split('.so')[0]}`{symbol if symbol != '[unknown]' else '?'}"


def stacks_of(data):
    """{(outermost, …, innermost): samples} of a recording."""
    script = subprocess.run(["perf", "script", "--no-inline", "-F", "ip,sym,dso", "-i", data], capture_output=True,
                            text=True, check=True).stdout
    stacks = collections.Counter()
    for block in script.split("\n\n"):
        frames = []
        for line in block.splitlines():
            match = re.match(r"\s*[0-9a-f]+ (.+) \((.*)\)$", line)
            if match:
                frames.append(name_of(*match.groups()))
        if frames:
            stacks[tuple(reversed(frames))] += 1
    return stacks


def print_functions(stacks, most=30):
    """The functions by their own share, with that of what they call beside it."""
    own, whole = collections.Counter(), collections.Counter()
    for stack, samples in stacks.items():
        own[stack[-1]] += samples
        for name in set(stack):
            whole[name] += samples
    total = sum(own.values())
    print(f"{total} samples\n  own %  with callees %  function")
    for name, samples in own.most_common(most):
        print(f"  {100 * samples / total:5.1f}  {100 * whole[name] / total:14.1f}  {name}")


def main():
    """Records, draws, lists."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", help="a case of make bench")
    parser.add_argument("--build", default="build", help="folder of the binaries; the picture goes there, too")
    parser.add_argument("--seconds", type=float, default=5)
    arguments = parser.parse_args()
    build = os.path.abspath(arguments.build)
    case = cases.by_name([arguments.case])[0]
    processes.allow_descriptors()
    data, picture = f"{build}/profile-{case.name}.data", f"{build}/profile-{case.name}.svg"
    record(case, build, arguments.seconds, data)
    stacks = stacks_of(data)
    os.remove(data)
    if not stacks:
        raise SystemExit("perf took no samples")
    print_functions(stacks)
    with open(picture, "w", encoding="utf-8") as file:
        file.write(flamegraph.svg(stacks, f"sluice, {case.name}: {case.title}"))
    print(f"flame graph: {os.path.relpath(picture)}")


if __name__ == "__main__":
    main()
