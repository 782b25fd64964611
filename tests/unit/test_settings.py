# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings and migrations of a Worker: each can be set, left alone, changed and removed without an upload."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._worker.settings import SETTINGS
from harness import Runner
from local_edge.testing import Edge
from tenant import CODE, SECRET, WORKER, call, get, secret_names, verbs

ROOMS = (
    "import { DurableObject } from 'cloudflare:workers'; export class Room extends DurableObject {} export class Hall"
    " extends DurableObject {} " + CODE
)
STEPS = [
    {"tag": "v1", "new_sqlite_classes": ["Room"]},
    {"tag": "v2", "renamed_classes": [{"from": "Room", "to": "Hall"}]},
]
#: Two values of each setting, and what the API says once it is taken back.
VALUES: dict[str, tuple[t.Any, t.Any, t.Any]] = {
    "compatibility_flags": (["nodejs_compat"], ["no_nodejs_compat_v2", "nodejs_compat"], []),
    "limits": ({"cpu_ms": 50}, {"cpu_ms": 100, "subrequests": 5}, {}),
    "observability": (
        {"enabled": True},
        {
            "enabled": True,
            "head_sampling_rate": 1.0,
            "redact_query_string": True,
            "issues": {"enabled": True},
            "logs": {"enabled": True, "invocation_logs": False},
            "traces": {"enabled": True, "propagation_policy": "accept"},
        },
        {
            "enabled": False,
            "head_sampling_rate": 1.0,
            "redact_query_string": True,
            "issues": {"enabled": False},
            "logs": {"enabled": False, "invocation_logs": False},
            "traces": {"enabled": False, "propagation_policy": "accept"},
        },
    ),
    "placement": ({"mode": "smart"}, {"region": "aws:us-east-1"}, {}),
    "logpush": (True, False, False),
    "tail_consumers": ([{"service": "tail"}], [{"service": "other"}, {"service": "tail"}], []),
    "cache_options": (
        {"enabled": True},
        {"enabled": True, "cross_version_cache": True},
        {"enabled": False, "cross_version_cache": True},
    ),
    "usage_model": ("unbound", "bundled", "standard"),
}
#: Two values of each setting that only an upload sets, and that the API may not return.
UPLOADED: dict[str, tuple[t.Any, t.Any]] = {
    "containers": ([{"class_name": "Room"}], [{"name": "rooms", "class_name": "Room"}]),
    "streaming_tail_consumers": ([{"service": "tail"}], [{"service": "other"}, {"service": "tail"}]),
    "upload_metadata": (
        {"package_dependencies": [{"name": "hono"}], "annotations": {"workers/message": "one"}},
        {"package_dependencies": [{"name": "vite"}], "annotations": {"workers/message": "one"}},
    ),
}


@pytest.fixture(autouse=True)
def _prerequisites(run: Runner) -> None:
    run.ok("dispatch_namespace", name="tenants")
    for name in ("tail", "other"):
        run.ok("worker", name=name, content="export default { tail() {} };", compatibility_date="2026-11-01")


def test_settings_all_have_values() -> None:
    assert {*VALUES, *UPLOADED} == {*SETTINGS, "upload_metadata"} - {"compatibility_date"}


@pytest.mark.parametrize("name", VALUES)
def test_setting_set_changed_and_removed_is_idempotent(run: Runner, edge: Edge, name: str) -> None:
    first, second, default = VALUES[name]
    assert verbs(run.ok("namespaced_worker", **WORKER, **{name: first})) == ["PUT "]
    current = get(run, edge, "/settings")[name]
    assert not run.ok("namespaced_worker", **WORKER, **{name: first})["changed"]
    run.ok("namespaced_worker", **{**WORKER, "content": CODE + "//"})
    assert get(run, edge, "/settings")[name] == current, "silence keeps it, also through an upload"
    if second != default:
        changed = run.ok("namespaced_worker", **{**WORKER, "content": CODE + "//"}, **{name: second})
        assert verbs(changed) == ["PATCH /settings"] and changed["namespaced_worker"][name] == second
        assert not run.ok(
            "namespaced_worker", **{**WORKER, "content": CODE + "//"}, **{name: second}, drift_detection="settings"
        )["changed"]
    assert verbs(run.ok("namespaced_worker", **{**WORKER, "content": CODE + "//"}, **{name: None})) == [
        "PATCH /settings"
    ]
    assert (get(run, edge, "/settings")[name] or default) == default
    assert not run.ok(
        "namespaced_worker", **{**WORKER, "content": CODE + "//"}, **{name: None}, drift_detection="settings"
    )["changed"]


