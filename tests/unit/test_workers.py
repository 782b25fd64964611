# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workers: changes, their requests, and the values that are kept and hidden."""

from __future__ import annotations

import json
import typing as t

import pytest
from harness import Runner
from local_edge.testing import Edge
from tenant import CODE, NAMESPACE, SECRET, WORKER, call, get, secret_names, verbs


@pytest.fixture(autouse=True)
def _namespace(run: Runner) -> None:
    run.ok("dispatch_namespace", name="tenants")


def test_worker_change_sends_only_differences(run: Runner) -> None:
    with_secret = {
        **WORKER,
        "secrets": {"KEY": SECRET},
        "fingerprint_key": "fingerprint-key-1",
        "vars": {"PLAN": "pro"},
    }
    assert verbs(run.ok("namespaced_worker", **with_secret)) == ["PUT "]
    assert verbs(run.ok("namespaced_worker", **{**with_secret, "secrets": {"KEY": SECRET + "2"}})) == [
        "PATCH /secrets-bulk",
        "PUT /tags",
    ]
    assert verbs(run.ok("namespaced_worker", **{**with_secret, "secrets": {"KEY": SECRET + "2"}, "tags": ["x"]})) == [
        "PUT /tags"
    ]
    assert verbs(
        run.ok("namespaced_worker", **{**with_secret, "secrets": {"KEY": SECRET + "2"}, "vars": {"PLAN": "free"}})
    ) == ["PATCH /settings"]
    assert verbs(
        run.ok("namespaced_worker", **{**with_secret, "secrets": {"KEY": None}, "vars": {"PLAN": "free"}})
    ) == ["PATCH /secrets-bulk", "PUT /tags"]
    assert (
        verbs(run.ok("namespaced_worker", **{**with_secret, "secrets": {"KEY": None}, "vars": {"PLAN": "free"}})) == []
    )


def test_workers_each_change_sends_minimal_requests(run: Runner, edge: Edge) -> None:
    """Requests: the first number is reads, the second writes. If nothing changed, a constant for any fleet."""

    def count_requests(module: str, **options: t.Any) -> tuple[int, int]:
        edge.clear()
        run.ok(module, **options)
        writes = len(edge.writes())
        return len(edge.requests()) - writes, writes

    assert count_requests("namespaced_worker", **WORKER) == (2, 1)
    assert count_requests("namespaced_worker", **WORKER) == (1, 0)
    assert count_requests("namespaced_worker", **{**WORKER, "vars": {"A": "b"}}) == (4, 1)
    assert count_requests("worker", **{key: WORKER[key] for key in WORKER if key not in NAMESPACE}) == (2, 1)
    assert count_requests("worker", **{key: WORKER[key] for key in WORKER if key not in NAMESPACE}) == (1, 0)
    run.ok("kv_namespace", title="Metadata")
    bound = {
        "name": "bound",
        "content": CODE,
        "compatibility_date": "2026-11-01",
        "bindings": [{"name": "KV", "type": "kv_namespace", "title": "Metadata"}],
    }
    assert count_requests("worker", **bound) == (3, 1), (
        "what is found by its name once is not looked for again when the write is read back"
    )
    tenants = [{"name": f"t{number}"} for number in range(12)]
    fleet = {
        **NAMESPACE,
        "defaults": {"content": CODE, "compatibility_date": "2026-11-01"},
        "workers": tenants,
        "owner": "mine",
    }
    assert count_requests("namespaced_workers", **fleet) == (2, 12)
    assert count_requests("namespaced_workers", **fleet) == (1, 0)
    assert count_requests("namespaced_workers", **NAMESPACE, owner="mine", state="absent") == (2, 1)


def test_worker_missing_fingerprint_tag_is_restored_without_upload(run: Runner, edge: Edge) -> None:
    run.ok("namespaced_worker", **WORKER, tags=["x"])
    call(run, edge, "PUT", "/tags", body=["x"])
    repaired = run.ok("namespaced_worker", **WORKER, tags=["x"])
    assert verbs(repaired) == ["PUT /tags"] and not repaired["warnings"]
    whole, tag = repaired["diff"]
    assert whole["before"] == whole["after"]
    assert tag["before"] == {"owner": None, "fingerprint": None} and tag["after"]["fingerprint"]
    assert not run.ok("namespaced_worker", **WORKER, tags=["x"])["changed"]


