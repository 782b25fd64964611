# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a Worker's code comes from."""

from __future__ import annotations

import os
import pathlib
import shutil

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.errors import CloudflareError
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._worker import source
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._worker.fingerprint import Stamp, secrets_segment, stamp_in
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._worker.metadata import read_modules

# Stands in for esbuild where only what surrounds it is tested: writes what it is told to, or fails.
FAKE = """#!/bin/sh
for argument; do case $argument in
  --outfile=*) echo "// VERSION" > "${argument#--outfile=}"; cat "$1" >> "${argument#--outfile=}";;
  --metafile=*) echo '{"inputs": {"a.ts": {}}}' > "${argument#--metafile=}";;
esac; done
if grep -q BROKEN "$1"; then echo "a.ts:1:0: ERROR: Unexpected thing" >&2; exit 1; fi
"""


@pytest.fixture
def entrypoint(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    source._read.cache_clear()
    file = tmp_path / "a.ts"
    file.write_text("export default {};\n")
    return file


def esbuild(folder: pathlib.Path, version: str) -> str:
    program = folder / f"esbuild-{version}"
    program.write_text(FAKE.replace("VERSION", version))
    program.chmod(0o755)
    return str(program)


def test_no_esbuild(entrypoint: pathlib.Path) -> None:
    with pytest.raises(CloudflareError, match=r"there is no esbuild\. Install it beside the entrypoint .*esbuild_path"):
        source.load({"entrypoint": str(entrypoint)})
    with pytest.raises(CloudflareError, match="esbuild_path: /nowhere is no program"):
        source.load({"entrypoint": str(entrypoint), "esbuild_path": "/nowhere"})


def test_typescript_is_no_path(entrypoint: pathlib.Path) -> None:
    with pytest.raises(CloudflareError, match="give it as entrypoint"):
        source.load({"path": str(entrypoint)})
    with pytest.raises(CloudflareError, match="is a folder"):
        source.load({"path": str(entrypoint.parent)})


def test_an_error_of_esbuild_is_shown(entrypoint: pathlib.Path) -> None:
    entrypoint.write_text("BROKEN")
    with pytest.raises(CloudflareError, match=r"could not bundle .*a.ts:\na.ts:1:0: ERROR: Unexpected thing"):
        source.load({"entrypoint": str(entrypoint), "esbuild_path": esbuild(entrypoint.parent, "1")})


def test_another_esbuild_is_no_change_and_another_source_is(entrypoint: pathlib.Path) -> None:
    made = [source.load({"entrypoint": str(entrypoint), "esbuild_path": esbuild(entrypoint.parent, version)}) for version in ("1", "2")]
    assert made[0].modules != made[1].modules and made[0].identity == made[1].identity
    assert made[0].main_module == "a.js"
    source._read.cache_clear()
    entrypoint.write_text("export default { other: 1 };\n")
    changed = source.load({"entrypoint": str(entrypoint), "esbuild_path": esbuild(entrypoint.parent, "1")})
    assert changed.identity != made[0].identity


def test_esbuild_is_found_beside_the_entrypoint(entrypoint: pathlib.Path) -> None:
    folder = entrypoint.parent / "node_modules" / ".bin"
    folder.mkdir(parents=True)
    shutil.move(esbuild(entrypoint.parent, "1"), folder / "esbuild")
    assert source.load({"entrypoint": str(entrypoint)}).modules


@pytest.mark.skipif(not shutil.which("esbuild"), reason="the bundler itself is tested by the quickstart, under integration")
def test_real_bundles_are_the_same_anywhere(tmp_path: pathlib.Path) -> None:
    made = []
    for folder in (tmp_path / "one", tmp_path / "two" / "deeper"):
        folder.mkdir(parents=True)
        (folder / "a.ts").write_text("import { b } from './b';\nexport default { fetch: (): Response => new Response(b) };\n")
        (folder / "b.ts").write_text("export const b: string = 'b';\n")
        made.append(source.load({"entrypoint": str(folder / "a.ts")}))
    assert made[0] == made[1]
    assert str(tmp_path) not in made[0].modules[0].content.decode()


def test_a_source_travels_to_another_host(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "a.js"
    file.write_bytes(b"export default {};\n")
    table = source.pack({"path": str(file)})
    here = source.load({"path": str(file)})
    os.unlink(file)
    source._read.cache_clear()
    assert source.load({"path": str(file)}, table) == here


def test_modules_are_read_back_as_they_were_sent() -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="a.js"; filename="a.js"\r\nContent-Type: application/javascript+module\r\n\r\n'
        b"export default '\xc3\xa9';\r\n\n\r\n"
        b'--x\r\nContent-Disposition: form-data; name="b.bin"; filename="b.bin"\r\nContent-Type: application/octet-stream\r\n\r\n'
        b"\x00\xff\r\n--x--\r\n"
    )
    modules = read_modules(body, "multipart/form-data; boundary=x")
    assert [(module.name, module.content) for module in modules] == [("a.js", "export default 'é';\r\n\n".encode()), ("b.bin", b"\x00\xff")]


def test_stamps_are_read_as_they_are_written() -> None:
    stamp = Stamp("0123456789abcdef", "89abcdef")
    assert stamp_in(["x", stamp.tag(1_795_000_000)]) == stamp
    assert stamp_in(["tenantry.2.0123456789abcdef.89abcdef.abc", "tenantry.owner.x"]) is None
    assert len(stamp.tag(1_795_000_000)) <= 63


def test_what_the_secrets_segment_covers() -> None:
    assert secrets_segment({"A": "1"}, None) == secrets_segment({"A": "2"}, None), "without a key only names count"
    assert secrets_segment({"A": "1"}, None) != secrets_segment({"B": "1"}, None)
    assert secrets_segment({"A": "1"}, "key") != secrets_segment({"A": "2"}, "key")
    assert secrets_segment({"A": "1"}, "key") != secrets_segment({"A": "1"}, "other key")
    assert secrets_segment({"A": None}, None) != secrets_segment({"A": "1"}, None)
