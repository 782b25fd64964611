# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No result of a module contains a secret, even if a server returns all of them in every encoding.

Every secret option of every module, at every depth, holds a marker, and so do the credentials. The options are found
in the argument specs. A server that returns what it received is simulated between the module and the local edge.
"""

from __future__ import annotations

import copy
import importlib
import json
import pathlib
import random
import typing as t
from dataclasses import dataclass

import pytest
import requests
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils import _module
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.client import Client
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.resource import Convergible
from harness import Runner
from in_process import ACCOUNT, ZONES
from leaks import find_leaks, header_marker, marker, multiline_marker, token_marker
from local_edge.testing import Edge, running
from test_info import INFOS, create_prerequisites
from test_redaction import WHOLE
from test_resource_laws import CASES, CODE, Options, prepare_case, resource_classes

if t.TYPE_CHECKING:
    from conftest import Count

MODULES = sorted(path.stem for path in (pathlib.Path(_module.__file__).parents[1] / "modules").glob("*.py"))
TOKEN = token_marker(1)
FINGERPRINT_KEY = marker(2)
SEED, SAMPLE = 14, 120
Spec = t.Mapping[str, t.Any]
ENCODERS: dict[str, t.Callable[[str], str]] = {
    **WHOLE,
    "line by line": lambda text: "\n".join(f"> {line}" for line in text.splitlines()),
    "cut": lambda text: f"{text[:15]}...",
    "cut JSON": lambda text: f"{json.dumps(text)[:15]}…",
}


@pytest.fixture(scope="session")
def control_plane() -> t.Iterator[Edge]:
    with running(token=TOKEN, accounts=[ACCOUNT], zones=ZONES) as edge:
        yield edge


@pytest.fixture(autouse=True)
def _credentials(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", TOKEN)
    monkeypatch.setenv("CLOUDFLARE_FINGERPRINT_KEY", FINGERPRINT_KEY)


# -- the server that returns secrets -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Echo:
    """The place of a response that contains the secrets: a status, a header, and a body made of the text."""

    status: int
    header: str = ""
    content_type: str = "application/json"
    body: t.Callable[[str], t.Any] = lambda text: {"success": False, "errors": [{"code": 10021, "message": text}]}


ECHOES = {
    "message": Echo(400),
    "cause": Echo(
        403, body=lambda text: {"success": False, "errors": [{"message": "x", "error_chain": [{"message": text}]}]}
    ),
    "malformed errors": Echo(400, body=lambda text: {"success": False, "errors": [text, {"message": {"text": text}}]}),
    "page of a server error": Echo(502, content_type="text/html", body=lambda text: f"<p>{text}</p>"),
    "reason": Echo(500, "reason", "text/plain", str),
    "ray": Echo(400, "CF-Ray"),
    "location": Echo(301, "Location", "text/plain", str),
    "malformed result": Echo(200, body=lambda text: {"success": True, "result": {text: text}, "messages": [text]}),
    "list": Echo(200, body=lambda text: {"success": True, "result": [{"id": text, "name": text, "title": text}, text]}),
}


class EchoingServer:
    """Replaces the responses to writes, or to all requests, by those of ``echo`` with all secrets in an encoding."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.echo: Echo | None = None
        self.text, self.writes_only = "", False
        send = Client._send

        def send_or_echo(client: Client, method: str, path: str, kwargs: t.Any) -> requests.Response:
            response = send(client, method, path, kwargs)
            return self.replace(response) if self.echo and (method != "GET" or not self.writes_only) else response

        monkeypatch.setattr(Client, "_send", send_or_echo)

    def replace(self, response: requests.Response) -> requests.Response:
        assert self.echo
        body = self.echo.body(self.text)
        response.status_code, response.reason = self.echo.status, "Some Reason"
        response._content = (body if isinstance(body, str) else json.dumps(body)).encode()
        response.headers["Content-Type"] = self.echo.content_type
        if self.echo.header == "reason":
            response.reason = self.text
        elif self.echo.header:
            response.headers[self.echo.header] = self.text
        return response


