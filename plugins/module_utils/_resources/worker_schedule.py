# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cron triggers of Workers of the account. The API replaces all triggers of a Worker at once."""

from __future__ import annotations

import re
import typing as t

from .._cloudflare.client import Client
from .._cloudflare.errors import CloudflareError
from .._engine.fields import UNKNOWN, Attributes, Field, as_set
from .._engine.info import Info
from .._engine.plan import Step, json_body
from .._engine.resource import Observation, Resource
from .references import WORKER, missing_message

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
# The fields of a cron expression: name, range, names of values, and a pattern of further values.
FIELDS: tuple[tuple[str, range, tuple[str, ...], str], ...] = (
    ("minute", range(60), (), r"(?!)"),
    ("hour", range(24), (), r"(?!)"),
    ("day of the month", range(1, 32), (), r"L|LW|\d{1,2}W"),
    ("month", range(1, 13), MONTHS, r"(?!)"),
    ("day of the week", range(8), DAYS, r"(\d|[A-Z]{3})?L|(\d|[A-Z]{3})#[1-5]"),
)
PART = re.compile(r"(?:\*|(\d+|[A-Z]{3})(?:-(\d+|[A-Z]{3}))?)(?:/0?[1-9]\d?)?")


def cron_error(cron: str) -> str:
    """Validate a cron expression. Return the error, or an empty string if Cloudflare accepts it."""
    fields = cron.upper().split(" ")
    if len(fields) != len(FIELDS):
        return (
            f"it has {len(cron.split())} fields: give {', '.join(field[0] for field in FIELDS)}, one space between them"
        )
    for text, (field, numbers, names, special) in zip(fields, FIELDS, strict=True):
        invalid = next((part for part in text.split(",") if not _is_valid_part(part, numbers, names, special)), None)
        if invalid is not None:
            range_of_names = f", {names[0]} to {names[-1]}" if names else ""
            return f"{invalid!r} is not a valid {field} ({numbers[0]} to {numbers[-1]}{range_of_names})"
    return ""


def _is_valid_part(part: str, numbers: range, names: tuple[str, ...], special: str) -> bool:
    match = PART.fullmatch(part)
    if not match:
        return re.fullmatch(special, part) is not None
    return all(end in names or (end.isdigit() and int(end) in numbers) for end in match.groups() if end)


def schedules_path(client: Client, name: str) -> str:
    """Return the API path of the cron triggers of a Worker."""
    return client.account("workers", "scripts", name, "schedules")


def read_crons(client: Client, name: str) -> list[str] | None:
    """Return the cron triggers of a Worker, or None if the Worker does not exist."""
    found = client.get_or_none(schedules_path(client, name))
    return [schedule["cron"] for schedule in found.result["schedules"]] if found else None


class WorkerSchedule(Resource):
    """The cron triggers of a Worker. A schedule without triggers counts as absent."""

    name = "worker_schedule"
    identity = {"worker": {"type": "str", "required": True, "aliases": ["name"]}}
    fields = (Field("crons", {"type": "list", "elements": "str"}, as_set, initial=[], removed=[]),)

    def __init__(self, client: t.Any, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        if options["state"] == "present" and "crons" not in given:
            raise CloudflareError(f"crons: say when {self.label} shall run, if only in an empty list for never.")
        for cron in given.get("crons") or []:
            if cron != UNKNOWN and (error := cron_error(cron)):
                raise CloudflareError(f"crons: {cron!r} is no cron expression: {error}.")

    @property
    def label(self) -> str:
        return f"schedule of Worker {self.options['worker']!r}"

    def observe(self) -> Observation:
        crons = read_crons(self.client, self.options["worker"])
        missing = (missing_message(WORKER, self.options["worker"]),) if crons is None else ()
        exists = bool(crons) if self.state == "absent" else crons is not None
        return Observation({"worker": self.options["worker"], "crons": crons} if exists else None, missing)

    def create(self, after: Attributes) -> t.Iterable[Step]:
        return [self._put(after["crons"])]

    def update(self, before: Attributes, after: Attributes, changed: t.Collection[str]) -> t.Iterable[Step]:
        return [self._put(after["crons"])] if changed else []

    def delete(self, before: Attributes) -> t.Iterable[Step]:
        return [self._put([])]

    def _put(self, crons: t.Iterable[str]) -> Step:
        return Step(
            "PUT",
            schedules_path(self.client, self.options["worker"]),
            json_body([{"cron": cron} for cron in dict.fromkeys(crons)]),
        )


class WorkerScheduleInfo(Info):
    """Information about cron triggers, with one request per Worker."""

    name, result_key = "worker_schedule_info", "worker_schedules"
    fields = (Field("worker", {"type": "str", "aliases": ["name"]}),)

    def __init__(self, client: Client, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        if "worker" in given and not given["worker"]:
            raise CloudflareError("worker: the name is null or empty. Name a Worker, or omit the option.")

    def list_objects(self) -> t.Iterable[Attributes]:
        names = (
            [self.options["worker"]]
            if self.options["worker"]
            else [script["id"] for script in self.client.list_all(self.client.account("workers", "scripts"))]
        )
        schedules = {name: read_crons(self.client, name) for name in names}
        return [{"worker": name, "crons": crons} for name, crons in schedules.items() if crons]
