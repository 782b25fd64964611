# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""R2: buckets and objects of the API, and the laws of what is behind them."""

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
from local_edge.model.r2_requests import Conditions, resolved
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


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


PLAIN = Description()


def put(store: Store, bucket: Bucket, key: str, body: bytes = b"x", told: Description = PLAIN) -> Object:
    with store.blobs.writer({"md5", *told.checksums}) as writer:
        asyncio.run(writer.write(pieces(body)))
        return r2_objects.put(store, bucket, key, writer, told)


def put_part(store: Store, bucket: Bucket, ident: str, number: int, body: bytes) -> dict[str, Any]:
    with store.blobs.writer(["md5"]) as writer:
        asyncio.run(writer.write(pieces(body)))
        return {"part": number, "etag": r2_uploads.put_part(store, bucket, "k", ident, number, writer)}


def read(store: Store, found: Object, start: int = 0, length: int | None = None) -> bytes:
    return b"".join(r2_objects.content(store, found, start, found.size if length is None else length))


def files(store: Store) -> int:
    return len(list(store.blobs.folder.iterdir()))


def code_of(error: pytest.ExceptionInfo[ApiError]) -> int:
    return error.value.code


def test_the_life_of_a_bucket(client: Client) -> None:
    made = client.call(
        "POST", BUCKETS, json={"name": "files", "locationHint": "weur", "storageClass": "InfrequentAccess"}
    )
    assert made == {
        "name": "files",
        "creation_date": made["creation_date"],
        "location": "weur",
        "storage_class": "InfrequentAccess",
        "jurisdiction": "default",
    }
    assert client.call("GET", f"{BUCKETS}/files") == made
    assert client.call("GET", BUCKETS) == {"buckets": [made]}
    assert client.error("POST", BUCKETS, json={"name": "files"}) == (409, 10004)
    changed = client.call("PATCH", f"{BUCKETS}/files", headers={"cf-r2-storage-class": "Standard"})
    assert changed == {**made, "storage_class": "Standard"}
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
def test_buckets_that_are_refused(client: Client, body: Any, code: int) -> None:
    assert client.error("POST", BUCKETS, json=body) == (400, code)


def test_listing_buckets(client: Client) -> None:
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

    def listed(query: str) -> list[str]:
        return [one["name"] for one in client.call("GET", f"{BUCKETS}?{query}")["buckets"]]

    assert listed("name_contains=t-1&per_page=3") == ["bucket-10", "bucket-11", "bucket-12"]
    assert listed("start_after=bucket-22") == ["bucket-23", "bucket-24"]
    assert listed("direction=desc&per_page=2&start_after=bucket-02") == ["bucket-01", "bucket-00"]
    assert client.error("GET", f"{BUCKETS}?per_page=1001") == (400, 10004)


def test_a_bucket_of_a_jurisdiction_is_another(client: Client) -> None:
    there = {"cf-r2-jurisdiction": "eu"}
    for headers in ({}, there):
        client.call("POST", BUCKETS, json={"name": "files"}, headers=headers)
    client.call("PUT", f"{BUCKETS}/files/objects/k", data=b"european", headers=there)
    assert client.error("GET", f"{BUCKETS}/files/objects/k") == (404, 10007)
    assert client.send("GET", f"{BUCKETS}/files/objects/k", headers=there).content == b"european"
    assert client.call("GET", f"{BUCKETS}/files", headers=there)["jurisdiction"] == "eu"
    client.call("DELETE", f"{BUCKETS}/files")
    assert client.call("GET", BUCKETS)["buckets"] == []
    assert len(client.call("GET", BUCKETS, headers=there)["buckets"]) == 1
    assert client.error("GET", BUCKETS, headers={"cf-r2-jurisdiction": "atlantis"}) == (400, 10029)
    binding = {"name": "B", "type": "r2_bucket", "bucket_name": "files"}
    client.upload("/workers/scripts/w", bindings=[{**binding, "jurisdiction": "eu"}])
    assert client.call("GET", "/workers/scripts/w/bindings") == [{**binding, "jurisdiction": "eu"}]
    with pytest.raises(AssertionError, match="10085"):
        client.upload("/workers/scripts/w", bindings=[binding])


