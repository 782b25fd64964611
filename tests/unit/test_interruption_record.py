# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of an interrupted run: what was acknowledged, what was in flight, and the end of all waits."""

from __future__ import annotations

import contextlib

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare import interruption
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.errors import (
    AmbiguousResult,
    CloudflareError,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.interruption import (
    Interrupted,
    Interruption,
)
from concurrency import Clock


@pytest.fixture
def slow_clock(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr(interruption.time, "sleep", clock.sleep)
    monkeypatch.setattr(interruption.time, "monotonic", clock)
    return clock


def test_check_raises_after_first_reason_alone() -> None:
    run = Interruption()
    run.check()
    run.begin("the signal SIGTERM")
    run.begin("another signal")
    with pytest.raises(Interrupted, match="SIGTERM"):
        run.check()


def test_check_raises_once_process_is_orphaned() -> None:
    run = Interruption()
    run.start_run(lambda: False)
    run.check()
    run.start_run(lambda: True)
    with pytest.raises(Interrupted, match="Ansible's process"):
        run.check()
    assert run.reason


def test_check_of_interrupted_run_keeps_reason_when_orphaned() -> None:
    run = Interruption()
    run.start_run(lambda: True)
    run.begin("the signal SIGINT")
    with pytest.raises(Interrupted, match="SIGINT"):
        run.check()


@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.2, 1.0, 7.3])
def test_sleep_lasts_as_long_as_given_in_short_steps(slow_clock: Clock, seconds: float) -> None:
    Interruption().sleep(seconds)
    assert sum(slow_clock.slept) == pytest.approx(seconds)
    assert max(slow_clock.slept, default=0) <= 0.2


def test_sleep_ends_at_interruption(slow_clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Interruption()

    def interrupt(seconds: float) -> None:
        slow_clock.sleep(seconds)
        if slow_clock.now > 1001:
            run.begin("the signal SIGTERM")

    monkeypatch.setattr(interruption.time, "sleep", interrupt)
    with pytest.raises(Interrupted):
        run.sleep(3600)
    assert slow_clock.now < 1002
    with pytest.raises(Interrupted):
        run.sleep(0)


@pytest.mark.parametrize(
    ("error", "acknowledged", "ambiguous"),
    [(None, ["PUT /a"], []), (AmbiguousResult("lost"), [], ["PUT /a"]), (CloudflareError("refused"), [], [])],
    ids=["acknowledged", "lost", "refused"],
)
def test_writing_records_outcome(error: Exception | None, acknowledged: list[str], ambiguous: list[str]) -> None:
    run = Interruption()
    expected = pytest.raises(type(error)) if error else contextlib.nullcontext()
    with expected, run.writing("PUT /a"):
        assert run.in_flight == ["PUT /a"] and not run.acknowledged
        if error:
            raise error
    assert (run.in_flight, run.acknowledged, run.ambiguous) == ([], acknowledged, ambiguous)


@pytest.mark.parametrize("is_write", [True, False])
def test_sending_interrupted_is_ambiguous_for_writes_alone(is_write: bool) -> None:
    run = Interruption()
    run.in_flight = ["PUT /a"] if is_write else []
    with pytest.raises(Interrupted), run.sending("PUT /a"):
        raise Interrupted("x")
    assert run.ambiguous == run.in_flight
    with run.sending("PUT /a"):
        pass
    assert run.ambiguous == run.in_flight, "an answered write is not ambiguous"


def test_start_run_forgets_writes_of_earlier_run() -> None:
    run = Interruption()
    run.acknowledged, run.ambiguous = ["PUT /a"], ["PUT /b"]
    run.start_run(lambda: False)
    assert (run.acknowledged, run.ambiguous) == ([], [])


@pytest.mark.parametrize("acknowledged", [[], ["PUT /a", "PUT /b"]])
@pytest.mark.parametrize("ambiguous", [[], ["PUT /c"]])
def test_describe_names_reason_and_writes(acknowledged: list[str], ambiguous: list[str]) -> None:
    run = Interruption()
    run.begin("the signal SIGTERM")
    run.acknowledged, run.ambiguous = acknowledged, ambiguous
    text = run.describe()
    assert "SIGTERM" in text and all(write in text for write in (*acknowledged, *ambiguous))
    assert ("Possibly" in text, "No write" in text) == (bool(ambiguous), not acknowledged)
