# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One budget of requests for a whole machine: the arithmetic by a fake clock, the file by real threads and processes."""

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
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.client import TIMEOUT, Client
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.credentials import Credentials
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.errors import ConnectError
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.locked_file import LockedFile
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.rate_limit_state import (
    DEFAULT_LIMIT,
    IN_FLIGHT_TIMEOUT,
    InFlightRequest,
    RateLimit,
    RateLimitState,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.rate_limiter import (
    DEFAULT_LIMITS,
    MAX_WAIT,
    RateLimiter,
    is_alive,
)
from concurrency import Clock, run_in_threads
from local_edge.testing import Edge, running

# -- the arithmetic, against servers that count in the ways there are -----------------------------------------------------


class Server:
    """Counts as a server may: C(style) is exactly, by the second, or from one full window to the next."""

    def __init__(self, style: str, limit: RateLimit, speaks: bool = True) -> None:
        self.style, self.limit, self.speaks = style, limit, speaks
        self.counted: list[float] = []
        self.refused = 0

    def expiry(self, moment: float) -> float:
        """When a request that was counted at this moment stops counting."""
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
        if self.speaks:
            headers["Ratelimit"] = f'"default";r={self.limit.quota - len(spent)};t={wait}'
            headers["Ratelimit-Policy"] = f'"default";q={self.limit.quota};w={self.limit.window}'
        return (200 if granted else 429), headers


def simulate(server: Server, count: int, threads: int, latency: float, chance: random.Random) -> float:
    """Let so many threads send so many requests, and return the seconds it took. A request may be counted at any time of its flight."""
    begin = 1_700_000_000.0 + chance.random()
    assumed = DEFAULT_LIMITS if server.speaks else {"default": server.limit}
    budget = RateLimitState(assumed, assumed)
    order, events, now = itertools.count(), list[t.Any](), begin
    for _thread in range(threads):
        heapq.heappush(events, (begin, next(order), "ask", ()))
    while events:
        now, _order, what, how = heapq.heappop(events)
        budget = RateLimitState.load(budget.dump(), budget.assumed)
        budget.advance(now, lambda _process: True)
        if what == "count":
            flight, landing = how
            heapq.heappush(events, (landing, next(order), "land", (flight, *server.answer(now))))
        elif what == "land":
            budget.finish(how[0], now, *how[1:])
            heapq.heappush(events, (now, next(order), "ask", ()))
        elif count and (delay := budget.delay(now)):
            heapq.heappush(events, (now + delay, next(order), "ask", ()))
        elif count:
            count -= 1
            landing = now + latency * chance.uniform(0.5, 1.5)
            heapq.heappush(
                events, (chance.uniform(now, landing), next(order), "count", (budget.start(now, 1), landing))
            )
    return now - begin


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("threads", [1, 8, 16])
@pytest.mark.parametrize(
    ("style", "speaks"), [("exactly", True), ("exactly", False), ("by the second", True), ("windows", True)]
)
def test_nothing_is_refused_and_no_time_is_lost(style: str, speaks: bool, threads: int, seed: int) -> None:
    server, chance = Server(style, RateLimit(40, 10), speaks), random.Random(seed)
    took = simulate(server, 120, threads, 0.02, chance)
    assert not server.refused
    sent = sorted(server.counted)
    assert all(later - earlier >= 10 for earlier, later in zip(sent, sent[40:], strict=False)), (
        "no window ever holds more than the quota"
    )
    assert took < 20 + 120 * 0.02 / threads + (2 if speaks else 0.2), "but for what the server rounds up"


@pytest.mark.parametrize("style", ["exactly", "by the second", "windows"])
@pytest.mark.parametrize("seed", range(4))
def test_what_others_spent_is_not_there_to_be_spent(style: str, seed: int) -> None:
    server, chance = Server(style, RateLimit(40, 10)), random.Random(seed)
    server.counted = [1_700_000_000.0 - chance.uniform(0, 9) for _request in range(30)]
    others = set(server.counted)
    assert simulate(server, 60, 16, 0.1, chance) < 25
    assert not server.refused
    assert len(server.counted) == 60 + len(others)


def landed(budget: RateLimitState, now: float, status: int = 200, **headers: str) -> None:
    budget.finish(budget.start(now, 1), now, status, {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("told", "limits", "left", "delay"),
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
def test_what_the_server_says_is_obeyed_and_a_second_added_where_others_spent(
    told: dict[str, str], limits: dict[str, RateLimit], left: int, delay: float
) -> None:
    budget = RateLimitState(DEFAULT_LIMITS, DEFAULT_LIMITS)
    landed(budget, 1000, **told)
    assert (budget.limits, budget.remaining(1000), budget.delay(1000)) == (limits, left, delay)


def test_an_answer_that_comes_late_does_not_overrule_a_newer_one() -> None:
    budget = RateLimitState(DEFAULT_LIMITS, DEFAULT_LIMITS)
    early, late = budget.start(1000, 1), budget.start(1001, 1)
    budget.finish(late, 1002, 200, {"Ratelimit": '"default";r=0;t=30'})
    budget.finish(early, 1003, 200, {"Ratelimit": '"default";r=7;t=30'})
    assert budget.delay(1003) == 30


def test_what_is_in_flight_may_not_be_counted_yet_in_what_remains() -> None:
    budget = RateLimitState(DEFAULT_LIMITS, DEFAULT_LIMITS)
    landed(budget, 1000, Ratelimit='"default";r=100;t=30')
    one, _other = budget.start(1000, 1), budget.start(1000, 1)
    budget.finish(one, 1001, 200, {"Ratelimit": '"default";r=2;t=30'})
    assert budget.remaining(1001) == 1
    budget.start(1001, 1)
    assert 0 < budget.delay(1001) < 1, "until one of the two is answered"


def test_nobody_goes_before_the_first_answer_but_one() -> None:
    budget = RateLimitState(DEFAULT_LIMITS, DEFAULT_LIMITS)
    first = budget.start(1000, 1)
    assert budget.delay(1000) > 0
    budget.finish(first, 1001, 200, {})
    budget.start(1001, 1)
    assert budget.delay(1001) == 0
    assert budget.delay(1100) > 0, "nor after a while, in which others may have spent it"


def test_a_refusal_holds_back_whatever_other_answers_say() -> None:
    budget = RateLimitState(DEFAULT_LIMITS, DEFAULT_LIMITS)
    landed(budget, 1000, Ratelimit='"default";r=100;t=30')
    refused, granted = budget.start(1000, 1), budget.start(1000, 1)
    budget.finish(refused, 1001, 429, {"Retry-After": "60"})
    budget.finish(granted, 1002, 200, {"Ratelimit": '"default";r=99;t=30'})
    assert budget.delay(1002) == 59
    budget.start(1061, 1)
    assert 0 < budget.delay(1061) < 1, "then one may try"


def test_a_server_that_stops_speaking_is_not_held_to_what_it_said() -> None:
    budget = RateLimitState({}, {})
    landed(budget, 1000, Ratelimit='"default";r=1;t=10', Ratelimit_Policy='"default";q=2;w=10')
    landed(budget, 1001)
    assert budget.limits == {"default": RateLimit(2, 10)}
    landed(budget, 1060)
    assert budget.limits == {} and budget.remaining(1060) is None and budget.delay(1060) == 0


def test_who_is_gone_is_not_waited_for() -> None:
    assert sum(TIMEOUT) < IN_FLIGHT_TIMEOUT
    budget = RateLimitState(DEFAULT_LIMITS, DEFAULT_LIMITS)
    flight = budget.start(1000, 7)
    budget.advance(1000 + IN_FLIGHT_TIMEOUT, lambda process: process == 7)
    assert budget.delay(1000 + IN_FLIGHT_TIMEOUT) > 0
    budget.advance(1000 + IN_FLIGHT_TIMEOUT, lambda process: process != 7)
    assert budget.delay(1000 + IN_FLIGHT_TIMEOUT) == 0 and budget.remaining(1000 + IN_FLIGHT_TIMEOUT) == 1199
    budget.finish(flight, 2000, 200, {"Ratelimit": '"default";r=0;t=30'})
    assert budget.delay(2000) == 0, "and what it was answered is old"


def test_what_lies_in_the_future_happened_now() -> None:
    budget = RateLimitState(DEFAULT_LIMITS, {"default": RateLimit(3, 10)})
    for _request in range(3):
        landed(budget, 5000)
    flight = budget.start(5000, 1)
    landed(budget, 5000, 429, Retry_After="60")
    budget.advance(1000, lambda _process: True)
    assert list(budget.log) == [1000] * 4 and budget.report.reset == 1060
    budget.finish(flight, 1000, 200, {})
    assert budget.delay(1000) == 60


# -- the pacer ----------------------------------------------------------------------------------------------------------


def test_waiting_is_told_before_and_counted_once(clock: Clock) -> None:
    rate_limiter, told = RateLimiter({"default": RateLimit(2, 10)}, clock=clock, sleep=clock.sleep), list[float]()
    rate_limiter.on_wait = told.append
    for _request in range(3):
        rate_limiter.release(rate_limiter.acquire(), 200)
    assert clock.slept == told == [10.0] and rate_limiter.waited == 10.0
    asleep = RateLimiter(DEFAULT_LIMITS, clock=clock, sleep=lambda seconds: None)
    for seconds in (10, 10, 4, 12, 0.5):
        asleep.sleep(seconds)
    assert asleep.waited == 12.0, "what threads sleep through together counts once"


def test_nobody_waits_for_hours(clock: Clock) -> None:
    rate_limiter = RateLimiter(DEFAULT_LIMITS, clock=clock, sleep=clock.sleep)
    rate_limiter.release(rate_limiter.acquire(), 429, {"Retry-After": "7200"})
    with pytest.raises(ConnectError, match="may go in 3600 s"):
        rate_limiter.acquire()
    assert not clock.slept
    clock.now += 3600 - MAX_WAIT
    rate_limiter.acquire()
    assert clock.slept == [MAX_WAIT]


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
def test_what_is_not_told_limits_nothing_on_this_very_machine(url: str, limited: bool) -> None:
    assert RateLimiter.for_credentials(url, "digest").remaining() == (1200 if limited else None)


def client_of(edge: Edge) -> Client:
    return Client(Credentials.resolve(edge.token, None, None, {}), url=edge.api)


def statuses(edge: Edge) -> dict[int, int]:
    return dict(collections.Counter(seen["status"] for seen in edge.requests()))


def forked(count: int, do: t.Callable[[], t.Any]) -> None:
    """Do something in so many processes at once, all of which must succeed."""
    children = []
    for _child in range(count):
        children.append(os.fork())
        if not children[-1]:
            try:
                do()
            except BaseException:
                os._exit(1)
            os._exit(0)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * count


@pytest.mark.slow
def test_threads_and_processes_share_one_budget() -> None:
    with running(rate_limit="40/1", latency_ms=5) as edge:
        begin = time.monotonic()
        forked(
            3,
            lambda: run_in_threads(
                4, lambda _number: [client_of(edge).call("GET", "/accounts") for _request in range(10)]
            ),
        )
        took = time.monotonic() - begin
        assert statuses(edge) == {200: 120}
        assert 2 <= took < 6, "twice a window, and what a busy machine takes"


@pytest.mark.slow
def test_a_budget_that_others_spend_is_not_overdrawn() -> None:
    with running(rate_limit="30/1", latency_ms=5) as edge:
        for _request in range(25):
            requests.get(f"{edge.api}/accounts", headers={"Authorization": f"Bearer {edge.token}"}, timeout=10)
        client = client_of(edge)
        run_in_threads(8, lambda _number: client.call("GET", "/accounts"))
        assert statuses(edge) == {200: 33}


@pytest.mark.slow
def test_a_refusal_of_one_holds_all_processes_back() -> None:
    with running(token="another-token-0123456789abcdefghijklmnop") as edge:
        forked(
            1,
            lambda: client_of(edge).rate_limiter.release(
                client_of(edge).rate_limiter.acquire(), 429, {"Retry-After": "1"}
            ),
        )
        begin = time.monotonic()
        run_in_threads(4, lambda _number: client_of(edge).call("GET", "/accounts"))
        assert time.monotonic() - begin > 0.9


def test_an_edge_without_a_limit_is_not_held_back(edge: Edge) -> None:
    client = client_of(edge)
    for _request in range(DEFAULT_LIMIT.quota + 1):
        client.rate_limiter.release(client.rate_limiter.acquire(), 200)
    assert client.rate_limiter.waited == 0 and client.rate_limiter.remaining() is None


def test_a_request_whose_answer_is_lost_is_counted_and_not_waited_for() -> None:
    with running(rate_limit="5/60") as edge:
        edge.fault(method="GET", path=".*", status=0, times=1)
        client = client_of(edge)
        client.call("GET", "/accounts")
        assert client.rate_limiter.remaining() == 3 and client.rate_limiter.waited < 1


def test_a_process_that_was_killed_leaves_nobody_waiting() -> None:
    forked(1, lambda: RateLimiter.for_credentials("https://killed.example.com", "x").acquire())
    rate_limiter = RateLimiter.for_credentials("https://killed.example.com", "x")
    rate_limiter.acquire()
    assert rate_limiter.waited == 0 and rate_limiter.remaining() == 1198 and is_alive(os.getpid())


# -- the file ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A machine of its own: nothing but the folders run, home and tmp."""
    for name in ("run", "home", "tmp"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(locked_file.tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    return tmp_path


def mode(path: pathlib.Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_file_is_the_users_own_and_tells_nothing(place: pathlib.Path) -> None:
    client = Client(Credentials.resolve("token-0123456789", None, None, {}), url="https://api.example.com")
    client.rate_limiter.acquire()
    (file,) = (place / "run" / "tenantry" / "budgets").iterdir()
    assert (mode(file), mode(file.parent)) == (0o600, 0o700)
    said = file.name.encode() + file.read_bytes()
    assert b"0123456789" not in said and b"example" not in said and client.credentials.digest.encode() not in said


def test_where_the_file_is(place: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, temporary = place / "home/.cache/tenantry/budgets", place / f"tmp/tenantry-{os.getuid()}"
    (place / "elsewhere").mkdir()
    (place / "run/tenantry").mkdir()
    (place / "run/tenantry/budgets").symlink_to(place / "elsewhere")
    assert locked_file.private_cache_dir() == str(home), "a link is not followed"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert locked_file.private_cache_dir() == str(home)
    monkeypatch.setenv("HOME", "relative")
    assert locked_file.private_cache_dir() == str(temporary)
    assert mode(temporary) == 0o700
    temporary.chmod(0o777)
    assert locked_file.private_cache_dir() == str(temporary) and mode(temporary) == 0o700
    monkeypatch.setattr(os, "getuid", lambda: temporary.stat().st_uid + 1)
    monkeypatch.setattr(locked_file.tempfile, "gettempdir", lambda: str(place))
    (place / f"tenantry-{os.getuid()}").mkdir()
    assert locked_file.private_cache_dir() is None, "what is another's is not used"


def test_without_a_place_the_process_counts_alone(place: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "run/tenantry").write_text("in the way")
    (place / "home/.cache").write_text("in the way")
    monkeypatch.setattr(
        locked_file.tempfile, "gettempdir", lambda: str(place / "nowhere/at/all" if os.getuid() else "/proc/none")
    )
    rate_limiter = RateLimiter.for_credentials("https://api.example.com", "x")
    rate_limiter.acquire()
    assert (
        rate_limiter.remaining() == 1199
        and RateLimiter.for_credentials("https://api.example.com", "x").remaining() == 1200
    )


@pytest.mark.parametrize("call", ["open", "flock"])
def test_a_disk_that_refuses_is_done_without(place: pathlib.Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def refuse(*_arguments: t.Any, **_options: t.Any) -> t.NoReturn:
        raise OSError("no")

    rate_limiter = RateLimiter.for_credentials("https://api.example.com", "x")
    monkeypatch.setattr(*{"open": (locked_file.os, "open"), "flock": (locked_file.fcntl, "flock")}[call], refuse)
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
def test_a_damaged_file_is_a_new_one(place: pathlib.Path, damage: t.Callable[[bytes], bytes]) -> None:
    rate_limiter = RateLimiter.for_credentials("https://api.example.com", "x")
    for _request in range(5):
        rate_limiter.release(rate_limiter.acquire(), 200)
    assert rate_limiter.remaining() == 1195
    (file,) = (place / "run/tenantry/budgets").iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert rate_limiter.remaining() == 1200
    rate_limiter.release(rate_limiter.acquire(), 200)
    assert rate_limiter.remaining() == 1199


def test_what_nobody_uses_any_more_is_removed(place: pathlib.Path) -> None:
    for url, days in (("https://a.example.com", 2), ("https://b.example.com", 0.5)):
        RateLimiter.for_credentials(url, "x").acquire()
        file = max((place / "run/tenantry/budgets").iterdir(), key=lambda file: file.stat().st_mtime)
        os.utime(file, (time.time() - days * locked_file.DAY,) * 2)
    RateLimiter.for_credentials("https://c.example.com", "x").acquire()
    assert len(list((place / "run/tenantry/budgets").iterdir())) == 2
    assert RateLimiter.for_credentials("https://b.example.com", "x").remaining() == 1199


def test_what_is_shared_gets_shorter_too(place: pathlib.Path) -> None:
    file = LockedFile("x")
    assert file.update(lambda content: (b"long content", content)) == b""
    assert file.update(lambda content: (b"short", content)) == b"long content"
    assert LockedFile("x").update(lambda content: (b"", content)) == b"short"


def test_bytes_are_the_same_budget() -> None:
    budget = RateLimitState(DEFAULT_LIMITS, {"a": RateLimit(3, 10)})
    landed(budget, 1000.1234567, Ratelimit='"a";r=2;t=3')
    flight = budget.start(1000.7654321, 5)
    again = RateLimitState.load(budget.dump(), DEFAULT_LIMITS)
    assert again == budget and isinstance(again.in_flight[0], InFlightRequest) and again.in_flight == [flight]
