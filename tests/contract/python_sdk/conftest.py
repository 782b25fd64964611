# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provide an in-process control plane and the official Python SDK with strict validation. Some files override both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sdk_client
from cloudflare import Cloudflare
from local_edge.testing import Edge, running
from sdk_client import Place


@pytest.fixture(scope="module")
def edge() -> Iterator[Edge]:
    with running() as edge:
        yield edge


@pytest.fixture
def sdk(edge: Edge) -> Iterator[Cloudflare]:
    """Provide the SDK and an empty account."""
    edge.reset()
    with sdk_client.client(edge) as sdk:
        yield sdk


@pytest.fixture
def at(edge: Edge) -> Place:
    """Return the account as keyword arguments of the SDK's methods."""
    return {"account_id": edge.account}
