# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dispatch namespaces and Workers, in the account and in namespaces."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

import pytest
from control_plane import CODE, Client, form, secret, settings, text

SPACES = "/workers/dispatch/namespaces"


@pytest.fixture(params=["account", "namespace"])
def base(client: Client, request: pytest.FixtureRequest) -> str:
    """Return the path of scripts. Each test runs for the account and for a namespace."""
    return "/workers/scripts" if request.param == "account" else client.namespace()


def test_namespace_create_rename_delete_returns_current_state(client: Client) -> None:
    scripts = client.namespace("prod")
    assert client.error("POST", SPACES, json={"name": "prod"}) == (409, 100120)
    client.upload(f"{scripts}/a")
    found = client.call("GET", f"{SPACES}/prod")
    assert (found["namespace_name"], found["script_count"], found["trusted_workers"]) == ("prod", 1, False)
    changed = client.call("PUT", f"{SPACES}/prod", json={"name": "live", "trusted_workers": True})
    assert (changed["namespace_name"], changed["script_count"], changed["trusted_workers"]) == ("live", 1, True)
    assert changed["namespace_id"] == found["namespace_id"]
    assert client.error("GET", f"{SPACES}/prod") == (404, 100119)
    assert client.call("DELETE", f"{SPACES}/live") is None
    assert client.error("DELETE", f"{SPACES}/live") == (404, 100119)
    client.namespace("live")
    assert client.call("GET", f"{SPACES}/live/scripts") == [], "deleting a namespace deletes what is in it"


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": 3}, [], {"name": "x" * 65}])
def test_create_namespace_invalid_name_is_refused(client: Client, body: Any) -> None:
    assert client.error("POST", SPACES, json=body) == (400, 10026)


def test_upload_worker_is_read_back(client: Client, base: str) -> None:
    uploaded = client.upload(
        f"{base}/a",
        tags=["x", "y"],
        bindings=[text("V"), secret("S"), {"name": "J", "type": "json", "json": None}],
        query="?excludeScript=true",
    )
    assert uploaded["id"] == "a"
    assert uploaded["handlers"] == ["fetch"]
    assert uploaded["tags"] == ["x", "y"]
    assert len(uploaded["etag"]) == 64
    settings_read = client.call("GET", f"{base}/a/settings")
    assert settings_read["bindings"] == [
        text("V"),
        {"name": "S", "type": "secret_text"},
        {"name": "J", "type": "json", "json": None},
    ]
    assert settings_read["compatibility_date"] == "2026-11-01"
    content = client.send("GET", f"{base}/a/content")
    assert content.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert CODE in content.text
    listed = client.call("GET", base)
    assert [(one["id"], one["tags"], one["etag"]) for one in listed] == [("a", ["x", "y"], uploaded["etag"])]


def test_get_worker_in_namespace_returns_metadata_instead_of_code(client: Client) -> None:
    scripts = client.namespace()
    client.upload(f"{scripts}/a")
    client.upload("/workers/scripts/a")
    nested = client.call("GET", f"{scripts}/a")
    assert nested["dispatch_namespace"] == "prod"
    assert nested["script"]["id"] == "a"
    assert CODE in client.send("GET", "/workers/scripts/a").text
    assert CODE in client.send("GET", "/workers/scripts/a/content/v2").text
    assert client.call("GET", "/workers/scripts")[0]["routes"] is None


@pytest.mark.parametrize(("behavior", "expected"), [("10007", (404, 10007)), ("10092", (404, 10092)), ("null", None)])
def test_get_worker_absent_returns_configured_response(
    client: Client, behavior: str, expected: tuple[int, int] | None
) -> None:
    scripts = client.namespace()
    client.edge.behaviors.set("missing_script_response", behavior)
    if expected:
        assert client.error("GET", f"{scripts}/nobody") == expected
    else:
        assert client.call("GET", f"{scripts}/nobody")["script"] is None
    assert client.error("GET", f"{SPACES}/none/scripts/nobody") == (404, 100119)


@pytest.mark.parametrize("path", ["/settings", "/bindings", "/secrets", "/tags", "/content"])
def test_worker_endpoint_absent_worker_returns_404(client: Client, base: str, path: str) -> None:
    assert client.error("GET", f"{base}/nobody{path}") == (404, 10007)


