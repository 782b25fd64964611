# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Odd answers to every request of every module: other JSON, other bytes, other statuses and other headers.

The run ends with a message or with a result, and never in an exception or in one that this collection calls a bug. The
next run, with the real answers, converges, and a further one finds nothing to do. The cases are those of the laws of
resources and of info modules, so that each endpoint of the table of shapes that they use is answered oddly.
"""

from __future__ import annotations

import copy
import json
import typing as t
from dataclasses import dataclass

import pytest
import requests
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare import shapes
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.client import Client
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.rate_limiter import RateLimiter
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine import converge
from concurrency import Clock
from conftest import Count
from harness import Runner
from hypothesis import given
from hypothesis import strategies as st
from local_edge.testing import Edge
from odd_values import ANYTHING, ODD_TEXTS, tries
from requests.structures import CaseInsensitiveDict
from test_inputs import check_texts
from test_thin_answers import SCENARIOS, Scenario, is_verified

SAMPLE, ALL = 3, 20  # examples for each scenario
MAX_REQUESTS = 300  # of one run; more is an endless loop
STATUSES = (
    200,
    201,
    202,
    204,
    206,
    301,
    304,
    307,
    400,
    401,
    403,
    404,
    405,
    408,
    409,
    412,
    413,
    429,
    500,
    502,
    503,
    520,
)
NOT_LATIN = [text for text in ODD_TEXTS if text.isascii() and text.isprintable()]
HEADERS: st.SearchStrategy[dict[str, str]] = st.fixed_dictionaries(
    {},
    optional={
        "Content-Type": st.sampled_from(
            ["application/json", "text/html", "text/plain", "multipart/form-data", "", "json"]
        ),
        "Content-Encoding": st.sampled_from(["gzip", "br", "x"]),
        "Retry-After": st.sampled_from(["0", "-1", "999999", "soon", "1e9", "nan", "Wed, 21 Oct 2015 07:28:00 GMT"]),
        "Ratelimit": st.sampled_from(['"default";r=0;t=999999', '"default";r=-1;t=x', ";;=", "r=1", '"a";r=1e9;t=nan']),
        "Ratelimit-Policy": st.sampled_from(['"default";q=1;w=1', '"default";q=0;w=0', '"x";q=nan']),
        "Date": st.sampled_from(["never", "Wed, 21 Oct 9999 07:28:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "0"]),
        "Location": st.sampled_from(["/", "http://127.0.0.1:1/", "", "x" * 5000]),
        "CF-Ray": st.sampled_from(NOT_LATIN),
        "cf-entrypoint": st.sampled_from(NOT_LATIN),
    },
)
ERRORS = st.one_of(
    ANYTHING,
    st.lists(st.fixed_dictionaries({}, optional={"code": ANYTHING, "message": ANYTHING, "error_chain": ANYTHING})),
)


def dump(value: t.Any) -> bytes:
    return json.dumps(value).encode()


ENVELOPES = st.fixed_dictionaries(
    {"success": st.one_of(st.booleans(), ANYTHING), "result": ANYTHING},
    optional={"errors": ERRORS, "messages": ANYTHING, "result_info": ANYTHING},
)
BODIES = st.one_of(
    ENVELOPES.map(dump),
    ANYTHING.map(dump),
    st.binary(max_size=40),
    st.sampled_from([b"", b"<html>", b"{", b"[" * 100_000, b"\xff\xfe", b"null", b'{"success": true}', b"NaN", b"\0"]),
)


@dataclass(frozen=True)
class OddAnswer:
    """An answer to the request with this number. The real one may have been carried out before."""

    number: int
    is_sent: bool
    status: int | None
    headers: dict[str, str]
    body: bytes | None
    replacement: tuple[int, t.Any] | None
    """The number of a value in the JSON of the real answer, and another value."""

    def apply(self, real: requests.Response) -> requests.Response:
        odd = requests.Response()
        odd.url, odd.request = real.url, real.request
        odd.status_code = self.status or real.status_code
        odd.headers = CaseInsensitiveDict({**real.headers, **self.headers})
        odd._content = self.body if self.body is not None else self._replace(real.content)
        return odd

    def _replace(self, content: bytes) -> bytes:
        if self.replacement is None:
            return content
        try:
            value = json.loads(content)
        except ValueError:
            return content[: len(content) // 2]
        number, other = self.replacement
        slots = [(value, key) for key in value] if isinstance(value, dict) else []
        for container, key in slots:  # grows
            inner = container[key]
            slots += (
                [(inner, each) for each in (inner if isinstance(inner, dict) else range(len(inner)))]
                if isinstance(inner, (dict, list))
                else []
            )
        if slots:
            container, key = slots[number % len(slots)]
            container[key] = other
        return dump(value)


def odd_answers(count: int) -> st.SearchStrategy[OddAnswer]:
    """Return odd answers to one of so many requests."""
    return st.builds(
        OddAnswer,
        number=st.integers(0, count - 1),
        is_sent=st.booleans(),
        status=st.none() | st.sampled_from(STATUSES),
        headers=st.just({}) | HEADERS,
        body=st.none() | BODIES,
        replacement=st.none() | st.tuples(st.integers(0, 60), ANYTHING),
    )


class Server:
    """Counts the requests of a run, and answers one of them oddly."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.answer: OddAnswer | None = None
        self.endpoints: set[str] = set()
        clock, send = Clock(), Client._send

        def answer_oddly(client: Client, method: str, path: str, kwargs: t.Any) -> requests.Response:
            number, self.count = self.count, self.count + 1
            assert self.count < MAX_REQUESTS, "endless"
            if self.answer is None or number != self.answer.number:
                return send(client, method, path, kwargs)
            self.endpoints.add(str(shapes.find(method, path)))
            real = send(client, method, path, kwargs) if self.answer.is_sent else missing_answer(client.url + path)
            return self.answer.apply(real)

        monkeypatch.setattr(Client, "_send", answer_oddly)
        monkeypatch.setattr(converge, "VERIFY_TIMEOUT", 0.0)

        def limiter(*_arguments: t.Any) -> RateLimiter:
            """Wait without taking time, and without sharing the wait with the next run."""
            return RateLimiter({}, clock=clock, sleep=clock.sleep)

        monkeypatch.setattr(RateLimiter, "for_credentials", limiter)

    def start(self, answer: OddAnswer | None) -> None:
        self.count, self.answer = 0, answer


