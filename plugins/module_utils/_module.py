# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The AnsibleModule front end of every module: the only exit_json, the only fail_json."""

from __future__ import annotations

import copy
import os
import traceback
import typing as t

from ansible.module_utils.basic import missing_required_lib

from ._ansible_core import INTERNAL_PREFIX, HookedModule
from ._arguments import check_identifying_options, check_resolved, select_user_params, validate_elements
from ._cloudflare.client import Client, get_client
from ._cloudflare.connections import HAS_REQUESTS
from ._cloudflare.errors import CloudflareError
from ._cloudflare.interruption import Interrupted
from ._engine.bulk import MAX_DETAILED_RESULTS, InvalidElement
from ._engine.converge import ModuleResult, RunOptions
from ._engine.fields import OptionSpec, mark_unknown
from ._engine.progress import Progress
from ._engine.resource import Convergible
from ._engine.text import as_message
from ._interruption import CONTROLLER_PROCESS, CONTROLLER_TIMEOUT, interruptible, orphan_check
from ._option_names import OPTION_NAMES, rename_options
from ._redaction import MIN_NO_LOG_LENGTH, Redactor
from ._renamed import add_new_names
from ._secret_options import iter_secrets, mask_arguments
from ._value_types import describe_type_errors
from ._worker.source import PACKED_SOURCES

AUTH: dict[str, OptionSpec] = {
    "api_token": {"type": "str", "no_log": True},
    "api_key": {"type": "str", "no_log": True},
    "email": {"type": "str"},
    "account_id": {"type": "str"},
    "api_url": {"type": "str"},
}
STATE: dict[str, OptionSpec] = {"state": {"type": "str", "choices": ["present", "absent"], "default": "present"}}
ENV_FALLBACKS = {"fingerprint_key": "CLOUDFLARE_FINGERPRINT_KEY"}  # in addition to those of the client
SECRET_VARIABLES = ("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY", *ENV_FALLBACKS.values())
SECRETS_BY_ELEMENT = ("secrets_by_worker",)  # options with secrets of the elements of the list option
FILE_WARNINGS = "_file_warnings"  # warnings about a file that only the action plugin reads
LONG_WAIT = 60.0  # seconds
# The action plugin adds them. They are not options and appear in no result.
INTERNAL_ARGUMENTS = (PACKED_SOURCES, CONTROLLER_PROCESS, CONTROLLER_TIMEOUT, OPTION_NAMES, FILE_WARNINGS)


