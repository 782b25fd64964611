# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The secrets of a Worker: what is told of values that nobody can read, and when they are sent."""

from __future__ import annotations

import typing as t
from abc import abstractmethod

from .._engine.resource import Attributes, OptionSpec, Resource, Step
from .._worker import bindings
from .._worker.fingerprint import FingerprintTag, secrets_digest

# Placeholders for the values of secrets in results and diffs.
SENSITIVE, SENSITIVE_CHANGED = "(sensitive)", "(sensitive, changed)"
SENSITIVE_POSSIBLY_CHANGED = "(sensitive, possibly changed)"
SPEC: OptionSpec = {"type": "dict", "no_log": True}
CONTROLS: dict[str, OptionSpec] = {
    "fingerprint_key": {"type": "str", "no_log": True},
    "update_secrets": {"type": "str", "choices": ["on_change", "on_create", "always"]},
}


def uncompared_secrets_warnings(count: int) -> list[str]:
    """Return the warning that C(count) secrets were left as they are, if any were."""
    remedy = "Give fingerprint_key (CLOUDFLARE_FINGERPRINT_KEY) to have changed values noticed."
    return [f"Secrets whose values could not be compared with what exists: {count}. {remedy}"] if count else []


class SecretsMixin(Resource):
    """A Worker as far as its secrets go. Its stamp holds a hash of them."""

    def __init__(self, client: t.Any, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        self._fingerprint_tag: FingerprintTag | None = None
        self._force_send, self._verifying = self._update_policy == "always", False
        self.uncompared_count = 0
        """How many secrets exist whose values could not be compared, for want of a key."""

    @property
    @abstractmethod
    def path(self) -> str:
        """Return the path of the script."""

    @property
    def warnings(self) -> list[str]:
        return uncompared_secrets_warnings(self.uncompared_count)

    @property
    def _fingerprint_key(self) -> str | None:
        return self.options.get("fingerprint_key")

    @property
    def _update_policy(self) -> str:
        return self.options.get("update_secrets") or ("on_change" if self._fingerprint_key else "on_create")

    @property
    def _secrets(self) -> dict[str, t.Any]:
        given = self.user_params.get("secrets") or {}
        return {
            name: value if value is None or isinstance(value, dict) else str(value) for name, value in given.items()
        }

    @property
    def _secret_values(self) -> dict[str, t.Any]:
        return {name: value for name, value in self._secrets.items() if value is not None}

    def _secrets_digest(self) -> str:
        secrets = None if self.user_params["secrets"] is None else self._secrets
        return secrets_digest(secrets, self._fingerprint_key if self._update_policy == "on_change" else None)

    def _observed_secrets(self, names: t.Iterable[str]) -> dict[str, str]:
        """Return the placeholders of these existing secrets: unchanged, changed, or possibly changed.

        One hash covers all declared secrets: if it differs and there are several, any of them may have changed.
        """
        same = (
            self._fingerprint_tag is not None
            and "secrets" in self.user_params
            and self._fingerprint_tag.secrets == self._secrets_digest()
        )
        placeholder = SENSITIVE
        if self._force_send:
            placeholder = SENSITIVE_CHANGED
        elif self._update_policy == "on_change" and not same:
            placeholder = SENSITIVE_CHANGED if len(self._secrets) == 1 else SENSITIVE_POSSIBLY_CHANGED
        return {name: placeholder if name in self._secrets else SENSITIVE for name in names}

    def _desired_secrets(self, there: t.Mapping[str, t.Any]) -> dict[str, str]:
        """Return the secrets as they shall be: those that exist and are not named stay, but where the whole option is null."""
        stay = [] if self.user_params["secrets"] is None else [name for name in there if name not in self._secrets]
        return {**dict.fromkeys(stay, SENSITIVE), **dict.fromkeys(self._secret_values, SENSITIVE)}

    def _count_uncompared(self) -> None:
        if not self._fingerprint_key and self._update_policy == "on_create" and not self._verifying:
            self.uncompared_count = len(self._secret_values)

    def _secrets_to_send(self, before: Attributes | None, after: Attributes) -> dict[str, t.Any]:
        there = (before or {}).get("secrets", {})
        return {name: value for name, value in self._secret_values.items() if there.get(name) != after["secrets"][name]}

    def _patch_secrets(self, values: t.Mapping[str, t.Any]) -> Step:
        patch = {
            name: None if value is None else bindings.secret_binding(name, value) for name, value in values.items()
        }
        headers = {"Content-Type": "application/merge-patch+json"}
        return Step("PATCH", f"{self.path}/secrets-bulk", lambda: {"json": {"secrets": patch}, "headers": headers})

    def after_write(self) -> None:
        self._force_send, self._verifying = False, True
