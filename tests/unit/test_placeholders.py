# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Placeholders are distinct from texts that read the same, and check mode recognizes them in options."""

from __future__ import annotations

import copy
import json
import pickle
import typing as t

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine import fields
from harness import Runner
from local_edge.testing import Edge
from predictions import UNKNOWN

CODE = "export default { fetch: () => new Response('one') };"
CHANGED_UNREAD = "(changed, not read)"
WORKER = {"name": "a", "content": CODE, "compatibility_date": "2026-11-01"}
FLEET = {"dispatch_namespace": "tenants", "defaults": {"content": CODE, "compatibility_date": "2026-11-01"}}


@pytest.mark.parametrize(("placeholder", "text"), [(fields.UNKNOWN, UNKNOWN), (fields.CHANGED_UNREAD, CHANGED_UNREAD)])
def test_placeholder_differs_from_its_text(placeholder: fields.Placeholder, text: str) -> None:
    assert placeholder != text and text != placeholder
    assert not placeholder == text and not text == placeholder  # noqa: SIM201
    assert text not in (None, placeholder) and placeholder in (None, placeholder)
    assert {placeholder: 1}.get(text) is None
    assert placeholder.text == text and f"{placeholder}." == f"{text}." and json.dumps([placeholder]) == f'["{text}"]'


def test_placeholder_copied_stays_equal() -> None:
    for same in (str(fields.UNKNOWN), copy.deepcopy(fields.UNKNOWN), pickle.loads(pickle.dumps(fields.UNKNOWN))):
        assert same == fields.UNKNOWN and not fields.is_known(same) and same != fields.CHANGED_UNREAD


def test_mark_unknown_replaces_texts_at_every_depth() -> None:
    value = {"a": UNKNOWN, "b": [1, None, {UNKNOWN: CHANGED_UNREAD}, [f"x{UNKNOWN}"]], "c": {"d": [UNKNOWN]}}
    marked = fields.mark_unknown(value)
    assert marked["a"] == fields.UNKNOWN and marked["c"]["d"] == [fields.UNKNOWN]
    assert marked["b"] == value["b"] and fields.is_known(marked["b"])
    assert fields.is_known(value) and not fields.is_known(marked) and json.dumps(marked) == json.dumps(value)


def test_field_with_text_of_placeholder_is_compared_as_text() -> None:
    field = fields.Field("note", {"type": "str"})
    for text in (UNKNOWN, CHANGED_UNREAD):
        assert not field.differs(text, text) and field.differs(text, "other")
    assert field.differs(fields.CHANGED_UNREAD, CHANGED_UNREAD)
    assert field.differs(UNKNOWN, fields.UNKNOWN) and field.differs(fields.UNKNOWN, fields.UNKNOWN)


def test_real_run_text_of_placeholder_is_stored(run: Runner) -> None:
    run.ok("kv_namespace", title="Metadata")
    entries = {"title": "Metadata", "entries": [{"key": "a", "value": UNKNOWN}, {"key": "b", "value": CHANGED_UNREAD}]}
    assert run.ok("kv_entries", **entries)["changed"]
    assert not run.ok("kv_entries", **entries)["changed"]
    stored = run.ok("kv_entries_info", title="Metadata")["kv_entries"]
    assert [entry["value"] for entry in stored] == [UNKNOWN, CHANGED_UNREAD]


def test_real_run_worker_vars_with_text_of_placeholder_are_uploaded(run: Runner) -> None:
    variables = {"NOTE": UNKNOWN, "OTHER": CHANGED_UNREAD, "NESTED": {"list": [UNKNOWN]}}
    bindings = [{"name": "TEXT", "type": "plain_text", "text": UNKNOWN}]
    worker = {**WORKER, "vars": variables, "bindings": bindings, "drift_detection": "settings"}
    created = run.ok("worker", **worker)
    assert created["changed"]
    assert not run.ok("worker", **worker)["changed"]
    values = {one["name"]: one.get("text", one.get("json")) for one in created["worker"]["bindings"]}
    assert values == {**variables, "TEXT": UNKNOWN}


