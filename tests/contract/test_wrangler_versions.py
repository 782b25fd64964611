# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""wrangler: versions, deployments and rollbacks."""

from __future__ import annotations

import pytest
from edge_process import Edge
from foreign_clients import Project


class VersionedWorker:
    """A Worker that returns its version and its secret."""

    def __init__(self, project: Project) -> None:
        self.project, self.edge = project, project.edge
        project.configure(name="steps", main="index.js", routes=["steps.example.com/*"])
        self.write("first")
        project.wrangler("deploy")

    def write(self, text: str) -> None:
        self.project.write(
            "index.js", f"export default {{ fetch: (request, env) => Response.json(['{text}', env.KEY ?? null]) }};"
        )

    def shown(self) -> list[str | None]:
        return list(self.edge.get("steps.example.com").json())


@pytest.fixture
def worker(project: Project) -> VersionedWorker:
    return VersionedWorker(project)


def test_versions_upload_deploy_rollback(project: Project, worker: VersionedWorker) -> None:
    worker.write("second")
    project.wrangler("versions", "upload", "--message", "not yet", "--tag", "two")
    assert worker.shown() == ["first", None]
    first, second = project.read("versions", "list", "--json")
    assert second["annotations"]["workers/tag"] == "two" and {
        first["metadata"]["source"],
        second["metadata"]["source"],
    } == {"wrangler"}
    project.wrangler("versions", "deploy", f"{second['id']}@100", "--yes", "--message", "now")
    assert worker.shown() == ["second", None]
    latest = project.read("deployments", "status", "--json")
    assert latest["annotations"]["workers/message"] == "now" and latest["versions"] == [
        {"version_id": second["id"], "percentage": 100}
    ]
    project.wrangler("rollback", "--yes", "--message", "too early")
    assert worker.shown() == ["first", None]
    deployed = [entry["versions"][0]["version_id"] for entry in project.read("deployments", "list", "--json")]
    assert deployed == [first["id"], second["id"], first["id"]]


def test_versions_secret_put_is_applied_on_deployment(project: Project, worker: VersionedWorker, edge: Edge) -> None:
    project.wrangler("versions", "secret", "put", "KEY", stdin="hidden")
    assert worker.shown() == ["first", None]
    assert "Secret Name: KEY" in project.wrangler("versions", "secret", "list", "--latest-version")
    assert "latest version of your Worker isn't currently deployed" in project.wrangler(
        "secret", "put", "OTHER", stdin="x", fails=True
    )
    newest = project.read("versions", "list", "--json")[-1]
    project.wrangler("versions", "deploy", newest["id"], "--yes")
    assert worker.shown() == ["first", "hidden"]
