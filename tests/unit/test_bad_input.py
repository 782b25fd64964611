# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong is refused before anything is written, in one message that names the option and the remedy."""

from __future__ import annotations

import re
import typing as t

import pytest
from harness import Runner
from local_edge.testing import Edge, running

CODE = "export default { fetch: () => new Response('one') };"
GOOD: dict[str, t.Any] = {
    "dispatch_namespace": "tenants",
    "name": "a",
    "content": CODE,
    "compatibility_date": "2026-11-01",
}
ROUTER = {key: value for key, value in GOOD.items() if key != "dispatch_namespace"}
ROUTE = {"pattern": "*.platform.localhost/*", "worker": "router"}
SHOP = {"hostname": "shop.customer.net", "zone": "platform.localhost"}
RECORD = {"name": "www.example.com", "type": "A", "content": "192.0.2.1"}


def fleet_options(**options: t.Any) -> dict[str, t.Any]:
    return {
        "dispatch_namespace": "tenants",
        "defaults": {"content": CODE, "compatibility_date": "2026-11-01"},
        **options,
    }


def entry_options(**options: t.Any) -> dict[str, t.Any]:
    return {"title": "x", "entries": [{"key": "a", "value": "b", **options}]}


NO_CODE = {key: GOOD[key] for key in ("dispatch_namespace", "name")}

