# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be told of a Worker's options before anything is asked or sent."""

from __future__ import annotations

import re
import typing as t

from .._engine.resource import UNKNOWN
from . import binding_validation, migrations
from .fingerprint import TAG_PREFIX
from .source import BUNDLING, WAYS

NAME = re.compile(r"^[a-z0-9_][a-z0-9_-]{0,62}$")
OWNER = re.compile(r"^[a-z0-9-]{1,40}$")
DATE = re.compile(r"^\d{4}-\d\d-\d\d$")
TAG = re.compile(r"^[^\s,&:]{1,63}$")
MOST_TAGS = 8 - 2  # Cloudflare's limit, less our owner and our stamp

USAGE_MODELS = ("standard", "bundled", "unbound")

Given = t.Mapping[str, t.Any]


def complaints(given: Given, options: Given) -> t.Iterator[str]:
    """Yield what is wrong with a Worker, each with the option, what was found and the remedy."""
    yield from _of_identity(options["name"], options.get("owner") or "")
    if options.get("state") != "absent":
        yield from _of_what_it_needs(given)
    yield from _of_values(given)
    if options.get("update_secrets") == "on_change" and not options.get("fingerprint_key"):
        yield "update_secrets: on_change needs fingerprint_key (CLOUDFLARE_FINGERPRINT_KEY), by which values are compared."


def _of_identity(name: str, owner: str) -> t.Iterator[str]:
    if not NAME.fullmatch(name):
        yield f"name: {name!r} is no name for a Worker: lower-case letters, digits, - and _, at most 63, not beginning with -."
    if not OWNER.fullmatch(owner):
        yield f"owner: {owner!r} must be 1 to 40 lower-case letters, digits and -."


def _of_what_it_needs(given: Given) -> t.Iterator[str]:
    ways = [way for way in WAYS if given.get(way)]
    if len(ways) > 1 or not (ways or given.get("assets")):
        yield f"There is {'more than one' if ways else 'no'} code for the Worker: give one of content, path and entrypoint, or assets alone."
    for name in BUNDLING:
        if given.get(name) and not given.get("entrypoint") and ways:
            yield f"{name}: only an entrypoint is bundled, and {ways[0]} is uploaded as it is: leave out {name}, or give entrypoint."
    if not given.get("compatibility_date"):
        yield "compatibility_date is needed, quoted, such as '2026-11-01': without it Cloudflare takes 2021-11-02."


def _of_values(given: Given) -> t.Iterator[str]:
    date, tags = given.get("compatibility_date"), given.get("tags") or []
    if date and date != UNKNOWN and not DATE.fullmatch(date):
        yield f"compatibility_date: {date!r} must be a quoted date, such as '2026-11-01'."
    for tag in tags:
        if not TAG.fullmatch(tag) or tag.startswith(TAG_PREFIX):
            yield f"tags: {tag!r} cannot be a tag: 1 to 63 characters without spaces, commas, & and :, not beginning with {TAG_PREFIX}"
    yield from migrations.complaints(given.get("migrations") or [])
    yield from _of_settings(given)
    yield from _of_assets(given)
    if len(tags) > MOST_TAGS:
        yield f"tags: {len(tags)} are given and {MOST_TAGS} fit: Cloudflare allows 8 on a Worker, and 2 are the collection's own."
    yield from binding_validation.complaints(given)


def _of_settings(given: Given) -> t.Iterator[str]:
    model, limits, observed = given.get("usage_model"), given.get("limits") or {}, given.get("observability") or {}
    if model not in (None, UNKNOWN, *USAGE_MODELS):
        yield f"usage_model: {model!r} must be one of {', '.join(USAGE_MODELS)}."
    for name, value in limits.items():
        if value is not None and value < 1:
            yield f"limits: {name} is {value}: it must be at least 1."
    for where, part in (
        ("observability", observed),
        *((f"observability: {name}", observed.get(name) or {}) for name in ("logs", "traces")),
    ):
        rate = part.get("head_sampling_rate")
        if rate is not None and not 0 <= rate <= 1:
            yield f"{where}: head_sampling_rate is {rate}: it is a share, from 0 to 1."
    if set(given.get("placement") or {}) >= {"mode", "region"} and given["placement"]["mode"] == "smart":
        yield "placement: mode smart lets Cloudflare choose: leave out region, or say mode: targeted."


def _of_assets(given: Given) -> t.Iterator[str]:
    assets = given.get("assets") or {}
    first = assets.get("run_worker_first")
    if not isinstance(first, (bool, type(None))) and not (
        isinstance(first, list) and first and all(isinstance(path, str) for path in first)
    ):
        yield f"assets: run_worker_first is {first!r}: give true, false or a list of paths, such as ['/api/*', '!/api/docs/*']."
    for name in ("binding", "run_worker_first"):
        if assets.get(name) and not any(given.get(way) is not None for way in WAYS):
            yield f"assets: {name} is given, and there is no code that could use it: give one of {', '.join(WAYS)} too, or leave {name} out."
