# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bindings of every supported type: documented, sent, read back, and unchanged in the second run."""

from __future__ import annotations

import json
import re
import typing as t

import pytest
import requests
import yaml
from ansible_collections.tenantry.cloudflare_workers.plugins.doc_fragments.worker import ModuleDocFragment
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._worker import bindings
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._worker.binding_types import (
    OPTIONS,
    REJECTED_TYPES,
    SPEC,
    TYPES,
)
from harness import Result, Runner
from local_edge.model.binding_types import SCHEMAS, BindingSchema
from local_edge.model.bindings import Binding
from local_edge.testing import Edge
from test_resource_laws import apply_and_verify

CODE = "export default { fetch: () => new Response('one') };"
WORKER: dict[str, t.Any] = {"name": "w", "content": CODE, "compatibility_date": "2026-11-01"}
OBJECTS = "export class Counter {} export default { fetch: () => new Response('objects') };"
KEY = {
    "algorithm": {"name": "HMAC", "hash": "SHA-256"},
    "format": "raw",
    "usages": ["sign"],
    "key_base64": "aHVzaC1odXNo",
}

# Options of each type. TARGET_ID is replaced with the id of the target, which is created first.
EXAMPLES: dict[str, dict[str, t.Any]] = {
    "plain_text": {"text": "text"},
    "json": {"json": {"a": [1, None, "x"]}},
    "kv_namespace": {"title": "thing"},
    "dispatch_namespace": {
        "namespace": "thing",
        "outbound": {"worker": {"service": "target"}, "params": [{"name": "customer"}, {"name": "plan"}]},
    },
    "service": {
        "service": "target",
        "entrypoint": "Inner",
        "props": {"a": {"b": None}, "D1": {"$binding": {"type": "d1", "database_id": "one"}}},
        "binding_interface": "d1",
        "cross_account_grant": "grant",
    },
    "r2_bucket": {"bucket_name": "thing"},
    "d1": {"database_name": "thing"},
    "queue": {"queue_name": "thing", "delivery_delay": 5},
    "durable_object_namespace": {"class_name": "Counter", "script_name": "objects"},
    "workflow": {"workflow_name": "flow", "class_name": "Flow", "script_name": "target"},
    "analytics_engine": {"dataset": "points"},
    "ratelimit": {"namespace_id": "1001", "simple": {"limit": 5, "period": 60}},
    "version_metadata": {},
    "hyperdrive": {"id": "TARGET_ID"},
    "vectorize": {"index_name": "thing"},
    "secrets_store_secret": {"store_id": "TARGET_ID", "secret_name": "s"},
    "mtls_certificate": {"certificate_id": "TARGET_ID"},
    "send_email": {
        "allowed_destination_addresses": ["a@example.com", "b@example.com"],
        "allowed_sender_addresses": ["c@example.com"],
    },
    "pipelines": {"pipeline": "pipe"},
    "vpc_service": {"service_id": "one"},
    "vpc_network": {"network_id": "cf1:network", "identity": "runtime-email-alpha"},
    "ai": {},
    "ai_search": {"instance_name": "one", "namespace": "two"},
    "ai_search_namespace": {"namespace": "one"},
    "agent_memory": {"namespace": "one"},
    "messaging": {"namespace": "one"},
    "artifacts": {"namespace": "one"},
    "flagship": {"app_id": "one"},
    "k2": {"stream": "one"},
    **{label: {} for label in ("browser", "images", "media", "stream", "worker_loader", "websearch")},
}
PRODUCTS = {
    "kv_namespace": "storage/kv/namespaces",
    "dispatch_namespace": "workers/dispatch/namespaces",
    "r2_bucket": "r2/buckets",
    "d1": "d1/database",
    "queue": "queues",
    "hyperdrive": "hyperdrive/configs",
    "vectorize": "vectorize/v2/indexes",
    "secrets_store_secret": "secrets_store/stores",
    "mtls_certificate": "mtls_certificates",
}
NAMED = {"kv_namespace": "title", "queue": "queue_name"}  # how else a product calls its name


def create_target(run: Runner, label: str) -> str:
    """Make what a binding of this type points to, and return its id."""
    body = {NAMED.get(label, "name"): "thing"}
    created = run.ok("api", method="POST", path=f"/accounts/{{account_id}}/{PRODUCTS[label]}", body=body)["api"]
    return str(created.get("id") or created.get("uuid"))


