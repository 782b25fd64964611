# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs every module of this collection: in this process where it can, the ordinary way where it must.

Ansible packs, starts and unpacks a Python program for each run of a module, about half a second for each item of a loop. Here
the module's own C(main()) is called instead, fed with the bytes it would have been sent, and what it prints is the result: both
ways are one. Paths of sources are the controller's on both.

The files beside this one are links to it: an action plugin of a module's own name is loaded by the process that starts all tasks, and
what it imports is then there for each of them.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action.normal import ActionModule as Ordinary
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.client import HAS_REQUESTS
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.bulk import MAX_DETAILED_RESULTS
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.namespaced_workers import merge
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._worker import source
from ansible_collections.tenantry.cloudflare_workers.plugins.plugin_utils import _workers_file as workers_file
from ansible_collections.tenantry.cloudflare_workers.plugins.plugin_utils._progress import display, show_progress

try:  # What direct execution needs of ansible-core and of this machine. Anything missing: the ordinary way.
    from ansible.module_utils import basic
    from ansible.module_utils.common import warnings as collected
    from ansible.module_utils.common.json import AnsibleJSONEncoder

    HEAPS = [
        heap
        for name in ("_global_warnings", "_global_deprecations")
        if (heap := getattr(collected, name, None)) is not None
    ]
    ABLE = hasattr(basic, "_ANSIBLE_ARGS") and HAS_REQUESTS
except ImportError:
    ABLE = False

MODULES = "ansible_collections.tenantry.cloudflare_workers.plugins.modules."
HOLDERS = ("defaults", "workers")  # the options that hold Workers
# The options that a source depends on, and what brings them into the types in which the module will have them.
READ_AS = {**source.SPEC, "source_root": {"type": "path"}, "compatibility_flags": {"type": "list", "elements": "str"}}
READ_BY = ArgumentSpecValidator(READ_AS)
FOLDERS = ("directory",)  # those of assets that name a folder