def test_a_bucket_that_is_not_empty_stays(client: Client, objects: str) -> None:
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


def test_the_life_of_an_object(client: Client, objects: str) -> None:
    body = bytes(range(256)) * 5000
    put = client.call("PUT", f"{objects}/k", data=body)
    digest = hashlib.md5(body).hexdigest()
    assert put.items() >= {"key": "k", "etag": digest, "size": str(len(body)), "storage_class": "Standard"}.items()
    got = client.send("GET", f"{objects}/k")
    assert got.content == body
    assert (got.headers["etag"], got.headers["content-type"], got.headers["content-length"]) == (
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


def test_headers_are_kept_with_an_object(client: Client, objects: str) -> None:
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
    # The client would undo an encoding that is told, so it is asked for the bytes as they came.
    got = client.session.get(f"{client.edge.api}{client.account}{objects}/k", stream=True)
    assert got.raw.read(decode_content=False) == b"as it is"
    sent = {name: value.encode("latin-1") for name, value in got.headers.items()}
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


def test_an_object_that_has_not_changed_is_not_sent(client: Client, objects: str) -> None:
    etag = client.call("PUT", f"{objects}/k", data=b"x")["etag"]
    modified = client.send("GET", f"{objects}/k").headers["last-modified"]
    for headers, status in (
        ({"If-None-Match": f'"{etag}"'}, 304),
        ({"If-None-Match": '"other"'}, 200),
        ({"If-Modified-Since": modified}, 304),
        ({"If-Modified-Since": "Fri, 24 Feb 2023 00:00:00 GMT"}, 200),
        ({"If-Modified-Since": "no time"}, 200),
    ):
        got = client.send("GET", f"{objects}/k", headers=headers)
        assert (got.status_code, got.content) == (status, b"x" if status == 200 else b""), headers


@pytest.mark.parametrize(
    "key", ["a/b/c", "a%2Fb%2Fc", "folder/", "/leading", "%C3%BC%20%3F%23", "..%2Fup", "a//b", "k" * 1024]
)
def test_keys(client: Client, objects: str, key: str) -> None:
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
def test_what_is_refused_of_objects(
    client: Client, objects: str, method: str, path: str, options: Any, expected: tuple[int, int]
) -> None:
    assert client.error(method, objects + path, **options) == expected
    assert client.call("GET", objects) == []


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("DELETE", ""), ("GET", "/k"), ("PUT", "/k"), ("DELETE", "/k")]
)
def test_objects_of_no_bucket(client: Client, method: str, path: str) -> None:
    assert client.error(method, f"{BUCKETS}/none/objects{path}", json=["k"]) == (404, 10006)


def test_listing_and_deleting_several_objects(client: Client, objects: str) -> None:
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


def test_what_a_bucket_holds_is_asked_by_graphql(client: Client, objects: str) -> None:
    question = {
        "query": "query q($a: String) { viewer { accounts { r2StorageAdaptiveGroups { max { objectCount } } } } }",
        "variables": {"accountTag": client.edge.account, "filter": {"bucketName": "files"}},
    }

    def groups() -> Any:
        body = client.session.post(f"{client.edge.api}/graphql", json=question).json()
        assert body["errors"] is None
        return body["data"]["viewer"]["accounts"][0]["r2StorageAdaptiveGroups"]

    assert groups() == []
    for key, size in (("a", 10), ("b", 5)):
        client.call("PUT", f"{objects}/{key}", data=b"x" * size)
    (group,) = groups()
    assert (group["max"]["objectCount"], group["max"]["payloadSize"]) == (2, 15)
    question["variables"]["filter"]["bucketName"] = "eu_files"  # type: ignore[index]
    assert groups() == []
    question["query"] = "{ viewer { zones } }"
    assert (
        "r2StorageAdaptiveGroups"
        in client.session.post(f"{client.edge.api}/graphql", json=question).json()["errors"][0]["message"]
    )
    question["query"], question["variables"] = "r2StorageAdaptiveGroups", {"accountTag": "f" * 32}
    assert client.session.post(f"{client.edge.api}/graphql", json=question).status_code == 403


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