@pytest.mark.parametrize("name", ["-a", "A", "a.b", "ä", "a" * 64])
def test_upload_invalid_worker_name_is_refused(client: Client, base: str, name: str) -> None:
    assert client.error("PUT", f"{base}/{name}", files=form()) == (400, 10016)


MODULE = ("index.js", CODE, "application/javascript+module")


def test_upload_too_many_tags_is_refused(client: Client) -> None:
    most = {"/workers/scripts": 10, client.namespace(): 8}
    for base, count in most.items():
        tags = [f"t{number}" for number in range(count + 1)]
        assert client.error("PUT", f"{base}/a", files=form(tags=tags)) == (403, 10021)
        assert client.upload(f"{base}/a", tags=tags[1:])["tags"] == tags[1:]


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"metadata": (None, "{}"), "index.js": MODULE}, 10021),
        ({"metadata": (None, "{"), "index.js": MODULE}, 10026),
        ({"metadata": (None, "[]"), "index.js": MODULE}, 10026),
        ({"index.js": MODULE}, 10021),
        (
            {
                "metadata": (None, '{"main_module": "part"}'),
                "part": ("other.js", CODE, "application/javascript+module"),
            },
            10021,
        ),
        ({"metadata": (None, '{"main_module": "index.js"}'), "index.js": ("index.js", CODE, "text/html")}, 10162),
        ({"metadata": (None, '{"main_module": "index.js", "body_part": "index.js"}'), "index.js": MODULE}, 10021),
        (form(compatibility_date="2999-01-01"), 10021),
        (form(compatibility_date="1.1.2026"), 10021),
        (form(compatibility_date=20260101), 10021),
        (form(compatibility_flags="x"), 10021),
        *(
            (form(**{name: value}), 10021)
            for name, value in (
                ("logpush", "yes"),
                ("usage_model", {"a": 1}),
                ("limits", {"cpu_ms": "x"}),
                ("limits", {"cpu_ms": -5}),
                ("observability", {}),
                ("observability", {"enabled": True, "head_sampling_rate": 2}),
                ("placement", {"mode": "x"}),
                ("tail_consumers", [5]),
                ("exports", 5),
                ("keep_assets", "x"),
                ("migrations", {"new_tag": 5}),
                ("cache_options", {"enabled": "x"}),
                ("bindings", {}),
                ("bindings", 0),
                ("bindings", ""),
            )
        ),
        ({"metadata": (None, '{"main_module": "m.map"}'), "m.map": ("m.map", "{}", "application/source-map")}, 10021),
        (form(bindings=[{"name": "A", "type": "service", "service": "none", "environment": "staging"}]), 10144),
        (form(keep_bindings=True), 10021),
        (form(tags=["t" * 1025]), 10021),
        (form(tags=["a,b"]), 10021),
        (form(assets={"jwt": "x"}), 10021),
        (form(bindings=[{"type": "plain_text", "text": "x"}]), 10052),
        (form(bindings=[text("not an identifier")]), 10021),
        (form(bindings=[text("A"), text("A")]), 10021),
        (form(bindings=[{"name": "A", "type": "plain_text"}]), 10021),
        (form(bindings=[{"name": "A", "type": "never_heard_of", "x": 1}]), 10021),
        (form(bindings=[{"name": "A", "type": "d1"}]), 10021),
        *(
            (form(bindings=[{"name": "A", "type": "ratelimit", "namespace_id": "1", "simple": simple}]), 10021)
            for simple in (
                {},
                {"limit": 0, "period": 10},
                {"limit": 1, "period": 30},
                {"limit": "1", "period": 10},
                {"limit": True, "period": 60},
            )
        ),
        *(
            (form(bindings=[{"name": "A", "type": "queue", "queue_name": "none", "delivery_delay": delay}]), 10021)
            for delay in (-1, 86_401, 1.5, True)
        ),
        *(
            (form(tail_consumers=[consumer]), 10021)
            for consumer in ({"service": "none"}, {"service": "none", "namespace": "none"})
        ),
        (form(bindings=[{"name": "A", "type": "vpc_network", "tunnel_id": "x", "network_id": "y"}]), 10021),
        (form(bindings=[{"name": "A", "type": "assets"}]), 10021),
        (form(migrations={"old_tag": "v1", "new_tag": "v2"}), 10079),
        (form(bindings=[{"name": "A", "type": "durable_object_namespace", "class_name": "Room"}]), 10061),
        (form(bindings=[text("A", "x" * 6000)]), 10054),
        (form(bindings=[text(f"A{number}") for number in range(129)]), 10055),
        (form(bindings=[{"name": "A", "type": "kv_namespace", "namespace_id": "f" * 32}]), 10041),
        (form(bindings=[{"name": "A", "type": "dispatch_namespace", "namespace": "none"}]), 100119),
        (form(bindings=[{"name": "A", "type": "service", "service": "none"}]), 10144),
        (form(bindings=[{"name": "A", "type": "r2_bucket", "bucket_name": "none"}]), 10085),
        (form(bindings=[{"name": "A", "type": "d1", "database_id": "none"}]), 10181),
        (form(bindings=[{"name": "A", "type": "queue", "queue_name": "none"}]), 11000),
        (form(bindings=[{"name": "A", "type": "hyperdrive", "id": "none"}]), 10157),
        (form(bindings=[{"name": "A", "type": "vectorize", "index_name": "none"}]), 10159),
        (form(bindings=[{"name": "A", "type": "secrets_store_secret", "store_id": "none", "secret_name": "x"}]), 10182),
        (form(bindings=[{"name": "A", "type": "mtls_certificate", "certificate_id": "none"}]), 100143),
    ],
)
def test_upload_invalid_form_is_refused(client: Client, base: str, files: dict[str, Any], code: int) -> None:
    assert client.error("PUT", f"{base}/a", files=files) == (412 if code == 10079 else 400, code)
    assert client.call("GET", base) == []