@pytest.mark.parametrize(("module", "count"), [("namespaced_worker", 6), ("worker", 8)])
def test_worker_as_many_tags_as_its_kind_may_have_round_trip(run: Runner, module: str, count: int) -> None:
    tags = ["a:b", "two words", "a;b=c/d", "é" * 512, *(f"plan-{number}" for number in range(count - 4))]
    worker = {key: value for key, value in WORKER.items() if module == "namespaced_worker" or key not in NAMESPACE}
    assert sorted(run.ok(module, **worker, tags=tags)[module]["tags"]) == sorted(tags)
    assert not run.ok(module, **worker, tags=tags)["changed"]


@pytest.mark.parametrize("module", ["namespaced_worker", "namespaced_workers"])
def test_worker_of_two_tasks_with_other_options_is_warned_of(run: Runner, module: str) -> None:
    single = {key: value for key, value in WORKER.items() if key not in NAMESPACE}

    def deploy(check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        many = {**NAMESPACE, "owner": "default", "workers": [{**single, **options}]}
        return run.ok(module, check=check, **(many if module.endswith("s") else {**WORKER, **options}))

    deploy(logpush=False)
    for options in ({}, {"logpush": False}, {}):
        predicted, real = (deploy(check=check, **options) for check in (True, False))
        assert predicted["diff"] == real["diff"] and predicted["warnings"] == real["warnings"]
        (warning,) = real["warnings"]
        assert "Only the fingerprint differs" in warning and "Options that differ: logpush." in warning
        assert real["changed"] and [diff for diff in real["diff"] if diff["before"] != diff["after"]]
        if module.endswith("s"):
            assert real[module][0]["changed_fields"] == ["fingerprint"]
    assert deploy()["warnings"] == [] and not deploy()["changed"]


def test_worker_duplicate_tag_is_ignored(run: Runner) -> None:
    assert run.ok("namespaced_worker", **WORKER, tags=["x", "x"])["changed"]
    assert not run.ok("namespaced_worker", **WORKER, tags=["x", "x"])["changed"]


def test_worker_tags_change_matches_prediction(run: Runner) -> None:
    worker = {**WORKER, "secrets": {"KEY": SECRET}, "fingerprint_key": "fingerprint-key-1"}
    run.ok("namespaced_worker", **worker)
    predicted, real = (run.ok("namespaced_worker", check=check, **worker, tags=["x"]) for check in (True, False))
    assert verbs(real) == ["PUT /tags"] and predicted["diff"] == real["diff"]
    assert set(predicted["namespaced_worker"]) == set(real["namespaced_worker"])


def test_worker_diff_hides_collection_tags(run: Runner, edge: Edge) -> None:
    result = run.ok("namespaced_worker", **WORKER, tags=["x"])
    assert "tenantry." not in json.dumps(result["diff"]) + json.dumps(result["namespaced_worker"])
    collection_tags = [tag for tag in get(run, edge, "/tags") if tag != "x"]
    assert len(collection_tags) == 2 and all(tag.startswith("tenantry.") for tag in collection_tags)


@pytest.mark.parametrize("upload_behavior", ["keep", "clear"])
def test_worker_upload_keeps_external_tags_and_secrets(run: Runner, edge: Edge, upload_behavior: str) -> None:
    edge.behaviors.upload_without_keep_bindings = edge.behaviors.upload_without_tags = upload_behavior
    run.ok("namespaced_worker", **WORKER)
    call(run, edge, "PUT", "/tags", body=[*get(run, edge, "/tags"), "theirs"])
    call(run, edge, "PUT", "/secrets", body={"name": "BY_HAND", "text": SECRET, "type": "secret_text"})
    run.ok("namespaced_worker", **{**WORKER, "content": CODE + "//"}, secrets={"OURS": SECRET})
    assert "theirs" in get(run, edge, "/tags")
    assert secret_names(run, edge) == ["BY_HAND", "OURS"]
    run.ok("namespaced_worker", **WORKER, secrets=None)
    assert secret_names(run, edge) == []


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({}, {"CONFIG", "DATA", "PLAN"}),
        ({"vars": {"PLAN": "free"}}, {"DATA", "PLAN"}),
        ({"bindings": []}, set()),
        ({"vars": None, "bindings": None}, set()),
        ({"vars": {"PLAN": "free"}, "unmanaged_bindings": "keep"}, {"CONFIG", "DATA", "PLAN"}),
        ({"vars": {"PLAN": None}, "unmanaged_bindings": "keep"}, {"CONFIG", "DATA"}),
    ],
)
def test_worker_undeclared_bindings_are_kept_by_rule(
    run: Runner, edge: Edge, given: dict[str, t.Any], left: set[str]
) -> None:
    run.ok("kv_namespace", title="Metadata")
    bound = [
        {"name": "CONFIG", "type": "json", "json": {"a": 1}},
        {"name": "DATA", "type": "kv_namespace", "title": "Metadata"},
    ]
    run.ok("namespaced_worker", **WORKER, bindings=bound, vars={"PLAN": "pro"})
    result = run.ok("namespaced_worker", **{**WORKER, "content": CODE + "//", **given})
    assert {binding["name"] for binding in get(run, edge, "/bindings")} == left
    assert {binding["name"] for binding in result["namespaced_worker"]["bindings"]} == left