def model(prefix: str, delimiter: str, start_after: str | None) -> list[tuple[str, str]]:
    """What a listing must show: keys, and groups where their first key is."""
    shown = []
    for key in KEYS:
        if not key.startswith(prefix) or (start_after is not None and key.encode() <= start_after.encode()):
            continue
        head, found, _rest = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
        entry = ("group", prefix + head + delimiter) if found else ("key", key)
        if entry not in shown:
            shown.append(entry)
    return shown


def test_every_listing_agrees_with_the_model(store: Store, bucket: Bucket) -> None:
    for key in random.Random(1).sample(KEYS, len(KEYS)):
        put(store, bucket, key)
    for prefix, delimiter, limit, start_after in itertools.product(
        ["", "a", "a/", "a/b/", "b", "ü", "z", "none"],
        ["", "/", "b", "/b/", "\0", "none"],
        [1, 2, 3, 1000],
        [None, "", "a/1", "a/b/1", "a/zzz", "b", "ÿ"],
    ):
        expected, cursor, seen = model(prefix, delimiter, start_after), "", list[tuple[str, str]]()
        while True:
            page = r2_objects.page(store, bucket, prefix, delimiter, start_after, cursor, limit)
            entries = [("key", one.key) for one in page.objects] + [("group", one) for one in page.prefixes]
            assert len(entries) <= limit
            seen += sorted(entries, key=lambda entry: entry[1].encode())
            cursor = page.cursor
            if not cursor:
                break
            assert len(entries) == limit, "a page ends before its limit only if it is the last"
        assert seen == expected, (prefix, delimiter, limit, start_after)


def test_a_page_with_much_metadata_is_shorter(store: Store, bucket: Bucket) -> None:
    for number in range(50):
        put(store, bucket, f"{number:02}", told=Description(custom={"a": "x" * 8000}))
    page = r2_objects.page(store, bucket)
    assert 1 < len(page.objects) < 50
    assert len(r2_objects.page(store, bucket, described=False).objects) == 50
    keys, cursor = [one.key for one in page.objects], page.cursor
    while cursor:
        page = r2_objects.page(store, bucket, cursor=cursor)
        keys, cursor = keys + [one.key for one in page.objects], page.cursor
    assert keys == [f"{number:02}" for number in range(50)]


def test_a_group_is_passed_over_and_not_read(store: Store, bucket: Bucket) -> None:
    """A listing by folders takes as many steps as there are folders, however much is in them."""
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
def test_every_range_agrees_with_the_model(size: int) -> None:
    body = bytes(range(size))
    numbers = [None, 0, 1, 3, 9, 10, 11, 50]
    for offset, length in itertools.product(numbers, numbers):
        told = {name: value for name, value in (("offset", offset), ("length", length)) if value is not None}
        if not told:
            assert resolved(None, size) == resolved({}, size) == (0, size)
            continue
        start = offset or 0
        expected = body[start:] if length is None else body[start : start + length]
        if expected:
            assert resolved(told, size) == (start, len(expected))
        else:
            with pytest.raises(ApiError, match="not satisfiable"):
                resolved(told, size)
    for suffix in numbers[1:]:
        if suffix and size:
            start, length = resolved({"suffix": suffix}, size)
            assert body[start : start + length] == body[-suffix:]
    for header in ("bytes=0-", "bytes=1-3", " BYTES = 3 - ", "bytes=9-20", "bytes=-3", "bytes=-50"):
        first, last = header.strip().lower().removeprefix("bytes").strip(" =").split("-")
        expected = body[int(first) : int(last) + 1 if last.strip() else None] if first.strip() else body[-int(last) :]
        start, length = resolved({"header": header}, size)
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
        assert resolved({"header": header}, size) == (0, size), f"{header} means everything"


