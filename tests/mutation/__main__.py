# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mutation testing of the engine and the API client: ``make mutation``."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import itertools
import json
import os
import pathlib
import random
import sys
import typing as t
from collections import Counter

import yaml
from mutants import Mutant, changed_lines, mutants_of
from processes import TIMED_OUT
from selection import Contexts, Selection
from trials import FAILED, FAST, PASSED, TESTS, Trials

HERE = pathlib.Path(__file__).parent
CHECKOUT = HERE.parents[1]
FOLDER = CHECKOUT / ".cache" / "mutation"
MUTATED = ("plugins/module_utils/_engine", "plugins/module_utils/_cloudflare")
KILLED, ENDLESS, SURVIVED, EQUIVALENT = COLUMNS = ("killed", "timed out", "survived", "equivalent")
MAX_EQUIVALENT, MIN_SCORE = 3, 90  # percent


def measure(trials: Trials) -> Contexts:
    """Return the tests that run each line, without those that fail.

    They are kept for each file of tests, until it changes, or the plugins do.
    """
    kept = {name: FOLDER / "contexts" / f"{digest}.json" for name, digest in _digests(trials).items()}
    stale = [name for name, file in kept.items() if not file.exists()]
    if stale:
        print(f"Measuring which lines the tests in {len(stale)} files run ...", flush=True)
        for name, lines in _measure_files(trials, stale).items():
            kept[name].parent.mkdir(exist_ok=True)
            kept[name].write_text(json.dumps(lines), encoding="utf-8")
    contexts: dict[str, dict[str, list[str]]] = {}
    for file in kept.values():
        for path, lines in json.loads(file.read_text(encoding="utf-8")).items():
            for line, tests in lines.items():
                contexts.setdefault(path, {}).setdefault(line, []).extend(tests)
    return contexts


def _digests(trials: Trials) -> dict[str, str]:
    plugins = hashlib.sha256()
    files = sorted(trials.root.glob("tests/unit/test_*.py"))
    others = {*trials.root.glob("plugins/**/*.py"), *trials.root.glob("tests/unit/*.py")} - set(files)
    for file in sorted(others):
        plugins.update(file.read_bytes())
    names = {file.relative_to(trials.root).as_posix(): file for file in files}
    return {
        name: hashlib.sha256(plugins.digest() + file.read_bytes()).hexdigest()[:16]
        for name, file in names.items()
        if name in trials.tests or trials.tests == TESTS
    }


def _measure_files(trials: Trials, names: list[str]) -> dict[str, dict[str, dict[str, list[str]]]]:
    data = FOLDER / "measured.json"
    data.unlink(missing_ok=True)
    os.environ["MUTATION_CONTEXTS"] = str(data)
    status = trials.run(names, "-p", "contexts", *FAST, timeout=3 * 3600)
    if status == FAILED:
        print(f"Without a mutant these fail, and are left out: {', '.join(trials.failed_tests())}", flush=True)
    elif status != PASSED:
        sys.exit(f"The tests cannot be run: pytest returned {status}.\n{trials.output[-4000:]}")
    measured: dict[str, dict[str, dict[str, list[str]]]] = json.loads(data.read_text(encoding="utf-8"))
    return {name: measured.get(name, {}) for name in names}


class Run:
    """The trials of mutants. Outcomes are kept, so that an interrupted run continues. Survivors are tried again."""

    def __init__(self, trials: Trials, sources: t.Mapping[str, str], most: int) -> None:
        self._trials, self._sources = trials, sources
        self._selection = Selection(measure(trials), most)
        self._file = FOLDER / "outcomes.jsonl"
        lines = self._file.read_text(encoding="utf-8").splitlines() if self._file.exists() else []
        self._known = {entry[0]: (entry[1], entry[2]) for entry in map(json.loads, lines)}
        known = yaml.safe_load((HERE / "equivalents.yml").read_text(encoding="utf-8")) or []
        self._equivalents = {(entry["file"], entry["before"], entry["after"]) for entry in known}

    def outcome(self, mutant: Mutant) -> tuple[str, str] | None:
        """Return the outcome of a mutant and its text. None if it is no other program."""
        source = self._sources[mutant.path]
        mutated = mutant.apply(source)
        if mutated is None:
            return None
        before, after = changed_lines(source, mutated)
        text = f"{mutant.path}:{mutant.line}: {before}  ->  {after}"
        if (pathlib.Path(mutant.path).name, before, after) in self._equivalents:
            return EQUIVALENT, text
        key = hashlib.sha256(f"{mutant} {source}".encode()).hexdigest()[:16]
        outcome, test = self._known.get(key, (SURVIVED, ""))
        if outcome == SURVIVED:
            outcome, test = self._try(mutant, source, mutated)
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps([key, outcome, test, text]) + "\n")
        if test:
            self._selection.report(mutant.path, test)
        return outcome, text

    def _try(self, mutant: Mutant, source: str, mutated: str) -> tuple[str, str]:
        tests = self._selection.tests(mutant.path, source, mutant.line)
        status, failed = self._trials.try_mutant(mutant.path, source, mutated, tests)
        return {PASSED: SURVIVED, TIMED_OUT: ENDLESS}.get(status, KILLED), failed


