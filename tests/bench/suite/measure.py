# SPDX-License-Identifier: MIT
"""Runs a case: all proxies up at once, then round after round, each round every proxy in turn."""
import json
import statistics
import subprocess
import time
import urllib.request

from suite import proxies
from suite.processes import LOAD_CORE, Stage, free_port

TRIES = 4
SPREAD = 0.5  # seconds over which the streams of a steady case begin


class Simulator:
    """build/sluice-sim on the load's core."""

    def __init__(self, stage, build, arguments):
        self.port = free_port()
        self.process = stage.start(
            [f"{build}/sluice-sim", "--listen", f"127.0.0.1:{self.port}"] + arguments, LOAD_CORE, f"sim-{self.port}")
        stage.wait_for_port(self.process, self.port)

    def calls(self):
        """How many calls it has had, once what a load that has ended left behind is through."""
        known, total = -1, self._total()
        while total != known:
            time.sleep(0.03)
            known, total = total, self._total()
        return total

    def _total(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/sim/stats", timeout=5) as answer:
            return json.load(answer)["total"]


def load_command(build, proxy, body, connections, streams=0, seconds=1.0, more=()):
    """The command line of bench-load in front of a proxy; streams are those of an HTTP/2 connection, 0: HTTP/1.1."""
    command = ["taskset", "-c", str(LOAD_CORE), f"{build}/tests/bench/bench-load", "--port",
               str(proxy.http2_port if streams else proxy.port), "--body", body, "--connections", str(connections),
               "--seconds", str(seconds)]
    if streams:
        command += ["--http2", "--streams", str(streams)]
    if proxy.header:
        command += ["--header", proxy.header]
    if proxy.pids():
        command += ["--pids", ",".join(map(str, proxy.pids()))]
    return command + list(more)


def case_command(case, proxy, build, body, seconds, rate=0.0):
    """The load of a case."""
    more = ["--status", str(case.status)]
    if case.steady:
        # Streams begin evenly over a while, as they would in life, not all at one moment.
        count = case.connections * max(case.streams, 1)
        more += ["--all-begun", "--once", "--rate", str(count / SPREAD), "--warmup", "0.3"]
    elif rate:
        more += ["--rate", str(rate)]
    return load_command(build, proxy, body, min(case.connections, proxy.most), case.streams, seconds, more)


def run_load(command, timeout=120):
    """Runs bench-load; returns what it counted."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}:\n{done.stderr}")
    return json.loads(done.stdout)


def one_round(case, proxy, build, body, first=False):
    """One short load; returns a sample: CPU per unit in µs, units a second, share of the core.

    A load in which nothing came back at all, as on a machine that has no time for it, is run again; so is one of hits
    for which Sluice asked the simulator. The first one may fill a cache."""
    of_hits = case.hit and not first and proxy.name == "sluice"
    for _ in range(TRIES):
        calls = proxy.upstream.calls() if of_hits else 0
        counted = run_load(case_command(case, proxy, build, body, case.seconds * proxy.patience))
        units = counted["events"] if case.unit == "event" else counted["requests"]
        asked = proxy.upstream.calls() - calls if of_hits else 0
        if counted["bad"] > 0:
            raise RuntimeError(f"{case.name} through {proxy.name}: {counted}\n{proxy.stage.log_of(proxy.process)}")
        if units > 0 and asked == 0:
            return {"cpu": counted["cpu_us"] / units, "rate": units / counted["seconds"],
                    "busy": counted["cpu_us"] / counted["seconds"] / 1e6}
    raise RuntimeError(f"{case.name} through {proxy.name}, {TRIES} times: {units} {case.unit}s, {asked} of them asked for\n"
                       + proxy.stage.log_of(proxy.process))


def chosen_kinds(case, kinds, build):
    """The proxies that do the case; raises Skip when Sluice cannot."""
    chosen = []
    for kind in kinds:
        if kind.name == "sluice":
            kind = case.sluice
        elif kind is proxies.Nginx and not case.is_stream():
            kind = proxies.NginxForWhole
        if case.only and kind.name not in case.only or kind.name == "direct" and not case.direct:
            continue
        if kind.peer and not case.peers:
            continue
        why = kind.missing(build)
        if why and kind.name == "sluice":
            raise Skip(why)
        if not why:
            chosen.append(kind)
    return chosen


class Skip(Exception):
    """The case can't be run here."""


def leave_out(case, proxy, why, tell):
    """Another gateway that cannot do a case takes no part in it; anything else ends the benchmark."""
    if not proxy.peer:
        raise why
    tell(f"{case.name}: {proxy.name} takes no part: {why}")


def start_all(case, kinds, stage, simulator, build, body, tell):
    """Starts the proxies and lets each do a little work: connections, memory of the first use, the content of a cache."""
    running = []
    for kind in kinds:
        try:
            proxy = kind(stage, simulator, build)
            one_round(case, proxy, build, body, first=True)
            running.append(proxy)
        except RuntimeError as why:
            leave_out(case, kind, why, tell)
    return running


def run_case(case, kinds, build, rounds, tell):
    """Measures a case; returns {proxy name: [sample of every round]} and {proxy name: latencies in µs}."""
    kinds = chosen_kinds(case, kinds, build)
    with Stage() as stage:
        simulator = Simulator(stage, build, case.sim)
        body = stage.file("body.json", case.body)
        running = start_all(case, kinds, stage, simulator, build, body, tell)
        samples = {proxy.name: [] for proxy in running}
        for number in range(rounds):
            tell(f"{case.name}: round {number + 1} of {rounds}")
            for proxy in list(running):
                try:
                    samples[proxy.name].append(one_round(case, proxy, build, body))
                except RuntimeError as why:
                    leave_out(case, proxy, why, tell)
                    running.remove(proxy)
                    del samples[proxy.name]
        return samples, measure_latency(case, running, build, body, min(rounds, 5), tell)


def measure_latency(case, running, build, body, rounds, tell):
    """Percentiles of an open loop in µs, and the CPU-µs of a request, by proxy: medians over rounds of a second,
    every proxy in turn."""
    found = {proxy.name: [] for proxy in running if case.latency and not proxy.peer}
    for number in range(rounds if found else 0):
        tell(f"{case.name}: latency, round {number + 1} of {rounds}")
        for proxy in running:
            if proxy.name in found:
                counted = run_load(case_command(case, proxy, build, body, 1, case.latency))
                cpu = counted["cpu_us"] / counted["requests"]
                found[proxy.name].append(dict(counted["latency_us"], cpu=cpu))
    return {name: {key: statistics.median(one[key] for one in values) for key in values[0]}
            for name, values in found.items()}