def precedence(told: dict[str, Any], etag: str | None, uploaded: int) -> bool:
    """RFC 9110, section 13.2.2; and what must match, or be newer, must be there."""
    if etag is None:
        return "ifMatch" not in told and "uploadedAfter" not in told
    if "ifMatch" in told:
        if told["ifMatch"] not in ("*", f'"{etag}"'):
            return False
    elif "uploadedBefore" in told and not uploaded < told["uploadedBefore"]:
        return False
    if "ifNoneMatch" in told:
        return told["ifNoneMatch"] not in ("*", f'"{etag}"', f'W/"{etag}"')
    return "uploadedAfter" not in told or uploaded > told["uploadedAfter"]


def test_every_combination_of_conditions_agrees_with_the_standard() -> None:
    tags = [None, "*", '"mine"', 'W/"mine"', '"other"']
    times = [None, 1000, 5000, 9000]
    for match, none_match, before, after, etag in itertools.product(tags, tags, times, times, ["mine", None]):
        told = {
            name: value
            for name, value in (
                ("ifMatch", match),
                ("ifNoneMatch", none_match),
                ("uploadedBefore", before),
                ("uploadedAfter", after),
            )
            if value
        }
        asked, there = Conditions.read(told), (etag, 5000) if etag else None
        if precedence(told, etag, 5000):
            asked.check(there)
        else:
            with pytest.raises(ApiError) as refusal:
                asked.check(there)
            assert (refusal.value.status, refusal.value.code) == (412, 10031)


def test_tags_and_times_in_headers() -> None:
    def holds(**told: Any) -> bool:
        return Conditions.read(told).hold("mine", 5400)

    assert holds(ifMatch='"a", "mine"') and holds(ifMatch='W/"a",,"mine" ,"b"') and not holds(ifMatch='W/"mine"')
    assert holds(ifMatch=["mine"]) and holds(ifMatch=["*"]) and not holds(ifMatch=['"mine"'])
    with pytest.raises(ApiError, match="Invalid ETag in if-match header"):
        holds(ifMatch="mine")
    assert holds(uploadedBefore=5500) and not holds(uploadedBefore=5500, secondsGranularity=True)
    assert holds(uploadedAfter=5300) and not holds(uploadedAfter=5300, secondsGranularity=True)


def test_checksums(store: Store, bucket: Bucket) -> None:
    for name, label in r2_objects.NAMES.items():
        real = hashlib.new(name, b"body").hexdigest()
        made = put(store, bucket, "k", b"body", Description(checksums={name: real.upper()}))
        assert made.checksums == {"md5": hashlib.md5(b"body").hexdigest(), name: real}
        wrong = real[::-1]
        with pytest.raises(ApiError) as refusal:
            put(store, bucket, "k", b"body", Description(checksums={name: wrong}))
        assert code_of(refusal) == 10037
        assert refusal.value.message == (
            f"The {label} checksum you specified did not match what we received.\n"
            f"You provided a {label} checksum with value: {wrong}\nActual {label} was: {real}"
        )
        assert r2_objects.head(store, bucket, "k") == made
    assert files(store) == 1


def test_metadata_has_a_limit(store: Store, bucket: Bucket) -> None:
    put(store, bucket, "k", told=Description(custom={"a": "x" * 8191}))
    put(store, bucket, "k", told=Description(custom={"a": "→" * 4095, "b": ""}))
    put(store, bucket, "k", told=Description(custom={"a": "😀" * 2047}))
    for custom in (
        {"a": "x" * 8192},
        {"a": "→" * 4096},
        {"a": "ü" * 8192},
        {"a": "😀" * 2048},
        {f"{number:04}": "1234" for number in range(1025)},
    ):
        with pytest.raises(ApiError) as refusal:
            put(store, bucket, "k", told=Description(custom=custom))
        assert code_of(refusal) == 10012


