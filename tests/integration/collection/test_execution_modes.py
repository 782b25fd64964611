# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In-process and ordinary execution give the same results for the same tasks."""

from __future__ import annotations

import re
import typing as t

import pytest
from edge_process import TOKEN
from plays import AnsibleProject, Play

PREFIX = "tenantry.cloudflare_workers."
CODE = "export default { fetch: (request, env) => Response.json(env) };"
SECRET = "hush-hush-do-not-tell-42"
WORKER = {"dispatch_namespace": "tenants", "content": CODE, "compatibility_date": "2026-11-01"}


def task(module: str, /, arguments: dict[str, t.Any] | None = None, **keywords: t.Any) -> dict[str, t.Any]:
    return {
        "name": f"{module} {sorted(arguments or {})}",
        PREFIX + module: arguments or {},
        "ignore_errors": True,
        **keywords,
    }


TASKS = [
    task("dispatch_namespace", {"name": "tenants"}),
    task("dispatch_namespace", {"namespace": "tenants"}, check_mode=True),
    task("kv_namespace", {"title": "Metadata"}),
    task(
        "namespaced_worker",
        {
            **WORKER,
            "name": "a",
            "secrets": {"KEY": "{{ secret }}"},
            "vars": {"BIG": 12345678901234567890, "ACCENT": "é"},
        },
    ),
    task(
        "namespaced_worker",
        {**WORKER, "name": "a", "secrets": {"KEY": "{{ secret }}x"}, "fingerprint_key": "{{ secret }}y"},
    ),
    task(
        "namespaced_worker",
        {**WORKER, "name": "a", "secrets": {"KEY": "{{ secret }}"}, "tags": ["x"], "vars": {"GONE": "{{ omit }}"}},
    ),
    task("namespaced_worker", {**WORKER, "name": "{{ item }}"}, loop=["b", "B A D", "c"]),
    task(
        "namespaced_worker",
        {
            "dispatch_namespace": "tenants",
            "name": "d",
            "entrypoint": "src/tenant-worker.ts",
            "compatibility_date": "2026-11-01",
        },
    ),
    task(
        "namespaced_worker",
        {
            "dispatch_namespace": "tenants",
            "name": "d",
            "path": "modules",
            "minify": "no",
            "compatibility_date": "2026-11-01",
        },
    ),
    task("namespaced_worker", {"dispatch_namespace": "tenants", "name": "d", "path": "gone", "state": "absent"}),
    task(
        "namespaced_worker",
        {"dispatch_namespace": "tenants", "name": "e", "path": "nowhere.js", "compatibility_date": "2026-11-01"},
    ),
    task("namespaced_worker", {**WORKER, "name": "a", "secrts": {"KEY": "{{ secret }}"}}),
    task("namespaced_worker", {**WORKER, "name": "a", "bindings": [{"name": "X", "type": "nothing"}]}),
    task("namespaced_worker", {**WORKER, "name": "a", "content": "{{ none }}"}),
    task(
        "namespaced_workers",
        {
            "dispatch_namespace": "tenants",
            "owner": "fleet",
            "defaults": {"entrypoint": "src/tenant-worker.ts", "compatibility_date": "2026-11-01"},
            "workers": [{"name": "f", "secrets": {"KEY": "{{ secret }}"}}, {"name": "g", "content": CODE}],
            "routing_kv": {"title": "Metadata"},
        },
    ),
    task("worker", {"name": "router", "path": "router.js", "compatibility_date": "2026-11-01"}),
    task("worker_route", {"pattern": "*.platform.localhost/*", "worker": "router"}),
    task("worker_route", {"pattern": "none.platform.localhost/*", "worker": None}),
    task(
        "worker_routes",
        {
            "worker": "router",
            "zone": "platform.localhost",
            "routes": [
                {"pattern": "a.platform.localhost/*"},
                {"pattern": "b.platform.localhost/*", "worker": None},
                {"pattern": "a.*"},
            ],
        },
    ),
    task("worker_schedule", {"worker": "router", "crons": "*/30 * * * *"}),
    task("worker_domain", {"hostname": "app.platform.localhost", "worker": "router"}),
    task("dns_record", {"name": "app.platform.localhost", "type": "A", "content": "192.0.2.1"}),
    task(
        "custom_hostname",
        {"hostname": "a.b.net", "zone": "platform.localhost", "ssl": {"method": "txt", "settings": {"http2": True}}},
        check_mode=True,
    ),
    task("kv_entries", {"title": "Metadata", "entries": [{"key": "k", "value": {"nested": [1, None, True]}}]}),
    task("namespaced_worker_info", {"dispatch_namespace": "tenants", "tags": "x:yes", "detail": "content"}),
    task("worker_route_info", {"zone": "platform.localhost", "worker": None}, check_mode=True),
    task("kv_entries_info", {"title": "Metadata"}),
    task(
        "api",
        {"path": "/accounts/{account_id}/workers/dispatch/namespaces"},
        register="seen",
        until="seen.api | length > 0",
        retries=1,
        delay=0,
    ),
    task("api", {"path": "/nowhere"}),
    task("api", {"path": "/zones", "api_token": "{{ wrong }}"}),
    task("kv_namespace", {"title": "Metadata", "api_token": ""}),
    task(
        "kv_namespace",
        {"title": "Metadata"},
        environment={"CLOUDFLARE_API_TOKEN": "a-token-that-core-itself-shows-at-vvv"},
    ),
    task("kv_namespace", {"title": "Metadata", "state": "absent", "force": True}),
    task("worker_route", {"pattern": "*.platform.localhost/*", "state": "absent"}, register="first"),
    {
        "name": "check the registered result",
        "ansible.builtin.assert": {"that": ["first is changed", "first.operations | length == 1"]},
    },
]
VARYING = re.compile(
    r'\d{4}-\d\d-\d\dT[\d:.]+Z|[0-9a-f-]{32,36}|ray [0-9a-f]{16}-EDGE|tenantry\.1\.[0-9a-z.]+|"written_at":[\d.]+'
)


