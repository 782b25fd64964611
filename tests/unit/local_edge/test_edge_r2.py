# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""R2 buckets and objects: the API, and properties of the store."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import random
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from control_plane import Client
from local_edge.api import r2_objects as api_objects
from local_edge.errors import ApiError
from local_edge.model import r2, r2_objects, r2_uploads
from local_edge.model.r2 import Bucket
from local_edge.model.r2_objects import Description, Object
from local_edge.model.r2_requests import Conditions, resolve_range
from local_edge.store import Store

BUCKETS = "/r2/buckets"
ACCOUNT = "0" * 32


@pytest.fixture
def objects(client: Client) -> str:
    client.call("POST", BUCKETS, json={"name": "files"})
    return f"{BUCKETS}/files/objects"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(str(tmp_path / "edge.db"))
    yield store
    store.close()


@pytest.fixture
def bucket(store: Store) -> Bucket:
    r2.create(store, ACCOUNT, r2.DEFAULT, "files", None, r2.STANDARD)
    return r2.find(store, ACCOUNT, r2.DEFAULT, "files")


async def stream(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


PLAIN = Description()


def put(store: Store, bucket: Bucket, key: str, body: bytes = b"x", description: Description = PLAIN) -> Object:
    with store.blobs.writer({"md5", *description.checksums}) as writer:
        asyncio.run(writer.write(stream(body)))
        return r2_objects.put(store, bucket, key, writer, description)


def put_part(store: Store, bucket: Bucket, ident: str, number: int, body: bytes) -> dict[str, Any]:
    with store.blobs.writer(["md5"]) as writer:
        asyncio.run(writer.write(stream(body)))
        return {"part": number, "etag": r2_uploads.put_part(store, bucket, "k", ident, number, writer)}


def read(store: Store, item: Object, start: int = 0, length: int | None = None) -> bytes:
    return b"".join(r2_objects.content(store, item, start, item.size if length is None else length))


def count_files(store: Store) -> int:
    return len(list(store.blobs.folder.iterdir()))


def code_of(error: pytest.ExceptionInfo[ApiError]) -> int:
    return error.value.code


def test_bucket_create_get_patch_delete_returns_current_state(client: Client) -> None:
    created = client.call(
        "POST", BUCKETS, json={"name": "files", "locationHint": "weur", "storageClass": "InfrequentAccess"}
    )
    assert created == {
        "name": "files",
        "creation_date": created["creation_date"],
        "location": "weur",
        "storage_class": "InfrequentAccess",
        "jurisdiction": "default",
    }
    assert client.call("GET", f"{BUCKETS}/files") == created
    assert client.call("GET", BUCKETS) == {"buckets": [created]}
    assert client.error("POST", BUCKETS, json={"name": "files"}) == (409, 10004)
    changed = client.call("PATCH", f"{BUCKETS}/files", headers={"cf-r2-storage-class": "Standard"})
    assert changed == {**created, "storage_class": "Standard"}
    assert client.error("PATCH", f"{BUCKETS}/files", headers={"cf-r2-storage-class": "Glacial"}) == (400, 10029)
    assert client.call("DELETE", f"{BUCKETS}/files") == {}
    for method in ("GET", "DELETE", "PATCH"):
        assert client.error(method, f"{BUCKETS}/files", headers={"cf-r2-storage-class": "Standard"}) == (404, 10006)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        *(
            ({"name": name}, 10005)
            for name in ("", "ab", "Files", "under_score", "-files", "files-", "a" * 64, "fi.les", "files\n", 5, None)
        ),
        ({"name": "files", "locationHint": "moon"}, 10029),
        ({"name": "files", "storageClass": "Glacial"}, 10029),
        ([], 10026),
    ],
)
def test_create_bucket_invalid_name_or_location_is_refused(client: Client, body: Any, code: int) -> None:
    assert client.error("POST", BUCKETS, json=body) == (400, code)


