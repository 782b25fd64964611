# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every use of private parts of ansible-core that exist only on the controller, in ansible-core 2.16, 2.19 and 2.21.

* ``ansible.executor.module_common``: ``_apply_action_arg_defaults`` since 2.19, ``get_action_args_with_defaults``
  before, with ``ansible.executor.task_executor.remove_omit``. Core's own action plugins ``package`` and
  ``gather_facts`` call them. Without them, ``module_defaults`` do not replace omitted arguments.
* ``ActionBase``: ``_update_module_args``, ``_compute_environment_string`` and ``_play_context``.
* ``Task``: ``resolved_action``, ``timeout``, ``async_val``, and ``_parent._play._action_groups``, the groups of modules
  that the play knows.

The parts that modules use are in ``module_utils/_ansible_core.py``.
"""

from __future__ import annotations

import os
import typing as t

from ansible.executor import module_common, task_executor
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._interruption import (
    CONTROLLER_PROCESS,
    CONTROLLER_TIMEOUT,
)

if t.TYPE_CHECKING:
    from ansible.plugins.action import ActionBase

Arguments = dict[str, t.Any]


def apply_module_defaults(action: ActionBase, variables: t.Mapping[str, t.Any]) -> Arguments:
    """Return the arguments of a task, with ``module_defaults`` for those that were omitted.

    Ansible applies ``module_defaults`` before it evaluates templates. An argument such as
    ``"{{ platform_api_token | default(omit) }}"`` would therefore replace a default, and then vanish.
    """
    task, arguments = action._task, dict(action._task.args)
    if not task.module_defaults:
        return arguments
    name = task.resolved_action or task.action
    if hasattr(module_common, "_apply_action_arg_defaults"):
        return dict(module_common._apply_action_arg_defaults(name, task, arguments, action._templar))
    if hasattr(module_common, "get_action_args_with_defaults"):
        groups = task._parent._play._action_groups
        arguments = module_common.get_action_args_with_defaults(
            name, arguments, task.module_defaults, action._templar, action_groups=groups
        )
        return dict(task_executor.remove_omit(arguments, variables.get("omit")))
    return arguments


def add_internal_arguments(action: ActionBase, arguments: Arguments, variables: t.Mapping[str, t.Any]) -> None:
    """Add ansible-core's internal arguments, such as check mode, to those of the action plugin's module."""
    action._update_module_args(action._task.action, arguments, variables)


def task_environment(action: ActionBase) -> dict[str, t.Any]:
    """Return the environment variables that the task of an action plugin sets."""
    environment: dict[str, t.Any] = {}
    action._compute_environment_string(environment)
    return environment


def becomes_another_user(action: ActionBase) -> bool:
    """Whether the task of an action plugin runs with ``become: true``."""
    return bool(action._play_context.become)


def controller_arguments(action: ActionBase) -> Arguments:
    """Return internal arguments for a module in a process of its own: when its run must end.

    Ansible ends neither the process after the timeout of the task nor at its own end. An asynchronous task outlives it.
    """
    if action._task.async_val:
        return {}
    is_local = action._connection.transport == "local"
    return {CONTROLLER_PROCESS: os.getppid() if is_local else None, CONTROLLER_TIMEOUT: action._task.timeout}
