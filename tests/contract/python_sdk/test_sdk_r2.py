# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of R2 buckets with the official Python SDK."""

from __future__ import annotations

import hashlib

import cloudflare
import pytest
from cloudflare import Cloudflare
from local_edge.testing import Edge
from sdk_client import Place


@pytest.fixture(name="at")
def _at(edge: Edge, sdk: Cloudflare) -> Place:
    """Create a bucket and return its identifying arguments."""
    sdk.r2.buckets.create(account_id=edge.account, name="files")
    return {"account_id": edge.account, "bucket_name": "files"}


def test_r2_object_upload_get_delete(sdk: Cloudflare, at: Place) -> None:
    body = bytes(range(256)) * 1000
    made = sdk.r2.buckets.objects.upload(
        "a/b ü.bin", body, **at, cf_r2_storage_class="InfrequentAccess", extra_headers={"Content-Type": "image/png"}
    )
    assert (made.key, made.etag, made.size, made.storage_class) == (
        "a/b ü.bin",
        hashlib.md5(body).hexdigest(),
        str(len(body)),
        "InfrequentAccess",
    )
    assert made.uploaded and made.version
    (listed,) = sdk.r2.buckets.objects.list(**at)
    assert (listed.key, listed.etag, listed.size, listed.last_modified) == (
        made.key,
        made.etag,
        len(body),
        made.uploaded,
    )
    assert (listed.storage_class, listed.ssec, listed.custom_metadata) == ("InfrequentAccess", False, {})
    assert listed.http_metadata and listed.http_metadata.content_type == "image/png"
    got = sdk.r2.buckets.objects.get("a/b ü.bin", **at)
    assert got.read() == body
    assert (got.headers["etag"], got.headers["content-type"]) == (f'"{made.etag}"', "image/png")
    with pytest.raises(cloudflare.APIStatusError) as unchanged:
        sdk.r2.buckets.objects.get("a/b ü.bin", **at, if_none_match=f'"{made.etag}"')
    assert unchanged.value.status_code == 304
    deleted = sdk.r2.buckets.objects.delete("a/b ü.bin", **at)
    assert deleted and deleted.key == "a/b ü.bin"
    with pytest.raises(cloudflare.NotFoundError) as missing:
        sdk.r2.buckets.objects.get("a/b ü.bin", **at)
    assert missing.value.errors[0].code == 10007


def test_r2_objects_list_several_pages(edge: Edge, sdk: Cloudflare, at: Place) -> None:
    keys = [f"{folder}/{number:02}" for folder in "ab" for number in range(25)]
    for key in keys:
        sdk.r2.buckets.objects.upload(key, b"x", **at)
    edge.clear()
    assert [one.key for one in sdk.r2.buckets.objects.list(**at)] == keys
    assert len(edge.requests()) == 3
    assert [one.key for one in sdk.r2.buckets.objects.list(**at, prefix="b/", per_page=7)] == keys[25:]
    assert [one.key for one in sdk.r2.buckets.objects.list(**at, start_after="b/22")] == keys[48:]
    assert not list(sdk.r2.buckets.objects.list(**at, delimiter="/"))


def test_r2_bucket_not_empty_cannot_be_deleted(edge: Edge, sdk: Cloudflare, at: Place) -> None:
    sdk.r2.buckets.objects.upload("k", b"x", **at)
    with pytest.raises(cloudflare.ConflictError, match="is not empty") as refused:
        sdk.r2.buckets.delete("files", account_id=edge.account)
    assert refused.value.errors[0].code == 10008
    sdk.r2.buckets.objects.delete("k", **at)
    sdk.r2.buckets.delete("files", account_id=edge.account)


def test_r2_buckets_list_several_pages(edge: Edge, sdk: Cloudflare) -> None:
    for number in range(25):
        sdk.r2.buckets.create(account_id=edge.account, name=f"bucket-{number:02}")
    assert len(sdk.r2.buckets.list(account_id=edge.account).buckets or []) == 20
    last = sdk.r2.buckets.list(account_id=edge.account, start_after="bucket-19", per_page=100).buckets or []
    assert [one.name for one in last] == [f"bucket-{number}" for number in range(20, 25)]
    assert [one.name for one in sdk.r2.buckets.list(account_id=edge.account, name_contains="-07").buckets or []] == [
        "bucket-07"
    ]