def upload_durable_object(edge: Edge) -> None:
    """Upload a Worker with a Durable Object class that has storage."""
    metadata = {
        "main_module": "index.js",
        "compatibility_date": "2026-11-01",
        "migrations": {"new_tag": "v1", "new_sqlite_classes": ["Counter"]},
    }
    parts = {
        "metadata": (None, json.dumps(metadata), "application/json"),
        "index.js": ("index.js", OBJECTS, "application/javascript+module"),
    }
    url = f"{edge.api}/accounts/{edge.account}/workers/scripts/objects"
    assert requests.put(url, files=parts, headers={"Authorization": f"Bearer {edge.token}"}, timeout=10).ok


@pytest.fixture
def example(run: Runner, edge: Edge, request: pytest.FixtureRequest) -> dict[str, t.Any]:
    """A binding of the type that the test is about, and what it points to."""
    label = request.param
    if label in ("service", "dispatch_namespace"):
        run.ok("worker", **{**WORKER, "name": "target"})
    if label == "durable_object_namespace":
        upload_durable_object(edge)
    target_id = create_target(run, label) if label in PRODUCTS else ""
    return {
        "name": "B",
        "type": label,
        **{option: target_id if value == "TARGET_ID" else value for option, value in EXAMPLES[label].items()},
    }


every_type = pytest.mark.parametrize("example", EXAMPLES, indirect=True)


def current_bindings(run: Runner, worker: str = "w") -> list[dict[str, t.Any]]:
    return t.cast(
        "list[dict[str, t.Any]]",
        run.ok("api", path=f"/accounts/{{account_id}}/workers/scripts/{worker}/settings")["api"]["bindings"],
    )


def remove_fingerprint_tag(run: Runner) -> None:
    run.ok("api", method="PATCH", path="/accounts/{account_id}/workers/scripts/w/script-settings", body={"tags": []})


def verbs(result: Result) -> list[str]:
    return [operation.split()[0] + " " + operation.rsplit("scripts/w", 1)[1] for operation in result["operations"]]


# -- the tables --------------------------------------------------------------------------------------------------------


def test_binding_types_all_have_examples() -> None:
    assert set(EXAMPLES) == set(TYPES) - {"inherit"}


def documented() -> dict[str, t.Any]:
    options: dict[str, t.Any] = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]["bindings"]["suboptions"]
    return options


