# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands around the Workers of a platform: schedules, names, entries of KV, and what each costs."""

from __future__ import annotations

import base64
import contextlib
import random
import time
import typing as t

import pytest
from harness import Runner
from local_edge.errors import ApiError
from local_edge.model import cron
from local_edge.testing import Edge, running

CODE = "export default { fetch: () => new Response('one') };"
PARTS = "* 0 7 8 23 24 31 59 60 1-5 5-61 */5 */0 3/05 */100 JAN dec SUN mon-FRI L LW 15W 3#2"  # of cron expressions


def count_requests(run: Runner, edge: Edge, module: str, **options: t.Any) -> tuple[int, int]:
    """Run a module, and count its reads and its writes."""
    edge.clear()
    run.ok(module, **options)
    writes = len(edge.writes())
    return len(edge.requests()) - writes, writes


@pytest.fixture
def _router(run: Runner) -> None:
    for name in ("router", "other"):
        run.ok("worker", name=name, content=CODE, compatibility_date="2026-11-01")


@pytest.mark.usefixtures("_router")
def test_worker_schedule_each_change_sends_minimal_requests(run: Runner, edge: Edge) -> None:
    crons = ["*/30 * * * *"]
    assert count_requests(run, edge, "worker_schedule", worker="router", crons=crons) == (2, 1)
    assert count_requests(run, edge, "worker_schedule", worker="router", crons=crons) == (1, 0)
    assert count_requests(run, edge, "worker_schedule", worker="router", state="absent") == (2, 1)
    assert count_requests(run, edge, "worker_schedule", worker="router", state="absent") == (1, 0)
    assert count_requests(run, edge, "worker_schedule", worker="nobody", state="absent") == (1, 0)


def test_cron_error_agrees_with_local_edge() -> None:
    from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.worker_schedule import (
        cron_error,
    )

    generator = random.Random(7)
    accepted = 0
    for _turn in range(3000):
        fields = ["*"] * generator.choice((4, 5, 5, 5, 5, 6))
        fields[generator.randrange(len(fields))] = ",".join(
            generator.choices(PARTS.split(), k=generator.choice((1, 1, 2)))
        )
        one = " ".join(fields)
        try:
            cron.check([one])
        except ApiError:
            assert cron_error(one), one
        else:
            accepted += 1
            assert not cron_error(one), one
    assert 500 < accepted < 2500, "neither all nor none of them are good"


RECORD: dict[str, t.Any] = {"name": "www.example.com", "type": "A", "content": "192.0.2.1"}


def record_contents(run: Runner, edge: Edge, **query: t.Any) -> list[t.Any]:
    """Return the contents of the records of example.com."""
    found = run.ok("api", path=f"/zones/{edge.zones['example.com']}/dns_records", query=query)["api"]
    return sorted(record["content"] for record in found)


def test_dns_record_each_change_sends_minimal_requests(run: Runner, edge: Edge) -> None:
    known = {**RECORD, "zone_id": edge.zones["example.com"]}
    assert count_requests(run, edge, "dns_record", **known) == (2, 1)
    assert count_requests(run, edge, "dns_record", **known) == (1, 0)
    assert count_requests(run, edge, "dns_record", **{**known, "content": "192.0.2.2"}) == (2, 1)
    assert count_requests(run, edge, "dns_record", **RECORD, state="absent") == (3, 0), (
        "the zone by the two levels of the name, and the record"
    )


