# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Migrations of Durable Object classes: tagged steps. Only the pending ones are sent."""

from __future__ import annotations

import typing as t

from .._engine.fields import OptionSpec

Step = dict[str, t.Any]

NAMES: OptionSpec = {"type": "list", "elements": "str"}


def _rename_spec(*names: str) -> OptionSpec:
    return {"type": "list", "elements": "dict", "options": {name: {"type": "str", "required": True} for name in names}}


SPEC: dict[str, t.Any] = {
    "type": "list",
    "elements": "dict",
    "options": {
        "tag": {"type": "str", "required": True},
        "new_sqlite_classes": NAMES,
        "new_classes": NAMES,
        "deleted_classes": NAMES,
        "renamed_classes": _rename_spec("from", "to"),
        "transferred_classes": _rename_spec("from", "from_script", "to"),
    },
}


def tags(steps: t.Iterable[Step]) -> list[str]:
    """Return the tags of the steps, in order."""
    return [step["tag"] for step in steps]


def pending(steps: t.Sequence[Step], tag: str | None) -> dict[str, t.Any]:
    """Return the payload with the steps after C(tag), the last one applied; empty if none are pending."""
    done = tags(steps).index(tag) + 1 if tag in tags(steps) else 0
    due = [{key: value for key, value in step.items() if key != "tag" and value is not None} for step in steps[done:]]
    return (
        {"migrations": {**({"old_tag": tag} if tag else {}), "new_tag": steps[-1]["tag"], "steps": due}} if due else {}
    )


def validation_errors(steps: t.Sequence[Step]) -> t.Iterator[str]:
    """Yield the validation errors of the steps."""
    for tag in sorted({tag for tag in tags(steps) if tags(steps).count(tag) > 1}):
        yield (
            f"migrations: several steps have the tag {tag!r}. "
            "Give each step its own; Cloudflare stores the tag of the last applied step."
        )
    for step in steps:
        if not any(value for key, value in step.items() if key != "tag"):
            yield (
                f"migrations: step {step['tag']!r} does nothing. "
                "List the classes that it creates, renames, transfers or deletes."
            )