class CloudflareModule(HookedModule):
    """AnsibleModule that keeps the raw arguments beside the validated ones, and hides secrets by option."""

    def __init__(self, kind: type[Convergible]) -> None:
        self.raw: dict[str, t.Any] = {}
        self.secrets: set[str] = set()
        self._element_secrets: set[str] = set()
        self._kind, self._list_option = kind, kind.list_option
        self._elements: list[t.Any] = []
        self._internal: dict[str, t.Any] = {}
        states = STATE if kind.has_state else {}
        super().__init__(
            argument_spec={**kind.spec(), **states, **AUTH}, supports_check_mode=True, **kind.argument_rules
        )
        if self.check_mode:
            self.params = mark_unknown(self.params)
        self.params.update(self._internal)
        for name, variable in ENV_FALLBACKS.items():
            if name in self.params and self.params[name] is None:
                self.params[name] = os.environ.get(variable) or None
        self._add_secrets(*self.no_log_values, self.params.get("fingerprint_key"))

    def _add_secrets(self, *secrets: t.Any) -> None:
        """Redact further secrets, from the texts of the result too.

        ansible-core would redact them once more, in a time that grows with the square of their number. Short values
        would mangle the result. Secrets of many elements are therefore redacted from messages only.
        """
        self.secrets |= {secret for secret in secrets if secret} - self._element_secrets
        sizes = (len(self._elements), *map(len, self._secrets_by_element.values()))
        is_small = max(sizes) <= MAX_DETAILED_RESULTS
        shown_secrets = self.secrets | (self._element_secrets if is_small else set())
        self.no_log_values: set[str] = {value for value in shown_secrets if len(value) >= MIN_NO_LOG_LENGTH}
        self._redact_result = Redactor(shown_secrets, MIN_NO_LOG_LENGTH)
        self._redact_message = Redactor((*self.secrets, *self._element_secrets))

    def get_client(self) -> Client:
        """Return the client. Its credentials become secrets of the module, even if they come from the environment."""
        client = get_client(self.params)
        client.rate_limiter.on_wait = Progress("", 0, client.rate_limiter).wait
        self._add_secrets(*client.credentials.secrets)
        return client

    def redact(self, text: str) -> str:
        """Redact every secret of the module in a text, such as a server's error message."""
        return self._redact_message(text)

    def warn(self, warning: str, **kwargs: t.Any) -> None:
        """Show a redacted warning, with the names of a role's variables."""
        super().warn(as_message(self.rename_options(self.redact(warning))), **kwargs)

    def rename_options(self, text: str) -> str:
        """Replace the names of options in a text with the variables of the role that runs the module."""
        return rename_options(text, self._internal.get(OPTION_NAMES) or {})

    def warn_about_file(self) -> None:
        """Show the warnings about the file that declares elements of the list option."""
        for warning in self._internal.get(FILE_WARNINGS) or ():
            self.warn(warning)

    def fail_json(self, msg: str, **result: t.Any) -> t.NoReturn:
        """Fail with the redacted message, the new names of renamed options, and the names of a role's variables."""
        msg = self.rename_options(add_new_names(self.redact(msg), self.argument_spec))
        super().fail_json(msg=as_message(msg), **result)
        raise AssertionError("fail_json does not return")

    def prepare_arguments(self, arguments: dict[str, t.Any]) -> None:
        """Take out internal arguments and the elements of the list option, and copy the raw arguments."""
        self._internal = {name: arguments.pop(name, None) for name in INTERNAL_ARGUMENTS}
        if isinstance(arguments.get(self._list_option), list):
            self._elements, arguments[self._list_option] = arguments[self._list_option], []
        self.raw = copy.deepcopy(
            {key: value for key, value in arguments.items() if not key.startswith(INTERNAL_PREFIX)}
        )
        self._find_secrets()
        for key, value in self.raw.items():
            texts = (value, *(self._elements if key == self._list_option else ()))
            if any(isinstance(text, str) and "datetime.date(" in text for text in texts):
                self.fail_json(
                    f"{key}: this version of ansible-core passes the unquoted date in the value as Python code."
                    " Quote it, as in compatibility_date: '2026-11-01'."
                )
        if type_errors := describe_type_errors(self.raw, self.argument_spec):
            self.fail_json(type_errors)

    def _find_secrets(self) -> None:
        """Collect the secrets of the arguments before the validation, whose errors may quote them."""
        by_element = {name: self.raw[name] for name in SECRETS_BY_ELEMENT if name in self.raw}
        self._element_secrets = {
            *(iter_secrets(self._elements, self._element_spec) if self._elements else ()),
            *iter_secrets(by_element, self.argument_spec),
        }
        variables = (os.environ.get(name, "").strip() for name in SECRET_VARIABLES)
        self._add_secrets(*variables, *iter_secrets(self.raw, self.argument_spec))

    def visible_arguments(self) -> dict[str, t.Any]:
        """Return the raw arguments without secrets, and only the number of elements in a long list."""
        hidden = [name for name, shown_by in self._kind.hidden_options.items() if self.params.get(shown_by) is not True]
        module_args: dict[str, t.Any] = mask_arguments(self.raw, self.argument_spec, hidden)
        module_args.update({name: f"({len(value)} elements)" for name, value in self._secrets_by_element.items()})
        count = len(self._elements)
        if count > MAX_DETAILED_RESULTS:
            module_args[self._list_option] = f"({count} elements)"
        elif count:
            module_args[self._list_option] = mask_arguments(self._elements, self._element_spec)
        return module_args

    def visible_result(self, result: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the result without secrets."""
        return {key: self._redact_result.redact_values(value) for key, value in result.items()}

    def user_params(self) -> dict[str, t.Any]:
        """Return the validated options that the user set, without defaults.

        Raises CloudflareError if an identifying option or a credential is null or empty, or if an identifying option
        holds a placeholder outside check mode. An invalid element of the list option is returned as ``InvalidElement``.
        """
        user_params = select_user_params(self.params, self.raw, self.argument_spec)
        if self._elements:
            option = self.argument_spec[self._list_option]
            user_params[self._list_option] = self._validate_elements(option)
        check_identifying_options(user_params, self.argument_spec)
        if not self.check_mode:
            check_resolved(user_params, self.argument_spec)
        return user_params

    def _validate_elements(self, option: OptionSpec) -> list[dict[str, t.Any]]:
        elements = validate_elements(self._elements, option, self.argument_spec)
        for position, element in enumerate(elements):
            if isinstance(element, InvalidElement):
                element.error = self.redact(element.error)
            elif self.check_mode:
                elements[position] = mark_unknown(element)
        return elements

    @property
    def _secrets_by_element(self) -> dict[str, dict[str, t.Any]]:
        """The options that hold secrets of elements of the list option."""
        return {name: self.params[name] for name in SECRETS_BY_ELEMENT if isinstance(self.params.get(name), dict)}

    @property
    def _element_spec(self) -> dict[str, OptionSpec]:
        return t.cast("dict[str, OptionSpec]", self.argument_spec[self._list_option]["options"])

    def converge(self, kind: type[Convergible], client: Client, user_params: dict[str, t.Any]) -> ModuleResult:
        """Reconcile with the desired state, or predict the changes in check mode. Fail if the run is interrupted."""
        interruption = client.interruption
        interruption.start_run(orphan_check(self.params[CONTROLLER_PROCESS]))
        try:
            with interruptible(interruption, self.params[CONTROLLER_TIMEOUT] or 0):
                return kind(client, user_params, self.params).converge(RunOptions(self.check_mode, self.diff_mode))
        except Interrupted:
            operations = list(interruption.acknowledged)
            self.fail_json(interruption.describe(), changed=bool(operations), operations=operations)


def run(kind: type[Convergible]) -> None:
    """Run the module of this kind: converge, then exit with the result or fail."""
    module = CloudflareModule(kind)
    if not HAS_REQUESTS:
        module.fail_json(missing_required_lib("requests"))
    module.warn_about_file()
    try:
        user_params = module.user_params()
        client = module.get_client()
        outcome = module.converge(kind, client, user_params)
    except CloudflareError as error:
        module.fail_json(str(error))
    except Exception as error:  # pylint: disable=broad-exception-caught  # ansible-core would not redact the traceback
        trace = module.redact(traceback.format_exc())
        module.fail_json(
            f"This is a bug in tenantry.cloudflare_workers: {type(error).__name__}: {error}", exception=trace
        )
    for warning in outcome.warnings:
        module.warn(warning)
    for member in outcome.value if kind.list_option else ():
        if "msg" in member:
            member["msg"] = as_message(module.rename_options(module.redact(member["msg"])))
    if client.rate_limiter.waited >= 1:
        hint = client.rate_limiter.reset_hint if client.rate_limiter.waited >= LONG_WAIT else ""
        module.warn(f"Waited {client.rate_limiter.waited:.0f} s for the rate limit or for Cloudflare to recover.{hint}")
        client.rate_limiter.waited = 0.0
    if outcome.failure:
        module.fail_json(outcome.failure, **outcome.as_dict())
    module.exit_json(**outcome.as_dict())