def test_dns_record_single_changes_content_and_multi_value_adds(run: Runner, edge: Edge) -> None:
    run.ok("dns_record", **RECORD)
    changed = run.ok("dns_record", **{**RECORD, "content": "192.0.2.2"})
    assert [operation.split()[0] for operation in changed["operations"]] == ["PATCH"] and record_contents(
        run, edge
    ) == ["192.0.2.2"]
    for content in ("192.0.2.3", "192.0.2.4", "192.0.2.3"):
        run.ok("dns_record", **{**RECORD, "content": content, "multi_value": True})
    assert record_contents(run, edge) == ["192.0.2.2", "192.0.2.3", "192.0.2.4"]
    assert run.ok("dns_record", **{**RECORD, "content": "192.0.2.3", "ttl": 600})["dns_record"]["ttl"] == 600, (
        "it is told by its content"
    )
    for options in ({"content": "192.0.2.9"}, {"content": "192.0.2.9", "proxied": True}):
        assert "there are 3 of A record 'www.example.com': '192.0.2.2', '192.0.2.3'" in run.refused(
            "dns_record", **{**RECORD, **options}
        )
    assert "Give the content" in run.refused("dns_record", name="www.example.com", type="A", state="absent")
    assert not run.ok("dns_record", **{**RECORD, "content": "192.0.2.9"}, state="absent")["changed"]
    assert run.ok("dns_record", **{**RECORD, "content": "192.0.2.3"}, state="absent")["changed"]
    assert record_contents(run, edge) == ["192.0.2.2", "192.0.2.4"]


def test_dns_record_txt_is_added_by_default(run: Runner, edge: Edge) -> None:
    txt = {"name": "example.com", "type": "TXT"}
    run.ok("dns_record", **txt, content="v=spf1 -all")
    run.ok("dns_record", **txt, content="verification=1")
    assert record_contents(run, edge) == ["v=spf1 -all", "verification=1"]
    assert not run.ok("dns_record", **txt, content="verification=2", multi_value=False, state="absent")["changed"]
    assert not run.ok("dns_record", **txt, content='"v=spf1" " -all"')["changed"], "quotes are Cloudflare's affair"
    run.ok("dns_record", **txt, content="verification=1", state="absent")
    run.ok("dns_record", **txt, content="v=spf1 ~all", multi_value=False)
    assert record_contents(run, edge) == ["v=spf1 ~all"]


def test_dns_record_equivalent_content_is_unchanged(run: Runner) -> None:
    for kind, one, other in (
        ("AAAA", "100::", "0100:0::0"),
        ("CNAME", "Shop.Example.net.", "shop.example.net"),
        ("MX", "mx.example.net", "MX.example.net"),
    ):
        options = {"name": f"{kind}.example.com", "type": kind, **({"priority": 10} if kind == "MX" else {})}
        assert run.ok("dns_record", **options, content=one)["changed"]
        assert not run.ok("dns_record", **options, content=other)["changed"]


def test_dns_record_with_data_is_matched_by_data(run: Runner) -> None:
    caa = {"name": "example.com", "type": "CAA"}
    first = {"flags": 0, "tag": "issue", "value": "letsencrypt.org"}
    assert run.ok("dns_record", **caa, data=first)["dns_record"]["content"] == '0 issue "letsencrypt.org"'
    assert not run.ok("dns_record", **caa, data=first)["changed"]
    run.ok("dns_record", **caa, data={**first, "value": "pki.goog"})
    assert "there are 2 of CAA record" in run.refused("dns_record", **caa, data={"tag": "issue"}, state="absent")
    changed = run.ok("dns_record", **caa, data={"value": "pki.goog"}, comment="the second")
    assert changed["dns_record"]["data"] == {**first, "value": "pki.goog"}
    assert run.ok("dns_record", **caa, data={"value": "pki.goog"}, state="absent")["changed"]
    moved = run.ok("dns_record", **caa, data={"value": "sectigo.com"}, multi_value=False)
    assert moved["dns_record"]["content"] == '0 issue "sectigo.com"'


def test_dns_record_becoming_proxied_resets_ttl(run: Runner) -> None:
    run.ok("dns_record", **RECORD, ttl=300)
    predicted = run.ok("dns_record", **RECORD, proxied=True, check=True)["dns_record"]
    assert predicted["ttl"] == 1 == run.ok("dns_record", **RECORD, proxied=True)["dns_record"]["ttl"]
    assert "is proxied" in run.refused("dns_record", **RECORD, ttl=300)


