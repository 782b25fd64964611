# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Draw line plots with two logarithmic axes as SVG. The output is deterministic and adapts to light and dark mode."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM, LEGEND = 340, 340, 62, 44, 26, 52, 30
STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #1f2328 } .title { font-size: 14px; font-weight: 600 }
  .paper { fill: #ffffff } .grid { stroke: #d1d9e0 }
  @media (prefers-color-scheme: dark) { text { fill: #d1d7e0 } .paper { fill: #0d1117 } .grid { stroke: #3d444d } }"""


@dataclass(frozen=True)
class Line:
    """A line. All lines of a label have the same color."""

    label: str
    color: str
    dashes: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """A plot in a row of plots."""

    title: str
    unit: str
    lines: Sequence[Line]


class Scale:
    """A logarithmic axis in powers of ten that covers all values, from one pixel position to another."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self.first = math.floor(math.log10(min(values)))
        self.last = max(math.ceil(math.log10(max(values))), self.first + 1)
        self.start, self.end = start, end

    def position(self, value: float) -> float:
        return round(
            self.start + (self.end - self.start) * (math.log10(value) - self.first) / (self.last - self.first), 1
        )

    @property
    def ticks(self) -> list[float]:
        return [10.0**power for power in range(self.first, self.last + 1)]


def text(x: float, y: float, words: str, **attributes: str) -> str:
    attribute_text = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f'<text x="{x}" y="{y}"{attribute_text}>{escape(words)}</text>'


def stroke(xs: Sequence[float], ys: Sequence[float], attributes: str) -> str:
    return f'<polyline points="{" ".join(f"{x},{y}" for x, y in zip(xs, ys, strict=True))}" fill="none" {attributes}/>'


def panel(plot: Panel, offset: float, axis: str) -> list[str]:
    """Draw a plot at a horizontal offset in pixels."""
    points = [point for line in plot.lines for point in line.points]
    across = Scale([x for x, _y in points], offset + LEFT, offset + WIDTH - RIGHT)
    up = Scale([y for _x, y in points], HEIGHT - BOTTOM, TOP)
    elements = [
        text(offset + LEFT, TOP - 16, plot.title, **{"class": "title"}),
        text((across.start + across.end) / 2, HEIGHT - 14, axis, text_anchor="middle"),
    ]
    for tick in across.ticks:
        x = across.position(tick)
        elements += [
            stroke((x, x), (up.start, up.end), 'class="grid"'),
            text(x, HEIGHT - BOTTOM + 18, f"{tick:,g}", text_anchor="middle"),
        ]
    for tick in up.ticks:
        y = up.position(tick)
        elements += [
            stroke((across.start, across.end), (y, y), 'class="grid"'),
            text(across.start - 8, y + 4, f"{tick:,g}{plot.unit}", text_anchor="end"),
        ]
    for line in plot.lines:
        xs, ys = [across.position(x) for x, _y in line.points], [up.position(y) for _x, y in line.points]
        elements.append(stroke(xs, ys, f'stroke="{line.color}" stroke-width="2" stroke-dasharray="{line.dashes}"'))
        elements += [f'<circle cx="{x}" cy="{y}" r="3" fill="{line.color}"/>' for x, y in zip(xs, ys, strict=True)]
    return elements


def draw(panels: Sequence[Panel], axis: str, kinds: Sequence[tuple[str, str]]) -> str:
    """Draw plots in a row, and below them a legend of the colors and dashes."""
    lines = {line.label: f'stroke="{line.color}"' for plot in panels for line in plot.lines}
    legend = [*lines.items(), *((label, f'stroke="#888" stroke-dasharray="{dashes}"') for label, dashes in kinds)]
    elements = [piece for number, plot in enumerate(panels) for piece in panel(plot, number * WIDTH, axis)]
    x, y = 24, HEIGHT + 8
    for label, attributes in legend:
        elements += [stroke((x, x + 24), (y, y), f'{attributes} stroke-width="2"'), text(x + 30, y + 4, label)]
        x += 60 + 7 * len(label)
    width, height = len(panels) * WIDTH, HEIGHT + LEGEND
    size = f'width="{width}" height="{height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {size} role="img">',
            f"<style>{STYLE}\n</style>",
            f'<rect class="paper" width="{width}" height="{height}"/>',
            *elements,
            "</svg>",
            "",
        ]
    )
