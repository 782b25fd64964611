# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every use of private parts of ansible-core in modules. They exist in ansible-core 2.16, 2.19 and 2.21.

* ``AnsibleModule``: ``_load_params``, ``_log_invocation``, ``_return_formatted``, ``_diff`` and ``no_log_values``, and
  the prefix ``_ansible_`` of internal arguments. ``HookedModule`` overrides or reads them.
* ``ansible.module_utils.basic``: ``_ANSIBLE_ARGS`` holds the arguments as bytes. ``_ANSIBLE_PROFILE``, the name of the
  serialization profile, is new in 2.19 and ignored before.
* ``ansible.module_utils.common.warnings``: ``_global_warnings`` and ``_global_deprecations``, lists or dictionaries.
* ``ansible.module_utils.common.json.AnsibleJSONEncoder``: public in 2.16, and from 2.19 on marked for deprecation.

Those of the action plugin are in ``plugin_utils/_ansible_core.py``.
"""

from __future__ import annotations

import contextlib
import io
import json
import typing as t

from ansible.module_utils import basic

try:  # Without any of them, modules run in the ordinary way.
    from ansible.module_utils.common import warnings
    from ansible.module_utils.common.json import AnsibleJSONEncoder

    WARNING_BUFFERS = [
        getattr(warnings, name)
        for name in ("_global_warnings", "_global_deprecations")
        if getattr(warnings, name, None) is not None
    ]
    IN_PROCESS_SUPPORTED = hasattr(basic, "_ANSIBLE_ARGS")
except ImportError:
    IN_PROCESS_SUPPORTED = False

INTERNAL_PREFIX = "_ansible_"  # of arguments that ansible-core adds to those of the task


class HookedModule(basic.AnsibleModule):
    """AnsibleModule with hooks for its arguments and its result."""

    params: dict[str, t.Any]

    def prepare_arguments(self, arguments: dict[str, t.Any]) -> None:
        """Change the arguments in place before they are validated. They include ansible-core's internal arguments."""

    def visible_arguments(self) -> dict[str, t.Any]:
        """Return the arguments that the result shows as ``invocation.module_args``."""
        return dict(self.params)

    def visible_result(self, result: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the result as the user may see it."""
        return result

    @property
    def diff_mode(self) -> bool:
        """Whether the task runs with ``diff: true``."""
        return bool(self._diff)

    def _load_params(self) -> None:
        super()._load_params()
        self.prepare_arguments(self.params)

    def _log_invocation(self) -> None:
        """Write nothing to the system log, which would receive the arguments of every item of every loop."""

    def _return_formatted(self, kwargs: dict[str, t.Any]) -> None:
        kwargs["invocation"] = {"module_args": self.visible_arguments()}
        super()._return_formatted(self.visible_result(kwargs))


def call_main(main: t.Callable[[], None], arguments: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Call the ``main()`` of a module with these arguments in this process, and return the result that it prints.

    Standard output is redirected for the whole process meanwhile.
    """
    saved = {name: getattr(basic, name, None) for name in ("_ANSIBLE_ARGS", "_ANSIBLE_PROFILE")}
    # Serialization turns tagged strings, dates and vaulted values into plain ones, as in ordinary execution.
    content = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}, cls=AnsibleJSONEncoder, vault_to_text=True)
    basic._ANSIBLE_ARGS = content.encode()
    basic._ANSIBLE_PROFILE = "legacy"
    for buffer in WARNING_BUFFERS:
        buffer.clear()
    output = io.StringIO()
    try:
        with contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
            main()
    finally:
        for name, value in saved.items():
            setattr(basic, name, value)
    return t.cast("dict[str, t.Any]", json.loads(output.getvalue()))
