"""Growth curves as SVG: both axes logarithmic, one line for each contender, readable on light and on dark pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor, log10
from typing import TypeAlias

Points: TypeAlias = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 720, 340
LEFT, RIGHT, TOP, BOTTOM = 64, 120, 44, 48
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #57606a } .title { font-size: 14px; font-weight: 600; fill: #24292f }
.grid { stroke: #d0d7de; stroke-width: 1 } .line { fill: none; stroke-width: 2 }
.c0 { stroke: #6e7781 } .c1 { stroke: #0969da } .c2 { stroke: #bc4c00 }
.d0 { fill: #6e7781 } .d1 { fill: #0969da } .d2 { fill: #bc4c00 }
@media (prefers-color-scheme: dark) {
text { fill: #8b949e } .title { fill: #e6edf3 } .grid { stroke: #30363d }
.c0 { stroke: #8b949e } .c1 { stroke: #58a6ff } .c2 { stroke: #f0883e }
.d0 { fill: #8b949e } .d1 { fill: #58a6ff } .d2 { fill: #f0883e }
}
"""


def curves(title: str, across: str, up: str, lines: Mapping[str, Points]) -> str:
    """The drawing of some lines.

    Args:
        title: Stands above.
        across: What grows to the right.
        up: What is measured.
        lines: The points of each line, by its name.
    """
    xs = [x for points in lines.values() for x, _ in points]
    ys = [y for points in lines.values() for _, y in points]
    bottom, top = 10 ** floor(log10(min(ys))), 10 ** ceil(log10(max(ys)))

    def place(x: float, y: float) -> tuple[float, float]:
        right = log10(x / min(xs)) / log10(max(xs) / min(xs))
        high = log10(y / bottom) / log10(top / bottom)
        return LEFT + right * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - high * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<text class="title" x="{LEFT}" y="18">{escape(title)}</text><text x="{LEFT}" y="34">{escape(up)}</text>',
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end">{escape(across)}</text>',
    ]
    for power in range(round(log10(bottom)), round(log10(top)) + 1):
        _, y = place(min(xs), 10.0**power)
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g}</text>')
    for x in sorted(set(xs)):
        parts.append(f'<text x="{place(x, bottom)[0]:.1f}" y="{HEIGHT - 28}" text-anchor="middle">{x:,.0f}</text>')
    for number, (name, points) in enumerate(lines.items()):
        spots = [place(x, y) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        parts.append(f'<polyline class="line c{number}" points="{path}"/>')
        parts += [f'<circle class="d{number}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in spots]
        x, y = spots[-1]
        parts.append(f'<text class="d{number}" x="{x + 8:.1f}" y="{y + 4:.1f}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
