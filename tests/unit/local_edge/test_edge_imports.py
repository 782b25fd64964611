# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports within the local edge, and the wire format that its two languages share."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path

import local_edge
from local_edge.invalidation import Target

ROOT = Path(local_edge.__file__).parent
JS = ROOT / "runtime" / "js"
MODULES = {".".join(["local_edge", *path.relative_to(ROOT).with_suffix("").parts]): path for path in ROOT.rglob("*.py")}
#: The folders from the lowest layer to the highest one.
LAYERS = ("model", "runtime", "api", "console")


def imported(path: Path) -> Iterator[str]:
    """Yield the modules of the local edge that a file imports, also those for type checking only."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                yield from {f"{node.module}.{name.name}", node.module} & MODULES.keys()


def js_imported(path: Path) -> Iterator[str]:
    folder = path.parent.relative_to(JS).as_posix()
    for name in re.findall(r'^(?:import|export) [^;]*?from "(\..*?)";$', path.read_text(), re.MULTILINE):
        yield posixpath.normpath(posixpath.join(folder, name))


def check_acyclic(graph: Mapping[str, set[str]]) -> None:
    """Raise graphlib.CycleError, which lists the modules, if the graph has a cycle."""
    assert any(graph.values())
    TopologicalSorter(graph).prepare()


def test_python_imports_have_no_cycle() -> None:
    check_acyclic({name: set(imported(path)) for name, path in MODULES.items()})


def test_js_imports_have_no_cycle() -> None:
    check_acyclic({path.relative_to(JS).as_posix(): set(js_imported(path)) for path in JS.rglob("*.js")})


def test_python_imports_point_to_same_or_lower_layers() -> None:
    ranks = {f"local_edge.{layer}": rank for rank, layer in enumerate(LAYERS)}

    def rank(name: str) -> int | None:
        return ranks.get(".".join(name.split(".")[:2]))

    upward = [
        (name, other)
        for name, path in MODULES.items()
        for other in imported(path)
        if (low := rank(name)) is not None and (high := rank(other)) is not None and high > low
    ]
    assert upward == []


def test_invalidation_js_handles_all_targets() -> None:
    cases = re.findall(r'case "(\w+)":', (JS / "invalidation.js").read_text())
    assert sorted(cases) == sorted(target.value for target in Target)