def sample(mutants: list[Mutant], seed: int) -> list[Mutant]:
    """Return the mutants in the order of this seed."""
    ordered = sorted(mutants, key=lambda mutant: (mutant.path, mutant.operator, mutant.occurrence))
    random.Random(seed).shuffle(ordered)
    return ordered


def score(count: t.Mapping[str, int]) -> float:
    """Return the percentage of mutants that tests detected, of those that are not equivalent."""
    detected = count[KILLED] + count[ENDLESS]
    return 100 * detected / max(1, detected + count[SURVIVED])


def table(counts: t.Mapping[str, Counter[str]]) -> tuple[list[str], list[list[str | int]]]:
    """Return the header and a row per file, with the sum as the last row."""
    whole = sum(counts.values(), Counter[str]())
    rows: list[list[str | int]] = [
        [path, count.total(), *(count[column] for column in COLUMNS), f"{score(count):.1f}%"]
        for path, count in [*sorted(counts.items()), ("all", whole)]
    ]
    return ["file", "mutants", *COLUMNS, "score"], rows


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mutation", description=__doc__)
    parser.add_argument("paths", nargs="*", help="files or folders, such as _engine/plan.py; all without any")
    parser.add_argument("--sample", type=int, default=0, help="number of mutants; all without it")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--test", action="append", default=[], help="a file of tests; all unit tests without any")
    parser.add_argument("--most", type=int, default=100, help="maximum number of tests per mutant")
    parser.add_argument("--write-table", action="store_true", help="write the table into docs/reliability.md")
    return parser.parse_args()


def main() -> int:
    options = parse_arguments()
    FOLDER.mkdir(parents=True, exist_ok=True)
    trials = Trials(CHECKOUT, FOLDER, tuple(options.test) or TESTS)
    files = sorted(file for folder in MUTATED for file in (trials.root / folder).glob("*.py"))
    sources = {file.relative_to(trials.root).as_posix(): file.read_text(encoding="utf-8") for file in files}
    chosen = [path for path in sources if any(part in path for part in options.paths or [""])]
    mutants = sample([mutant for path in chosen for mutant in mutants_of(path, sources[path])], options.seed)
    run = Run(trials, sources, options.most)
    counts: dict[str, Counter[str]] = {}
    with contextlib.suppress(KeyboardInterrupt, SystemExit):  # a run that is ended reports what it has
        for path, outcome in itertools.islice(outcomes(run, mutants), options.sample or None):
            counts.setdefault(path.partition("module_utils/")[2], Counter())[outcome] += 1
    return report(options, counts, len(mutants))


def outcomes(run: Run, mutants: t.Iterable[Mutant]) -> t.Iterator[tuple[str, str]]:
    """Yield file and outcome of each mutant that is another program. Print those that were not detected."""
    for mutant in mutants:
        found = run.outcome(mutant)
        if found:
            outcome, text = found
            if outcome != KILLED:
                print(f"{outcome}: {text}", flush=True)
            yield mutant.path, outcome


def report(options: argparse.Namespace, counts: t.Mapping[str, Counter[str]], possible: int) -> int:
    """Print the table, or write it into the page, and return the exit status."""
    sys.path.insert(0, str(CHECKOUT / "tests" / "faults"))
    from report import format_table, write_table

    whole = sum(counts.values(), Counter[str]())
    header, rows = table(counts)
    note = f"{whole.total()} of {possible} mutants, chosen with seed {options.seed}."
    print(f"\n{note}\n\n{format_table(header, rows)}")
    if options.write_table:
        write_table("mutation", header, rows, note)
    return int(score(whole) < MIN_SCORE or 100 * whole[EQUIVALENT] > MAX_EQUIVALENT * whole.total())


if __name__ == "__main__":
    sys.exit(main())
