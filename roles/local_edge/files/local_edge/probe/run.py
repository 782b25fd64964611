# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the experiments of all questions once, then clean up in any case."""

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

from local_edge.probe.api import AbortProbe, Api, Inconclusive, Reply
from local_edge.probe.questions import QUESTIONS, Question
from local_edge.probe.sandbox import PREFIX, Sandbox
from local_edge.settings import Behaviors

BEHAVIORS = {behavior.name: behavior.metadata for behavior in dataclasses.fields(Behaviors)}
#: Characters of the evidence of a finding.
MAX_EVIDENCE = 160


@dataclass(frozen=True)
class Finding:
    """The answer to a question: a choice of its behavior, or '' with the reason as evidence."""

    behavior: str
    choice: str
    evidence: str

    def __str__(self) -> str:
        """Return question, answer and evidence as text."""
        answer = f"{self.behavior}={self.choice}" if self.choice else f"{self.behavior}: unanswered"
        return f"{BEHAVIORS[self.behavior]['doc']}:\n    {answer}\n    {self.evidence}"


@dataclass
class Report:
    """The result of a probe. `left` are the objects that could not be deleted."""

    findings: list[Finding] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    requests: int = 0

    @property
    def behaviors(self) -> dict[str, str]:
        return {one.behavior: one.choice for one in self.findings if one.choice}

    def write(self, path: Path, base: str) -> None:
        """Write the answers for `serve --behaviors`. Keep earlier answers from the same API to unanswered questions."""
        earlier: Mapping[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):
            earlier = json.loads(path.read_text())
        previous = earlier.get("behaviors", {}) if earlier.get("api") == base else {}
        content = {
            "api": base,
            "probed_on": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
            "behaviors": {name: choice for name, choice in {**previous, **self.behaviors}.items() if name in BEHAVIORS},
            "evidence": {one.behavior: one.evidence for one in self.findings if one.choice},
            "unanswered": {one.behavior: one.evidence for one in self.findings if not one.choice},
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(path.name + ".new")
        temporary.write_text(json.dumps(content, indent=2) + "\n")
        os.replace(temporary, path)


def evidence_of(result: Any) -> str:
    text = str(result) if isinstance(result, Reply) else json.dumps(result)
    return text if len(text) <= MAX_EVIDENCE else text[:MAX_EVIDENCE] + " ..."


def answer(question: Question, box: Sandbox) -> Finding:
    """Answer one question."""
    result = question.experiment(box)
    choice = question.interpret(result)
    if choice in BEHAVIORS[question.behavior]["choices"]:
        return Finding(question.behavior, choice, evidence_of(result))
    return Finding(question.behavior, "", f"the local edge does not support this behavior yet: {evidence_of(result)}")


def answers(questions: Iterable[Question], box: Sandbox) -> Iterator[Finding]:
    """Answer the questions in turn. After AbortProbe, the others remain unanswered."""
    abort_reason = ""
    for question in questions:
        try:
            yield Finding(question.behavior, "", abort_reason) if abort_reason else answer(question, box)
        except (Inconclusive, OSError) as error:
            yield Finding(question.behavior, "", str(error))
        except AbortProbe as error:
            abort_reason = str(error)
            yield Finding(question.behavior, "", abort_reason)
        except (TypeError, KeyError, AttributeError, IndexError) as error:
            yield Finding(question.behavior, "", f"the response has an unexpected shape: {error!r}")


def probe(
    api: Api,
    account: str,
    zone: Mapping[str, str] | None = None,
    options: Collection[str] = (),
    behaviors: Collection[str] = (),
    timeout: int = 8,
    on_finding: Callable[[Finding], None] = lambda finding: None,
) -> Report:
    """Answer the questions about these behaviors, by default all, and delete all objects of the probe.

    `options` are the enabled options that questions may need. `timeout` is the maximum lag of reads in seconds.
    `on_finding` is called with each finding at once.
    """
    box, report = Sandbox(api, account, f"{PREFIX}{secrets.token_hex(4)}", zone, timeout), Report()
    enabled = {"", *options, *(["zone"] if zone else [])}
    questions = [question for question in QUESTIONS if question.behavior in (behaviors or BEHAVIORS)]
    first = [question for question in questions if question.needs in enabled and question.needs != "exhaust-budget"]
    last = [question for question in questions if question.needs in enabled and question not in first]

    def add(finding: Finding) -> None:
        report.findings.append(finding)
        on_finding(finding)

    try:
        for finding in answers(first, box):
            add(finding)
    except KeyboardInterrupt:
        for question in [*first[len(report.findings) :], *last]:
            add(Finding(question.behavior, "", "the probe was interrupted"))
        last = []
    finally:
        report.left = box.clean()
    # These exceed the rate limit, so they follow the cleanup.
    for finding in answers(last, box):
        add(finding)
    for question in [one for one in questions if one.needs not in enabled]:
        add(Finding(question.behavior, "", f"requires --{question.needs}"))
    report.requests = api.count
    return report
