# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking: every question once, then cleaning up, whatever happened in between."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_edge.probe.api import Api, Reply, Stop, Unanswered
from local_edge.probe.questions import QUESTIONS, Question
from local_edge.probe.sandbox import PREFIX, Sandbox
from local_edge.settings import Behaviors

BEHAVIORS = {behavior.name: behavior.metadata for behavior in dataclasses.fields(Behaviors)}
EVIDENCE = 160


@dataclass(frozen=True)
class Finding:
    """What became of a question: a position of its behavior, or '' and why there is none."""

    behavior: str
    position: str
    evidence: str

    def __str__(self) -> str:
        """Question, answer and evidence, for people."""
        answer = f"{self.behavior}={self.position}" if self.position else f"{self.behavior}: unanswered"
        return f"{BEHAVIORS[self.behavior]['doc']}:\n    {answer}\n    {self.evidence}"


@dataclass
class Report:
    """What came of a probe; `left` is what could not be removed."""

    findings: list[Finding] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    requests: int = 0

    @property
    def behaviors(self) -> dict[str, str]:
        return {one.behavior: one.position for one in self.findings if one.position}

    def write(self, path: Path, base: str) -> None:
        """Keep the answers for `serve --behaviors`, beside earlier ones of the same API to what is unanswered now."""
        earlier: Mapping[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):
            earlier = json.loads(path.read_text())
        known = earlier.get("behaviors", {}) if earlier.get("api") == base else {}
        told = {
            "api": base,
            "asked_on": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
            "behaviors": {
                name: position for name, position in {**known, **self.behaviors}.items() if name in BEHAVIORS
            },
            "evidence": {one.behavior: one.evidence for one in self.findings if one.position},
            "unanswered": {one.behavior: one.evidence for one in self.findings if not one.position},
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(path.name + ".new")
        unfinished.write_text(json.dumps(told, indent=2) + "\n")
        os.replace(unfinished, path)


def shown(seen: Any) -> str:
    text = str(seen) if isinstance(seen, Reply) else json.dumps(seen)
    return text if len(text) <= EVIDENCE else text[:EVIDENCE] + " ..."


def answer(question: Question, box: Sandbox) -> Finding:
    """Ask one question."""
    seen = question.do(box)
    position = question.read(seen)
    if position in BEHAVIORS[question.behavior]["choices"]:
        return Finding(question.behavior, position, shown(seen))
    return Finding(question.behavior, "", f"the edge knows no such behaviour yet: {shown(seen)}")


def answers(questions: Iterable[Question], box: Sandbox) -> Iterator[Finding]:
    """Ask one question after the other, until none can be asked any more."""
    over = ""
    for question in questions:
        try:
            yield Finding(question.behavior, "", over) if over else answer(question, box)
        except (Unanswered, OSError) as why:
            yield Finding(question.behavior, "", str(why))
        except Stop as why:
            over = str(why)
            yield Finding(question.behavior, "", over)
        except (TypeError, KeyError, AttributeError, IndexError) as surprise:
            yield Finding(question.behavior, "", f"an answer of a shape that nobody expected: {surprise!r}")


def probe(
    api: Api,
    account: str,
    zone: Mapping[str, str] | None = None,
    options: Collection[str] = (),
    wanted: Collection[str] = (),
    patience: int = 8,
    tell: Callable[[Finding], None] = lambda finding: None,
) -> Report:
    """Ask what is wanted (by default everything), and leave nothing behind. `options` are the needs of questions that are met."""
    box, report = Sandbox(api, account, f"{PREFIX}{secrets.token_hex(4)}", zone, patience), Report()
    met = {"", *options, *(["zone"] if zone else [])}
    asked = [question for question in QUESTIONS if question.behavior in (wanted or BEHAVIORS)]
    first = [question for question in asked if question.needs in met and question.needs != "exhaust-budget"]
    last = [question for question in asked if question.needs in met and question not in first]

    def note(finding: Finding) -> None:
        report.findings.append(finding)
        tell(finding)

    try:
        for finding in answers(first, box):
            note(finding)
    except KeyboardInterrupt:
        for question in [*first[len(report.findings) :], *last]:
            note(Finding(question.behavior, "", "the probe was interrupted"))
        last = []
    finally:
        report.left = box.clean()
    # The account is blocked afterwards: not before everything is tidy.
    for finding in answers(last, box):
        note(finding)
    for question in [one for one in asked if one.needs not in met]:
        note(Finding(question.behavior, "", f"asked only with --{question.needs}"))
    report.requests = api.count
    return report