def test_upload_body_without_valid_form_is_refused(client: Client, base: str) -> None:
    assert client.error("PUT", f"{base}/a", json={}) == (400, 10001)
    assert client.error("PUT", f"{base}/a", data=b"x", headers={"Content-Type": "multipart/form-data"}) == (400, 10026)
    twice = [("metadata", (None, '{"main_module": "index.js"}')), ("a", MODULE), ("b", MODULE)]
    assert client.error("PUT", f"{base}/a", files=twice) == (400, 10021)
    malformed_headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert client.error("PUT", f"{base}/a", data=b"--y\r\nnonsense", headers=malformed_headers)[0] == 400


def multipart_body(code: str) -> bytes:
    return (
        '--x\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n{"main_module": "index.js"}\r\n'
        "--x\r\nContent-Disposition: form-data; "
        f'name="index.js"; filename="index.js"\r\nContent-Type: application/javascript+module\r\n\r\n'
        f"{code}\r\n--x--\r\n"
    ).encode()


def test_upload_incomplete_body_changes_nothing(client: Client, base: str) -> None:
    before = client.upload(f"{base}/a", tags=["kept"])["etag"]
    body, kind = multipart_body("export default {};"), "multipart/form-data; boundary=x"
    for cut in (len(body) - 8, len(body) - 20, len(body) // 2, 10):
        assert client.error("PUT", f"{base}/a", data=body[:cut], headers={"Content-Type": kind}) == (400, 10026)
    host, port = client.edge.api.split("/")[2].split(":")
    head = "{} {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n"
    for method, path, sent in (
        ("PUT", f"{base}/a", body),
        ("PUT", f"{base}/a/tags", b"[]"),
        ("DELETE", f"{base}/a", b"{}"),
    ):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(
                head.format(method, f"/client/v4{client.account}{path}", client.edge.token, kind, len(sent)).encode()
                + sent[:-1]
            )
    time.sleep(0.2)
    (listed,) = client.call("GET", base)
    assert (listed["etag"], listed["tags"]) == (before, ["kept"])
    assert client.call("PUT", f"{base}/a", data=body, headers={"Content-Type": kind})["etag"] != before


@pytest.mark.parametrize("name", ["→.mjs", "a b/c.mjs", "'.mjs"])
def test_upload_unusual_module_name_is_preserved(client: Client, base: str, name: str) -> None:
    metadata = json.dumps({"main_module": name})
    client.call(
        "PUT",
        f"{base}/a",
        files=[("metadata", (None, metadata)), ("x", (name, CODE, "application/javascript+module"))],
    )
    response = client.send("GET", f"{base}/a/content")
    assert response.ok and response.headers["cf-entrypoint"].encode("latin-1").decode() == name
    assert f'filename="{name}"'.encode() in response.content


def test_upload_main_module_is_found_by_file_name(client: Client, base: str) -> None:
    metadata = ("metadata", json.dumps({"main_module": "w.mjs"}), "application/json")
    parts = [
        ("metadata", metadata),
        ("files", ("w.mjs", CODE, "application/javascript+module")),
        ("files", ("lib/a.txt", "hello", "text/plain")),
    ]
    assert client.call("PUT", f"{base}/a", files=parts)["entry_point"] == "w.mjs"
    assert 'name="lib/a.txt"; filename="lib/a.txt"' in client.send("GET", f"{base}/a/content").text


@pytest.mark.parametrize("media_type", ["application/json", "text/css", "application/typescript"])
def test_upload_module_of_unsupported_type_is_refused(client: Client, base: str, media_type: str) -> None:
    files = {**form(), "data.json": ("data.json", "{}", media_type)}
    assert client.error("PUT", f"{base}/a", files=files) == (400, 10162)


@pytest.mark.parametrize("entry_point", ["script", "w.js"])
def test_upload_service_worker_script_is_found_by_part_or_file_name(
    client: Client, base: str, entry_point: str
) -> None:
    """The script may also be named by its file name if no part has that name."""
    metadata = ("metadata", json.dumps({"body_part": entry_point}), "application/json")
    parts = [
        ("metadata", metadata),
        ("script", ("w.js", CODE, "application/javascript")),
        ("PAGE", ("page.html", "hello", "text/plain")),
    ]
    assert client.call("PUT", f"{base}/a", files=parts)["entry_point"] == entry_point
    assert (
        f'name="{"PAGE" if entry_point == "script" else "page.html"}"' in client.send("GET", f"{base}/a/content").text
    )


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, ["S"]),
        ({"keep_bindings": ["secret_text"]}, ["S"]),
        ({"keep_bindings": []}, []),
        ({"keep_bindings": ["plain_text"]}, ["V"]),
        ({"bindings": [text("N")]}, ["N", "S"]),
        ({"bindings": [{"name": "V", "type": "inherit"}], "keep_bindings": []}, ["V"]),
        ({"bindings": [{"name": "W", "type": "inherit", "old_name": "V"}], "keep_bindings": []}, ["W"]),
        ({"bindings": [{"name": "X", "type": "inherit"}], "keep_bindings": []}, []),
        ({"bindings": [text("S")]}, ["S"]),
    ],
)
def test_upload_keep_bindings_decides_remaining_bindings(
    client: Client, base: str, metadata: dict[str, Any], expected: list[str]
) -> None:
    client.upload(f"{base}/a", bindings=[text("V"), secret("S")])
    client.upload(f"{base}/a", **metadata)
    assert client.names(f"{base}/a") == expected


