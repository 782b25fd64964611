# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A value of the wrong type, in whichever option, is refused by the name of the option, and fails its Worker alone."""

from __future__ import annotations

import math
import typing as t

import pytest
from harness import Runner
from local_edge.testing import Edge
from tenant import CODE, SECRET

DEFAULTS = {"content": CODE, "compatibility_date": "2026-11-01"}
TENANT: dict[str, t.Any] = {"dispatch_namespace": "tenants", **DEFAULTS}
FLEET: dict[str, t.Any] = {"dispatch_namespace": "tenants", "defaults": DEFAULTS}
HALF = "\ud800"

WRONG: list[tuple[dict[str, t.Any], str]] = [
    *(({name: value}, f"{name}: ") for name in ("observability", "limits", "placement", "cache_options", "assets")
      for value in (True, 7, "smart", ["x"])),
    ({"observability": {"logs": True}}, "observability.logs: a boolean is not a dictionary. Set suboptions by name: "),
    ({"bindings": {"name": "A"}}, "bindings: a dictionary is not a list"),
    ({"bindings": [None]}, "bindings[0]: null is not a dictionary"),
    ({"bindings": [{"name": "A", "type": "dispatch_namespace", "outbound": "worker"}]}, "bindings[0].outbound: a text"),
    ({"bindings": [{"name": "A", "type": "json", "json": {"x": [math.nan]}}]}, "bindings[0].json.x[0]: nan is not"),
    ({"vars": {"A": HALF}}, "vars.A contains U+D800"),
    ({"vars": {HALF: "a"}}, "vars: a key contains U+D800"),
    ({"vars": {"A": -math.inf}}, "vars.A: -inf is not valid JSON"),
    ({"secrets": {"A": SECRET + HALF}}, "secrets.A contains U+D800"),
    ({"secrets": f"{{{SECRET}"}, "secrets: a text is not a dictionary"),
    ({"tags": [{}]}, "tags[0]: a dictionary is not a text"),
    ({"tags": [None]}, "tags[0]: null is not a text"),
    ({"tags": 7.5, "limits": {"cpu_ms": True}}, "limits.cpu_ms: True is not an integer"),
    ({"limits": {"cpu_ms": "Infinity"}}, "limits.cpu_ms: 'Infinity' is not an integer"),
    ({"observability": {"enabled": "perhaps"}}, "observability.enabled: 'perhaps' is not a boolean"),
    ({"observability": {"enabled": True, "head_sampling_rate": "nan"}}, "head_sampling_rate: 'nan' is not a number"),
    ({"content": {"a": 1}}, "content: a dictionary is not a text"),
    ({"content": None, "path": "a\0b"}, "path: the path contains a null character"),
    ({"content": None, "path": "a\udcffb"}, "path contains U+DCFF"),
]  # fmt: skip


def nested(depth: int) -> t.Any:
    return [nested(depth - 1)] if depth else []


@pytest.mark.parametrize(("options", "message"), WRONG, ids=str)
def test_worker_value_of_wrong_type_is_refused_by_name(
    run: Runner, edge: Edge, options: dict[str, t.Any], message: str
) -> None:
    error = run.refused("namespaced_worker", **{**TENANT, "name": "a", **options})
    assert message in error and SECRET not in error
    assert edge.requests() == []


@pytest.mark.parametrize(("options", "message"), WRONG, ids=str)
def test_fleet_value_of_wrong_type_fails_its_worker_alone(
    run: Runner, edge: Edge, options: dict[str, t.Any], message: str
) -> None:
    run.ok("dispatch_namespace", name="tenants")
    result = run("namespaced_workers", **FLEET, workers=[{"name": "good"}, {"name": "bad", **options}])
    outcomes = {member["name"]: member.get("msg") for member in result["namespaced_workers"]}
    assert result["failed"] and outcomes["good"] is None and message in outcomes["bad"]
    assert SECRET not in str(result["msg"])
    again = run("namespaced_workers", **FLEET, workers=[{"name": "good"}, {"name": "bad", **options}])
    assert again["failed"] and not again["changed"]


