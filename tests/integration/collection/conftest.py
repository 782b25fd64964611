# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Provide one local edge for all tests of the collection, emptied before each test."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from edge_process import Edge
from plays import AnsibleProject


@pytest.fixture(scope="session")
def session_edge(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Edge]:
    edge = Edge(tmp_path_factory.mktemp("edge") / "data")
    yield edge
    edge.stop()


@pytest.fixture
def project(session_edge: Edge, tmp_path: pathlib.Path) -> AnsibleProject:
    session_edge.wipe()
    project = AnsibleProject(session_edge, tmp_path)
    project.requests()
    return project
