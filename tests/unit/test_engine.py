# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parts of the engine that need no API: polling, limits, parallel calls, comparison of values, plans."""

from __future__ import annotations

import dataclasses
import itertools
import threading
import typing as t

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.errors import CloudflareError
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.converge import RunOptions
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.fields import (
    CHANGED_UNREAD,
    UNKNOWN,
    Field,
    as_set,
    canonical_option,
    is_known,
    json_equal,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.parallel import in_parallel
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.plan import (
    BulkStep,
    Plan,
    Step,
    json_body,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.prune_limit import PruneLimit
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.text import (
    as_message,
    list_errors,
    list_names,
    shorten,
)


@pytest.mark.parametrize("timeout", [0.0, 0.05, 1.0, 20.0, 100.0, 3600.0])
def test_poll_waits_for_whole_timeout_with_growing_intervals(timeout: float) -> None:
    slept: list[float] = []
    waited = list(RunOptions(timeout=timeout, sleep=slept.append).poll())
    assert waited == pytest.approx([0.0, *itertools.accumulate(slept)])
    assert waited[-1] >= timeout and all(seconds < timeout for seconds in waited[:-1])
    assert slept[:1] in ([], [0.1])
    longest = max(2.0, timeout / 60)
    assert all(second == pytest.approx(min(2 * first, longest)) for first, second in itertools.pairwise(slept))
    assert len(waited) <= 75, "a long wait must not use up the rate limit"


def test_run_options_show_no_diff_by_default() -> None:
    options = RunOptions(sleep=print)
    assert (options.check, options.diff, options.sleep) == (False, False, print) and options.timeout > 0


@pytest.mark.parametrize("limit", ["0", "1", "25", " 25 ", 25, "0%", "1%", "10%", "10 %", "99%", "100%", "999999999"])
def test_prune_limit_is_parsed(limit: t.Any) -> None:
    parsed = PruneLimit.parse(limit)
    assert str(parsed) == str(limit).replace(" ", "") and parsed.is_share == str(limit).endswith("%")
    assert parsed.number == int(str(limit).replace("%", ""))


@pytest.mark.parametrize("limit", ["", "-1", "1.5", "101%", "200%", "%", "10%%", "ten", "1000000000", None, [1]])
def test_prune_limit_invalid_is_refused(limit: t.Any) -> None:
    with pytest.raises(CloudflareError, match="prune_limit"):
        PruneLimit.parse(limit)


@pytest.mark.parametrize(
    ("limit", "most", "total"),
    [
        *(("0", 0, 50), ("3", 3, 50), ("50", 50, 50), ("0%", 0, 50), ("10%", 5, 50), ("10%", 5, 59), ("10%", 6, 60)),
        *(("1%", 1, 50), ("2%", 1, 50), ("4%", 2, 50), ("99%", 49, 50), ("100%", 50, 50), ("33%", 1, 4), ("1%", 1, 2)),
        *(("0%", 0, 1), ("1%", 0, 1), ("99%", 0, 1), ("100%", 1, 1)),
    ],
)
def test_prune_limit_allows_at_most(limit: str, most: int, total: int) -> None:
    parsed = PruneLimit.parse(limit)
    assert [count for count in range(total + 1) if parsed.allows(count, total)] == list(range(most + 1))


@pytest.mark.parametrize("limit", ["0", "0%"])
def test_prune_limit_raised_allows_just_these(limit: str) -> None:
    parsed = PruneLimit.parse(limit)
    for count, total in ((2, 3), (7, 50), (50, 50), (2, 1000)):
        raised = parsed.raised_to(count, total)
        lower = dataclasses.replace(raised, number=raised.number - 1)
        assert raised.is_share == parsed.is_share
        assert raised.allows(count, total) and not lower.allows(count, total)


def test_in_parallel_uses_this_number_of_threads() -> None:
    barrier = threading.Barrier(3, timeout=30)
    running: list[int] = []
    lock = threading.Lock()
    most = 0

    def work(number: int) -> int:
        nonlocal most
        with lock:
            running.append(number)
            most = max(most, len(running))
        barrier.wait()  # passes only if three run at once
        with lock:
            running.remove(number)
        return number * 2

    assert sorted(in_parallel(work, range(6), 3)) == [0, 2, 4, 6, 8, 10]
    assert most == 3


def test_in_parallel_starts_no_more_threads_than_items_and_only_daemons() -> None:
    threads: list[threading.Thread] = []

    def work(number: int) -> int:
        threads.append(threading.current_thread())
        barrier.wait()
        return number

    barrier = threading.Barrier(2, timeout=30)
    before = threading.active_count()
    results = in_parallel(work, [1, 2], 50)
    next(results)
    assert threading.active_count() <= before + 2
    assert all(thread.daemon for thread in threads)
    assert list(in_parallel(work, [], 4)) == []


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()])
def test_in_parallel_raises_error_of_call(error: BaseException) -> None:
    def work(number: int) -> int:
        raise error

    with pytest.raises(type(error)):
        list(in_parallel(work, [1], 1))