def as_documented(spec: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Turn the specification of options into what documentation must say of them."""
    documented_options: dict[str, t.Any] = {}
    for name, option in spec.items():
        documented_options[name] = {
            key: option[key] for key in ("type", "elements", "required", "choices") if key in option
        }
        if "options" in option:
            documented_options[name]["suboptions"] = as_documented(option["options"])
    return documented_options


def without_descriptions(options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    result: dict[str, t.Any] = {}
    for name, option in options.items():
        result[name] = {key: value for key, value in option.items() if key not in ("description", "suboptions")}
        if "suboptions" in option:
            result[name]["suboptions"] = without_descriptions(option["suboptions"])
    return result


def test_bindings_documentation_matches_spec() -> None:
    assert without_descriptions(documented()) == as_documented(SPEC["options"])
    assert list(documented()) == list(SPEC["options"]), "in the same order"
    assert re.findall(r"V\((\w+)\)", documented()["type"]["description"][1]) == list(TYPES)


@pytest.mark.parametrize("option", OPTIONS)
def test_bindings_option_documentation_lists_its_types(option: str) -> None:
    listed_types = re.findall(r"C\((\w+)\)", str(documented()[option]["description"]))
    assert set(listed_types) - {"env"} == {label for label, kind in TYPES.items() if option in kind.all_options}


@pytest.mark.parametrize("label", TYPES)
def test_binding_schema_lookup_options_are_alternatives(label: str) -> None:
    kind = TYPES[label]
    if kind.lookup:
        assert {kind.lookup.name_option, kind.lookup.id_option} == set(kind.one_of)
    assert set(kind.api_aliases) | set(kind.defaults) <= set(kind.all_options) | {
        kind.lookup.id_option if kind.lookup else ""
    }


def test_binding_types_match_local_edge() -> None:
    assert set(SCHEMAS) == (set(TYPES) - {"inherit"}) | set(REJECTED_TYPES)


@pytest.mark.parametrize("label", sorted(set(TYPES) - {"inherit"}))
def test_binding_options_match_local_edge(label: str) -> None:
    kind, edge_kind = TYPES[label], SCHEMAS[label]
    names = {other: option for option, other in kind.api_aliases.items()}
    names_only = {kind.lookup.name_option} if kind.lookup else set()
    edge_required = [{names.get(option, option)} for option in edge_kind.required] + (
        [set(edge_kind.either)] if edge_kind.either else []
    )
    required = [{option} for option in kind.required] + ([set(kind.one_of) - names_only] if kind.one_of else [])
    assert sorted(map(sorted, edge_required)) == sorted(map(sorted, required))
    assert set(kind.optional) == set(edge_kind.optional)


# -- up and back -------------------------------------------------------------------------------------------------------


@every_type
def test_worker_binding_of_each_type_is_idempotent_and_sent_unchanged(
    run: Runner, edge: Edge, example: dict[str, t.Any]
) -> None:
    result = apply_and_verify(run, edge, "worker", **WORKER, bindings=[example])
    assert verbs(result) == ["PUT "] and result["warnings"] == []
    (current,) = current_bindings(run)
    names = {"title", "database_name"}  # go as the id that they stand for
    assert {option: value for option, value in example.items() if option not in names}.items() <= current.items()
    assert not names & set(current)
    more = {**example, "name": "ANOTHER"}
    assert verbs(apply_and_verify(run, edge, "worker", **WORKER, bindings=[more, example])) == ["PATCH /settings"]
    assert [one["name"] for one in current_bindings(run)] == ["ANOTHER", "B"]
    assert verbs(apply_and_verify(run, edge, "worker", **WORKER, bindings=[more])) == ["PATCH /settings"]
    assert [one["name"] for one in current_bindings(run)] == ["ANOTHER"]


@pytest.mark.slow
@every_type
def test_namespaced_worker_binding_of_each_type_is_idempotent(
    run: Runner, edge: Edge, example: dict[str, t.Any]
) -> None:
    if example["type"] != "dispatch_namespace":
        run.ok("dispatch_namespace", name="thing")
    tenant = {**WORKER, "dispatch_namespace": "thing", "bindings": [example]}
    apply_and_verify(run, edge, "namespaced_worker", **tenant)
    fleet = {
        "dispatch_namespace": "thing",
        "owner": "mine",
        "defaults": {key: tenant[key] for key in ("content", "compatibility_date", "bindings")},
    }
    apply_and_verify(run, edge, "namespaced_workers", **fleet, workers=[{"name": "a"}, {"name": "b"}])


@pytest.mark.slow
@every_type
@pytest.mark.parametrize("with_computed", [True, False])
def test_binding_read_without_fingerprint_tag_is_unchanged(
    run: Runner, example: dict[str, t.Any], with_computed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Binding.to_api

    def with_server_values(binding: Binding) -> dict[str, t.Any]:
        """Return a binding as a server may: more keys at every depth, one name instead of two, a default."""
        response = {"of_the_server": {"more": 1}, **plain(binding)}
        more = {
            "service": {"environment": "production"},
            "queue": {"delivery_delay": 0},
            "durable_object_namespace": {"environment": "production"},
        }
        response = {**more.get(binding.type, {}), **response}
        response.pop("id", None) if binding.type == "d1" else None
        if binding.type == "ratelimit":
            response["simple"] = {**response["simple"], "mitigation_timeout": 0}
        if binding.type == "dispatch_namespace":
            response["outbound"] = {
                **response["outbound"],
                "worker": {"environment": "production", **response["outbound"]["worker"]},
            }
        return response

    run.ok("worker", **WORKER, bindings=[example])
    remove_fingerprint_tag(run)
    if with_computed:
        monkeypatch.setattr(Binding, "to_api", with_server_values)
    repaired = run.ok("worker", **WORKER, bindings=[example])
    assert verbs(repaired) == ["PATCH /script-settings"]
    assert repaired["diff"][0]["before"] == repaired["diff"][0]["after"]
    assert not run.ok("worker", **WORKER, bindings=[example], drift_detection="settings")["changed"]


@pytest.mark.parametrize(
    ("example", "change"),
    [
        ("service", {"props": {"a": {}}}),
        ("service", {"props": {"a": {"b": None}, "c": 1}}),
        ("service", {"environment": "staging"}),
        ("queue", {"delivery_delay": 0}),
        ("ratelimit", {"simple": {"limit": 6, "period": 60}}),
        ("ratelimit", {"simple": {"limit": 5, "period": 60, "mitigation_timeout": 10}}),
        ("dispatch_namespace", {"outbound": {"worker": {"service": "target"}, "params": [{"name": "customer"}]}}),
        (
            "dispatch_namespace",
            {"outbound": {"worker": {"service": "target"}, "params": [{"name": "plan"}, {"name": "customer"}]}},
        ),
        ("json", {"json": {"a": [1, None, "x"], "b": None}}),
        ("send_email", {"allowed_sender_addresses": []}),
    ],
    indirect=["example"],
)
def test_binding_declared_difference_is_detected(
    run: Runner, example: dict[str, t.Any], change: dict[str, t.Any]
) -> None:
    run.ok("worker", **WORKER, bindings=[example])
    remove_fingerprint_tag(run)
    predicted = run.ok("worker", check=True, **WORKER, bindings=[{**example, **change}])
    assert predicted["changed"] and predicted["diff"]["before"]["bindings"] != predicted["diff"]["after"]["bindings"]


@pytest.mark.parametrize("example", ["service", "queue"], indirect=True)
def test_binding_option_omitted_by_api_equals_default(run: Runner, example: dict[str, t.Any]) -> None:
    defaults = TYPES[example["type"]].defaults
    run.ok(
        "worker", **WORKER, bindings=[{option: value for option, value in example.items() if option not in defaults}]
    )
    remove_fingerprint_tag(run)
    assert verbs(run.ok("worker", **WORKER, bindings=[{**example, **defaults}])) == ["PATCH /script-settings"]


@pytest.mark.parametrize("example", ["service", "r2_bucket"], indirect=True)
def test_binding_null_option_is_ignored(run: Runner, example: dict[str, t.Any]) -> None:
    run.ok("worker", **WORKER, bindings=[example])
    nulls = {option: None for option in TYPES[example["type"]].all_options if option not in example}
    assert nulls and not run.ok("worker", **WORKER, bindings=[{**example, **nulls}])["changed"]


def test_d1_binding_is_sent_with_both_id_keys(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[t.Any] = []
    check = BindingSchema.check
    monkeypatch.setattr(BindingSchema, "check", lambda schema, raw: sent.append(dict(raw)) or check(schema, raw))
    ident = create_target(run, "d1")
    run.ok("worker", **WORKER, bindings=[{"name": "B", "type": "d1", "database_id": ident}])
    assert sent[-1] == {"name": "B", "type": "d1", "id": ident, "database_id": ident}


@pytest.mark.parametrize("example", ["service"], indirect=True)
def test_service_binding_props_without_fingerprint_tag_are_sent_again(
    run: Runner, edge: Edge, example: dict[str, t.Any]
) -> None:
    edge.behaviors.service_props_returned = "no"
    run.ok("worker", **WORKER, bindings=[example])
    assert not run.ok("worker", **WORKER, bindings=[example], drift_detection="settings")["changed"]
    assert run.ok("worker", **WORKER, bindings=[{**example, "props": {"other": 1}}], drift_detection="settings")[
        "changed"
    ]
    remove_fingerprint_tag(run)
    assert run.ok("worker", **WORKER, bindings=[example])["changed"]
    assert not run.ok("worker", **WORKER, bindings=[example])["changed"]


# -- by name -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "message"),
    [("kv_namespace", "There is no KV namespace titled 'thing'"), ("d1", "There is no D1 database named 'thing'")],
)
def test_binding_unknown_name_is_predicted_and_refused(run: Runner, label: str, message: str) -> None:
    bound = {"name": "B", "type": label, **EXAMPLES[label]}
    predicted = run.ok("worker", check=True, **WORKER, bindings=[bound])
    assert predicted["worker"]["bindings"][0][TYPES[label].lookup.id_option] == "(known after apply)"  # type: ignore[union-attr]
    assert message in run.refused("worker", **WORKER, bindings=[bound])


def test_binding_names_of_many_workers_need_one_listing(run: Runner, edge: Edge) -> None:
    run.ok("dispatch_namespace", name="tenants")
    create_target(run, "d1")
    for number in range(120):
        run.ok("api", method="POST", path="/accounts/{account_id}/d1/database", body={"name": f"database-{number}"})
    fleet = {
        "dispatch_namespace": "tenants",
        "defaults": {"content": CODE, "compatibility_date": "2026-11-01"},
        "workers": [
            {"name": f"t{number}", "bindings": [{"name": "DB", "type": "d1", "database_name": f"database-{number}"}]}
            for number in range(20)
        ],
    }
    run.ok("namespaced_workers", **fleet)
    edge.clear()
    assert not run.ok("namespaced_workers", **fleet)["changed"]
    assert sorted(seen["path"].rpartition("/")[2] for seen in edge.requests()) == ["database", "scripts"]


# -- what no table knows -----------------------------------------------------------------------------------------------


def test_binding_unsupported_type_is_sent_unchanged_with_warning(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    bound = [{"name": "B", "type": "brand_new", "options": {"shape": {"round": True}}}]
    assert "code 10021" in run("worker", **WORKER, bindings=bound)["msg"], "Cloudflare has the last word"
    monkeypatch.setitem(
        t.cast("dict[str, BindingSchema]", SCHEMAS), "brand_new", BindingSchema(("shape",), shapes={"shape": dict})
    )
    made = run.ok("worker", **WORKER, bindings=bound)
    assert "brand_new" in str(made["warnings"])
    assert current_bindings(run) == [{"name": "B", "type": "brand_new", "shape": {"round": True}}]
    assert not run.ok("worker", **WORKER, bindings=bound)["changed"]
    remove_fingerprint_tag(run)
    assert verbs(run.ok("worker", **WORKER, bindings=bound)) == ["PATCH /script-settings"]
    run.ok("dispatch_namespace", name="tenants")
    tenants = [
        {"name": name, "content": CODE, "compatibility_date": "2026-11-01", "bindings": bound} for name in ("a", "b")
    ]
    assert len(run.ok("namespaced_workers", dispatch_namespace="tenants", workers=tenants)["warnings"]) == 1


def test_binding_raw_options_are_sent(run: Runner) -> None:
    bound = [{"name": "B", "type": "json", "options": {"json": [1]}}]
    assert run.ok("worker", **WORKER, bindings=bound)["warnings"] == []
    assert current_bindings(run) == [{"name": "B", "type": "json", "json": [1]}]


# -- inherit -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("upload_behavior", ["keep", "clear"])
@pytest.mark.parametrize("inherit_behavior", ["accept", "refuse"])
def test_inherit_binding_keeps_current_binding(
    run: Runner, edge: Edge, upload_behavior: str, inherit_behavior: str
) -> None:
    edge.behaviors.upload_without_keep_bindings, edge.behaviors.inherit_with_keep_bindings = (
        upload_behavior,
        inherit_behavior,
    )
    run.ok("worker", **WORKER, vars={"A": "a", "B": "b", "C": "c"}, secrets={"HUSH": "hush-hush-1"})
    keeping = {
        **WORKER,
        "bindings": [{"name": "A", "type": "inherit"}, {"name": "Z", "type": "inherit", "old_name": "B"}],
    }
    predicted, applied = run.ok("worker", check=True, **keeping), run.ok("worker", **keeping)
    assert predicted["worker"]["bindings"] == applied["worker"]["bindings"]
    assert applied["diff"]["after"]["bindings"] == [
        {"name": "A", "type": "plain_text", "text": "a"},
        {"name": "Z", "type": "plain_text", "text": "b"},
    ]
    assert {one["name"]: one.get("text") for one in current_bindings(run)} == {"A": "a", "Z": "b", "HUSH": None}
    assert not run.ok("worker", **keeping)["changed"]
    changed = run.ok("worker", **{**keeping, "content": CODE + "//"})["diff"][0]
    assert changed["before"]["bindings"] == changed["after"]["bindings"]
    assert {one["name"]: one.get("text") for one in current_bindings(run)} == {"A": "a", "Z": "b", "HUSH": None}
    remove_fingerprint_tag(run)
    assert verbs(run.ok("worker", **{**keeping, "content": CODE + "//"})) == ["PATCH /script-settings"]


def test_inherit_binding_missing_is_refused(run: Runner) -> None:
    keeping = {**WORKER, "bindings": [{"name": "A", "type": "inherit", "old_name": "B"}]}
    assert "bindings: A: Worker 'w' has no binding B to keep" in run.refused("worker", **keeping)
    run.ok("worker", **WORKER, secrets={"B": "hush-hush-1"})
    assert "has no binding B to keep" in run.refused("worker", **keeping)


def test_bindings_inherited_survive_worker_replacement(run: Runner) -> None:
    original = {**WORKER, "migrations": [{"tag": "v1", "new_sqlite_classes": ["Counter"]}]}
    run.ok(
        "worker",
        **original,
        vars={"A": "a", "B": "b"},
        bindings=[{"name": "DB", "type": "d1", "database_id": create_target(run, "d1")}],
    )
    before = current_bindings(run)
    replacement = {
        **WORKER,
        "migrations": [{"tag": "v9", "new_sqlite_classes": ["Counter"]}],
        "allow_replace": True,
        "unmanaged_bindings": "keep",
    }
    replaced = run.ok(
        "worker",
        **replacement,
        bindings=[{"name": "A", "type": "inherit"}, {"name": "Z", "type": "inherit", "old_name": "B"}],
    )
    assert verbs(replaced) == ["DELETE ", "PUT "]
    assert [one for one in current_bindings(run) if one["name"] != "Z"] == before and current_bindings(run)[-1] == {
        "name": "Z",
        "type": "plain_text",
        "text": "b",
    }


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_migrations_with_lost_response_are_sent_once(run: Runner, edge: Edge, method: str) -> None:
    steps = [{"tag": "v1", "new_sqlite_classes": ["Counter"]}, {"tag": "v2", "new_sqlite_classes": ["Other"]}]
    run.ok("worker", **WORKER, migrations=steps[:1])
    code = WORKER if method == "PUT" else {"name": WORKER["name"]}
    content = {"content": f"{WORKER['content']}//"} if method == "PUT" else {}
    edge.clear()
    edge.fault(method=method, path=".*/scripts/w(/settings)?", status=502, times=1, when="after")
    changed = run.ok("worker", **{**code, **content}, migrations=steps)
    assert changed["changed"] and changed["worker"]["migration_tag"] == "v2"
    assert len(edge.writes()) == 1
    assert not run.ok("worker", **{**code, **content}, migrations=steps)["changed"]


# -- keys --------------------------------------------------------------------------------------------------------------


def test_secret_key_is_managed_as_secret(run: Runner, edge: Edge) -> None:
    keyed = {**WORKER, "fingerprint_key": "fingerprint-key-1"}
    made = run.ok("worker", **keyed, secrets={"KEY": KEY, "HUSH": "hush-hush-1"})
    assert [(one["name"], one["type"]) for one in current_bindings(run)] == [
        ("KEY", "secret_key"),
        ("HUSH", "secret_text"),
    ]
    assert {**current_bindings(run)[0]} == {
        "name": "KEY",
        "type": "secret_key",
        "algorithm": KEY["algorithm"],
        "format": "raw",
        "usages": ["sign"],
    }
    again = run.ok("worker", **keyed, secrets={"KEY": KEY, "HUSH": "hush-hush-1"})
    rotated = run.ok("worker", **keyed, secrets={"KEY": {**KEY, "key_base64": "bmV3IGtleQ=="}, "HUSH": "hush-hush-1"})
    assert not again["changed"] and verbs(rotated) == ["PATCH /secrets-bulk", "PATCH /script-settings"]
    kept = run.ok("worker", **{**keyed, "content": CODE + "//"}, bindings=[])
    assert [one["name"] for one in current_bindings(run)] == ["KEY", "HUSH"], (
        "neither kind is a binding that nobody declared"
    )
    removed = run.ok("worker", **{**keyed, "content": CODE + "//"}, bindings=[], secrets={"KEY": None})
    assert [one["name"] for one in current_bindings(run)] == ["HUSH"]
    for result in (made, again, rotated, kept, removed):
        text = json.dumps(result)
        assert KEY["key_base64"] not in text and "bmV3IGtleQ==" not in text and '"sign"' not in text
        assert result["invocation"]["module_args"].get("secrets", {"KEY": None}).keys() >= {"KEY"}


def test_worker_secrets_secret_key_is_managed(run: Runner, edge: Edge) -> None:
    run.ok("worker", **WORKER)
    apply_and_verify(
        run,
        edge,
        "worker_secrets",
        name="w",
        secrets={"KEY": KEY, "HUSH": "hush-hush-1"},
        fingerprint_key="fingerprint-key-1",
    )
    assert {one["name"]: one["type"] for one in current_bindings(run)} == {"KEY": "secret_key", "HUSH": "secret_text"}
    assert "secrets: KEY is a dictionary, and a key needs usages" in run.refused(
        "worker_secrets", name="w", secrets={"KEY": {**KEY, "usages": None}}
    )
    run.ok("worker_secrets", name="w", secrets={"KEY": KEY}, state="absent")
    assert [one["name"] for one in current_bindings(run)] == ["HUSH"]


# -- what is wrong -----------------------------------------------------------------------------------------------------

INVALID = [
    (
        {"type": "secret_text", "text": "s"},
        "bindings: B: type secret_text cannot be declared in bindings. Declare it in secrets, as a string",
    ),
    (
        {"type": "secret_key"},
        (
            "bindings: B: type secret_key cannot be declared in bindings. "
            "Declare it in secrets, as a dictionary of algorithm, format, usages and key_base64 or key_jwk"
        ),
    ),
    ({"type": "tail_consumer", "service": "w"}, "Declare the Worker in tail_consumers"),
    ({"type": "assets"}, "bindings: B: type assets cannot be declared in bindings. Set its name in assets"),
    ({"type": "wasm_module"}, "Import the file in the Worker's code instead"),
    (
        {"type": "kv"},
        "bindings: B: 'kv' is not a supported type. Use one of plain_text, json, .*set its fields in options",
    ),
    ({"type": "kv", "title": "x", "options": {}}, "bindings: B: type kv does not accept title. It accepts no options"),
    ({"type": None}, "bindings: B has no type"),
    ({"name": None, "type": "ai"}, "bindings: an element has no name"),
    ({"type": "ai", "options": {"name": "C"}}, "options contains name or type"),
    ({"type": "ai", "text": "x"}, "bindings: B: type ai does not accept text. It accepts no options"),
    ({"type": "service"}, "bindings: B: type service needs service"),
    ({"type": "service", "service": ""}, "type service needs service, which is missing or empty"),
    ({"type": "secrets_store_secret", "store_id": "x"}, "needs secret_name"),
    ({"type": "kv_namespace"}, "type kv_namespace needs exactly one of namespace_id, title. Set one of them"),
    (
        {"type": "kv_namespace", "namespace_id": "a", "title": "b"},
        "needs exactly one of namespace_id, title. Remove all but one of namespace_id, title",
    ),
    ({"type": "d1", "database_id": "a", "database_name": "b"}, "needs exactly one of database_id, database_name"),
    ({"type": "vpc_network"}, "needs exactly one of tunnel_id, network_id"),
    ({"type": "ratelimit", "namespace_id": "1", "simple": {"limit": 5, "period": 30}}, "period.*10, 60"),
    ({"type": "ratelimit", "namespace_id": "1", "simple": {"limit": 5}}, "period"),
    ({"type": "dispatch_namespace", "namespace": "n", "outbound": {"params": []}}, "worker"),
    ({"type": "queue", "queue_name": "q", "delivery_delay": "soon"}, "delivery_delay"),
    ({"name": "a-b", "type": "ai"}, "'a-b' is not a valid binding name"),
    (
        {"type": "plain_text", "text": "x" * 5121},
        "bindings: B has 5121 bytes, and the limit of a variable or secret is 5120",
    ),
    ({"type": "json", "json": ["é" * 3000]}, "bindings: B has 6004 bytes"),
]


@pytest.mark.parametrize(("binding", "message"), INVALID, ids=[message[:40] for _binding, message in INVALID])
@pytest.mark.parametrize("fleet", [False, True])
def test_binding_invalid_is_refused(run: Runner, binding: dict[str, t.Any], message: str, fleet: bool) -> None:
    bound = [{"name": "B", **binding}]
    if fleet:
        run.ok("dispatch_namespace", name="tenants")
        error = run.refused("namespaced_workers", dispatch_namespace="tenants", workers=[{**WORKER, "bindings": bound}])
    else:
        error = run.refused("worker", **WORKER, bindings=bound)
    assert re.search(message, error, re.DOTALL), error


@pytest.mark.parametrize(
    ("label", "option"),
    [
        ("service", "Upload that Worker first"),
        ("dispatch_namespace", "Create the dispatch namespace first"),
        ("r2_bucket", "correct bucket_name"),
        ("queue", "correct queue_name"),
        ("hyperdrive", "correct id"),
        ("vectorize", "correct index_name"),
        ("secrets_store_secret", "correct store_id"),
        ("mtls_certificate", "correct certificate_id"),
        ("durable_object_namespace", "correct class_name and script_name"),
        ("d1", "correct database_id"),
    ],
)
def test_binding_missing_target_error_names_option(run: Runner, label: str, option: str) -> None:
    bound = {"d1": {"database_id": "nowhere"}, "dispatch_namespace": {"namespace": "nowhere"}}.get(
        label, EXAMPLES[label]
    )
    message = run("worker", **WORKER, bindings=[{"name": "B", "type": label, **bound}])["msg"]
    assert option in message, message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bindings": [{"name": "A", "type": "ai"}, {"name": "A", "type": "browser"}]}, "A is declared 2 times"),
        (
            {"bindings": [{"name": "A", "type": "ai"}], "vars": {"A": "x"}, "secrets": {"A": "y"}},
            "A is declared 3 times",
        ),
        (
            {
                "vars": {f"V{number}": "x" for number in range(100)},
                "secrets": {f"S{number}": "x" for number in range(29)},
            },
            "129 .* are set, and the limit is 128",
        ),
        ({"vars": {"A": "x" * 5121}}, "bindings: A has 5121 bytes"),
        ({"secrets": {"A": "x" * 5121}}, "bindings: A has 5121 bytes"),
        ({"secrets": {"A": {"x": 1}}}, "secrets: A is a dictionary, and a key does not accept x. .* with to_json"),
        (
            {"secrets": {"A": {key: value for key, value in KEY.items() if key != "usages"}}},
            "secrets: A .* needs usages",
        ),
        (
            {"secrets": {"A": {**KEY, "key_jwk": {"kty": "oct"}}}},
            "secrets: A .* needs exactly one of key_base64, key_jwk",
        ),
        ({"secrets": {"A": ["x"]}}, "secrets: A is a list"),
    ],
)
def test_bindings_invalid_combination_is_refused(run: Runner, options: dict[str, t.Any], message: str) -> None:
    error = run.refused("worker", **WORKER, **options)
    assert re.search(message, error, re.DOTALL), error


def test_bindings_at_limits_are_accepted(run: Runner) -> None:
    variables = {f"V{number}": "x" * 5120 for number in range(127)}
    assert run.ok("worker", **WORKER, vars={**variables, "GONE": None}, secrets={"A": "x" * 5120, "OLD": None})[
        "changed"
    ]


@pytest.mark.parametrize(
    ("given", "goes"),
    [
        ({}, set()),
        ({"vars": {}}, {"plain_text", "json"}),
        ({"bindings": None}, set(TYPES)),
        ({"assets": None}, {"assets"}),
        ({"bindings": [], "assets": {"directory": "public"}}, {*TYPES, "assets"}),
    ],
)
def test_unmanaged_filter_removes_types_of_given_options(given: dict[str, t.Any], goes: set[str]) -> None:
    is_kept_by_remove, is_kept_by_keep = (
        bindings.unmanaged_filter(given, "remove"),
        bindings.unmanaged_filter(given, "keep"),
    )
    assert {
        label for label in (*TYPES, "assets", "brand_new") if not is_kept_by_remove({"name": "B", "type": label})
    } - {"brand_new"} == goes
    assert all(is_kept_by_keep({"name": "B", "type": label}) for label in TYPES)
