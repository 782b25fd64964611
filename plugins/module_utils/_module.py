# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The AnsibleModule front end of every module: the only exit_json, the only fail_json."""

from __future__ import annotations

import copy
import os
import traceback
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.validation import check_type_dict
from ansible.module_utils.errors import UnsupportedError

from ._cloudflare.client import HAS_REQUESTS, Client, get_client
from ._cloudflare.errors import CloudflareError
from ._engine.bulk import MAX_DETAILED_RESULTS, InvalidElement
from ._engine.converge import ModuleResult, RunOptions
from ._engine.fields import UNKNOWN, OptionSpec, is_known
from ._engine.progress import Progress
from ._engine.resource import Convergible
from ._renamed import add_new_names
from ._worker.source import PACKED_SOURCES

AUTH: dict[str, OptionSpec] = {
    "api_token": {"type": "str", "no_log": True},
    "api_key": {"type": "str", "no_log": True},
    "email": {"type": "str"},
    "account_id": {"type": "str"},
    "api_url": {"type": "str"},
}
STATE: dict[str, OptionSpec] = {"state": {"type": "str", "choices": ["present", "absent"], "default": "present"}}
VARIABLES = {
    "fingerprint_key": "CLOUDFLARE_FINGERPRINT_KEY"
}  # options that the environment may hold, besides the client's own
NEVER_EMPTY = (
    *(*AUTH, "fingerprint_key", "owner", "name", "dispatch_namespace", "pattern", "hostname"),
    *("workers_file", "id", "title", "namespace_id", "zone", "zone_id", "new_name"),
)
HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"  # Ansible's own word for it
SHORTEST_SCRUBBED = 8  # characters: scrubbing shorter ones from every text would mangle it
SHORTEST_MASKED = 4  # characters: the same for the text of a failure, which a server may have written
INTERNAL_ARGUMENTS = (PACKED_SOURCES,)  # the action plugin adds them; they are not options and appear in no result


def _name(key: str, spec: t.Mapping[str, OptionSpec]) -> str:
    """Return the own name of an option that was given by this one, which may be an alias; nothing where it is no option."""
    return key if key in spec else next((name for name, option in spec.items() if key in option.get("aliases", ())), "")


def given_options(
    values: t.Mapping[str, t.Any], raw: t.Mapping[str, t.Any], spec: t.Mapping[str, OptionSpec]
) -> dict[str, t.Any]:
    """Return of the validated C(values) those that the user gave: C(raw), as it arrived, is the mask. At every depth."""
    return {name: _given(values[name], value, spec[name]) for key, value in raw.items() if (name := _name(key, spec))}


def _given(value: t.Any, raw: t.Any, option: OptionSpec) -> t.Any:
    inner = option.get("options")
    match value, raw:
        case dict(), dict() if inner:
            return given_options(value, raw, inner)
        case dict(), str() if inner:  # as text: what is null in it cannot be told from what is not there
            return {key: one for key, one in value.items() if one is not None}
        case list(), list() if inner:
            return [_given(one, its, option) for one, its in zip(value, raw, strict=True)]
        case list(), str() if inner:
            return [_given(one, raw, option) for one in value]
    return value


def masked(raw: t.Any, spec: t.Mapping[str, OptionSpec]) -> t.Any:
    """Return the arguments for people to see: secrets hidden by where they stand, what is no option hidden altogether."""
    if isinstance(raw, list):
        return [masked(one, spec) for one in raw]
    if not isinstance(raw, dict):
        return raw
    return {key: _masked(value, spec[name]) if (name := _name(key, spec)) else HIDDEN for key, value in raw.items()}


def _masked(value: t.Any, option: OptionSpec) -> t.Any:
    if value is None:
        return None
    if option.get("no_log"):
        return dict.fromkeys(value, HIDDEN) if isinstance(value, dict) else HIDDEN
    inner = option.get("options")
    if not inner:
        return value
    if isinstance(value, str):  # a dictionary as JSON text, of which no part can be told from another
        return HIDDEN
    return masked(value, inner)