def stored(edge: Edge, name: str) -> t.Any:
    """Return what the control plane has stored of an uploaded setting, or of the metadata with it."""
    (row,) = edge.store.all("select config from scripts where name = 'a'")
    config = json.loads(row["config"])
    return config.get("package_dependencies" if name == "upload_metadata" else name)


@pytest.mark.parametrize("name", UPLOADED)
@pytest.mark.parametrize("returned", ["no", "yes"])
@pytest.mark.parametrize("secrets", [{}, {"secrets": {"KEY": SECRET}, "fingerprint_key": "fingerprint-key-1"}])
def test_uploaded_setting_set_changed_and_removed_is_idempotent(
    run: Runner, edge: Edge, name: str, returned: str, secrets: dict[str, t.Any]
) -> None:
    edge.behaviors.upload_only_settings_returned = returned
    worker, (first, second) = {**WORKER, "content": ROOMS, "migrations": STEPS[:1], **secrets}, UPLOADED[name]
    for value in (first, second):
        predicted, real = (
            run.ok("namespaced_worker", **worker, **{name: value}, check=check) for check in (True, False)
        )
        assert verbs(real) == ["PUT "] == verbs(predicted) and predicted["diff"] == real["diff"]
        assert real["namespaced_worker"][name] == value
        assert stored(edge, name) == value if isinstance(value, list) else value["package_dependencies"]
        for depth in ("fingerprint", "settings", "content"):
            assert not run.ok("namespaced_worker", **worker, **{name: value}, drift_detection=depth)["changed"]
    assert verbs(run.ok("namespaced_worker", **worker, **{name: second}, limits={"cpu_ms": 50}))[-1] in (
        "PUT ",
        "PATCH /settings",
    )
    assert stored(edge, name) == second if isinstance(second, list) else second["package_dependencies"]
    assert run.ok("namespaced_worker", **worker, **{name: None})["changed"]
    assert not run.ok("namespaced_worker", **worker, **{name: None})["changed"]


def test_upload_metadata_that_is_returned_is_compared(run: Runner, edge: Edge) -> None:
    edge.behaviors.upload_only_settings_returned = "yes"
    worker = {**WORKER, "upload_metadata": UPLOADED["upload_metadata"][0]}
    run.ok("namespaced_worker", **worker)
    with edge.store.write() as database:
        database.execute("update scripts set config = json_set(config, '$.package_dependencies[0].name', 'changed')")
    assert not run.ok("namespaced_worker", **worker)["changed"]
    found = run.ok("namespaced_worker", **worker, drift_detection="settings")
    assert verbs(found) == ["PUT "]
    before, after = (found["diff"][side]["upload_metadata"]["package_dependencies"] for side in ("before", "after"))
    assert (before, after) == ([{"name": "changed"}], [{"name": "hono"}])


@pytest.mark.parametrize("value", [{"limits": {}}, {"tags": []}, {"main_module": "x"}, {"keep_assets": True}])
def test_upload_metadata_of_an_option_is_refused(run: Runner, value: dict[str, t.Any]) -> None:
    (key,) = value
    message = run.refused("namespaced_worker", **WORKER, upload_metadata=value)
    assert f"upload_metadata: {key} is set by the option" in message