@pytest.fixture
def server(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> EchoingServer:
    return EchoingServer(monkeypatch)


# -- options with markers ----------------------------------------------------------------------------------------------


def spec_of(name: str) -> Spec:
    kinds = resource_classes(Convergible)
    importlib.import_module(f"{_module.__name__.rpartition('.')[0]}._resources.{name}".replace("_info", ""))
    return {**kinds[name].spec(), **_module.AUTH}


def secret_paths(spec: Spec, path: tuple[str, ...] = ()) -> t.Iterator[tuple[tuple[str, ...], str]]:
    """Yield the path and the type of each secret option of a module."""
    for name, option in spec.items():
        if option.get("no_log"):
            yield (*path, name), option["type"]
        yield from secret_paths(option.get("options") or {}, (*path, name))


@dataclass
class Marked:
    """The options of a module with markers in all of its secret options, and the markers."""

    options: Options
    markers: list[str]


def put(options: t.Any, path: tuple[str, ...], value: t.Any) -> None:
    """Set the value at a path, in every element of the lists on the way."""
    for container in options if isinstance(options, list) else [options]:
        if len(path) == 1:
            container[path[0]] = copy.deepcopy(value)
        elif path[0] in container:
            put(container[path[0]], path[1:], value)


def marked_options(name: str, options: Options) -> Marked:
    """Return the options with valid markers. Credentials stay in the environment."""
    marked = Marked(copy.deepcopy(options), [TOKEN, FINGERPRINT_KEY])
    for number, (path, kind) in enumerate(secret_paths(spec_of(name)), 10):
        if path[0] in _module.AUTH:
            continue
        value: t.Any = marker(number)
        if kind == "dict":
            value = {"KEY": marker(number), "LINES": multiline_marker(number)}
            marked.markers.append(value["LINES"])
        put(marked.options, path, {"a": value} if path[-1] == "secrets_by_worker" else value)
        marked.markers.append(marker(number))
    return marked


def create_options(name: str) -> Options:
    if name == "api":
        header, body = header_marker(3), {"name": "K", "type": "secret_text", "text": marker(4)}
        return {"path": "/accounts", "method": "POST", "headers": {"X-Auth-Other": header}, "body": body}
    if name in INFOS:
        return {**INFOS[name].scope, **INFOS[name].full_detail}
    return CASES[name].create


def prepare(run: Runner, name: str) -> None:
    if name in INFOS:
        create_prerequisites(run, INFOS[name])
    elif name in CASES:
        prepare_case(run, name)


def all_texts(result: t.Any) -> str:
    """Return the result as JSON, and its texts as they are."""

    def texts(value: t.Any) -> t.Iterator[str]:
        for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from texts(item)
        if isinstance(value, (str, int, float)):
            yield str(value)

    return json.dumps(result) + "\n" + "\n".join(texts(result))


# -- tests -------------------------------------------------------------------------------------------------------------


def rows(module: str) -> list[tuple[str, str, str, bool]]:
    """Return every place with every encoding, by turns for all responses and for those to writes."""
    places = [(place, encoder) for place in ECHOES for encoder in ENCODERS]
    has_writes = not module.endswith("_info")
    return [(module, place, encoder, has_writes and number % 2 == 1) for number, (place, encoder) in enumerate(places)]


ALL_ROWS = [row for module in MODULES for row in rows(module)]


def run_rows(run: Runner, edge: Edge, server: EchoingServer, rows: t.Iterable[tuple[str, str, str, bool]]) -> int:
    """Run a module once per row. Return the number of rows."""
    tried, prepared = 0, ""
    for module, place, encoder, writes_only in rows:
        server.echo = None
        if module != prepared:
            edge.reset()
            prepare(run, module)
            prepared, before = module, edge.snapshot()
        edge.restore(before)
        marked = marked_options(module, create_options(module))
        if module == "api":
            marked.markers += [header_marker(3), marker(4)]
        server.text = " ".join(map(ENCODERS[encoder], marked.markers))
        server.echo, server.writes_only = ECHOES[place], writes_only
        result = run(module, check=tried % 3 == 2, **marked.options)
        leaks = find_leaks(all_texts(result), marked.markers)
        assert not leaks, f"{module}, {place}, {encoder}: {leaks[:3]} in {json.dumps(result)[:3000]}"
        assert "This is a bug" not in result.get("msg", ""), result
        tried += 1
    return tried


def test_echoed_secrets_sample_appear_in_no_result(
    run: Runner, edge: Edge, server: EchoingServer, count: Count
) -> None:
    sample = sorted(random.Random(SEED).sample(ALL_ROWS, SAMPLE))
    count("secrets", "responses that contain all secrets, encoded", tried=run_rows(run, edge, server, sample), leaks=0)


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_echoed_secrets_appear_in_no_result(
    run: Runner, edge: Edge, server: EchoingServer, count: Count, module: str
) -> None:
    tried = run_rows(run, edge, server, rows(module))
    count("secrets", "responses that contain all secrets, encoded", tried=tried, leaks=0)


def test_marked_options_cover_every_secret_option() -> None:
    covered = {name: [path for path, _kind in secret_paths(spec_of(name))] for name in MODULES}
    assert all(("api_token",) in paths and ("api_key",) in paths for paths in covered.values())
    assert ("workers", "secrets") in covered["namespaced_workers"]
    assert find_leaks(json.dumps(marked_options("worker", CASES["worker"].create).options), [marker(10)])


WRONG: dict[str, t.Callable[[str], t.Any]] = {
    "text": str,
    "list": lambda secret: [secret],
    "list of lists": lambda secret: [[secret, {"KEY": [secret]}]],
    "dictionary": lambda secret: {"KEY": {"inner": secret}},
    "list of dictionaries": lambda secret: [{"KEY": secret}],
    "JSON": lambda secret: json.dumps({"KEY": secret}),
    "broken JSON": lambda secret: json.dumps({"KEY": secret})[:-1],
    "pairs": lambda secret: f"KEY={secret} OTHER",
    "key of a dictionary": lambda secret: {secret: "x"},
}


@pytest.mark.parametrize("module", MODULES)
def test_invalid_secrets_appear_in_no_result(run: Runner, edge: Edge, count: Count, module: str) -> None:
    edge.reset()
    prepare(run, module)
    before, tried = edge.snapshot(), 0
    for path, kind in secret_paths(spec_of(module)):
        for name, wrong in WRONG.items():
            if name == "key of a dictionary" and kind == "dict":
                continue  # the name of a secret is shown
            edge.restore(before)
            options = copy.deepcopy(create_options(module))
            put(options, path, wrong(marker(5)))
            result = run(module, check=True, **options)
            leaks = find_leaks(all_texts(result), [marker(5)])
            assert not leaks, f"{path}, {name}: {leaks[:3]} in {json.dumps(result)[:3000]}"
            tried += 1
    count("secrets", "secret options of wrong types", tried=tried, leaks=0)


def test_secret_bindings_appear_in_no_result(run: Runner, edge: Edge, count: Count) -> None:
    binding = {"name": "KEY", "type": "secret_text", "text": marker(6)}
    worker = {"name": "a", "content": CODE, "compatibility_date": "2026-11-01", "bindings": [binding]}
    fleet = {"dispatch_namespace": "tenants", "workers": [{"name": "a", "content": CODE}]}
    for module, options in (
        ("worker", worker),
        ("worker", {**worker, "bindings": json.dumps([binding])}),
        ("worker", {**worker, "bindings": binding}),
        ("worker", {**worker, "bindings": None, "upload_metadata": {"bindings": [binding]}}),
        ("namespaced_worker", {**worker, "dispatch_namespace": "tenants"}),
        ("namespaced_workers", {**fleet, "defaults": {"bindings": [binding]}}),
        ("namespaced_workers", {**fleet, "workers": [worker]}),
        ("namespaced_workers", {**fleet, "workers": [[worker]]}),
        ("namespaced_workers", {**fleet, "workers": [json.dumps(worker)]}),
    ):
        result = run(module, **options)
        assert result["failed"] and not find_leaks(all_texts(result), [marker(6)]), (module, result)
        count("secrets", "refused secret bindings", tried=1, leaks=0)
