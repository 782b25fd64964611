# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the modules of this collection, in this process if possible.

For each run of a module, and for each item of a loop, Ansible packs, starts and unpacks a Python program, which takes
about half a second. This plugin calls the ``main()`` of the module instead, with the bytes that the program would
receive, and returns the result that it prints. Both ways of execution thus run the same code. With both, paths of
sources are on the controller.

The other files of this folder are links to this one. Ansible's main process loads an action plugin that has the name of
the module, and its imports are then available in every forked worker.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action.normal import ActionModule as NormalActionModule
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._ansible_core import (
    IN_PROCESS_SUPPORTED as CORE_SUPPORTS_IN_PROCESS,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._ansible_core import call_main
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.connections import HAS_REQUESTS
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.bulk import MAX_DETAILED_RESULTS
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._interruption import take_signal
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._module import FILE_WARNINGS
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._option_names import (
    OPTION_NAMES,
    OPTION_NAMES_VARIABLE,
    rename_options,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.namespaced_workers import merge
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._value_types import mark_invalid
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._worker import source
from ansible_collections.tenantry.cloudflare_workers.plugins.plugin_utils import _ansible_core as ansible_core
from ansible_collections.tenantry.cloudflare_workers.plugins.plugin_utils import _workers_file as workers_file
from ansible_collections.tenantry.cloudflare_workers.plugins.plugin_utils._braces import check_templates
from ansible_collections.tenantry.cloudflare_workers.plugins.plugin_utils._progress import (
    controller_stderr,
    display,
    show_progress,
)

MODULES = "ansible_collections.tenantry.cloudflare_workers.plugins.modules."
IN_PROCESS_SUPPORTED = CORE_SUPPORTS_IN_PROCESS and HAS_REQUESTS
WORKER_CONTAINERS = ("defaults", "workers")  # options that contain Workers
# The options that determine a source. They are converted here to the types that the module will convert them to.
SOURCE_SPEC = {
    **source.SPEC,
    "source_root": {"type": "path"},
    "compatibility_date": {"type": "str"},
    "compatibility_flags": {"type": "list", "elements": "str"},
}
SOURCE_VALIDATOR = ArgumentSpecValidator(SOURCE_SPEC)
DIRECTORY_OPTIONS = ("directory",)  # path options that name a folder; part of assets


class ActionModule(NormalActionModule):
    """The action plugin of every module of the collection."""

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self._found_paths: dict[tuple[str, str], str] = {}

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the module that the task names."""
        variables = task_vars or {}
        names = self._templar.template(variables.get(OPTION_NAMES_VARIABLE, {}))
        try:
            return self._run(tmp, variables, names)
        except AnsibleActionFail as error:
            if not names:
                raise
            raise AnsibleActionFail(rename_options(error.message, names)) from None

    def _run(self, tmp: str | None, variables: dict[str, t.Any], option_names: dict[str, str]) -> dict[str, t.Any]:
        name = self._task.action.rpartition(".")[2]
        in_process = self._use_in_process(variables)
        arguments = self._merge_workers_file(ansible_core.apply_module_defaults(self, variables))
        if name != "api" and arguments.get("state") != "absent":  # a removal needs no source
            arguments = self._resolve_sources(arguments, pack=not in_process)
        if option_names:
            arguments[OPTION_NAMES] = option_names
        if in_process:
            return self._run_in_process(name, arguments, tmp, variables)
        return self._run_as_module(arguments, tmp, variables)

    def _run_as_module(
        self, arguments: dict[str, t.Any], tmp: str | None, variables: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        """Run the module in the ordinary way, in a process of its own."""
        original_args = self._task.args
        if len(arguments.get("workers") or ()) > MAX_DETAILED_RESULTS and self._shows_progress(variables):
            display(f"{self._task.action}: no progress is shown, because the module runs in a separate process.")
        try:
            self._task.args = {**mark_invalid(arguments), **ansible_core.controller_arguments(self)}
            return t.cast("dict[str, t.Any]", super().run(tmp, variables))
        finally:
            # Ansible returns the task's arguments with the result, which must not carry thousands of Workers again.
            self._task.args = original_args

    def _run_in_process(
        self, name: str, arguments: dict[str, t.Any], tmp: str | None, variables: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        # The base class of all action plugins checks whether async and check mode are supported.
        super(NormalActionModule, self).run(tmp, variables)
        ansible_core.add_internal_arguments(self, arguments, variables)
        progress = show_progress() if self._shows_progress(variables) else contextlib.nullcontext()
        with _environment(ansible_core.task_environment(self)), progress, controller_stderr() as report:
            main_process = os.getppid()
            result = _run_main(name, arguments)
            if number := take_signal() or (signal.SIGTERM if os.getppid() != main_process else 0):
                # The main process of Ansible reads no more results.
                report(f"{self._task.action}: {result.get('msg') or 'The run is complete.'}\n")
                os.kill(os.getpid(), number)
        return result

    def _merge_workers_file(self, arguments: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return the arguments with the Workers of ``workers_file`` in ``workers``. They are data, not templates."""
        path, listed = arguments.get("workers_file"), arguments.get("workers", [])
        if not isinstance(path, str) or not path or not isinstance(listed, list):  # the module reports the error
            return dict(arguments)
        path = os.path.join(_source_root(arguments), os.path.expanduser(path))
        others = {name: value for name, value in arguments.items() if name != "workers_file"}
        workers = workers_file.read(self._loader, self._find("workers_file", path))
        if not boolean(arguments.get("allow_braces", False), strict=False):
            others[FILE_WARNINGS] = check_templates(workers)
        return {**others, "workers": [*listed, *workers]}

    def _use_in_process(self, variables: t.Mapping[str, t.Any]) -> bool:
        is_enabled = self._is_enabled("tenantry_in_process", variables)
        is_local = self._connection.transport == "local" and not ansible_core.becomes_another_user(self)
        return bool(IN_PROCESS_SUPPORTED and is_enabled and is_local and not self._task.async_val)

    def _shows_progress(self, variables: t.Mapping[str, t.Any]) -> bool:
        return self._is_enabled("tenantry_progress", variables, os.environ.get("TENANTRY_PROGRESS", "true"))

    def _is_enabled(self, name: str, variables: t.Mapping[str, t.Any], default: t.Any = True) -> bool:
        return bool(boolean(self._templar.template(variables.get(name, default)), strict=False))

    def _resolve_sources(self, arguments: t.Mapping[str, t.Any], pack: bool) -> dict[str, t.Any]:
        """Return the arguments with absolute paths of sources, found as ``ansible.builtin.template`` finds files.

        With ``pack``, add the contents of the sources for a module that may run on another host.
        """
        root = _source_root(arguments)
        resolved = self._resolve_paths(arguments, root)
        for name in WORKER_CONTAINERS:
            container = resolved.get(name)
            if isinstance(container, dict):
                resolved[name] = self._resolve_paths(container, root)
            elif isinstance(container, (list, tuple)):
                resolved[name] = [
                    self._resolve_paths_of_element(worker, root) if isinstance(worker, dict) else worker
                    for worker in container
                ]
        if pack:
            self._check_assets_local(resolved)
            if sources := _pack(resolved):
                resolved[source.PACKED_SOURCES] = sources
        return resolved

    def _check_assets_local(self, arguments: t.Mapping[str, t.Any]) -> None:
        """Raise AnsibleActionFail if the module runs on another host and needs a folder of assets."""
        if self._connection.transport != "local" and any(options.get("assets") for options in _workers(arguments)):
            raise AnsibleActionFail(
                "assets: the folder is on the controller, and this task runs on another host."
                " Set delegate_to: localhost."
            )

    def _resolve_paths_of_element(self, worker: t.Mapping[str, t.Any], root: str) -> dict[str, t.Any]:
        """Return a Worker with absolute paths. The module reports a path that does not exist, for this Worker alone."""
        try:
            return self._resolve_paths(worker, root)
        except AnsibleActionFail:
            base = os.path.join(self._loader.get_basedir(), root)
            return _join_paths(worker, base)

    def _resolve_paths(self, options: t.Mapping[str, t.Any], root: str) -> dict[str, t.Any]:
        resolved = dict(options)
        for name in (*source.PATH_OPTIONS, *DIRECTORY_OPTIONS):
            path = options.get(name)
            if isinstance(path, str) and path:
                resolved[name] = self._find(name, os.path.join(root, os.path.expanduser(path)))
        if isinstance(options.get("assets"), dict):
            resolved["assets"] = self._resolve_paths(options["assets"], root)
        return resolved

    def _find(self, option: str, path: str) -> str:
        if (option, path) not in self._found_paths:  # thousands of Workers may share it
            self._found_paths[option, path] = self._find_or_fail(option, path)
        return self._found_paths[option, path]

    def _find_or_fail(self, option: str, path: str) -> str:
        try:
            return str(self._find_needle("files", path))
        except (AnsibleError, ValueError) as error:  # ValueError: a null character, or one that UTF-8 cannot express
            file_type = "folder" if option in DIRECTORY_OPTIONS else "file"
            remedy = "Correct the path"
            if not os.path.isabs(path):
                remedy += ", which starts from the playbook's folder, or set source_root"
            raise AnsibleActionFail(f"{option}: {file_type} {path} does not exist. {remedy}.") from error


def _source_root(arguments: t.Mapping[str, t.Any]) -> str:
    """Return the folder of relative paths, "" if it is not given. The module reports one of another type."""
    root = arguments.get("source_root")
    return root if isinstance(root, str) else ""


def _join_paths(options: t.Mapping[str, t.Any], base: str) -> dict[str, t.Any]:
    """Return the options of a Worker with the paths of its sources joined to a folder, whether they exist or not."""
    joined = dict(options)
    for name in (*source.PATH_OPTIONS, *DIRECTORY_OPTIONS):
        if isinstance(options.get(name), str) and options[name]:
            joined[name] = os.path.join(base, os.path.expanduser(options[name]))
    if isinstance(options.get("assets"), dict):
        joined["assets"] = _join_paths(options["assets"], base)
    return joined


def _workers(arguments: t.Mapping[str, t.Any]) -> list[t.Mapping[str, t.Any]]:
    """Return the options of every Worker: the arguments themselves, and the ``workers`` with their defaults."""
    defaults = arguments["defaults"] if isinstance(arguments.get("defaults"), dict) else {}
    return [
        arguments,
        *(merge(defaults, worker) for worker in arguments.get("workers") or [] if isinstance(worker, dict)),
    ]


def _pack(arguments: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the contents of all sources that the arguments name, for a module that cannot read them."""
    source_options = (
        {name: options[name] for name in SOURCE_SPEC if name in options} for options in _workers(arguments)
    )
    results = (SOURCE_VALIDATOR.validate(options) for options in source_options)
    # The module itself reports invalid options.
    return source.pack(result.validated_parameters for result in results if not result.error_messages)


def _run_main(name: str, arguments: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Run the ``main()`` of a module in this process and return its result."""
    return call_main(importlib.import_module(MODULES + name).main, mark_invalid(arguments))


@contextlib.contextmanager
def _environment(variables: t.Mapping[str, t.Any]) -> t.Iterator[None]:
    """Add variables to the environment of this process for the duration of the context."""
    saved = dict(os.environ)
    os.environ.update({str(name): str(value) for name, value in variables.items()})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(saved)