def test_list_buckets_filters_and_pages(client: Client) -> None:
    for number in range(25):
        client.call("POST", BUCKETS, json={"name": f"bucket-{number:02}"})
    names, cursor = [], ""
    while True:
        body = client.send("GET", f"{BUCKETS}?cursor={cursor}").json()
        names.append([one["name"] for one in body["result"]["buckets"]])
        cursor = body["result_info"].get("cursor", "")
        if not cursor:
            break
    assert [len(page) for page in names] == [20, 5]
    assert list(itertools.chain(*names)) == [f"bucket-{number:02}" for number in range(25)]

    def list_names(query: str) -> list[str]:
        return [one["name"] for one in client.call("GET", f"{BUCKETS}?{query}")["buckets"]]

    assert list_names("name_contains=t-1&per_page=3") == ["bucket-10", "bucket-11", "bucket-12"]
    assert list_names("start_after=bucket-22") == ["bucket-23", "bucket-24"]
    assert list_names("direction=desc&per_page=2&start_after=bucket-02") == ["bucket-01", "bucket-00"]
    assert client.error("GET", f"{BUCKETS}?per_page=1001") == (400, 10004)


def test_bucket_same_name_in_jurisdiction_is_separate(client: Client) -> None:
    eu_headers = {"cf-r2-jurisdiction": "eu"}
    for headers in ({}, eu_headers):
        client.call("POST", BUCKETS, json={"name": "files"}, headers=headers)
    client.call("PUT", f"{BUCKETS}/files/objects/k", data=b"european", headers=eu_headers)
    assert client.error("GET", f"{BUCKETS}/files/objects/k") == (404, 10007)
    assert client.send("GET", f"{BUCKETS}/files/objects/k", headers=eu_headers).content == b"european"
    assert client.call("GET", f"{BUCKETS}/files", headers=eu_headers)["jurisdiction"] == "eu"
    client.call("DELETE", f"{BUCKETS}/files")
    assert client.call("GET", BUCKETS)["buckets"] == []
    assert len(client.call("GET", BUCKETS, headers=eu_headers)["buckets"]) == 1
    assert client.error("GET", BUCKETS, headers={"cf-r2-jurisdiction": "atlantis"}) == (400, 10029)
    binding = {"name": "B", "type": "r2_bucket", "bucket_name": "files"}
    client.upload("/workers/scripts/w", bindings=[{**binding, "jurisdiction": "eu"}])
    assert client.call("GET", "/workers/scripts/w/bindings") == [{**binding, "jurisdiction": "eu"}]
    with pytest.raises(AssertionError, match="10085"):
        client.upload("/workers/scripts/w", bindings=[binding])


def test_delete_bucket_not_empty_is_refused(client: Client, objects: str) -> None:
    client.call("PUT", f"{objects}/k", data=b"x")
    body = client.send("DELETE", f"{BUCKETS}/files").json()
    assert body["errors"] == [
        {
            "code": 10008,
            "message": f"The bucket you tried to delete (files) is not empty (account {client.edge.account}).",
        }
    ]
    client.call("DELETE", f"{objects}/k")
    client.call("DELETE", f"{BUCKETS}/files")


def test_object_put_get_delete_returns_current_state(client: Client, objects: str) -> None:
    body = bytes(range(256)) * 5000
    put = client.call("PUT", f"{objects}/k", data=body)
    digest = hashlib.md5(body).hexdigest()
    assert put.items() >= {"key": "k", "etag": digest, "size": str(len(body)), "storage_class": "Standard"}.items()
    response = client.send("GET", f"{objects}/k")
    assert response.content == body
    assert (response.headers["etag"], response.headers["content-type"], response.headers["content-length"]) == (
        f'"{digest}"',
        "application/octet-stream",
        str(len(body)),
    )
    again = client.call("PUT", f"{objects}/k", data=b"")
    assert again["version"] != put["version"]
    assert client.send("GET", f"{objects}/k").content == b""
    assert client.call("DELETE", f"{objects}/k") == {"key": "k"}
    assert client.call("DELETE", f"{objects}/k") == {"key": "k"}
    assert client.error("GET", f"{objects}/k") == (404, 10007)


