# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Static assets: which files of a folder are served, what a change of them costs, and what is refused."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import typing as t

import pytest
import requests
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.errors import CloudflareError
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources import script_mapping
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
    return written(tmp_path / "site", SITE)


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


def written(folder: pathlib.Path, files: t.Mapping[str, str | None]) -> pathlib.Path:
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


def asked(run: Runner, edge: Edge, module: str = "namespaced_worker", **options: t.Any) -> list[str]:
    """Run a module and return its requests, each as its method and the end of its path."""
    edge.clear()
    run.ok(module, **options)
    return [f"{seen['method']} {seen['path'].rpartition('/')[2]}" for seen in edge.requests()]


def served(run: Runner, edge: Edge, name: str = "a") -> bool:
    path = f"/accounts/{edge.account}/workers/dispatch/namespaces/tenants/scripts/{name}"
    return bool(run.ok("api", path=path)["api"]["script"]["has_assets"])


def bound(run: Runner, edge: Edge) -> list[str]:
    path = f"/accounts/{edge.account}/workers/dispatch/namespaces/tenants/scripts/a/bindings"
    return sorted(binding["name"] for binding in run.ok("api", path=path)["api"])


SESSION, UPLOAD, LOOK, SETTINGS = "POST assets-upload-session", "POST upload", "GET a", "GET settings"


def test_what_each_change_costs(run: Runner, edge: Edge, tenant: Options, site: pathlib.Path) -> None:
    assert asked(run, edge, **tenant) == [LOOK, SESSION, UPLOAD, "PUT a", LOOK]
    assert asked(run, edge, **tenant) == [LOOK]
    written(site, {"app.css": "h1 { color: blue }"})
    assert asked(run, edge, **tenant) == [LOOK, SETTINGS, SESSION, UPLOAD, "PUT a", LOOK]
    written(site, {"blog/post.html": None})
    assert asked(run, edge, **tenant) == [LOOK, SETTINGS, SESSION, "PUT a", LOOK], "nothing is missing"
    written(site, {"copy.html": SITE["index.html"]})
    assert asked(run, edge, **tenant) == [LOOK, SETTINGS, SESSION, "PUT a", LOOK], (
        "nor is another file of the same content"
    )
    written(site, {"_redirects": "/old / 301\n"})
    assert asked(run, edge, **tenant) == [LOOK, SETTINGS, SESSION, "PUT a", LOOK]
    changed = {**tenant, "content": CODE + "//"}
    assert asked(run, edge, **changed) == [LOOK, SETTINGS, "GET content", "PUT a", LOOK], "the assets are kept"
    assert served(run, edge) and asked(run, edge, **changed) == [LOOK]
    assert asked(run, edge, **{**changed, "tags": ["x"]}) == [LOOK, "PUT tags", LOOK]


def test_what_is_changed_back_is_there_already(run: Runner, edge: Edge, tenant: Options, site: pathlib.Path) -> None:
    run.ok("namespaced_worker", **tenant)
    written(site, {"app.css": "h1 { color: blue }"})
    run.ok("namespaced_worker", **tenant)
    written(site, SITE)
    assert UPLOAD not in asked(run, edge, **tenant)


def test_silence_keeps_and_null_removes(run: Runner, edge: Edge, tenant: Options) -> None:
    digest = run.ok("namespaced_worker", **tenant)["namespaced_worker"]["assets"]["digest"]
    silent = {key: tenant[key] for key in tenant if key != "assets"}
    assert asked(run, edge, **silent) == [LOOK, SETTINGS, "GET content", "PUT tags", LOOK], (
        "it is stamped for what is said of it now"
    )
    run.ok("namespaced_worker", **{**silent, "content": CODE + "//"})
    assert served(run, edge) and bound(run, edge) == ["ASSETS"]
    assert asked(run, edge, **{**tenant, "content": CODE + "//"})[-2] == "PUT tags", (
        "and are still known to be those of the folder"
    )
    gone = run.ok("namespaced_worker", **{**silent, "content": CODE + "//"}, assets=None)
    assert gone["namespaced_worker"]["assets"] is None and gone["diff"]["before"]["assets"] == {"digest": digest}
    assert not served(run, edge) and bound(run, edge) == []
    assert not run.ok("namespaced_worker", **{**silent, "content": CODE + "//"}, assets=None)["changed"]
    assert run.ok("namespaced_worker", **tenant)["changed"] and served(run, edge)


