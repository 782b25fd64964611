# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reads of a Worker, to the depth that its plan needs."""

from __future__ import annotations

import dataclasses
import typing as t

from ..._engine.fields import Attributes
from ..._worker import multipart
from .comparison import Comparison
from .desired import Resolved
from .snapshot import Snapshot

if t.TYPE_CHECKING:
    from ..._cloudflare.client import Client


def with_bindings(client: Client, path: str, answer: Attributes) -> Attributes:
    """Return the settings of a Worker with its bindings, which the response may leave out.

    A write that replaces the bindings must name each one that stays, so bindings that were not read are not none.
    """
    if answer.get("bindings") is not None:
        return answer
    return {**answer, "bindings": client.call("GET", f"{path}/bindings").result}


def read(client: Client, resolved: Resolved, summary: Snapshot | None, needs_full_read: bool) -> Snapshot | None:
    """Return the snapshot of a summary, extended by the parts that the plan of this Worker needs.

    ``needs_full_read`` forbids the ledger's memo: a diff must show the real settings.
    """
    parts = Comparison(resolved, summary).parts_to_read(needs_full_read)
    if summary is None or not parts:
        return summary
    endpoint = resolved.desired.endpoint
    answer = client.call("GET", f"{endpoint.path}/settings").result
    snapshot = dataclasses.replace(summary, settings=with_bindings(client, endpoint.path, answer))
    if "content" not in parts:
        return snapshot
    content = client.call("GET", endpoint.content_path, headers={"Accept": "*/*"})
    modules = multipart.read_modules(content.content, content.content_type, content.entrypoint)
    return dataclasses.replace(snapshot, modules=tuple(modules))
