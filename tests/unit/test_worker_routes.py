# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many routes at once: what they share, what they cost, and that one of them fails alone."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.client import MAX_ATTEMPTS
from harness import Result, Runner
from local_edge.testing import Edge

NOWHERE = "f" * 32
SHARED: dict[str, t.Any] = {"worker": "router"}


@pytest.fixture(autouse=True)
def _workers(run: Runner) -> None:
    for name in ("router", "other"):
        run.ok(
            "worker",
            name=name,
            content="export default { fetch: () => new Response('one') };",
            compatibility_date="2026-11-01",
        )


def routes(*patterns: str, **options: t.Any) -> dict[str, t.Any]:
    return {**SHARED, "routes": [{"pattern": pattern} for pattern in patterns], **options}


def current_routes(run: Runner, zone: str) -> dict[str, str | None]:
    """Return the Worker of each pattern of a zone."""
    return {route["pattern"]: route["worker"] for route in run.ok("worker_route_info", zone=zone)["worker_routes"]}


def failures(result: Result) -> dict[str, str]:
    """Return why each route failed that did."""
    assert result["failed"] and "bug" not in result["msg"]
    return {one["name"]: one["msg"] for one in result["worker_routes"] if one["failed"]}


def test_worker_routes_each_change_sends_minimal_requests(run: Runner, edge: Edge) -> None:
    """Requests: the first number is reads, the second writes. One listing per zone, however many routes it has."""

    def count_requests(**options: t.Any) -> tuple[int, int]:
        edge.clear()
        run.ok("worker_routes", **options)
        writes = len(edge.writes())
        return len(edge.requests()) - writes, writes

    many = [f"{letter}.example.com/*" for letter in "abcdefgh"]
    by_id = routes(*many, zone_id=edge.zones["example.com"])
    assert count_requests(**by_id) == (2, 8)
    assert count_requests(**by_id) == (1, 0)
    assert count_requests(**routes(*many, zone="example.com")) == (2, 0)
    assert count_requests(**routes(*many)) == (10, 0), "each host may be a zone of its own: only asking tells"
    elsewhere = {"pattern": "a.platform.localhost/*", "zone_id": edge.zones["platform.localhost"]}
    assert count_requests(**{**by_id, "routes": [*by_id["routes"], elsewhere]}) == (3, 1), (
        "only what was written is read back"
    )
    assert count_requests(**{**by_id, "worker": "other", "take_over": True}) == (2, 8)
    assert count_requests(**by_id, take_over=True, state="absent") == (2, 8)
    assert count_requests(**by_id, state="absent") == (1, 0)
    assert count_requests(**routes(), zone="example.com") == (0, 0)


def test_worker_routes_host_is_custom_hostname_of_zone(run: Runner) -> None:
    run.ok("custom_hostname", hostname="www.customer.dev", zone="example.com", ssl={"method": "http", "type": "dv"})
    declared = routes("www.customer.dev/path", zone="example.com")
    assert run.ok("worker_routes", **declared)["changed"]
    assert not run.ok("worker_routes", **declared)["changed"]
    assert current_routes(run, "example.com") == {"www.customer.dev/path": "router"}
    elsewhere = failures(run("worker_routes", **routes("www.customer.dev/path", zone="platform.localhost")))
    assert "10022" in elsewhere["www.customer.dev/path"]


def test_worker_routes_zone_lookup_is_cached(run: Runner, edge: Edge) -> None:
    edge.clear()
    run.ok("worker_routes", **routes("a.b.example.com/*", "c.b.example.com/*"))
    paths = [seen["path"] for seen in edge.requests() if not seen["write"]]
    assert paths.count("/zones") == 4, "a.b, c.b, b and the zone itself"
    assert len(paths) == 6


def test_worker_routes_own_options_override_shared_ones(run: Runner, edge: Edge) -> None:
    declared = [
        {"pattern": "a.example.com/*"},
        {"pattern": "b.example.com/*", "worker": "other"},
        {"pattern": "c.example.com/*", "worker": None},
        {"pattern": "*/*", "zone_id": edge.zones["shop.example.com"]},
    ]
    result = run.ok("worker_routes", worker="router", zone="example.com", routes=declared)
    assert result["worker_routes"] == [
        {"name": route["pattern"], "changed": True, "failed": False} for route in declared
    ]
    assert current_routes(run, "example.com") == {
        "a.example.com/*": "router",
        "b.example.com/*": "other",
        "c.example.com/*": None,
    }
    assert current_routes(run, "shop.example.com") == {"*/*": "router"}
    taken = [{**declared[1], "worker": "router", "take_over": True}, {**declared[0], "worker": "other"}]
    assert list(failures(run("worker_routes", routes=taken))) == ["a.example.com/*"]
    assert current_routes(run, "example.com") == {
        "a.example.com/*": "router",
        "b.example.com/*": "router",
        "c.example.com/*": None,
    }


