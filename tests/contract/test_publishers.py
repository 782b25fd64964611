# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers that publish Workers with Cloudflare's TypeScript SDK, bundled by wrangler, through the API of the edge."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from edge_process import TOKEN, Edge
from foreign_clients import Project

PUBLISHER = Path(__file__).parent / "projects" / "publisher"
#: A checkout of Cloudflare's repository of templates, which is not available as a package.
TEMPLATES = os.environ.get("CLOUDFLARE_TEMPLATES", "")
CODE = "export default { fetch: (request, env) => new Response(`hello from ${env.CUSTOMER ?? 'nobody'}`) };"


def deploy(project: Project, name: str, **variables: str) -> None:
    """Deploy a publisher and set its API token."""
    account = project.edge.ready["accounts"][0]["id"]
    values = {"CLOUDFLARE_ACCOUNT_ID": account, **variables}
    project.wrangler("deploy", *(part for key, value in values.items() for part in ("--var", f"{key}:{value}")))
    project.wrangler("secret", "put", "CLOUDFLARE_API_TOKEN", "--name", name, stdin=TOKEN)


def test_typescript_sdk_in_worker_publishes_workers(project: Project, edge: Edge) -> None:
    edge.call("POST", "/workers/dispatch/namespaces", json={"name": "published"})
    project.copy_from(PUBLISHER)
    deploy(project, "publisher", NAMESPACE="published")
    published = edge.get("publish.example.com", "/customer-a", method="PUT", data=CODE)
    assert published.json() == {"id": "customer-a", "tags": ["published", "plan:free"]}
    assert edge.get("publish.example.com", "/customer-a").text == "hello from customer-a"
    refused = edge.get("publish.example.com", "/customer-b", method="PUT", data="not a module (")
    assert refused.status_code == 400 and [error["code"] for error in refused.json()] == [10021]
    assert [script["id"] for script in edge.call("GET", "/workers/dispatch/namespaces/published/scripts")] == [
        "customer-a"
    ]


@pytest.mark.skipif(
    not TEMPLATES, reason="CLOUDFLARE_TEMPLATES does not name a checkout of the repository cloudflare/templates"
)
def test_cloudflare_publisher_template_publishes_workers(project: Project, edge: Edge) -> None:
    name, namespace = "worker-publisher-template", "my-dispatch-namespace"
    project.copy_from(Path(TEMPLATES) / name)
    project.wrangler("dispatch-namespace", "create", namespace)
    deploy(project, name, READONLY="false")
    edge.route("publish.example.com/*", name)
    assert "Worker Publisher" in edge.get("publish.example.com").text
    published = edge.get("publish.example.com", "/deploy", method="POST", json={"scriptName": "first", "code": CODE})
    assert published.json() == {"namespace": namespace, "script": "first"}
    assert edge.get("publish.example.com", "/first").text == "hello from nobody"