class ActionModule(Ordinary):
    """The action plugin of every module of the collection."""

    def __init__(self, *arguments: t.Any, **named: t.Any) -> None:
        super().__init__(*arguments, **named)
        self._found: dict[tuple[str, str], str] = {}

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the module of the task's name."""
        variables = task_vars or {}
        name = self._task.action.rpartition(".")[2]
        direct = self._is_direct(variables)
        arguments = self._with_file(self._task.args)
        if name != "api" and arguments.get("state") != "absent":  # what is removed needs no code
            arguments = self._with_sources(arguments, packed=not direct)
        return (
            self._run_here(name, arguments, tmp, variables)
            if direct
            else self._run_elsewhere(arguments, tmp, variables)
        )

    def _run_elsewhere(
        self, arguments: dict[str, t.Any], tmp: str | None, variables: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        told = self._task.args
        if len(arguments.get("workers") or ()) > MAX_DETAILED_RESULTS:
            display(f"{self._task.action}: no progress is shown, since the module runs in a process of its own.")
        try:
            self._task.args = arguments
            return t.cast("dict[str, t.Any]", super().run(tmp, variables))
        finally:
            self._task.args = (
                told  # Ansible hands them on with the result: thousands of Workers are not to travel again
            )

    def _run_here(
        self, name: str, arguments: dict[str, t.Any], tmp: str | None, variables: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        super(Ordinary, self).run(
            tmp, variables
        )  # what every action does first: refuse async or check mode where it must
        self._update_module_args(self._task.action, arguments, variables)
        variables_of_task: dict[str, t.Any] = {}
        self._compute_environment_string(variables_of_task)
        with _environment(variables_of_task), show_progress():
            return _call(name, arguments)

    def _with_file(self, arguments: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return the arguments with the Workers that a file declares among the others: they are data, and no template by now."""
        path, listed = arguments.get("workers_file"), arguments.get("workers", [])
        if (
            not isinstance(path, str) or not path or not isinstance(listed, list)
        ):  # the module says what is wrong with that
            return dict(arguments)
        where = os.path.join(arguments.get("source_root") or "", os.path.expanduser(path))
        given = {name: value for name, value in arguments.items() if name != "workers_file"}
        return {**given, "workers": [*listed, *workers_file.read(self._loader, self._find("workers_file", where))]}

    def _is_direct(self, variables: t.Mapping[str, t.Any]) -> bool:
        wanted = boolean(self._templar.template(variables.get("tenantry_in_process", True)), strict=False)
        elsewhere = self._connection.transport != "local" or self._play_context.become
        return bool(ABLE and wanted and not elsewhere and not self._task.async_val)

    def _with_sources(self, arguments: t.Mapping[str, t.Any], packed: bool) -> dict[str, t.Any]:
        """Return the arguments with the paths of sources found as C(ansible.builtin.template) finds them.

        Where the module runs in a process of its own, perhaps on another host, their contents travel with it (C(packed)).
        """
        root = arguments.get("source_root")
        found = self._located(arguments, root)
        for holder in HOLDERS:
            held = found.get(holder)
            if isinstance(held, dict):
                found[holder] = self._located(held, root)
            elif isinstance(held, (list, tuple)):
                found[holder] = [self._located(one, root) if isinstance(one, dict) else one for one in held]
        if packed:
            self._refuse_assets_elsewhere(found)
        if packed and (sources := _pack(found)):
            found["_controller_sources"] = sources
        return found

    def _refuse_assets_elsewhere(self, arguments: t.Mapping[str, t.Any]) -> None:
        if self._connection.transport != "local" and any(options.get("assets") for options in _workers(arguments)):
            raise AnsibleActionFail(
                "assets: the folder is on the controller, and this task runs on another host: set delegate_to: localhost."
            )

    def _located(self, options: t.Mapping[str, t.Any], root: str | None) -> dict[str, t.Any]:
        paths = {
            key: options[key]
            for key in (*source.PATH_OPTIONS, *FOLDERS)
            if isinstance(options.get(key), str) and options[key]
        }
        found = {
            **options,
            **{key: self._find(key, os.path.join(root or "", os.path.expanduser(path))) for key, path in paths.items()},
        }
        return (
            {**found, "assets": self._located(found["assets"], root)}
            if isinstance(found.get("assets"), dict)
            else found
        )

    def _find(self, option: str, path: str) -> str:
        if (option, path) not in self._found:  # thousands of Workers may share it
            self._found[option, path] = self._look_for(option, path)
        return self._found[option, path]

    def _look_for(self, option: str, path: str) -> str:
        try:
            return str(self._find_needle("files", path))
        except AnsibleError as error:
            where = (
                "Correct the path"
                if os.path.isabs(path)
                else "Correct the path, which starts from the playbook's folder, or set source_root"
            )
            raise AnsibleActionFail(
                f"{option}: {'folder' if option in FOLDERS else 'file'} {path} does not exist. {where}."
            ) from error


def _workers(arguments: t.Mapping[str, t.Any]) -> list[t.Mapping[str, t.Any]]:
    """Return the arguments, which may be those of a Worker, and what they say of each Worker in a list."""
    defaults = arguments["defaults"] if isinstance(arguments.get("defaults"), dict) else {}
    return [
        arguments,
        *(merge(defaults, worker) for worker in arguments.get("workers") or [] if isinstance(worker, dict)),
    ]


def _pack(arguments: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the contents of all sources that the arguments name, for a module that cannot read them."""
    workers = _workers(arguments)
    return source.pack(
        READ_BY.validate({name: options[name] for name in READ_AS if name in options}).validated_parameters
        for options in workers
    )


def _call(name: str, arguments: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Call the module's main() as AnsiballZ would, and return what it prints."""
    module = importlib.import_module(MODULES + name)
    saved = {key: getattr(basic, key, None) for key in ("_ANSIBLE_ARGS", "_ANSIBLE_PROFILE")}
    # The round trip through bytes makes everything plain: tagged strings, dates, vaulted values.
    basic._ANSIBLE_ARGS = json.dumps(
        {"ANSIBLE_MODULE_ARGS": arguments}, cls=AnsibleJSONEncoder, vault_to_text=True
    ).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    for heap in HEAPS:
        heap.clear()
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            module.main()
    finally:
        for key, value in saved.items():
            setattr(basic, key, value)
    return t.cast("dict[str, t.Any]", json.loads(printed.getvalue()))


@contextlib.contextmanager
def _environment(extra: t.Mapping[str, t.Any]) -> t.Iterator[None]:
    """Add the task's environment to this process's for a while."""
    saved = dict(os.environ)
    os.environ.update({str(key): str(value) for key, value in extra.items()})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(saved)
