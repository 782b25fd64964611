# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The declared Workers of a bulk run by name, with their host names and with secrets from elsewhere."""

from __future__ import annotations

import typing as t

from .._cloudflare.errors import CloudflareError
from .._cloudflare.hostnames import to_ascii, to_unicode
from .._engine.bulk import InvalidElement
from .._engine.fields import Attributes
from .._engine.text import list_names
from .worker_route import covers, pattern_host


def by_name(workers: t.Iterable[Attributes]) -> dict[str, Attributes]:
    """Index the declared Workers by name. Raises if a name is given twice.

    A Worker without a name is an ``InvalidElement``. Its position takes the place of the name.
    """
    found: dict[str, Attributes] = {}
    for position, worker in enumerate(workers, 1):
        name = _name(worker)
        if name is None:
            found[f"number {position}"] = _invalid(worker, "name: the Worker has no name. Each Worker needs its own.")
        elif name in found:
            raise CloudflareError(f"workers: {name!r} is declared twice: names must be unique in a dispatch namespace.")
        else:
            found[name] = worker
    return found


def check_named(workers: t.Mapping[str, Attributes]) -> None:
    """Raise CloudflareError if a Worker has no name: pruning would remove the one that it declares."""
    unnamed = [key for key, worker in workers.items() if isinstance(worker, InvalidElement) and _name(worker) is None]
    if unnamed:
        raise CloudflareError(
            f"workers: {list_names(unnamed)} has no valid name, and prune might remove the Worker that it declares."
            f" Name it. {t.cast(InvalidElement, workers[unnamed[0]]).error}"
        )


def _name(worker: t.Mapping[str, t.Any]) -> str | None:
    name = worker.get("name")
    return str(name) if isinstance(name, (str, int)) and name != "" else None


def _invalid(worker: Attributes, error: str) -> InvalidElement:
    """Return an invalid Worker. The error in its declaration, if it has one, stays."""
    invalid = InvalidElement(worker)
    invalid.error = getattr(worker, "error", "") or error
    return invalid


def worker_by_host(workers: t.Mapping[str, Attributes]) -> dict[str, str]:
    """Map the declared host names to their Workers. Raises if two Workers declare one host name."""
    found: dict[str, str] = {}
    for name, worker in workers.items():
        for host in hosts_of(worker):
            if found.setdefault(host, name) != name:
                raise CloudflareError(
                    f"hostnames: {to_unicode(host)} is declared for {found[host]} and for {name}. A host name leads to"
                    " one Worker."
                )
    return found


def hosts_of(worker: t.Mapping[str, t.Any]) -> list[str]:
    hosts = worker.get("hostnames") or []
    return [to_ascii(host) for host in hosts if isinstance(host, str)] if isinstance(hosts, list) else []


def add_secrets(workers: t.Mapping[str, Attributes], secrets: t.Mapping[str, t.Any]) -> dict[str, Attributes]:
    """Return the Workers with the secrets of each name, which override the Worker's own.

    A Worker whose secrets are not a dictionary becomes an ``InvalidElement``. Raise CloudflareError if its own ones are
    null.
    """
    for name, own in secrets.items():
        if own and workers.get(name, {}).get("secrets", own) is None:
            raise CloudflareError(
                f"workers: {name} has secrets: null, and secrets_by_worker has secrets for it. Remove one of them."
            )
    return {name: _with_secrets(name, worker, secrets.get(name, {})) for name, worker in workers.items()}


def _with_secrets(name: str, worker: Attributes, secrets: t.Any) -> Attributes:
    if not isinstance(secrets, dict):
        return _invalid(worker, f"secrets_by_worker: the value of {name!r} is not a dictionary. Set secrets by name.")
    if not secrets or isinstance(worker, InvalidElement):
        return worker
    return {**worker, "secrets": {**(worker.get("secrets") or {}), **secrets}}


def undeclared_warnings(workers: t.Container[str], secrets: t.Iterable[str]) -> list[str]:
    """Return a warning if there are secrets for Workers that are not declared."""
    names = [name for name in secrets if name not in workers]
    if not names:
        return []
    return [f"secrets_by_worker: {_shown(names)} not declared. Correct the names, or remove these secrets."]


def route_warnings(hosts: t.Iterable[str], patterns: t.Iterable[str] | None) -> list[str]:
    """Return a warning about host names that none of the routes covers. None or no patterns: all are covered."""
    route_hosts = [pattern_host(pattern) for pattern in patterns or ()]
    outside = [to_unicode(host) for host in hosts if route_hosts and not any(covers(one, host) for one in route_hosts)]
    warning = (
        f"hostnames: {_shown(outside)} covered by no route, so no request reaches the Worker. Add a route, or correct"
        " the host names."
    )
    return [warning] if outside else []


def _shown(names: t.Sequence[str]) -> str:
    return f"{len(names)} ({list_names(names)}) are" if len(names) > 1 else f"{list_names(names)} is"