def test_what_is_too_large_is_refused(store: Store, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(r2_objects, "MAX_SIZE", 3)
    put(store, bucket, "k", b"abc")
    ident = r2_uploads.create(store, bucket, "k", PLAIN)
    for attempt in (lambda: put(store, bucket, "k", b"abcd"), lambda: put_part(store, bucket, ident, 1, b"abcd")):
        with pytest.raises(ApiError) as refusal:
            attempt()
        assert code_of(refusal) == 100100
    assert files(store) == 1


def test_files_come_and_go_with_their_rows(store: Store, bucket: Bucket) -> None:
    put(store, bucket, "k", b"one")
    assert read(store, put(store, bucket, "k", b"two")) == b"two"
    assert files(store) == 1
    put(store, bucket, "other", b"three")
    r2_objects.delete(store, bucket, ["k", "none"])
    assert files(store) == 1

    async def broken() -> AsyncIterator[bytes]:
        yield b"half of"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError), store.blobs.writer(["md5"]) as writer:
        asyncio.run(writer.write(broken()))
    assert files(store) == 1, "what was broken off leaves nothing"
    (store.blobs.folder / "left").write_bytes(b"by a process that was killed")
    r2_uploads.collect_garbage(store)
    assert files(store) == 1
    assert read(store, r2_objects.head(store, bucket, "other")) == b"three"


def test_what_is_read_or_written_outlives_the_sweep(store: Store, bucket: Bucket) -> None:
    content = r2_objects.content(store, put(store, bucket, "k", b"one"), 0, 3)
    put(store, bucket, "k", b"two")
    with store.blobs.writer(["md5"]) as writer:
        r2_uploads.collect_garbage(store)
        assert files(store) == 3
        assert b"".join(content) == b"one"
        asyncio.run(writer.write(pieces(b"three")))
        r2_objects.put(store, bucket, "later", writer, PLAIN)
    del content, writer
    r2_uploads.collect_garbage(store)
    assert files(store) == 2


def test_a_wiped_store_has_no_files(store: Store, bucket: Bucket) -> None:
    put(store, bucket, "k")
    put_part(store, bucket, r2_uploads.create(store, bucket, "k", PLAIN), 1, b"x")
    store.reset()
    assert files(store) == 0


def test_a_store_in_memory_keeps_its_files_for_as_long_as_it_lives() -> None:
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
def test_parts_become_an_object(store: Store, bucket: Bucket) -> None:
    told = Description({"contentType": "a/b"}, {"k": "v"}, "InfrequentAccess")
    ident = r2_uploads.create(store, bucket, "k", told)
    bodies = {number: bytes([64 + number]) * (10 if number < 9 else 4) for number in (9, 2, 5)}
    parts = [put_part(store, bucket, ident, number, body) for number, body in bodies.items()]
    dropped = put_part(store, bucket, ident, 7, b"not chosen")
    assert dropped["etag"] != put_part(store, bucket, ident, 7, b"not chosen")["etag"]
    with pytest.raises(ApiError, match="key does not exist"):
        r2_objects.head(store, bucket, "k")
    made = r2_uploads.complete(store, bucket, "k", ident, [parts[1], parts[2], parts[0]])
    whole = b"".join(bodies[number] for number in sorted(bodies))
    assert read(store, made) == whole
    digests = b"".join(hashlib.md5(bodies[number]).digest() for number in sorted(bodies))
    assert made.etag == f"{hashlib.md5(digests).hexdigest()}-3"
    assert (made.size, made.checksums, made.http, made.custom, made.storage_class) == (
        24,
        {},
        told.http,
        told.custom,
        "InfrequentAccess",
    )
    for start, length in itertools.product(range(25), range(25)):
        if start + length <= 24:
            assert read(store, made, start, length) == whole[start : start + length]
    assert files(store) == 3
    r2_uploads.abort(store, bucket, "k", ident)
    assert read(store, r2_objects.head(store, bucket, "k")) == whole, "what is complete cannot be aborted"
    put(store, bucket, "k", b"one file")
    assert files(store) == 1


