# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors that only the runtime or the network reports, as shown to the user."""

from __future__ import annotations

import datetime
import typing as t

import pytest
from plays import AnsibleProject

WORKER = {"dispatch_namespace": "tenants", "name": "a", "compatibility_date": "2026-11-01"}


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("export default { fetch( };", "code 10021: Uncaught SyntaxError: Unexpected token"),
        ("while (true) {}\nexport default { fetch() {} };", "code 10021: Script startup exceeded CPU time limit"),
        ("export const nothing = 1;", "code 10068"),
        ("throw new Error('at start'); export default {};", "code 10021: Uncaught Error: at start"),
    ],
)
def test_upload_failing_code_reports_runtime_error(project: AnsibleProject, code: str, message: str) -> None:
    project.edge.call("POST", "/workers/dispatch/namespaces", json={"name": "tenants"})
    play = project.play([{"tenantry.cloudflare_workers.namespaced_worker": {**WORKER, "content": code}}])
    result: dict[str, t.Any] = play.tasks[-1][1]
    assert play.code != 0 and message in result["msg"], result["msg"]
    assert "Traceback" not in play.stdout
    assert project.edge.call("GET", "/workers/dispatch/namespaces/tenants/scripts") == []


def test_play_api_unreachable_reports_remedy(project: AnsibleProject) -> None:
    project.variables["CLOUDFLARE_API_BASE_URL"] = "http://127.0.0.1:9/client/v4"
    play = project.play()
    assert (
        play.code != 0
        and "No server responds at http://127.0.0.1:9/client/v4" in play.stdout
        and "make edge" in play.stdout
    )
    assert "Traceback" not in play.stdout


def test_workers_unquoted_date_is_accepted_or_refused_with_remedy(project: AnsibleProject) -> None:
    """ansible-core 2.16 converts them to text that a module cannot parse. Later versions keep them."""
    project.edge.call("POST", "/workers/dispatch/namespaces", json={"name": "tenants"})
    project.variable(
        "tenants",
        [{"name": "a", "content": "export default { fetch() {} };", "compatibility_date": datetime.date(2026, 11, 1)}],
    )
    arguments = {"dispatch_namespace": "tenants", "workers": "{{ tenants }}"}
    play = project.play([{"tenantry.cloudflare_workers.namespaced_workers": arguments}])
    assert play.code == 0 or "write compatibility_date: '2026-11-01'" in play.tasks[-1][1]["msg"]
