# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The locked file and the waits of the rate limiter, at their boundaries."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import time
import typing as t

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare import locked_file, rate_limiter
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.errors import ConnectError
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.locked_file import LockedFile
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.rate_limit_state import RateLimit
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.rate_limiter import (
    RateLimiter,
    is_alive,
)
from concurrency import Clock

HOURS = 3600


@pytest.fixture
def cache_dir(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "tenantry" / "budgets"


def append(content: bytes) -> tuple[bytes, bytes]:
    return content + b"x", content


@pytest.mark.parametrize(("age", "stays"), [(24 * HOURS - 60, True), (24 * HOURS + 60, False)])
def test_locked_file_of_others_stays_for_a_day(cache_dir: pathlib.Path, age: float, stays: bool) -> None:
    LockedFile("old").update(append)
    os.utime(cache_dir / "old", (time.time() - age,) * 2)
    LockedFile("new")
    assert (cache_dir / "old").exists() is stays


def test_locked_file_in_use_does_not_look_for_stale_ones(cache_dir: pathlib.Path) -> None:
    for name in ("old", "new"):
        LockedFile(name).update(append)
    os.utime(cache_dir / "old", (0, 0))
    LockedFile("new")
    assert (cache_dir / "old").exists()


def test_locked_file_without_name_is_in_memory(cache_dir: pathlib.Path) -> None:
    file = LockedFile()
    assert [file.update(append) for _time in range(3)] == [b"", b"x", b"xx"]
    assert file.path is None and not cache_dir.exists() and LockedFile().update(append) == b""


def test_locked_file_is_opened_by_its_user_alone(cache_dir: pathlib.Path) -> None:
    before = os.umask(0)
    try:
        LockedFile("a").update(append)
    finally:
        os.umask(before)
    assert (cache_dir / "a").stat().st_mode & 0o777 == 0o600
    assert cache_dir.stat().st_mode & 0o777 == 0o700


def test_locked_file_that_is_a_link_is_not_followed(cache_dir: pathlib.Path, tmp_path: pathlib.Path) -> None:
    LockedFile("other").update(append)
    (tmp_path / "victim").write_bytes(b"content")
    (cache_dir / "a").symlink_to(tmp_path / "victim")
    file = LockedFile("a")
    assert [file.update(append) for _time in range(2)] == [b"", b"x"], "it counts in memory"
    assert (tmp_path / "victim").read_bytes() == b"content"


def test_locked_file_is_updated_in_turn(cache_dir: pathlib.Path) -> None:
    children = []
    for _number in range(4):
        child = os.fork()
        if not child:
            for _time in range(50):
                LockedFile("a").update(append)
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert len((cache_dir / "a").read_bytes()) == 200


def test_is_alive_by_process_id(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    assert (is_alive(os.getpid()), is_alive(ended.pid)) == (True, False)

    def refuse(_process: int, signal: int) -> t.NoReturn:
        assert signal == 0
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert is_alive(1), "it belongs to another user"


@pytest.mark.parametrize(("seconds", "is_error"), [(600, False), (601, True)])
def test_rate_limiter_waits_for_ten_minutes_at_most(clock: Clock, seconds: int, is_error: bool) -> None:
    limiter = RateLimiter({"default": RateLimit(1, seconds)}, clock=clock, sleep=clock.sleep)
    limiter.release(limiter.acquire(), 200)
    if is_error:
        with pytest.raises(ConnectError, match="not sent"):
            limiter.acquire()
    else:
        limiter.acquire()
    assert bool(clock.slept) is not is_error


def test_rate_limiter_counts_overlapping_waits_once(clock: Clock) -> None:
    waits: list[float] = []
    limiter = RateLimiter({}, clock=clock, sleep=lambda seconds: None)
    assert limiter.waited == 0
    limiter.sleep(0.5)
    limiter.on_wait = waits.append
    limiter.sleep(0.4)  # in another thread, at the same time
    assert limiter.waited == pytest.approx(0.5) and waits == []
    limiter.sleep(1.5)
    assert limiter.waited == pytest.approx(1.5) and waits == [1.5]
    limiter.sleep(2.4)
    assert limiter.waited == pytest.approx(2.4) and waits == [1.5], "less than a second more"
    clock.now += 10
    limiter.sleep(2)
    assert limiter.waited == pytest.approx(4.4) and waits == [1.5, 2]


@pytest.mark.parametrize("limit", [rate_limiter.DEFAULT_LIMITS["default"]])
def test_rate_limiter_default_is_documented_limit(limit: RateLimit) -> None:
    assert limit == RateLimit(1200, 300)


def test_private_cache_dir_of_file_or_other_user_is_not_used(
    cache_dir: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    for directory in (str(tmp_path / "file"), str(tmp_path / "nowhere"), "", "relative"):
        monkeypatch.setenv("XDG_RUNTIME_DIR", directory)
        assert locked_file.private_cache_dir() == str(tmp_path / "home/.cache/tenantry/budgets")
    assert not (tmp_path / "nowhere").exists()
