# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A local edge with workerd for all foreign clients, and a project to run them in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from edge_process import Edge, running_edge
from foreign_clients import INSTALLED, Project, clear_request_log, unserved_requests


@pytest.fixture(scope="session")
def session_edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    assert INSTALLED.is_dir(), "the foreign clients are not installed: run `make contract`"
    with running_edge(tmp_path_factory.mktemp("edge") / "data") as edge:
        yield edge


@pytest.fixture
def edge(session_edge: Edge) -> Iterator[Edge]:
    """Provide an edge without objects. Afterwards, every request must have reached an endpoint that the edge serves."""
    session_edge.wipe()
    clear_request_log(session_edge)
    yield session_edge
    assert unserved_requests(session_edge) == []


@pytest.fixture
def project(edge: Edge, tmp_path: Path) -> Project:
    return Project(tmp_path / "project", edge)