def secrets_in(raw: t.Any, spec: t.Mapping[str, OptionSpec]) -> t.Iterator[str]:
    """Yield the texts that arguments hold where the options are secret."""
    if not isinstance(raw, dict):
        return
    for key, value in raw.items():
        option = spec.get(_name(key, spec), {})
        if option.get("no_log"):
            yield from _texts(value)
        elif option.get("options"):
            for one in value if isinstance(value, list) else [value]:
                yield from secrets_in(one, option["options"])


def _texts(value: t.Any) -> t.Iterator[str]:
    match value:
        case dict():
            for one in value.values():
                yield from _texts(one)
        case list():
            for one in value:
                yield from _texts(one)
        case None | bool():
            return
        case _:
            yield str(value)


def scrubbed(text: str, secrets: t.Iterable[str]) -> str:
    """Return a text without these values, longest first: one may hold another."""
    found = [secret for secret in secrets if len(secret) >= SHORTEST_MASKED and secret in text]
    for secret in sorted(found, key=len, reverse=True):
        text = text.replace(secret, "********")
    return text


class Module(AnsibleModule):
    """AnsibleModule that keeps what the user gave apart from what it stands for, and hides secrets by structure."""

    def __init__(self, kind: type[Convergible]) -> None:
        self.raw: dict[str, t.Any] = {}
        self._many = kind.list_option
        self._elements: list[t.Any] = []
        self._internal: dict[str, t.Any] = {}
        states = STATE if kind.has_state else {}
        super().__init__(
            argument_spec={**kind.spec(), **states, **AUTH}, supports_check_mode=True, **kind.argument_rules
        )
        self.params.update(self._internal)
        for name, variable in VARIABLES.items():
            if name in self.params and self.params[name] is None:
                self.params[name] = os.environ.get(variable) or None
        self.secrets: set[str] = {value for value in (*self.no_log_values, self.params.get("fingerprint_key")) if value}
        self._of_many = {secret for element in self._elements for secret in secrets_in(element, self._element_spec)}
        self._scrub_only_long_ones()

    def _scrub_only_long_ones(self) -> None:
        """Ansible scrubs every text of each of these, in time that grows with their square, and short ones mangle the result.

        Of a large fleet's it is told nothing: they are hidden by where they stand, and scrubbed by us from what failed.
        """
        known = self.secrets | (self._of_many if len(self._elements) <= MAX_DETAILED_RESULTS else set())
        self.no_log_values: set[str] = {value for value in known if len(value) >= SHORTEST_SCRUBBED}

    def get_client(self) -> Client:
        """Return the client, whose credentials may come from the environment and must be scrubbed all the same."""
        client = get_client(self.params)
        client.rate_limiter.on_wait = Progress("", 0, client.rate_limiter).wait
        self.secrets.update(client.credentials.secrets)
        self._scrub_only_long_ones()
        return client

    def scrubbed(self, text: str) -> str:
        """Return a text of somebody else, perhaps a server's echo, without any secret."""
        return scrubbed(text, (*self.secrets, *self._of_many))

    def fail(self, message: str, **result: t.Any) -> t.NoReturn:
        """Fail with a message from which our own scrubbing took the secrets."""
        self.fail_json(self.scrubbed(message), **result)

    def fail_json(self, msg: str, **result: t.Any) -> t.NoReturn:
        super().fail_json(msg=add_new_names(msg, self.argument_spec), **result)
        raise AssertionError("fail_json does not return")

    def _load_params(self) -> None:
        super()._load_params()
        self._internal = {name: self.params.pop(name, None) for name in INTERNAL_ARGUMENTS}
        if isinstance(self.params.get(self._many), list):
            self._elements, self.params[self._many] = self.params[self._many], []
        self.raw = copy.deepcopy({key: value for key, value in self.params.items() if not key.startswith("_ansible_")})
        for key, value in self.raw.items():
            if any(
                isinstance(text, str) and "datetime.date(" in text
                for text in (value, *(self._elements if key == self._many else ()))
            ):
                self.fail_json(
                    msg=f"{key} holds a date that is not quoted, which this Ansible cannot pass on: write compatibility_date: '2026-11-01'"
                )

    def _log_invocation(self) -> None:
        """Write nothing to the system log: it would be the arguments of every item of every loop."""

    def _return_formatted(self, kwargs: dict[str, t.Any]) -> None:
        told = masked(self.raw, self.argument_spec)
        if self._elements:
            told[self._many] = (
                masked(self._elements, self._element_spec)
                if len(self._elements) <= MAX_DETAILED_RESULTS
                else f"{len(self._elements)} of them"
            )
        kwargs["invocation"] = {"module_args": told}
        super()._return_formatted(kwargs)

    def given(self) -> dict[str, t.Any]:
        """Return what the user gave, after refusing names and credentials that are null or empty."""
        given = given_options(self.params, self.raw, self.argument_spec)
        if self._elements:
            validator = ArgumentSpecValidator(
                self._element_spec, self.argument_spec[self._many].get("mutually_exclusive")
            )
            given[self._many] = [self._fit(element, validator) for element in self._elements]
        required = [name for name, option in self.argument_spec.items() if option.get("required")]
        for name in (*required, *NEVER_EMPTY):
            if name in given and given[name] in (None, ""):
                raise CloudflareError(
                    f"{name} is {'null' if given[name] is None else 'empty'}: give it a value, or leave it out if it is optional."
                )
        foreseen = [name for name, value in given.items() if not is_known(value)]
        if foreseen and not self.check_mode:
            raise CloudflareError(
                f"{foreseen[0]} holds {UNKNOWN!r}, which is what check mode foresees and no value: register it in the same run."
            )
        return given

    @property
    def _element_spec(self) -> dict[str, OptionSpec]:
        return t.cast("dict[str, OptionSpec]", self.argument_spec[self._many]["options"])

    def _fit(self, element: t.Any, validator: ArgumentSpecValidator) -> dict[str, t.Any]:
        """Return what was given of one of many objects, or why that is no declaration."""
        why = []
        if isinstance(element, str):
            try:
                element = check_type_dict(element)
            except TypeError as error:
                why = [str(error)]
        if not why and isinstance(element, dict):
            result = validator.validate(element)
            why = [
                add_new_names(f"unsupported parameters: {error.msg}", self.argument_spec)
                if isinstance(error, UnsupportedError)
                else error.msg
                for error in result.errors
            ]
            if not why:
                return given_options(result.validated_parameters, element, self._element_spec)
        unfit = InvalidElement(element if isinstance(element, dict) else {})
        unfit.error = self.scrubbed("; ".join(why) or f"{element!r} is no dictionary")
        return unfit

    def converge(self, kind: type[Convergible], client: Client, given: dict[str, t.Any]) -> ModuleResult:
        """Run the one flow."""
        run = RunOptions(self.check_mode, self._diff)
        return kind(client, given, self.params).converge(run)


def run(kind: type[Convergible]) -> None:
    """Be the module of this kind."""
    module = Module(kind)
    if not HAS_REQUESTS:
        module.fail(missing_required_lib("requests"))
    try:
        given = module.given()
        client = module.get_client()
        outcome = module.converge(kind, client, given)
    except CloudflareError as error:
        module.fail(str(error))
    except Exception as error:  # pylint: disable=broad-exception-caught  # a bug ends in one scrubbed message too
        trace = module.scrubbed(traceback.format_exc())
        module.fail(f"This is a bug in tenantry.cloudflare_workers: {type(error).__name__}: {error}", exception=trace)
    for warning in outcome.warnings:
        module.warn(module.scrubbed(warning))
    for one in outcome.value if kind.list_option else ():
        one.update({"msg": module.scrubbed(one["msg"])} if "msg" in one else {})
    if client.rate_limiter.waited >= 1:
        module.warn(f"Waited {client.rate_limiter.waited:.0f} s for the API budget or for Cloudflare to recover.")
        client.rate_limiter.waited = 0.0
    if outcome.failure:
        module.fail(outcome.failure, **outcome.as_dict())
    module.exit_json(**outcome.as_dict())
