# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages for contributors are true: their template runs, their layers hold, their files and names exist."""

from __future__ import annotations

import ast
import functools
import json
import os
import pathlib
import re
import subprocess
import sys
import typing as t

import pytest
from local_edge.testing import Edge

ROOT = pathlib.Path(__file__).parents[2]
UTILS = ROOT / "plugins/module_utils"
PAGES = [*(ROOT / "docs/development").glob("*.md"), ROOT / "CONTRIBUTING.md"]
# From the lowest layer up.
LAYERS = ("_cloudflare", "_engine", "_worker", "_resources")
# The folders to which the paths in a page may be relative.
BASES = (
    *("", "docs/development", "plugins", "plugins/module_utils", "plugins/modules", "plugins/action", "requirements"),
    *(
        "plugins/module_utils/_cloudflare",
        "plugins/module_utils/_engine",
        "plugins/module_utils/_resources",
        "plugins/module_utils/_resources/script",
        "plugins/module_utils/_worker",
        "roles/local_edge/files",
        "tests/mutation",
        "tests/unit",
    ),
    *("roles/local_edge/files/local_edge", "roles/local_edge/files/local_edge/api", "changelogs"),
)
CREATED = (".cache", ".venv", "NAME", "fragments")  # parts of paths that are not in the repository
NAME = re.compile(r"[A-Za-z_][\w.]*(?:\(\.*\))?")

# Runs the classes of the template as `run()` does, and prints the results.
PROGRAM = """
import json, sys, types
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils import _resources
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.client import get_client
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.converge import RunOptions

template = types.ModuleType(f"{_resources.__name__}.template")
template.__package__ = _resources.__name__
sys.modules[template.__name__] = template
exec(compile(sys.stdin.read(), "template", "exec"), vars(template))
NEW = {"name": "a"}
results = []
for cls, params in (
    (template.D1Database, NEW),
    (template.D1Database, {**NEW, "read_replication": "auto"}),
    (template.D1DatabaseInfo, NEW),
    (template.D1DatabaseInfo, {"name": "b"}),
    (template.D1Database, {**NEW, "read_replication": None}),
    (template.D1Database, {**NEW, "state": "absent"}),
):
    options = {"state": "present", **dict.fromkeys(cls.spec()), **params}
    for check in (True, False, True):
        resource = cls(get_client({}), params, options)
        results.append(resource.converge(RunOptions(check=check, diff=True)).as_dict())
print(json.dumps(results))
"""


def code_block(page: str, language: str) -> str:
    text = (ROOT / "docs/development" / page).read_text()
    return text.partition(f"```{language}\n")[2].partition("```")[0]


def test_resource_template_converges(edge: Edge) -> None:
    paths = [path for path in sys.path if (pathlib.Path(path) / "ansible_collections").is_dir()]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=code_block("adding-a-resource.md", "python"),
        env={**os.environ, "PYTHONPATH": ":".join(paths)},
        check=True,
        capture_output=True,
        text=True,
    )
    results = json.loads(done.stdout)
    created, changed, found, not_found, reset, deleted = (
        results[start : start + 3] for start in range(0, len(results), 3)
    )
    for methods, (predicted, real, repeated) in (
        (["POST"], created),
        (["PATCH"], changed),
        (["PATCH"], reset),
        (["DELETE"], deleted),
    ):
        assert [operation.partition(" ")[0] for operation in real["operations"]] == methods
        assert predicted["operations"] == real["operations"]
        assert predicted["diff"] == real["diff"]
        assert repeated["operations"] == []
    values = [results[1]["d1_database"]["read_replication"] for results in (created, changed, reset)]
    assert values == ["disabled", "auto", "disabled"]
    assert found[1]["d1_databases"] == [changed[1]["d1_database"]]
    assert not_found[1]["d1_databases"] == []
    assert deleted[1]["d1_database"] is None


def test_layers_import_downward_only() -> None:
    problems = []
    for file in UTILS.rglob("*.py"):
        layer, *rest = file.relative_to(UTILS).parts
        if layer not in LAYERS:
            continue
        allowed = LAYERS[: LAYERS.index(layer) + 1]
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level == len(rest) + 1:
                imported = [(node.module or alias.name).partition(".")[0] for alias in node.names]
                problems += [f"{file.relative_to(ROOT)} imports {name}" for name in imported if name not in allowed]
    assert problems == []


@functools.cache
def source_words() -> set[str]:
    """Return the words of all files that may define a name."""
    result = []
    for folder in ("plugins", "roles", "tests", "meta", "changelogs", "examples"):
        for file in (ROOT / folder).rglob("*"):
            if file.suffix in (".py", ".js", ".yml", ".json") and "node_modules" not in file.parts:
                result.append(file.stem + " " + file.read_text())
    result += [(ROOT / name).read_text() for name in ("Makefile", "galaxy.yml")]
    return set(re.findall(r"\w+", "\n".join(result)))


def quoted(page: pathlib.Path) -> t.Iterator[str]:
    """Yield the code spans of a page, and the targets of its relative links."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    yield from re.findall(r"`([^`\n]+)`", text)
    yield from (link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link)


def is_path(text: str) -> bool:
    return bool(re.fullmatch(r"[\w./-]+", text)) and (
        text.endswith(("/", ".py", ".js", ".md", ".svg", ".yml", ".rst")) and not text.startswith("/")
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_existing_files(page: pathlib.Path) -> None:
    missing = [
        text
        for text in quoted(page)
        if is_path(text)
        and not any((base / text).exists() for base in (page.parent, *(ROOT / base for base in BASES)))
        and not any(part in text for part in CREATED)
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_existing_classes_and_functions(page: pathlib.Path) -> None:
    missing = [
        text
        for text in quoted(page)
        if NAME.fullmatch(text) and not is_path(text) and not {*re.findall(r"\w+", text)} <= source_words()
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_existing_make_targets(page: pathlib.Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = set(re.findall(r"(?:^ *|`)make ([a-z]+)", page.read_text(), flags=re.MULTILINE))
    assert named <= targets