def test_put_object_http_headers_are_stored(client: Client, objects: str) -> None:
    headers = {
        "content-type": "text/plain",
        "content-language": "de",
        "content-disposition": 'attachment; filename="ü.txt"'.encode(),
        "content-encoding": "br",
        "cache-control": "max-age=60",
        "expires": "Fri, 24 Feb 2023 00:00:00 GMT",
        "cf-r2-storage-class": "InfrequentAccess",
        "x-other": "not kept",
    }
    client.call("PUT", f"{objects}/k", data=b"as it is", headers=headers)
    # requests would decode the content encoding, so read the raw bytes.
    response = client.session.get(f"{client.edge.api}{client.account}{objects}/k", stream=True)
    assert response.raw.read(decode_content=False) == b"as it is"
    sent = {name: value.encode("latin-1") for name, value in response.headers.items()}
    assert {name: sent[name] for name in headers if name in sent} == {
        name: value if isinstance(value, bytes) else value.encode()
        for name, value in headers.items()
        if not name.startswith(("x-", "cf-"))
    }
    (listed,) = client.call("GET", objects)
    assert listed.pop("last_modified").endswith("Z")
    assert listed == {
        "key": "k",
        "size": 8,
        "etag": hashlib.md5(b"as it is").hexdigest(),
        "custom_metadata": {},
        "storage_class": "InfrequentAccess",
        "ssec": False,
        "http_metadata": {
            "contentType": "text/plain",
            "contentLanguage": "de",
            "contentDisposition": 'attachment; filename="ü.txt"',
            "contentEncoding": "br",
            "cacheControl": "max-age=60",
            "cacheExpiry": "2023-02-24T00:00:00.000Z",
        },
    }


def test_get_object_not_modified_returns_304(client: Client, objects: str) -> None:
    etag = client.call("PUT", f"{objects}/k", data=b"x")["etag"]
    modified = client.send("GET", f"{objects}/k").headers["last-modified"]
    for headers, status in (
        ({"If-None-Match": f'"{etag}"'}, 304),
        ({"If-None-Match": '"other"'}, 200),
        ({"If-Modified-Since": modified}, 304),
        ({"If-Modified-Since": "Fri, 24 Feb 2023 00:00:00 GMT"}, 200),
        ({"If-Modified-Since": "no time"}, 200),
    ):
        response = client.send("GET", f"{objects}/k", headers=headers)
        assert (response.status_code, response.content) == (status, b"x" if status == 200 else b""), headers


@pytest.mark.parametrize(
    "key", ["a/b/c", "a%2Fb%2Fc", "folder/", "/leading", "%C3%BC%20%3F%23", "..%2Fup", "a//b", "k" * 1024]
)
def test_object_any_key_is_stored_under_decoded_key(client: Client, objects: str, key: str) -> None:
    real = {"a%2Fb%2Fc": "a/b/c", "%C3%BC%20%3F%23": "ü ?#", "..%2Fup": "../up"}.get(key, key)
    assert client.call("PUT", f"{objects}/{key}", data=b"x")["key"] == real
    assert [one["key"] for one in client.call("GET", objects)] == [real]
    assert client.send("GET", f"{objects}/{key}").content == b"x"
    client.call("DELETE", f"{objects}/{key}")
    assert client.call("GET", f"{objects}/") == []


@pytest.mark.parametrize(
    ("method", "path", "options", "expected"),
    [
        ("PUT", "/" + "k" * 1025, {"data": b"x"}, (400, 10020)),
        ("PUT", "/k", {"data": b"x", "headers": {"cf-r2-storage-class": "Glacial"}}, (400, 10029)),
        ("PUT", "/k", {"data": b"x" * (100 * 1024 * 1024 + 1)}, (413, 413)),
        ("DELETE", "", {"json": []}, (400, 10027)),
        ("DELETE", "", {"json": [f"{number}" for number in range(1001)]}, (400, 10027)),
        ("DELETE", "", {"json": {}}, (400, 10026)),
        ("DELETE", "", {"json": [5]}, (400, 10020)),
        ("GET", "?cursor=!", {}, (400, 10004)),
        ("GET", "?per_page=1001", {}, (400, 10004)),
    ],
)
def test_object_request_invalid_is_refused(
    client: Client, objects: str, method: str, path: str, options: Any, expected: tuple[int, int]
) -> None:
    assert client.error(method, objects + path, **options) == expected
    assert client.call("GET", objects) == []


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("DELETE", ""), ("GET", "/k"), ("PUT", "/k"), ("DELETE", "/k")]
)
def test_object_request_unknown_bucket_returns_404(client: Client, method: str, path: str) -> None:
    assert client.error(method, f"{BUCKETS}/none/objects{path}", json=["k"]) == (404, 10006)


