# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provide local edges, each a process with workerd."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from edge_process import Edge, Platform, running_edge


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "integration: needs workerd and starts processes")


@pytest.fixture(scope="module")
def module_edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with running_edge(tmp_path_factory.mktemp("edge") / "data") as edge:
        yield edge


@pytest.fixture
def edge(module_edge: Edge) -> Iterator[Edge]:
    """Provide an edge without objects."""
    module_edge.wipe()
    return module_edge


@pytest.fixture
def platform(edge: Edge) -> Platform:
    return Platform(edge)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Edge]]:
    """Return a function that starts a dedicated edge. It is stopped after the test."""
    started: list[Edge] = []

    def start_edge(*options: str) -> Edge:
        started.append(Edge(tmp_path / "data", *options))
        return started[-1]

    yield start_edge
    for edge in started:
        if edge.process.poll() is None:
            edge.stop()
