# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sources of Workers that are not regular files in their folder, or too large, are refused before the first request."""

from __future__ import annotations

import os
import pathlib
import socket
import typing as t

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._worker import assets, source
from ansible_collections.tenantry.cloudflare_workers.plugins.plugin_utils import _workers_file as workers_file
from harness import Runner
from local_edge.testing import Edge
from tenant import CODE

WORKER: dict[str, t.Any] = {"dispatch_namespace": "tenants", "name": "a", "compatibility_date": "2026-11-01"}
SECRET = "a file outside of the folder"


def make_socket(path: pathlib.Path) -> None:
    # The path of a socket is limited to about 100 bytes, so it is bound relative to its folder.
    with socket.socket(socket.AF_UNIX) as server:
        folder = os.open(path.parent, os.O_RDONLY)
        server.bind(f"/proc/self/fd/{folder}/{path.name}")
        os.close(folder)


def make_outward_link(path: pathlib.Path) -> None:
    outside = path.parents[1] / "outside.js"
    outside.write_text(SECRET)
    path.symlink_to(outside)


def make_large(path: pathlib.Path) -> None:
    with path.open("wb") as file:  # sparse
        file.truncate(source.MAX_SIZE + 1)


SPECIAL: dict[str, t.Callable[[pathlib.Path], None]] = {
    "is a FIFO": os.mkfifo,
    "is a socket": make_socket,
    "is a device": lambda path: path.symlink_to("/dev/zero"),
    "is not readable: No such file": lambda path: path.symlink_to("nothing"),
    "is a folder": lambda path: path.mkdir(),
    f"has {source.MAX_SIZE + 1} bytes": make_large,
}
IN_FOLDER = {
    **{problem: make for problem, make in SPECIAL.items() if problem not in ("is a device", "is a folder")},
    "is a link to a path outside the folder": make_outward_link,
}
del IN_FOLDER[f"has {source.MAX_SIZE + 1} bytes"]
OUTSIDE = "is a link to a path outside the folder"


def refuse(run: Runner, edge: Edge, **options: t.Any) -> str:
    for check in (True, False):
        message = run.refused("namespaced_worker", **WORKER, **options, check=check)
        assert edge.requests() == [] and SECRET not in message
    return message


@pytest.mark.parametrize("option", ["path", "entrypoint"])
@pytest.mark.parametrize("problem", [problem for problem in SPECIAL if problem != "is a folder"])
def test_worker_special_file_is_refused_by_name(
    run: Runner, edge: Edge, tmp_path: pathlib.Path, option: str, problem: str
) -> None:
    path = tmp_path / "worker.js"
    SPECIAL[problem](path)
    message = refuse(run, edge, **{option: str(path)})
    assert message.startswith(f"{option}: ") and "worker.js" in message
    assert problem in message or "does not exist" in message


@pytest.mark.parametrize("problem", [*IN_FOLDER, "is a link to /dev"])
def test_worker_folder_with_special_file_is_refused_by_name(
    run: Runner, edge: Edge, tmp_path: pathlib.Path, problem: str
) -> None:
    folder = tmp_path / "worker"
    folder.mkdir()
    (folder / "index.js").write_text(CODE)
    {**IN_FOLDER, "is a link to /dev": SPECIAL["is a device"]}[problem](folder / "lib.js")
    message = refuse(run, edge, path=str(folder))
    assert message.startswith(f"path: {folder}: lib.js is ")
    assert (OUTSIDE if problem == "is a link to /dev" else problem) in message


