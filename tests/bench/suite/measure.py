# SPDX-License-Identifier: MIT
"""Runs a case: all proxies up at once, then round after round, each round every proxy in turn."""
import json
import subprocess

from suite.processes import LOAD_CORE, Stage, free_port


class Simulator:
    """build/sluice-sim on the load's core."""

    def __init__(self, stage, build, arguments):
        self.port = free_port()
        self.process = stage.start(
            [f"{build}/sluice-sim", "--listen", f"127.0.0.1:{self.port}"] + arguments, LOAD_CORE, f"sim-{self.port}")
        stage.wait_for_port(self.process, self.port)


def load_command(case, proxy, build, body, seconds, rate=0.0):
    """The command line of bench-load for a case in front of a proxy."""
    command = ["taskset", "-c", str(LOAD_CORE), f"{build}/tests/bench/bench-load", "--port",
               str(proxy.http2_port if case.streams else proxy.port), "--path", case.path, "--body", body, "--status",
               str(case.status), "--connections", str(case.connections), "--seconds", str(seconds)]
    if case.streams:
        command += ["--http2", "--streams", str(case.streams)]
    if case.steady:
        # Streams begin evenly over their interval, as they would in life, not all at one moment.
        command += ["--all-begun", "--once", "--rate", str(case.connections * max(case.streams, 1) / 0.5),
                    "--warmup", "0.3"]
    elif rate:
        command += ["--rate", str(rate)]
    pids = proxy.pids()
    if pids:
        command += ["--pids", ",".join(map(str, pids))]
    return command


def run_load(command, timeout=120):
    """Runs bench-load; returns what it counted."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}:\n{done.stderr}")
    return json.loads(done.stdout)


def one_round(case, proxy, build, body):
    """One short load; returns a sample: CPU per unit, rate, share of the core."""
    counted = run_load(load_command(case, proxy, build, body, case.seconds))
    units = counted["events"] if case.unit == "event" else counted["requests"]
    if units == 0 or counted["bad"] > 0:
        raise RuntimeError(f"{case.name} through {proxy.name}: {counted}\n{proxy.stage.log_of(proxy.process)}")
    return {"cpu": counted["cpu_us"] / units, "rate": units / counted["seconds"],
            "busy": counted["cpu_us"] / counted["seconds"] / 1e6, "bytes": counted["bytes"] / units}


def run_case(case, kinds, build, rounds, tell):
    """Measures a case; returns {proxy name: [sample of every round]} and {proxy name: latencies}."""
    with Stage() as stage:
        simulator = Simulator(stage, build, case.sim)
        body = stage.file("body.json", case.body)
        running = []
        for kind in kinds:
            if (case.only and kind.name not in case.only) or (kind.name == "direct" and not case.direct):
                continue
            kind = case.sluice if kind.name == "sluice" else kind
            running.append(kind(stage, simulator, build))
        for proxy in running:  # connections to the simulator, memory of the first use; a cache's content
            run_load(load_command(case, proxy, build, body, 0.2))
        samples = {proxy.name: [] for proxy in running}
        for number in range(rounds):
            for proxy in running:
                samples[proxy.name].append(one_round(case, proxy, build, body))
            tell(f"{case.name}: round {number + 1} of {rounds}")
        latencies = {}
        if case.latency:
            for proxy in running:
                command = load_command(case, proxy, build, body, 2, case.latency)
                latencies[proxy.name] = run_load(command)["latency_us"]
        return samples, latencies