def missing_answer(url: str) -> requests.Response:
    response = requests.Response()
    response.url, response.status_code, response._content = url, 200, dump({"success": True, "result": None})
    response.headers["Content-Type"] = "application/json"
    return response


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    return Server(monkeypatch)


def try_odd_answers(run: Runner, edge: Edge, server: Server, scenario: Scenario, examples: int, count: Count) -> None:
    options = scenario.prepare(run)
    before = edge.snapshot()
    server.start(None)
    run.ok(scenario.module, **copy.deepcopy(options))
    requests_sent, failed = server.count, 0

    @tries(examples)
    @given(odd_answers(requests_sent))
    def survives(answer: OddAnswer) -> None:
        nonlocal failed
        edge.restore(before)
        server.start(answer)
        result = run(scenario.module, **copy.deepcopy(options))
        check_texts(result)
        failed += bool(result.get("failed"))
        server.start(None)
        following = run(scenario.module, **copy.deepcopy(options))
        assert not following.get("failed"), following["msg"]
        if is_verified(scenario.module):
            assert not run.ok(scenario.module, check=True, **copy.deepcopy(options))["changed"]

    survives()
    count("answers", scenario.module, tried=examples, failed_with_a_message=failed, lost=0, tracebacks=0)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_module_survives_some_odd_answers(
    run: Runner, edge: Edge, server: Server, scenario: Scenario, count: Count
) -> None:
    try_odd_answers(run, edge, server, scenario, SAMPLE, count)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_module_survives_odd_answers(run: Runner, edge: Edge, server: Server, scenario: Scenario, count: Count) -> None:
    try_odd_answers(run, edge, server, scenario, ALL, count)