def test_upload_metadata_in_bulk_run_needs_no_read(run: Runner, edge: Edge) -> None:
    bulk = {"dispatch_namespace": "tenants", "owner": "mine", "routing_kv": {"title": "Metadata"}}
    run.ok("kv_namespace", title="Metadata")
    member = {key: WORKER[key] for key in ("name", "content", "compatibility_date")}
    first, second = UPLOADED["upload_metadata"]
    run.ok("namespaced_workers", **bulk, workers=[{**member, "upload_metadata": first}])
    assert not run.ok("namespaced_workers", **bulk, workers=[{**member, "upload_metadata": first}])["changed"]
    for change in ({"upload_metadata": second}, {"upload_metadata": second, "vars": {"A": "b"}}):
        result = run.ok("namespaced_workers", **bulk, workers=[{**member, **change}], diff=False)
        changed = result["namespaced_workers"][0]["changed_fields"]
        assert changed == (["bindings"] if "vars" in change else ["upload_metadata"])


def test_setting_omitted_keys_are_kept(run: Runner, edge: Edge) -> None:
    run.ok(
        "namespaced_worker",
        **WORKER,
        observability={"enabled": True, "logs": {"enabled": True, "invocation_logs": True}},
    )
    run.ok("namespaced_worker", **WORKER, observability={"enabled": True, "head_sampling_rate": 0.5})
    observability = get(run, edge, "/settings")["observability"]
    assert (observability["head_sampling_rate"], observability["logs"]) == (
        0.5,
        {"enabled": True, "invocation_logs": True},
    )


def test_settings_with_bindings_and_secrets_change_in_one_request(run: Runner, edge: Edge) -> None:
    run.ok("namespaced_worker", **WORKER, vars={"A": "1"}, secrets={"KEY": SECRET}, fingerprint_key="fingerprint-key-1")
    call(run, edge, "PUT", "/secrets", body={"name": "BY_HAND", "text": SECRET, "type": "secret_text"})
    changed = run.ok(
        "namespaced_worker",
        **WORKER,
        vars={"A": "2"},
        secrets={"KEY": SECRET, "NEW": SECRET},
        logpush=True,
        fingerprint_key="fingerprint-key-1",
    )
    assert verbs(changed) == ["PATCH /settings"]
    assert secret_names(run, edge) == ["BY_HAND", "KEY", "NEW"]
    assert {one["name"]: one.get("text") for one in get(run, edge, "/bindings")} == {
        "A": "2",
        "BY_HAND": None,
        "KEY": None,
        "NEW": None,
    }
    assert SECRET not in json.dumps(changed)


def migration_tag(run: Runner, edge: Edge) -> str:
    return str(get(run, edge)["script"]["migration_tag"])


def test_migrations_only_pending_steps_are_sent(run: Runner, edge: Edge) -> None:
    worker = {**WORKER, "content": ROOMS}
    assert verbs(run.ok("namespaced_worker", **worker, migrations=STEPS[:1])) == ["PUT "]
    assert not run.ok("namespaced_worker", **worker, migrations=STEPS[:1])["changed"]
    assert migration_tag(run, edge) == "v1"
    moved = run.ok("namespaced_worker", **worker, migrations=STEPS)
    assert verbs(moved) == ["PATCH /settings"] and moved["namespaced_worker"]["migration_tag"] == "v2"
    assert not run.ok("namespaced_worker", **worker, migrations=STEPS)["changed"]
    run.ok("namespaced_worker", **{**WORKER, "content": ROOMS + "//"}, migrations=STEPS)
    assert migration_tag(run, edge) == "v2"


def test_migrations_of_new_worker_are_all_sent(run: Runner, edge: Edge) -> None:
    run.ok("namespaced_worker", **{**WORKER, "content": ROOMS}, migrations=STEPS, bindings=[])
    assert migration_tag(run, edge) == "v2"


