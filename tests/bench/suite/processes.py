# SPDX-License-Identifier: MIT
"""Processes that the benchmark starts: pinned to a core, known by pid, ended by pid.

Nothing is ended that was not started here. A Stage owns the processes of one case and a folder for their files.
"""
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PROXY_CORE = 0
LOAD_CORE = 1


def allow_descriptors(wanted=65536):
    """Raises the limit of open files as far as allowed up to `wanted`; returns what it is."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (max(hard, wanted), hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            return limit
        except (ValueError, PermissionError):
            continue
    return hard


def free_port():
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def children_of(pid):
    """Processes whose parent is pid."""
    found = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                found += [int(word) for word in file.read().split()]
    except FileNotFoundError:
        pass
    return found


def family_of(pid):
    """pid and all its descendants."""
    family = [pid]
    for child in children_of(pid):
        family += family_of(child)
    return family


def memory_of(pids):
    """Resident memory in KiB: the private pages of the processes, and the shared ones once (RSS of one process)."""
    if len(pids) == 1:
        return _field(f"/proc/{pids[0]}/status", "VmRSS:")
    return sum(_field(f"/proc/{pid}/smaps_rollup", "Pss:") for pid in pids)


def _field(path, name):
    with open(path, encoding="ascii") as file:
        for line in file:
            if line.startswith(name):
                return int(line.split()[1])
    raise RuntimeError(f"{path} has no {name}")


class Stage:
    """The processes of one case; a context manager that ends them."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="sluice-bench-")
        self.processes = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            self.stop(process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def file(self, name, text):
        """Writes a file of the stage; returns its path."""
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def start(self, command, core, name, env=None, cwd=None):
        """Starts a process of its own group on one core; its output goes to a file of the stage."""
        with open(os.path.join(self.folder, name + ".log"), "ab") as log:
            process = subprocess.Popen(
                ["taskset", "-c", str(core)] + command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env=dict(os.environ, **(env or {})), cwd=cwd or self.folder, start_new_session=True)
        process.stage_name = name
        self.processes.append(process)
        return process

    def log_of(self, process):
        """The last lines that the process wrote."""
        with open(os.path.join(self.folder, process.stage_name + ".log"), encoding="utf-8", errors="replace") as log:
            return log.read()[-2000:]

    def stop(self, process):
        """Ends the process and all that it started."""
        if process.poll() is None:
            family = family_of(process.pid)
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                pass
            for pid in family:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            process.wait()
        if process in self.processes:
            self.processes.remove(process)

    def wait_for_port(self, process, port, seconds=10):
        """Waits until the port accepts connections; returns when that was (monotonic seconds)."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if process.poll() is not None:
                raise RuntimeError(f"{process.stage_name} ended:\n{self.log_of(process)}")
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return time.monotonic()
            except OSError:
                time.sleep(0.002)
        raise RuntimeError(f"{process.stage_name} does not listen:\n{self.log_of(process)}")
