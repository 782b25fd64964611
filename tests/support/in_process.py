# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of unit and fault tests: a control plane in this process, and modules that run against it."""

from __future__ import annotations

import typing as t

import pytest
from concurrency import Clock
from local_edge.testing import Edge, running

if t.TYPE_CHECKING:
    from harness import Runner

TOKEN = "unit-test-token-0123456789abcdefghijklmn"
ACCOUNT = "0123456789abcdef0123456789abcdef"
ZONES = ("platform.localhost", "example.com", "shop.example.com")
VARIABLES = ("API_TOKEN", "API_KEY", "EMAIL", "ACCOUNT_ID", "API_BASE_URL", "BASE_URL", "FINGERPRINT_KEY")


@pytest.fixture(scope="session")
def control_plane() -> t.Iterator[Edge]:
    with running(token=TOKEN, accounts=[ACCOUNT], zones=ZONES) as edge:
        yield edge


@pytest.fixture
def edge(control_plane: Edge, monkeypatch: pytest.MonkeyPatch) -> Edge:
    """An empty edge, and credentials for it in the environment."""
    # Not above: the collection is importable only once pytest-ansible has put it on the path.
    from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare import client
    from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine import converge
    from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources import ledger

    control_plane.reset()
    for name in VARIABLES:
        monkeypatch.delenv(f"CLOUDFLARE_{name}", raising=False)
    monkeypatch.setenv("CLOUDFLARE_API_BASE_URL", control_plane.api)
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", TOKEN)
    monkeypatch.setenv("CLOUDFLARE_ACCOUNT_ID", ACCOUNT)
    monkeypatch.setattr(converge, "VERIFY_TIMEOUT", 0.3)
    monkeypatch.setattr(client, "BACKOFF", 0.01)
    monkeypatch.setattr(ledger, "WRITE_INTERVAL", 0.0)
    client.close_clients()
    return control_plane


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def run(edge: Edge) -> Runner:
    from harness import Runner

    return Runner(edge)


@pytest.fixture
def workers_of_account(run: Runner) -> None:
    """Two Workers of the account: router and other."""
    from tenant import CODE

    for name in ("router", "other"):
        run.ok("worker", name=name, content=CODE, compatibility_date="2026-11-01")
