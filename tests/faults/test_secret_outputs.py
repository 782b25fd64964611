# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plays whose secrets are markers leave them in no output, file or database.

The outputs: -vvvv with diffs, the log file, callbacks, artifacts of ansible-runner, temporary files and caches, and
the log and the database of the local edge. Tasks succeed and fail, in check mode and really, in both ways of execution.
"""

from __future__ import annotations

import base64
import json
import pathlib
import typing as t

import pytest
from edge_process import TOKEN, Edge, running_edge
from leaks import find_leaks, header_marker, marker, multiline_marker
from plays import AnsibleProject, Play
from test_redaction import WHOLE

if t.TYPE_CHECKING:
    from conftest import Count

PREFIX = "tenantry.cloudflare_workers."
CODE = "export default { fetch: () => new Response('one') };"
NAMES = ("tenant", "default", "element", "router", "lines", "worker", "more", "fingerprint", "body", "text", "wrong")
SECRETS: dict[str, str] = {
    **{name: marker(number) for number, name in enumerate(NAMES, 20)},
    "lines": multiline_marker(40),
    "key": base64.b64encode(marker(41)[:32].encode()).decode(),
    "header": header_marker(42),
    "token": TOKEN,
}
# Writes every result and the arguments of every task, as callbacks for logs do.
RECORDING_CALLBACK = """
import json, os
from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "recording"

    def v2_runner_on_ok(self, result, **_):
        with open(os.environ["RECORDING"], "a") as file:
            file.write(self._dump_results(getattr(result, "result", None) or result._result, indent=2) + "\\n")

    v2_runner_on_failed = v2_runner_item_on_ok = v2_runner_item_on_failed = v2_on_file_diff = v2_runner_on_ok