@pytest.mark.parametrize(("count", "shown"), [(0, 0), (1, 1), (10, 10), (11, 10)])
def test_list_names_shows_first_ten(count: int, shown: int) -> None:
    names = [f"n{number}" for number in range(count)]
    assert list_names(names) == ", ".join([*names[:shown], *(["..."] if count > shown else [])])


@pytest.mark.parametrize(("count", "more"), [(0, ""), (1, ""), (5, ""), (6, "; and 1 more"), (9, "; and 4 more")])
def test_list_errors_shows_first_five(count: int, more: str) -> None:
    errors = [f"e{number}" for number in range(count)]
    assert list_errors(errors) == "; ".join(errors[:5]) + more


def test_as_message_is_printable_and_valid() -> None:
    assert as_message("Bücher ❤\n\tx") == "Bücher ❤\n\tx"
    assert as_message("a\ud800b") == r"a\ud800b"
    assert as_message("\x00\x08\x0b\x1b\x1f\x7f\x9f\r") == r"\x00\x08\x0b\x1b\x1f\x7f\x9f\x0d"


def test_as_message_keeps_beginning_and_remedy_of_long_text() -> None:
    assert as_message("a" * 8000) == "a" * 8000
    shown = as_message("b" * 8000 + "z" * 501)
    assert shown.startswith("b" * 7500 + "... (501 characters omitted)") and shown.endswith(")" + "z" * 500)


@pytest.mark.parametrize(
    ("text", "tail", "expected"),
    [
        *(("abcdef", 0, "abcdef"), ("abcdefg", 0, "abcdef... (1 characters omitted)")),
        ("abcdefgh", 2, "abcd... (2 characters omitted)gh"),
    ],
)
def test_shorten_cuts_texts_over_limit(text: str, tail: int, expected: str) -> None:
    assert shorten(text, 6, tail) == expected


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        *((True, 1, False), (1, 1, True), ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True), ([1, 2], [2, 1], False)),
        *((UNKNOWN, UNKNOWN, False), ({"a": [UNKNOWN]}, {"a": [UNKNOWN]}, False), (object, object, True)),
        *(("1", 1, False), (None, "", False), ((1,), (1,), True)),
    ],
)
def test_json_equal_compares_types_and_content(one: t.Any, other: t.Any, same: bool) -> None:
    assert json_equal(one, other) is same


def test_is_known_finds_placeholder_at_every_depth() -> None:
    for value in (UNKNOWN, [UNKNOWN], (1, UNKNOWN), {"a": {"b": [1, UNKNOWN]}}):
        assert not is_known(value)
    for value in ((), [], {}, {"a": (1, [2])}, CHANGED_UNREAD, "(known after apply)"):
        assert is_known(value)


def test_field_differs_after_normalization() -> None:
    tags = Field("tags", {"type": "list"}, normalize=as_set)
    assert not tags.differs(["b", "a", "a"], ["a", "b"]) and not tags.differs(None, [])
    assert (
        tags.differs(["a"], ["b"]) and tags.differs(CHANGED_UNREAD, CHANGED_UNREAD) and tags.differs(UNKNOWN, UNKNOWN)
    )


def test_canonical_option_resolves_alias() -> None:
    spec = {"worker": {"aliases": ["script", "service"]}, "name": {}}
    assert [canonical_option(key, spec) for key in ("worker", "name", "service", "other")] == [
        "worker",
        "name",
        "worker",
        "",
    ]


@pytest.mark.parametrize(("count", "requests"), [(1, 1), (100, 1), (101, 2), (250, 3)])
def test_bulk_step_needs_one_request_per_size(count: int, requests: int) -> None:
    assert BulkStep("PUT", "/a", size=100).operations(count) == ["PUT /a"] * requests


def test_bulk_step_without_size_and_progress_covers_one_unknown() -> None:
    step = BulkStep("DELETE", "/a")
    assert step.operations(3) == ["DELETE /a"] * 3
    assert step.progress(t.cast(t.Any, None)) == (None, False), "repeating it is not safe"


def test_steps_are_equal_by_method_and_path() -> None:
    one, other = (Step("PUT", "/a", json_body({"b": number}), fallback=Step("POST", str(number))) for number in (1, 2))
    assert (
        one == other
        and one != Step("PATCH", "/a")
        and (one.request(), other.request())
        == (
            {"json": {"b": 1}},
            {"json": {"b": 2}},
        )
    )
    assert Plan(None, {}, (one, other)).operations == ["PUT /a"] * 2
