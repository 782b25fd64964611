# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Progress display: update interval, text, and choice between bar and lines."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
import time
import typing as t
import unittest.mock

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.rate_limit_state import RateLimit
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.rate_limiter import RateLimiter
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.progress import (
    Progress,
    progress_listener,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.plugin_utils import _progress
from harness import Runner
from local_edge.testing import Edge
from tenant import CODE


class Clock:
    """A clock that the test sets, and a display that records each text with its time."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.shown: list[tuple[float, str, dict[str, t.Any]]] = []

    def __call__(self) -> float:
        return self.now

    def display(self, text: str, **options: t.Any) -> None:
        self.shown.append((self.now, text, options))


def progress(label: str = "Workers in dispatch namespace 'tenants'", total: int = 200, **values: t.Any) -> Progress:
    rate_limiter = unittest.mock.Mock(spec=RateLimiter, remaining=lambda: 900, seconds_for=lambda count: 0.0)
    return Progress(label, total, rate_limiter, **values)


def test_progress_seconds_left_respects_rate_limit() -> None:
    work = progress(total=2000, done=1000, started_at=time.time() - 100)
    assert work.seconds_left == pytest.approx(100, abs=5)
    work.rate_limiter = RateLimiter({"default": RateLimit(1200, 300)})
    assert work.seconds_left == pytest.approx(100, abs=5), "1000 more fit into the rate limit"
    work.total = 4000
    assert work.seconds_left == pytest.approx((3000 - 1200) * 300 / 1200, abs=5), "after the burst, four per second"


def test_progress_lines_appear_at_most_every_ten_seconds() -> None:
    clock = Clock()
    progress_display, work = _progress.ProgressDisplay(0, clock.display, clock), progress()
    for _second in range(35):
        clock.now += 1
        progress_display(work)
    progress_display.end()
    assert [moment for moment, _text, _options in clock.shown] == [1010, 1020, 1030] and all(
        "\r" not in text for _moment, text, _options in clock.shown
    )


def test_progress_bar_is_redrawn_and_erased() -> None:
    clock = Clock()
    progress_display, work = _progress.ProgressDisplay(80, clock.display, clock), progress()
    progress_display.end()
    assert clock.shown == [], "a bar that was not drawn is not erased"
    for _tenth in range(10):
        clock.now += 0.1
        progress_display(work)
    progress_display.end()
    texts = [text for _moment, text, _options in clock.shown]
    assert (
        3 <= len(texts) <= 6
        and all(text.startswith(_progress.CLEAR_LINE) for text in texts)
        and texts[-1] == _progress.CLEAR_LINE
    )
    assert all(options == {"screen_only": True, "newline": False} for _moment, _text, options in clock.shown), (
        "a bar is in no log"
    )
    assert all(len(text.removeprefix(_progress.CLEAR_LINE)) <= 80 for text in texts)


def test_progress_line_shows_counts_and_times() -> None:
    assert _progress.format_progress(progress(), 0.0) == "0/200, 0 changed, 0 failed, 900 requests left"
    work = progress(started_at=time.time() - 60, done=50, changed=49, failed=1)
    assert re.fullmatch(
        r"50/200, 3:0\d to go, 49 changed, 1 failed, 900 requests left", _progress.format_progress(work, 0.0)
    )
    assert (
        _progress.format_progress(progress(done=200, changed=200), 0.0)
        == "200/200, 200 changed, 0 failed, 900 requests left"
    )
    work.waits_until = 1000.0
    assert re.fullmatch(
        r"50/200, waiting for the rate limit until \d\d:\d\d:\d\d, .*, 1 failed, 900 requests left",
        _progress.format_progress(work, 900.0),
    )
    assert _progress.format_progress(progress("", 0, waits_until=1000.0), 990.0).endswith(", 900 requests left")
    assert _progress.format_bar(work, 1000.0, 200).startswith("[###.........] 50/200, 3:0")
    assert [_progress.format_duration(seconds) for seconds in (0, 9.9, 61, 3600, 36061)] == [
        "0:00",
        "0:09",
        "1:01",
        "1:00:00",
        "10:01:01",
    ]


def test_progress_bar_fits_80_columns() -> None:
    work = progress(total=10_000, started_at=time.time() - 60, done=2500, changed=2400, failed=100)
    assert re.fullmatch(
        r"\[###\.{9}\] 2500/10000, 3:0\d to go, 2400 changed, 100 failed, .*", _progress.format_bar(work, 0.0, 79)
    )
    assert len(_progress.format_bar(work, 0.0, 40)) == 40


def test_progress_wait_is_shown_once_at_its_start() -> None:
    clock = Clock()
    progress_display, work = _progress.ProgressDisplay(0, clock.display, clock), progress()
    for _second in range(5):
        clock.now += 1
        work.waits_until = 1100.0 + clock.now % 1
        progress_display(work)
    assert [moment for moment, _text, _options in clock.shown] == [1001]


def test_progress_updates_from_many_threads_are_counted() -> None:
    clock, seen = Clock(), []
    work = progress(total=800)
    with (
        progress_listener(_progress.ProgressDisplay(0, clock.display, clock)),
        progress_listener(lambda one: seen.append(one.done)),
    ):
        threads = [threading.Thread(target=lambda: [work.wait(0.0) for _one in range(100)]) for _thread in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(seen) == 800
    work.advance(changed=True, failed=False)
    assert len(seen) == 800, "the listeners are removed"


@pytest.mark.parametrize("absent", [False, True])
def test_progress_counts_each_worker_once(run: Runner, edge: Edge, absent: bool) -> None:
    run.ok("dispatch_namespace", name="tenants")
    run.ok("kv_namespace", title="Metadata")
    fleet = {"dispatch_namespace": "tenants", "owner": "mine", "routing_kv": {"title": "Metadata"}}
    workers = [
        {
            "name": f"t{number}",
            "hostnames": [f"t{number}.example.com"],
            "content": CODE,
            "compatibility_date": "2026-11-01",
        }
        for number in range(12)
    ]
    seen: list[tuple[int, int, int]] = []
    if absent:
        run.ok("namespaced_workers", **fleet, workers=workers)
    edge.fault(method="PUT", path=".*/scripts/t3", status=400, code=10021, message="no", times=1)
    with progress_listener(lambda work: seen.append((work.done, work.total, work.failed))):
        run("namespaced_workers", **fleet, **({"state": "absent"} if absent else {"workers": workers}))
    assert [done for done, _total, _failed in seen] == list(range(1, 13)) and {
        total for _done, total, _failed in seen
    } == {12}
    assert seen[-1][2] == (0 if absent else 1)


def test_terminal_width_detects_terminals() -> None:
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    for output, variables, expected in (
        (terminal, {}, 59),
        (terminal, {"AWX_ISOLATED_DATA_DIR": "/x"}, 0),
        (subprocess.DEVNULL, {}, 0),
    ):
        with subprocess.Popen(command, stderr=output) as process:
            assert _progress.terminal_width(variables, process.pid) == expected
            process.kill()
    os.close(controller)
    os.close(terminal)
    assert not _progress.terminal_width({}, 2**22 + 1), "there is no such process, or no /proc on this system"


def test_stderr_is_open_detects_closed_output() -> None:
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        assert process.stderr and _progress.stderr_is_open(process.pid)
        process.stderr.close()
        assert not _progress.stderr_is_open(process.pid)
        process.kill()
    assert _progress.stderr_is_open(2**22 + 1), "an unknown process counts as open"