@pytest.mark.usefixtures("small_parts")
def test_the_sizes_of_parts(store: Store, bucket: Bucket) -> None:
    def attempt(*sizes: int, order: list[int] | None = None) -> int:
        """The code of the refusal, 0 if there is none; parts are given in this order."""
        ident = r2_uploads.create(store, bucket, "k", PLAIN)
        parts = [put_part(store, bucket, ident, number, b"x" * size) for number, size in enumerate(sizes, 1)]
        try:
            made = r2_uploads.complete(
                store, bucket, "k", ident, [parts[index] for index in order or range(len(parts))]
            )
        except ApiError as error:
            r2_uploads.abort(store, bucket, "k", ident)
            return error.code
        assert made.size == sum(sizes)
        return 0

    assert [attempt(), attempt(3), attempt(10, 3), attempt(10, 10, 10), attempt(12, 12, 11)] == [0] * 5
    assert r2_objects.head(store, bucket, "k").etag.endswith("-3")
    assert [attempt(9, 10), attempt(10, 9, 10)] == [10011] * 2
    assert [attempt(10, 11), attempt(10, 11, 10), attempt(9, 10, 10, order=[1, 2, 0])] == [10048] * 3
    assert attempt(10, 10, 3, order=[1, 2, 0]) == 10011


@pytest.mark.usefixtures("small_parts")
def test_what_is_refused_of_uploads(store: Store, bucket: Bucket) -> None:
    ident = r2_uploads.create(store, bucket, "k", PLAIN)
    part, other = put_part(store, bucket, ident, 1, b"x"), r2_uploads.create(store, bucket, "k", PLAIN)
    refused = {
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
    for code, attempts in refused.items():
        for attempt in attempts:
            with pytest.raises(ApiError) as refusal:
                attempt()
            assert code_of(refusal) == code
    replaced = put_part(store, bucket, ident, 1, b"y")
    with pytest.raises(ApiError, match="parts could not be found"):
        r2_uploads.complete(store, bucket, "k", ident, [part])
    r2_uploads.complete(store, bucket, "k", ident, [replaced])
    r2_uploads.abort(store, bucket, "k", other)
    r2_uploads.abort(store, bucket, "k", other)
    for over in (ident, other):
        for attempt in (
            partial(put_part, store, bucket, over, 2, b"x"),
            partial(r2_uploads.complete, store, bucket, "k", over, [replaced]),
        ):
            with pytest.raises(ApiError) as refusal:
                attempt()
            assert code_of(refusal) == 10024
    assert files(store) == 1


def test_an_upload_ends_after_a_week_or_with_its_bucket(
    store: Store, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    ident = r2_uploads.create(store, bucket, "k", PLAIN)
    put_part(store, bucket, ident, 1, b"x")
    r2_uploads.collect_garbage(store)
    assert files(store) == 1
    monkeypatch.setattr(r2_uploads, "LIFETIME", -1)
    r2_uploads.collect_garbage(store)
    assert files(store) == 0
    put_part(store, bucket, r2_uploads.create(store, bucket, "k", PLAIN), 1, b"x")
    r2.delete(store, bucket)
    assert files(store) == 0


def test_objects_outlive_the_process(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "edge.db"))
    r2.create(store, ACCOUNT, r2.DEFAULT, "files", None, r2.STANDARD)
    made = put(
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
    assert found == made
    assert read(again, found) == b"body"
    again.close()
