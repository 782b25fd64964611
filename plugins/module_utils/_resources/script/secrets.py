# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The secrets that a task declares for a Worker. Cloudflare never returns their values, so hashes decide."""

from __future__ import annotations

import dataclasses
import typing as t
from dataclasses import dataclass, field

from ..._engine.fields import Attributes, OptionSpec
from ..._engine.plan import Step
from ..._worker import bindings
from ..._worker.fingerprint import FingerprintTag, secrets_digest

# Placeholders for the values of secrets in results and diffs.
SENSITIVE, SENSITIVE_CHANGED = "(sensitive)", "(sensitive, changed)"
SENSITIVE_POSSIBLY_CHANGED = "(sensitive, possibly changed)"
SPEC: OptionSpec = {"type": "dict", "no_log": True}
CONTROLS: dict[str, OptionSpec] = {
    "fingerprint_key": {"type": "str", "no_log": True},
    "update_secrets": {"type": "str", "choices": ["on_change", "on_create", "always"]},
}
MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}


@dataclass(frozen=True)
class SecretsPolicy:
    """The declared secrets of a Worker, and when their values are sent.

    ``declared`` maps each name to a text, a key (dict), or None, which removes the secret. It is None if the task does
    not manage secrets. ``remove_others`` means that the option itself is null: the Worker must have no secrets.
    """

    declared: t.Mapping[str, t.Any] | None = field(default=None, repr=False)
    remove_others: bool = False
    key: str | None = field(default=None, repr=False)
    update: str = "on_create"
    resend: bool = False

    @classmethod
    def from_options(cls, user_params: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> SecretsPolicy:
        """Build the policy from the options secrets, fingerprint_key and update_secrets."""
        key = options.get("fingerprint_key")
        update = options.get("update_secrets") or ("on_change" if key else "on_create")
        secrets = user_params.get("secrets") or {}
        declared = {
            name: value if value is None or isinstance(value, dict) else str(value) for name, value in secrets.items()
        }
        return cls(
            declared=declared if "secrets" in user_params else None,
            remove_others="secrets" in user_params and user_params["secrets"] is None,
            key=key,
            update=update,
            resend=update == "always",
        )

    @property
    def is_managed(self) -> bool:
        """Whether the task manages secrets at all."""
        return self.declared is not None

    @property
    def values(self) -> dict[str, t.Any]:
        """The secrets that must exist, with their values."""
        return {name: value for name, value in (self.declared or {}).items() if value is not None}

    @property
    def digest(self) -> str:
        """The segment of the fingerprint tag: an HMAC of the values if they are compared, else a hash of the names."""
        declared = None if self.remove_others else self.declared
        return secrets_digest(declared, self.key if self.update == "on_change" else None)

    @property
    def uncompared_count(self) -> int:
        """The number of values that cannot be compared, for want of a key."""
        return len(self.values) if not self.key and self.update == "on_create" else 0

    def observed(self, names: t.Iterable[str], tag: FingerprintTag | None) -> dict[str, str]:
        """Return the placeholders of these existing secrets: unchanged, changed, or possibly changed.

        One hash covers all declared secrets: if it differs and there are several, any of them may have changed.
        """
        same, declared = tag is not None and self.is_managed and tag.secrets == self.digest, self.declared or {}
        placeholder = SENSITIVE
        if self.resend:
            placeholder = SENSITIVE_CHANGED
        elif self.update == "on_change" and not same:
            placeholder = SENSITIVE_CHANGED if len(declared) == 1 else SENSITIVE_POSSIBLY_CHANGED
        return {name: placeholder if name in declared else SENSITIVE for name in names}

    def desired(self, current: t.Iterable[str]) -> dict[str, str]:
        """Return the secrets that will exist as placeholders. Undeclared ones stay, unless all others are removed."""
        undeclared = [] if self.remove_others else [name for name in current if name not in (self.declared or {})]
        return {**dict.fromkeys(undeclared, SENSITIVE), **dict.fromkeys(self.values, SENSITIVE)}

    def kept(self, names: t.Iterable[str]) -> frozenset[str]:
        """Return the existing secrets that the task does not remove."""
        if self.remove_others:
            return frozenset()
        return frozenset(name for name in names if (self.declared or {}).get(name, "") is not None)

    def removed(self, before: Attributes, after: Attributes) -> dict[str, None]:
        """Return the secrets that go, as a patch for the API."""
        return {name: None for name in before.get("secrets", {}) if name not in after.get("secrets", {})}

    def to_send(self, before: Attributes | None, after: Attributes) -> dict[str, t.Any]:
        """Return the values to send: new ones, and all whose placeholder marks a difference."""
        current = (before or {}).get("secrets", {})
        return {name: value for name, value in self.values.items() if current.get(name) != after["secrets"][name]}

    def can_verify(self, step: Step, path: str, before: Attributes | None) -> bool:
        """Whether a read shows if a step of the Worker at ``path`` was carried out.

        False if the step sends existing secrets again: neither their names nor the fingerprint tag change.
        """
        carries_secrets = step.path in {path, f"{path}/settings", f"{path}/secrets-bulk"}
        existing = (before or {}).get("secrets", {})
        return not (self.resend and carries_secrets and any(name in existing for name in self.values))

    def sent(self) -> SecretsPolicy:
        """Return the policy after a write: nothing is sent a second time."""
        return dataclasses.replace(self, resend=False)


def patch_secrets(path: str, values: t.Mapping[str, t.Any]) -> Step:
    """Return the write that sets the given secrets of the Worker at ``path`` and removes those that are None.

    It merges absolute values, so a second attempt after a lost response is safe.
    """
    patch = {name: None if value is None else bindings.secret_binding(name, value) for name, value in values.items()}
    request = {"json": {"secrets": patch}, "headers": MERGE_PATCH, "idempotent": True}
    return Step("PATCH", f"{path}/secrets-bulk", lambda: request)
