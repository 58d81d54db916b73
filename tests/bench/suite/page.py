# SPDX-License-Identifier: MIT
"""The report: what was measured, as Markdown, and its place in a page."""
import os
import subprocess
import time

from suite import memory, report, targets

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
PERCENTILES = ("p50", "p90", "p99", "max")
PLAIN = ("nginx", "haproxy", "sluice")


def machine():
    """One line about where and when this ran, and with what."""
    with open("/proc/cpuinfo", encoding="ascii") as file:
        model = next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    versions = [subprocess.run([name, "-v"], capture_output=True, text=True, check=False) for name in ("nginx", "haproxy")]
    nginx, haproxy = [(done.stdout + done.stderr).split("\n")[0] for done in versions]
    return (f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores of {model}, Linux {os.uname().release.split('-')[0]}; "
            f"nginx {nginx.split('/')[1]}, haproxy {haproxy.split()[2].split('-')[0]}")


def cpu_table(cases, kinds, results):
    """CPU of each proxy in each case."""
    names = [kind.name for kind in kinds if kind.name != "direct"]
    rows = [[f"`{case.name}`", case.title, case.unit] + [report.cell_cpu(results[case.name], name) for name in names] +
            [report.cell_ratio(results[case.name], "sluice")] for case in cases]
    return ["CPU-µs of the proxy:", "", report.markdown(["case", "what", "per"] + names + ["sluice / nginx"], rows), ""]


def rate_table(cases, kinds, results):
    """Rates, and how busy the proxies were."""
    rows = [[f"`{case.name}`"] + [report.cell_rate(results[case.name], kind.name) for kind in kinds] for case in cases]
    return ["Per second, and the proxy's share of its core (where that is far below 100 %, the load was the limit):", "",
            report.markdown(["case"] + [kind.name for kind in kinds], rows), ""]


def latency_table(cases, latencies):
    """The open loops."""
    rows = []
    for case in cases:
        for name, values in latencies.get(case.name, {}).items():
            cpu = f"{values['cpu']:.1f}" if values["cpu"] else "–"
            rows.append([f"`{case.name}`, {case.latency:,.0f}/s", name] +
                        [f"{values[key] / 1000:.2f}" for key in PERCENTILES] + [cpu])
    if not rows:
        return []
    return ["Latency in ms at a fixed rate (open loop), from the intended start, and CPU-µs of a request at that rate:", "",
            report.markdown(["load", "through", "p50", "p90", "p99", "most", "CPU-µs"], rows), ""]


def memory_tables(found):
    """Resident memory."""
    rows = [[name] + [f"{found[name][proxy]['kib']:.1f}" for proxy in PLAIN] for name in memory.STREAMS]
    many, after = found[memory.MANY], found["after"]
    return ["Resident memory per idle stream in KiB (one worker):", "", report.markdown(["streams"] + list(PLAIN), rows), "",
            "CPU-µs per event of the 10,000 streams: "
            + ", ".join(f"{many[proxy]['cpu'] or 0:.0f} {proxy}" for proxy in PLAIN) + ".", "",
            f"Two workers, nothing kept: {after['idle'] / 1024:.1f} MiB idle, {after['loaded'] / 1024:.1f} MiB as a load of "
            f"1,000 streams ended, {after['after'] / 1024:.1f} MiB 60 s later.", ""]


def text_of(cases, kinds, rounds, results, latencies, notes, found):
    """The whole report."""
    cases = [case for case in cases if case.name in results]
    out = [f"{machine()}. {rounds} rounds; median (quartiles).", ""]
    if cases:
        out += cpu_table(cases, kinds, results) + rate_table(cases, kinds, results) + latency_table(cases, latencies)
    if found:
        out += memory_tables(found)
    out += [report.markdown(["target", "wanted", "measured", ""],
                            [target.row() for target in targets.all_targets(results, found)]), ""]
    return "\n".join(out + [f"* {note}" for note in notes])


def write_between_marks(path, text):
    """Replaces what stands between the marks of a page."""
    with open(path, encoding="utf-8") as file:
        head, begin, rest = file.read().partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{path} has no {BEGIN} … {END}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{head}{BEGIN}\n{text}\n{END}{tail}")