def test_migrations_of_diverged_worker_need_allow_replace(run: Runner, edge: Edge) -> None:
    worker = {**WORKER, "content": ROOMS, "secrets": {"KEY": SECRET}}
    run.ok("namespaced_worker", **worker, migrations=STEPS[:1])
    other = [{"tag": "w1", "new_sqlite_classes": ["Hall"]}]
    assert "has the migration tag 'v1', which is none of 'w1'" in run.refused(
        "namespaced_worker", **worker, migrations=other
    )
    call(run, edge, "PUT", "/secrets", body={"name": "BY_HAND", "text": SECRET, "type": "secret_text"})
    message = run.refused("namespaced_worker", **worker, migrations=other, allow_replace=True)
    assert "would lose its secrets BY_HAND. Give their values in secrets" in message
    predicted = run.ok(
        "namespaced_worker",
        check=True,
        **{**worker, "secrets": {"KEY": SECRET, "BY_HAND": SECRET}},
        migrations=other,
        allow_replace=True,
    )
    replaced = run.ok(
        "namespaced_worker",
        **{**worker, "secrets": {"KEY": SECRET, "BY_HAND": SECRET}},
        migrations=other,
        allow_replace=True,
    )
    assert verbs(replaced) == verbs(predicted) == ["DELETE ", "PUT "]
    assert (migration_tag(run, edge), secret_names(run, edge)) == ("w1", ["BY_HAND", "KEY"])
    assert not run.ok(
        "namespaced_worker",
        **{**worker, "secrets": {"KEY": SECRET, "BY_HAND": SECRET}},
        migrations=other,
        allow_replace=True,
    )["changed"]


@pytest.mark.parametrize("explicit", [True, False], ids=["said", "silent"])
def test_worker_replaced_stays_on_workers_dev(run: Runner, edge: Edge, explicit: bool) -> None:
    worker = {"name": "a", "content": ROOMS, "compatibility_date": "2026-11-01", "allow_replace": True}
    run.ok("worker", **worker, workers_dev=True, migrations=STEPS[:1])
    other = {
        **worker,
        **({"workers_dev": True} if explicit else {}),
        "migrations": [{"tag": "w1", "new_sqlite_classes": ["Hall"]}],
    }
    predicted = run.ok("worker", check=True, **other)
    assert verbs(run.ok("worker", **other)) == verbs(predicted) == ["DELETE ", "PUT ", "POST /subdomain"]
    assert run.ok("api", path=f"/accounts/{edge.account}/workers/scripts/a/subdomain")["api"]["enabled"]
    assert not run.ok("worker", **other)["changed"]


def test_worker_replaced_without_assets_option_is_refused(run: Runner, tmp_path: pathlib.Path) -> None:
    (tmp_path / "index.html").write_text("hello")
    worker, assets = {**WORKER, "content": ROOMS, "allow_replace": True}, {"directory": str(tmp_path)}
    run.ok("namespaced_worker", **worker, assets=assets, migrations=STEPS[:1])
    other = [{"tag": "w1", "new_sqlite_classes": ["Hall"]}]
    assert "would lose its assets. Give assets, or null" in run.refused("namespaced_worker", **worker, migrations=other)
    replaced = run.ok("namespaced_worker", **worker, assets=assets, migrations=other)
    assert verbs(replaced) == ["DELETE ", "POST /assets-upload-session", "PUT "]
    assert not run.ok("namespaced_worker", **worker, assets=assets, migrations=other)["changed"]


def test_workers_dev_changed_keeps_previews(run: Runner, edge: Edge) -> None:
    worker, path = (
        {"name": "a", "content": CODE, "compatibility_date": "2026-11-01"},
        f"/accounts/{edge.account}/workers/scripts/a/subdomain",
    )
    run.ok("worker", **worker, workers_dev=True)
    run.ok("api", method="POST", path=path, body={"enabled": True, "previews_enabled": True})
    assert run.ok("worker", **worker, workers_dev=False)["changed"]
    assert run.ok("api", path=path)["api"] == {"enabled": False, "previews_enabled": True}