@pytest.mark.parametrize("element", ["acme", 7, None, ["name"], {"name": ["acme"]}, {"name": HALF}, {"nmae": "acme"}])
def test_fleet_element_without_a_name_fails_alone(run: Runner, edge: Edge, element: t.Any) -> None:
    run.ok("dispatch_namespace", name="tenants")
    result = run("namespaced_workers", **FLEET, workers=[element, {"name": "good"}])
    assert result["failed"] and "1 of 2 failed" in result["msg"], result["msg"]
    assert [member["changed"] for member in result["namespaced_workers"]] == [False, True]
    str(result).encode()


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        ("custom_hostname", {"hostname": "a.b.c", "zone": "example.com", "ssl": True}, "ssl: a boolean is not a"),
        ("kv_entries", {"title": "x", "entries": [{"key": "a", "value": {"x": math.nan}}]}, "entries[0].value.x: nan"),
        ("kv_entries", {"title": "x", "entries": [{"key": "a"}, "b"]}, "entries[1]: a text is not a dictionary"),
        ("kv_entries", {"title": "x", "entries": [{"key": "a", "value": nested(200)}]}, "more than 100 levels deep"),
        ("namespaced_workers", {**FLEET, "workers": [], "routing_kv": 7}, "routing_kv: a number is not a"),
        ("namespaced_workers", {**FLEET, "workers": [], "defaults": {"limits": 7}}, "defaults.limits: "),
        ("queue", {"name": "a", "settings": {"delivery_delay": "soon"}}, "settings.delivery_delay: 'soon' is not an"),
        ("worker_routes", {"routes": [{"pattern": "a.example.com/*", "worker": {}}]}, "worker: a dictionary is not"),
        ("api", {"path": "/accounts", "headers": 7}, "headers: a number is not a dictionary"),
    ],
)  # fmt: skip
def test_module_value_of_wrong_type_is_refused_by_name(
    run: Runner, edge: Edge, module: str, options: dict[str, t.Any], message: str
) -> None:
    assert message in run.refused(module, **options)
    assert edge.requests() == []


@pytest.mark.parametrize("size", [10**6])
def test_message_quotes_long_values_in_part(run: Runner, size: int) -> None:
    for options in ({"update_secrets": "x" * size}, {"compatibility_date": "x" * size}, {"tags": ["\x1b" * size]}):
        error = run.refused("namespaced_worker", **{**TENANT, "name": "a", **options})
        assert next(iter(options)) in error and len(error) < 10_000 and "\x1b" not in error
    members = run("namespaced_workers", **FLEET, workers=[{"name": "a", "usage_model": "x" * size}])
    assert len(members["msg"]) < 10_000 and len(members["namespaced_workers"][0]["msg"]) < 10_000


@pytest.mark.parametrize("character", ["\n", "\0", "\x1b", "\x9b", "\u2028", "\u202e"])
@pytest.mark.parametrize(
    ("module", "option", "others"),
    [
        ("dispatch_namespace", "name", {}),
        ("kv_namespace", "title", {}),
        ("kv_namespace_info", "id", {}),
        ("queue", "queue_name", {}),
        ("custom_hostname", "hostname", {"zone": "example.com"}),
        ("worker_route", "pattern", {"worker": "a"}),
        ("worker_schedule", "worker", {"crons": []}),
        ("dns_record", "zone", {"name": "a.example.com", "type": "A"}),
        ("dispatch_namespace_info", "account_id", {}),
        ("api", "path", {}),
    ],
)
def test_module_name_with_control_character_is_refused(
    run: Runner, edge: Edge, module: str, option: str, others: dict[str, t.Any], character: str
) -> None:
    message = run.refused(module, **{**others, option: f"/a{character}b"})
    assert message.startswith(option) and character not in message
    assert edge.requests() == []
