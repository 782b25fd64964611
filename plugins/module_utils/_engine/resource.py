# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a thing must say of itself to be converged: its identity, the fields it owns, how it is read and written.

Nothing here knows a Cloudflare object. Check mode, diff, retries and verification are the engine's: no resource knows them.
"""

from __future__ import annotations

import json
import typing as t
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from .._cloudflare.client import ApiResponse, Client

Attributes = dict[str, t.Any]
OptionSpec = t.Mapping[str, t.Any]

DIFFERENT = "(changed, not read)"  # what is there in place of what is wanted, where that is enough to know
UNKNOWN = "(known after apply)"  # what only the server can fill in; compares as different, never travels


def unchanged(value: t.Any) -> t.Any:
    """Compare as it is."""
    return value


def json_equal(one: t.Any, other: t.Any) -> bool:
    """Whether two values are the same as JSON: true is not 1 there, as it is in Python."""
    return repr(one) == repr(other) or json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def as_set(value: t.Any) -> t.Any:
    """Compare a list of strings as a set. Null is the empty one."""
    return sorted(set(value or []))


@dataclass(frozen=True)
class Field:
    """One attribute that a resource owns.

    C(spec) is its Ansible option, None where other options make it; C(normalize) is what both sides pass through before they are compared; C(initial) is what a
    new object has where the user is silent; C(removed) is what null makes of it.
    """

    name: str
    spec: OptionSpec | None
    normalize: t.Callable[[t.Any], t.Any] = unchanged
    initial: t.Any = UNKNOWN
    removed: t.Any = None


@dataclass(frozen=True)
class Step:
    """One write: what the plan prints and what apply sends.

    C(how) is called when it is sent, so that a plan of many uploads stays small; C(accept) reads the answer and may raise.
    """

    method: str
    path: str
    request: t.Callable[[], t.Mapping[str, t.Any]] = field(default=dict, compare=False)
    on_response: t.Callable[[ApiResponse], None] = field(default=lambda answer: None, compare=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def json_body(value: t.Any) -> t.Callable[[], t.Mapping[str, t.Any]]:
    """Send C(value) as JSON."""
    return lambda: {"json": value}


class Convergible(ABC):
    """What a module is about. An instance is what one task wants.

    C(given) holds what the user gave, and only that; C(options) every option with its default.
    """

    name: t.ClassVar[str]
    """The name of the module, and of the object in its result."""
    identity: t.ClassVar[t.Mapping[str, OptionSpec]] = {}
    """The options that say which object is meant."""
    fields: t.ClassVar[tuple[Field, ...]] = ()
    """What is owned of it."""
    behavior_options: t.ClassVar[t.Mapping[str, OptionSpec]] = {}
    """The options that say how, not what."""
    argument_rules: t.ClassVar[t.Mapping[str, t.Any]] = {}
    """What Ansible checks between options: mutually_exclusive, required_if, ..."""
    has_state: t.ClassVar[bool] = True
    """Whether there is an option C(state)."""
    list_option: t.ClassVar[str] = ""
    """The option that lists many objects, each of which is checked by itself: one that is wrong does not keep the others from their due."""
    needs_full_read: bool = False
    """Whether somebody wants to see all that is, and not only whether it differs."""

    def __init__(self, client: Client, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        self.client, self.user_params, self.options = client, given, options

    @property
    def warnings(self) -> list[str]:
        """What the user should know of this run though it did not fail."""
        return []

    @classmethod
    def spec(cls) -> dict[str, OptionSpec]:
        """Return the Ansible options of this kind."""
        return {
            **cls.identity,
            **{field.name: field.spec for field in cls.fields if field.spec},
            **cls.behavior_options,
        }


class Resource(Convergible):
    """One object of the API."""

    computed: t.ClassVar[tuple[str, ...]] = ()
    """What the server fills in when the object is made."""
    computed_on_write: t.ClassVar[tuple[str, ...]] = ()
    """What the server fills in anew at every change."""
    verify_after_write: t.ClassVar[bool] = True
    """Whether a write is proven by reading it back; else by its answer."""

    def __init__(self, client: Client, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        self.missing: list[str] = []
        """What must exist before anything can be written, each with its remedy. Found by C(observe)."""

    @property
    @abstractmethod
    def label(self) -> str:
        """How the object is called in messages and diffs."""

    @abstractmethod
    def observe(self) -> Attributes | None:
        """Read the object as it is; None where there is none, also where what it lives in is missing."""

    @abstractmethod
    def create(self, after: Attributes) -> t.Iterable[Step]:
        """Return the writes that make the object."""

    @abstractmethod
    def update(self, before: Attributes, after: Attributes, changed: t.Collection[str]) -> t.Iterable[Step]:
        """Return the writes that turn C(before) into C(after), of which the fields C(changed) differ."""

    @abstractmethod
    def delete(self, before: Attributes) -> t.Iterable[Step]:
        """Return the writes that remove the object."""

    def desired(self, before: Attributes | None) -> Attributes:
        """Return the given fields as they shall be. C(before) is there for fields that are merged into what exists."""
        return {
            field.name: field.removed if self.user_params[field.name] is None else self.user_params[field.name]
            for field in self.fields
            if field.name in self.user_params
        }

    def guard(self, before: Attributes | None, after: Attributes | None) -> None:
        """Refuse what must not be done to this object unasked. Runs before anything is written, in check mode too."""

    def after_write(self) -> None:
        """Called between the writes and the reading back."""

    def extra_diffs(self) -> list[Attributes]:
        """Return more diffs, in Ansible's form, of what C(shown) tells only in sum."""
        return []

    def pending_reason(self, thing: Attributes) -> str:
        """Say what has yet to happen to the object before the task ends; nothing where it waits for nothing. The option C(wait_timeout) says how long."""
        return ""

    def diff_view(self, thing: Attributes | None) -> Attributes:
        """Return what a diff shows of the object: identity and fields, not what the server fills in."""
        own = (*self.identity, *(field.name for field in self.fields))
        return {key: thing[key] for key in own if key in thing} if thing else {}