def test_worker_routes_omitted_worker_is_kept_and_null_removes_it(run: Runner) -> None:
    run.ok("worker_routes", **routes("a.example.com/*", "b.example.com/*"))
    assert not run.ok("worker_routes", routes=[{"pattern": "A.example.com/*"}])["changed"]
    assert not run.ok("worker_routes", routes=["pattern=a.example.com/*"])["changed"], (
        "text is silent too about what it does not say"
    )
    assert not run.ok("worker_routes", routes="pattern=a.example.com/*")["changed"]
    run.ok("worker_routes", worker=None, take_over=True, routes=[{"pattern": "a.example.com/*"}])
    assert current_routes(run, "example.com") == {"a.example.com/*": None, "b.example.com/*": "router"}


def test_worker_routes_undeclared_are_kept(run: Runner) -> None:
    run.ok("worker_routes", **routes("a.example.com/*", "b.example.com/*"))
    run.ok("worker_routes", **routes("a.example.com/*", state="absent"))
    assert current_routes(run, "example.com") == {"b.example.com/*": "router"}
    assert not run.ok("worker_routes", **routes(state="absent"))["changed"]


def test_worker_routes_same_pattern_in_several_zones_is_accepted(run: Runner) -> None:
    everywhere = [{"pattern": "*/*", "zone": zone} for zone in ("example.com", "platform.localhost")]
    result = run.ok("worker_routes", **SHARED, routes=everywhere)
    assert [one["name"] for one in result["worker_routes"]] == [
        "*/* in zone example.com",
        "*/* in zone platform.localhost",
    ]
    assert current_routes(run, "example.com") == current_routes(run, "platform.localhost") == {"*/*": "router"}


@pytest.mark.parametrize(
    "declared",
    [
        [{"pattern": "A.example.com"}, {"pattern": "a.example.com/"}],
        [{"pattern": "A.example.com", "zone": "example.com"}, {"pattern": "a.example.com/"}],
        [{"pattern": "A.example.com", "zone": "example.com"}, {"pattern": "a.example.com/", "zone": "Example.com."}],
        [{"pattern": "A.example.com", "zone": "example.com"}, {"pattern": "a.example.com/", "zone_id": NOWHERE}],
        [
            {"pattern": "A.example.com", "zone_id": NOWHERE},
            {"pattern": "*/*"},
            {"pattern": "a.example.com/", "zone_id": NOWHERE},
        ],
    ],
)
def test_worker_routes_duplicate_is_refused_without_requests(run: Runner, edge: Edge, declared: list[t.Any]) -> None:
    message = run.refused("worker_routes", **SHARED, routes=declared)
    assert (
        "routes: 'A.example.com' and 'a.example.com/' are one route: remove one of them, or give both the zone"
        in message
    )
    assert edge.requests() == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "routes"),
        ({"routes": None}, "routes"),
        ({"routes": [{"worker": "router"}]}, "routes: number 1 has no pattern"),
        ({"routes": [{"pattern": "a.example.com/*"}, {"pattern": ""}]}, "routes: number 2 has no pattern"),
        ({"routes": [{"pattern": None}]}, "routes: number 1 has no pattern"),
        ({"routes": [], "zone": "example.com", "zone_id": NOWHERE}, "mutually exclusive: zone_id|zone"),
        ({"routes": [], "zone": ""}, "zone is empty"),
        ({"routes": [7]}, "routes: number 1 has no pattern"),
        ({"routes": [], "concurrency": 0}, "concurrency is 0"),
    ],
)
def test_worker_routes_invalid_options_are_refused(run: Runner, options: dict[str, t.Any], message: str) -> None:
    assert message in run.refused("worker_routes", **options)


INVALID: dict[str, tuple[dict[str, t.Any], str]] = {
    "a.*.example.com/*": ({}, "is no route"),
    "*/*": ({}, "zone: '*' matches every zone. Set zone or zone_id"),
    "null.example.com/*": ({"zone": None}, "zone is null: set a value, or omit it"),
    "empty.example.com/*": ({"zone_id": ""}, "zone_id is empty: set a value, or omit it"),
    "two.example.com/*": ({"zone": "example.com", "zone_id": NOWHERE}, "mutually exclusive: zone_id|zone"),
    "more.example.com/*": ({"owner": "x"}, "owner"),
    "5": ({"owner": "x"}, "owner"),
}


@pytest.mark.parametrize("state", ["present", "absent"])
def test_worker_routes_invalid_declarations_refuse_all(run: Runner, edge: Edge, state: str) -> None:
    declared = [
        {"pattern": int(pattern) if pattern.isdigit() else pattern, **INVALID[pattern][0]} for pattern in INVALID
    ]
    valid = [{"pattern": f"{letter}.example.com/*"} for letter in "xy"]
    message = run.refused(
        "worker_routes", **SHARED, routes=[valid[0], *declared, valid[1]], state=state, max_failures=9
    )
    assert message.startswith(f"Routes: {len(INVALID)} of {len(INVALID) + 2} are invalid, and nothing was changed. ")
    for pattern, (_options, problem) in INVALID.items():
        assert pattern in message and problem in message
    assert edge.requests() == []