def test_list_and_delete_objects_several_keys_pages_and_deletes(client: Client, objects: str) -> None:
    for number in range(30):
        client.call("PUT", f"{objects}/{'ab'[number % 2]}/{number:02}", data=b"x")
    first = client.send("GET", f"{objects}?prefix=a/&per_page=10").json()
    assert first["result_info"].items() >= {"is_truncated": True, "per_page": 10, "delimited": []}.items()
    second = client.send("GET", f"{objects}?prefix=a/&per_page=10&cursor={first['result_info']['cursor']}").json()
    assert [one["key"] for one in first["result"] + second["result"]] == [
        f"a/{number:02}" for number in range(0, 30, 2)
    ]
    assert second["result_info"] == {"is_truncated": False, "per_page": 10, "delimited": []}
    folders = client.send("GET", f"{objects}?delimiter=/").json()
    assert (folders["result"], folders["result_info"]["delimited"]) == ([], ["a/", "b/"])
    assert [one["key"] for one in client.call("GET", f"{objects}?start_after=b/27")] == ["b/29"]
    assert client.call("DELETE", objects, json=["a/00", "none"]) == [{"key": "a/00"}, {"key": "none"}]
    assert len(client.call("GET", f"{objects}?per_page=1000")) == 29


def test_graphql_storage_query_returns_object_count_and_size(client: Client, objects: str) -> None:
    request = {
        "query": "query q($a: String) { viewer { accounts { r2StorageAdaptiveGroups { max { objectCount } } } } }",
        "variables": {"accountTag": client.edge.account, "filter": {"bucketName": "files"}},
    }

    def groups() -> Any:
        body = client.session.post(f"{client.edge.api}/graphql", json=request).json()
        assert body["errors"] is None
        return body["data"]["viewer"]["accounts"][0]["r2StorageAdaptiveGroups"]

    assert groups() == []
    for key, size in (("a", 10), ("b", 5)):
        client.call("PUT", f"{objects}/{key}", data=b"x" * size)
    (group,) = groups()
    assert (group["max"]["objectCount"], group["max"]["payloadSize"]) == (2, 15)
    request["variables"]["filter"]["bucketName"] = "eu_files"  # type: ignore[index]
    assert groups() == []
    request["query"] = "{ viewer { zones } }"
    assert (
        "r2StorageAdaptiveGroups"
        in client.session.post(f"{client.edge.api}/graphql", json=request).json()["errors"][0]["message"]
    )
    request["query"], request["variables"] = "r2StorageAdaptiveGroups", {"accountTag": "f" * 32}
    assert client.session.post(f"{client.edge.api}/graphql", json=request).status_code == 403


KEYS = sorted(
    [
        "",
        "!",
        "a",
        "a/",
        "a/1",
        "a/2",
        "a/b/1",
        "a/b/2",
        "a/b",
        "ab",
        "b/1",
        "b/2/3",
        "b0",
        "ü/x",
        "ü/y",
        "→",
        "\U0010ffff",
        "z\0a",
        "z\0b",
    ],
    key=str.encode,
)


def expected_listing(prefix: str, delimiter: str, start_after: str | None) -> list[tuple[str, str]]:
    """Return the expected listing: keys, and each group at the position of its first key."""
    entries = []
    for key in KEYS:
        if not key.startswith(prefix) or (start_after is not None and key.encode() <= start_after.encode()):
            continue
        head, found, _rest = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
        entry = ("group", prefix + head + delimiter) if found else ("key", key)
        if entry not in entries:
            entries.append(entry)
    return entries


def test_page_all_parameter_combinations_match_model(store: Store, bucket: Bucket) -> None:
    for key in random.Random(1).sample(KEYS, len(KEYS)):
        put(store, bucket, key)
    for prefix, delimiter, limit, start_after in itertools.product(
        ["", "a", "a/", "a/b/", "b", "ü", "z", "none"],
        ["", "/", "b", "/b/", "\0", "none"],
        [1, 2, 3, 1000],
        [None, "", "a/1", "a/b/1", "a/zzz", "b", "ÿ"],
    ):
        expected, cursor, listed = expected_listing(prefix, delimiter, start_after), "", list[tuple[str, str]]()
        while True:
            page = r2_objects.page(store, bucket, prefix, delimiter, start_after, cursor, limit)
            entries = [("key", one.key) for one in page.objects] + [("group", one) for one in page.prefixes]
            assert len(entries) <= limit
            listed += sorted(entries, key=lambda entry: entry[1].encode())
            cursor = page.cursor
            if not cursor:
                break
            assert len(entries) == limit, "only the last page may be shorter than the limit"
        assert listed == expected, (prefix, delimiter, limit, start_after)