def test_real_run_tenants_with_text_of_placeholder_are_uploaded(run: Runner) -> None:
    run.ok("dispatch_namespace", name="tenants")
    options = {**FLEET, "owner": "o", "workers": [{"name": "a", "vars": {"NOTE": UNKNOWN}}]}
    assert run.ok("namespaced_workers", **options)["changed"]
    assert not run.ok("namespaced_workers", **options)["changed"]


PREDICTED_ID = {"name": "DATA", "type": "kv_namespace", "namespace_id": UNKNOWN}


@pytest.mark.parametrize(
    ("module", "options", "option"),
    [
        ("kv_namespace", {"title": UNKNOWN}, "title"),
        ("worker_route", {"pattern": UNKNOWN, "worker": None}, "pattern"),
        ("worker_info", {"name": UNKNOWN}, "name"),
        ("kv_entries", {"namespace_id": UNKNOWN, "entries": [{"key": "a", "value": "b"}]}, "namespace_id"),
        ("kv_entries", {"title": "x", "entries": [{"key": UNKNOWN, "value": "b"}]}, "entries.key"),
        ("worker", {**WORKER, "bindings": [PREDICTED_ID]}, "bindings.namespace_id"),
        ("namespaced_workers", {**FLEET, "owner": "o", "workers": [{"name": UNKNOWN}]}, "workers.name"),
        (
            "namespaced_workers",
            {**FLEET, "owner": "o", "workers": [{"name": "a", "bindings": [PREDICTED_ID]}]},
            "workers.bindings.namespace_id",
        ),
        ("namespaced_workers", {**FLEET, "owner": "o", "routing_kv": {"title": UNKNOWN}, "workers": []}, "routing_kv"),
    ],
)
def test_real_run_identifying_option_with_placeholder_is_refused(
    run: Runner, module: str, options: dict[str, t.Any], option: str
) -> None:
    message = run.refused(module, **options)
    assert message.startswith(option) and "is a prediction of check mode, not a value" in message


@pytest.mark.parametrize("bindings", [[PREDICTED_ID], [json.dumps(PREDICTED_ID)]])
def test_check_mode_predicted_id_in_bindings_is_recognized(run: Runner, edge: Edge, bindings: t.Any) -> None:
    run.ok("worker", **WORKER)
    edge.clear()
    for worker in (WORKER, {**WORKER, "name": "new"}):
        result = run.ok("worker", check=True, **{**worker, "bindings": bindings})
        assert result["changed"] and result["worker"]["bindings"][0]["namespace_id"] == UNKNOWN
    assert edge.writes() == []


def test_check_mode_predicted_id_in_tenants_is_recognized(run: Runner, edge: Edge) -> None:
    run.ok("dispatch_namespace", name="tenants")
    edge.clear()
    workers = [{"name": "a", "bindings": [PREDICTED_ID]}, {"name": "b"}]
    result = run.ok("namespaced_workers", check=True, **FLEET, owner="o", workers=workers)
    assert result["summary"] == {"total": 2, "changed": 2, "failed": 0} and edge.writes() == []


def test_check_mode_predicted_value_differs_from_the_same_text(run: Runner) -> None:
    run.ok("kv_namespace", title="Metadata")
    entries = {"title": "Metadata", "entries": [{"key": "a", "value": UNKNOWN}]}
    run.ok("kv_entries", **entries)
    predicted = run.ok("kv_entries", check=True, **entries)
    assert predicted["changed"] and len(predicted["operations"]) == 1


def test_check_mode_predicted_zone_is_not_read(run: Runner, edge: Edge) -> None:
    edge.clear()
    route = run.ok("worker_route", check=True, pattern="a.example.com/*", worker="a", zone_id=UNKNOWN)
    assert route["operations"] == [f"POST /zones/{UNKNOWN}/workers/routes"]
    assert not [request for request in edge.requests() if "routes" in str(request)]
