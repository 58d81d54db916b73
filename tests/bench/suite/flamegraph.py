# SPDX-License-Identifier: MIT
"""A flame graph as SVG: width is share of the samples, callers below their callees; a frame's title tells its share."""
import html
import zlib

WIDTH, ROW, MARGIN, LETTER = 1400, 17, 10, 6.6


class Frame:
    """A function in the context of its callers."""

    def __init__(self):
        self.samples = 0
        self.callees = {}

    def add(self, stack, samples):
        """Counts a stack, outermost function first."""
        frame = self
        frame.samples += samples
        for name in stack:
            frame = frame.callees.setdefault(name, Frame())
            frame.samples += samples

    def depth(self):
        """Rows that it takes."""
        return 1 + max((callee.depth() for callee in self.callees.values()), default=0)


def tree_of(stacks):
    """The tree of {(outermost, …, innermost): samples}."""
    root = Frame()
    for stack, samples in stacks.items():
        root.add(stack, samples)
    return root


def colour(name):
    """Kernel frames blue, libraries' yellow, ours red; a shade by name, so that it is the same in every picture."""
    shade = zlib.crc32(name.encode()) % 50
    if name.endswith("_[k]"):
        return f"rgb({110 + shade},{160 + shade},230)"
    if "`" in name:
        return f"rgb(235,{190 + shade},{70 + shade})"
    return f"rgb(235,{95 + shade},{70 + shade})"


def boxes(frame, name, left, row, scale, out):
    """The boxes of a frame and of those above it."""
    width = frame.samples * scale
    if width < 0.4:
        return
    out.append((name, left, row, width, frame.samples))
    for callee, child in sorted(frame.callees.items()):
        boxes(child, callee, left, row + 1, scale, out)
        left += child.samples * scale


def svg(stacks, title):
    """The picture as text."""
    root = tree_of(stacks)
    drawn = []
    boxes(root, "all", MARGIN, 0, (WIDTH - 2 * MARGIN) / max(root.samples, 1), drawn)
    height = (max(row for _, _, row, _, _ in drawn) + 1) * ROW + 50
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
             'font-family="monospace" font-size="11">',
             f'<rect width="{WIDTH}" height="{height}" fill="#fdfdfb"/>',
             f'<text x="{WIDTH / 2}" y="22" text-anchor="middle" font-size="15">{html.escape(title)}</text>']
    for name, left, row, width, samples in drawn:
        top = height - 15 - (row + 1) * ROW
        share = 100 * samples / root.samples
        letters = int((width - 4) / LETTER)
        shown = name if len(name) <= letters else name[:letters - 1] + "…" if letters > 3 else ""
        parts.append(
            f'<g><title>{html.escape(name)}: {share:.2f} %, {samples} samples</title>'
            f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{ROW - 1}" fill="{colour(name)}" rx="1"/>'
            f'<text x="{left + 3:.1f}" y="{top + 12}">{html.escape(shown)}</text></g>')
    return "\n".join(parts + ["</svg>"])