def test_page_large_metadata_is_shortened(store: Store, bucket: Bucket) -> None:
    for number in range(50):
        put(store, bucket, f"{number:02}", description=Description(custom={"a": "x" * 8000}))
    page = r2_objects.page(store, bucket)
    assert 1 < len(page.objects) < 50
    assert len(r2_objects.page(store, bucket, described=False).objects) == 50
    keys, cursor = [one.key for one in page.objects], page.cursor
    while cursor:
        page = r2_objects.page(store, bucket, cursor=cursor)
        keys, cursor = keys + [one.key for one in page.objects], page.cursor
    assert keys == [f"{number:02}" for number in range(50)]


def test_page_delimiter_skips_contents_of_groups(store: Store, bucket: Bucket) -> None:
    """The cost of a delimited listing depends on the number of folders, not on their contents."""
    for folder, number in itertools.product("abc", range(60)):
        put(store, bucket, f"{folder}/{number:03}")
    stepped = 0

    def count() -> int:
        nonlocal stepped
        stepped += 1
        return 0

    store.db.set_progress_handler(count, 10)
    assert r2_objects.page(store, bucket, delimiter="/").prefixes == ["a/", "b/", "c/"]
    folders, stepped = stepped, 0
    assert len(r2_objects.page(store, bucket).objects) == 180
    assert folders * 10 < stepped
    store.db.set_progress_handler(None, 0)


@pytest.mark.parametrize("size", [0, 1, 10])
def test_resolved_all_ranges_match_model(size: int) -> None:
    body = bytes(range(size))
    numbers = [None, 0, 1, 3, 9, 10, 11, 50]
    for offset, length in itertools.product(numbers, numbers):
        range_options = {name: value for name, value in (("offset", offset), ("length", length)) if value is not None}
        if not range_options:
            assert resolve_range(None, size) == resolve_range({}, size) == (0, size)
            continue
        start = offset or 0
        expected = body[start:] if length is None else body[start : start + length]
        if expected:
            assert resolve_range(range_options, size) == (start, len(expected))
        else:
            with pytest.raises(ApiError, match="not satisfiable"):
                resolve_range(range_options, size)
    for suffix in numbers[1:]:
        if suffix and size:
            start, length = resolve_range({"suffix": suffix}, size)
            assert body[start : start + length] == body[-suffix:]
    for header in ("bytes=0-", "bytes=1-3", " BYTES = 3 - ", "bytes=9-20", "bytes=-3", "bytes=-50"):
        first, last = header.strip().lower().removeprefix("bytes").strip(" =").split("-")
        expected = body[int(first) : int(last) + 1 if last.strip() else None] if first.strip() else body[-int(last) :]
        start, length = resolve_range({"header": header}, size)
        assert body[start : start + length] == (expected or body), header
    for header in (
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=-0",
        "bytes=3-1",
        "bytes=10-",
        "bytes=1-2,4-5",
        "items=1-2",
        "bytes=a-b",
        "bytes=1",
        "bytes=1-" + "9" * 5000,
    ):
        assert resolve_range({"header": header}, size) == (0, size), f"{header} selects the whole object"


def conditions_hold(options: dict[str, Any], etag: str | None, uploaded: int) -> bool:
    """Evaluate conditions as RFC 9110, section 13.2.2. ifMatch and uploadedAfter fail if there is no object."""
    if etag is None:
        return "ifMatch" not in options and "uploadedAfter" not in options
    if "ifMatch" in options:
        if options["ifMatch"] not in ("*", f'"{etag}"'):
            return False
    elif "uploadedBefore" in options and not uploaded < options["uploadedBefore"]:
        return False
    if "ifNoneMatch" in options:
        return options["ifNoneMatch"] not in ("*", f'"{etag}"', f'W/"{etag}"')
    return "uploadedAfter" not in options or uploaded > options["uploadedAfter"]