@pytest.mark.parametrize(("unknown", "code"), [(NOWHERE, 9109), ("nowhere", 7003)])
def test_worker_routes_refused_route_fails_alone(run: Runner, unknown: str, code: int) -> None:
    run.ok("worker_route", pattern="theirs.example.com/*", worker="other")
    refused: dict[str, tuple[dict[str, t.Any], str]] = {
        "theirs.example.com/*": ({}, "belongs to Worker 'other'. Set take_over: true"),
        "*.nowhere.org/*": ({}, "zone: no zone fits route '*.nowhere.org/*'"),
        "b.nowhere.org/*": (
            {"zone": "nowhere.org"},
            "zone: there is no zone 'nowhere.org' that these credentials can see: add it to the account",
        ),
        "c.nowhere.org/*": ({"zone_id": unknown}, f"code {code}"),
        "absent.example.com/*": ({"worker": "nobody"}, "Upload the Worker first"),
        "elsewhere.net/*": ({"zone": "example.com"}, "code 10022"),
    }
    valid = [{"pattern": f"{letter}.example.com/*"} for letter in "xyz"]
    others = [{"pattern": pattern, **options} for pattern, (options, _message) in refused.items()]
    result = run("worker_routes", **SHARED, routes=[*valid[:1], *others, *valid[1:]])
    errors = failures(result)
    assert list(errors) == list(refused)
    for pattern, (_options, message) in refused.items():
        assert message in errors[pattern], errors[pattern]
    assert f"Routes: {len(refused)} of {len(refused) + 3} failed. theirs.example.com/*: worker: " in result["msg"]
    assert set(current_routes(run, "example.com")) == {"theirs.example.com/*", *(route["pattern"] for route in valid)}
    assert len(result["operations"]) == len(valid)


def test_worker_routes_failing_zone_is_queried_once(run: Runner, edge: Edge) -> None:
    edge.clear()
    unknown_routes = [{"pattern": f"{letter}.nowhere.org/*", "zone_id": NOWHERE} for letter in "abc"]
    result = run("worker_routes", **SHARED, routes=[*unknown_routes, {"pattern": "a.example.com/*"}])
    assert list(failures(result)) == [route["pattern"] for route in unknown_routes]
    assert [seen["path"] for seen in edge.requests()].count(f"/zones/{NOWHERE}/workers/routes") == 1
    assert current_routes(run, "example.com") == {"a.example.com/*": "router"}
    edge.clear()
    failing_zone = edge.zones["shop.example.com"]
    edge.fault(method="GET", path=f"/zones/{failing_zone}/.*", status=502, times=99, when="before")
    result = run(
        "worker_routes",
        **SHARED,
        routes=[{"pattern": f"{letter}.shop.example.com/*", "zone_id": failing_zone} for letter in "abc"],
    )
    assert len(failures(result)) == 3 and len(edge.requests()) == MAX_ATTEMPTS


def test_worker_routes_unknown_zone_is_empty_in_check_mode(run: Runner) -> None:
    predicted = run.ok("worker_routes", check=True, **routes("*.nowhere.org/*", "a.nowhere.org/*", zone="nowhere.org"))
    assert predicted["operations"] == ["POST /zones/(known after apply)/workers/routes"] * 2
    predicted_with_id = run.ok("worker_routes", check=True, **routes("*.nowhere.org/*", zone_id="(known after apply)"))
    assert predicted_with_id["operations"] == predicted["operations"][:1]
    assert not run.ok("worker_routes", **routes("*.nowhere.org/*", zone="nowhere.org", state="absent"))["changed"]


def test_worker_routes_lost_response_is_not_repeated(run: Runner, edge: Edge) -> None:
    for when, applied in (("after", True), ("before", False)):
        edge.clear()
        edge.fault(method="POST", path=".*/workers/routes", status=502, times=1, when=when)
        result = run("worker_routes", **routes(f"a.{when}.example.com/*", f"b.{when}.example.com/*"), concurrency=1)
        assert len(edge.writes()) == 2
        assert len(result["operations"]) == result["summary"]["changed"] == (2 if applied else 1)
        assert applied or list(failures(result)) == [f"a.{when}.example.com/*"]
        assert not applied or not result.get("failed")
    assert len(current_routes(run, "example.com")) == 3


def test_worker_routes_over_max_failures_aborts(run: Runner, edge: Edge) -> None:
    declared = [{"pattern": f"{letter}.example.com/*", "worker": "nobody"} for letter in "abc"]
    valid = {"pattern": "d.example.com/*"}
    aborted = run("worker_routes", **SHARED, routes=[*declared, valid], max_failures=1, concurrency=1)
    assert "Aborted: more than max_failures (1) failed; 2 not started" in aborted["msg"]
    assert current_routes(run, "example.com") == {}
    tolerated = run.ok("worker_routes", **SHARED, routes=[*declared, valid], max_failures=3)
    assert (
        tolerated["summary"] == {"total": 4, "changed": 1, "failed": 3} and "3 of 4 failed" in tolerated["warnings"][0]
    )
