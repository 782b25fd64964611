# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Worker is set to, beside its code and its bindings. One table; the modules, the comparison and both writes read it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._engine.resource import Field, Spec, unordered

RATE: Spec = {"type": "float"}
STREAM: dict[str, Spec] = {
    "head_sampling_rate": RATE,
    "persist": {"type": "bool"},
    "destinations": {"type": "list", "elements": "str"},
}


@dataclass(frozen=True)
class Setting:
    """One setting: its Ansible option, what null makes of it, and what stands for it where an answer says nothing."""

    spec: Spec
    nothing: t.Any
    normalize: t.Callable[[t.Any], t.Any]
    merged: bool = False
    """Whether keys that are not given stay as they are."""


def _known(spec: Spec) -> t.Callable[[t.Any], t.Any]:
    """Compare what the option can say: what else the server tells of it is its own."""

    def known(value: t.Any) -> t.Any:
        return {
            key: _plain(inner, spec["options"].get(key, {}))
            for key, inner in (value or {}).items()
            if key in spec["options"] and inner is not None
        }

    return known


def _plain(value: t.Any, spec: Spec) -> t.Any:
    if "options" in spec:
        return _known(spec)(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


OBSERVABILITY: Spec = {
    "type": "dict",
    "options": {
        "enabled": {"type": "bool", "required": True},
        "head_sampling_rate": RATE,
        "logs": {
            "type": "dict",
            "options": {
                "enabled": {"type": "bool", "required": True},
                "invocation_logs": {"type": "bool", "required": True},
                **STREAM,
            },
        },
        "traces": {"type": "dict", "options": {"enabled": {"type": "bool"}, **STREAM}},
    },
}
LIMITS: Spec = {"type": "dict", "options": {"cpu_ms": {"type": "int"}, "subrequests": {"type": "int"}}}
PLACEMENT: Spec = {
    "type": "dict",
    "options": {
        "mode": {"type": "str", "choices": ["smart", "targeted"]},
        **{key: {"type": "str"} for key in ("region", "hostname", "host")},
    },
}
CACHE: Spec = {
    "type": "dict",
    "options": {"enabled": {"type": "bool", "required": True}, "cross_version_cache": {"type": "bool"}},
}
CONSUMERS: Spec = {
    "type": "list",
    "elements": "dict",
    "options": {
        "service": {"type": "str", "required": True},
        "namespace": {"type": "str"},
        "environment": {"type": "str"},
    },
}
PRODUCTION = "production"  # the environment that every Worker has


def _switched(spec: Spec) -> t.Callable[[t.Any], t.Any]:
    """Compare an object that says whether it is enabled: not at all is the same as null."""
    return lambda value: {"enabled": False, **_known(spec)(value)}


def _consumers(value: t.Any) -> t.Any:
    told = [
        {key: one for key, one in consumer.items() if key in CONSUMERS["options"] and one not in (None, "", PRODUCTION)}
        for consumer in value or []
    ]
    return sorted(told, key=lambda consumer: sorted(consumer.items()))


SETTINGS = {
    "compatibility_date": Setting({"type": "str"}, None, lambda value: value),
    "compatibility_flags": Setting({"type": "list", "elements": "str"}, [], unordered),
    "limits": Setting(LIMITS, {}, _known(LIMITS)),
    "observability": Setting(OBSERVABILITY, {"enabled": False}, _switched(OBSERVABILITY), merged=True),
    "placement": Setting(PLACEMENT, {}, _known(PLACEMENT)),
    "logpush": Setting({"type": "bool"}, False, bool),
    "tail_consumers": Setting(CONSUMERS, [], _consumers),
    "cache_options": Setting(CACHE, {"enabled": False}, _switched(CACHE), merged=True),
    "usage_model": Setting({"type": "str"}, "standard", lambda value: value or "standard"),
}
FIELDS = tuple(
    Field(
        name,
        setting.spec,
        setting.normalize,
        **({} if setting.nothing is None else {"initial": setting.nothing, "removed": setting.nothing}),
    )
    for name, setting in SETTINGS.items()
)


def wanted(given: t.Mapping[str, t.Any], before: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the given settings as they shall be: what can be given in part, laid over what there is."""
    found = {}
    for name, setting in SETTINGS.items():
        if name in given:
            there, value = before.get(name) or {}, setting.nothing if given[name] is None else given[name]
            if setting.merged:
                value = off(there) if given[name] is None else laid_over(there, value)
            found[name] = value
    return found


def is_merged(name: str) -> bool:
    """Whether what is given of a field of a Worker is laid over what there is."""
    return name in SETTINGS and SETTINGS[name].merged


def off(there: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return what there is, with nothing in it enabled."""
    return {**{key: off(value) if isinstance(value, dict) else value for key, value in there.items()}, "enabled": False}


def laid_over(there: t.Any, given: t.Any) -> t.Any:
    """Return C(given) with the keys that only C(there) has, at every depth."""
    if not (isinstance(there, dict) and isinstance(given, dict)):
        return given
    return {**there, **{key: laid_over(there.get(key), value) for key, value in given.items() if value is not None}}


def seen(answer: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the settings as an answer of the API tells them."""
    return {name: setting.nothing if answer.get(name) is None else answer[name] for name, setting in SETTINGS.items()}