def test_conditions_all_combinations_match_rfc_9110() -> None:
    tags = [None, "*", '"mine"', 'W/"mine"', '"other"']
    times = [None, 1000, 5000, 9000]
    for match, none_match, before, after, etag in itertools.product(tags, tags, times, times, ["mine", None]):
        options = {
            name: value
            for name, value in (
                ("ifMatch", match),
                ("ifNoneMatch", none_match),
                ("uploadedBefore", before),
                ("uploadedAfter", after),
            )
            if value
        }
        conditions, current = Conditions.read(options), (etag, 5000) if etag else None
        if conditions_hold(options, etag, 5000):
            conditions.check(current)
        else:
            with pytest.raises(ApiError) as error:
                conditions.check(current)
            assert (error.value.status, error.value.code) == (412, 10031)


def test_conditions_etags_and_times_in_headers_are_parsed() -> None:
    def holds(**options: Any) -> bool:
        return Conditions.read(options).are_met("mine", 5400)

    assert holds(ifMatch='"a", "mine"') and holds(ifMatch='W/"a",,"mine" ,"b"') and not holds(ifMatch='W/"mine"')
    assert holds(ifMatch=["mine"]) and holds(ifMatch=["*"]) and not holds(ifMatch=['"mine"'])
    with pytest.raises(ApiError, match="Invalid ETag in if-match header"):
        holds(ifMatch="mine")
    assert holds(uploadedBefore=5500) and not holds(uploadedBefore=5500, secondsGranularity=True)
    assert holds(uploadedAfter=5300) and not holds(uploadedAfter=5300, secondsGranularity=True)


def test_put_wrong_checksum_is_refused(store: Store, bucket: Bucket) -> None:
    for name, label in r2_objects.NAMES.items():
        real = hashlib.new(name, b"body").hexdigest()
        created = put(store, bucket, "k", b"body", Description(checksums={name: real.upper()}))
        assert created.checksums == {"md5": hashlib.md5(b"body").hexdigest(), name: real}
        wrong_digest = real[::-1]
        with pytest.raises(ApiError) as error:
            put(store, bucket, "k", b"body", Description(checksums={name: wrong_digest}))
        assert code_of(error) == 10037
        assert error.value.message == (
            f"The {label} checksum you specified did not match what we received.\n"
            f"You provided a {label} checksum with value: {wrong_digest}\nActual {label} was: {real}"
        )
        assert r2_objects.head(store, bucket, "k") == created
    assert count_files(store) == 1


def test_put_metadata_over_limit_is_refused(store: Store, bucket: Bucket) -> None:
    put(store, bucket, "k", description=Description(custom={"a": "x" * 8191}))
    put(store, bucket, "k", description=Description(custom={"a": "→" * 4095, "b": ""}))
    put(store, bucket, "k", description=Description(custom={"a": "😀" * 2047}))
    for custom in (
        {"a": "x" * 8192},
        {"a": "→" * 4096},
        {"a": "ü" * 8192},
        {"a": "😀" * 2048},
        {f"{number:04}": "1234" for number in range(1025)},
    ):
        with pytest.raises(ApiError) as error:
            put(store, bucket, "k", description=Description(custom=custom))
        assert code_of(error) == 10012


def test_put_object_or_part_over_size_limit_is_refused(
    store: Store, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(r2_objects, "MAX_SIZE", 3)
    put(store, bucket, "k", b"abc")
    ident = r2_uploads.create(store, bucket, "k", PLAIN)
    for attempt in (lambda: put(store, bucket, "k", b"abcd"), lambda: put_part(store, bucket, ident, 1, b"abcd")):
        with pytest.raises(ApiError) as error:
            attempt()
        assert code_of(error) == 100100
    assert count_files(store) == 1


def test_store_replace_or_delete_object_removes_its_files(store: Store, bucket: Bucket) -> None:
    put(store, bucket, "k", b"one")
    assert read(store, put(store, bucket, "k", b"two")) == b"two"
    assert count_files(store) == 1
    put(store, bucket, "other", b"three")
    r2_objects.delete(store, bucket, ["k", "none"])
    assert count_files(store) == 1

    async def failing_stream() -> AsyncIterator[bytes]:
        yield b"half of"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError), store.blobs.writer(["md5"]) as writer:
        asyncio.run(writer.write(failing_stream()))
    assert count_files(store) == 1, "an interrupted write leaves no file"
    (store.blobs.folder / "left").write_bytes(b"by a process that was killed")
    r2_uploads.collect_garbage(store)
    assert count_files(store) == 1
    assert read(store, r2_objects.head(store, bucket, "other")) == b"three"


