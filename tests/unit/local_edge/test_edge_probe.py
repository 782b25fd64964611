# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe detects every choice of every behavior and restores the account."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from control_plane import Client
from local_edge.errors import invalid
from local_edge.model.bindings import Binding
from local_edge.probe import command
from local_edge.probe.api import Api
from local_edge.probe.questions import QUESTIONS
from local_edge.probe.run import Report, probe
from local_edge.probe.sandbox import PREFIX, Sandbox, SandboxViolation
from local_edge.runtime.base import Exports
from local_edge.settings import Behaviors
from local_edge.testing import running

CHOICES = [
    (behavior.name, position) for behavior in dataclasses.fields(Behaviors) for position in behavior.metadata["choices"]
]


class SlowRuntime:
    """A runtime that delays the validation of marked uploads, so that concurrent writes can conflict."""

    async def validate(self, source: Any, config: Any, bindings: Sequence[Binding]) -> Exports:
        reads_cache = any(b"caches.default" in module.body for module in source.modules)
        if config["default_cache"] == "throw" and reads_cache:
            raise invalid("caches.default is disabled for namespaced scripts.")
        await asyncio.sleep(0.02 if any(one.name.startswith("MARK_") for one in bindings) else 0)
        return Exports()

    async def invalidate(self, invalidations: Any) -> None:
        return None


@pytest.fixture(scope="module")
def module_client() -> Iterator[Client]:
    with running(rate_limit="250/60/1") as edge:
        yield Client(edge)


@pytest.fixture
def client(module_client: Client) -> Client:
    module_client.edge.reset()
    return module_client


@pytest.fixture
def slow_validation(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client.edge.state.runtime, "validate", SlowRuntime().validate)


@pytest.fixture
def before(client: Client) -> dict[str, Any]:
    """Create a tenant, a router, a route and a namespace named like the probe's. Return the account's state."""
    client.upload(f"{client.namespace()}/tenant", tags=["probe"])
    client.upload("/workers/scripts/router")
    client.namespace(PREFIX.rstrip("-"))
    client.call("POST", client.routes, json={"pattern": "*.example.com/*", "script": "router"})
    return account_state(client)


def run_probe(client: Client, *behaviors: str, **options: Any) -> Report:
    """Probe this edge without delays."""
    zone = {"id": client.edge.zones["example.com"], "name": "example.com"}
    api = Api(client.edge.api, client.edge.token, sleep=lambda seconds: None)
    return probe(api, client.edge.account, zone, ["exhaust-budget"], behaviors, **{"timeout": 0, **options})


def account_state(client: Client) -> dict[str, Any]:
    """Return everything that the API lists for the account."""
    client.edge.state.rate_limiter.reset()
    vars(client.edge.behaviors).update(vars(Behaviors()))
    state = {
        path: client.call("GET", path) for path in ("/workers/dispatch/namespaces", "/workers/scripts", client.routes)
    }
    tenants = {
        one["namespace_name"]: client.call("GET", f"/workers/dispatch/namespaces/{one['namespace_name']}/scripts")
        for one in state["/workers/dispatch/namespaces"]
    }
    return {**state, **tenants}


def test_questions_cover_every_behavior_once() -> None:
    assert [question.behavior for question in QUESTIONS] == list(
        dict.fromkeys(question.behavior for question in QUESTIONS)
    )
    assert {question.behavior for question in QUESTIONS} == {
        behavior.name for behavior in dataclasses.fields(Behaviors)
    }


@pytest.mark.parametrize(("behavior", "position"), CHOICES)
@pytest.mark.usefixtures("slow_validation")
def test_probe_one_behavior_detects_its_choice(client: Client, behavior: str, position: str) -> None:
    client.edge.behaviors.set(behavior, position)
    report = run_probe(client, behavior)
    assert report.behaviors == {behavior: position}, report.findings
    assert report.left == []


@pytest.mark.slow
@pytest.mark.parametrize("turn", [0, 1])
@pytest.mark.usefixtures("slow_validation")
def test_probe_all_behaviors_detects_choices_and_restores_account(
    client: Client, before: dict[str, Any], turn: int
) -> None:
    expected = {behavior.name: behavior.metadata["choices"][turn] for behavior in dataclasses.fields(Behaviors)}
    vars(client.edge.behaviors).update(expected)
    client.edge.clear()
    report = run_probe(client)
    assert report.behaviors == expected, report.findings
    assert report.left == []
    assert account_state(client) == before
    assert len([one for one in client.edge.requests() if one["status"] != 429]) <= 250 + 20


