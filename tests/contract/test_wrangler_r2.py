# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""wrangler: R2 buckets, their objects, and a Worker with an R2 binding."""

from __future__ import annotations

import os

import pytest
from foreign_clients import Project

WORKER = """
export default { async fetch(request, env) {
  const object = await env.FILES.get("from/wrangler.txt");
  await env.FILES.put("from-worker", `${await object.text()}, ${object.httpMetadata.contentType}`);
  return Response.json(await env.FILES.head("from-worker"));
} };
"""


@pytest.fixture
def bucket(project: Project) -> str:
    project.edge.call("POST", "/r2/buckets", json={"name": "files"})
    return "files"


def test_r2_bucket_create_list_info_update_delete(project: Project) -> None:
    assert "Created bucket 'files'" in project.wrangler(
        "r2", "bucket", "create", "files", "--location", "weur", "--storage-class", "InfrequentAccess"
    )
    assert "already exists, and you own it" in project.wrangler("r2", "bucket", "create", "files", fails=True)
    project.wrangler("r2", "bucket", "create", "european", "--jurisdiction", "eu")
    listed = project.wrangler("r2", "bucket", "list")
    assert "files" in listed and "european" not in listed
    assert "european" in project.wrangler("r2", "bucket", "list", "--jurisdiction", "eu")
    shown = project.read("r2", "bucket", "info", "files", "--json")
    assert (
        shown.items()
        >= {
            "name": "files",
            "location": "weur",
            "default_storage_class": "InfrequentAccess",
            "object_count": "0",
            "bucket_size": "0 B",
        }.items()
    )
    project.wrangler("r2", "bucket", "update", "storage-class", "files", "--storage-class", "Standard")
    assert project.read("r2", "bucket", "info", "files", "--json")["default_storage_class"] == "Standard"
    assert "Deleted bucket files" in project.wrangler("r2", "bucket", "delete", "files")
    project.wrangler("r2", "bucket", "delete", "european", "--jurisdiction", "eu")
    assert "does not exist" in project.wrangler("r2", "bucket", "info", "files", fails=True)
    assert project.edge.call("GET", "/r2/buckets") == {"buckets": []}


def test_r2_object_put_get_delete(project: Project, bucket: str) -> None:
    content = os.urandom(300_000)
    (project.folder / "content.bin").write_bytes(content)
    options = (
        "--content-type",
        "image/png",
        "--cache-control",
        "no-cache",
        "--content-disposition",
        "inline",
        "--content-language",
        "de",
        "--expires",
        "Fri, 24 Feb 2023 00:00:00 GMT",
        "--storage-class",
        "InfrequentAccess",
    )
    path = f"{bucket}/a/deep/key.png"
    project.wrangler("r2", "object", "put", path, "--file", "content.bin", "--remote", *options)
    (listed,) = project.edge.call("GET", f"/r2/buckets/{bucket}/objects")
    assert (listed["key"], listed["size"], listed["storage_class"]) == (
        "a/deep/key.png",
        len(content),
        "InfrequentAccess",
    )
    assert listed["http_metadata"] == {
        "contentType": "image/png",
        "cacheControl": "no-cache",
        "contentDisposition": "inline",
        "contentLanguage": "de",
        "cacheExpiry": "2023-02-24T00:00:00.000Z",
    }
    shown = project.read("r2", "bucket", "info", bucket, "--json")
    assert shown["object_count"] == "1" and shown["bucket_size"].endswith(" kB")
    project.wrangler("r2", "object", "get", path, "--file", "got.bin", "--remote")
    assert (project.folder / "got.bin").read_bytes() == content
    assert "is not empty" in project.wrangler("r2", "bucket", "delete", bucket, fails=True)
    project.wrangler("r2", "object", "delete", path, "--remote")
    assert "The specified key does not exist" in project.wrangler(
        "r2", "object", "get", path, "--file", "none.bin", "--remote", fails=True
    )
    assert "bucket does not exist" in project.wrangler(
        "r2", "object", "put", "no-such-bucket/k", "--file", "content.bin", "--remote", fails=True
    )
    project.wrangler("r2", "bucket", "delete", bucket)


def test_r2_object_put_and_get_through_pipe(project: Project, bucket: str) -> None:
    project.wrangler("r2", "object", "put", f"{bucket}/piped", "--pipe", "--remote", stdin="through a pipe")
    assert project.wrangler("r2", "object", "get", f"{bucket}/piped", "--pipe", "--remote") == "through a pipe"


def test_deploy_worker_with_r2_binding(project: Project, bucket: str) -> None:
    project.write("hello.txt", "hello")
    project.wrangler(
        "r2",
        "object",
        "put",
        f"{bucket}/from/wrangler.txt",
        "--file",
        "hello.txt",
        "--content-type",
        "text/plain",
        "--remote",
    )
    project.write("index.js", WORKER)
    project.configure(name="uses-r2", main="index.js", r2_buckets=[{"binding": "FILES", "bucket_name": bucket}])
    assert "env.FILES" in project.wrangler("deploy")
    project.edge.route("example.com/*", "uses-r2")
    assert project.edge.get("example.com").json()["size"] == len("hello, text/plain")
    assert project.wrangler("r2", "object", "get", f"{bucket}/from-worker", "--pipe", "--remote") == "hello, text/plain"