def test_collect_garbage_open_files_are_kept(store: Store, bucket: Bucket) -> None:
    content = r2_objects.content(store, put(store, bucket, "k", b"one"), 0, 3)
    put(store, bucket, "k", b"two")
    with store.blobs.writer(["md5"]) as writer:
        r2_uploads.collect_garbage(store)
        assert count_files(store) == 3
        assert b"".join(content) == b"one"
        asyncio.run(writer.write(stream(b"three")))
        r2_objects.put(store, bucket, "later", writer, PLAIN)
    del content, writer
    r2_uploads.collect_garbage(store)
    assert count_files(store) == 2


def test_reset_store_removes_all_files(store: Store, bucket: Bucket) -> None:
    put(store, bucket, "k")
    put_part(store, bucket, r2_uploads.create(store, bucket, "k", PLAIN), 1, b"x")
    store.reset()
    assert count_files(store) == 0


def test_store_in_memory_removes_files_on_close() -> None:
    store = Store()
    r2.create(store, ACCOUNT, r2.DEFAULT, "files", None, r2.STANDARD)
    bucket = r2.find(store, ACCOUNT, r2.DEFAULT, "files")
    assert read(store, put(store, bucket, "k", b"body")) == b"body"
    folder = store.blobs.folder
    store.close()
    assert not folder.exists()


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(r2_uploads, "MIN_PART", 10)


@pytest.mark.usefixtures("small_parts")
def test_complete_upload_several_parts_creates_object(store: Store, bucket: Bucket) -> None:
    description = Description({"contentType": "a/b"}, {"k": "v"}, "InfrequentAccess")
    ident = r2_uploads.create(store, bucket, "k", description)
    bodies = {number: bytes([64 + number]) * (10 if number < 9 else 4) for number in (9, 2, 5)}
    parts = [put_part(store, bucket, ident, number, body) for number, body in bodies.items()]
    dropped = put_part(store, bucket, ident, 7, b"not chosen")
    assert dropped["etag"] != put_part(store, bucket, ident, 7, b"not chosen")["etag"]
    with pytest.raises(ApiError, match="key does not exist"):
        r2_objects.head(store, bucket, "k")
    created = r2_uploads.complete(store, bucket, "k", ident, [parts[1], parts[2], parts[0]])
    whole = b"".join(bodies[number] for number in sorted(bodies))
    assert read(store, created) == whole
    digests = b"".join(hashlib.md5(bodies[number]).digest() for number in sorted(bodies))
    assert created.etag == f"{hashlib.md5(digests).hexdigest()}-3"
    assert (created.size, created.checksums, created.http, created.custom, created.storage_class) == (
        24,
        {},
        description.http,
        description.custom,
        "InfrequentAccess",
    )
    for start, length in itertools.product(range(25), range(25)):
        if start + length <= 24:
            assert read(store, created, start, length) == whole[start : start + length]
    assert count_files(store) == 3
    r2_uploads.abort(store, bucket, "k", ident)
    assert read(store, r2_objects.head(store, bucket, "k")) == whole, "a completed upload cannot be aborted"
    put(store, bucket, "k", b"one file")
    assert count_files(store) == 1


@pytest.mark.usefixtures("small_parts")
def test_complete_upload_unequal_or_small_parts_is_refused(store: Store, bucket: Bucket) -> None:
    def complete_parts(*sizes: int, order: list[int] | None = None) -> int:
        """Complete an upload with the parts in this order. Return the error code, or 0."""
        ident = r2_uploads.create(store, bucket, "k", PLAIN)
        parts = [put_part(store, bucket, ident, number, b"x" * size) for number, size in enumerate(sizes, 1)]
        try:
            created = r2_uploads.complete(
                store, bucket, "k", ident, [parts[index] for index in order or range(len(parts))]
            )
        except ApiError as error:
            r2_uploads.abort(store, bucket, "k", ident)
            return error.code
        assert created.size == sum(sizes)
        return 0

    assert [
        complete_parts(),
        complete_parts(3),
        complete_parts(10, 3),
        complete_parts(10, 10, 10),
        complete_parts(12, 12, 11),
    ] == [0] * 5
    assert r2_objects.head(store, bucket, "k").etag.endswith("-3")
    assert [complete_parts(9, 10), complete_parts(10, 9, 10)] == [10011] * 2
    assert [complete_parts(10, 11), complete_parts(10, 11, 10), complete_parts(9, 10, 10, order=[1, 2, 0])] == [
        10048
    ] * 3
    assert complete_parts(10, 10, 3, order=[1, 2, 0]) == 10011