def without_varying_values(value: t.Any) -> t.Any:
    """Remove values that differ between runs: times, ids and the paths of Ansible's files."""
    match value:
        case dict():
            skip = ("exception", "start", "end", "delta", "ansible_facts", "failed_when_result", "_controller_sources")
            return {
                key: without_varying_values(inner)
                for key, inner in value.items()
                if key not in skip and not key.startswith("_ansible")
            }
        case list():
            return [without_varying_values(inner) for inner in value]
        case str():
            return VARYING.sub("*", value)
    return value


def run(project: AnsibleProject, in_process: bool) -> Play:
    project.edge.wipe()
    (project.folder / "project" / "router.js").write_text(CODE)
    (project.folder / "project" / "modules").mkdir(exist_ok=True)
    (project.folder / "project" / "modules" / "index.js").write_text(CODE)
    return project.play(
        TASKS, "-vvv --diff", secret=SECRET, wrong="wrong-token-of-no-one", tenantry_in_process=in_process
    )


def test_execution_modes_same_tasks_give_same_results(project: AnsibleProject) -> None:
    in_process, ordinary = run(project, True), run(project, False)
    assert "AnsiballZ_" not in in_process.stdout, "the tasks did not run in process"
    assert "AnsiballZ_" in ordinary.stdout
    assert len(in_process.tasks) == len(ordinary.tasks)
    for (name, one), (_same, other) in zip(in_process.tasks, ordinary.tasks, strict=True):
        assert without_varying_values(one) == without_varying_values(other), name
    for play in (in_process, ordinary):
        assert play.code == 0, play.stdout
        assert SECRET not in play.stdout and "wrong-token-of-no-one" not in play.stdout
        assert TOKEN not in play.stdout
        assert not [name for name, result in play.tasks if "a bug in tenantry" in str(result)]


@pytest.mark.parametrize("keywords", [{"async": 60, "poll": 1}, {"vars": {"tenantry_in_process": "false"}}])
def test_in_process_execution_async_or_disabled_is_not_used(
    project: AnsibleProject, keywords: dict[str, t.Any]
) -> None:
    play = project.play([task("dispatch_namespace", {"name": "tenants"}, **keywords)], "-vvv").ok()
    assert "AnsiballZ_" in play.stdout
    assert [space["namespace_name"] for space in project.edge.call("GET", "/workers/dispatch/namespaces")] == [
        "tenants"
    ]


def test_module_defaults_of_action_group_are_applied(project: AnsibleProject) -> None:
    del project.variables["CLOUDFLARE_API_TOKEN"]
    defaults = {"group/tenantry.cloudflare_workers.all": {"api_token": "{{ token }}"}}
    block = {
        "module_defaults": defaults,
        "block": [task("dispatch_namespace", {"name": "tenants"}), task("kv_namespace", {"title": "x"})],
    }
    assert project.play([block], token=TOKEN).ok().changed == 2