def test_probe_all_behaviors_stays_below_rate_limit(client: Client) -> None:
    client.edge.clear()
    without = [behavior.name for behavior in dataclasses.fields(Behaviors) if behavior.name != "code_of_429"]
    report = run_probe(client, *without)
    assert report.requests == len(client.edge.requests()) < 200


@pytest.mark.parametrize(
    "fault",
    [
        {"method": "PUT", "path": "/scripts/", "status": 502, "when": "after"},
        {"method": "PUT", "path": "/scripts/", "status": 0, "when": "after"},
        {"method": "PUT", "path": "/scripts/", "status": 403, "code": 10000},
        {"method": "POST", "path": "/namespaces$", "status": 500, "when": "after", "times": 3},
        {"method": "GET", "path": "/namespaces/tenantry", "status": 503, "times": 9},
        {"method": "DELETE", "path": "/namespaces", "status": 500, "times": 3},
        {"method": "POST", "path": "/routes$", "status": 500, "when": "after"},
        {"method": "PUT", "path": "/scripts/", "status": 429, "code": 971, "headers": {"Retry-After": "7"}},
        {
            "method": "DELETE",
            "path": "/scripts/",
            "status": 429,
            "code": 971,
            "headers": {"Retry-After": "7"},
            "times": 2,
        },
        {"method": "PUT", "path": "/scripts/", "status": 403, "code": 9109},
        {"method": "GET", "path": "/settings", "status": 200},
    ],
)
def test_probe_request_fails_restores_account(client: Client, before: dict[str, Any], fault: dict[str, Any]) -> None:
    client.edge.fault(**fault)
    report = run_probe(
        client, "upload_without_tags", "bindings_after_rename", "delete_response", "route_create_response"
    )
    assert report.left == []
    assert account_state(client) == before
    assert {one.behavior for one in report.findings if not one.choice and not one.evidence} == set()


def test_probe_interrupted_restores_account(client: Client, before: dict[str, Any]) -> None:

    class Interrupted(Api):
        def once(self, *request: Any) -> Any:
            reply = super().once(*request)
            if self.count == 12:
                raise KeyboardInterrupt
            return reply

    zone = {"id": client.edge.zones["example.com"], "name": "example.com"}
    report = probe(
        Interrupted(client.edge.api, client.edge.token, lambda seconds: None), client.edge.account, zone, timeout=0
    )
    assert len(report.findings) == len(QUESTIONS)
    assert "the probe was interrupted" in str(report.findings[-2])
    assert account_state(client) == before


def test_probe_unanswerable_question_reports_evidence(client: Client) -> None:
    client.edge.fault(method="PATCH", path="/namespaces/[^/]+$", status=400)
    client.edge.fault(method="POST", path="/routes$", status=200)
    report = run_probe(client, "namespace_patch", "route_create_response", "status_of_10035")
    evidence = {one.behavior: one.evidence for one in report.findings}
    assert report.behaviors == {}
    assert evidence["namespace_patch"] == "the local edge does not support this behavior yet: 400, code 10002"
    assert evidence["route_create_response"].startswith("the response has an unexpected shape")
    assert evidence["status_of_10035"] == "none of 18 writes, 6 in parallel, conflicted with another"


@pytest.mark.parametrize(
    ("method", "path", "given"),
    [
        ("DELETE", "/namespaces/prod", None),
        ("PUT", "/namespaces/prod/scripts/tenant", None),
        ("PUT", "/namespaces/tenantry-probe-1-1", {"name": "prod"}),
        ("POST", "/namespaces", {"name": "prod"}),
        ("POST", "/namespaces", None),
        ("DELETE", "/namespaces/tenantry-probe-1-1/scripts", None),
        ("DELETE", "/namespaces/tenantry-probe-1-1/scripts?tags=", None),
        ("DELETE", "/namespaces/tenantry-probe-1-1/scripts?tags=a:no", None),
        ("DELETE", "/namespaces/tenantry-probe-1-1/scripts?limit=1", None),
        ("DELETE", "/namespaces/tenantry-probe-1-1/scripts?tags=a:no&limit=1", None),
        ("DELETE", "/namespaces/tenantry-probe-1-1/scripts?tags=&limit=a:yes", None),
        ("PATCH", "/namespaces/prod", {"trusted_workers": True}),
        ("PATCH", "/namespaces/tenantry-probe-1-1", {"name": "prod"}),
        ("DELETE", "/namespaces/tenantry-probe-1-1/../prod", None),
        ("DELETE", "/namespaces", None),
    ],
)
def test_sandbox_write_without_prefix_is_refused(client: Client, method: str, path: str, given: Any) -> None:
    client.edge.clear()
    box = Sandbox(Api(client.edge.api, client.edge.token), client.edge.account, f"{PREFIX}1")
    with pytest.raises(SandboxViolation):
        box.send(method, box.namespaces + path.removeprefix("/namespaces"), given)
    assert client.edge.requests() == []


