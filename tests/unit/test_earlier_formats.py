# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workers that an earlier version uploaded: their tags and ledger entries, in its format, are still valid.

The literals were generated once by the version of November 2026. They must never be generated again.
"""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._worker import assets
from harness import Runner
from local_edge.testing import Edge
from tenant import NAMESPACE, SCRIPT, SECRET, call, get

TAGS = ["plan-pro", "tenantry.owner.mine", "tenantry.1.3478a950ffe0e986.cead37a7.tp99dr"]
MODIFIED_ON = "2026-11-29T08:39:27.875573Z"
LEDGER = (
    '{"a": ["tenantry.1.3478a950ffe0e986.cead37a7.tp99dr", '
    '"310186affb321a4f58a6d774f0a698d3b18a21af2710c781d2b0480bd676fe46", "2026-11-29T08:39:27.875573Z", '
    '{"modules": "d20daba8", "compatibility_date": "37e17f8c", "compatibility_flags": "5691289b", '
    '"limits": "de4438b7", "observability": "26b3426b", "logpush": "b5bea41b", '
    '"bindings": {"AI": ["ai", "aea8c618"], "CONFIG": ["json", "a0967e14"], "PLAN": ["plain_text", "34a9d64b"]}, '
    '"secrets": ["API_KEY"], "tags": ["plan-pro"]}]}'
)
RECORD = {
    "key": "a.example.com",
    "value": '{"state":"active","worker":"a"}',
    "metadata": {"tenantry": {"owner": "mine", "worker": "a", "digest": "2ebe3ba8e8bd7ea7"}},
}
COMMON = {**NAMESPACE, "owner": "mine", "fingerprint_key": "fingerprint-key-1"}
WORKER: dict[str, t.Any] = {
    "name": "a",
    "content": "export default { fetch: () => new Response('one') };",
    "compatibility_date": "2026-11-01",
    "compatibility_flags": ["nodejs_compat"],
    "vars": {"PLAN": "pro"},
    "secrets": {"API_KEY": SECRET},
    "tags": ["plan-pro"],
    "limits": {"cpu_ms": 50},
    "observability": {"enabled": True},
    "logpush": True,
    "bindings": [{"name": "AI", "type": "ai"}, {"name": "CONFIG", "type": "json", "json": {"customerId": "a"}}],
}
BULK: dict[str, t.Any] = {**COMMON, "routing_kv": {"title": "Metadata"}}
MEMBER = {**WORKER, "hostnames": ["a.example.com"]}


@pytest.fixture(autouse=True)
def _earlier_version(run: Runner, edge: Edge) -> None:
    """Leave a Worker, its record and the ledger as the earlier version did."""
    run.ok("dispatch_namespace", name="tenants")
    run.ok("kv_namespace", title="Metadata")
    run.ok("namespaced_worker", **COMMON, **WORKER)
    call(run, edge, "PUT", "/tags", body=TAGS)
    run.ok("kv_entries", title="Metadata", entries=[RECORD, {"key": "tenantry/ledger/mine", "value": LEDGER}])
    with edge.store.write() as database:
        database.execute("update scripts set modified_on = ?", (MODIFIED_ON,))
    edge.clear()


def test_tag_of_earlier_version_worker_is_unchanged(run: Runner, edge: Edge) -> None:
    assert not run.ok("namespaced_worker", **COMMON, **WORKER)["changed"]
    assert not edge.writes() and get(run, edge, "/tags") == TAGS


def test_tag_of_earlier_version_changed_secret_is_found(run: Runner) -> None:
    result = run.ok("namespaced_worker", **COMMON, **{**WORKER, "secrets": {"API_KEY": SECRET + "2"}})
    assert [operation.rpartition("/")[2] for operation in result["operations"]] == ["secrets-bulk", "tags"]


def test_ledger_of_earlier_version_worker_is_unchanged(run: Runner, edge: Edge) -> None:
    assert not run.ok("namespaced_workers", **BULK, workers=[MEMBER])["changed"]
    assert not edge.writes() and len(edge.requests()) == 4, "Workers, KV namespaces, ledger, records"


def test_ledger_of_earlier_version_change_needs_no_read(run: Runner, edge: Edge) -> None:
    result = run.ok("namespaced_workers", **BULK, workers=[{**MEMBER, "vars": {"PLAN": "free"}}], diff=False)
    assert result["namespaced_workers"][0]["changed_fields"] == ["bindings"]
    script = SCRIPT.format(account=edge.account)
    assert not [one for one in edge.requests() if one["method"] == "GET" and one["path"].startswith(script)]


STABLE_FILES = {"index.html": "<h1>home</h1>", "app.css": "h1 {}", "LICENSE": "MIT", "img/a.PNG": "png"}
RETYPED_FILES = {"feed.xml": "<feed/>", "song.ogg": "ogg", "tool.py": "x=1"}
EARLIER_TYPES = {"/feed.xml": "text/xml; charset=utf-8", "/tool.py": "text/x-python; charset=utf-8"}
TYPES = {"feed.xml": "application/xml", "song.ogg": "audio/ogg", "tool.py": None}


@pytest.fixture
def site(run: Runner, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., dict[str, t.Any]]:
    """Return a function that uploads files as the earlier version did, and returns the options of the Worker."""

    def upload(files: t.Mapping[str, str], digest: str) -> dict[str, t.Any]:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        worker = {**WORKER, "name": "site", "assets": {"directory": str(tmp_path)}}
        with monkeypatch.context() as earlier:
            earlier.setattr(assets, "has_earlier_type", lambda name: True)
            earlier.setattr(assets, "content_type", lambda name: EARLIER_TYPES.get(name, "application/null"))
            uploaded = run.ok("namespaced_worker", **COMMON, **worker)
        assert uploaded["namespaced_worker"]["assets"]["digest"] == digest
        assets.read.cache_clear()
        return worker

    return upload


def test_assets_of_earlier_version_are_unchanged(
    run: Runner, edge: Edge, site: t.Callable[..., dict[str, t.Any]]
) -> None:
    worker = site(STABLE_FILES, "85608c154a")
    edge.clear()
    assert not run.ok("namespaced_worker", **COMMON, **worker)["changed"] and not edge.writes()


def test_assets_of_earlier_version_only_retyped_files_are_uploaded(
    run: Runner, edge: Edge, site: t.Callable[..., dict[str, t.Any]]
) -> None:
    worker = site({**STABLE_FILES, **RETYPED_FILES}, "04018cb732")
    query = "select body, content_type from assets where hash not in ({})"
    earlier = [row["hash"] for row in edge.store.all("select hash from assets")]
    assert len(earlier) == len(STABLE_FILES) + len(RETYPED_FILES)
    check = run.ok("namespaced_worker", **COMMON, **worker, check=True)
    done = run.ok("namespaced_worker", **COMMON, **worker)
    assert done["operations"] == check["operations"] and len(done["operations"]) == 2, "the session and the Worker"
    added = edge.store.all(query.format(", ".join("?" * len(earlier))), *earlier)
    assert {row["body"].decode(): row["content_type"] for row in added} == {
        RETYPED_FILES[name]: kind for name, kind in TYPES.items()
    }
    assert not run.ok("namespaced_worker", **COMMON, **worker)["changed"]
