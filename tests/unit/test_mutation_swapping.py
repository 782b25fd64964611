# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mutants that replace the code of loaded functions instead of a file."""

from __future__ import annotations

import types

import pytest
from swapping import changed_functions, swap

FILE = "swapped.py"
SOURCE = """
import contextlib, functools
LIMIT = 3

class Account:
    size: int = 1

    @property
    def total(self):
        return self.size + LIMIT

    @contextlib.contextmanager
    def opened(self):
        yield [each for each in range(LIMIT) if each > 1]

def outer(limit=1):
    def inner(value):
        return value < limit
    return inner
"""


def load() -> types.ModuleType:
    module = types.ModuleType("swapped")
    exec(compile(SOURCE, FILE, "exec"), vars(module))
    return module


def replaced(old: str, new: str) -> bool:
    """Replace the only occurrence of a text in the loaded functions. Return whether that was possible."""
    assert SOURCE.count(old) == 1
    before, after = (compile(text, FILE, "exec") for text in (SOURCE, SOURCE.replace(old, new)))
    pairs = changed_functions(before, after)
    return pairs is not None and swap(FILE, pairs)


def test_swap_changes_properties_context_managers_and_nested_functions() -> None:
    module = load()
    assert replaced("self.size + LIMIT", "self.size - LIMIT")
    assert replaced("each > 1", "each >= 1")
    assert replaced("value < limit", "value <= limit")
    account = module.Account()
    with account.opened() as opened:
        assert (account.total, opened, module.outer()(1)) == (-2, [1, 2], True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ("size: int = 1", "size: int = 2"),
        ("limit=1", "limit=2"),
        ("    @property\n", ""),
    ],
    ids=["constant", "attribute", "default", "decorator"],
)
def test_swap_refuses_what_was_evaluated_at_import(old: str, new: str) -> None:
    module = load()
    assert not replaced(old, new)
    assert (module.LIMIT, module.Account().total, module.outer()(0)) == (3, 4, True)
