# SPDX-License-Identifier: MIT
"""The targets, each with what was measured and whether that is within it."""
from suite.report import quartiles, ratios


class Target:
    """A figure that should be at most (or at least) some value."""

    def __init__(self, figure, limit, values, least=False, form="{:.2f}"):
        self.figure, self.limit, self.least, self.form = figure, limit, least, form
        self.values = values  # None: not measured

    def row(self):
        """Cells: figure, target, measured, verdict."""
        sign = "≥" if self.least else "≤"
        wanted = f"{sign} {self.form.format(self.limit)}"
        if not self.values:
            return [self.figure, wanted, "–", "not measured"]
        low, middle, high = quartiles(self.values)
        within = middle >= self.limit if self.least else middle <= self.limit
        measured = self.form.format(middle)
        if len(self.values) > 1:
            measured += f" ({self.form.format(low)}–{self.form.format(high)})"
        return [self.figure, wanted, measured, "met" if within else "**missed**"]


def beside_nginx(results, case):
    """CPU of Sluice over that of nginx, round by round; None when the case was not run."""
    samples = results.get(case)
    return ratios(samples, "sluice", "nginx") if samples else None


def capacity(results, case):
    """Requests of Sluice for the CPU time of one that nginx proxies."""
    found = beside_nginx(results, case)
    return [1 / ratio for ratio in found] if found else None


def beside_peer(results, name):
    """CPU of Sluice over that of another gateway."""
    samples = results.get("json")
    return ratios(samples, "sluice", name) if samples and name in samples else None


def all_targets(results, memory):
    """The list of targets, for results of cases {name: samples} and of memory {name: values}."""
    def streams(name):
        return [memory[name]["sluice"]["kib"]] if name in memory else None

    after = memory.get("after")
    return [
        Target("CPU per proxied 2 KB request, validated; × nginx", 1.6, beside_nginx(results, "json")),
        Target("CPU per streamed event, HTTP/1.1; × nginx", 1.2, beside_nginx(results, "stream")),
        Target("CPU per streamed event, HTTP/2; × nginx", 1.05, beside_nginx(results, "stream-h2")),
        Target("hits in memory per CPU time, the same bytes again; × nginx's proxied requests", 2, capacity(results, "hit"),
               least=True),
        Target("hits in memory per CPU time, key computed anew; × nginx's proxied requests", 2,
               capacity(results, "hit-anew"), least=True),
        Target("hits in Redis per CPU time; × nginx's proxied requests", 1.2, capacity(results, "hit-redis"), least=True),
        Target("CPU per request with a prompt of 200 KB; × nginx", 2, beside_nginx(results, "prompt-200k")),
        Target("RSS idle, 2 workers, nothing kept; MiB", 8, [after["idle"] / 1024] if after else None, form="{:.1f}"),
        Target("RSS per idle stream, HTTP/1.1; KiB", 24, streams("1,000 streams, HTTP/1.1"), form="{:.1f}"),
        Target("RSS per idle stream, HTTP/2; KiB", 16, streams("1,000 streams, HTTP/2"), form="{:.1f}"),
        Target("RSS per idle stream, HTTP/1.1 over TLS; KiB", 50, streams("1,000 streams, HTTP/1.1 over TLS"),
               form="{:.1f}"),
        Target("RSS 60 s behind a load of 1,000 streams; × idle", 1.1, [after["after"] / after["idle"]] if after else None),
        Target("start to ready; ms", 30, memory.get("start"), form="{:.0f}"),
        Target("CPU per request; × Bifrost", 0.2, beside_peer(results, "bifrost")),
        Target("CPU per request; × Portkey", 0.05, beside_peer(results, "portkey"), form="{:.3f}"),
        Target("CPU per request; × LiteLLM", 0.01, beside_peer(results, "litellm"), form="{:.4f}"),
    ]
