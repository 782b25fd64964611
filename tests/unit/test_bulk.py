# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bulk runs over an API in memory, which refuses, loses or ignores the writes of some members."""

from __future__ import annotations

import threading
import types
import typing as t

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.errors import (
    AmbiguousResult,
    ApiError,
    CloudflareError,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.interruption import Interruption
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.rate_limiter import RateLimiter
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.bulk import BulkResource
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.bulk_member import (
    BulkMember,
    PlannedMember,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.converge import (
    ModuleResult,
    RunOptions,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.fields import Attributes, Field
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.plan import BulkStep, Step, json_body
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.resource import (
    ApiObject,
    Observation,
    Resource,
)

REFUSED = (400, 10021)
ACCOUNT_WIDE = (401, 10000)


class Shelf:
    """Lamps by name and an index of them. Tests set how their writes fail."""

    def __init__(self, **lamps: str) -> None:
        self.lamps: dict[str, t.Any] = dict(lamps)
        self.listed = dict(lamps)
        self.lag = 0  # reads until writes show
        self.writes: list[str] = []
        self.refused: dict[str, tuple[int, int]] = {}
        self.lost: dict[str, bool] = {}  # whether the write was carried out
        self.ignored: set[str] = set()
        self.most_deleted = 100  # by one request
        self.interrupt_after = 1000  # writes
        self.interruption = Interruption()
        self.rate_limiter = RateLimiter({})
        self._lock = threading.Lock()

    def write(self, method: str, path: str, json: t.Any = None) -> t.Any:
        self.interruption.check()
        name = path.rpartition("/")[2]
        with self._lock, self.interruption.writing(f"{method} {path}"):
            if name in self.refused:
                raise ApiError(method, path, *self.refused[name], "refused")
            self.writes.append(f"{method} {path}")
            if len(self.writes) >= self.interrupt_after:
                self.interruption.begin("the signal SIGTERM")
            if self.lost.get(name, True) and name not in self.ignored:
                left = self._store(method, name, json)
            if name in self.lost:
                raise AmbiguousResult("the response was lost")
        return types.SimpleNamespace(not_found_code=0, left=left if name == "all" else 0)

    def _store(self, method: str, name: str, json: t.Any) -> int:
        if name == "all":
            for one in [one for one in self.lamps if one != "index"][: self.most_deleted]:
                del self.lamps[one]
        elif method == "DELETE":
            del self.lamps[name]
        else:
            self.lamps[name] = json["color"]
        return len(self.lamps)

    def supports(self, method: str, path: str) -> bool:
        return True

    def invalidate(self) -> None:
        pass

    def refresh(self) -> None:
        self.lag -= 1
        if self.lag < 0:
            self.listed = dict(self.lamps)


class Lamp(Resource):
    name = "lamp"
    identity = {"name": {"type": "str"}}
    fields = (Field("color", {"type": "str"}),)

    @property
    def label(self) -> str:
        return f"lamp {self.options['name']}"

    def observe(self) -> Observation:
        color = self.client.listed.get(self.options["name"])  # type: ignore[attr-defined]
        return Observation({"name": self.options["name"], "color": color} if color else None)

    def create(self, after: Attributes) -> t.Iterable[Step]:
        return [Step("PUT", f"/lamps/{after['name']}", json_body({"color": after["color"]}))]

    def update(self, before: Attributes, after: Attributes, changed: t.Collection[str]) -> t.Iterable[Step]:
        return self.create(after) if changed else []

    def delete(self, before: Attributes) -> t.Iterable[Step]:
        return [Step("DELETE", f"/lamps/{before['name']}")]


class Index(Lamp):
    """The names of all lamps, as its color."""

    missing: tuple[str, ...] = ()

    def observe(self) -> Observation:
        return Observation(super().observe().current, self.missing)


class Lamps(BulkResource):
    name = "lamps"
    label = "Lamps"  # type: ignore[assignment]
    invalid: t.Collection[str] = ()
    has_index = False
    deletes_at_once = False
    blocked: t.Collection[str] = ()
    index_missing: tuple[str, ...] = ()

    def refresh(self, names: t.Collection[str] | None = None) -> None:
        t.cast(Shelf, self.client).refresh()

    def names(self) -> t.Iterable[str]:
        return self.options["lamps"]

    def names_to_prune(self) -> t.Collection[str]:
        kept = {*self.options["lamps"], "index"}
        listed = t.cast(Shelf, self.client).listed
        return [name for name in listed if name not in kept] if self.options.get("prune") else []

    def build_resource(self, name: str, state: str) -> ApiObject:
        if name in self.invalid:
            raise CloudflareError("color: not a color.")
        params = {"name": name, "state": state}
        if state == "present":
            params["color"] = self.options["lamps"][name]
        return Lamp(self.client, params, params)

    def linked_resource(self, members: t.Sequence[BulkMember]) -> ApiObject | None:
        if not self.has_index:
            return None
        names = [member.name for member in members if isinstance(member, PlannedMember) and member.plan.after]
        params = {"name": "index", "state": self.state, "color": ",".join(sorted(names))}
        index = Index(self.client, params, params)
        index.missing = self.index_missing
        return index

    def removal_blocker(self, name: str, linked: PlannedMember | None) -> str:
        return "it is still lit" if name in self.blocked else ""

    def bulk_step(self, pending: t.Sequence[PlannedMember]) -> BulkStep | None:
        if not self.deletes_at_once or self.state != "absent" or any(member.is_linked for member in pending):
            return None
        shelf = t.cast(Shelf, self.client)
        return BulkStep(
            "DELETE", "/lamps/all", size=shelf.most_deleted, progress=lambda response: (None, response.left > 0)
        )


def lamps(shelf: Shelf, names: str, color: str = "red", **options: t.Any) -> Lamps:
    every = {"concurrency": 1, "max_failures": None, "lamps": dict.fromkeys(names.split(), color), **options}
    return Lamps(t.cast(t.Any, shelf), every, every)


def run(bulk: Lamps, check: bool = False, diff: bool = False) -> ModuleResult:
    return bulk.converge(RunOptions(check, diff, 0.5, lambda seconds: None))


def outcome(result: ModuleResult) -> tuple[int, int, bool]:
    """Return how many changed and failed, and whether the run was aborted."""
    summary = result.extra["summary"]
    return summary["changed"], summary["failed"], result.extra["aborted"]


@pytest.mark.parametrize("lag", [0, 2])
def test_bulk_run_converges_as_predicted(lag: int) -> None:
    shelf = Shelf(a="red", b="blue")
    predicted = run(lamps(shelf, "a b c"), check=True, diff=True)
    assert shelf.writes == [] and outcome(predicted) == (2, 0, False)
    shelf.lag = lag
    result = run(lamps(shelf, "a b c"), diff=True)
    assert result.operations == predicted.operations == shelf.writes == ["PUT /lamps/b", "PUT /lamps/c"]
    assert (
        result.value
        == predicted.value
        == [
            {"name": "a", "changed": False, "failed": False},
            {"name": "b", "changed": True, "failed": False, "changed_fields": ["color"]},
            {"name": "c", "changed": True, "failed": False},
        ]
    )
    assert result.extra["summary"] == {"total": 3, "changed": 2, "failed": 0} and result.diff == predicted.diff
    assert [(each["before"], each["after"]) for each in result.diff] == [
        ({"name": "b", "color": "blue"}, {"name": "b", "color": "red"}),
        ({}, {"name": "c", "color": "red"}),
    ]
    assert result.warnings == [] and result.failure == "" and shelf.lamps == dict.fromkeys("abc", "red")
    again = run(lamps(shelf, "a b c"))
    assert (again.operations, again.diff, outcome(again)) == ([], None, (0, 0, False))


def test_bulk_run_invalid_declaration_fails_alone() -> None:
    shelf = Shelf()
    bulk = lamps(shelf, "a b")
    bulk.invalid = ["a"]
    result = run(bulk)
    assert outcome(result) == (1, 1, False) and list(shelf.lamps) == ["b"]
    assert result.value[0] == {"name": "a", "changed": False, "failed": True, "msg": "color: not a color."}
    assert "1 of 2 failed. a: color: not a color." in result.failure


def test_bulk_run_that_refuses_invalid_declarations_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lamps, "refuses_invalid", True)
    bulk = lamps(Shelf(), "a b c")
    bulk.invalid = ["a", "c"]
    with pytest.raises(CloudflareError, match=r"2 of 3 are invalid.*a: color.*c: color"):
        run(bulk)
    assert t.cast(Shelf, bulk.client).writes == []


@pytest.mark.parametrize(("most", "expected"), [(None, (2, 1, False)), (0, (0, 1, True)), (1, (2, 1, False))])
def test_bulk_run_refused_member_counts_as_failure(most: int | None, expected: tuple[int, int, bool]) -> None:
    shelf = Shelf()
    shelf.refused = {"a": REFUSED}
    result = run(lamps(shelf, "a b c", max_failures=most))
    assert outcome(result) == expected
    assert "a: Cloudflare answered 400" in (result.failure or result.warnings[0])
    assert bool(result.failure) is (most != 1), "a tolerated failure is a warning"
    assert ("2 not started" in result.failure) is (most == 0)
    shelf.refused = {}
    assert run(lamps(shelf, "a b c")).failure == "" and len(shelf.lamps) == 3


def test_bulk_run_error_of_credentials_aborts() -> None:
    shelf = Shelf()
    shelf.refused = {"b": ACCOUNT_WIDE}
    result = run(lamps(shelf, "a b c d", max_failures=10))
    assert outcome(result) == (1, 1, True) and "same error; 2 not started" in result.failure
    assert result.operations == shelf.writes == ["PUT /lamps/a"]


@pytest.mark.parametrize("is_carried_out", [True, False])
def test_bulk_run_lost_response_is_looked_after_and_never_repeated(is_carried_out: bool) -> None:
    shelf = Shelf()
    shelf.lost = {"a": is_carried_out}
    result = run(lamps(shelf, "a b"))
    assert outcome(result) == (2, 0, False) if is_carried_out else (1, 1, False)
    assert shelf.writes == ["PUT /lamps/a", "PUT /lamps/b"]
    assert result.operations == shelf.writes[0 if is_carried_out else 1 :]
    assert ("response was lost" in result.failure) is not is_carried_out


def test_bulk_run_write_that_does_not_show_is_a_warning() -> None:
    shelf = Shelf()
    shelf.ignored = {"b"}
    result = run(lamps(shelf, "a b c"))
    assert result.failure == "" and outcome(result) == (3, 0, False)
    assert ["1, such as lamp b" in warning for warning in result.warnings] == [True]


@pytest.mark.parametrize("count", [1, 10, 12])
def test_bulk_run_names_first_failures_with_their_reasons(count: int) -> None:
    shelf = Shelf()
    names = [f"l{number}" for number in range(count)]
    shelf.refused = dict.fromkeys(names, REFUSED)
    failure = run(lamps(shelf, " ".join([*names, "ok"]))).failure
    assert f"{count} of {count + 1} failed." in failure and failure.count("answered 400") == min(count, 10)
    assert ("Also failed: l10, l11." in failure) is (count == 12)


@pytest.mark.parametrize(("count", "shown"), [(100, 100), (101, 1)])
def test_bulk_run_large_result_lists_only_changes(count: int, shown: int) -> None:
    names = [f"l{number}" for number in range(count)]
    shelf = Shelf(**dict.fromkeys(names, "red"))
    shelf.lamps[names[0]] = "blue"
    result = run(lamps(shelf, " ".join(names)))
    assert len(result.value) == shown and outcome(result) == (1, 0, False)


@pytest.mark.parametrize(("option", "value"), [("concurrency", 0), ("max_failures", -1)])
def test_bulk_run_option_below_minimum_is_refused(option: str, value: int) -> None:
    with pytest.raises(CloudflareError, match=option):
        lamps(Shelf(), "a", **{option: value})
    assert lamps(Shelf(), "a", **{option: value + 1})


def test_bulk_run_prunes_after_writes_and_index() -> None:
    shelf = Shelf(old="red", kept="red")
    bulk = lamps(shelf, "new", prune=True)
    bulk.has_index, bulk.blocked = True, ["kept"]
    predicted = lamps(shelf, "new", prune=True)
    predicted.has_index, predicted.blocked = True, ["kept"]
    operations = run(predicted, check=True).operations
    result = run(bulk)
    assert result.operations == operations == ["PUT /lamps/new", "PUT /lamps/index", "DELETE /lamps/old"]
    assert shelf.lamps == {"kept": "red", "new": "red", "index": "new"}
    assert result.value[-1] == {"name": "kept", "changed": False, "failed": True, "msg": "it is still lit"}
    assert result.extra["summary"]["total"] == 3


def test_bulk_run_index_omits_failed_members() -> None:
    shelf = Shelf()
    shelf.refused = {"a": REFUSED}
    bulk = lamps(shelf, "a b")
    bulk.has_index = True
    run(bulk)
    assert shelf.lamps == {"b": "red", "index": "b"}


def test_bulk_run_without_index_removes_nothing() -> None:
    shelf = Shelf(old="red")
    shelf.refused = {"index": REFUSED}
    bulk = lamps(shelf, "new", prune=True, max_failures=5)
    bulk.has_index = True
    result = run(bulk)
    assert shelf.lamps == {"old": "red", "new": "red"} and "lamp failed; 1 not started" in result.failure
    assert outcome(result) == (1, 0, True)


@pytest.mark.parametrize("is_refused", [True, False])
def test_bulk_run_removes_index_first(is_refused: bool) -> None:
    shelf = Shelf(a="red", index="a")
    shelf.refused = {"index": REFUSED} if is_refused else {}
    bulk = lamps(shelf, "a b", state="absent")
    bulk.has_index = True
    result = run(bulk)
    assert shelf.writes == ([] if is_refused else ["DELETE /lamps/index", "DELETE /lamps/a"])
    assert bool(result.failure) is is_refused


@pytest.mark.parametrize("source", ["members", "index"])
def test_bulk_run_missing_prerequisites_fail_before_the_first_write(source: str) -> None:
    shelf = Shelf()

    def bulk(names: str, **options: t.Any) -> Lamps:
        built = lamps(shelf, names, **options)
        built.has_index = True
        if source == "index":
            built.index_missing = ("There is no index.",)
        else:
            built.missing = ["There is no shelf."]
        return built

    with pytest.raises(CloudflareError, match="There is no"):
        run(bulk("a"))
    assert shelf.writes == [] and "There is no" in run(bulk("a"), check=True).warnings[0]
    shelf = Shelf(a="red", index="a")
    assert run(bulk("a")).failure == "", "nothing is to be written"
    assert run(bulk("a", state="absent")).failure == "" and shelf.lamps == {}, "a removal needs none"


@pytest.mark.parametrize(("most", "requests"), [(100, 1), (2, 3), (5, 1)])
def test_bulk_deletion_is_repeated_while_members_remain(most: int, requests: int) -> None:
    shelf = Shelf(**dict.fromkeys("abcde", "red"))
    shelf.most_deleted = most
    bulk = lamps(shelf, "a b c d e f", state="absent")
    bulk.deletes_at_once = True
    assert run(bulk, check=True).operations == ["DELETE /lamps/all"] * requests
    result = run(lamps_at_once(shelf, "a b c d e f"))
    assert result.operations == shelf.writes == ["DELETE /lamps/all"] * requests
    assert shelf.lamps == {} and result.extra["summary"] == {"total": 6, "changed": 5, "failed": 0}


def lamps_at_once(shelf: Shelf, names: str, **options: t.Any) -> Lamps:
    bulk = lamps(shelf, names, state="absent", **options)
    bulk.deletes_at_once = True
    return bulk


@pytest.mark.parametrize("is_carried_out", [True, False])
def test_bulk_deletion_lost_is_completed_one_by_one(is_carried_out: bool) -> None:
    shelf = Shelf(a="red", b="red")
    shelf.lost = {"all": is_carried_out}
    result = run(lamps_at_once(shelf, "a b"))
    assert outcome(result) == (2, 0, False) and shelf.lamps == {}
    each = ["DELETE /lamps/a", "DELETE /lamps/b"]
    assert result.operations == (["DELETE /lamps/all"] if is_carried_out else each)


def test_bulk_deletion_refused_is_replaced_by_single_ones() -> None:
    shelf = Shelf(a="red", b="red")
    shelf.refused = {"all": REFUSED}
    result = run(lamps_at_once(shelf, "a b"))
    assert result.operations == ["DELETE /lamps/a", "DELETE /lamps/b"] and result.failure == ""


def test_bulk_deletion_with_invalid_credentials_aborts() -> None:
    shelf = Shelf(a="red", b="red")
    shelf.refused = {"all": ACCOUNT_WIDE}
    result = run(lamps_at_once(shelf, "a b"))
    assert outcome(result) == (0, 1, True) and shelf.writes == [] and "1 not started" in result.failure


def test_bulk_run_interrupted_reports_what_was_not_started() -> None:
    shelf = Shelf()
    shelf.interrupt_after = 2
    result = run(lamps(shelf, "a b c d"))
    assert outcome(result) == (2, 0, True) and shelf.writes == result.operations == ["PUT /lamps/a", "PUT /lamps/b"]
    assert "2 of 4 changed." in result.failure and "SIGTERM; 2 not started" in result.failure
    shelf.interruption.reason, shelf.interrupt_after = "", 1000
    assert outcome(run(lamps(shelf, "a b c d"))) == (2, 0, False)


def test_bulk_deletion_interrupted_reports_possible_deletions() -> None:
    shelf = Shelf(**dict.fromkeys("abcd", "red"))
    shelf.most_deleted, shelf.interrupt_after = 2, 1
    result = run(lamps_at_once(shelf, "a b c d"))
    assert result.operations == ["DELETE /lamps/all"] and result.failure.count("possibly deleted") == 4
    assert outcome(result) == (4, 4, True)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_bulk_run_writes_as_many_members_at_once(concurrency: int) -> None:
    shelf = Shelf()
    barrier = threading.Barrier(concurrency, timeout=30)
    write = shelf.write

    def together(method: str, path: str, json: t.Any = None) -> t.Any:
        barrier.wait()
        return write(method, path, json)

    shelf.write = together  # type: ignore[method-assign]
    assert outcome(run(lamps(shelf, "a b c d e f", concurrency=concurrency))) == (6, 0, False)
