# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role local_edge refuses options of the TLS port that contradict each other, before it installs anything."""

from __future__ import annotations

import typing as t

import pytest
from plays import AnsibleProject

ROLE = [{"ansible.builtin.include_role": {"name": "tenantry.cloudflare_workers.local_edge"}}]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"local_edge_tls_hosts": ["a.example.com"]}, "local_edge_tls_hosts: Without a TLS port"),
        ({"local_edge_https_port": 18787}, "local_edge_https_port: 18787 is the port of the API or of the Workers"),
        ({"local_edge_https_port": 18788}, "local_edge_https_port: 18788 is the port of the API or of the Workers"),
    ],
)
def test_local_edge_contradictory_tls_options_are_refused(
    project: AnsibleProject, options: dict[str, t.Any], message: str
) -> None:
    folders = {f"local_edge_{name}_dir": str(project.folder / name) for name in ("data", "install")}
    play = project.play(ROLE, local_edge_api_port=18788, local_edge_http_port=18787, **folders, **options)
    assert play.code != 0 and play.changed == 0
    assert message in play.stdout
    assert not (project.folder / "data").exists() and not (project.folder / "install").exists()
