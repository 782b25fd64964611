# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Endpoints of the official Python SDK and of the edge, the user, and errors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cloudflare
import pytest
import sdk_client
from cloudflare import Cloudflare
from local_edge.api import table
from local_edge.testing import Edge, running
from sdk_client import Endpoint

FAMILIES = (
    "user",
    "memberships",
    "accounts",
    "zones",
    "workers",
    "workers_for_platforms",
    "kv",
    "custom_hostnames",
    "dns",
    "r2",
    "d1",
    "queues",
    "hyperdrive",
    "vectorize",
    "secrets_store",
    "mtls_certificates",
)

#: Endpoints of the SDK that the edge does not serve: prefixes of names, each with its reason.
OUT: dict[str, str] = {
    "user.": "a user's profile, billing and tokens are no part of the contract; who it is, and what the token is good for, are (§1.2)",
    "memberships.": "joining and leaving accounts is for the dashboard; clients read the listing",
    "accounts.": "members, billing, logs and tokens of an account are no part of the contract; looking it up and reading its own token are (§1.2, §1.3)",
    "zones.": "zones are options of the edge; the contract looks them up (§1.3)",
    "workers.account_settings.": "no client of the contract asks for an account's defaults",
    "workers.beta.": "the JSON API of Workers is in beta and knows no Workers of dispatch namespaces (§11)",
    "workers.observability.": "logs and traces in Cloudflare's own telemetry",
    "workers.scripts.tail.": "a tail is a websocket at Cloudflare that streams a Worker's logs",
    "workers.scripts.deployments.delete": "the contract makes and reads deployments and takes none back (§4)",
    "custom_hostnames.certificate_pack.": "certificates that customers bring; the edge has no TLS",
    "dns.analytics.": "the contract needs records, and nothing else of DNS",
    "dns.dnssec.": "the contract needs records, and nothing else of DNS",
    "dns.settings.": "the contract needs records, and nothing else of DNS",
    "dns.usage.": "the contract needs records, and nothing else of DNS",
    "dns.zone_transfers.": "the contract needs records, and nothing else of DNS",
    "dns.records.export": "zone files; the contract writes single records",
    "dns.records.import_": "zone files; the contract writes single records",
    "dns.records.scan": "there is no former DNS provider",
    "r2.": "a bucket holds objects; its rules, domains, events and migrations are not the contract's",
    "d1.": "a database is what a binding points to (§3.5); what is in it is not the contract's",
    "queues.": "messages are sent, pulled and acknowledged (§3.5); what delivers or purges them is not the contract's",
    "hyperdrive.": "a configuration is what a binding points to (§3.5); changing it is not the contract's",
    "vectorize.": "an index is what a binding points to (§3.5); what is in it is not the contract's",
    "secrets_store.": "a store is what a binding points to (§3.5); what is in it is not the contract's",
    "mtls_certificates.": "a certificate is what a binding points to (§3.5); what it is associated with is not the contract's",
}


@pytest.fixture(name="edge", scope="module")
def _edge() -> Iterator[Edge]:
    accounts = [f"{number:032x}:Company {number}" for number in range(1, 13)]
    with running(accounts=accounts, zones=[f"zone{number}.example" for number in range(7)]) as edge:
        yield edge


def exemption_of(name: str) -> str | None:
    """Return the entry of the table that covers a method of the SDK, or None."""
    return next((beginning for beginning in OUT if name.startswith(beginning)), None)


@pytest.fixture(name="endpoints", scope="module")
def _endpoints() -> list[Endpoint]:
    return sdk_client.known(Cloudflare(api_token="none"), FAMILIES)


@pytest.fixture(name="served", scope="module")
def _served() -> set[tuple[str, str]]:
    return {(method, sdk_client.nameless(path)) for method, path, _handler in table.API_ROUTES}


def test_endpoints_served_by_edge_are_called_with_sdk(endpoints: list[Endpoint], served: set[tuple[str, str]]) -> None:
    """The contract tests call every endpoint that both the edge and the SDK have."""
    called = sdk_client.called(Path(__file__).parent)
    assert not sorted(one.name for one in endpoints if one.address in served and one.name not in called)


def test_endpoints_not_served_by_edge_have_reason(endpoints: list[Endpoint], served: set[tuple[str, str]]) -> None:
    assert not sorted(one.name for one in endpoints if one.address not in served and not exemption_of(one.name))


def test_exemptions_are_all_needed(endpoints: list[Endpoint], served: set[tuple[str, str]]) -> None:
    assert set(OUT) == {exemption_of(one.name) for one in endpoints if one.address not in served} - {None}
    assert len(endpoints) > 300, "the SDK's source reads differently now"


def test_token_verify_returns_active(edge: Edge, sdk: Cloudflare) -> None:
    of_user, of_account = sdk.user.tokens.verify(), sdk.accounts.tokens.verify(account_id=edge.account)
    assert of_user and of_account
    assert of_user.status == of_account.status == "active"
    assert of_user.id == of_account.id


def test_token_get_returns_permissions(edge: Edge, sdk: Cloudflare) -> None:
    verified = sdk.user.tokens.verify()
    assert verified
    of_user = sdk.user.tokens.get(verified.id)
    of_account = sdk.accounts.tokens.get(verified.id, account_id=edge.account)
    assert of_user and of_account and of_user.policies and of_account.policies
    for policy in (*of_user.policies, *of_account.policies):
        assert policy.effect == "allow"
        assert "Workers Scripts Write" in [group.name for group in policy.permission_groups]


