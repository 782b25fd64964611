# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets appear in no output of a run: verbose output, events, artifacts, temporary files and the edge's log."""

from __future__ import annotations

import pathlib

import pytest
from edge_process import TOKEN
from plays import AnsibleProject

MARKS = ("hush-hush-tenant-secret", "hush-hush-router-secret", "hush-hush-fingerprint-key")


@pytest.mark.parametrize("in_process", [True, False])
@pytest.mark.parametrize("broken", [False, True])
def test_secrets_successful_or_failed_run_appear_in_no_output(
    project: AnsibleProject, in_process: bool, broken: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    project.variables["TMPDIR"] = str(temporary)
    site = project.folder / "project" / "site.yml"
    text = site.read_text()
    text = text.replace(
        "          bindings:\n", '          secrets: {KEY: "{{ tenant_secret }}"}\n          bindings:\n', 1
    )
    text = text.replace(
        "        name: platform-router\n",
        '        name: platform-router\n        secrets: {KEY: "{{ router_secret }}"}\n',
    )
    text = text.replace(
        "      platform_routes:\n", '      platform_fingerprint_key: "{{ fingerprint_key }}"\n      platform_routes:\n'
    )
    if broken:
        (project.folder / "project" / "src" / "tenant-worker.ts").write_text(
            "throw new Error('at start'); export default {};"
        )
    site.write_text(text)
    for name, mark in zip(("tenant_secret", "router_secret", "fingerprint_key"), MARKS, strict=True):
        project.variable(name, mark)
    project.variable("tenantry_in_process", in_process)
    for _run in range(2):
        play = project.play(options="-vvvv --diff")
        assert bool(play.code) is broken, play.stdout
        outputs = [
            file.read_text(errors="replace")
            for file in (*play.folder.rglob("*"), *temporary.rglob("*"))
            if file.is_file()
        ]
        for mark in MARKS:
            assert mark not in play.stdout and not [text for text in outputs if mark in text]
            assert mark not in project.edge.log.read_text()
        # ansible-runner records its environment in the artifacts. AWX masks it there.
        assert TOKEN not in play.stdout
    if not broken:
        assert project.edge.call("GET", "/workers/scripts/platform-router/secrets")[0]["name"] == "KEY"