@pytest.mark.parametrize("upload_behavior", ["keep", "clear"])
def test_worker_upload_with_one_allowed_keep_method_keeps_bindings(
    run: Runner, edge: Edge, upload_behavior: str
) -> None:
    edge.behaviors.upload_without_keep_bindings, edge.behaviors.inherit_with_keep_bindings = upload_behavior, "refuse"
    run.ok("namespaced_worker", **WORKER, vars={"PLAN": "pro"}, secrets={"GOING": SECRET, "STAYING": SECRET})
    call(run, edge, "PUT", "/secrets", body={"name": "BY_HAND", "text": SECRET, "type": "secret_text"})
    run.ok("namespaced_worker", **{**WORKER, "content": CODE + "//"}, secrets={"NEW": SECRET, "GOING": None})
    assert {binding["name"] for binding in get(run, edge, "/bindings")} == {"PLAN", "STAYING", "BY_HAND", "NEW"}


def test_worker_binding_named_like_secret_is_refused(run: Runner, edge: Edge) -> None:
    run.ok("namespaced_worker", **WORKER, secrets={"A": SECRET})
    assert "A of Worker 'a'" in run.refused("namespaced_worker", **WORKER, vars={"A": "plain"})
    run.ok("namespaced_worker", **WORKER, vars={"A": "plain"}, secrets={"A": None})
    assert secret_names(run, edge) == [] and get(run, edge, "/bindings") == [
        {"name": "A", "type": "plain_text", "text": "plain"}
    ]
    run.ok("namespaced_worker", **WORKER, secrets={"A": SECRET})
    assert secret_names(run, edge) == ["A"] and [binding["type"] for binding in get(run, edge, "/bindings")] == [
        "secret_text"
    ]
    assert not run.ok("namespaced_worker", **WORKER, secrets={"A": SECRET})["changed"]


def test_worker_vars_true_and_one_differ(run: Runner, edge: Edge) -> None:
    for value in (True, 1, 0, False):
        assert verbs(run.ok("namespaced_worker", **WORKER, vars={"A": value}))[0] in ("PUT ", "PATCH /settings")
        assert json.dumps(get(run, edge, "/bindings")[0]["json"]) == json.dumps(value)


def test_worker_secrets_null_removes_all(run: Runner, edge: Edge) -> None:
    run.ok("namespaced_worker", **WORKER, secrets={"A": SECRET})
    run.ok("namespaced_worker", **WORKER, secrets={})
    assert secret_names(run, edge) == ["A"]
    assert run.ok("namespaced_worker", **WORKER, secrets=None)["changed"] and secret_names(run, edge) == []
    assert not run.ok("namespaced_worker", **WORKER, secrets=None)["changed"]


def test_worker_unmanaged_bindings_changed_rule_is_applied(run: Runner, edge: Edge) -> None:
    def names() -> set[str]:
        return {binding["name"] for binding in get(run, edge, "/bindings")}

    run.ok("namespaced_worker", **WORKER, vars={"A": "1", "B": "2", "C": "3"})
    run.ok("namespaced_worker", **WORKER, vars={"A": "1"}, unmanaged_bindings="keep")
    assert names() == {"A", "B", "C"}
    run.ok("namespaced_worker", **WORKER, vars={"A": "1", "B": None}, unmanaged_bindings="keep")
    assert names() == {"A", "C"}
    run.ok("namespaced_worker", **WORKER, vars={"A": "1"})
    assert names() == {"A"}


def test_worker_secrets_without_key_are_sent_once_with_warning(run: Runner, edge: Edge) -> None:
    first = run.ok("namespaced_worker", **WORKER, secrets={"KEY": SECRET})
    assert not first.get("warnings")
    second = run.ok("namespaced_worker", **WORKER, secrets={"KEY": "another value than before"})
    assert not second["changed"] and "could not be compared with what exists: 1" in str(second["warnings"])
    third = run.ok("namespaced_worker", **WORKER, secrets={"KEY": SECRET, "NEW": SECRET})
    assert verbs(third) == ["PATCH /secrets-bulk", "PUT /tags"]
    assert secret_names(run, edge) == ["KEY", "NEW"]


