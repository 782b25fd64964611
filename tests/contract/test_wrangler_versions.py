# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""wrangler: what was uploaded, what of it is deployed, and the way back."""

from __future__ import annotations

import pytest
from edge_process import Edge
from foreign_clients import Project


class Steps:
    """A Worker that tells which version it is, and its secret."""

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
def steps(project: Project) -> Steps:
    return Steps(project)


def test_versions_are_uploaded_deployed_and_rolled_back(project: Project, steps: Steps) -> None:
    steps.write("second")
    project.wrangler("versions", "upload", "--message", "not yet", "--tag", "two")
    assert steps.shown() == ["first", None]
    first, second = project.read("versions", "list", "--json")
    assert second["annotations"]["workers/tag"] == "two" and {
        first["metadata"]["source"],
        second["metadata"]["source"],
    } == {"wrangler"}
    project.wrangler("versions", "deploy", f"{second['id']}@100", "--yes", "--message", "now")
    assert steps.shown() == ["second", None]
    latest = project.read("deployments", "status", "--json")
    assert latest["annotations"]["workers/message"] == "now" and latest["versions"] == [
        {"version_id": second["id"], "percentage": 100}
    ]
    project.wrangler("rollback", "--yes", "--message", "too early")
    assert steps.shown() == ["first", None]
    deployed = [entry["versions"][0]["version_id"] for entry in project.read("deployments", "list", "--json")]
    assert deployed == [first["id"], second["id"], first["id"]]


def test_a_secret_may_wait_in_a_version(project: Project, steps: Steps, edge: Edge) -> None:
    project.wrangler("versions", "secret", "put", "KEY", stdin="hidden")
    assert steps.shown() == ["first", None]
    assert "Secret Name: KEY" in project.wrangler("versions", "secret", "list", "--latest-version")
    assert "latest version of your Worker isn't currently deployed" in project.wrangler(
        "secret", "put", "OTHER", stdin="x", fails=True
    )
    newest = project.read("versions", "list", "--json")[-1]
    project.wrangler("versions", "deploy", newest["id"], "--yes")
    assert steps.shown() == ["first", "hidden"]
