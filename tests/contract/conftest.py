# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One edge with workerd for all foreign programs, and a project to run them in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from edge_process import Edge
from foreign import INSTALLED, Project, forget, unanswered


@pytest.fixture(scope="session")
def whole_edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    assert INSTALLED.is_dir(), "`make contract` installs the programs"
    edge = Edge(tmp_path_factory.mktemp("edge") / "data")
    yield edge
    edge.stop()


@pytest.fixture
def edge(whole_edge: Edge) -> Iterator[Edge]:
    """An edge without objects; in the end every request must have led somewhere."""
    whole_edge.wipe()
    forget(whole_edge)
    yield whole_edge
    assert unanswered(whole_edge) == []


@pytest.fixture
def project(edge: Edge, tmp_path: Path) -> Project:
    return Project(tmp_path / "project", edge)