def test_user_get_returns_user(edge: Edge, sdk: Cloudflare) -> None:
    user = sdk.user.get()
    assert user and user.organizations
    assert user.email
    assert [one.id for one in user.organizations] == [f"{number:032x}" for number in range(1, 13)]


def test_accounts_list_and_get_return_account(edge: Edge, sdk: Cloudflare) -> None:
    account = sdk.accounts.get(account_id=edge.account)
    assert account
    assert account.name == "Company 1"
    assert [one.id for one in sdk.accounts.list(per_page=5)] == [f"{number:032x}" for number in range(1, 13)]
    assert [one["query"] for one in edge.requests()][1:] == [
        "per_page=5",
        *(f"per_page=5&page={number}" for number in (2, 3, 4)),
    ]
    assert [one.name for one in sdk.accounts.list(name="Company 7")] == ["Company 7"]
    assert next(iter(sdk.accounts.list(direction="desc"))).name == "Company 9"


def test_memberships_list_returns_membership(edge: Edge, sdk: Cloudflare) -> None:
    found = list(sdk.memberships.list(per_page=5))
    assert [one.account and one.account.id for one in found] == [f"{number:032x}" for number in range(1, 13)]
    assert {one.status for one in found} == {"accepted"}
    assert len({one.id for one in found}) == 12
    assert all(one.roles for one in found)
    assert [one.account and one.account.name for one in sdk.memberships.list(account={"name": "Company 3"})] == [
        "Company 3"
    ]
    assert not list(sdk.memberships.list(status="pending"))


def test_zones_list_and_get_return_zones(edge: Edge, sdk: Cloudflare) -> None:
    zone = sdk.zones.get(zone_id=edge.zones["zone3.example"])
    assert zone
    assert (zone.name, zone.account.id) == ("zone3.example", edge.account)
    assert [one.name for one in sdk.zones.list(per_page=5)] == [f"zone{number}.example" for number in range(7)]
    assert [one.id for one in sdk.zones.list(name="zone3.example", account={"id": edge.account})] == [zone.id]
    assert [one.name for one in sdk.zones.list(name="ends_with:6.example", account={"name": "Company 1"})] == [
        "zone6.example"
    ]
    assert next(iter(sdk.zones.list(order="name", direction="desc"))).name == "zone6.example"
    assert len(list(sdk.zones.list(match="any", name="zone1.example", account={"id": edge.account}))) == 7
    assert not list(sdk.zones.list(status="pending"))
    assert not list(sdk.zones.list(account={"id": f"{2:032x}"}))


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        (400, cloudflare.BadRequestError),
        (401, cloudflare.AuthenticationError),
        (403, cloudflare.PermissionDeniedError),
        (404, cloudflare.NotFoundError),
        (409, cloudflare.ConflictError),
        (422, cloudflare.UnprocessableEntityError),
        (429, cloudflare.RateLimitError),
        (500, cloudflare.InternalServerError),
        (503, cloudflare.InternalServerError),
    ],
)
def test_error_status_raises_matching_sdk_exception(
    edge: Edge, sdk: Cloudflare, status: int, refusal: type[cloudflare.APIStatusError]
) -> None:
    edge.fault(status=status, code=4711, message="as told")
    with pytest.raises(refusal) as caught:
        sdk.user.tokens.verify()
    assert [(one.code, one.message) for one in caught.value.errors] == [(4711, "as told")]


def test_rate_limit_exceeded_raises_with_retry_after() -> None:
    with sdk_client.opened(rate_limit="2/60/60") as (_edge, sdk):
        assert [bool(sdk.user.tokens.verify()) for _time in range(2)] == [True, True]
        with pytest.raises(cloudflare.RateLimitError) as caught:
            sdk.user.tokens.verify()
    assert 0 < int(caught.value.response.headers["retry-after"]) <= 60
    assert caught.value.errors[0].code == 971


def test_sdk_retries_failed_request(edge: Edge, sdk: Cloudflare) -> None:
    for status in (429, 503, 0):
        edge.fault(status=status)
        assert sdk.with_options(max_retries=1).user.tokens.verify()
    assert [one["status"] for one in edge.requests()] == [429, 200, 503, 200, 0, 200]


def test_connection_lost_raises_connection_error(edge: Edge, sdk: Cloudflare) -> None:
    edge.fault(status=0)
    with pytest.raises(cloudflare.APIConnectionError):
        sdk.user.tokens.verify()


def test_invalid_token_or_id_raises(edge: Edge, sdk: Cloudflare) -> None:
    with (
        sdk_client.client(edge, token="0" * 40) as stranger,
        pytest.raises(cloudflare.PermissionDeniedError, match="Invalid access token"),
    ):
        stranger.user.tokens.verify()
    with pytest.raises(cloudflare.BadRequestError) as caught, sdk_client.client(edge, token="no token") as stranger:
        stranger.user.tokens.verify()
    assert caught.value.errors[0].code == 6003
    with pytest.raises(cloudflare.PermissionDeniedError):
        sdk.accounts.get(account_id="f" * 32)
    with pytest.raises(cloudflare.NotFoundError) as missing:
        sdk.zones.get(zone_id="nonsense")
    assert missing.value.errors[0].code == 7003
