# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provide an in-process control plane, emptied before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from control_plane import Client
from local_edge.testing import running


@pytest.fixture(scope="session")
def session_client() -> Iterator[Client]:
    with running() as edge:
        yield Client(edge)


@pytest.fixture
def client(session_client: Client) -> Client:
    session_client.edge.reset()
    return session_client
