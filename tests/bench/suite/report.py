# SPDX-License-Identifier: MIT
"""Statistics and tables."""
import statistics


def quartiles(values):
    """Lower quartile, median, upper quartile."""
    if len(values) < 3:
        middle = statistics.median(values)
        return min(values), middle, max(values)
    return tuple(statistics.quantiles(values, n=4, method="inclusive"))


def median(values):
    """The median."""
    return statistics.median(values)


def ratios(samples, name, base, key="cpu"):
    """Round by round: the figure of `name` over that of `base`."""
    return [one[key] / other[key] for one, other in zip(samples[name], samples[base])]


def spread(values, form="{:.2f}"):
    """`median (lower–upper)`."""
    low, middle, high = (form.format(value) for value in quartiles(values))
    return f"{middle} ({low}–{high})"


def cell_cpu(samples, name):
    """CPU of a proxy, with quartiles."""
    if not samples.get(name) or name == "direct":
        return "–"
    return spread([sample["cpu"] for sample in samples[name]])


def cell_ratio(samples, name):
    """CPU beside nginx's, pair by pair."""
    if not samples.get(name) or not samples.get("nginx"):
        return "–"
    return spread(ratios(samples, name, "nginx"))


def cell_rate(samples, name):
    """Units a second, and how busy the proxy was."""
    if not samples.get(name):
        return "–"
    rate = f"{median([sample['rate'] for sample in samples[name]]):,.0f}"
    if name == "direct":
        return rate
    return f"{rate} ({median([sample['busy'] for sample in samples[name]]):.0%})"


def markdown(head, rows):
    """A table in Markdown, its columns aligned for reading as text."""
    table = [head] + rows
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in table]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