def test_dns_record_conflict_reports_api_message(run: Runner, edge: Edge) -> None:
    run.ok("dns_record", **RECORD)
    message = run("dns_record", **{**RECORD, "type": "CNAME", "content": "example.net"})["msg"]
    assert "code 81053: An A, AAAA, or CNAME record with that host already exists. Remove that record first" in message
    wrong_name_message = run("dns_record", **{**RECORD, "name": "www.other"}, zone_id=edge.zones["example.com"])["msg"]
    assert "was made as 'www.other.example.com': remove that" in wrong_name_message


DOMAIN: dict[str, t.Any] = {"hostname": "app.example.com", "worker": "router"}


@pytest.mark.usefixtures("_router")
def test_worker_domain_each_change_sends_minimal_requests(run: Runner, edge: Edge) -> None:
    known = {**DOMAIN, "zone_id": edge.zones["example.com"]}
    assert count_requests(run, edge, "worker_domain", **known) == (2, 1)
    assert count_requests(run, edge, "worker_domain", **DOMAIN) == (1, 0), (
        "one that exists says itself what zone it is in"
    )
    assert count_requests(run, edge, "worker_domain", **{**DOMAIN, "worker": "other"}, take_over=True) == (2, 1)
    assert count_requests(run, edge, "worker_domain", hostname="app.example.com", state="absent") == (2, 1)
    assert count_requests(run, edge, "worker_domain", hostname="app.example.com", state="absent") == (1, 0)


@pytest.mark.usefixtures("_router")
def test_worker_domain_of_other_worker_needs_take_over(run: Runner) -> None:
    created = run.ok("worker_domain", **DOMAIN)["worker_domain"]
    for changes in ({"worker": "other"}, {"worker": "other", "state": "absent"}):
        assert "belongs to Worker 'router'. Set take_over: true" in run.refused(
            "worker_domain", **{**DOMAIN, **changes}
        )
    taken = run.ok("worker_domain", **{**DOMAIN, "worker": "other", "take_over": True})["worker_domain"]
    assert taken == {**created, "worker": "other"}


@pytest.mark.usefixtures("_router")
def test_worker_domain_and_dns_record_with_same_name_conflict(run: Runner) -> None:
    run.ok("dns_record", **{**RECORD, "name": "app.example.com"})
    assert (
        "code 100117" in (message := run("worker_domain", **DOMAIN)["msg"]) and "Remove these records first" in message
    )
    run.ok("dns_record", name="app.example.com", type="A", state="absent")
    run.ok("worker_domain", **DOMAIN)
    assert (
        "code 81062" in (message := run("dns_record", **{**RECORD, "name": "app.example.com"})["msg"])
        and "Remove the custom domain first" in message
    )


def test_worker_domain_of_missing_worker_fails(run: Runner) -> None:
    assert "Upload the Worker first" in run("worker_domain", **DOMAIN)["msg"]


SHOP: dict[str, t.Any] = {"hostname": "shop.customer.net", "zone": "platform.localhost", "ssl": {"method": "txt"}}


@contextlib.contextmanager
def active_after(edge: Edge, seconds: float) -> t.Iterator[dict[str, t.Any]]:
    """Options for an edge on which a custom hostname is active after so many seconds."""
    with running(accounts=[edge.account], zones=["platform.localhost"], custom_hostname_seconds=seconds) as other:
        yield {"api_url": other.api, "api_token": other.token}


def test_custom_hostname_each_change_sends_minimal_requests(run: Runner, edge: Edge) -> None:
    known = {"hostname": "shop.customer.net", "zone_id": edge.zones["platform.localhost"], "ssl": {"method": "txt"}}
    assert count_requests(run, edge, "custom_hostname", **known) == (2, 1)
    assert count_requests(run, edge, "custom_hostname", **known, custom_metadata={"customer": "a"}) == (2, 1)
    assert count_requests(run, edge, "custom_hostname", **known) == (1, 0)
    assert count_requests(run, edge, "custom_hostname", **known, state="absent") == (2, 1)


