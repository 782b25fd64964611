# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects in responses: what may be missing is filled in, and what must be there is required."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.items import (
    Item,
    ShapeError,
    fill,
)

PART = Item("a binding", required=("name",), defaults={"text": ""})
ITEM = Item(
    "a Worker",
    required=("id",),
    values=("count",),
    defaults={"tags": [], "limits": {}, "is_on": False, "logpush": None, "note": ""},
    nulls={"hosts": []},
    types={"usage": str},
    parts={"bindings": PART, "names": str, "main": PART},
)
WHOLE: dict[str, t.Any] = {
    "id": "a",
    "count": 0,
    "tags": ["x"],
    "limits": {"cpu_ms": 1},
    "is_on": True,
    "logpush": 1,
    "note": "n",
    "hosts": ["h"],
    "usage": "u",
    "bindings": [{"name": "b", "text": "t"}],
    "names": ["n"],
    "main": {"name": "m"},
}


def filled(**changes: t.Any) -> dict[str, t.Any]:
    value = {key: item for key, item in {**WHOLE, **changes}.items() if item is not ...}
    fill(value, ITEM)
    return value


def test_item_with_all_keys_is_unchanged() -> None:
    assert filled() == {**WHOLE, "main": {"name": "m", "text": ""}}
    assert filled(more=1)["more"] == 1, "unknown keys stay"


@pytest.mark.parametrize("missing", [None, ...])
def test_item_missing_and_null_keys_get_their_defaults(missing: t.Any) -> None:
    value = filled(**dict.fromkeys(("tags", "limits", "is_on", "logpush", "note"), missing))
    assert [value[key] for key in ("tags", "limits", "is_on", "logpush", "note")] == [[], {}, False, None, ""]
    value["tags"].append("x")
    value["limits"]["a"] = 1
    again = filled(tags=missing, limits=missing)
    assert (again["tags"], again["limits"]) == ([], {}), "a default is not shared"


def test_item_null_is_replaced_but_a_missing_key_stays_missing() -> None:
    assert filled(hosts=None)["hosts"] == [] and "hosts" not in filled(hosts=...)


@pytest.mark.parametrize("key", ["usage", "bindings", "names", "main"])
def test_item_optional_keys_may_be_missing_or_null(key: str) -> None:
    assert key not in filled(**{key: ...}) and filled(**{key: None})[key] is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("id", value) for value in (..., None, "", 1, ["a"])),
        *(("count", value) for value in (..., None)),
        *(("tags", value) for value in ("x", {}, 0, False, "")),
        *(("limits", value) for value in ("x", [], 0)),
        *(("is_on", value) for value in ("true", 1, [])),
        *(("note", value) for value in (1, [])),
        *(("hosts", value) for value in ("h", {})),
        *(("usage", value) for value in (1, [], False)),
        *(("bindings", value) for value in (["x"], [None], [{}], [{"name": ""}], [{"name": "b"}, {}], "x")),
        *(("names", value) for value in ([1], ["n", None])),
        *(("main", value) for value in ({}, "m", [{}])),
    ],
)
def test_item_of_another_shape_is_refused_by_its_key(key: str, value: t.Any) -> None:
    with pytest.raises(ShapeError, match=r"^contains "):
        filled(**{key: value})


@pytest.mark.parametrize("value", [None, [], "a", 1])
def test_item_that_is_no_object_is_refused(value: t.Any) -> None:
    with pytest.raises(ShapeError, match="not an object"):
        fill(value, ITEM)


def test_item_mapping_has_values_of_one_shape() -> None:
    mapping = Item("settings", parts={"*": PART}, is_mapping=True)
    value: dict[str, t.Any] = {"a": {"name": "x"}, "b": None}
    fill(value, mapping)
    assert value == {"a": {"name": "x", "text": ""}, "b": None}
    for wrong in ({"a": {}}, {"a": [{"name": "x"}]}, {"a": 1}):
        with pytest.raises(ShapeError):
            fill(wrong, mapping)
