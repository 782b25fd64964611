# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The convergence of one object of an API in memory, whose reads lag, and whose writes are lost or not stored."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.errors import (
    AmbiguousResult,
    ApiError,
    CloudflareError,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.responses import ApiResponse
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine import converge
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.converge import (
    ModuleResult,
    RunOptions,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.fields import (
    UNKNOWN,
    Attributes,
    Field,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.plan import Plan, Step, json_body
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.resource import Observation, Resource


class Store:
    """One object behind an API. Tests set how it misbehaves."""

    def __init__(self, stored: Attributes | None = None) -> None:
        self.stored = self.visible = stored
        self.lag = 0  # reads until a write is visible
        self.writes: list[str] = []
        self.ignores = False  # accepts writes without storing them
        self.lost: str | None = None  # the response to this method: carried out, or only received
        self.is_carried_out = True
        self.unsupported: set[str] = set()

    def write(self, method: str, path: str, json: t.Any = None) -> ApiResponse:
        if method in self.unsupported:
            raise ApiError(method, path, 405, 0, "Method not allowed")
        self.writes.append(method)
        if not self.ignores and (self.lost != method or self.is_carried_out):
            version = (self.stored or {}).get("version", 0) + 1
            self.stored = (
                None if method == "DELETE" else {**(self.stored or {"color": "red"}), **json, "version": version}
            )
        if self.lost == method:
            raise AmbiguousResult("The response was lost")
        return t.cast(ApiResponse, None)

    def supports(self, method: str, path: str) -> bool:
        return method not in self.unsupported

    def invalidate(self) -> None:
        if self.visible != self.stored:
            self.lag -= 1
        if self.lag < 0:
            self.visible = self.stored


class Lamp(Resource):
    name = "lamp"
    identity = {"name": {"type": "str"}}
    fields = (Field("color", {"type": "str"}), Field("watts", {"type": "int"}, initial=40))
    behavior_options = {"wait_timeout": {"type": "int"}}
    computed_on_write = ("version",)
    missing: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    pending = ""
    can_be_verified = True

    @property
    def label(self) -> str:
        return "the lamp"

    def observe(self) -> Observation:
        return Observation(self.client.visible, self.missing)  # type: ignore[attr-defined]

    def can_verify(self, plan: Plan, step: Step) -> bool:
        return self.can_be_verified

    def missing_references(self, plan: Plan) -> list[str]:
        return list(self.references)

    def pending_reason(self, current: Attributes) -> str:
        return self.pending

    def create(self, after: Attributes) -> t.Iterable[Step]:
        known = {key: after[key] for key in ("name", "watts")}
        return [Step("POST", "/lamps", json_body(known | self.user_params_of("color")))]

    def user_params_of(self, key: str) -> Attributes:
        return {key: self.user_params[key]} if key in self.user_params else {}

    def update(self, before: Attributes, after: Attributes, changed: t.Collection[str]) -> t.Iterable[Step]:
        body = json_body({key: after[key] for key in changed})
        return [Step("PATCH", "/lamps/1", body, fallback=Step("PUT", "/lamps/1", body))] if changed else []

    def delete(self, before: Attributes) -> t.Iterable[Step]:
        return [Step("DELETE", "/lamps/1")]


STORED = {"name": "a", "color": "red", "watts": 40, "version": 1}


def lamp(store: Store, **params: t.Any) -> Lamp:
    params = {"name": "a", **params}
    return Lamp(t.cast(t.Any, store), params, {"state": "present", "wait_timeout": 0, **params})


def run(resource: Lamp, check: bool = False, diff: bool = True, timeout: float = 1) -> tuple[ModuleResult, list[float]]:
    slept: list[float] = []
    return resource.converge(RunOptions(check, diff, timeout, slept.append)), slept


@pytest.mark.parametrize("lag", [0, 1, 3])
@pytest.mark.parametrize(
    ("stored", "params", "write", "expected"),
    [
        (None, {"color": "blue"}, "POST", {**STORED, "color": "blue"}),
        (None, {"watts": 60}, "POST", {**STORED, "watts": 60}),
        (STORED, {"color": "blue"}, "PATCH", {**STORED, "color": "blue", "version": 2}),
        (STORED, {"state": "absent"}, "DELETE", None),
    ],
    ids=["create", "create with defaults", "change", "delete"],
)
def test_lamp_converges_although_reads_lag(
    stored: Attributes | None, params: Attributes, write: str, expected: Attributes | None, lag: int
) -> None:
    store = Store(stored)
    store.lag = lag
    predicted, _slept = run(lamp(store, **params), check=True)
    assert store.writes == [] and predicted.operations == [f"{write} /lamps{'' if write == 'POST' else '/1'}"]
    result, slept = run(lamp(store, **params))
    assert (result.value, store.stored, store.writes) == (expected, expected, [write])
    assert result.operations == predicted.operations and len(slept) == lag
    for key, value in (predicted.value or {}).items():
        assert value in (UNKNOWN, result.value[key])
    again, slept = run(lamp(store, **params))
    assert (again.value, again.operations, slept, store.writes) == (expected, [], [], [write])


def test_lamp_diff_shows_identity_and_fields() -> None:
    result, _slept = run(lamp(Store(STORED), color="blue"))
    before = {key: STORED[key] for key in ("name", "color", "watts")}
    assert (result.diff["before"], result.diff["after"]) == (before, {**before, "color": "blue"})
    assert result.diff["before_header"] == result.diff["after_header"] == "the lamp"
    assert run(lamp(Store(STORED), color="blue"), diff=False)[0].diff is None
    assert run(lamp(Store(None), state="absent"))[0].diff["after"] == {}


@pytest.mark.parametrize("is_carried_out", [True, False])
def test_lamp_lost_response_is_looked_after_and_never_repeated(is_carried_out: bool) -> None:
    store = Store(STORED)
    store.lost, store.is_carried_out = "PATCH", is_carried_out
    if is_carried_out:
        assert run(lamp(store, color="blue"))[0].value["color"] == "blue"
    else:
        with pytest.raises(CloudflareError, match=r"The response was lost.*color"):
            run(lamp(store, color="blue"))
    assert store.writes == ["PATCH"]


def test_lamp_lost_response_that_no_read_can_verify_is_an_error() -> None:
    store = Store(STORED)
    store.lost = "PATCH"
    resource = lamp(store, color="blue")
    resource.can_be_verified = False
    with pytest.raises(AmbiguousResult):
        run(resource)


@pytest.mark.parametrize(
    ("stored", "params", "named"),
    [(STORED, {"color": "blue", "watts": 60}, "color, watts"), (STORED, {"state": "absent"}, "state=absent")],
)
def test_lamp_write_that_stored_nothing_is_an_error(stored: Attributes, params: Attributes, named: str) -> None:
    store = Store(stored)
    store.ignores = True
    with pytest.raises(CloudflareError, match=named) as raised:
        run(lamp(store, **params), timeout=0.6)
    assert "accepted" in str(raised.value) and "1 s later" in str(raised.value), "0.1, 0.2 and 0.4 s"


def test_lamp_whose_response_is_proof_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lamp, "verify_after_write", False)
    store = Store(STORED)
    store.lag = 10
    assert run(lamp(store, color="blue"))[0].value["color"] == "blue" and store.lag == 10


@pytest.mark.parametrize("unsupported", [set(), {"PATCH"}, {"PATCH", "PUT"}])
def test_lamp_method_that_the_api_lacks_is_replaced(unsupported: set[str]) -> None:
    store = Store(STORED)
    store.unsupported = unsupported
    if len(unsupported) == 2:
        with pytest.raises(ApiError):
            run(lamp(store, color="blue"))
        return
    method = "PUT" if unsupported else "PATCH"
    assert run(lamp(store, color="blue"))[0].operations == [f"{method} /lamps/1"] and store.writes == [method]


def test_lamp_refused_write_without_fallback_is_an_error() -> None:
    store = Store()
    store.unsupported = {"POST"}
    with pytest.raises(ApiError):
        run(lamp(store, color="blue"))
    assert store.stored is None


@pytest.mark.parametrize("count", [1, 10, 11])
def test_lamp_missing_prerequisites_fail_before_the_first_write(count: int) -> None:
    store = Store()
    resource = lamp(store, color="blue")
    resource.missing = tuple(f"There is no socket {number}." for number in range(count))
    warnings = run(resource, check=True)[0].warnings
    assert len(warnings) == min(count, 11) and "There is no socket 0." in warnings[0]
    assert ("1 further" in warnings[-1]) is (count == 11)
    with pytest.raises(CloudflareError, match=f"socket {count - 1}"):
        run(resource)
    assert store.writes == []


def test_lamp_missing_references_are_warnings_of_predicted_writes_alone() -> None:
    resource = lamp(Store(STORED), color="blue")
    resource.references = ("There is no switch.", "There is no switch.")
    assert len(run(resource, check=True)[0].warnings) == 1, "the same one is named once"
    assert run(resource)[0].warnings == []
    unchanged = lamp(Store(STORED))
    unchanged.references = resource.references
    removed = lamp(Store(STORED), state="absent")
    removed.references, removed.missing = resource.references, ("There is no socket.",)
    assert run(unchanged, check=True)[0].warnings == run(removed, check=True)[0].warnings == []
    assert run(removed)[0].value is None, "a removal needs no prerequisites"


def test_lamp_waits_for_its_condition() -> None:
    store = Store(STORED)
    resource = lamp(store, wait_timeout=30)
    resource.pending = "it is cold"
    seen = iter(range(100))

    def warm_up() -> None:
        if next(seen) == 3:
            resource.pending, store.visible = "", {**STORED, "version": 7, "color": "white"}

    store.invalidate = warm_up  # type: ignore[method-assign]
    result, slept = run(resource)
    assert len(slept) == 3 and result.value == {**STORED, "version": 7} and result.operations == []


@pytest.mark.parametrize("is_gone", [True, False])
def test_lamp_condition_that_never_holds_is_an_error(is_gone: bool) -> None:
    store = Store(STORED)
    resource = lamp(store, wait_timeout=30)
    resource.pending = "it is cold"

    def vanish() -> None:
        store.visible = None if is_gone else STORED

    store.invalidate = vanish  # type: ignore[method-assign]
    slept: list[float] = []
    with pytest.raises(CloudflareError, match=r"30 s it is (gone|cold)") as raised:
        resource.converge(RunOptions(timeout=1, sleep=slept.append))
    assert ("gone" in str(raised.value)) is is_gone
    assert 30 <= sum(slept) < 33, "the timeout is that of the option"
    slept.clear()
    resource.converge(RunOptions(check=True, sleep=slept.append))
    assert slept == []


def test_lamp_without_condition_is_not_read_again() -> None:
    store = Store(STORED)
    store.invalidate = lambda: pytest.fail("read again")  # type: ignore[method-assign]
    assert run(lamp(store, wait_timeout=30))[0].value == STORED
    assert run(lamp(Store(), state="absent"))[0].value is None


def test_module_result_is_changed_by_operations_alone() -> None:
    assert ModuleResult("lamp", None, extra={"more": 1}).as_dict() == {
        "changed": False,
        "operations": [],
        "lamp": None,
        "more": 1,
    }
    changed = ModuleResult("lamp", STORED, ["PUT /a"], diff=[]).as_dict()
    assert (changed["changed"], changed["diff"]) == (True, [])


def test_verification_takes_at_most_twenty_seconds_by_default() -> None:
    assert (converge.POLL_INITIAL_INTERVAL, converge.POLL_MAX_INTERVAL) == (0.1, 2.0)
    assert RunOptions().timeout == converge.VERIFY_TIMEOUT
