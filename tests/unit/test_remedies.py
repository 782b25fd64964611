# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The remedies in the messages of API errors."""

from __future__ import annotations

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.remedies import (
    REMEDIES,
    REMEDIES_BY_MESSAGE,
    find_remedy,
)
from harness import Runner
from local_edge.testing import Edge
from tenant import WORKER


def test_remedies_each_have_a_source() -> None:
    every = [*REMEDIES.values(), *(remedy for _product, _pattern, remedy in REMEDIES_BY_MESSAGE)]
    assert [remedy.text for remedy in every if not remedy.source or not remedy.text.endswith(".")] == []


@pytest.mark.parametrize(
    ("status", "code", "message", "remedy"),
    [
        (
            412,
            10079,
            "Actor migration tag precondition failed, got tag '' when expected tag is 'v1'.",
            "The current step of the Worker is v1. Declare in migrations all steps up to v1",
        ),
        (400, 10079, "Migration tag precondition failed; current tag is v7", "all steps up to v7"),
        (412, 10079, "Actor migration tag precondition failed, got tag 'v1' when expected tag is ''.", "Run again"),
        (
            403,
            0,
            "You have exceeded the limit of 10 tags per Worker. Remove a tag to add another.",
            "Remove some from tags. Of the 10 tags, this collection needs 2.",
        ),
        (400, 0, "Tag is too large", "each may have 1024 bytes"),
        (400, 10021, "Cannot use an assets binding without assets", "Declare assets, or remove the binding."),
        (413, 10027, "workers.api.error.script_too_large", "larger than 64 MiB, the limit of every plan"),
    ],
)
def test_worker_refused_upload_names_remedy(
    run: Runner, edge: Edge, status: int, code: int, message: str, remedy: str
) -> None:
    run.ok("dispatch_namespace", name="tenants")
    edge.fault(method="PUT", path="/scripts/a", status=status, code=code, message=message)
    assert remedy in run("namespaced_worker", **WORKER)["msg"]


def test_find_remedy_of_unknown_error_is_empty() -> None:
    assert find_remedy("script", 424242, "no") == ""


# By product and published code: the object or option that the user is to correct.
SUBJECTS = {
    "*": {
        10000: "permission",
        9103: "api_token",
        9106: "api_token",
        9109: "api_token",
        6003: "api_token",
        1001: "api_token",
        7003: "account_id",
        971: "rate limit",
        10121: "Workers for Platforms",
    },
    "script": {
        100119: "dispatch namespace",
        10007: "Worker",
        10016: "name",
        10021: "code",
        10027: "modules",
        10037: "number of Workers",
        10041: "kv_namespace",
        10053: "secret",
        10057: "bindings",
        10061: "durable_object_namespace",
        10068: "handler",
        10079: "migrations",
        10085: "r2_bucket",
        10144: "service",
        10157: "hyperdrive",
        10159: "vectorize",
        10181: "d1",
        10182: "secrets_store_secret",
        11000: "queue",
        10162: "modules",
        10304: "manifest",
        100143: "mtls_certificate",
        100324: "_redirects",
    },
    "namespace": {100119: "dispatch namespace"},
    "assets": {10000: "assets"},
    "route": {7003: "zone_id", 9109: "zone_id", 10019: "Worker", 10020: "pattern", 10022: "wildcards"},
    "domain": {10007: "Worker", 100117: "records"},
    "dns": {81053: "record", 81054: "record", 81058: "record", 81062: "custom domain"},
    "hostname": {1406: "custom hostname", 1421: "origin"},
    "queue": {11009: "queue"},
    "kv": {10014: "title", 10052: "bound"},
}


def test_remedies_name_what_to_correct() -> None:
    found = {
        product: {code: find_remedy(product, code, "") for code in subjects} for product, subjects in SUBJECTS.items()
    }
    missing = [
        (product, code)
        for product, subjects in SUBJECTS.items()
        for code, subject in subjects.items()
        if subject not in found[product][code]
    ]
    assert missing == []


def test_find_remedy_prefers_that_of_the_product() -> None:
    assert "zone_id" in find_remedy("route", 7003, "") and "account_id" in find_remedy("script", 7003, "")
    assert find_remedy("assets", 10000, "") != find_remedy("kv", 10000, "") == find_remedy("*", 10000, "")


def test_find_remedy_by_message_is_of_its_product_alone() -> None:
    assert "4" in find_remedy("script", 0, "limit of 4 tags") and find_remedy("kv", 0, "limit of 4 tags") == ""
    assert "node:tty" in find_remedy("script", 10021, 'No such module "node:tty"')
