# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands around the Workers of a platform: schedules, names, and what each costs."""

from __future__ import annotations

import random
import typing as t

import pytest
from harness import Runner
from local_edge.errors import ApiError
from local_edge.model import cron
from local_edge.testing import Edge, running

CODE = "export default { fetch: () => new Response('one') };"
PARTS = "* 0 7 8 23 24 31 59 60 1-5 5-61 */5 */0 3/05 */100 JAN dec SUN mon-FRI L LW 15W 3#2"  # of cron expressions


def cost(run: Runner, edge: Edge, module: str, **options: t.Any) -> tuple[int, int]:
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
def test_what_a_schedule_costs(run: Runner, edge: Edge) -> None:
    crons = ["*/30 * * * *"]
    assert cost(run, edge, "worker_schedule", name="router", crons=crons) == (2, 1)
    assert cost(run, edge, "worker_schedule", name="router", crons=crons) == (1, 0)
    assert cost(run, edge, "worker_schedule", name="router", state="absent") == (2, 1)
    assert cost(run, edge, "worker_schedule", name="router", state="absent") == (1, 0)
    assert cost(run, edge, "worker_schedule", name="nobody", state="absent") == (1, 0)


def test_the_crons_that_are_refused_are_those_that_cloudflare_would_refuse() -> None:
    from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.worker_schedule import complaint

    draw = random.Random(7)
    taken = 0
    for _turn in range(3000):
        fields = ["*"] * draw.choice((4, 5, 5, 5, 5, 6))
        fields[draw.randrange(len(fields))] = ",".join(draw.choices(PARTS.split(), k=draw.choice((1, 1, 2))))
        one = " ".join(fields)
        try:
            cron.check([one])
        except ApiError:
            assert complaint(one), one
        else:
            taken += 1
            assert not complaint(one), one
    assert 500 < taken < 2500, "neither all nor none of them are good"


RECORD: dict[str, t.Any] = {"name": "www.example.com", "type": "A", "content": "192.0.2.1"}


def records(run: Runner, edge: Edge, **query: t.Any) -> list[t.Any]:
    """Return the contents of the records of example.com."""
    found = run.ok("api", path=f"/zones/{edge.zones['example.com']}/dns_records", query=query)["api"]
    return sorted(record["content"] for record in found)


def test_what_a_record_costs(run: Runner, edge: Edge) -> None:
    known = {**RECORD, "zone_id": edge.zones["example.com"]}
    assert cost(run, edge, "dns_record", **known) == (2, 1)
    assert cost(run, edge, "dns_record", **known) == (1, 0)
    assert cost(run, edge, "dns_record", **{**known, "content": "192.0.2.2"}) == (2, 1)
    assert cost(run, edge, "dns_record", **RECORD, state="absent") == (3, 0), "the zone by the two levels of the name, and the record"


def test_the_only_record_changes_its_content_and_another_one_stands_beside_it(run: Runner, edge: Edge) -> None:
    run.ok("dns_record", **RECORD)
    changed = run.ok("dns_record", **{**RECORD, "content": "192.0.2.2"})
    assert [operation.split()[0] for operation in changed["operations"]] == ["PATCH"] and records(run, edge) == ["192.0.2.2"]
    for content in ("192.0.2.3", "192.0.2.4", "192.0.2.3"):
        run.ok("dns_record", **{**RECORD, "content": content, "beside": True})
    assert records(run, edge) == ["192.0.2.2", "192.0.2.3", "192.0.2.4"]
    assert run.ok("dns_record", **{**RECORD, "content": "192.0.2.3", "ttl": 600})["dns_record"]["ttl"] == 600, "it is told by its content"
    for options in ({"content": "192.0.2.9"}, {"content": "192.0.2.9", "proxied": True}):
        assert "there are 3 of A record 'www.example.com': '192.0.2.2', '192.0.2.3'" in run.refused("dns_record", **{**RECORD, **options})
    assert "Give the content" in run.refused("dns_record", name="www.example.com", type="A", state="absent")
    assert not run.ok("dns_record", **{**RECORD, "content": "192.0.2.9"}, state="absent")["changed"]
    assert run.ok("dns_record", **{**RECORD, "content": "192.0.2.3"}, state="absent")["changed"]
    assert records(run, edge) == ["192.0.2.2", "192.0.2.4"]