def test_custom_hostname_certificate_is_reissued_only_on_change(run: Runner, edge: Edge) -> None:
    with active_after(edge, 0) as to:
        run.ok("custom_hostname", **SHOP, **to)
        listed = {"path": f"/zones/{edge.zones['platform.localhost']}/custom_hostnames", **to}
        issued = run.ok("api", **listed)["api"][0]["ssl"]["uploaded_on"]
        run.ok("custom_hostname", **SHOP, **to, custom_metadata={"a": "b"})
        run.ok(
            "custom_hostname",
            **{**SHOP, "ssl": {"method": "txt", "wildcard": False, "type": "dv", "settings": {}}},
            **to,
        )
        assert run.ok("api", **listed)["api"][0]["ssl"]["uploaded_on"] == issued
        run.ok("custom_hostname", **{**SHOP, "ssl": {"wildcard": True}}, **to)
        after = run.ok("api", **listed)["api"][0]["ssl"]
        assert after["uploaded_on"] != issued and after["method"] == "txt" and after["wildcard"]


@pytest.mark.slow
def test_custom_hostname_wait_for_validation_records_returns_them(
    run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine import converge

    monkeypatch.setattr(converge, "POLL_MAX_INTERVAL", 0.1)
    with active_after(edge, 4) as to:
        first = run.ok("custom_hostname", **SHOP, **to)["custom_hostname"]
        assert (first["status"], first["ssl_status"]) == ("pending", "initializing")
        assert [record["name"] for record in first["dns_records"]] == ["_cf-custom-hostname.shop.customer.net"]
        later = run.ok("custom_hostname", **SHOP, **to, wait_for="validation_records", wait_timeout=6)
    assert not later["changed"]
    dns_records = later["custom_hostname"]["dns_records"]
    assert [(record["name"], record["type"]) for record in dns_records] == [
        ("_cf-custom-hostname.shop.customer.net", "TXT"),
        ("_acme-challenge.shop.customer.net", "TXT"),
    ]
    assert dns_records[0]["content"] == later["custom_hostname"]["id"] and dns_records[1]["content"]


@pytest.mark.slow
def test_custom_hostname_wait_for_active_returns_active(run: Runner, edge: Edge) -> None:
    with active_after(edge, 1) as to:
        predicted = run.ok("custom_hostname", **SHOP, **to, wait_for="active", check=True)["custom_hostname"]
        assert predicted["status"] == "(known after apply)", "check mode waits for nothing"
        done = run.ok("custom_hostname", **SHOP, **to, wait_for="active")
    assert done["changed"] and (done["custom_hostname"]["status"], done["custom_hostname"]["ssl_status"]) == (
        "active",
        "active",
    )
    assert done["custom_hostname"]["dns_records"] == []


def test_custom_hostname_wait_timeout_reports_required_records(run: Runner) -> None:
    result = run("custom_hostname", **SHOP, wait_for="active", wait_timeout=0)
    assert (
        result["failed"]
        and "after 0 s it is pending, its certificate initializing. The customer's DNS needs: TXT _cf-custom-hostname"
        in result["msg"]
    )
    assert not run.ok("custom_hostname", **SHOP)["changed"], "what was written stays"


KV: dict[str, t.Any] = {"title": "Plans"}
BYTES = base64.b64encode(b"\x00\xff\xfe").decode()


@pytest.fixture
def _plans(run: Runner) -> None:
    run.ok("kv_namespace", **KV)


def write_entries(run: Runner, *some: dict[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
    """Declare entries, and return the result without what never changes."""
    return run.ok("kv_entries", **KV, entries=list(some), **options)


def list_keys(run: Runner, edge: Edge) -> dict[str, t.Any]:
    """Return all keys of the KV namespace, with what is said of them."""
    root = f"/accounts/{edge.account}/storage/kv/namespaces"
    namespace = run.ok("api", path=root)["api"][0]["id"]
    return {key.pop("name"): key for key in run.ok("api", path=f"{root}/{namespace}/keys", paginate=True)["api"]}


@pytest.mark.usefixtures("_plans")
def test_kv_entries_written_with_ttl_keep_expiration(run: Runner, edge: Edge) -> None:
    offer = {"key": "offer", "value": "20%"}
    now = time.time()
    assert write_entries(run, {**offer, "expiration_ttl": 600})["changed"]
    ends = list_keys(run, edge)["offer"]["expiration"]
    assert now + 599 <= ends <= time.time() + 601
    for lasting in ({"expiration_ttl": 600}, {"expiration_ttl": 9000}, {"expiration": ends}, {}):
        assert not write_entries(run, {**offer, **lasting})["changed"], lasting
    assert (
        write_entries(run, {**offer, "value": "30%"})["changed"] and list_keys(run, edge)["offer"]["expiration"] == ends
    ), "its end travels with a write"
    assert (
        write_entries(run, {**offer, "value": "30%", "expiration_ttl": 120})["changed"]
        and list_keys(run, edge)["offer"]["expiration"] < ends
    )
    assert (
        write_entries(run, {**offer, "value": "30%", "expiration_ttl": None})["changed"]
        and "expiration" not in list_keys(run, edge)["offer"]
    )
    assert (
        write_entries(run, {**offer, "value": "30%", "expiration": ends})["changed"]
        and list_keys(run, edge)["offer"]["expiration"] == ends
    )
    assert (
        write_entries(run, {**offer, "value": "30%", "expiration": None})["changed"]
        and "expiration" not in list_keys(run, edge)["offer"]
    )
    assert "expires at 1700000000" in run.refused("kv_entries", **KV, entries=[{**offer, "expiration": 1700000000}])


@pytest.mark.usefixtures("_plans")
def test_kv_entries_metadata_change_is_written(run: Runner, edge: Edge) -> None:
    write_entries(run, {"key": "a", "value": "b", "metadata": {"x": 1}})
    assert not write_entries(run, {"key": "a", "value": "b"})["changed"]
    assert write_entries(run, {"key": "a", "value": "b", "metadata": {"x": 2}})["changed"] and list_keys(run, edge)[
        "a"
    ]["metadata"] == {"x": 2}
    assert (
        write_entries(run, {"key": "a", "value": "b", "metadata": None})["changed"] and list_keys(run, edge)["a"] == {}
    )


@pytest.mark.usefixtures("_plans")
def test_kv_entries_base64_values_are_idempotent(run: Runner, edge: Edge) -> None:
    picture = {"key": "a/picture", "value": BYTES, "base64": True}
    assert write_entries(run, picture, {"key": "a", "value": "x"})["changed"]
    again = write_entries(run, picture, {"key": "a", "value": "x"})
    assert not again["changed"] and again["kv_entries"]["entries"]["a/picture"] == {
        "value": BYTES,
        "base64": True,
        "metadata": None,
    }
    text = {"key": "b", "value": base64.b64encode("später".encode()).decode(), "base64": True}
    assert write_entries(run, text)["kv_entries"]["entries"]["b"]["value"] == "später"
    assert not write_entries(run, {"key": "b", "value": "später"})["changed"]
    assert count_requests(run, edge, "kv_entries", **KV, entries=[picture]) == (3, 0), (
        "the title, what is said of the key, its bytes"
    )
    assert write_entries(run, {**picture, "metadata": {"x": 1}})["changed"] and list_keys(run, edge)["a/picture"][
        "metadata"
    ] == {"x": 1}
    assert write_entries(run, {"key": "a/picture", "base64": True}, state="absent")[
        "changed"
    ] and "a/picture" not in list_keys(run, edge)
    assert not write_entries(run, {"key": "a/picture", "base64": True}, state="absent")["changed"]


@pytest.mark.usefixtures("_plans")
def test_kv_entries_prune_deletes_undeclared_keys_in_prefix(run: Runner, edge: Edge) -> None:
    write_entries(run, *({"key": f"{place}/{number}", "value": "x"} for place in ("in", "out") for number in range(4)))
    declared = [{"key": "in/1", "value": "x"}, {"key": "in/9", "value": "y"}]
    predicted = run.ok("kv_entries", **KV, prefix="in/", prune=True, entries=declared, check=True)
    done = write_entries(run, *declared, prefix="in/", prune=True)
    assert predicted["operations"] == done["operations"] and predicted["diff"] == done["diff"]
    assert [operation.rsplit("/", 1)[1] for operation in done["operations"]] == ["bulk", "delete"]
    assert list(done["diff"]["before"]) == ["in/1", "in/0", "in/2", "in/3"] and list(done["diff"]["after"]) == [
        "in/1",
        "in/9",
    ]
    assert list(list_keys(run, edge)) == ["in/1", "in/9", *(f"out/{number}" for number in range(4))]
    assert not write_entries(run, *declared, prefix="in/", prune=True)["changed"]
    error = run.refused("kv_entries", **KV, prefix="", prune=True, prune_limit=3, entries=declared)
    assert "prune: 4 keys are not declared, such as 'out/0', and prune_limit is 3. Set prune_limit: 4 " in error
    assert write_entries(run, prefix="", prune=True)["changed"] and list_keys(run, edge) == {}


def test_kv_entries_prune_keeps_routing_records(run: Runner, edge: Edge) -> None:
    run.ok("dispatch_namespace", name="tenants")
    run.ok("kv_namespace", **KV)
    fleet = {
        "dispatch_namespace": "tenants",
        "workers": [{"name": "a", "hostnames": ["a.example.com"]}],
        "routing_kv": KV,
    }
    run.ok("namespaced_workers", **fleet, defaults={"content": CODE, "compatibility_date": "2026-11-01"})
    write_entries(run, {"key": "mine", "value": "x", "metadata": {"x": 1}})
    root = f"/accounts/{edge.account}/storage/kv/namespaces"
    namespace = run.ok("api", path=root)["api"][0]["id"]
    run.ok(
        "api",
        method="PUT",
        path=f"{root}/{namespace}/bulk",
        body=[{"key": "odd", "value": "x", "metadata": ["tenantry"]}],
    )
    assert write_entries(run, prefix="", prune=True)["changed"] and list(list_keys(run, edge)) == [
        "a.example.com",
        "tenantry/ledger/default",
    ]


@pytest.mark.usefixtures("_plans")
def test_kv_entries_each_change_sends_minimal_requests(run: Runner, edge: Edge) -> None:
    some = {"title": "Plans", "entries": [{"key": f"k{number}", "value": "x"} for number in range(250)]}
    assert count_requests(run, edge, "kv_entries", **some) == (4, 1)
    assert count_requests(run, edge, "kv_entries", **some) == (4, 0)
    assert count_requests(run, edge, "kv_entries", **some, prefix="k", prune=True) == (5, 0)
    assert count_requests(
        run, edge, "kv_entries", **{**some, "entries": some["entries"][:200]}, prefix="k", prune=True
    ) == (4, 1)


@pytest.mark.usefixtures("_plans")
def test_kv_entries_large_write_is_split(run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources import kv_values

    def bulk_writes(*some: dict[str, t.Any]) -> list[int]:
        edge.clear()
        write_entries(run, *some)
        return [operation.count("/bulk") for operation in edge.writes()]

    monkeypatch.setattr(kv_values, "MAX_BULK_WRITE", 3)
    assert bulk_writes(*({"key": f"k{number}", "value": "x"} for number in range(7))) == [1, 1, 1]
    monkeypatch.setattr(kv_values, "MAX_BULK_BYTES", 1000)
    assert bulk_writes(*({"key": f"k{number}", "value": "ä" * 100} for number in range(2))) == [1, 1], (
        "as JSON each takes six hundred bytes"
    )
    assert len(list_keys(run, edge)) == 7