INVALID = [
    ("dispatch_namespace", {"name": ""}, "name is empty|name.*null"),
    ("dispatch_namespace", {"name": None}, "name is (null|empty)|name.*required|None.*str"),
    ("dispatch_namespace", {"name": "x", "api_token": ""}, "api_token is empty"),
    ("dispatch_namespace", {"name": "x", "api_token": "t", "api_key": "k", "email": "e"}, "Set only one of them"),
    ("dispatch_namespace", {"name": "x", "api_key": "k"}, "email"),
    ("dispatch_namespace", {"name": "x", "api_url": "platform"}, "api_url: 'platform' is not a valid URL.*/client/v4"),
    (
        "dispatch_namespace",
        {"name": "x", "api_url": "http://127.0.0.1:9/client/v4"},
        "No server responds at.*start it with 'make edge'",
    ),
    ("dispatch_namespace", {"name": "x", "api_token": "wrong-token-wrong-token"}, "code 9109.*Check api_token"),
    ("dispatch_namespace", {"name": "x", "account_id": "f" * 32}, "code (7003|9109|10000)"),
    ("namespaced_worker", {**GOOD, "name": "Customer A"}, "name: 'Customer A' is not a valid Worker name"),
    ("namespaced_worker", {**GOOD, "name": ""}, "name is empty"),
    ("worker_secrets", {"name": "a", "dispatch_namespace": None, "secrets": {"A": "b"}}, "dispatch_namespace is null"),
    ("worker_secrets", {"name": "a", "namespace": "", "secrets": {"A": "b"}}, "dispatch_namespace is empty"),
    (
        "namespaced_worker",
        {**GOOD, "content": None},
        "content, path, entrypoint: the Worker has no code. Set exactly one",
    ),
    ("namespaced_worker", {**GOOD, "path": "x.js"}, "content, path, entrypoint: only one of content, path can be set"),
    (
        "namespaced_worker",
        {key: GOOD[key] for key in GOOD if key != "compatibility_date"},
        "compatibility_date: the option is required",
    ),
    (
        "namespaced_worker",
        {**GOOD, "compatibility_date": "yesterday"},
        "compatibility_date: 'yesterday' is not a valid date",
    ),
    ("namespaced_worker", {**NO_CODE, "assets": None}, "assets: only an upload of code removes them"),
    ("namespaced_worker", {**NO_CODE, "compatibility_date": None}, "compatibility_date: null would select"),
    ("namespaced_worker", {**GOOD, "tags": list("abcdefg")}, "tags: 7 tags are set, and the limit is 6"),
    ("worker", {**ROUTER, "tags": list("abcdefghi")}, "tags: 9 tags are set, and the limit is 8"),
    ("namespaced_worker", {**GOOD, "tags": ["a,b"]}, "tags: 'a,b' is not a valid tag"),
    ("namespaced_worker", {**GOOD, "tags": ["a&b"]}, "tags: 'a&b' is not a valid tag"),
    ("namespaced_worker", {**GOOD, "tags": [""]}, "tags: '' is not a valid tag"),
    ("namespaced_worker", {**GOOD, "tags": ["é" * 513]}, "is not a valid tag. Use 1 to 1024 bytes"),
    ("namespaced_worker", {**GOOD, "tags": ["tenantry.owner.x"]}, "is not a valid tag"),
    (
        "namespaced_worker",
        {**GOOD, "usage_model": "cheap"},
        "usage_model: 'cheap' is not a valid usage model. Use one of standard, bundled, unbound",
    ),
    ("namespaced_worker", {**GOOD, "limits": {"cpu_ms": 0}}, "limits: cpu_ms is 0. Set at least 1"),
    (
        "namespaced_worker",
        {**GOOD, "observability": {"enabled": True, "head_sampling_rate": 2}},
        "observability: head_sampling_rate is 2",
    ),
    ("namespaced_worker", {**GOOD, "observability": {"head_sampling_rate": 1}}, "enabled"),
    ("namespaced_worker", {**GOOD, "placement": {"mode": "smart", "region": "aws:us-east-1"}}, "Remove region"),
    ("namespaced_worker", {**GOOD, "tail_consumers": [{"namespace": "x"}]}, "service"),
    ("namespaced_worker", {**GOOD, "migrations": [{"tag": "v1"}]}, "migrations: step 'v1' does nothing"),
    (
        "namespaced_worker",
        {**GOOD, "migrations": [{"tag": "v1", "new_classes": ["A"]}] * 2},
        "migrations: several steps have the tag 'v1'",
    ),
    ("namespaced_worker", {**GOOD, "drift_detection": "deep"}, "drift_detection"),
    ("namespaced_worker", {**GOOD, "owner": "A B"}, "owner: 'A B'"),
    ("namespaced_worker", {**GOOD, "update_secrets": "on_change"}, "on_change needs fingerprint_key"),
    ("namespaced_worker", {**GOOD, "secrets": {"K": ""}}, "secrets: K is empty"),
    ("namespaced_worker", {**GOOD, "secrets": {"K": "secret-value"}, "vars": {"K": "v"}}, "K is declared 2 times"),
    ("namespaced_worker", {**GOOD, "vars": {"a-b": "v"}}, "'a-b' is not a valid binding name"),
    ("namespaced_worker", {**GOOD, "bindings": [{"name": "K", "type": "secret_text", "text": "s"}]}, "secret_text"),
    ("namespaced_worker", {**GOOD, "bindings": [{"name": "K", "type": "plain_text"}]}, "text"),
    (
        "namespaced_worker",
        {**GOOD, "bindings": [{"name": "K", "type": "plain_text", "text": "x", "title": "y"}]},
        "does not accept title",
    ),
    (
        "namespaced_worker",
        {**GOOD, "content": None, "path": "/nowhere/a.js"},
        "path: file /nowhere/a.js does not exist",
    ),
    (
        "namespaced_worker",
        {**GOOD, "content": None, "entrypoint": "/nowhere/a.ts"},
        "entrypoint: file /nowhere/a.ts does not exist",
    ),
    ("namespaced_worker", {**GOOD, "content": ""}, "content, path, entrypoint: the Worker has no code"),
    ("namespaced_worker", {**GOOD, "content": None, "path": ""}, "content, path, entrypoint: the Worker has no code"),
    ("namespaced_worker", {**GOOD, "content": " "}, "content: worker.js is empty"),
    (
        "namespaced_worker",
        {**GOOD, "minify": True},
        "minify: only an entrypoint is bundled, and content is uploaded unchanged",
    ),
    (
        "namespaced_worker",
        {**GOOD, "main_module": "a.rb"},
        "main_module: 'a.rb' does not have a valid extension. Use one of",
    ),
    ("namespaced_workers", fleet_options(workers=[{"name": "a"}, {"name": "a"}]), "'a' is declared twice"),
    ("namespaced_workers", fleet_options(workers=[{"name": None}]), "name"),
    ("namespaced_workers", fleet_options(workers=[{"name": ""}]), "has no name"),
    (
        "namespaced_workers",
        fleet_options(workers=[{"name": "a", "hostnames": ["x.y"]}, {"name": "b", "hostnames": ["X.Y"]}]),
        "x.y is declared for a and for b",
    ),
    (
        "namespaced_workers",
        fleet_options(workers=[{"name": "a", "hostnames": ["*.x.y"]}]),
        "a wildcard would never be found",
    ),
    (
        "namespaced_workers",
        fleet_options(workers=[{"name": "a", "hostnames": ["not a host"]}]),
        "a: hostnames: 'not a host' is not a valid host name",
    ),
    ("namespaced_workers", fleet_options(workers=None), "workers: give the Workers that are meant"),
    ("namespaced_worker", {**GOOD, "secrets": {"a-b": "secret-value"}}, "'a-b' is not a valid binding name"),
    ("worker_secrets", {"name": "a"}, "secrets: say which are meant"),
    ("worker_secrets", {"name": "a", "secrets": {}, "state": "absent"}, "secrets: say which are meant"),
    ("worker_secrets", {"name": "a", "secrets": {"a-b": "secret-value"}}, "'a-b' is not a valid binding name"),
    (
        "worker_secrets",
        {"name": "a", "secrets": {"A": "v"}, "update_secrets": "on_change"},
        "on_change needs fingerprint_key",
    ),
    ("dispatch_namespace", {"name": ".."}, "'..' is not a valid name"),
    ("kv_namespace", {"title": ""}, "title is empty"),
    (
        "kv_entries",
        {"namespace_id": "f" * 32, "entries": [{"key": "a", "value": "b"}]},
        "There is no KV namespace with the id f",
    ),
    (
        "namespaced_workers",
        fleet_options(workers=None, owner="mine", state="absent"),
        "workers: give the Workers that are meant",
    ),
    ("namespaced_worker", {**GOOD, "name": "a\n"}, r"name: 'a\\n' contains the control character U\+000A"),
    ("namespaced_worker", {**GOOD, "secrets": {"K": {"x": 1}}}, "secrets: K is a dict"),
    ("worker_route", {**ROUTE, "pattern": "a.example.com/*\n"}, "pattern: .* contains the control character"),
    ("worker_route", {**ROUTE, "zone_id": "../zones"}, "Check zone_id"),
    (
        "dispatch_namespace",
        {"name": "x", "api_token": "two\nlines"},
        "api_token: the value contains characters that are not allowed",
    ),
    ("dispatch_namespace", {"name": "x", "api_token": "täken"}, "api_token: the value contains characters"),
    ("namespaced_workers", fleet_options(state="absent"), "owner: name the owner"),
    (
        "namespaced_workers",
        fleet_options(workers="[{'name': 'a', 'date': datetime.date(2026, 11, 1)}]"),
        "unquoted date",
    ),
    ("worker_route", {"pattern": "*.platform.localhost/*"}, "worker: null"),
    ("worker_route", {**ROUTE, "pattern": "*.nowhere.org/*"}, "zone: no zone fits"),
    ("worker_route", {**ROUTE, "zone": "nowhere.org"}, "zone: there is no zone 'nowhere.org'"),
    ("worker_route", {**ROUTE, "pattern": "*/*"}, "matches every zone. Set zone or zone_id"),
    ("worker_route", {**ROUTE, "pattern": "a.*.example.com/?x=*"}, "is no route"),
    ("worker_route", {**ROUTE, "zone_id": "f" * 32}, "code (7003|9109)"),
    ("kv_namespace", {}, "title.*id"),
    ("kv_namespace", {"id": "f" * 32, "title": "x"}, "id: there is no KV namespace"),
    (
        "kv_entries",
        {"title": "nowhere", "entries": [{"key": "a", "value": "b"}]},
        "There is no KV namespace titled 'nowhere'",
    ),
    ("kv_entries", {"title": "x", "entries": [{"key": "", "value": "b"}]}, "cannot be a key"),
    ("kv_entries", {"title": "x", "entries": [{"key": "a"}]}, "'a' has no value"),
    (
        "kv_entries",
        {"title": "x", "entries": [{"key": "a", "value": 1}, {"key": "a", "value": 2}]},
        "'a' is declared twice",
    ),
    ("kv_entries", entry_options(key=".."), "'..' cannot be a key"),
    ("kv_entries", entry_options(key="ä" * 257), "cannot be a key: 1 to 512 bytes"),
    (
        "kv_entries",
        entry_options(metadata={"x": "y" * 1024}),
        "metadata of 'a' has 1032 bytes, and Cloudflare takes 1024",
    ),
    (
        "kv_entries",
        entry_options(value="y" * (25 * 1024 * 1024 + 1)),
        "value of 'a' has 26214401 bytes, and Cloudflare takes 26214400",
    ),
    ("kv_entries", entry_options(expiration_ttl=59), "expiration_ttl of 'a' is 59: give at least 60"),
    ("kv_entries", entry_options(expiration_ttl=60, expiration=4102444800), "both expiration and expiration_ttl"),
    ("kv_entries", entry_options(expiration=1700000000), "'a' expires at 1700000000, less than 60 s from now"),
    ("kv_entries", entry_options(value="%%%", base64=True), "value of 'a' is not base64"),
    ("kv_entries", {**entry_options(), "prune": True}, "prune: the option needs prefix"),
    (
        "kv_entries",
        {**entry_options(), "prune": True, "prefix": "", "state": "absent"},
        "needs prefix and state: present",
    ),
    ("kv_entries", {**entry_options(), "prefix": "b/"}, "'a' does not begin with prefix 'b/'"),
    ("worker_schedule", {"worker": "x"}, "crons: say when schedule"),
    ("worker_schedule", {"worker": "x", "crons": ["* * * *"]}, "it has 4 fields: give minute, hour"),
    ("worker_schedule", {"worker": "x", "crons": ["*  * * * *"]}, "one space between them"),
    ("worker_schedule", {"worker": "x", "crons": ["0 24 * * *"]}, r"'24' is not a valid hour \(0 to 23\)"),
    ("worker_schedule", {"worker": "x", "crons": ["*/0 * * * *"]}, "'\\*/0' is not a valid minute"),
    (
        "worker_schedule",
        {"worker": "x", "crons": ["0 4 * SUN *"]},
        r"'SUN' is not a valid month \(1 to 12, JAN to DEC\)",
    ),
    ("worker_schedule", {"worker": "x", "crons": ["0 4 * * *"]}, "There is no Worker 'x': upload it first"),
    ("dns_record", {**RECORD, "name": "www"}, "name: 'www' is not a fully qualified name"),
    ("dns_record", {**RECORD, "name": "a\u0378.example.com"}, "is not a fully qualified name"),
    ("dns_record", {**RECORD, "zone": "platform.localhost"}, "'www.example.com' is not in zone 'platform.localhost'"),
    ("dns_record", {**RECORD, "name": "www.nowhere.org"}, "zone: no zone fits A record 'www.nowhere.org'"),
    ("dns_record", {**RECORD, "type": "WWW"}, "value of type must be one of"),
    ("dns_record", {**RECORD, "content": ""}, "content is empty"),
    ("dns_record", {**RECORD, "content": None}, "content is empty"),
    (
        "dns_record",
        {"name": "www.example.com", "type": "A"},
        "A record 'www.example.com' does not exist yet: give its content",
    ),
    ("dns_record", {**RECORD, "proxied": True, "ttl": 300}, "ttl: A record 'www.example.com' is proxied"),
    ("dns_record", {**RECORD, "priority": 5}, "priority: A records have none beside their data, only MX and URI"),
    ("dns_record", {**RECORD, "ttl": 5}, "ttl: 5 is not a valid TTL. Set 30 to 86400"),
    ("worker_domain", {"hostname": "app.example.com"}, "worker: .* needs a Worker. Name it"),
    ("worker_domain", {"hostname": "app.example.com", "worker": None}, "worker: .* needs a Worker"),
    ("worker_domain", {"hostname": "*.example.com", "worker": "x"}, "no wildcard and no path"),
    ("worker_domain", {"hostname": "app.example.com/x", "worker": "x"}, "no wildcard and no path"),
    (
        "worker_domain",
        {"hostname": "app.nowhere.org", "worker": "x"},
        "zone: no zone fits custom domain 'app.nowhere.org'",
    ),
    ("custom_hostname", {"hostname": "shop.customer.net"}, "zone, zone_id"),
    ("custom_hostname", {**SHOP, "hostname": "*.customer.net"}, "hostname: '\\*.customer.net' is not a valid hostname"),
    ("custom_hostname", {**SHOP, "zone": "nowhere.org"}, "zone: there is no zone 'nowhere.org'"),
    ("custom_hostname", {**SHOP, "ssl": None}, "ssl: ssl is null, and Cloudflare cannot remove"),
    (
        "custom_hostname",
        {**SHOP, "ssl": {"method": "txt", "certificate_authority": None}},
        "ssl: certificate_authority is null",
    ),
    ("custom_hostname", {**SHOP, "ssl": {"wildcard": True}}, "ssl: the certificate of .* needs a validation method"),
    ("custom_hostname", {**SHOP, "ssl": {"method": "dns"}}, "must be one of: http, txt, email"),
    ("custom_hostname", {**SHOP, "wait_for": "Godot"}, "must be one of: validation_records, active"),
    (
        "queue",
        {"queue_name": "a", "settings": {"delivery_delay": 43_201}},
        "settings: delivery_delay is 43201. Set 0 to 43200 seconds",
    ),
    ("queue", {"queue_name": "a", "settings": {"delivery_delay": -1}}, "settings: delivery_delay is -1. Set 0 to"),
    (
        "queue",
        {"name": "a", "settings": {"message_retention_period": 59}},
        "message_retention_period is 59. Set 60 to 1209600",
    ),
    ("queue", {"name": "a", "settings": {"message_retention_period": 1_209_601}}, "Set 60 to 1209600 seconds"),
    ("queue", {"name": "a", "settings": {"delivery_paused": "maybe"}}, "delivery_paused"),
    ("queue", {"name": "a", "settings": {"dead_letter_queue": "b"}}, "dead_letter_queue"),
    ("queue", {"queue_name": ""}, "queue_name is empty"),
    ("queue", {"name": "a", "new_name": ""}, "new_name is empty"),
    ("api", {"path": "/accounts", "method": "POST", "paginate": True}, "paginate: POST requests have no pages"),
]


