# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Provide local edges for the tests of the collection, emptied before each test."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from edge_process import Edge, running_edge
from fleet_plays import FAST_PROGRESS, task
from plays import AnsibleProject


@pytest.fixture(scope="session")
def session_edge(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Edge]:
    with running_edge(tmp_path_factory.mktemp("edge") / "data") as edge:
        yield edge


@pytest.fixture
def project(session_edge: Edge, tmp_path: pathlib.Path) -> AnsibleProject:
    session_edge.wipe()
    project = AnsibleProject(session_edge, tmp_path)
    project.requests()
    return project


@pytest.fixture(scope="session")
def slow_edge(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Edge]:
    with running_edge(tmp_path_factory.mktemp("slow") / "data", "--latency-ms", "50") as edge:
        yield edge


@pytest.fixture
def slow_project(slow_edge: Edge, tmp_path: pathlib.Path) -> AnsibleProject:
    """Provide a project on a slow edge, with a dispatch namespace and a KV namespace."""
    slow_edge.wipe()
    project = AnsibleProject(slow_edge, tmp_path)
    project.play([task("dispatch_namespace", name="tenants"), task("kv_namespace", title="Metadata")]).ok()
    plugins = tmp_path / "project" / "callback_plugins"
    plugins.mkdir()
    (plugins / "hurry.py").write_text(FAST_PROGRESS)
    project.variables["ANSIBLE_CALLBACKS_ENABLED"] = "hurry"
    project.requests()
    return project