def test_upload_strict_inherit_unknown_binding_is_refused(client: Client, base: str) -> None:
    client.upload(f"{base}/a", bindings=[secret("S")])
    unknown = form(bindings=[{"name": "X", "type": "inherit"}])
    assert client.error("PUT", f"{base}/a?bindings_inherit=strict", files=unknown) == (400, 10057)
    client.edge.behaviors.set("upload_without_keep_bindings", "clear")
    client.upload(f"{base}/a")
    assert client.names(f"{base}/a") == []


@pytest.mark.parametrize(("behavior", "expected"), [("keep", ["x"]), ("clear", [])])
def test_upload_without_tags_keeps_or_clears_them(
    client: Client, base: str, behavior: str, expected: list[str]
) -> None:
    client.edge.behaviors.set("upload_without_tags", behavior)
    client.upload(f"{base}/a", tags=["x"])
    client.upload(f"{base}/a")
    assert client.call("GET", f"{base}/a/tags") == (expected or None)
    client.upload(f"{base}/a", tags=[])
    assert client.call("GET", f"{base}/a/tags") is None


def test_patch_settings_changes_only_sent_settings(client: Client, base: str) -> None:
    client.upload(f"{base}/a", bindings=[text("V"), secret("S"), secret("T")], tags=["x"], logpush=True)
    path = f"{base}/a/settings"
    assert client.error("PATCH", path, json={"tags": []}) == (400, 10001)
    assert client.error("PATCH", path, files={"other": (None, "{}")}) == (400, 10021)
    after = client.call("PATCH", path, files=settings({"observability": {"enabled": True}}))
    assert [one["name"] for one in after["bindings"]] == ["V", "S", "T"]
    assert (after["logpush"], after["observability"], after["tags"]) == (True, {"enabled": True}, ["x"])
    patch = {"bindings": [{"name": "S", "type": "secret_text"}, {"name": "V", "type": "inherit"}], "logpush": None}
    after = client.call("PATCH", path, files=settings(patch))
    assert [one["name"] for one in after["bindings"]] == ["S", "V"], (
        "bindings are replaced; a secret without a value is kept"
    )
    assert after["logpush"] is False
    assert client.error("PATCH", path, files=settings({"bindings": [{"name": "N", "type": "secret_text"}]})) == (
        400,
        10021,
    )
    assert client.names(f"{base}/a") == ["S", "V"]


