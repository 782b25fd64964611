# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records the operations, warnings and failures of a play as JSON, in the file that RECORDER_FILE names."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: recorder
type: stdout
short_description: Record the results of a play
description: Writes operations, warnings and messages of failed tasks.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME = 2.0, "stdout", "recorder"

    def __init__(self) -> None:
        super().__init__()
        self.record: dict[str, list[str]] = {"operations": [], "warnings": [], "messages": []}

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._add(result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self.record["messages"].append(str(self._add(result).get("msg")))

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        pathlib.Path(os.environ["RECORDER_FILE"]).write_text(json.dumps(self.record))

    def _add(self, result: t.Any) -> dict[str, t.Any]:
        values: dict[str, t.Any] = result.result if hasattr(result, "result") else result._result
        for key in ("operations", "warnings"):
            self.record[key] += [str(value) for value in values.get(key) or []]
        return values