def test_a_worker_that_never_had_any_is_sent_no_word_of_them(run: Runner, edge: Edge, tenant: Options) -> None:
    silent = {key: tenant[key] for key in tenant if key != "assets"}
    run.ok("namespaced_worker", **silent)
    edge.clear()
    assert run.ok("namespaced_worker", **{**silent, "content": CODE + "//"})["namespaced_worker"]["assets"] is None
    assert not served(run, edge)


@pytest.mark.parametrize("module", ["namespaced_worker", "worker"])
def test_assets_alone(run: Runner, edge: Edge, site: pathlib.Path, module: str) -> None:
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


def test_settings_change_without_an_upload(run: Runner, edge: Edge, tenant: Options) -> None:
    run.ok("namespaced_worker", **tenant)
    assert asked(run, edge, **tenant, vars={"PLAN": "pro"}) == [LOOK, SETTINGS, "GET content", "PATCH settings", LOOK]
    assert served(run, edge) and bound(run, edge) == ["ASSETS", "PLAN"]


def test_what_others_have_written_is_sent_anew(
    run: Runner, edge: Edge, tenant: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.ok("namespaced_worker", **tenant)
    monkeypatch.setattr(script_mapping, "UPLOAD_TOLERANCE", -5.0)
    assert asked(run, edge, **tenant) == [LOOK, SETTINGS, "GET content", SESSION, "PUT a", LOOK], (
        "all files are there already"
    )


def test_what_others_have_removed_is_noticed(run: Runner, edge: Edge, tenant: Options) -> None:
    run.ok("namespaced_worker", **tenant)
    path = f"/accounts/{edge.account}/workers/dispatch/namespaces/tenants/scripts/a"
    metadata = (None, '{"main_module": "worker.js", "compatibility_date": "2026-11-01"}', "application/json")
    code = ("worker.js", CODE, "application/javascript+module")
    headers = {"Authorization": f"Bearer {edge.token}"}
    requests.put(
        edge.api + path, files={"metadata": metadata, "worker.js": code}, headers=headers, timeout=9
    ).raise_for_status()
    assert not served(run, edge)
    mended = run.ok("namespaced_worker", **tenant)
    assert mended["diff"]["before"]["assets"] is None and served(run, edge) and bound(run, edge) == ["ASSETS"]


def test_secrets_of_a_worker_with_assets_leave_what_is_known_of_them(run: Runner, edge: Edge, tenant: Options) -> None:
    run.ok("namespaced_worker", **tenant)
    one = {
        "dispatch_namespace": "tenants",
        "name": "a",
        "secrets": {"KEY": "a-secret-value-1"},
        "fingerprint_key": "fingerprint-key-1",
    }
    assert "PUT tags" in asked(run, edge, "worker_secrets", **one)
    assert asked(run, edge, **tenant) == [LOOK]


def test_the_binding_is_the_one_that_is_named(run: Runner, edge: Edge, tenant: Options) -> None:
    run.ok("namespaced_worker", **tenant, secrets={"KEY": "a-secret-value-1"})
    for binding, left in (("FILES", ["FILES", "KEY"]), (None, ["KEY"])):
        changed = {**tenant, "assets": {**tenant["assets"], "binding": binding}}
        for unmanaged in ("remove", "keep"):
            run.ok("namespaced_worker", **changed, unmanaged_bindings=unmanaged)
            assert bound(run, edge) == left


def test_a_binding_goes_that_assets_no_longer_name_though_the_files_are_the_same(
    run: Runner, edge: Edge, tenant: Options
) -> None:
    silent = {name: value for name, value in tenant.items() if name != "assets"}
    run.ok("namespaced_worker", **tenant)
    run.ok("namespaced_worker", **silent, bindings=[{"name": "TELL", "type": "analytics_engine", "dataset": "x"}])
    unnamed = {
        **silent,
        "bindings": [{"name": "TELL", "type": "analytics_engine", "dataset": "x"}],
        "assets": {"directory": tenant["assets"]["directory"]},
    }
    run.ok("namespaced_worker", **unnamed)
    assert bound(run, edge) == ["TELL"]
    assert not run.ok("namespaced_worker", **unnamed)["changed"]


def test_without_a_stamp_they_are_sent_anew(run: Runner, edge: Edge, tenant: Options) -> None:
    run.ok("namespaced_worker", **tenant)
    path = f"/accounts/{edge.account}/workers/dispatch/namespaces/tenants/scripts/a/tags"
    run.ok("api", method="PUT", path=path, body=[])
    edge.clear()
    again = run.ok("namespaced_worker", **tenant)
    assert again["diff"]["before"]["assets"] == {"digest": "(unknown)"}
    assert UPLOAD not in [f"{seen['method']} {seen['path'].rpartition('/')[2]}" for seen in edge.requests()]
    assert not run.ok("namespaced_worker", **tenant)["changed"]


def test_a_diff_tells_what_can_be_told(run: Runner, tenant: Options, site: pathlib.Path) -> None:
    first = run.ok("namespaced_worker", **tenant)["namespaced_worker"]["assets"]
    assert (first["files"], first["bytes"]) == (3, sum(map(len, SITE.values())))
    written(site, {"new.html": "new"})
    diff = run.ok("namespaced_worker", check=True, **tenant)["diff"]
    assert diff["before"]["assets"] == {"digest": first["digest"]}
    assert diff["after"]["assets"]["files"] == 4 and diff["after"]["assets"]["digest"] != first["digest"]
    assert {key: diff["before"][key] for key in diff["before"] if key != "assets"} == {
        key: diff["after"][key] for key in diff["after"] if key != "assets"
    }


def test_tenants_share_a_folder_but_no_files(run: Runner, edge: Edge, tenant: Options) -> None:
    shared = {key: tenant[key] for key in ("content", "compatibility_date", "assets")}
    fleet = {
        "dispatch_namespace": "tenants",
        "defaults": shared,
        "workers": [{"name": "b"}, {"name": "c"}, {"name": "d", "assets": None}],
    }
    each = [[SESSION, UPLOAD, f"PUT {name}"] for name in ("b", "c")]
    assert asked(run, edge, "namespaced_workers", **fleet, concurrency=1) == [
        "GET scripts",
        *each[0],
        *each[1],
        "PUT d",
        "GET scripts",
    ]
    assert [served(run, edge, name) for name in ("b", "c", "d")] == [True, True, False]
    assert asked(run, edge, "namespaced_workers", **fleet) == ["GET scripts"]


def test_the_token_of_the_session_stands_in_for_the_credentials(
    run: Runner, edge: Edge, tenant: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []
    send = requests.Session.send

    def noted(session: requests.Session, request: requests.PreparedRequest, **how: t.Any) -> requests.Response:
        sent.append(request)
        return send(session, request, **how)

    monkeypatch.setattr(requests.Session, "send", noted)
    result = run.ok("namespaced_worker", **tenant)
    upload = next(request for request in sent if str(request.url).endswith("/workers/assets/upload?base64=true"))
    assert edge.token not in str(upload.headers) and "Bearer ey" in upload.headers["Authorization"]
    assert "Bearer" not in str(result) and upload.headers["Authorization"].removeprefix("Bearer ") not in str(result)
    assert edge.token in sent[-1].headers["Authorization"], "later requests have the credentials again"


def test_an_upload_survives_a_bad_moment(run: Runner, edge: Edge, tenant: Options) -> None:
    for path in (".*/assets-upload-session", ".*/assets/upload"):
        edge.fault(method="POST", path=path, status=502, times=1, when="after")
    assert run.ok("namespaced_worker", **tenant)["changed"] and served(run, edge)


def test_what_changes_while_it_is_uploaded_is_not_served(
    run: Runner, edge: Edge, tenant: Options, site: pathlib.Path
) -> None:
    assets.read(str(site))
    (site / "app.css").write_text("h2 {}")
    result = run("namespaced_worker", **tenant)
    assert "app.css changed during the upload. Run again" in result["msg"]
    assert not [write for write in edge.writes() if write.startswith("PUT") and "scripts" in write]
    assets.read.cache_clear()
    assert run.ok("namespaced_worker", **tenant)["changed"]


def test_rules_that_cloudflare_refuses_are_told(run: Runner, tenant: Options, site: pathlib.Path) -> None:
    written(site, {"_redirects": "/* /index.html 200\n"})
    said = run("namespaced_worker", **tenant)["msg"]
    assert (
        "code 100324" in said and "Line 1: Infinite loop" in said and "Correct the file _headers or _redirects" in said
    )


def test_an_upload_that_takes_too_long_is_continued(run: Runner, edge: Edge, tenant: Options) -> None:
    edge.fault(method="POST", path=".*/assets/upload", status=401, code=10000, message="Authentication error", times=1)
    assert "An upload of assets has an hour: run again" in run("namespaced_worker", **tenant)["msg"]
    assert run.ok("namespaced_worker", **tenant)["changed"]


def test_a_stamp_with_assets_is_read_back_and_fits_in_a_tag() -> None:
    segments = ("0123456789abcdef", "89abcdef")
    for stamp in (
        FingerprintTag(*segments, "0123456789", code="01234567"),
        FingerprintTag(*segments, "0123456789"),
        FingerprintTag(*segments, code="01234567"),
        FingerprintTag(*segments),
    ):
        tag = stamp.render(1800000000)
        read = find_fingerprint_tag([tag])
        assert read == stamp and read.code == stamp.code and len(tag) < 64


WRONG: list[tuple[dict[str, t.Any], str]] = [
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


@pytest.mark.parametrize(("wrong", "message"), WRONG, ids=[message[:40] for _wrong, message in WRONG])
def test_refused(run: Runner, tenant: Options, wrong: Options, message: str) -> None:
    inner = wrong.get("assets", {})
    options = {**tenant, **wrong, "assets": None if inner is None else {**tenant["assets"], **inner}}
    if "directory" in message and "folder" not in message:
        del options["assets"]["directory"]
    assert re.search(message, run.refused("namespaced_worker", **options))


# -- the folder --------------------------------------------------------------------------------------------------------


def names(folder: pathlib.Path) -> list[str]:
    assets.read.cache_clear()
    return [file.name for file in assets.read(str(folder)).files]


def refusal(folder: pathlib.Path) -> str:
    with pytest.raises(CloudflareError) as caught:
        names(folder)
    return str(caught.value)


def test_which_files_are_served(site: pathlib.Path) -> None:
    left_out = (
        ".DS_Store",
        "blog/.DS_Store",
        "node_modules/x.js",
        "blog/node_modules/x.js",
        ".git/config",
        "_headers",
        "_redirects",
    )
    written(
        site,
        {
            **dict.fromkeys(left_out, "x"),
            "blog/_headers": "x",
            ".well-known/security.txt": "x",
            "drafts/a.html": "x",
            "drafts/b.html": "x",
        },
    )
    assert names(site) == [
        "/app.css",
        "/index.html",
        "/.well-known/security.txt",
        "/blog/_headers",
        "/blog/post.html",
        "/drafts/a.html",
        "/drafts/b.html",
    ]
    written(site, {".assetsignore": "# not yet\ndrafts/*\n!/drafts/b.html\n*.css\n!node_modules\n"})
    assert set(names(site)) == {
        "/index.html",
        "/.well-known/security.txt",
        "/blog/_headers",
        "/blog/post.html",
        "/drafts/b.html",
        "/node_modules/x.js",
        "/blog/node_modules/x.js",
    }
    assert assets.read(str(site)).rules == {"_headers": "x", "_redirects": "x"}


def test_a_link_is_followed_within_the_folder(site: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (site / "home.html").symlink_to("index.html")
    (tmp_path / "current").symlink_to(site)
    assert names(tmp_path / "current") == ["/app.css", "/home.html", "/index.html", "/blog/post.html"]


def test_what_cannot_be_served_is_named(
    site: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assets, "MAX_FILE_SIZE", 20)
    written(tmp_path, {"secret.txt": "x"})
    (site / "out.txt").symlink_to(tmp_path / "secret.txt")
    (site / "broken.txt").symlink_to("nothing.txt")
    (site / "again").symlink_to("blog")
    written(site, {"large.bin": "x" * 21, "_worker.js/index.js": "x"})
    said = refusal(site)
    for part in (
        "out.txt is a link to a path outside the folder",
        "broken.txt is not a file",
        "again is a link to a folder, and such links are not followed",
        "large.bin has 21 bytes, and the limit is 20",
        "_worker.js/index.js is the code of a Worker and would be public",
    ):
        assert part in said
    written(site, {".assetsignore": "out.txt\nbroken.txt\nagain\nlarge.bin\n/_worker.js\n"})
    assert names(site) == ["/app.css", "/index.html", "/blog/post.html"]
    (site / os.fsdecode(b"caf\xe9.html")).write_text("x")
    assert r"'caf\udce9.html' is not a valid UTF-8 name" in refusal(site)


def test_rules_come_from_the_folder_too(site: pathlib.Path) -> None:
    (site / "_headers").symlink_to("/etc/hostname")
    assert "_headers is a link to a path outside the folder" in refusal(site)


def test_many_that_cannot_be_served_are_counted(site: pathlib.Path) -> None:
    for number in range(12):
        (site / f"{number}.txt").symlink_to("/etc/hostname")
    assert refusal(site).count("outside the folder") == 5 and "; and 7 more. Correct this" in refusal(site)


def test_too_many_and_none(site: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "contains no files to serve" in refusal(written(tmp_path / "empty", {"_headers": "/*\n  X-A: 1"}))
    monkeypatch.setattr(assets, "MAX_FILES", 2)
    assert "contains 3 files, and the limit is 2" in refusal(site)


def test_rules_in_another_encoding(site: pathlib.Path) -> None:
    (site / "_headers").write_bytes(b"/caf\xe9\n  X-A: 1")
    assert "_headers is not UTF-8. Save it as UTF-8" in refusal(site)


def test_a_hash_is_of_one_worker_and_one_type(site: pathlib.Path) -> None:
    written(site, {"copy.html": SITE["index.html"], "index.txt": SITE["index.html"]})
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
    ],
)
def test_types(name: str, kind: str) -> None:
    assert assets.File(name, "", 0, "").type == kind


MOST = r"""
*.css ?.css **.css [ab].css [!a].css [a-b] [z-a] x[ []x] []-a]x [\]]x a\* \#x \!x #x \
b !b /a a/ / * ** */ a** a/* /*/b a/** **/a a/**/b a/b/ a//b
"""
PATTERNS = [*MOST.split(), "a b  ", r"c\ ", ""]
PLAIN = "a b a/b b/a a/b/a a/c/b b/a/b/a x/y/a/b a.css b.css c.css a/a.css a.css/b #x !x x[ ]x -x a* a*/b ab/b"
FILES = [*PLAIN.split(), "a b", "c "]


def test_git_is_the_judge_of_patterns(tmp_path: pathlib.Path) -> None:
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
        judged = subprocess.run(
            command, input="\0".join(FILES), capture_output=True, text=True, check=False
        ).stdout.split("\0")[:-1]
        assert [file for file in FILES if left_out(lines, file)] == judged, lines


def left_out(lines: list[str], file: str) -> bool:
    """Whether a file is left out, or a folder above it."""
    ignored, parts = GitignoreMatcher(lines), file.split("/")
    return any(ignored("/".join(parts[:depth]), folder=depth < len(parts)) for depth in range(1, len(parts) + 1))
