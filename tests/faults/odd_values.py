# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values that options and responses should not have: of wrong types, and with odd, hostile or huge contents."""

from __future__ import annotations

import functools
import math
import typing as t
from dataclasses import dataclass

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

Options = dict[str, t.Any]
Spec = t.Mapping[str, t.Mapping[str, t.Any]]
HALF = "\ud800"
ELEMENT = "[]"  # in a path: an element of a list


def nested(depth: int) -> t.Any:
    return functools.reduce(lambda inner, _level: [inner], range(depth), [])


NUMBERS: tuple[t.Any, ...] = ({}, {"a": 1}, [], ["x"], math.nan, math.inf, "NaN", "Infinity", "soon", True)
TEXTS: tuple[t.Any, ...] = ({}, {"a": 1}, [], ["x"], HALF, f"a{HALF}b", "\udcff", math.nan)
WRONG_VALUES: dict[str, tuple[t.Any, ...]] = {  # by the type of an option
    "bool": ({}, {"a": 1}, [], ["x"], "perhaps", 7, math.nan, HALF),
    "dict": (True, 7, 1.5, "smart", [], ["x"], [None], {HALF: 1}, {"a": HALF}, {"a": [math.inf]}),
    "float": NUMBERS,
    "int": (*NUMBERS, 1.5, "1.5"),
    "list": ({}, {"a": 1}, [{}, HALF], [[math.nan]], HALF),
    "path": (*TEXTS, "a\0b"),
    "raw": (HALF, math.nan, -math.inf, {"a": math.nan}, {HALF: 1}, [[HALF]], nested(200)),
    "str": TEXTS,
}
WRONG_ELEMENTS = (True, 7, "x", [7], [None], ["x"], [{}, "x"], [["x"]], {"a": 1})  # of a list of dictionaries

ODD_TEXTS = (
    *(
        "",
        " ",
        "null",
        "None",
        "0",
        "-1",
        "True",
        ".",
        "..",
        "../../zones",
        "/",
        "//",
        "%2e%2e",
        "%00",
        "?a=b",
        "#",
        "*",
    ),
    *("a\0b", "a\nb", "a\r\nHost: b", "\x1b[31m", "\t", "\u2028", "\ufeff", "\u202e", "é", "ß.example.com", "🙂"),
    *("{{ lookup('pipe', 'id') }}", "{% raw %}", "(known after apply)", "(sensitive)", "datetime.date(2026, 1, 1)"),
    *("www.example.com", "*.example.com/*", "xn--a.example.com", "a" * 300, "a." * 200, "x" * 100_000, HALF, "a=b c=d"),
    *("2026-11-01", "2026-13-45", "1e999", "99999999999999999999", "0x10", "'", '"', "\\", "$(id)", "`id`", "-flag"),
    *(
        "127.0.0.1",
        "http://127.0.0.1",
        "https://[::1",
        "http://a:b@c",
        "{",
        "[",
        '{"a": 1}',
        "[1]",
        "plain_text",
        "json",
    ),
)
ODD_NUMBERS = (0, -1, 1, 59, 10**6, 2**31, 2**63, 2**70, -(2**70), 0.5, -0.5, 1e308, math.nan, math.inf)
SCALARS = st.one_of(
    st.sampled_from(ODD_TEXTS),
    st.sampled_from(ODD_NUMBERS),
    st.booleans(),
    st.none(),
    st.text(max_size=12),
    st.integers(-(2**66), 2**66),
    st.floats(),
)
KEYS = st.one_of(st.sampled_from(["name", "id", "type", "text", *ODD_TEXTS[:30]]), st.text(max_size=8))
ANYTHING: st.SearchStrategy[t.Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


TYPED: dict[str, st.SearchStrategy[t.Any]] = {  # values that ansible-core accepts, by the type of an option
    "bool": st.booleans(),
    "float": st.one_of(st.sampled_from([number for number in ODD_NUMBERS if math.isfinite(number)]), st.floats(0, 1)),
    "int": st.one_of(
        st.sampled_from([number for number in ODD_NUMBERS if isinstance(number, int)]), st.integers(0, 99)
    ),
    "path": st.sampled_from([text for text in ODD_TEXTS if text.isascii() and "\0" not in text]),
    "raw": ANYTHING,
    "str": st.one_of(st.sampled_from([text for text in ODD_TEXTS if HALF not in text]), st.text(max_size=12)),
}


def odd_value(option: t.Mapping[str, t.Any]) -> st.SearchStrategy[t.Any]:
    """Return odd values for an option: mostly of its own type, and null."""
    return st.one_of(_typed(option), _typed(option), _typed(option), st.none(), ANYTHING)


def _typed(option: t.Mapping[str, t.Any]) -> st.SearchStrategy[t.Any]:
    kind, suboptions = option.get("type", "str"), option.get("options") or {}
    if kind == "list":
        return st.lists(_typed({**option, "type": option.get("elements", "raw")}), max_size=3)
    if kind == "dict" and suboptions:
        values = {name: st.one_of(_typed(inner), st.none()) for name, inner in suboptions.items()}
        required = [name for name, inner in suboptions.items() if inner.get("required")]
        return st.fixed_dictionaries(
            {name: values[name] for name in required},
            optional={name: value for name, value in values.items() if name not in required},
        )
    if kind == "dict":
        return st.dictionaries(st.one_of(KEYS, st.sampled_from(["A", "PLAN"])), ANYTHING, max_size=3)
    if choices := option.get("choices"):
        return st.sampled_from(list(choices))
    return TYPED[kind]


def tries(count: int) -> t.Callable[[t.Any], t.Any]:
    """Decorate a property: so many examples, the same in each run."""
    return settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@dataclass(frozen=True)
class Place:
    """An option at any depth: its path, with C([]) for an element, and its specification."""

    path: tuple[str, ...]
    option: t.Mapping[str, t.Any]

    def __str__(self) -> str:
        return ".".join(self.path)

    @property
    def names(self) -> list[str]:
        """The names of the option and of those around it."""
        return [part for part in self.path if part != ELEMENT]

    @property
    def wrong_values(self) -> tuple[t.Any, ...]:
        """Values that the option can never accept."""
        wrong = WRONG_VALUES[self.option.get("type", "str")]
        return (*wrong, *WRONG_ELEMENTS) if self.option.get("elements") == "dict" else wrong

    def set(self, options: Options, value: t.Any) -> Options:
        """Return the options with another value at this place. Missing containers are added."""
        return t.cast("Options", _set(options, self.path, value))


def _set(container: t.Any, path: t.Sequence[str], value: t.Any) -> t.Any:
    if not path:
        return value
    if path[0] == ELEMENT:
        elements = container if isinstance(container, list) and container else [{}]
        return [_set(elements[0], path[1:], value), *elements[1:]]
    inner = container if isinstance(container, dict) else {}
    return {**inner, path[0]: _set(inner.get(path[0]), path[1:], value)}


def places(spec: Spec, prefix: tuple[str, ...] = ()) -> t.Iterator[Place]:
    """Yield every option of a specification, at every depth."""
    for name, option in spec.items():
        path = (*prefix, name)
        yield Place(path, option)
        inner = (*path, ELEMENT) if option.get("type") == "list" else path
        yield from places(option.get("options") or {}, inner)
