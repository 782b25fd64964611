# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Static assets: which files of a folder are served, what a change of them costs, and what is refused."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import typing as t

import pytest
import requests
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.errors import CloudflareError
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.script import (
    mapping as script_mapping,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._worker import assets
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._worker.fingerprint import (
    FingerprintTag,
    find_fingerprint_tag,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._worker.gitignore import GitignoreMatcher
from harness import Runner
from local_edge.testing import Edge

CODE = "export default { fetch: (request, env) => env.ASSETS.fetch(request) };"
SITE = {"index.html": "<h1>home</h1>", "blog/post.html": "<h1>post</h1>", "app.css": "h1 { color: red }"}
Options = dict[str, t.Any]


@pytest.fixture
def site(tmp_path: pathlib.Path) -> pathlib.Path:
    return write_files(tmp_path / "site", SITE)


@pytest.fixture
def tenant(run: Runner, site: pathlib.Path) -> Options:
    run.ok("dispatch_namespace", name="tenants")
    return {
        "dispatch_namespace": "tenants",
        "name": "a",
        "content": CODE,
        "compatibility_date": "2026-11-01",
        "assets": {"directory": str(site), "binding": "ASSETS"},
    }


def write_files(folder: pathlib.Path, files: t.Mapping[str, str | None]) -> pathlib.Path:
    """Write files, remove those that are null, and forget what was read of the folder before."""
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            file.unlink()
        else:
            file.write_text(text)
    assets.read.cache_clear()
    return folder


def sent_requests(run: Runner, edge: Edge, module: str = "namespaced_worker", **options: t.Any) -> list[str]:
    """Run a module and return its requests, each as its method and the end of its path."""
    edge.clear()
    run.ok(module, **options)
    return [f"{seen['method']} {seen['path'].rpartition('/')[2]}" for seen in edge.requests()]


def has_assets(run: Runner, edge: Edge, name: str = "a") -> bool:
    path = f"/accounts/{edge.account}/workers/dispatch/namespaces/tenants/scripts/{name}"
    return bool(run.ok("api", path=path)["api"]["script"]["has_assets"])


def binding_names(run: Runner, edge: Edge) -> list[str]:
    path = f"/accounts/{edge.account}/workers/dispatch/namespaces/tenants/scripts/a/bindings"
    return sorted(binding["name"] for binding in run.ok("api", path=path)["api"])


SESSION, UPLOAD, READ, SETTINGS = "POST assets-upload-session", "POST upload", "GET a", "GET settings"


def test_assets_each_change_sends_minimal_requests(
    run: Runner, edge: Edge, tenant: Options, site: pathlib.Path
) -> None:
    assert sent_requests(run, edge, **tenant) == [READ, SESSION, UPLOAD, "PUT a", READ]
    assert sent_requests(run, edge, **tenant) == [READ]
    write_files(site, {"app.css": "h1 { color: blue }"})
    assert sent_requests(run, edge, **tenant) == [READ, SETTINGS, SESSION, UPLOAD, "PUT a", READ]
    write_files(site, {"blog/post.html": None})
    assert sent_requests(run, edge, **tenant) == [READ, SETTINGS, SESSION, "PUT a", READ], "nothing is missing"
    write_files(site, {"copy.html": SITE["index.html"]})
    assert sent_requests(run, edge, **tenant) == [READ, SETTINGS, SESSION, "PUT a", READ], (
        "nor is another file of the same content"
    )
    write_files(site, {"_redirects": "/old / 301\n"})
    assert sent_requests(run, edge, **tenant) == [READ, SETTINGS, SESSION, "PUT a", READ]
    changed = {**tenant, "content": CODE + "//"}
    assert sent_requests(run, edge, **changed) == [READ, SETTINGS, "GET content", "PUT a", READ], "the assets are kept"
    assert has_assets(run, edge) and sent_requests(run, edge, **changed) == [READ]
    assert sent_requests(run, edge, **{**changed, "tags": ["x"]}) == [READ, "PUT tags", READ]


def test_assets_file_changed_back_is_not_uploaded_again(
    run: Runner, edge: Edge, tenant: Options, site: pathlib.Path
) -> None:
    run.ok("namespaced_worker", **tenant)
    write_files(site, {"app.css": "h1 { color: blue }"})
    run.ok("namespaced_worker", **tenant)
    write_files(site, SITE)
    assert UPLOAD not in sent_requests(run, edge, **tenant)


def test_assets_omitted_are_kept_and_null_removes_them(run: Runner, edge: Edge, tenant: Options) -> None:
    digest = run.ok("namespaced_worker", **tenant)["namespaced_worker"]["assets"]["digest"]
    silent = {key: tenant[key] for key in tenant if key != "assets"}
    assert sent_requests(run, edge, **silent) == [READ, SETTINGS, "GET content", "PUT tags", READ], (
        "it is stamped for what is said of it now"
    )
    run.ok("namespaced_worker", **{**silent, "content": CODE + "//"})
    assert has_assets(run, edge) and binding_names(run, edge) == ["ASSETS"]
    assert sent_requests(run, edge, **{**tenant, "content": CODE + "//"})[-2] == "PUT tags", (
        "and are still known to be those of the folder"
    )
    removed = run.ok("namespaced_worker", **{**silent, "content": CODE + "//"}, assets=None)
    assert removed["namespaced_worker"]["assets"] is None and removed["diff"]["before"]["assets"] == {"digest": digest}
    assert not has_assets(run, edge) and binding_names(run, edge) == []
    assert not run.ok("namespaced_worker", **{**silent, "content": CODE + "//"}, assets=None)["changed"]
    assert run.ok("namespaced_worker", **tenant)["changed"] and has_assets(run, edge)


def test_assets_never_set_stay_unset_on_upload(run: Runner, edge: Edge, tenant: Options) -> None:
    silent = {key: tenant[key] for key in tenant if key != "assets"}
    run.ok("namespaced_worker", **silent)
    edge.clear()
    assert run.ok("namespaced_worker", **{**silent, "content": CODE + "//"})["namespaced_worker"]["assets"] is None
    assert not has_assets(run, edge)


@pytest.mark.parametrize("module", ["namespaced_worker", "worker"])
def test_assets_without_code_are_deployed(run: Runner, edge: Edge, site: pathlib.Path, module: str) -> None:
    where = {"dispatch_namespace": "tenants"} if module == "namespaced_worker" else {}
    run.ok("dispatch_namespace", name="tenants")
    alone = {
        **where,
        "name": "a",
        "compatibility_date": "2026-11-01",
        "assets": {"directory": str(site), "not_found_handling": "404-page"},
    }
    made = run.ok(module, **alone)
    assert (
        made[module]["modules"] == []
        and made[module]["assets"]["files"] == 3
        and made[module]["assets"]["not_found_handling"] == "404-page"
    )
    assert not run.ok(module, **alone)["changed"]
    later = run.ok(module, **{**alone, "compatibility_date": "2026-11-02"})
    assert [operation.rpartition("/")[2] for operation in later["operations"]] == ["settings"]
    with_code = run.ok(module, **alone, content=CODE)
    assert len(with_code[module]["modules"]) == 1 and with_code[module]["assets"] == made[module]["assets"]
    without = run.ok(module, **alone)
    assert [operation.rpartition("/")[2] for operation in without["operations"]] == ["assets-upload-session", "a"]
    assert without[module]["modules"] == [] and not run.ok(module, **alone)["changed"]


def test_assets_settings_change_needs_no_upload(run: Runner, edge: Edge, tenant: Options) -> None:
    run.ok("namespaced_worker", **tenant)
    assert sent_requests(run, edge, **tenant, vars={"PLAN": "pro"}) == [
        READ,
        SETTINGS,
        "GET content",
        "PATCH settings",
        READ,
    ]
    assert has_assets(run, edge) and binding_names(run, edge) == ["ASSETS", "PLAN"]


def test_assets_after_external_change_are_sent_again(
    run: Runner, edge: Edge, tenant: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.ok("namespaced_worker", **tenant)
    monkeypatch.setattr(script_mapping, "UPLOAD_TOLERANCE", -5.0)
    assert sent_requests(run, edge, **tenant) == [READ, SETTINGS, "GET content", SESSION, "PUT a", READ], (
        "all files are there already"
    )


def test_assets_removed_externally_are_restored(run: Runner, edge: Edge, tenant: Options) -> None:
    run.ok("namespaced_worker", **tenant)
    path = f"/accounts/{edge.account}/workers/dispatch/namespaces/tenants/scripts/a"
    metadata = (None, '{"main_module": "worker.js", "compatibility_date": "2026-11-01"}', "application/json")
    code = ("worker.js", CODE, "application/javascript+module")
    headers = {"Authorization": f"Bearer {edge.token}"}
    requests.put(
        edge.api + path, files={"metadata": metadata, "worker.js": code}, headers=headers, timeout=9
    ).raise_for_status()
    assert not has_assets(run, edge)
    repaired = run.ok("namespaced_worker", **tenant)
    assert (
        repaired["diff"]["before"]["assets"] is None
        and has_assets(run, edge)
        and binding_names(run, edge) == ["ASSETS"]
    )


def test_worker_secrets_with_assets_keep_assets_fingerprint(run: Runner, edge: Edge, tenant: Options) -> None:
    run.ok("namespaced_worker", **tenant)
    one = {
        "dispatch_namespace": "tenants",
        "name": "a",
        "secrets": {"KEY": "a-secret-value-1"},
        "fingerprint_key": "fingerprint-key-1",
    }
    assert "PUT tags" in sent_requests(run, edge, "worker_secrets", **one)
    assert sent_requests(run, edge, **tenant) == [READ]


def test_assets_binding_changed_replaces_old_binding(run: Runner, edge: Edge, tenant: Options) -> None:
    run.ok("namespaced_worker", **tenant, secrets={"KEY": "a-secret-value-1"})
    for binding, left in (("FILES", ["FILES", "KEY"]), (None, ["KEY"])):
        changed = {**tenant, "assets": {**tenant["assets"], "binding": binding}}
        for unmanaged in ("remove", "keep"):
            run.ok("namespaced_worker", **changed, unmanaged_bindings=unmanaged)
            assert binding_names(run, edge) == left


def test_assets_binding_omitted_with_same_files_is_removed(run: Runner, edge: Edge, tenant: Options) -> None:
    silent = {name: value for name, value in tenant.items() if name != "assets"}
    run.ok("namespaced_worker", **tenant)
    run.ok("namespaced_worker", **silent, bindings=[{"name": "TELL", "type": "analytics_engine", "dataset": "x"}])
    unnamed = {
        **silent,
        "bindings": [{"name": "TELL", "type": "analytics_engine", "dataset": "x"}],
        "assets": {"directory": tenant["assets"]["directory"]},
    }
    run.ok("namespaced_worker", **unnamed)
    assert binding_names(run, edge) == ["TELL"]
    assert not run.ok("namespaced_worker", **unnamed)["changed"]


@pytest.mark.parametrize("config", ["clear", "keep"])
def test_upload_with_unchanged_assets_keeps_their_configuration(
    run: Runner, edge: Edge, tenant: Options, config: str
) -> None:
    edge.behaviors.upload_without_assets_config = config
    tenant = {**tenant, "assets": {**tenant["assets"], "not_found_handling": "single-page-application"}}
    run.ok("namespaced_worker", **tenant)

    def stored() -> t.Any:
        (row,) = edge.store.all("select config from scripts where name = 'a'")
        return json.loads(row["config"])["assets"]["config"]

    before = stored()
    assert before
    tenant["content"] += "//"
    uploaded = run.ok("namespaced_worker", **tenant)
    assert stored() == before and uploaded["warnings"] == []
    silent = {name: value for name, value in tenant.items() if name != "assets"}
    assert run.ok("namespaced_worker", **silent, logpush=True)["warnings"] == [], "nothing is uploaded"
    uploaded = run.ok("namespaced_worker", **{**silent, "content": tenant["content"] + "//"}, logpush=True)
    assert "Cloudflare may lose their configuration" in uploaded["warnings"][0]
    assert stored() == (before if config == "keep" else {})


def test_assets_without_fingerprint_tag_are_sent_again(run: Runner, edge: Edge, tenant: Options) -> None:
    run.ok("namespaced_worker", **tenant)
    path = f"/accounts/{edge.account}/workers/dispatch/namespaces/tenants/scripts/a/tags"
    run.ok("api", method="PUT", path=path, body=[])
    edge.clear()
    again = run.ok("namespaced_worker", **tenant)
    assert again["diff"]["before"]["assets"] == {"digest": "(unknown)"}
    assert UPLOAD not in [f"{seen['method']} {seen['path'].rpartition('/')[2]}" for seen in edge.requests()]
    assert not run.ok("namespaced_worker", **tenant)["changed"]


def test_assets_diff_shows_digest_and_totals(run: Runner, tenant: Options, site: pathlib.Path) -> None:
    first = run.ok("namespaced_worker", **tenant)["namespaced_worker"]["assets"]
    assert (first["files"], first["bytes"]) == (3, sum(map(len, SITE.values())))
    write_files(site, {"new.html": "new"})
    diff = run.ok("namespaced_worker", check=True, **tenant)["diff"]
    assert diff["before"]["assets"] == {"digest": first["digest"]}
    assert diff["after"]["assets"]["files"] == 4 and diff["after"]["assets"]["digest"] != first["digest"]
    assert {key: diff["before"][key] for key in diff["before"] if key != "assets"} == {
        key: diff["after"][key] for key in diff["after"] if key != "assets"
    }


def test_assets_shared_folder_is_uploaded_per_tenant(run: Runner, edge: Edge, tenant: Options) -> None:
    shared = {key: tenant[key] for key in ("content", "compatibility_date", "assets")}
    fleet = {
        "dispatch_namespace": "tenants",
        "defaults": shared,
        "workers": [{"name": "b"}, {"name": "c"}, {"name": "d", "assets": None}],
    }
    each = [[SESSION, UPLOAD, f"PUT {name}"] for name in ("b", "c")]
    assert sent_requests(run, edge, "namespaced_workers", **fleet, concurrency=1) == [
        "GET scripts",
        *each[0],
        *each[1],
        "PUT d",
        "GET scripts",
    ]
    assert [has_assets(run, edge, name) for name in ("b", "c", "d")] == [True, True, False]
    assert sent_requests(run, edge, "namespaced_workers", **fleet) == ["GET scripts"]


def test_assets_upload_uses_session_token_instead_of_credentials(
    run: Runner, edge: Edge, tenant: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []
    send = requests.Session.send

    def record(session: requests.Session, request: requests.PreparedRequest, **options: t.Any) -> requests.Response:
        sent.append(request)
        return send(session, request, **options)

    monkeypatch.setattr(requests.Session, "send", record)
    result = run.ok("namespaced_worker", **tenant)
    upload = next(request for request in sent if str(request.url).endswith("/workers/assets/upload?base64=true"))
    assert edge.token not in str(upload.headers) and "Bearer ey" in upload.headers["Authorization"]
    assert "Bearer" not in str(result) and upload.headers["Authorization"].removeprefix("Bearer ") not in str(result)
    assert edge.token in sent[-1].headers["Authorization"], "later requests have the credentials again"


def test_assets_upload_server_error_is_retried(run: Runner, edge: Edge, tenant: Options) -> None:
    for path in (".*/assets-upload-session", ".*/assets/upload"):
        edge.fault(method="POST", path=path, status=502, times=1, when="after")
    assert run.ok("namespaced_worker", **tenant)["changed"] and has_assets(run, edge)


def test_assets_file_changed_during_upload_fails(run: Runner, edge: Edge, tenant: Options, site: pathlib.Path) -> None:
    assets.read(str(site))
    (site / "app.css").write_text("h2 {}")
    result = run("namespaced_worker", **tenant)
    assert "app.css changed during the upload. Run again" in result["msg"]
    assert not [write for write in edge.writes() if write.startswith("PUT") and "scripts" in write]
    assets.read.cache_clear()
    assert run.ok("namespaced_worker", **tenant)["changed"]


def test_assets_rules_rejected_by_api_are_reported(run: Runner, tenant: Options, site: pathlib.Path) -> None:
    write_files(site, {"_redirects": "/* /index.html 200\n"})
    message = run("namespaced_worker", **tenant)["msg"]
    assert (
        "code 100324" in message
        and "Line 1: Infinite loop" in message
        and "Correct the file _headers or _redirects" in message
    )


def test_assets_expired_upload_is_continued_by_next_run(run: Runner, edge: Edge, tenant: Options) -> None:
    edge.fault(method="POST", path=".*/assets/upload", status=401, code=10000, message="Authentication error", times=1)
    assert "An upload of assets is valid for one hour. Run again" in run("namespaced_worker", **tenant)["msg"]
    assert run.ok("namespaced_worker", **tenant)["changed"]


def test_fingerprint_tag_with_assets_round_trips_and_fits_tag() -> None:
    segments = ("0123456789abcdef", "89abcdef")
    for original in (
        FingerprintTag(*segments, "0123456789", code="01234567"),
        FingerprintTag(*segments, "0123456789"),
        FingerprintTag(*segments, code="01234567"),
        FingerprintTag(*segments),
    ):
        tag = original.render(1800000000)
        read = find_fingerprint_tag([tag])
        assert read == original and read.code == original.code and len(tag) < 64


INVALID: list[tuple[dict[str, t.Any], str]] = [
    ({"assets": {"directory": "/nowhere"}}, "assets: folder /nowhere does not exist"),
    ({"assets": {"binding": "ASSETS"}}, "directory"),
    ({"assets": {"html_handling": "x"}}, "html_handling"),
    ({"assets": {"run_worker_first": "yes"}}, "run_worker_first is 'yes'. Set true, false or a list of paths"),
    ({"assets": {"run_worker_first": []}}, r"run_worker_first is \[\]"),
    ({"content": None}, "assets: binding is set, but the Worker has no code to use it"),
    (
        {"content": None, "assets": {"binding": None, "run_worker_first": True}},
        "assets: run_worker_first is set, but the Worker has no code",
    ),
    (
        {"content": None, "assets": None},
        "content, path, entrypoint: the Worker has no code. Set exactly one of these options, or only assets",
    ),
    ({"vars": {"ASSETS": "x"}}, "ASSETS is declared 2 times"),
    ({"assets": {"binding": "a-b"}}, "'a-b' is not a valid binding name"),
]


@pytest.mark.parametrize(("wrong", "message"), INVALID, ids=[message[:40] for _wrong, message in INVALID])
def test_assets_invalid_options_are_refused(run: Runner, tenant: Options, wrong: Options, message: str) -> None:
    inner = wrong.get("assets", {})
    options = {**tenant, **wrong, "assets": None if inner is None else {**tenant["assets"], **inner}}
    if "directory" in message and "folder" not in message:
        del options["assets"]["directory"]
    assert re.search(message, run.refused("namespaced_worker", **options))


# -- the folder --------------------------------------------------------------------------------------------------------


def served_names(folder: pathlib.Path) -> list[str]:
    assets.read.cache_clear()
    return [file.name for file in assets.read(str(folder)).files]


def read_error(folder: pathlib.Path) -> str:
    with pytest.raises(CloudflareError) as caught:
        served_names(folder)
    return str(caught.value)


def test_assets_folder_read_respects_ignore_file(site: pathlib.Path) -> None:
    ignored = (
        ".DS_Store",
        "blog/.DS_Store",
        "node_modules/x.js",
        "blog/node_modules/x.js",
        ".git/config",
        "_headers",
        "_redirects",
    )
    write_files(
        site,
        {
            **dict.fromkeys(ignored, "x"),
            "blog/_headers": "x",
            ".well-known/security.txt": "x",
            "drafts/a.html": "x",
            "drafts/b.html": "x",
        },
    )
    assert served_names(site) == [
        "/app.css",
        "/index.html",
        "/.well-known/security.txt",
        "/blog/_headers",
        "/blog/post.html",
        "/drafts/a.html",
        "/drafts/b.html",
    ]
    write_files(site, {".assetsignore": "# not yet\ndrafts/*\n!/drafts/b.html\n*.css\n!node_modules\n"})
    assert set(served_names(site)) == {
        "/index.html",
        "/.well-known/security.txt",
        "/blog/_headers",
        "/blog/post.html",
        "/drafts/b.html",
        "/node_modules/x.js",
        "/blog/node_modules/x.js",
    }
    assert assets.read(str(site)).rules == {"_headers": "x", "_redirects": "x"}


def test_assets_link_within_folder_is_followed(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (site / "home.html").symlink_to("index.html")
    (tmp_path / "current").symlink_to(site)
    assert served_names(tmp_path / "current") == ["/app.css", "/home.html", "/index.html", "/blog/post.html"]


def test_assets_unservable_files_are_listed(
    site: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assets, "MAX_FILE_SIZE", 20)
    write_files(tmp_path, {"secret.txt": "x"})
    (site / "out.txt").symlink_to(tmp_path / "secret.txt")
    (site / "broken.txt").symlink_to("nothing.txt")
    (site / "again").symlink_to("blog")
    write_files(site, {"large.bin": "x" * 21, "_worker.js/index.js": "x"})
    message = read_error(site)
    for part in (
        "out.txt is a link to a path outside the folder",
        "broken.txt is not readable: No such file",
        "again is a link to a folder, and such links are not followed",
        "large.bin has 21 bytes, and the limit is 20",
        "_worker.js/ is the code of a Worker and would be public",
    ):
        assert part in message
    write_files(site, {".assetsignore": "out.txt\nbroken.txt\nagain\nlarge.bin\n/_worker.js\n"})
    assert served_names(site) == ["/app.css", "/index.html", "/blog/post.html"]
    (site / os.fsdecode(b"caf\xe9.html")).write_text("x")
    assert r"'caf\udce9.html' is not a valid UTF-8 name" in read_error(site)


@pytest.mark.parametrize(
    ("names", "invalid"),
    [
        (["100%.html"], "100%.html"),
        (["blog/%zz.html"], "blog/%zz.html"),
        (["%C3.html"], "%C3.html"),
        (["%C3é.html"], "%C3é.html"),
        (["50% off/a.html", "50% off/b.html", "50% off/c%/d.html"], "50% off/"),
    ],
)
def test_assets_name_with_undecodable_percent_sign_is_refused(
    run: Runner, tenant: Options, site: pathlib.Path, names: list[str], invalid: str
) -> None:
    write_files(site, dict.fromkeys(names, "x"))
    problem = f"{invalid} contains a percent sign that does not begin an encoded character such as %20. Correct this"
    assert f"assets: {site}: {problem}" in run.refused("namespaced_worker", **tenant)


def test_assets_name_with_encoded_characters_is_served(run: Runner, tenant: Options, site: pathlib.Path) -> None:
    write_files(site, {"a%20b.html": "x", "caf%C3%A9.html": "x", "é.html": "x"})
    assert run.ok("namespaced_worker", **tenant)["namespaced_worker"]["assets"]["files"] == len(SITE) + 3


def test_assets_refused_folder_is_named_once(site: pathlib.Path) -> None:
    write_files(site, {f"_worker.js/{number}/{number}.js": "x" for number in range(9)})
    assert read_error(site) == (
        f"assets: {site}: _worker.js/ is the code of a Worker and would be public. "
        "Correct this, or exclude it with a line in .assetsignore."
    )
    write_files(site, {".assetsignore": "/_worker.js\n"})
    assert len(served_names(site)) == len(SITE)


def test_assets_rules_link_outside_folder_is_refused(site: pathlib.Path) -> None:
    (site / "_headers").symlink_to("/etc/hostname")
    assert "_headers is a link to a path outside the folder" in read_error(site)


def test_assets_many_unservable_files_are_counted(site: pathlib.Path) -> None:
    for number in range(12):
        (site / f"{number}.txt").symlink_to("/etc/hostname")
    assert read_error(site).count("outside the folder") == 5 and "; and 7 more. Correct this" in read_error(site)


def test_assets_too_many_or_no_files_are_refused(
    site: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "contains no files to serve" in read_error(write_files(tmp_path / "empty", {"_headers": "/*\n  X-A: 1"}))
    monkeypatch.setattr(assets, "MAX_FILES", 2)
    assert "contains 3 files, and the limit is 2" in read_error(site)


def test_assets_rules_not_utf8_are_refused(site: pathlib.Path) -> None:
    (site / "_headers").write_bytes(b"/caf\xe9\n  X-A: 1")
    assert "_headers is not UTF-8. Save it as UTF-8" in read_error(site)


def test_assets_file_hash_depends_on_worker_and_extension(site: pathlib.Path) -> None:
    write_files(site, {"copy.html": SITE["index.html"], "index.txt": SITE["index.html"]})
    files = {file.name: file for file in assets.read(str(site)).files}
    assert files["/copy.html"].hash("a") == files["/index.html"].hash("a") != files["/index.txt"].hash("a")
    assert files["/index.html"].hash("a") != files["/index.html"].hash("b")
    assert all(re.fullmatch("[0-9a-f]{32}", file.hash("a")) for file in files.values())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("/index.html", "text/html; charset=utf-8"),
        ("/APP.JS", "text/javascript; charset=utf-8"),
        ("/a.tar.gz", "application/gzip"),
        ("/a.woff2", "font/woff2"),
        ("/a.svg", "image/svg+xml"),
        ("/LICENSE", "application/null"),
        ("/.html", "application/null"),
        ("/..html", "text/html; charset=utf-8"),
        ("/a.html/b", "application/null"),
        ("/a.", "application/null"),
        ("/a.feed.xml", "application/xml"),
        ("/a.ogg", "audio/ogg"),
        ("/a.m4a", "audio/mp4"),
        ("/a.vtt", "text/vtt; charset=utf-8"),
        ("/a.ics", "text/calendar; charset=utf-8"),
        ("/a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("/a.ico", "image/vnd.microsoft.icon"),
        ("/a.py", "application/null"),
    ],
)
def test_assets_file_type_follows_extension(name: str, kind: str) -> None:
    assert assets.File(name, "", 0, "").type == kind


MOST = r"""
*.css ?.css **.css [ab].css [!a].css [a-b] [z-a] x[ []x] []-a]x [\]]x a\* \#x \!x #x \
b !b /a a/ / * ** */ a** a/* /*/b a/** **/a a/**/b a/b/ a//b
"""
PATTERNS = [*MOST.split(), "a b  ", r"c\ ", ""]
PLAIN = "a b a/b b/a a/b/a a/c/b b/a/b/a x/y/a/b a.css b.css c.css a/a.css a.css/b #x !x x[ ]x -x a* a*/b ab/b"
FILES = [*PLAIN.split(), "a b", "c "]


def test_gitignore_matcher_agrees_with_git(tmp_path: pathlib.Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    cases = [[pattern] for pattern in PATTERNS] + [
        ["*", "!*/", "!b"],
        ["a/", "!a/b"],
        ["*.css", "!a.css", "/a.css"],
        ["/a/*", "!/a/b"],
    ]
    for lines in cases:
        (tmp_path / ".gitignore").write_text("\n".join(lines))
        command = [
            "git",
            "-C",
            str(tmp_path),
            "-c",
            "core.excludesFile=/dev/null",
            "check-ignore",
            "--no-index",
            "--stdin",
            "-z",
        ]
        expected = subprocess.run(
            command, input="\0".join(FILES), capture_output=True, text=True, check=False
        ).stdout.split("\0")[:-1]
        assert [file for file in FILES if is_ignored(lines, file)] == expected, lines


def is_ignored(lines: list[str], file: str) -> bool:
    """Whether a file is left out, or a folder above it."""
    matcher, parts = GitignoreMatcher(lines), file.split("/")
    return any(matcher("/".join(parts[:depth]), folder=depth < len(parts)) for depth in range(1, len(parts) + 1))
