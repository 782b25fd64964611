# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Draw the diagrams of the documentation: python docs/diagrams/draw.py

The output depends on this file alone and is readable on light and dark backgrounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

DOCS = Path(__file__).resolve().parent.parent
LINE_HEIGHT = 17
STYLE = """
  text { font: 12.5px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600 } .note { fill: #59636e }
  .paper { fill: #ffffff } .box { fill: #f6f8fa; stroke: #8c959f } .main { fill: #ddf4ff; stroke: #0969da }
  .group { fill: none; stroke: #8c959f; stroke-dasharray: 5 4 }
  .arrow { stroke: #59636e; fill: none } .head { fill: #59636e }
  @media (prefers-color-scheme: dark) {
    text { fill: #d1d7e0 } .note { fill: #9198a1 } .paper { fill: #0d1117 } .box { fill: #151b23; stroke: #656c76 }
    .main { fill: #0d2240; stroke: #4493f8 } .group { stroke: #656c76 }
    .arrow { stroke: #9198a1 } .head { fill: #9198a1 } }"""

MARKER = (
    '<marker id="head" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto">'
    '<path class="head" d="M0,0 L9,4 L0,8 z"/></marker>'
)


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels. The first line is its title; a group is a dashed frame with the title in its corner."""

    x: int
    y: int
    width: int
    height: int
    lines: Sequence[str]
    style: str = "box"

    def draw(self) -> list[str]:
        """Return the SVG elements."""
        grouped = self.style == "group"
        x, anchor = (self.x + 12, "start") if grouped else (self.x + self.width // 2, "middle")
        top = self.y + (22 if grouped else (self.height - LINE_HEIGHT * len(self.lines)) // 2 + 13)
        return [
            (
                f'<rect class="{self.style}" x="{self.x}" y="{self.y}" width="{self.width}"'
                f' height="{self.height}" rx="8"/>'
            ),
            *(
                label(x, top + LINE_HEIGHT * number, line, "note" if number else "title", anchor)
                for number, line in enumerate(self.lines)
            ),
        ]


@dataclass(frozen=True)
class Arrow:
    """A line through points, with a head at its end and a label at a point of its own."""

    points: Sequence[tuple[int, int]]
    text: str = ""
    at: tuple[int, int] = (0, 0)
    anchor: str = "middle"

    def draw(self) -> list[str]:
        """Return the SVG elements."""
        path = " ".join(f"{x},{y}" for x, y in self.points)
        drawn = [f'<polyline class="arrow" stroke-width="1.5" marker-end="url(#head)" points="{path}"/>']
        return [*drawn, label(*self.at, self.text, "note", self.anchor)] if self.text else drawn


def label(x: int, y: int, text: str, style: str, anchor: str) -> str:
    """Return one line of text as an SVG element."""
    return f'<text x="{x}" y="{y}" class="{style}" text-anchor="{anchor}">{escape(text)}</text>'


def svg(width: int, height: int, title: str, elements: Sequence[Box | Arrow]) -> str:
    """Return a whole SVG document."""
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
                f' width="{width}" height="{height}" role="img">'
            ),
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}\n</style>",
            f"<defs>{MARKER}</defs>",
            f'<rect class="paper" width="{width}" height="{height}"/>',
            *(line for element in elements for line in element.draw()),
            "</svg>",
            "",
        ]
    )


ARCHITECTURE = [
    Box(20, 185, 180, 90, ["Playbook or AWX job", "role platform, modules", "--check --diff"], "main"),
    Box(290, 95, 710, 345, ["Cloudflare, or the local edge"], "group"),
    Box(310, 185, 140, 90, ["API v4", "1200 requests", "in 5 minutes"]),
    Box(530, 120, 200, 60, ["Routes", "*.platform.example.com/*"]),
    Box(530, 230, 200, 60, ["Router Worker", "TENANT_NAMESPACE.get(…)"]),
    Box(530, 340, 200, 60, ["KV namespace", "host name → Worker"]),
    Box(810, 150, 170, 220, ["Dispatch namespace"], "group"),
    Box(825, 190, 140, 44, ["customer-a-worker"]),
    Box(825, 246, 140, 44, ["customer-b-worker"]),
    Box(825, 302, 140, 44, ["… thousands more"]),
    Box(530, 15, 200, 50, ["Visitor", "customer-a.platform…"], "main"),
    Arrow([(200, 230), (308, 230)], "HTTPS", (250, 222)),
    Arrow([(450, 215), (490, 215), (490, 150), (528, 150)]),
    Arrow([(450, 230), (480, 230), (480, 260), (528, 260)]),
    Arrow([(450, 245), (470, 245), (470, 370), (528, 370)]),
    Arrow([(450, 260), (460, 260), (460, 420), (895, 420), (895, 372)], "one upload per changed tenant", (760, 413)),
    Arrow([(630, 65), (630, 118)], "request", (638, 86), "start"),
    Arrow([(630, 180), (630, 228)]),
    Arrow([(630, 290), (630, 338)], "which Worker?", (638, 318), "start"),
    Arrow([(730, 260), (770, 260), (770, 212), (823, 212)]),
]

FLOW = [
    Box(20, 30, 150, 60, ["YAML", "limits: {cpu_ms: 50}"], "main"),
    Box(210, 30, 190, 60, ["user_params", "only the options given"]),
    Box(440, 30, 130, 60, ["desired()", "null → removed"]),
    Box(620, 90, 150, 60, ["plan() → Plan", "pure, no request"], "main"),
    Box(440, 150, 130, 60, ["Observation", "current, missing"]),
    Box(210, 150, 190, 60, ["from_api()", "to the module's shape"]),
    Box(20, 150, 150, 60, ["observe(): GET", "rate limiter"]),
    Box(820, 15, 180, 55, ["Check mode", "operations and diff"]),
    Box(820, 92, 180, 55, ["Apply", "each Step: one write"]),
    Box(820, 169, 180, 55, ["Verify", "read again, plan again"]),
    Arrow([(170, 60), (208, 60)]),
    Arrow([(400, 60), (438, 60)]),
    Arrow([(570, 60), (595, 60), (595, 110), (618, 110)]),
    Arrow([(170, 180), (208, 180)]),
    Arrow([(400, 180), (438, 180)]),
    Arrow([(570, 180), (595, 180), (595, 132), (618, 132)]),
    Arrow([(770, 105), (795, 105), (795, 42), (818, 42)]),
    Arrow([(770, 120), (818, 120)]),
    Arrow([(910, 147), (910, 167)]),
    Arrow([(910, 224), (910, 250), (95, 250), (95, 212)], "until the plan has no steps, at most 20 s", (500, 266)),
]


def main() -> None:
    """Write all diagrams."""
    (DOCS / "architecture.svg").write_text(
        svg(1020, 460, "A multi-tenant platform on Cloudflare Workers", ARCHITECTURE)
    )
    (DOCS / "development" / "flow.svg").write_text(svg(1020, 280, "The flow of one value", FLOW))


if __name__ == "__main__":
    main()