"""


def module(kind: str, /, **options: t.Any) -> dict[str, t.Any]:
    return {
        "name": f"Task {kind}",
        PREFIX + kind: {"api_token": "{{ secret.token }}", **options},
        "ignore_errors": True,
    }


def role_that_fails(**variables: t.Any) -> dict[str, t.Any]:
    platform = {"name": "tenantry.cloudflare_workers.platform"}
    names = {"platform_namespace": "other", "platform_api_token": "{{ secret.token }}"}
    deploy = {"name": "Deploy", "ansible.builtin.include_role": platform, "vars": {**names, **variables}}
    return {"name": "Fail", "block": [deploy], "rescue": [{"name": "Continue", "ansible.builtin.meta": "noop"}]}


WORKER: dict[str, t.Any] = {"content": CODE, "compatibility_date": "2026-11-01"}
TENANT: dict[str, t.Any] = {**WORKER, "dispatch_namespace": "customer-workers"}
KEY = {"algorithm": {"name": "HMAC", "hash": "SHA-256"}, "format": "raw", "usages": ["sign"]}
KEY["key_base64"] = "{{ secret.key }}"
BINDING = {"name": "KEY", "type": "secret_text", "text": "{{ secret.text }}"}
KEYED = {"fingerprint_key": "{{ secret.fingerprint }}"}
TASKS: list[dict[str, t.Any]] = [
    {
        "name": "Deploy the platform",
        "ansible.builtin.include_role": {"name": "tenantry.cloudflare_workers.platform"},
        "vars": {
            "platform_namespace": "customer-workers",
            "platform_api_token": "{{ secret.token }}",
            "platform_fingerprint_key": "{{ secret.fingerprint }}",
            "platform_router": {"content": CODE, "secrets": {"KEY": "{{ secret.router }}"}},
            "platform_routes": [{"pattern": "*.platform.localhost/*"}],
            "platform_tenant_defaults": {**WORKER, "secrets": {"ALL": "{{ secret.default }}"}},
            "platform_tenants": [
                {"name": "a", "hostnames": ["a.platform.localhost"], "secrets": {"OWN": "{{ secret.element }}"}}
            ],
            "platform_tenant_secrets": {"a": {"KEY": "{{ secret.tenant }}"}},
        },
    },
    module("worker", **WORKER, **KEYED, name="w", secrets={"PEM": "{{ secret.lines }}", "CRYPTO": KEY}),
    module("worker_secrets", name="w", **KEYED, secrets={"MORE": "{{ secret.more }}"}),
    module("namespaced_worker", **TENANT, name="n", secrets={"KEY": "{{ secret.worker }}"}, update_secrets="always"),
    module("namespaced_worker_info", dispatch_namespace="customer-workers", detail="content"),
    module(
        "api",
        path="/accounts/{account_id}/queues",
        method="POST",
        headers={"X-Other": "{{ secret.header }}"},
        body={"queue_name": "q", "settings": {"x": "{{ secret.body }}"}},
    ),
    # Failures. In check mode, the one above and the one below do not occur.
    module("worker", **WORKER, name="echo", secrets={"KEY": "{{ secret.worker }}", "PEM": "{{ secret.lines }}"}),
    module("worker", **WORKER, name="refused", bindings=[BINDING]),
    module("namespaced_workers", dispatch_namespace="customer-workers", workers=[{"name": "x", "bindings": [BINDING]}]),
    module("worker", **WORKER, name="wrong", secrets="{{ secret.wrong }}"),
    module(
        "worker", **WORKER, name="wrong", secrets={"A B": "{{ secret.wrong }}"}, scerets={"K": "{{ secret.wrong }}"}
    ),
    module("worker", **WORKER, name="wrong", secrets={"KEY": {"algorithm": "{{ secret.wrong }}"}}),
    module("kv_namespace", title="x", api_token="{{ secret.header }}{{ secret.wrong }}"),
    role_that_fails(platform_tenant_secrets="{{ secret.wrong }}"),
    role_that_fails(platform_tenants=[{"name": "a", "secrets": "{{ secret.wrong }}"}]),
    role_that_fails(platform_tenants={"secrets": {"KEY": "{{ secret.wrong }}"}}),
    role_that_fails(platform_fingerprint_key=["{{ secret.wrong }}"]),
    role_that_fails(platform_api_token={"token": "{{ secret.wrong }}"}),
    role_that_fails(platform_tokn="{{ secret.wrong }}"),
    module("kv_namespace", title="x", api_url="https://user:{{ secret.header | urlencode }}@127.0.0.1/client/v4"),
]


@pytest.fixture(scope="module")
def edge_process(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Edge]:
    with running_edge(tmp_path_factory.mktemp("edge") / "data") as edge:
        yield edge


@pytest.fixture
def project(edge_process: Edge, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> AnsibleProject:
    edge_process.wipe()
    project = AnsibleProject(edge_process, tmp_path)
    del project.variables["CLOUDFLARE_API_TOKEN"]  # ansible-runner records its environment in the artifacts
    project.variable("secret", SECRETS)
    plugins = tmp_path / "project" / "callback_plugins"
    plugins.mkdir()
    (plugins / "recording.py").write_text(RECORDING_CALLBACK)
    outputs = tmp_path / "outputs"
    for name in ("temporary", "home", "run"):
        (outputs / name).mkdir(parents=True)
    project.variables |= {
        "ANSIBLE_CALLBACKS_ENABLED": "recording,ansible.builtin.junit,ansible.builtin.tree",
        "RECORDING": str(outputs / "recording"),
        "JUNIT_OUTPUT_DIR": str(outputs / "junit"),
        "ANSIBLE_CALLBACK_TREE_DIR": str(outputs / "tree"),
        "ANSIBLE_LOG_PATH": str(outputs / "log"),
        "ANSIBLE_CACHE_PLUGIN": "jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(outputs / "facts"),
        "ANSIBLE_RETRY_FILES_ENABLED": "true",
        "ANSIBLE_HOME": str(outputs / "home"),
        "ANSIBLE_REMOTE_TMP": str(outputs / "temporary"),
        "TMPDIR": str(outputs / "temporary"),
        "XDG_RUNTIME_DIR": str(outputs / "run"),
        "HOME": str(outputs / "home"),
    }
    return project


def fail_with_echo(edge: Edge) -> None:
    """Answer the upload of the Worker "echo" with its secrets and the token in all encodings."""
    texts = [encode(SECRETS[name]) for encode in WHOLE.values() for name in ("worker", "lines", "token")]
    fault = {"method": "PUT", "path": ".*/workers/scripts/echo", "status": 400, "message": " ".join(texts)}
    url = edge.api.removesuffix("/client/v4") + "/_edge/faults"
    edge.session.post(url, json=fault).raise_for_status()


def outputs_of(project: AnsibleProject, play: Play) -> dict[str, str]:
    """Return the texts of all outputs of a play, by their name."""
    folders = (play.folder, project.folder / "outputs", project.edge.data)
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    texts = {str(file): file.read_bytes().decode(errors="replace") for file in [*files, project.edge.log]}
    results = json.dumps([result for _name, result in play.tasks], default=str)
    return {"standard output": play.stdout, "results": results, **texts}


@pytest.mark.parametrize(
    ("in_process", "check", "result_format"),
    [
        (True, False, "yaml"),
        pytest.param(True, True, "json", marks=pytest.mark.slow),
        pytest.param(False, False, "json", marks=pytest.mark.slow),
        pytest.param(False, True, "yaml", marks=pytest.mark.slow),
    ],
)
def test_secrets_of_plays_appear_in_no_output(
    project: AnsibleProject, in_process: bool, check: bool, result_format: str, count: Count
) -> None:
    project.variable("tenantry_in_process", in_process)
    # In ordinary execution, Ansible stores the arguments of a task in a file, which it deletes at the end.
    project.variables |= {
        "ANSIBLE_KEEP_REMOTE_FILES": str(in_process),
        "ANSIBLE_CALLBACK_RESULT_FORMAT": result_format,
    }
    fail_with_echo(project.edge)
    play = project.play(TASKS, options="-vvvv --diff" + (" --check" if check else ""))
    assert play.code == 0, play.stdout[-3000:]
    assert play.stats["ignored"] == {"localhost": 7 if check else 9}, "not all of the failures are those above"
    outputs = outputs_of(project, play)
    assert {"log", "recording"} <= {name.rpartition("/")[2] for name in outputs}
    assert any("/junit/" in name for name in outputs) and any("/tree/" in name for name in outputs)
    for name, text in outputs.items():
        leaks = find_leaks(text, SECRETS.values())
        assert not leaks, f"{name}: {leaks[:3]}"
    count("secrets", "outputs and files of plays", tried=len(outputs), leaks=0)
