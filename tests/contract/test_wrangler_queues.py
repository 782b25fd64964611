# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""wrangler: queues, and a Worker that sends to two queues."""

from __future__ import annotations

import base64

from edge_process import Edge
from foreign_clients import Project

SENDER = """
export default { async fetch(request, env) {
  await env.MAILS.send({ to: "customer" });
  await env.ORDERS.sendBatch([{ body: "first", contentType: "text" }, { body: "second", contentType: "text", delaySeconds: 600 }]);
  return new Response("sent");
} };
"""


def test_queues_create_list_info_delete(project: Project, edge: Edge) -> None:
    project.wrangler(
        "queues", "create", "mails", "--delivery-delay-secs", "60", "--message-retention-period-secs", "3600"
    )
    assert "already taken" in project.wrangler("queues", "create", "mails", fails=True)
    (made,) = edge.call("GET", "/queues")
    assert made["settings"] == {"delivery_delay": 60, "delivery_paused": False, "message_retention_period": 3600}
    assert made["queue_id"] in project.wrangler("queues", "list")
    output = project.wrangler("queues", "info", "mails")
    assert "Queue Name: mails" in output and "Number of Producers: 0" in output and "Number of Consumers: 0" in output
    project.wrangler("queues", "update", "mails", "--delivery-delay-secs", "30")
    project.wrangler("queues", "pause-delivery", "mails")
    (changed,) = edge.call("GET", "/queues")
    assert changed["settings"] == {"delivery_delay": 30, "delivery_paused": True, "message_retention_period": 3600}
    project.wrangler("queues", "delete", "mails")
    assert edge.call("GET", "/queues") == []
    assert "does not exist" in project.wrangler("queues", "info", "mails", fails=True)


def test_deploy_worker_sends_to_bound_queues(project: Project, edge: Edge) -> None:
    for name in ("mails", "orders"):
        project.wrangler("queues", "create", name)
    project.write("index.js", SENDER)
    producers = [
        {"binding": "MAILS", "queue": "mails"},
        {"binding": "ORDERS", "queue": "orders", "delivery_delay": 300},
    ]
    project.configure(name="sender", main="index.js", routes=["sender.example.com/*"], queues={"producers": producers})
    assert "mails" in project.wrangler("deploy")
    assert edge.get("sender.example.com").text == "sent"
    assert "worker:sender" in project.wrangler("queues", "info", "mails")
    queues = {one["queue_name"]: one["queue_id"] for one in edge.call("GET", "/queues")}
    pulled = {name: edge.call("POST", f"/queues/{ident}/messages/pull", json={}) for name, ident in queues.items()}
    assert base64.b64decode(pulled["mails"]["messages"][0]["body"]) == b'{"to":"customer"}'
    assert (pulled["orders"]["messages"], pulled["orders"]["message_backlog_count"]) == ([], 2), (
        "both messages are delayed"
    )


def test_deploy_queue_consumer_is_refused_with_remedy(project: Project, edge: Edge) -> None:
    project.wrangler("queues", "create", "mails")
    project.write("index.js", "export default { fetch() {}, async queue() {} };")
    project.configure(name="reader", main="index.js", queues={"consumers": [{"queue": "mails"}]})
    assert "messages/pull" in project.wrangler("deploy", fails=True)