def test_upload_unknown_tail_consumer_is_refused(client: Client, base: str) -> None:
    space = client.namespace("tails")
    client.upload("/workers/scripts/listener")
    client.upload(f"{space}/listener-of-tenants")
    for known in (
        [{"service": "listener"}],
        [{"service": "listener", "environment": "production"}],
        [{"service": "listener-of-tenants", "namespace": "tails"}],
    ):
        client.upload(f"{base}/a", tail_consumers=known)
        assert (
            client.call("PATCH", f"{base}/a/settings", files=settings({"tail_consumers": known}))["tail_consumers"]
            == known
        )
    for unknown in (
        [{"service": "listener-of-tenants"}],
        [{"service": "listener", "namespace": "tails"}],
        [{"service": "listener", "environment": "staging"}],
        [*known, {"service": "nobody"}],
    ):
        assert client.error("PUT", f"{base}/a", files=form(tail_consumers=unknown)) == (400, 10021)
        assert client.error("PATCH", f"{base}/a/settings", files=settings({"tail_consumers": unknown})) == (400, 10021)
        assert client.error("PATCH", "/workers/scripts/listener/script-settings", json={"tail_consumers": unknown}) == (
            400,
            10021,
        )
    assert client.call("GET", f"{base}/a/settings")["tail_consumers"] == known


def test_script_settings_in_namespace_returns_404(client: Client) -> None:
    client.upload("/workers/scripts/a", tags=["x"])
    changed = client.call("PATCH", "/workers/scripts/a/script-settings", json={"logpush": True, "tags": ["y"]})
    assert changed == {"logpush": True, "tail_consumers": None, "observability": None, "tags": ["y"]}
    scripts = client.namespace()
    client.upload(f"{scripts}/a")
    assert client.error("GET", f"{scripts}/a/script-settings") == (404, 7003)


def test_put_content_keeps_bindings_and_tags(client: Client, base: str) -> None:
    before = client.upload(f"{base}/a", bindings=[text("V")], tags=["x"])
    after = client.call("PUT", f"{base}/a/content", files=form(CODE + "// new"))
    assert after["etag"] != before["etag"]
    assert (client.names(f"{base}/a"), client.call("GET", f"{base}/a/tags")) == (["V"], ["x"])
    module_only = {"index.js": ("index.js", CODE, "application/javascript+module")}
    again = client.call(
        "PUT", f"{base}/a/content", files=module_only, headers={"CF-WORKER-MAIN-MODULE-PART": "index.js"}
    )
    assert again["etag"] == before["etag"]


