# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The meaning of an error response, by its status and code and by the product of its path."""

from __future__ import annotations

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.errors import (
    ApiError,
    parse_errors,
    printable,
    product_of,
)

SCRIPT = "/accounts/a/workers/scripts/b"
PATHS = {
    "/accounts/a/storage/kv/namespaces/b": "kv",
    "/accounts/a/workers/assets/upload": "assets",
    "/zones/z/workers/routes/1": "route",
    "/accounts/a/workers/domains": "domain",
    SCRIPT: "script",
    "/accounts/a/workers/dispatch/namespaces/n/scripts/b": "script",
    "/accounts/a/workers/dispatch/namespaces/n": "namespace",
    "/accounts/a/queues/q": "queue",
    "/zones/z/custom_hostnames": "hostname",
    "/zones/z/dns_records": "dns",
    "/zones/z": "zone",
    "/accounts/a": "account",
    "/user/tokens/verify": "other",
}


def error(path: str = SCRIPT, status: int = 400, code: int = 0, message: str = "no", **more: object) -> ApiError:
    return ApiError("GET", path, status, code, message, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("path", "product"), PATHS.items())
def test_product_of_path(path: str, product: str) -> None:
    assert product_of(path) == product


@pytest.mark.parametrize(
    ("product", "codes"),
    {
        "kv": {10009, 10013},
        "route": {10007, 10009},
        "script": {10007, 10090, 10092, 100119},
        "namespace": {100119},
        "dns": set(),
        "account": set(),
    }.items(),
)
def test_code_that_means_not_found_depends_on_product(product: str, codes: set[int]) -> None:
    path = next(path for path, name in PATHS.items() if name == product)
    every = {10006, 10007, 10008, 10009, 10010, 10012, 10013, 10014, 10089, 10090, 10091, 10092, 10093, 100119, 7003}
    assert {code for code in every if error(path, code=code).is_not_found} == codes


@pytest.mark.parametrize(("code", "expected"), [(0, True), (10001, True), (7003, False), (-1, False)])
def test_status_404_means_not_found_unless_account_or_api_is_missing(code: int, expected: bool) -> None:
    assert error(status=404, code=code).is_not_found is expected


@pytest.mark.parametrize(
    ("status", "code", "message", "expected"),
    [
        *((405, 0, "", True), (400, 7001, "", True), (400, 10405, "", True)),
        *((400, 0, "PATCH method not allowed for this", True), (404, 0, "", False), (400, 10404, "", False)),
    ],
)
def test_method_not_allowed_has_several_forms(status: int, code: int, message: str, expected: bool) -> None:
    assert error(status=status, code=code, message=message).is_method_not_allowed is expected


def test_errors_of_credentials_and_account_concern_all_requests() -> None:
    assert [status for status in (400, 401, 403, 404, 429, 500) if error(status=status).is_account_wide] == [401, 429]
    concerning = {10000, 9103, 9106, 9109, 6003, 1001, 10121, 100119}
    every = concerning | {code + step for code in concerning for step in (-1, 1)}
    assert {code for code in every if error(code=code).is_account_wide} == concerning


def test_text_of_error_contains_what_is_known() -> None:
    whole = str(error(code=10021, message="Bad code.", ray_id="8c1", retry_after=2.6))
    for part in ("400", "code 10021", "Bad code. Retry after 3 s. ", "[GET /accounts/a/workers/scripts/b, ray 8c1]"):
        assert part in whole
    bare = str(error())
    assert not any(part in bare for part in ("code", "ray", "Retry", "..", "  "))
    assert "1 s" in str(error(retry_after=1)) and "code 1:" in str(error(code=1)) and "code" not in str(error(code=-1))
    assert "cut..." in str(error(message="cut...")) and "cut...." not in str(error(message="cut..."))


@pytest.mark.parametrize(
    ("envelope", "expected"),
    [
        ({}, (0, "no reason given")),
        ({"errors": [{"code": 1, "message": "a"}, {"code": 2, "message": "b"}]}, (1, "a; b")),
        ({"errors": [], "error": "alone"}, (0, "alone")),
        ({"errors": [{"code": "E_X", "message": "a"}]}, (0, "a (E_X)")),
        ({"errors": [{"code": "E_X"}]}, (0, "(E_X)")),
        ({"errors": [{"code": "12", "message": "a"}]}, (12, "a")),
        ({"errors": [{"code": 10**9, "message": "a"}, {"code": 999999999}]}, (999999999, "a")),
        ({"errors": [{"message": "a", "error_chain": [{"message": "b"}, {"message": "c"}]}]}, (0, "a: b: c")),
        ({"errors": [None, "text", 5]}, (0, "text; 5")),
    ],
)
def test_parse_errors_reads_every_form(envelope: dict[str, object], expected: tuple[int, str]) -> None:
    assert parse_errors(envelope) == expected


def test_printable_cuts_and_cleans_texts() -> None:
    assert printable("a" * 10, 10) == "a" * 10 and printable("b" * 11, 10).count("b") == 10
    assert printable("b" * 4000) == "b" * 4000 and printable("b" * 5000).count("b") == 4000
    assert printable("a\x1b[31mb\n\tü") == "a\ufffd[31mb\n\tü"