# -- the command -------------------------------------------------------------------------------------------------------


def run(client: Client, *options: str, **environ: str) -> int:
    parser = argparse.ArgumentParser()
    command.options(parser)
    environment = {"CLOUDFLARE_API_BASE_URL": client.edge.api, "CLOUDFLARE_API_TOKEN": client.edge.token, **environ}
    return command.main(
        parser.parse_args(options), environment, lambda base, token: Api(base, token, lambda seconds: None)
    )


@pytest.mark.parametrize("terminal", [False, True])
def test_command_not_confirmed_sends_no_request(
    client: Client, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    client.edge.clear()
    monkeypatch.setattr("sys.stdin.isatty", lambda: terminal, raising=False)
    monkeypatch.setattr("builtins.input", lambda text: "no")
    for options in ((), ("--clean",)):
        with pytest.raises(ValueError, match="not confirmed" if terminal else "confirm with --yes"):
            run(client, *options)
    assert client.edge.requests() == []


def test_command_confirmation_typed_runs_probe(
    client: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda text: "yes")
    assert run(client, "--question", "last_page_cursor") == 0
    output = capsys.readouterr().out
    assert f"This detects undocumented behavior of {client.edge.api}" in output
    assert "1 of 1 questions answered" in output
    assert client.edge.token not in output


def test_command_write_option_writes_file_that_edge_loads(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "probe" / "behaviors.json"
    client.edge.behaviors.set("last_page_cursor", "null")
    assert (
        run(client, "--yes", "--question", "last_page_cursor", "--question", "code_of_429", "--write", str(file)) == 0
    )
    written = json.loads(file.read_text())
    assert written["behaviors"] == {"last_page_cursor": "null"}
    assert written["unanswered"] == {"code_of_429": "requires --exhaust-budget"}
    client.edge.behaviors.set("delete_response", "empty")
    assert run(client, "--yes", "--zone", "example.com", "--question", "delete_response", "--write", str(file)) == 0
    behaviors = Behaviors()
    behaviors.load(str(file))
    assert (behaviors.last_page_cursor, behaviors.delete_response, behaviors.special_character_tags) == (
        "null",
        "empty",
        "refuse",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "must be a JSON object"),
        ("{", "must be a JSON object"),
        ('{"behaviors": 1}', "must be a JSON object"),
        ('{"nothing": "x"}', "unknown behavior 'nothing'"),
        ('{"special_character_tags": "maybe"}', "one of refuse, refuse_spaces, accept"),
    ],
)
def test_load_invalid_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "file.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        Behaviors().load(str(tmp_path / "file.json"))
    with pytest.raises(ValueError, match="No such file"):
        Behaviors().load(str(tmp_path / "none.json"))


def test_load_yaml_like_values_are_converted_to_text(tmp_path: Path) -> None:
    (tmp_path / "file.json").write_text(
        '{"list_includes_tags": false, "missing_script_response": null, "status_of_10035": 400}'
    )
    behaviors = Behaviors()
    behaviors.load(str(tmp_path / "file.json"))
    assert (behaviors.list_includes_tags, behaviors.missing_script_response, behaviors.status_of_10035) == (
        "no",
        "null",
        "400",
    )


@pytest.mark.parametrize("position", ["cascade", "refuse"])
def test_clean_leftovers_of_earlier_probes_are_deleted(client: Client, before: dict[str, Any], position: str) -> None:
    client.edge.behaviors.set("delete_nonempty_namespace", position)
    client.upload(f"{client.namespace(f'{PREFIX}dead-1')}/{PREFIX}dead-2")
    client.upload(f"/workers/scripts/{PREFIX}dead-3")
    client.call("POST", client.routes, json={"pattern": f"{PREFIX}dead-4.example.com/*"})
    assert run(client, "--yes", "--clean", "--zone", "example.com") == 0
    assert account_state(client) == before


def test_command_invalid_token_or_unknown_zone_is_refused(client: Client) -> None:
    with pytest.raises(ValueError, match="CLOUDFLARE_API_TOKEN is not set"):
        run(client, "--yes", CLOUDFLARE_API_TOKEN="")
    with pytest.raises(ValueError, match="code 9109"):
        run(client, "--yes", CLOUDFLARE_API_TOKEN="wrong")
    with pytest.raises(ValueError, match=r"--zone nowhere\.example: the token has access to 0"):
        run(client, "--yes", "--zone", "nowhere.example")
