# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mutants of a source file: one small change each, by the operators of cosmic-ray and ``DropStatement``."""

from __future__ import annotations

import ast
import typing as t
from dataclasses import dataclass

import parso
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Example, Operator
from cosmic_ray.plugins import get_operator

# One replacement of each kind: most of the others are no program, and any test detects them.
REPLACEMENTS = {
    "BinaryOperator": ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "FloorDiv_Mul", "Mod_Add", "BitOr_BitAnd"),
    "ComparisonOperator": (
        *("Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is"),
        *("Lt_LtE", "Lt_GtE", "LtE_Lt", "LtE_Gt", "Gt_GtE", "Gt_LtE", "GtE_Gt", "GtE_Lt"),
    ),
    "UnaryOperator": ("Delete_Not", "USub_UAdd"),
}
OTHERS = (
    *("AddNot", "ReplaceAndWithOr", "ReplaceOrWithAnd", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue"),
    *("NumberReplacer", "ZeroIterationForLoop", "ExceptionReplacer", "RemoveDecorator"),
    *("ReplaceBreakWithContinue", "ReplaceContinueWithBreak"),
)
DROPPED = ("atom_expr", "power", "await_expr", "raise_stmt")
Position = tuple[int, int]
Span = tuple[Position, Position]


class DropStatement(Operator):  # type: ignore[misc] # cosmic-ray has no types
    """Replaces a call, an augmented assignment or a raise with ``pass``. Cosmic-ray has no such operator."""

    def mutation_positions(self, node: t.Any) -> t.Iterator[Span]:
        if node.type == "simple_stmt":
            statement = node.children[0]
            if statement.type in DROPPED or (
                statement.type == "expr_stmt"
                and getattr(statement.children[1], "type", "") == "operator"
                and statement.children[1].value not in ("=", ":")
            ):
                yield statement.start_pos, statement.end_pos

    def mutate(self, node: t.Any, index: int) -> t.Any:
        leaf = node.children[0].get_first_leaf()
        node.children[0] = parso.python.tree.Keyword("pass", leaf.start_pos, leaf.prefix)
        return node

    @classmethod
    def examples(cls) -> t.Iterable[Example]:
        return (Example("f(x)\n", "pass\n"),)


@dataclass(frozen=True)
class Mutant:
    """One change of a source file: the ``occurrence``-th of an operator, in a line."""

    path: str
    operator: str
    occurrence: int
    line: int

    def apply(self, source: str) -> str | None:
        """Return the changed source. None if it is no program, or the same one."""
        mutated = mutate_code(source, OPERATORS[self.operator], self.occurrence)
        try:
            return mutated if mutated and ast.dump(ast.parse(mutated)) != ast.dump(ast.parse(source)) else None
        except SyntaxError:
            return None


def changed_lines(source: str, mutated: str) -> tuple[str, str]:
    """Return the lines that differ, before and after the change, without indentation."""
    before, after = source.splitlines(), mutated.splitlines()
    while before and after and before[0] == after[0]:
        del before[0], after[0]
    while before and after and before[-1] == after[-1]:
        del before[-1], after[-1]
    return " ".join(map(str.strip, before)), " ".join(map(str.strip, after))


def _operators() -> dict[str, Operator]:
    names = [f"Replace{kind}_{pair}" for kind, pairs in REPLACEMENTS.items() for pair in pairs]
    return {"DropStatement": DropStatement(), **{name: get_operator(f"core/{name}")() for name in (*names, *OTHERS)}}


OPERATORS = _operators()


def mutants_of(path: str, source: str) -> list[Mutant]:
    """Return the mutants of a file, except those in ``ignored_spans``."""
    ignored = ignored_spans(ast.parse(source))
    nodes = list(ast_nodes(get_ast(source)))
    found = []
    for name, operator in OPERATORS.items():
        positions = [span for node in nodes for span in operator.mutation_positions(node)]
        for occurrence, span in enumerate(positions):
            if not any(begin <= span[0] < end for begin, end in ignored):
                found.append(Mutant(path, name, occurrence, span[0][0]))
    return found


def ignored_spans(tree: ast.Module) -> list[Span]:
    """Return the spans that mypy checks instead of tests.

    These are annotations, protocols, imports for types alone, ``abstractmethod`` and ``frozen``.
    """
    return [span for node in ast.walk(tree) for part in _typing_parts(node) for span in _span(part)]


def _typing_parts(node: ast.AST) -> t.Iterator[ast.AST | None]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        yield node.returns
        yield from (each for each in node.decorator_list if ast.unparse(each) == "abstractmethod")
    elif isinstance(node, ast.ClassDef):
        keywords = [each for call in node.decorator_list if isinstance(call, ast.Call) for each in call.keywords]
        yield from (each for each in keywords if each.arg == "frozen")
        yield node if any(ast.unparse(base).endswith("Protocol") for base in node.bases) else None
    elif isinstance(node, (ast.arg, ast.AnnAssign)):
        yield node.annotation
    elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        yield node


def _span(node: t.Any) -> list[Span]:
    # A decorator begins with its @.
    if node is None:
        return []
    return [((node.lineno, max(0, node.col_offset - 1)), (node.end_lineno, node.end_col_offset + 1))]
