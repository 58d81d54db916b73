# SPDX-License-Identifier: MIT
"""Memory and start: resident memory idle, per idle stream and behind a load; time from start to ready."""
import http.client
import json
import os
import subprocess
import time

from suite import cases, proxies
from suite.measure import Simulator, load_command, run_load
from suite.processes import PROXY_CORE, Stage, free_port, memory_of

IDLE = ["--ttft", "20ms", "--itl", "10s", "--jitter", "5s", "--tokens", "1000000"]
SHORT = ["--ttft", "20ms", "--itl", "20ms", "--tokens", "50"]
MANY = "10,000 streams, HTTP/2"
STREAMS = {  # connections, streams per connection, TLS
    "1,000 streams, HTTP/1.1": (1000, 0, False),
    "1,000 streams, HTTP/2": (10, 100, False),
    "1,000 streams, HTTP/1.1 over TLS": (1000, 0, True),
    "1,000 streams, HTTP/2 over TLS": (10, 100, True),
    MANY: (100, 100, False),
}
SETTLE = 60  # seconds that memory has to go back
SETTLED = 0.5  # seconds behind the start, and the first stream


class Holding:
    """A load that keeps its streams open until it is told to stop. A context manager; `counted` is its report."""

    def __init__(self, command):
        self.process = subprocess.Popen(command + ["--hold"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(self.process.communicate()[1])
        self.counted = json.loads(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate()


def per_stream(kind, build, connections, streams=0, tls=False, seconds=0.5):
    """KiB for each of the idle streams through a proxy that has served one before, so that what is there once for all of them
    (pages of code, tables) is not counted; and CPU-µs per event of theirs."""
    count = connections * max(streams, 1)
    with Stage() as stage:
        proxy = kind(stage, Simulator(stage, build, IDLE), build)
        body = stage.file("body.json", cases.chat(stream=True))
        if tls:
            proxy.port = proxy.http2_port = proxy.tls_port
        over_tls = ["--tls"] if tls else []
        run_load(load_command(build, proxy, body, 1, min(streams, 1), 0.2, ["--all-begun", "--once"] + over_tls))
        time.sleep(SETTLED)
        before = memory_of(proxy.pids())
        more = ["--all-begun", "--once", "--rate", str(max(count / 4, 1000)), "--warmup", "1", "--patience", "60"]
        with Holding(load_command(build, proxy, body, connections, streams, seconds, more + over_tls)) as load:
            held = memory_of(proxy.pids())
        events = load.counted["events"]
        return {"kib": (held - before) / count, "cpu": load.counted["cpu_us"] / events if events else None}


class TwoWorkers(proxies.SluiceRedis):
    """As it is started in life, with two workers; a Redis that is down if there can be one, nothing kept in memory."""
    workers = 2
    tls = False

    def extra(self):
        return "cache: { size: 0 }\n" + proxies.redis_setting(self.build, free_port())


class AfterLoad:
    """Memory of two workers before a load of 1,000 streams, and behind it. A context manager: the load runs on entering;
    what else is measured within it fills the minute that finish() waits for."""

    def __init__(self, build):
        self.build = build
        self.stage = Stage()
        self.proxy = None
        self.idle = self.loaded = self.ended = 0

    def __enter__(self):
        try:
            self.run()
        except BaseException:
            self.stage.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stage.__exit__()

    def run(self):
        """The load."""
        self.proxy = TwoWorkers(self.stage, Simulator(self.stage, self.build, SHORT), self.build)
        time.sleep(0.5)
        self.idle = memory_of(self.proxy.pids())
        body = self.stage.file("body.json", cases.chat(stream=True))
        counted = run_load(load_command(self.build, self.proxy, body, 1000, 0, 5))
        if counted["bad"] or not counted["requests"]:
            raise RuntimeError(f"load of 1,000 streams: {counted}")
        self.loaded = memory_of(self.proxy.pids())
        self.ended = time.monotonic()

    def finish(self):
        """Waits for what is left of the minute; returns KiB idle, with the load just ended, and behind the minute."""
        time.sleep(max(0.0, self.ended + SETTLE - time.monotonic()))
        return {"idle": self.idle, "loaded": self.loaded, "after": memory_of(self.proxy.pids())}


def start_to_ready(build, times=15):
    """Milliseconds from the start of the process to a 200 of /readyz, for each of the starts."""
    found = []
    for _ in range(times):
        with Stage() as stage:
            sluice = TwoWorkers(stage, Simulator(stage, build, []), build)
            sluice.stop()
            command = [f"{build}/sluice", "--config", f"{stage.folder}/sluice.yaml"]
            begun = time.monotonic()
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            os.sched_setaffinity(process.pid, {PROXY_CORE})
            stage.processes.append(process)
            while not is_ready(sluice.port):
                if time.monotonic() > begun + 10:
                    raise RuntimeError("sluice is not ready within 10 s")
                time.sleep(0.0005)
            found.append((time.monotonic() - begun) * 1000)
    return found


def is_ready(port):
    """Whether GET /readyz says 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except ConnectionRefusedError:
        return False
    finally:
        connection.close()
