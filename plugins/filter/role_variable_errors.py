# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter plugin that finds misspelled and renamed variables of a role."""

from __future__ import annotations

import difflib
import typing as t

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._renamed import ROLE_VARIABLES

DOCUMENTATION = r"""
name: role_variable_errors
short_description: Find unknown variables of a role
version_added: 0.1.0
description:
  - Compare names of variables with the options in the argument specs of a role. Ansible ignores unknown variables, so
    the role would use a default instead.
  - The roles of this collection use this filter in their first task.
positional: argument_specs
options:
  _input:
    description: The names of the variables.
    type: list
    elements: str
    required: true
  argument_specs:
    description: The contents of the role's C(meta/argument_specs.yml).
    type: dict
    required: true
  facts:
    description: The names of facts that the role sets, which are also allowed.
    type: list
    elements: str
    default: []
author:
  - The tenantry maintainers (@tenantry)
"""

EXAMPLES = r"""
- name: Validate the names of variables
  vars:
    specs: {argument_specs: {main: {options: {example_name: {type: str}}}}}
  ansible.builtin.debug:
    msg: "{{ ['example_nmae'] | tenantry.cloudflare_workers.role_variable_errors(specs) }}"
"""

RETURN = r"""
_value:
  description: An error message for each unknown variable, with its new name or the most similar one.
  type: list
  elements: str
"""


def role_variable_errors(
    names: t.Iterable[str], argument_specs: t.Mapping[str, t.Any], facts: t.Collection[str] = ()
) -> list[str]:
    """Return an error message for each name that is neither an option of the role nor one of its facts."""
    options = argument_specs["argument_specs"]["main"]["options"]
    return [_error(name, options) for name in sorted(names) if name not in options and name not in facts]


def _error(name: str, options: t.Collection[str]) -> str:
    if ROLE_VARIABLES.get(name) in options:
        return f"{name}: unknown variable. It is now {ROLE_VARIABLES[name]}."
    return f"{name}: unknown variable. Did you mean {difflib.get_close_matches(name, options, 1, 0)[0]}?"


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"role_variable_errors": role_variable_errors}