def test_secrets_put_patch_delete_returns_current_state(client: Client, base: str) -> None:
    client.upload(f"{base}/a", bindings=[text("V"), secret("OLD")])
    path = f"{base}/a/secrets"
    assert client.call("PUT", path, json=secret("NEW")) == {"name": "NEW", "type": "secret_text"}
    patch = {"secrets": {"OLD": None, "MORE": secret("MORE"), "GONE": None, "V": None}}
    headers = {"Content-Type": "application/merge-patch+json"}
    assert client.call("PATCH", f"{base}/a/secrets-bulk", data=json.dumps(patch), headers=headers) == {
        "MORE": {"name": "MORE", "type": "secret_text"}
    }
    assert [one["name"] for one in client.call("GET", path)] == ["NEW", "MORE"]
    assert client.call("GET", f"{path}/NEW") == {"name": "NEW", "type": "secret_text"}
    assert client.call("DELETE", f"{path}/NEW") is None
    assert client.error("DELETE", f"{path}/NEW") == (404, 10056)
    assert client.error("GET", f"{path}/V") == (404, 10056)
    assert client.error("PUT", path, json=secret("V")) == (400, 10053)
    assert client.error("PUT", path, json={"name": "X", "type": "secret_text"}) == (400, 10021)
    assert client.error("PATCH", f"{base}/a/secrets-bulk", json={"secrets": {"A": secret("B")}}) == (400, 10026)
    assert client.names(f"{base}/a") == ["V", "MORE"]


def test_read_endpoints_never_return_secret_values(client: Client, base: str) -> None:
    client.upload(f"{base}/a", bindings=[secret("S", "do-not-show")])
    client.call("PUT", f"{base}/a/secrets", json=secret("T", "do-not-show"))
    for path in ("", "/settings", "/bindings", "/secrets", "/secrets/S", "/content"):
        assert "do-not-show" not in client.send("GET", f"{base}/a{path}").text


def test_tags_put_add_delete_returns_current_state(client: Client, base: str) -> None:
    client.upload(f"{base}/a")
    path = f"{base}/a/tags"
    assert client.call("GET", path) is None
    assert client.call("PUT", path, json=["x", "y"]) == ["x", "y"]
    assert client.call("PUT", f"{path}/z", data=b"") == ["x", "y", "z"]
    assert client.call("DELETE", f"{path}/y") is None
    assert client.call("GET", path) == ["x", "z"]
    assert client.error("PUT", path, json=[f"t{number}" for number in range(11)]) == (403, 10021)
    assert client.call("PUT", path, data=b"null") == []


def test_list_workers_pages_and_filters_by_tags(client: Client) -> None:
    scripts = client.namespace()
    for number in range(5):
        client.upload(f"{scripts}/w{number}", tags=["even" if number % 2 == 0 else "odd", f"n{number}"])
    names, cursor = [], ""
    while True:
        body = client.send("GET", f"{scripts}?limit=2&cursor={cursor}").json()
        names += [one["id"] for one in body["result"]]
        cursor = body["result_info"]["cursor"]
        if not cursor:
            break
    assert names == ["w0", "w1", "w2", "w3", "w4"]

    def names_tagged(expression: str) -> list[str]:
        return [one["id"] for one in client.call("GET", f"{scripts}?tags={expression}")]

    assert names_tagged("even:yes") == ["w0", "w2", "w4"]
    assert names_tagged("even:yes,n2:no") == ["w0", "w4"]
    assert names_tagged("even:no") == ["w1", "w3"]
    assert client.error("GET", f"{scripts}?tags=even") == (400, 10004)
    assert client.error("GET", f"{scripts}?limit=1001") == (400, 10004)
    elsewhere = client.namespace("elsewhere")
    for name in ("a", "b"):
        client.upload(f"{elsewhere}/{name}")
    foreign = client.send("GET", f"{elsewhere}?limit=1").json()["result_info"]["cursor"]
    for cursor in ("%25%25", "YWJj", "AAAAAAAAAAAAAAAA", foreign):
        assert client.error("GET", f"{scripts}?cursor={cursor}") == (400, 10004)
    client.edge.behaviors.set("list_includes_tags", "no")
    assert "tags" not in client.call("GET", scripts)[0]


def test_delete_by_tag_deletes_only_matching_workers(client: Client) -> None:
    scripts = client.namespace()
    for name, tag in (("a", "x"), ("b", "x"), ("c", "y")):
        client.upload(f"{scripts}/{name}", tags=[tag])
    for expression in ("", "?tags=", "?tags=y:no"):
        assert client.error("DELETE", f"{scripts}{expression}") == (400, 10004)
    assert client.send("DELETE", f"{scripts}?tags=x:yes").json()["deleted_count"] == 2
    assert [one["id"] for one in client.call("GET", scripts)] == ["c"]