def test_a_text_never_replaces_another(run: Runner, edge: Edge) -> None:
    txt = {"name": "example.com", "type": "TXT"}
    run.ok("dns_record", **txt, content="v=spf1 -all")
    run.ok("dns_record", **txt, content="verification=1")
    assert records(run, edge) == ["v=spf1 -all", "verification=1"]
    assert not run.ok("dns_record", **txt, content="verification=2", beside=False, state="absent")["changed"]
    assert not run.ok("dns_record", **txt, content='"v=spf1" " -all"')["changed"], "quotes are Cloudflare's affair"
    run.ok("dns_record", **txt, content="verification=1", state="absent")
    run.ok("dns_record", **txt, content="v=spf1 ~all", beside=False)
    assert records(run, edge) == ["v=spf1 ~all"]


def test_a_spelling_is_no_change(run: Runner) -> None:
    for kind, one, other in (("AAAA", "100::", "0100:0::0"), ("CNAME", "Shop.Example.net.", "shop.example.net"), ("MX", "mx.example.net", "MX.example.net")):
        options = {"name": f"{kind}.example.com", "type": kind, **({"priority": 10} if kind == "MX" else {})}
        assert run.ok("dns_record", **options, content=one)["changed"]
        assert not run.ok("dns_record", **options, content=other)["changed"]


def test_a_record_of_several_parts(run: Runner) -> None:
    caa = {"name": "example.com", "type": "CAA"}
    first = {"flags": 0, "tag": "issue", "value": "letsencrypt.org"}
    assert run.ok("dns_record", **caa, data=first)["dns_record"]["content"] == '0 issue "letsencrypt.org"'
    assert not run.ok("dns_record", **caa, data=first)["changed"]
    run.ok("dns_record", **caa, data={**first, "value": "pki.goog"})
    changed = run.ok("dns_record", **caa, data={"value": "pki.goog"}, comment="the second")
    assert changed["dns_record"]["data"] == {**first, "value": "pki.goog"}
    assert run.ok("dns_record", **caa, data={"value": "pki.goog"}, state="absent")["changed"]
    moved = run.ok("dns_record", **caa, data={"value": "sectigo.com"}, beside=False)
    assert moved["dns_record"]["content"] == '0 issue "sectigo.com"'


def test_a_record_that_becomes_proxied_loses_its_ttl(run: Runner) -> None:
    run.ok("dns_record", **RECORD, ttl=300)
    foreseen = run.ok("dns_record", **RECORD, proxied=True, check=True)["dns_record"]
    assert foreseen["ttl"] == 1 == run.ok("dns_record", **RECORD, proxied=True)["dns_record"]["ttl"]
    assert "is proxied" in run.refused("dns_record", **RECORD, ttl=300)


def test_records_that_exclude_each_other_are_refused_in_cloudflares_words(run: Runner, edge: Edge) -> None:
    run.ok("dns_record", **RECORD)
    said = run("dns_record", **{**RECORD, "type": "CNAME", "content": "example.net"})["msg"]
    assert "code 81053: An A, AAAA, or CNAME record with that host already exists. Remove that record first" in said
    named_wrongly = run("dns_record", **{**RECORD, "name": "www.other"}, zone_id=edge.zones["example.com"])["msg"]
    assert "was made as 'www.other.example.com': remove that" in named_wrongly


DOMAIN: dict[str, t.Any] = {"hostname": "app.example.com", "service": "router"}


@pytest.mark.usefixtures("_router")
def test_what_a_custom_domain_costs(run: Runner, edge: Edge) -> None:
    known = {**DOMAIN, "zone_id": edge.zones["example.com"]}
    assert cost(run, edge, "worker_domain", **known) == (2, 1)
    assert cost(run, edge, "worker_domain", **DOMAIN) == (1, 0), "one that exists says itself what zone it is in"
    assert cost(run, edge, "worker_domain", **{**DOMAIN, "service": "other"}, take_over=True) == (2, 1)
    assert cost(run, edge, "worker_domain", hostname="app.example.com", state="absent") == (2, 1)
    assert cost(run, edge, "worker_domain", hostname="app.example.com", state="absent") == (1, 0)


@pytest.mark.usefixtures("_router")
def test_a_custom_domain_of_another_worker_is_not_taken_unasked(run: Runner) -> None:
    made = run.ok("worker_domain", **DOMAIN)["worker_domain"]
    for want in ({"service": "other"}, {"service": "other", "state": "absent"}):
        assert "belongs to Worker 'router': set take_over: true" in run.refused("worker_domain", **{**DOMAIN, **want})
    taken = run.ok("worker_domain", **{**DOMAIN, "service": "other", "take_over": True})["worker_domain"]
    assert taken == {**made, "service": "other"}


