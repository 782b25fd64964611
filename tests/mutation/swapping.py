# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mutants in functions that are loaded: their code is replaced, and nothing is imported again."""

from __future__ import annotations

import gc
import types
import typing as t

Code = types.CodeType


def changed_functions(before: Code, after: Code) -> list[tuple[Code, Code]] | None:
    """Return the functions that differ between two compilations of a file. None if anything else differs too."""
    if _own_parts(before) != _own_parts(after):
        return None
    found: list[tuple[Code, Code]] = []
    for old, new in zip(_nested(before), _nested(after), strict=True):
        if old.co_name != new.co_name:
            return None
        if not _is_function(old):
            inner = changed_functions(old, new)
            if inner is None:
                return None
            found += inner
        elif _parts(old) != _parts(new):
            found.append((old, new))
    return found


def swap(path: str, pairs: t.Iterable[tuple[Code, Code]]) -> bool:
    """Replace the code of the loaded functions of a file. Return whether each was found and replaced."""
    new_codes = {(old.co_name, old.co_firstlineno): new for old, new in pairs}
    done = set()
    for function in [each for each in gc.get_objects() if isinstance(each, types.FunctionType)]:
        key = (function.__code__.co_name, function.__code__.co_firstlineno)
        if key in new_codes and function.__code__.co_filename == path:
            try:
                function.__code__ = new_codes[key]
            except ValueError:  # it uses other variables of the function or class around it
                return False
            done.add(key)
    return done == set(new_codes)


def _nested(code: Code) -> list[Code]:
    return [each for each in code.co_consts if isinstance(each, Code)]


def _is_function(code: Code) -> bool:
    return bool(code.co_flags & 0x02)  # CO_NEWLOCALS, which bodies of modules and classes lack


def _own_parts(code: Code) -> tuple[object, ...]:
    constants = tuple((type(each), repr(each)) for each in code.co_consts if not isinstance(each, Code))
    return code.co_code, constants, code.co_names, code.co_varnames, code.co_freevars, len(_nested(code))


def _parts(code: Code) -> tuple[object, ...]:
    return _own_parts(code), tuple(map(_parts, _nested(code)))