@pytest.mark.parametrize(
    ("limit", "query", "expected"),
    [
        ("request", "", (3, False)),
        ("request", "&limit=2", (2, True)),
        ("one", "&limit=2", (1, True)),
        ("all", "&limit=2", (3, False)),
    ],
)
def test_delete_by_tag_reports_count_and_rest(
    client: Client, limit: str, query: str, expected: tuple[int, bool]
) -> None:
    client.edge.behaviors.set("bulk_delete_limit", limit)
    scripts = client.namespace()
    tags = {client.upload(f"{scripts}/w{number}", tags=["x"])["tag"] for number in range(3)}
    report = client.send("DELETE", f"{scripts}?tags=x:yes{query}").json()
    assert (report["deleted_count"], report["has_more"]) == expected
    assert {one["id"] for one in report["deleted"]} <= tags and len(report["deleted"]) == expected[0]
    assert len(client.call("GET", scripts)) == 3 - expected[0]


def test_list_nested_workers_contains_same_properties(client: Client) -> None:
    scripts = client.namespace()
    client.upload(f"{scripts}/a", tags=["x"])
    (flat,) = client.call("GET", scripts)
    client.edge.behaviors.set("list_item_form", "nested")
    (nested,) = client.call("GET", scripts)
    assert nested.pop("script") == flat and nested.keys() == {"dispatch_namespace", "created_on", "modified_on"}


def test_patch_namespace_keeps_omitted_keys(client: Client) -> None:
    client.edge.behaviors.set("namespace_update_without_trusted", "reset")
    client.namespace("old")
    path = "/workers/dispatch/namespaces"
    assert client.call("PATCH", f"{path}/old", json={"trusted_workers": True})["namespace_name"] == "old"
    assert client.call("PATCH", f"{path}/old", json={"name": "new"})["trusted_workers"] is True
    assert client.call("PUT", f"{path}/new", json={"name": "new"})["trusted_workers"] is False
    client.edge.behaviors.set("namespace_patch", "405")
    client.edge.clear()
    assert client.error("PATCH", f"{path}/new", json={"name": "x"})[0] == 405
    assert client.edge.writes() == []


@pytest.mark.parametrize("fields", ["both", "script_count", "neither"])
def test_get_namespace_omits_only_false_trusted_workers(client: Client, fields: str) -> None:
    client.edge.behaviors.set("namespace_optional_fields", fields)
    client.namespace("prod")
    path = "/workers/dispatch/namespaces/prod"
    assert ("trusted_workers" in client.call("GET", path)) is (fields == "both")
    assert client.call("PATCH", path, json={"trusted_workers": True})["trusted_workers"] is True


def test_delete_worker_referenced_by_binding_requires_force(client: Client) -> None:
    client.upload("/workers/scripts/inner")
    client.upload("/workers/scripts/outer", bindings=[{"name": "I", "type": "service", "service": "inner"}])
    client.call("POST", client.routes, json={"pattern": "example.com/*", "script": "inner"})
    assert client.error("DELETE", "/workers/scripts/inner") == (400, 10064)
    assert client.call("DELETE", "/workers/scripts/inner?force=true") is None
    assert client.names("/workers/scripts/outer") == []
    assert client.call("GET", client.routes) == []


def test_upload_identical_source_is_stored_once(client: Client) -> None:
    scripts = client.namespace()
    etags = {client.upload(f"{scripts}/w{number}")["etag"] for number in range(3)}
    assert len(etags) == 1
    client.call("DELETE", f"{scripts}/w0")
    assert CODE in client.send("GET", f"{scripts}/w1/content").text


@pytest.mark.parametrize(("behavior", "changes"), [("all", True), ("content", False)])
def test_modified_on_tag_change_follows_behavior(client: Client, base: str, behavior: str, changes: bool) -> None:
    client.edge.behaviors.set("modified_on_updated_by", behavior)
    before = client.upload(f"{base}/a")["modified_on"]
    client.call("PUT", f"{base}/a/tags", json=["x"])
    assert (client.call("GET", base)[0]["modified_on"] != before) is changes
    assert client.upload(f"{base}/a")["modified_on"] != before