def test_worker_without_key_keeps_keyed_secrets(run: Runner) -> None:
    keyed = {**WORKER, "secrets": {"KEY": SECRET}, "fingerprint_key": "fingerprint-key-1"}
    run.ok("namespaced_worker", **keyed)
    assert not run.ok("namespaced_worker", **WORKER, secrets={"KEY": SECRET})["changed"]
    assert not run.ok("namespaced_worker", **keyed)["changed"]


def test_worker_update_secrets_always_sends_secrets(run: Runner) -> None:
    for _run in range(2):
        result = run.ok("namespaced_worker", **WORKER, secrets={"KEY": SECRET}, update_secrets="always")
        assert result["changed"] and not result.get("warnings")


def test_worker_fingerprint_key_from_environment_is_used(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFLARE_FINGERPRINT_KEY", "fingerprint-key-from-environment")
    run.ok("namespaced_worker", **WORKER, secrets={"KEY": SECRET})
    rotated = run.ok("namespaced_worker", **WORKER, secrets={"KEY": SECRET + "2"})
    assert verbs(rotated) == ["PATCH /secrets-bulk", "PUT /tags"]
    assert "fingerprint-key-from-environment" not in json.dumps(rotated)


def test_worker_interrupted_secret_update_is_completed(run: Runner, edge: Edge) -> None:
    options = {**WORKER, "fingerprint_key": "fingerprint-key-1"}
    run.ok("namespaced_worker", **options, secrets={"KEY": SECRET})
    edge.fault(method="PUT", path=".*/tags", status=500, times=9, when="before")
    assert run("namespaced_worker", **options, secrets={"KEY": SECRET + "2"})["failed"]
    edge.clear_faults()
    assert verbs(run.ok("namespaced_worker", **options, secrets={"KEY": SECRET + "2"})) == [
        "PATCH /secrets-bulk",
        "PUT /tags",
    ]
    assert not run.ok("namespaced_worker", **options, secrets={"KEY": SECRET + "2"})["changed"]


@pytest.mark.parametrize("module", ["namespaced_worker", "namespaced_workers", "worker"])
@pytest.mark.parametrize("secret", [SECRET, "e", "1", "2026-11-01"])
def test_worker_results_hide_secrets(run: Runner, edge: Edge, module: str, secret: str) -> None:
    worker = {"name": "a", "content": CODE, "compatibility_date": "2026-11-01", "secrets": {"KEY": secret}}
    options: dict[str, t.Any] = {
        "namespaced_worker": {**NAMESPACE, **worker},
        "worker": worker,
        "namespaced_workers": {**NAMESPACE, "workers": [worker]},
    }[module]
    results = [
        run(module, check=True, **options),
        run(module, **options),
        run(module, **options, tags=1),
        run(module, **options, wrong={"KEY": secret}),
    ]
    edge.fault(method="GET", path=".*", status=400, code=10021, message=f"echo {secret} echo", times=9)
    results.append(run(module, **options))
    results.append(run(module, **options, api_token="a-token-that-is-wrong-123"))
    text = json.dumps(results)
    assert "a-token-that-is-wrong-123" not in text
    if len(secret) > 2 and secret != "2026-11-01":
        assert secret not in text
    assert results[1]["operations"] == [operation.replace("********", secret) for operation in results[1]["operations"]]
    for result in results:
        for module_args in (
            result["invocation"]["module_args"],
            *(result["invocation"]["module_args"].get("workers") or []),
        ):
            assert module_args.get("secrets", {"KEY": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"}) == {
                "KEY": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
            }
            assert (
                module_args.get("wrong", "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER") == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
            )


def test_namespaced_workers_secrets_in_json_text_are_hidden(run: Runner) -> None:
    defaults = json.dumps({"content": CODE, "compatibility_date": "2026-11-01", "secrets": {"KEY": "pin4"}})
    result = run("namespaced_workers", **NAMESPACE, defaults=defaults, workers=[{"name": "a"}])
    assert result["changed"] and "pin4" not in json.dumps(result)
    same = run("namespaced_workers", **NAMESPACE, defaults=json.loads(defaults), workers=[{"name": "a"}])
    assert not same["changed"], "text means what the dictionary means"
    broken = run("namespaced_workers", **NAMESPACE, workers=json.dumps([{"name": "a", "secrets": {"KEY": "pin4"}}]))
    assert broken["failed"] and "pin4" not in json.dumps(broken)


def test_worker_results_hide_environment_credentials(run: Runner, edge: Edge) -> None:
    edge.fault(method="GET", path=".*", status=400, code=10021, message=f"echo {edge.token} echo", times=9)
    result = run("namespaced_worker", **WORKER)
    assert "echo ******** echo" in result["msg"] and edge.token not in json.dumps(result)
    edge.clear_faults()
    run.ok("kv_namespace", title="Metadata")
    stored = run.ok("kv_entries", title="Metadata", entries=[{"key": "a", "value": f"a copy of {edge.token}"}])
    assert stored["kv_entries"]["entries"]["a"]["value"] == "a copy of ********"


def test_worker_missing_response_variants_are_recognized(run: Runner, edge: Edge) -> None:
    for shape in ("10007", "null", "10092"):
        edge.behaviors.missing_script_response = shape
        assert run.ok("namespaced_worker", **WORKER)["changed"]
        assert run.ok("namespaced_worker", **NAMESPACE, name="a", state="absent")["changed"]
        assert not run.ok("namespaced_worker", **NAMESPACE, name="a", state="absent")["changed"]


def test_namespaced_workers_routing_records_follow_hostnames(run: Runner, edge: Edge) -> None:
    run.ok("kv_namespace", title="Metadata")
    run.ok("kv_entries", title="Metadata", entries=[{"key": "theirs", "value": "x"}])
    fleet = {
        **NAMESPACE,
        "owner": "mine",
        "routing_kv": {"title": "Metadata"},
        "defaults": {"content": CODE, "compatibility_date": "2026-11-01"},
        "workers": [{"name": "a", "hostnames": ["A.example.com", "b.example.com"]}],
    }
    namespace = run.ok("namespaced_workers", **fleet)["routing_kv"]["namespace_id"]

    def kv_values() -> dict[str, t.Any]:
        root = f"/accounts/{edge.account}/storage/kv/namespaces/{namespace}"
        names = [
            key["name"]
            for key in run.ok("api", path=f"{root}/keys")["api"]
            if not key["name"].startswith("tenantry/ledger/")
        ]
        found = run.ok(
            "kv_entries", check=True, title="Metadata", entries=[{"key": name, "value": ""} for name in names]
        )["diff"]["before"]
        return {name: entry["value"] for name, entry in found.items()}

    record = '{"state":"active","worker":"a"}'
    assert kv_values() == {"a.example.com": record, "b.example.com": record, "theirs": "x"}
    fleet["workers"] = [{"name": "a", "hostnames": ["b.example.com"]}]
    run.ok("namespaced_workers", **fleet)
    assert kv_values() == {"b.example.com": record, "theirs": "x"}
    other = {**fleet, "owner": "yours", "workers": [{"name": "c", "hostnames": ["b.example.com"]}]}
    assert "b.example.com belongs to owner 'mine'" in run.refused("namespaced_workers", **other)
    removed = run.ok("namespaced_workers", **NAMESPACE, owner="mine", routing_kv={"title": "Metadata"}, state="absent")
    assert kv_values() == {"theirs": "x"} and removed["remaining"]["kv_keys"] == 1


def test_namespaced_workers_listing_without_tags_is_idempotent(run: Runner, edge: Edge) -> None:
    edge.behaviors.list_includes_tags = "no"
    fleet = {
        **NAMESPACE,
        "owner": "mine",
        "defaults": {"content": CODE, "compatibility_date": "2026-11-01"},
        "workers": [{"name": "a"}, {"name": "b"}],
    }
    assert run.ok("namespaced_workers", **fleet)["changed"]
    assert not run.ok("namespaced_workers", **fleet)["changed"]
    removed = run.ok("namespaced_workers", **NAMESPACE, owner="mine", state="absent")
    assert len(removed["namespaced_workers"]) == 2 and removed["remaining"]["workers"] == 0


def test_namespaced_workers_absent_removes_listed_workers_only(run: Runner, edge: Edge) -> None:
    run.ok("kv_namespace", title="Metadata")
    fleet = {**NAMESPACE, "owner": "mine", "routing_kv": {"title": "Metadata"}}
    workers = [
        {"name": name, "hostnames": [f"{name}.example.com"], "content": CODE, "compatibility_date": "2026-11-01"}
        for name in ("a", "b")
    ]
    run.ok("namespaced_workers", **fleet, workers=workers)
    removed = run.ok("namespaced_workers", **fleet, workers=[{"name": "a"}, {"name": "never"}], state="absent")
    assert removed["routing_kv"]["records"] == {"b.example.com": "b"} and removed["remaining"] == {
        "workers": 1,
        "kv_keys": 0,
    }
    assert [one["changed"] for one in removed["namespaced_workers"]] == [True, False]


def test_namespaced_workers_failed_worker_keeps_records(run: Runner, edge: Edge) -> None:
    run.ok("kv_namespace", title="Metadata")
    fleet = {
        **NAMESPACE,
        "owner": "mine",
        "routing_kv": {"title": "Metadata"},
        "defaults": {"content": CODE, "compatibility_date": "2026-11-01"},
    }
    workers = [{"name": name, "hostnames": [f"{name}.example.com"]} for name in ("a", "b")]
    run.ok("namespaced_workers", **fleet, workers=workers)
    edge.fault(method="PUT", path=".*/scripts/a$", status=400, code=10021, message="no", times=9)
    moved = [{"name": name, "hostnames": [f"{name}2.example.com"], "vars": {"A": "b"}} for name in ("a", "b")]
    result = run("namespaced_workers", **fleet, workers=moved)
    assert "1 of 2 failed. a: Cloudflare answered 400, code 10021" in result["msg"]
    assert result["routing_kv"]["records"] == {"a.example.com": "a", "b2.example.com": "b"}
    edge.clear_faults()
    assert run.ok("namespaced_workers", **fleet, workers=moved)["routing_kv"]["records"] == {
        "a2.example.com": "a",
        "b2.example.com": "b",
    }
    assert not run.ok("namespaced_workers", **fleet, workers=moved)["changed"]


def test_namespaced_workers_hostname_moved_to_failed_worker_is_kept(run: Runner, edge: Edge) -> None:
    run.ok("kv_namespace", title="Metadata")
    fleet = {
        **NAMESPACE,
        "owner": "mine",
        "routing_kv": {"title": "Metadata"},
        "defaults": {"content": CODE, "compatibility_date": "2026-11-01"},
    }
    run.ok("namespaced_workers", **fleet, workers=[{"name": "a", "hostnames": ["x.example.com"]}])
    edge.fault(method="PUT", path=".*/scripts/b$", status=400, code=10021, message="no", times=9)
    result = run("namespaced_workers", **fleet, workers=[{"name": "a"}, {"name": "b", "hostnames": ["x.example.com"]}])
    assert result["failed"] and result["routing_kv"]["records"] == {"x.example.com": "a"}


def test_worker_deleted_with_lost_response_succeeds(run: Runner, edge: Edge) -> None:
    run.ok("namespaced_worker", **WORKER)
    edge.fault(method="DELETE", path=".*", status=502, times=1, when="after")
    assert run.ok("namespaced_worker", **NAMESPACE, name="a", state="absent")["changed"]


def test_namespaced_workers_absent_keeps_other_owners(run: Runner, edge: Edge) -> None:
    for owner in ("mine", "yours"):
        workers = [{"name": f"{owner}{number}"} for number in range(3)]
        run.ok(
            "namespaced_workers",
            **NAMESPACE,
            owner=owner,
            defaults={"content": CODE, "compatibility_date": "2026-11-01"},
            workers=workers,
        )
    removed = run.ok("namespaced_workers", **NAMESPACE, owner="mine", state="absent")
    assert removed["remaining"] == {"workers": 3}
    assert len(removed["operations"]) == 1 and len(removed["namespaced_workers"]) == 3
    root = f"/accounts/{edge.account}/workers/dispatch/namespaces/tenants/scripts"
    assert sorted(script["id"] for script in run.ok("api", path=root)["api"]) == ["yours0", "yours1", "yours2"]


def test_api_module_sends_any_request(run: Runner, edge: Edge) -> None:
    path = "/accounts/{account_id}/storage/kv/namespaces"
    predicted = run.ok("api", check=True, method="POST", path=path, body={"title": "x"})
    assert predicted["changed"] and predicted["api"] is None and edge.writes()[1:] == []
    made = run.ok("api", method="POST", path=path, body={"title": "x"})
    assert made["operations"] == predicted["operations"] and made["api"]["title"] == "x"
    assert not run.ok("api", path=path, paginate=True, query={"per_page": 5})["changed"]