@pytest.mark.usefixtures("small_parts")
def test_multipart_upload_invalid_call_is_refused(store: Store, bucket: Bucket) -> None:
    ident = r2_uploads.create(store, bucket, "k", PLAIN)
    part, other = put_part(store, bucket, ident, 1, b"x"), r2_uploads.create(store, bucket, "k", PLAIN)
    invalid_calls = {
        10024: [
            lambda: put_part(store, bucket, "none", 1, b"x"),
            lambda: r2_uploads.complete(store, bucket, "other key", ident, [part]),
            lambda: r2_uploads.abort(store, bucket, "k", "none"),
        ],
        10025: [
            lambda: r2_uploads.complete(store, bucket, "k", ident, [{"part": 2, "etag": part["etag"]}]),
            lambda: r2_uploads.complete(store, bucket, "k", ident, [{"part": 1, "etag": "none"}]),
            lambda: r2_uploads.complete(store, bucket, "k", other, [part]),
        ],
        10001: [lambda: r2_uploads.complete(store, bucket, "k", ident, [part, part])],
        10020: [
            lambda: r2_uploads.create(store, bucket, "k" * 1025, PLAIN),
            lambda: r2_uploads.abort(store, bucket, "k" * 1025, ident),
        ],
        10029: [
            lambda: put_part(store, bucket, ident, 0, b"x"),
            lambda: put_part(store, bucket, ident, 10_001, b"x"),
            lambda: r2_uploads.create(store, bucket, "k", Description(storage_class="Glacial")),
        ],
    }
    for code, attempts in invalid_calls.items():
        for attempt in attempts:
            with pytest.raises(ApiError) as error:
                attempt()
            assert code_of(error) == code
    replaced = put_part(store, bucket, ident, 1, b"y")
    with pytest.raises(ApiError, match="parts could not be found"):
        r2_uploads.complete(store, bucket, "k", ident, [part])
    r2_uploads.complete(store, bucket, "k", ident, [replaced])
    r2_uploads.abort(store, bucket, "k", other)
    r2_uploads.abort(store, bucket, "k", other)
    for finished in (ident, other):
        for attempt in (
            partial(put_part, store, bucket, finished, 2, b"x"),
            partial(r2_uploads.complete, store, bucket, "k", finished, [replaced]),
        ):
            with pytest.raises(ApiError) as error:
                attempt()
            assert code_of(error) == 10024
    assert count_files(store) == 1


def test_collect_garbage_expired_upload_or_deleted_bucket_removes_parts(
    store: Store, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    ident = r2_uploads.create(store, bucket, "k", PLAIN)
    put_part(store, bucket, ident, 1, b"x")
    r2_uploads.collect_garbage(store)
    assert count_files(store) == 1
    monkeypatch.setattr(r2_uploads, "LIFETIME", -1)
    r2_uploads.collect_garbage(store)
    assert count_files(store) == 0
    put_part(store, bucket, r2_uploads.create(store, bucket, "k", PLAIN), 1, b"x")
    r2.delete(store, bucket)
    assert count_files(store) == 0


def test_store_reopened_returns_stored_object(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "edge.db"))
    r2.create(store, ACCOUNT, r2.DEFAULT, "files", None, r2.STANDARD)
    created = put(
        store,
        r2.find(store, ACCOUNT, r2.DEFAULT, "files"),
        "k",
        b"body",
        Description({api_objects.EXPIRY: 5}, {"a": "b"}),
    )
    store.close()
    again = Store(str(tmp_path / "edge.db"))
    r2_uploads.collect_garbage(again)
    found = r2_objects.head(again, r2.find(again, ACCOUNT, r2.DEFAULT, "files"), "k")
    assert found == created
    assert read(again, found) == b"body"
    again.close()