@pytest.mark.parametrize(
    ("module", "options", "message"), INVALID, ids=[f"{module}-{message[:30]}" for module, _options, message in INVALID]
)
def test_module_invalid_options_are_refused(run: Runner, module: str, options: dict[str, t.Any], message: str) -> None:
    error = run.refused(module, **options)
    assert re.search(message, error, re.DOTALL), error
    assert "Traceback" not in error


def test_account_id_missing_with_several_accounts_lists_them(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(accounts=["a" * 32 + ":Red", "b" * 32 + ":Blue"]) as edge:
        monkeypatch.delenv("CLOUDFLARE_ACCOUNT_ID")
        message = run.refused("dispatch_namespace", name="x", api_url=edge.api, api_token=edge.token)
    assert "access to 2 accounts" in message and "a" * 32 + " (Red)" in message and "b" * 32 + " (Blue)" in message


def test_account_id_missing_with_one_account_is_found(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLOUDFLARE_ACCOUNT_ID")
    assert run.ok("dispatch_namespace", name="x")["changed"]


def test_credentials_missing_are_refused(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLOUDFLARE_API_TOKEN")
    assert "api_token: no credentials are set" in run.refused("dispatch_namespace", name="x")


def test_dispatch_namespace_with_workers_is_deleted_only_with_force(run: Runner) -> None:
    run.ok("dispatch_namespace", name="tenants")
    run.ok("namespaced_worker", **GOOD)
    assert "still contains 1 Workers" in run.refused("dispatch_namespace", name="tenants", state="absent")
    assert run.ok("dispatch_namespace", name="tenants", state="absent", force=True)["dispatch_namespace"] is None


@pytest.mark.parametrize(("current", "other"), [("eu", "us"), ("eu", None), (None, "eu")])
@pytest.mark.parametrize("check", [False, True])
def test_kv_namespace_jurisdiction_cannot_be_changed(
    run: Runner, current: str | None, other: str | None, check: bool
) -> None:
    run.ok("kv_namespace", title="x", jurisdiction=current)
    assert not run.ok("kv_namespace", title="x", jurisdiction=current)["changed"]
    message = run.refused("kv_namespace", title="x", jurisdiction=other, check=check)
    assert f"created with jurisdiction {current or 'null'}, which cannot be changed" in message
    assert run.ok("kv_namespace", title="x")["kv_namespace"]["jurisdiction"] == current


def test_kv_namespace_with_keys_is_deleted_only_with_force(run: Runner) -> None:
    run.ok("kv_namespace", title="x")
    run.ok("kv_entries", title="x", entries=[{"key": "a", "value": "b"}])
    assert "Set force: true to delete them too" in run.refused("kv_namespace", title="x", state="absent")
    assert run.ok("kv_namespace", title="x", state="absent", force=True)["changed"]


def test_queue_with_producers_is_deleted_only_with_force(run: Runner) -> None:
    run.ok("queue", queue_name="orders")
    bindings = [{"name": "ORDERS", "type": "queue", "queue_name": "orders"}]
    run.ok("worker", name="shop", content=CODE, compatibility_date="2026-11-01", bindings=bindings)
    assert "still has 1 producers. Remove them first" in run.refused("queue", queue_name="orders", state="absent")
    assert "set force: true" in run.refused("queue", check=True, queue_name="orders", state="absent")
    assert run.ok("queue", queue_name="orders", state="absent", force=True)["queue"] is None


def test_queue_renamed_to_existing_name_is_refused(run: Runner) -> None:
    for name in ("a", "b"):
        run.ok("queue", queue_name=name)
    assert "because 'b' already exists" in run.refused("queue", queue_name="a", new_name="b")


def test_queue_invalid_settings_send_no_request(run: Runner, edge: Edge) -> None:
    edge.clear()
    run.refused("queue", queue_name="a", settings={"delivery_delay": 43_201})
    assert edge.requests() == []


def test_worker_route_of_other_worker_needs_take_over(run: Runner) -> None:
    for name in ("router", "other"):
        run.ok("worker", name=name, content=CODE, compatibility_date="2026-11-01")
    run.ok("worker_route", **ROUTE)
    for changes in ({"worker": "other"}, {"worker": None}, {"worker": "other", "state": "absent"}):
        assert "belongs to Worker 'router'. Set take_over: true" in run.refused("worker_route", **{**ROUTE, **changes})
    assert (
        run.ok("worker_route", **{**ROUTE, "worker": "other", "take_over": True})["worker_route"]["worker"] == "other"
    )


def test_namespaced_worker_of_other_owner_needs_take_over(run: Runner) -> None:
    run.ok("dispatch_namespace", name="tenants")
    run.ok("namespaced_worker", **GOOD, owner="them")
    assert "belongs to owner 'them', not to 'us'" in run.refused("namespaced_worker", **GOOD, owner="us")
    assert "belongs to owner 'them'" in run.refused(
        "namespaced_worker", dispatch_namespace="tenants", name="a", owner="us", state="absent"
    )
    assert "1 of 1 failed" in run.refused("namespaced_workers", **fleet_options(owner="us", workers=[{"name": "a"}]))
    taken = run.ok("namespaced_worker", **GOOD, owner="us", take_over=True)
    assert taken["namespaced_worker"]["owner"] == "us"
    assert [operation.split()[0] for operation in taken["operations"]] == ["PUT"] and taken["operations"][0].endswith(
        "/tags"
    )


def test_dispatch_namespace_renamed_to_existing_name_is_refused(run: Runner) -> None:
    for name in ("a", "b"):
        run.ok("dispatch_namespace", name=name)
    assert "because 'b' already exists" in run.refused("dispatch_namespace", name="a", new_name="b")


def test_namespaced_workers_with_missing_routing_kv_write_nothing(run: Runner) -> None:
    run.ok("dispatch_namespace", name="tenants")
    workers = [{"name": "a", "hostnames": ["a.example.com"]}]
    for routing_kv in ({"title": "nowhere"}, {"namespace_id": "f" * 32}):
        assert "There is no KV namespace" in run.refused(
            "namespaced_workers", **fleet_options(workers=workers, routing_kv=routing_kv)
        )


def test_namespaced_workers_with_one_missing_file_deploy_the_others(run: Runner, edge: Edge) -> None:
    run.ok("dispatch_namespace", name="tenants")
    workers = [{"name": "a"}, {"name": "b", "path": "/nowhere/b.js"}, {"name": "c"}]
    result = run("namespaced_workers", **fleet_options(workers=workers))
    assert result["failed"] and "1 of 3 failed. b: path: file /nowhere/b.js does not exist" in result["msg"]
    assert [(one["name"], one["changed"], one["failed"]) for one in result["namespaced_workers"]] == [
        ("a", True, False),
        ("b", False, True),
        ("c", True, False),
    ]
    workers[1] = {"name": "b"}
    finished = run.ok("namespaced_workers", **fleet_options(workers=workers))
    assert [one["name"] for one in finished["namespaced_workers"] if one["changed"]] == ["b"]
