# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rate limiter of a whole machine: arithmetic with a fake clock, the file with real threads and processes."""

from __future__ import annotations

import collections
import heapq
import itertools
import math
import os
import pathlib
import random
import stat
import time
import typing as t

import pytest
import requests
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare import locked_file
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare import (
    rate_limiter as rate_limiter_module,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.client import Client
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.credentials import Credentials
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.errors import ConnectError
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.locked_file import LockedFile
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.network_errors import TIMEOUT
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.rate_limit_state import (
    DEFAULT_LIMIT,
    IN_FLIGHT_TIMEOUT,
    InFlightRequest,
    RateLimit,
    RateLimitState,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.rate_limiter import (
    DEFAULT_LIMITS,
    RateLimiter,
    is_alive,
)
from concurrency import Clock, run_in_threads
from local_edge.testing import Edge, running

# -- arithmetic, against servers that count in different ways ------------------------------------------------------


class Server:
    """Counts requests in one of the ways of a server: ``style`` is exactly, by the second, or windows."""

    def __init__(self, style: str, limit: RateLimit, sends_headers: bool = True) -> None:
        self.style, self.limit, self.sends_headers = style, limit, sends_headers
        self.counted: list[float] = []
        self.refused = 0

    def expiry(self, moment: float) -> float:
        """Return the time at which a request that was counted at this moment stops counting."""
        match self.style:
            case "by the second":
                return math.floor(moment) + self.limit.window
            case "windows":
                return (moment // self.limit.window + 1) * self.limit.window
        return moment + self.limit.window

    def answer(self, now: float) -> tuple[int, dict[str, str]]:
        spent = sorted(self.expiry(moment) for moment in self.counted if self.expiry(moment) > now)
        granted = len(spent) < self.limit.quota
        if granted:
            self.counted.append(now)
            spent.append(self.expiry(now))
        else:
            self.refused += 1
        wait = math.ceil(spent[0] - now)
        headers = {} if granted else {"Retry-After": str(wait)}
        if self.sends_headers:
            headers["Ratelimit"] = f'"default";r={self.limit.quota - len(spent)};t={wait}'
            headers["Ratelimit-Policy"] = f'"default";q={self.limit.quota};w={self.limit.window}'
        return (200 if granted else 429), headers


def simulate(server: Server, count: int, threads: int, latency: float, generator: random.Random) -> float:
    """Send requests from threads, and return the seconds. The server may count one at any time of its flight."""
    begin = 1_700_000_000.0 + generator.random()
    assumed = DEFAULT_LIMITS if server.sends_headers else {"default": server.limit}
    state = RateLimitState(assumed, assumed)
    order, events, now = itertools.count(), list[t.Any](), begin
    for _thread in range(threads):
        heapq.heappush(events, (begin, next(order), "request", ()))
    while events:
        now, _order, event, details = heapq.heappop(events)
        state = RateLimitState.load(state.dump(), state.assumed)
        state.advance(now, lambda _process: True)
        if event == "count":
            flight, landing = details
            heapq.heappush(events, (landing, next(order), "finish", (flight, *server.answer(now))))
        elif event == "finish":
            state.finish(details[0], now, *details[1:])
            heapq.heappush(events, (now, next(order), "request", ()))
        elif count and (delay := state.delay(now)):
            heapq.heappush(events, (now + delay, next(order), "request", ()))
        elif count:
            count -= 1
            landing = now + latency * generator.uniform(0.5, 1.5)
            heapq.heappush(
                events, (generator.uniform(now, landing), next(order), "count", (state.start(now, 1), landing))
            )
    return now - begin


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("threads", [1, 8, 16])
@pytest.mark.parametrize(
    ("style", "sends_headers"), [("exactly", True), ("exactly", False), ("by the second", True), ("windows", True)]
)
def test_rate_limit_state_simulated_requests_use_full_quota(
    style: str, sends_headers: bool, threads: int, seed: int
) -> None:
    server, generator = Server(style, RateLimit(40, 10), sends_headers), random.Random(seed)
    took = simulate(server, 120, threads, 0.02, generator)
    assert not server.refused
    sent = sorted(server.counted)
    assert all(later - earlier >= 10 for earlier, later in zip(sent, sent[40:], strict=False)), (
        "no window ever holds more than the quota"
    )
    assert took < 20 + 120 * 0.02 / threads + (2 if sends_headers else 0.2), "plus the server's rounding"


@pytest.mark.parametrize("style", ["exactly", "by the second", "windows"])
@pytest.mark.parametrize("seed", range(4))
def test_rate_limit_state_external_requests_reduce_quota(style: str, seed: int) -> None:
    server, generator = Server(style, RateLimit(40, 10)), random.Random(seed)
    server.counted = [1_700_000_000.0 - generator.uniform(0, 9) for _request in range(30)]
    external = set(server.counted)
    assert simulate(server, 60, 16, 0.1, generator) < 25
    assert not server.refused
    assert len(server.counted) == 60 + len(external)


def finish_request(state: RateLimitState, now: float, status: int = 200, **headers: str) -> None:
    state.finish(state.start(now, 1), now, status, {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("headers", "limits", "left", "delay"),
    [
        ({}, DEFAULT_LIMITS, 1199, 0),
        ({"Ratelimit": '"default";r=50;t=30'}, DEFAULT_LIMITS, 50, 0),
        ({"Ratelimit": '"default";r=0;t=30'}, DEFAULT_LIMITS, 0, 31),
        ({"Ratelimit": '"default";r=0'}, DEFAULT_LIMITS, 0, 301),
        ({"Ratelimit": '"a";r=9;t=8, "b" ; t=7 ; r=0'}, {"a": DEFAULT_LIMIT, "b": DEFAULT_LIMIT}, 0, 8),
        ({"Ratelimit": '"a";r=0;t=8, "b";r=0;t=9'}, {"a": DEFAULT_LIMIT, "b": DEFAULT_LIMIT}, 0, 10),
        (
            {"Ratelimit_Policy": '"burst";q=100;w=60, "default";q=40;w=10'},
            {"burst": RateLimit(100, 60), "default": RateLimit(40, 10)},
            39,
            0,
        ),
        (
            {"Ratelimit_Policy": '"burst";q=1;w=60', "Ratelimit": '"default";r=5;t=9'},
            {"burst": RateLimit(1, 60), "default": DEFAULT_LIMIT},
            0,
            60,
        ),
        ({"Ratelimit": f'"default";r=0;t={"9" * 5000}'}, DEFAULT_LIMITS, 0, 301),
        ({"Ratelimit": "nonsense", "Ratelimit_Policy": '"x";q=0;w=0, ;;, "y";q=5'}, DEFAULT_LIMITS, 1199, 0),
    ],
)
def test_rate_limit_state_headers_set_limits_and_delay(
    headers: dict[str, str], limits: dict[str, RateLimit], left: int, delay: float
) -> None:
    state = RateLimitState(DEFAULT_LIMITS, DEFAULT_LIMITS)
    finish_request(state, 1000, **headers)
    assert (state.limits, state.remaining(1000), state.delay(1000)) == (limits, left, delay)


def test_rate_limit_state_late_response_is_ignored() -> None:
    state = RateLimitState(DEFAULT_LIMITS, DEFAULT_LIMITS)
    early, late = state.start(1000, 1), state.start(1001, 1)
    state.finish(late, 1002, 200, {"Ratelimit": '"default";r=0;t=30'})
    state.finish(early, 1003, 200, {"Ratelimit": '"default";r=7;t=30'})
    assert state.delay(1003) == 30


def test_rate_limit_state_in_flight_requests_reduce_remaining() -> None:
    state = RateLimitState(DEFAULT_LIMITS, DEFAULT_LIMITS)
    finish_request(state, 1000, Ratelimit='"default";r=100;t=30')
    one, _other = state.start(1000, 1), state.start(1000, 1)
    state.finish(one, 1001, 200, {"Ratelimit": '"default";r=2;t=30'})
    assert state.remaining(1001) == 1
    state.start(1001, 1)
    assert 0 < state.delay(1001) < 1, "until one of the two is answered"


def test_rate_limit_state_before_first_response_allows_one_request() -> None:
    state = RateLimitState(DEFAULT_LIMITS, DEFAULT_LIMITS)
    first = state.start(1000, 1)
    assert state.delay(1000) > 0
    state.finish(first, 1001, 200, {})
    state.start(1001, 1)
    assert state.delay(1001) == 0
    assert state.delay(1100) > 0, "nor later, when other clients may have used it"


def test_rate_limit_state_refusal_overrides_other_responses() -> None:
    state = RateLimitState(DEFAULT_LIMITS, DEFAULT_LIMITS)
    finish_request(state, 1000, Ratelimit='"default";r=100;t=30')
    refused, granted = state.start(1000, 1), state.start(1000, 1)
    state.finish(refused, 1001, 429, {"Retry-After": "60"})
    state.finish(granted, 1002, 200, {"Ratelimit": '"default";r=99;t=30'})
    assert state.delay(1002) == 59
    state.start(1061, 1)
    assert 0 < state.delay(1061) < 1, "then one request is allowed"


def test_rate_limit_state_without_headers_drops_limits() -> None:
    state = RateLimitState({}, {})
    finish_request(state, 1000, Ratelimit='"default";r=1;t=10', Ratelimit_Policy='"default";q=2;w=10')
    finish_request(state, 1001)
    assert state.limits == {"default": RateLimit(2, 10)}
    finish_request(state, 1060)
    assert state.limits == {} and state.remaining(1060) is None and state.delay(1060) == 0


def test_rate_limit_state_dead_process_is_not_awaited() -> None:
    assert sum(TIMEOUT) < IN_FLIGHT_TIMEOUT
    state = RateLimitState(DEFAULT_LIMITS, DEFAULT_LIMITS)
    flight = state.start(1000, 7)
    state.advance(1000 + IN_FLIGHT_TIMEOUT, lambda process: process == 7)
    assert state.delay(1000 + IN_FLIGHT_TIMEOUT) > 0
    state.advance(1000 + IN_FLIGHT_TIMEOUT, lambda process: process != 7)
    assert state.delay(1000 + IN_FLIGHT_TIMEOUT) == 0 and state.remaining(1000 + IN_FLIGHT_TIMEOUT) == 1199
    state.finish(flight, 2000, 200, {"Ratelimit": '"default";r=0;t=30'})
    assert state.delay(2000) == 0, "a late response is ignored"


def test_rate_limit_state_future_times_are_clamped() -> None:
    state = RateLimitState(DEFAULT_LIMITS, {"default": RateLimit(3, 10)})
    for _request in range(3):
        finish_request(state, 5000)
    flight = state.start(5000, 1)
    finish_request(state, 5000, 429, Retry_After="60")
    state.advance(1000, lambda _process: True)
    assert list(state.log) == [1000] * 4 and state.report.reset == 1060
    state.finish(flight, 1000, 200, {})
    assert state.delay(1000) == 60


# -- the rate limiter ----------------------------------------------------------------------------------------------


def test_rate_limiter_wait_is_reported_and_counted_once(clock: Clock) -> None:
    rate_limiter, waits = RateLimiter({"default": RateLimit(2, 10)}, clock=clock, sleep=clock.sleep), list[float]()
    rate_limiter.on_wait = waits.append
    for _request in range(3):
        rate_limiter.release(rate_limiter.acquire(), 200)
    assert clock.slept == waits == [10.0] and rate_limiter.waited == 10.0
    shared_limiter = RateLimiter(DEFAULT_LIMITS, clock=clock, sleep=lambda seconds: None)
    for seconds in (10, 10, 4, 12, 0.5):
        shared_limiter.sleep(seconds)
    assert shared_limiter.waited == 12.0, "overlapping sleeps count once"


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (429, {"Retry-After": "999999"}),
        (429, {"Ratelimit": '"default";r=0;t=999999'}),
        (200, {"Ratelimit": '"default";r=0;t=999999', "Ratelimit-Policy": '"default";q=1;w=999999'}),
    ],
    ids=["Retry-After", "reset", "window"],
)
def test_rate_limiter_absurd_header_delays_for_five_minutes_at_most(
    clock: Clock, status: int, headers: dict[str, str]
) -> None:
    rate_limiter = RateLimiter(DEFAULT_LIMITS, clock=clock, sleep=clock.sleep)
    rate_limiter.release(rate_limiter.acquire(), status, headers)
    rate_limiter.acquire()
    assert 300 <= sum(clock.slept) <= 301


def test_rate_limiter_long_wait_raises(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limiter_module, "MAX_WAIT", 299)
    rate_limiter = RateLimiter(DEFAULT_LIMITS, LockedFile("a name"), clock=clock, sleep=clock.sleep)
    rate_limiter.release(rate_limiter.acquire(), 429, {"Retry-After": "7200"})
    with pytest.raises(ConnectError, match=r"Run again in 300 s\. If .* delete (.*)\.$") as error:
        rate_limiter.acquire()
    assert not clock.slept
    os.remove(str(error.value).rpartition("delete ")[2].removesuffix("."))
    rate_limiter.acquire()
    assert not clock.slept


@pytest.mark.parametrize(
    ("url", "limited"),
    [
        ("https://api.cloudflare.com/client/v4", True),
        ("http://127.0.0.1:8788/client/v4", False),
        ("http://localhost:8788/client/v4", False),
        ("http://api.localhost/client/v4", False),
        ("http://[::1]:8788/client/v4", False),
        ("https://127.0.0.1.example.com/client/v4", True),
        ("https://localhost.example.com", True),
    ],
)
def test_rate_limiter_default_limit_applies_to_remote_hosts_only(url: str, limited: bool) -> None:
    assert RateLimiter.for_credentials(url, "digest").remaining() == (1200 if limited else None)


def make_client(edge: Edge) -> Client:
    return Client(Credentials.resolve(edge.token, None, None, {}), url=edge.api)


def count_statuses(edge: Edge) -> dict[int, int]:
    return dict(collections.Counter(seen["status"] for seen in edge.requests()))


def run_in_processes(count: int, call: t.Callable[[], t.Any]) -> None:
    """Call a function in ``count`` processes at once, and assert that all succeed."""
    children = []
    for _child in range(count):
        children.append(os.fork())
        if not children[-1]:
            try:
                call()
            except BaseException:
                os._exit(1)
            os._exit(0)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * count


@pytest.mark.slow
def test_rate_limiter_threads_and_processes_share_limit() -> None:
    with running(rate_limit="40/1", latency_ms=5) as edge:
        begin = time.monotonic()
        run_in_processes(
            3,
            lambda: run_in_threads(
                4, lambda _number: [make_client(edge).call("GET", "/accounts") for _request in range(10)]
            ),
        )
        took = time.monotonic() - begin
        assert count_statuses(edge) == {200: 120}
        assert took >= 2, "two windows"


@pytest.mark.slow
def test_rate_limiter_external_requests_do_not_exceed_limit() -> None:
    with running(rate_limit="30/1", latency_ms=5) as edge:
        for _request in range(25):
            requests.get(f"{edge.api}/accounts", headers={"Authorization": f"Bearer {edge.token}"}, timeout=10)
        client = make_client(edge)
        run_in_threads(8, lambda _number: client.call("GET", "/accounts"))
        assert count_statuses(edge) == {200: 33}


@pytest.mark.slow
def test_rate_limiter_refusal_delays_all_processes() -> None:
    with running(token="another-token-0123456789abcdefghijklmnop") as edge:
        run_in_processes(
            1,
            lambda: make_client(edge).rate_limiter.release(
                make_client(edge).rate_limiter.acquire(), 429, {"Retry-After": "1"}
            ),
        )
        begin = time.monotonic()
        run_in_threads(4, lambda _number: make_client(edge).call("GET", "/accounts"))
        assert time.monotonic() - begin > 0.9


def test_rate_limiter_local_edge_without_limit_never_waits(edge: Edge) -> None:
    client = make_client(edge)
    for _request in range(DEFAULT_LIMIT.quota + 1):
        client.rate_limiter.release(client.rate_limiter.acquire(), 200)
    assert client.rate_limiter.waited == 0 and client.rate_limiter.remaining() is None


def test_rate_limiter_lost_response_is_counted_without_wait() -> None:
    with running(rate_limit="5/60") as edge:
        edge.fault(method="GET", path=".*", status=0, times=1)
        client = make_client(edge)
        client.call("GET", "/accounts")
        assert client.rate_limiter.remaining() == 3 and client.rate_limiter.waited < 1


def test_rate_limiter_killed_process_delays_no_other() -> None:
    run_in_processes(1, lambda: RateLimiter.for_credentials("https://killed.example.com", "x").acquire())
    rate_limiter = RateLimiter.for_credentials("https://killed.example.com", "x")
    rate_limiter.acquire()
    assert rate_limiter.waited == 0 and rate_limiter.remaining() == 1198 and is_alive(os.getpid())


# -- the file ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def machine_root(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A separate machine with only the directories run, home and tmp."""
    for name in ("run", "home", "tmp"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(locked_file.tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    return tmp_path


def permissions(path: pathlib.Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_rate_limit_file_is_private_and_anonymous(machine_root: pathlib.Path) -> None:
    client = Client(Credentials.resolve("token-0123456789", None, None, {}), url="https://api.example.com")
    client.rate_limiter.acquire()
    (file,) = (machine_root / "run" / "tenantry" / "budgets").iterdir()
    assert (permissions(file), permissions(file.parent)) == (0o600, 0o700)
    stored = file.name.encode() + file.read_bytes()
    assert b"0123456789" not in stored and b"example" not in stored and client.credentials.digest.encode() not in stored


def test_private_cache_dir_unusable_falls_back_in_order(
    machine_root: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, temporary = machine_root / "home/.cache/tenantry/budgets", machine_root / f"tmp/tenantry-{os.getuid()}"
    (machine_root / "elsewhere").mkdir()
    (machine_root / "run/tenantry").mkdir()
    (machine_root / "run/tenantry/budgets").symlink_to(machine_root / "elsewhere")
    assert locked_file.private_cache_dir() == str(home), "a link is not followed"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert locked_file.private_cache_dir() == str(home)
    monkeypatch.setenv("HOME", "relative")
    assert locked_file.private_cache_dir() == str(temporary)
    assert permissions(temporary) == 0o700
    temporary.chmod(0o777)
    assert locked_file.private_cache_dir() == str(temporary) and permissions(temporary) == 0o700
    monkeypatch.setattr(os, "getuid", lambda: temporary.stat().st_uid + 1)
    monkeypatch.setattr(locked_file.tempfile, "gettempdir", lambda: str(machine_root))
    (machine_root / f"tenantry-{os.getuid()}").mkdir()
    assert locked_file.private_cache_dir() is None, "a directory of another user is not used"


def test_rate_limiter_without_cache_dir_counts_alone(
    machine_root: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine_root / "run/tenantry").write_text("in the way")
    (machine_root / "home/.cache").write_text("in the way")
    monkeypatch.setattr(
        locked_file.tempfile,
        "gettempdir",
        lambda: str(machine_root / "nowhere/at/all" if os.getuid() else "/proc/none"),
    )
    rate_limiter = RateLimiter.for_credentials("https://api.example.com", "x")
    rate_limiter.acquire()
    assert (
        rate_limiter.remaining() == 1199
        and RateLimiter.for_credentials("https://api.example.com", "x").remaining() == 1200
    )


@pytest.mark.parametrize("call", ["open", "flock"])
def test_rate_limiter_disk_error_counts_alone(
    machine_root: pathlib.Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*_arguments: t.Any, **_options: t.Any) -> t.NoReturn:
        raise OSError("no")

    rate_limiter = RateLimiter.for_credentials("https://api.example.com", "x")
    monkeypatch.setattr(*{"open": (locked_file.os, "open"), "flock": (locked_file.fcntl, "flock")}[call], fail)
    run_in_threads(4, lambda _number: rate_limiter.release(rate_limiter.acquire(), 200))
    assert rate_limiter.remaining() == 1196


@pytest.mark.parametrize(
    "damage",
    [
        lambda _content: b"",
        lambda _content: b"\0" * 9000,
        lambda content: content[:-3],
        lambda content: content[:-1] + b"?",
    ],
)
def test_rate_limit_file_damaged_is_reset(machine_root: pathlib.Path, damage: t.Callable[[bytes], bytes]) -> None:
    rate_limiter = RateLimiter.for_credentials("https://api.example.com", "x")
    for _request in range(5):
        rate_limiter.release(rate_limiter.acquire(), 200)
    assert rate_limiter.remaining() == 1195
    (file,) = (machine_root / "run/tenantry/budgets").iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert rate_limiter.remaining() == 1200
    rate_limiter.release(rate_limiter.acquire(), 200)
    assert rate_limiter.remaining() == 1199


def test_rate_limit_file_unused_is_removed(machine_root: pathlib.Path) -> None:
    for url, days in (("https://a.example.com", 2), ("https://b.example.com", 0.5)):
        RateLimiter.for_credentials(url, "x").acquire()
        file = max((machine_root / "run/tenantry/budgets").iterdir(), key=lambda file: file.stat().st_mtime)
        os.utime(file, (time.time() - days * locked_file.DAY,) * 2)
    RateLimiter.for_credentials("https://c.example.com", "x").acquire()
    assert len(list((machine_root / "run/tenantry/budgets").iterdir())) == 2
    assert RateLimiter.for_credentials("https://b.example.com", "x").remaining() == 1199


def test_locked_file_shorter_content_truncates(machine_root: pathlib.Path) -> None:
    file = LockedFile("x")
    assert file.update(lambda content: (b"long content", content)) == b""
    assert file.update(lambda content: (b"short", content)) == b"long content"
    assert LockedFile("x").update(lambda content: (b"", content)) == b"short"


def test_rate_limit_state_dump_round_trips() -> None:
    state = RateLimitState(DEFAULT_LIMITS, {"a": RateLimit(3, 10)})
    finish_request(state, 1000.1234567, Ratelimit='"a";r=2;t=3')
    flight = state.start(1000.7654321, 5)
    again = RateLimitState.load(state.dump(), DEFAULT_LIMITS)
    assert again == state and isinstance(again.in_flight[0], InFlightRequest) and again.in_flight == [flight]
