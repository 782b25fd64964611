# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DNS records."""

from __future__ import annotations

import typing as t

from harness import Runner, count_requests
from local_edge.testing import Edge

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
