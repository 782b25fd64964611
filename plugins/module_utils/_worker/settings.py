# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Worker is set to, beside its code and its bindings. One table; the modules, the comparison and both writes read it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._engine.resource import Field, Spec, unordered

RATE: Spec = {"type": "float"}
TELEMETRY_OPTIONS: dict[str, Spec] = {
    "head_sampling_rate": RATE,
    "persist": {"type": "bool"},
    "destinations": {"type": "list", "elements": "str"},
}


@dataclass(frozen=True)
class Setting:
    """One setting: its Ansible option, what null makes of it, and what stands for it where an answer says nothing."""

    spec: Spec
    default: t.Any
    normalize: t.Callable[[t.Any], t.Any]
    is_partial: bool = False
    """Whether keys that are not given stay as they are."""


def _known_keys(spec: Spec) -> t.Callable[[t.Any], t.Any]:
    """Compare what the option can say: what else the server tells of it is its own."""

    def known_keys(value: t.Any) -> t.Any:
        return {
            key: _plain(inner, spec["options"].get(key, {}))
            for key, inner in (value or {}).items()
            if key in spec["options"] and inner is not None
        }

    return known_keys


def _plain(value: t.Any, spec: Spec) -> t.Any:
    if "options" in spec:
        return _known_keys(spec)(value)
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
                **TELEMETRY_OPTIONS,
            },
        },
        "traces": {"type": "dict", "options": {"enabled": {"type": "bool"}, **TELEMETRY_OPTIONS}},
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


def _with_enabled_default(spec: Spec) -> t.Callable[[t.Any], t.Any]:
    """Compare an object that says whether it is enabled: not at all is the same as null."""
    return lambda value: {"enabled": False, **_known_keys(spec)(value)}


def _consumers(value: t.Any) -> t.Any:
    consumers = [
        {
            key: item
            for key, item in consumer.items()
            if key in CONSUMERS["options"] and item not in (None, "", PRODUCTION)
        }
        for consumer in value or []
    ]
    return sorted(consumers, key=lambda consumer: sorted(consumer.items()))


SETTINGS = {
    "compatibility_date": Setting({"type": "str"}, None, lambda value: value),
    "compatibility_flags": Setting({"type": "list", "elements": "str"}, [], unordered),
    "limits": Setting(LIMITS, {}, _known_keys(LIMITS)),
    "observability": Setting(OBSERVABILITY, {"enabled": False}, _with_enabled_default(OBSERVABILITY), is_partial=True),
    "placement": Setting(PLACEMENT, {}, _known_keys(PLACEMENT)),
    "logpush": Setting({"type": "bool"}, False, bool),
    "tail_consumers": Setting(CONSUMERS, [], _consumers),
    "cache_options": Setting(CACHE, {"enabled": False}, _with_enabled_default(CACHE), is_partial=True),
    "usage_model": Setting({"type": "str"}, "standard", lambda value: value or "standard"),
}
FIELDS = tuple(
    Field(
        name,
        setting.spec,
        setting.normalize,
        **({} if setting.default is None else {"initial": setting.default, "removed": setting.default}),
    )
    for name, setting in SETTINGS.items()
)


def desired(user_params: t.Mapping[str, t.Any], current: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the given settings as they shall be: what can be given in part, laid over what there is."""
    found = {}
    for name, setting in SETTINGS.items():
        if name in user_params:
            value = setting.default if user_params[name] is None else user_params[name]
            if setting.is_partial:
                present = current.get(name) or {}
                value = disabled(present) if user_params[name] is None else deep_merge(present, value)
            found[name] = value
    return found


def is_partial(name: str) -> bool:
    """Whether what is given of a field of a Worker is laid over what there is."""
    return name in SETTINGS and SETTINGS[name].is_partial


def disabled(current: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return what there is, with nothing in it enabled."""
    return {
        **{key: disabled(value) if isinstance(value, dict) else value for key, value in current.items()},
        "enabled": False,
    }


def deep_merge(current: t.Any, user_params: t.Any) -> t.Any:
    """Return C(given) with the keys that only C(there) has, at every depth."""
    if not (isinstance(current, dict) and isinstance(user_params, dict)):
        return user_params
    return {
        **current,
        **{key: deep_merge(current.get(key), value) for key, value in user_params.items() if value is not None},
    }


def from_api(response: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the settings as an answer of the API tells them."""
    return {
        name: setting.default if response.get(name) is None else response[name] for name, setting in SETTINGS.items()
    }
