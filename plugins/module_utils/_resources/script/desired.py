# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The desired state of a Worker, as a value: built from options, then resolved."""

from __future__ import annotations

import dataclasses
import typing as t
from dataclasses import dataclass, field

from ..._engine.fields import UNKNOWN, Attributes
from ..._worker import assets, bindings, migrations, source
from ..._worker.binding_types import INHERIT, Binding, NameLookup
from ..._worker.tag_limits import TagLimits
from .secrets import SecretsPolicy

if t.TYPE_CHECKING:
    from ..._cloudflare.client import Client


@dataclass(frozen=True)
class Endpoint:
    """The place of a Worker in the API.

    ``tags_to_request`` maps the whole list of tags to the arguments of the request that replaces them. ``client`` is
    used only while a step is sent: for the server's time, and by an upload of assets.
    """

    path: str
    content_path: str
    tags_method: str
    tags_path: str
    tags_to_request: t.Callable[[list[str]], dict[str, t.Any]]
    tag_limits: TagLimits
    client: Client = field(repr=False, compare=False)


@dataclass(frozen=True)
class Desired:
    """A Worker as one task declares it.

    ``user_params`` holds the options that the user set, and only those. ``source`` is None if the task manages no code:
    with ``state: absent``, and if it changes only other parts of an existing Worker. ``is_listed`` means that the
    Worker belongs to a bulk run, which reads one listing for all.
    """

    label: str
    endpoint: Endpoint
    identity: Attributes
    user_params: t.Mapping[str, t.Any] = field(repr=False)
    owner: str
    source: source.Source | None
    assets: assets.Assets | None
    secrets: SecretsPolicy
    migrations: t.Sequence[migrations.Step] = ()
    unmanaged_bindings: str = "remove"
    take_over: bool = False
    allow_replace: bool = False
    rebundle: bool = False
    drift_detection: str = "fingerprint"
    is_listed: bool = False
    is_absent: bool = False

    @property
    def adopts(self) -> bool:
        """Whether a Worker without an owner gets the owner of the task. A task without code must name the owner."""
        return self.source is not None or self.is_listed or "owner" in self.user_params

    @classmethod
    def from_options(
        cls,
        label: str,
        endpoint: Endpoint,
        identity: Attributes,
        user_params: t.Mapping[str, t.Any],
        options: t.Mapping[str, t.Any],
        is_listed: bool,
    ) -> Desired:
        """Build the desired state from options, and load the source. Raises if the source cannot be read."""
        manages_code = options.get("state") != "absent" and any(
            user_params.get(option) for option in (*source.SOURCE_OPTIONS, "assets")
        )
        given_assets = user_params.get("assets")
        return cls(
            label=label,
            endpoint=endpoint,
            identity=identity,
            user_params=user_params,
            owner=options["owner"],
            source=source.load(options, options.get(source.PACKED_SOURCES)) if manages_code else None,
            assets=assets.load(given_assets, options.get("source_root")) if manages_code and given_assets else None,
            secrets=SecretsPolicy.from_options(user_params, options),
            migrations=user_params.get("migrations") or [],
            is_listed=is_listed,
            is_absent=options.get("state") == "absent",
            **{
                name: options[name]
                for name in ("unmanaged_bindings", "take_over", "allow_replace", "rebundle", "drift_detection")
            },
        )


@dataclass(frozen=True)
class Resolved:
    """A desired Worker whose bindings carry ids instead of names.

    ``bindings`` is None if the task declares none. ``missing`` names the prerequisites that do not exist, each with its
    remedy. ``expected_secrets`` and ``written_at`` are set to verify a write: the secrets that must have survived it,
    and the time of the fingerprint tag that was sent, which no earlier tag may replace.
    """

    desired: Desired
    bindings: list[Binding] | None = None
    missing: tuple[str, ...] = ()
    expected_secrets: frozenset[str] | None = None
    written_at: float = 0.0

    @property
    def is_verification(self) -> bool:
        """Whether a write of this run is being verified."""
        return self.expected_secrets is not None

    @property
    def replaced_bindings(self) -> set[str]:
        """The names of the declared bindings, except those that stay as they are."""
        return {binding["name"] for binding in self.bindings or [] if binding["type"] != INHERIT}

    def for_verification(self, kept_secrets: frozenset[str], written_at: float = 0.0) -> Resolved:
        """Return the same Worker as it must be found after a write."""
        desired = dataclasses.replace(self.desired, secrets=self.desired.secrets.sent())
        return dataclasses.replace(self, desired=desired, expected_secrets=kept_secrets, written_at=written_at)


def resolve(desired: Desired, client: Client) -> Resolved:
    """Look up the ids that the bindings need. The only requests about other objects than the Worker itself."""
    missing: list[str] = []

    def find(lookup: NameLookup, name: str) -> str:
        found = lookup.find(client, name)
        if found is None:
            missing.append(lookup.missing_message.format(name))
            return UNKNOWN
        return str(found[lookup.id])

    return Resolved(desired, bindings.resolve_declared(desired.user_params, find), tuple(missing))
