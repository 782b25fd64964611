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
