# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Report the measurements of a fleet: on a terminal, as JSON, in the documentation and as a plot."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import plot
from measuring import Measure
from targets import TARGETS, Record, Results, Target

#: The scenarios that show scaling, with an API without delay and with a delay of 100 ms.
NEAR = ("ten", "hundred", "thousand", "ten thousand")
FAR = ("far ten", "far hundred", "far thousand")
#: Names of the contenders in tables and plots.
COLUMNS = {
    "list": "the role, a list",
    "file": "the role, a file",
    "alchemy": "alchemy",
    "alchemy at once": "alchemy, all at once",
    "wrangler": "wrangler",
    "loop": "a module in a loop",
}
COLORS = {
    "file": ("the role", "#2f81f7"),
    "alchemy": ("alchemy", "#e8710a"),
    "alchemy at once": ("alchemy, all at once", "#db61a2"),
    "wrangler": ("wrangler", "#a371f7"),
    "loop": ("a module in a loop", "#2da44e"),
}
DASHES = {"create": "none", "no change": "6 4"}
FIGURES = {"requests": "{:.0f}", "refused": "{:.0f}", "seconds": "{:.1f}", "cpu": "{:.1f}", "megabytes": "{:.0f}"}
BEGIN, END = "<!-- begin measurements -->", "<!-- end measurements -->"

Row = Sequence[str]


def line(record: Record) -> str:
    """Format a completed operation."""
    return f"{record.scenario}: {record.contender} {record.count}, {record.operation}: {format_measure(record.measure)}"


def format_measure(measure: Measure) -> str:
    refused = f", {measure.refused} refused" if measure.refused else ""
    return (
        f"{measure.requests} requests{refused}, {measure.seconds:.1f} s, {measure.cpu:.1f} s of CPU, "
        f"{measure.megabytes:.0f} MB"
    )


def medians(results: Results) -> list[Row]:
    """Return a row per operation with the medians of its rounds."""
    rows: list[Row] = []
    for labels in dict.fromkeys(
        (record.scenario, record.contender, record.count, record.operation) for record in results.records
    ):
        selection: dict[str, Any] = dict(zip(("scenario", "contender", "count", "operation"), labels, strict=True))
        figures = [form.format(results.median(figure, **selection)) for figure, form in FIGURES.items()]
        rows.append([*map(str, labels), str(len(results.matching(**selection))), *figures])
    return rows


def reached(results: Results) -> list[Row]:
    """Return a row per target."""
    return [[target.name, target.limit, *verdict(target, results)] for target in TARGETS]


def verdict(target: Target, results: Results) -> Row:
    """Return the limit, the measured value, and whether the target is met."""
    pair = target.worst(results)
    return (
        ["", "", "not measured"]
        if pair is None
        else [number(pair[1]), number(pair[0]), "yes" if pair[0] <= pair[1] else "NO"]
    )


def number(value: float) -> str:
    """Format a number with at most two decimals."""
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def tables(results: Results) -> str:
    """Format both tables as text."""
    measured = aligned(
        [
            ["scenario", "contender", "N", "operation", "rounds", "requests", "of 429", "seconds", "CPU s", "MB"],
            *medians(results),
        ]
    )
    return f"\n{measured}\n\n{aligned([['target', 'at most', 'here', 'measured', 'reached'], *reached(results)])}\n"


def aligned(rows: Sequence[Row]) -> str:
    """Align columns, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    right = [
        all(cell.replace(".", "").replace(",", "").isdigit() for cell in column[1:] if cell)
        for column in zip(*rows, strict=True)
    ]
    pads = [f"{'>' if to_right else '<'}{width}" for to_right, width in zip(right, widths, strict=True)]
    return "\n".join("  ".join(f"{cell:{pad}}" for cell, pad in zip(row, pads, strict=True)).rstrip() for row in rows)


def machine() -> str:
    """Describe the machine."""
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, ansible-core {version('ansible-core')}"


def result(results: Results) -> dict[str, Any]:
    """Return all results for the JSON file."""
    return {
        "machine": machine(),
        "records": [asdict(record) for record in results.records],
        "targets": [
            dict(zip(("target", "limit", "at_most", "measured", "reached"), row, strict=True))
            for row in reached(results)
        ],
    }


def markdown(rows: Sequence[Row]) -> str:
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|---" * len(rows[0]) + "|", *body])


def in_scenarios(results: Results, scenarios: Sequence[str]) -> Results:
    return Results(record for record in results.records if record.scenario in scenarios)


def comparison_table(results: Results) -> list[Row]:
    """Return requests and seconds as a table: a row per number of tenants and operation, a column per contender."""
    columns = [contender for contender in COLUMNS if results.matching(contender=contender)]
    rows: list[Row] = [["tenants", "", *(COLUMNS[contender] for contender in columns)]]
    for count in sorted({record.count for record in results.records}):
        for operation in dict.fromkeys(record.operation for record in results.matching(count=count)):
            rows.append(
                [
                    f"{count:,}",
                    operation,
                    *(cell(results, count=count, operation=operation, contender=contender) for contender in columns),
                ]
            )
    return rows


def cell(results: Results, **labels: Any) -> str:
    requests, seconds = results.median("requests", **labels), results.median("seconds", **labels)
    return "" if requests is None or seconds is None else f"{requests:,.0f}, {seconds:.1f} s"


def curves(results: Results, figure: str) -> list[plot.Line]:
    """Return the lines of a figure over the number of tenants, per contender and plotted operation."""
    lines = []
    for contender, (label, color) in COLORS.items():
        for operation, dashes in DASHES.items():
            counts = sorted({record.count for record in results.matching(contender=contender, operation=operation)})
            points = [
                (count, results.median(figure, contender=contender, operation=operation, count=count) or 0)
                for count in counts
            ]
            lines += [plot.Line(label, color, dashes, points)] if points else []
    return lines


def draw_plots(results: Results) -> str:
    """Draw requests and seconds, without and with latency."""
    panels_spec = (
        ("Requests", "", NEAR, "requests"),
        ("Seconds", " s", NEAR, "seconds"),
        ("Seconds, 100 ms away", " s", FAR, "seconds"),
    )
    panels = [
        plot.Panel(title, unit, curves(in_scenarios(results, scenarios), figure))
        for title, unit, scenarios, figure in panels_spec
    ]
    return plot.draw([panel for panel in panels if panel.lines], "tenants", list(DASHES.items()))


def update_page(results: Results, folder: Path) -> None:
    """Update the plot, and the page between its markers."""
    (folder / "fleets.svg").write_text(draw_plots(results))
    page = folder / "benchmarks.md"
    before, _old, rest = page.read_text().partition(BEGIN)
    _old, _end, after = rest.partition(END)
    floor = results.median("seconds", scenario="floor")
    empty_play = f" A playbook that does nothing takes {floor:.1f} s." if floor else ""
    sections = [
        f"On {machine()}.{empty_play} The API answers at once:",
        markdown(comparison_table(in_scenarios(results, NEAR))),
        "Each answer of the API takes 100 ms:",
        markdown(comparison_table(in_scenarios(results, FAR))),
        "Targets:",
        markdown([["", "limit", "limit at this size", "measured", "met"], *reached(results)]),
    ]
    page.write_text(f"{before}{BEGIN}\n\n" + "\n\n".join(sections) + f"\n\n{END}{after}")
