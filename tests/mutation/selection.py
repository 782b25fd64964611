# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tests that may detect a mutant: those that run its line, the most specific ones and those of each file first."""

from __future__ import annotations

import ast
import itertools
import typing as t
from collections import Counter, defaultdict

Contexts = t.Mapping[str, t.Mapping[str, t.Sequence[str]]]  # path -> line -> tests


class Selection:
    """Chooses at most ``most`` tests per mutant. ``killers`` detected other mutants, and are tried first."""

    def __init__(self, contexts: Contexts, most: int) -> None:
        self._contexts, self._most = contexts, most
        self._breadth = Counter(test for lines in contexts.values() for tests in lines.values() for test in tests)
        self.killers: dict[str, list[str]] = defaultdict(list)

    def tests(self, path: str, source: str, line: int) -> list[str]:
        """Return the tests, in the order in which they are to run."""
        lines = self._contexts.get(path, {})
        found: set[str] = set()
        for first, last in enclosing_spans(source, line):
            found = {test for number in range(first, last + 1) for test in lines.get(str(number), ())}
            if found:
                break
        first_ones = [test for test in self.killers[path] if test in found]
        specific = sorted(found - set(first_ones), key=lambda test: (self._breadth[test], test))
        by_file: dict[str, list[str]] = defaultdict(list)
        for test in specific:
            by_file[test.partition("::")[0]].append(test)
        varied = filter(None, itertools.chain.from_iterable(itertools.zip_longest(*by_file.values())))
        alternating = itertools.chain.from_iterable(zip(specific, varied, strict=True))
        return list(dict.fromkeys((*first_ones, *alternating)))[: self._most]

    def report(self, path: str, test: str) -> None:
        """Try this test first for the next mutants of the file, since it detected one."""
        killers = self.killers[path]
        killers[:] = [test, *(each for each in killers if each != test)][:8]


def enclosing_spans(source: str, line: int) -> list[tuple[int, int]]:
    """Return first and last line of the statement at a line, then of each block around it, and of the file.

    Of a statement with a body, the header alone is the first span. A test that runs nothing in a span says nothing
    about it: the line of a table is run at import, and the tests are those of the code around.
    """
    spans = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.stmt, ast.ExceptHandler)) and node.end_lineno:
            first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
            body = getattr(node, "body", None)
            spans.append((first, node.end_lineno))
            if body and not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                spans.append((first, max(first, body[0].lineno - 1)))
    around = sorted({span for span in spans if span[0] <= line <= span[1]}, key=lambda span: span[1] - span[0])
    return [*around, (1, source.count("\n") + 1)]