def test_worker_folder_link_within_is_followed(run: Runner, edge: Edge, tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/index.js").write_text(CODE)
    (tmp_path / "a/lib.js").symlink_to("index.js")
    (tmp_path / "current").symlink_to("a")
    run.ok("dispatch_namespace", name="tenants")
    result = run.ok("namespaced_worker", **WORKER, path=str(tmp_path / "current"))
    assert [module["name"] for module in result["namespaced_worker"]["modules"]] == ["index.js", "lib.js"]
    assert not run.ok("namespaced_worker", **WORKER, path=str(tmp_path / "current"))["changed"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [(os.fsdecode(b"caf\xe9.js"), r"'caf\udce9.js' is not a valid UTF-8 name"), ("a\nb.js", "control character")],
)
def test_worker_folder_with_invalid_name_fails_its_worker_alone(
    run: Runner, edge: Edge, tmp_path: pathlib.Path, name: str, problem: str
) -> None:
    (tmp_path / "index.js").write_text(CODE)
    (tmp_path / name).write_text(CODE)
    run.ok("dispatch_namespace", name="tenants")
    workers = [{"name": "bad", "path": str(tmp_path)}, {"name": "good", "path": str(tmp_path / "index.js")}]
    result = run(
        "namespaced_workers",
        dispatch_namespace="tenants",
        defaults={"compatibility_date": "2026-11-01"},
        workers=workers,
    )
    assert result["failed"] and f"bad: path: {tmp_path}: " in result["msg"] and problem in result["msg"]
    assert [member["changed"] for member in result["namespaced_workers"]] == [False, True]
    result["msg"].encode()


@pytest.mark.parametrize("problem", IN_FOLDER)
@pytest.mark.parametrize("name", ["page.html", "_headers"])
def test_assets_special_file_is_refused_by_name(tmp_path: pathlib.Path, problem: str, name: str) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "index.html").write_text("one")
    IN_FOLDER[problem](folder / name)
    with pytest.raises(Exception, match=f"assets: .*{name} {problem}"):
        assets.read(str(folder))


@pytest.mark.parametrize("problem", [problem for problem in SPECIAL if "bytes" not in problem])
def test_workers_file_that_is_special_is_refused_by_name(tmp_path: pathlib.Path, problem: str) -> None:
    SPECIAL[problem](tmp_path / "workers.json")
    with pytest.raises(AnsibleActionFail, match=rf"workers_file: .*workers\.json {problem}"):
        workers_file.read(DataLoader(), str(tmp_path / "workers.json"))


def test_workers_file_over_the_limit_is_refused(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers_file, "MAX_SIZE", 1)
    (tmp_path / "workers.json").write_text("[]")
    with pytest.raises(AnsibleActionFail, match=r"workers\.json has 2 bytes, and the limit is 1"):
        workers_file.read(DataLoader(), str(tmp_path / "workers.json"))


DEEP = "[" * 300 + "]" * 300
ODD = {
    "deep.json": f'[{{"name": "bad", "vars": {{"A": {DEEP}}}}}, {{"name": "good"}}]',
    "cycle.yml": "[{name: bad, vars: &a {A: *a, B: *a}}, {name: good}]",
    "half.json": r'[{"name": "bad", "vars": {"A": "\ud800"}}, {"name": "good"}]',
    "set.yml": "[{name: bad, vars: {A: !!set {x}}}, {name: good}]",
    "bytes.yml": "[{name: bad, vars: {A: !!binary aGk=}}, {name: good}]",
    "infinite.jsonl": '{"name": "bad", "vars": {"A": Infinity}}\n{"name": "good"}\n',
    "large.yml": f"[{{name: bad, vars: {{A: 0x{'f' * 5000}}}}}, {{name: good}}]",
}


@pytest.mark.parametrize("name", ODD)
def test_workers_file_odd_value_fails_its_worker_alone(run: Runner, tmp_path: pathlib.Path, name: str) -> None:
    (tmp_path / name).write_text(ODD[name])
    run.ok("dispatch_namespace", name="tenants")
    result = run(
        "namespaced_workers",
        dispatch_namespace="tenants",
        defaults={"content": CODE, "compatibility_date": "2026-11-01"},
        workers=workers_file.read(DataLoader(), str(tmp_path / name)),
    )
    assert [member["changed"] for member in result["namespaced_workers"]] == [False, True]
    assert "1 of 2 failed. bad: vars" in result["msg"]