@pytest.mark.usefixtures("_router")
def test_a_custom_domain_and_dns_records_keep_out_of_each_others_way(run: Runner) -> None:
    run.ok("dns_record", **{**RECORD, "name": "app.example.com"})
    assert "code 100117" in (said := run("worker_domain", **DOMAIN)["msg"]) and "Remove these records first" in said
    run.ok("dns_record", name="app.example.com", type="A", state="absent")
    run.ok("worker_domain", **DOMAIN)
    assert "code 81062" in (said := run("dns_record", **{**RECORD, "name": "app.example.com"})["msg"]) and "Remove the custom domain first" in said


def test_a_custom_domain_needs_its_worker(run: Runner) -> None:
    assert "Upload the Worker first" in run("worker_domain", **DOMAIN)["msg"]


SHOP: dict[str, t.Any] = {"hostname": "shop.customer.net", "zone": "platform.localhost", "ssl": {"method": "txt"}}


@pytest.fixture
def hasty(edge: Edge) -> t.Iterator[dict[str, t.Any]]:
    """Options for an edge on which a custom hostname is active soon, with a certificate some looks later than its records."""
    with running(accounts=[edge.account], zones=["platform.localhost"], custom_hostname_seconds=1.5) as soon:
        yield {**SHOP, "api_url": soon.api, "api_token": soon.token}


def test_what_a_custom_hostname_costs(run: Runner, edge: Edge) -> None:
    known = {"hostname": "shop.customer.net", "zone_id": edge.zones["platform.localhost"], "ssl": {"method": "txt"}}
    assert cost(run, edge, "custom_hostname", **known) == (2, 1)
    assert cost(run, edge, "custom_hostname", **known, custom_metadata={"customer": "a"}) == (2, 1)
    assert cost(run, edge, "custom_hostname", **known) == (1, 0)
    assert cost(run, edge, "custom_hostname", **known, state="absent") == (2, 1)


def test_a_certificate_is_validated_anew_only_when_it_changes(run: Runner, edge: Edge) -> None:
    with running(accounts=[edge.account], zones=["platform.localhost"], custom_hostname_seconds=0) as now:
        to = {"api_url": now.api, "api_token": now.token}
        run.ok("custom_hostname", **SHOP, **to)
        listed = {"path": f"/zones/{now.zones['platform.localhost']}/custom_hostnames", **to}
        issued = run.ok("api", **listed)["api"][0]["ssl"]["uploaded_on"]
        run.ok("custom_hostname", **SHOP, **to, custom_metadata={"a": "b"})
        run.ok("custom_hostname", **{**SHOP, "ssl": {"method": "txt", "wildcard": False, "type": "dv", "settings": {}}}, **to)
        assert run.ok("api", **listed)["api"][0]["ssl"]["uploaded_on"] == issued
        run.ok("custom_hostname", **{**SHOP, "ssl": {"wildcard": True}}, **to)
        after = run.ok("api", **listed)["api"][0]["ssl"]
        assert after["uploaded_on"] != issued and after["method"] == "txt" and after["wildcard"]


def test_what_the_customer_must_place(run: Runner, hasty: dict[str, t.Any]) -> None:
    first = run.ok("custom_hostname", **hasty)["custom_hostname"]
    assert (first["status"], first["ssl_status"]) == ("pending", "initializing")
    assert [record["name"] for record in first["dns_records"]] == ["_cf-custom-hostname.shop.customer.net"]
    later = run.ok("custom_hostname", **hasty, wait_for="records")
    assert not later["changed"]
    records = later["custom_hostname"]["dns_records"]
    assert [(record["name"], record["type"]) for record in records] == [
        ("_cf-custom-hostname.shop.customer.net", "TXT"),
        ("_acme-challenge.shop.customer.net", "TXT"),
    ]
    assert records[0]["content"] == later["custom_hostname"]["id"] and records[1]["content"]


def test_waiting_until_it_is_active(run: Runner, hasty: dict[str, t.Any]) -> None:
    foreseen = run.ok("custom_hostname", **hasty, wait_for="active", check=True)["custom_hostname"]
    assert foreseen["status"] == "(known after apply)", "check mode waits for nothing"
    done = run.ok("custom_hostname", **hasty, wait_for="active")
    assert done["changed"] and (done["custom_hostname"]["status"], done["custom_hostname"]["ssl_status"]) == ("active", "active")
    assert done["custom_hostname"]["dns_records"] == []


def test_waiting_in_vain_says_what_is_needed(run: Runner) -> None:
    result = run("custom_hostname", **SHOP, wait_for="active", wait_timeout=0)
    assert result["failed"] and "after 0 s it is pending, its certificate initializing. The customer's DNS needs: TXT _cf-custom-hostname" in result["msg"]
    assert not run.ok("custom_hostname", **SHOP)["changed"], "what was written stays"
