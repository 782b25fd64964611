# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that belongs to a resource exists for each resource class and module found.

Each failure names the file to change and what to add. The behavior of resources is tested in test_resource_laws.py and
test_info.py.
"""

from __future__ import annotations

import ast
import functools
import pathlib
import re
import typing as t

import pytest
import yaml
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare import errors, remedies
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.bulk import BulkResource
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.info import Info
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._engine.resource import ApiObject
from harness import Runner
from test_info import INFOS
from test_resource_laws import CASES, Options, resource_classes

Page = dict[str, t.Any]

ROOT = pathlib.Path(__file__).parents[2]
MODULES = sorted(file.stem for file in (ROOT / "plugins/modules").glob("*.py"))
COLLECTION = "tenantry.cloudflare_workers"
GENERIC = {"api"}  # modules without a resource
INTERNAL = {"routing_kv"}  # resources without a module: namespaced_workers writes the routing records
WITHOUT_INFO = {  # modules whose objects the info module of another one returns
    "namespaced_workers": "namespaced_worker_info",
    "worker_routes": "worker_route_info",
    "worker_secrets": "worker_info",
}
ANY_PRODUCT = {"account", "other", "zone"}  # families of endpoints that no entry of errors.PRODUCTS names
WITHOUT_REMEDIES: set[str] = set()  # families of endpoints whose errors need no remedy
PERMISSIONS = {  # the token permission of each family of endpoints
    "account": "Account Settings:Read",
    "assets": "Workers Scripts:Edit",
    "dns": "DNS:Edit",
    "domain": "Workers Scripts:Edit",
    "hostname": "SSL and Certificates:Edit",
    "kv": "Workers KV Storage:Edit",
    "namespace": "Workers Scripts:Edit",
    "queue": "Workers Scripts:Edit",
    "route": "Workers Routes:Edit",
    "script": "Workers Scripts:Edit",
    "zone": "Zone:Read",
}
IDENTIFYING = ("id", "zone", "title", "owner")  # options that identify an object wherever they occur, besides *_id
RESULT_KEYS = {"changed", "diff", "invocation", "operations", "warnings"}


def require(problems: t.Iterable[str]) -> None:
    """Fail with all problems."""
    if found := sorted(problems):
        pytest.fail("\n".join(found), pytrace=False)


@functools.cache
def page(module: str) -> Page:
    """Parse DOCUMENTATION, EXAMPLES and RETURN of a module, or of a documentation fragment."""
    file = ROOT / "plugins/modules" / f"{module}.py"
    texts = {
        t.cast("ast.Name", node.targets[0]).id: t.cast("ast.Constant", node.value).value
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.Assign)
    }
    return {name: yaml.safe_load(texts[name]) for name in ("DOCUMENTATION", "EXAMPLES", "RETURN")}


def documented_attributes(module: str, key: str) -> Page:
    """Return the attributes of the object, or of each listed object, in the RETURN block of a module."""
    return t.cast("Page", page(module)["RETURN"].get(key, {}).get("contains", {}))


def names_in_code(text: str, quote: str) -> set[str]:
    """Return the module names that a text quotes as code."""
    return set(re.findall(rf"{quote}([a-z_]+){quote}", text)) & set(MODULES)


def info_classes() -> dict[str, type[Info]]:
    return t.cast("dict[str, type[Info]]", resource_classes(Info))


def info_of(module: str) -> str:
    return WITHOUT_INFO.get(module, f"{module}_info")


@pytest.fixture
def families(run: Runner) -> dict[str, set[str]]:
    """The families of endpoints that each resource writes, found by planning its case on an empty account."""
    operations = {name: run.ok(name, check=True, **case.create)["operations"] for name, case in CASES.items()}
    return {
        name: {errors.product_of(operation.partition(" ")[2]) for operation in written}
        for name, written in operations.items()
    }


# -- files -------------------------------------------------------------------------------------------------------------


def test_resources_all_have_modules() -> None:
    names = {*resource_classes(ApiObject, BulkResource, Info), *GENERIC} - set(INTERNAL)
    require(
        [
            *(f"plugins/modules/: add {name}.py, which runs the resource class." for name in names - set(MODULES)),
            *(f"plugins/module_utils/_resources/: no class has name = {name!r}." for name in set(MODULES) - names),
        ]
    )


def test_modules_all_run_in_process() -> None:
    actions = {file.stem: file for file in (ROOT / "plugins/action").glob("*.py")}
    require(
        [
            *(f"plugins/action/: run `ln -s api.py {name}.py`." for name in set(MODULES) - set(actions)),
            *(f"plugins/action/{name}.py: no module has this name." for name in set(actions) - set(MODULES)),
            *(
                f"plugins/action/{name}.py: replace it with a link to api.py."
                for name, file in actions.items()
                if file.resolve().name != "api.py"
            ),
        ]
    )


def test_modules_all_in_action_group() -> None:
    runtime = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())
    group = set(runtime["action_groups"]["all"])
    routed = {name for kind in ("modules", "action") for name in runtime.get("plugin_routing", {}).get(kind, {})}
    fragments = {f"{COLLECTION}.auth", f"{COLLECTION}.attributes.action_group"}
    require(
        [
            *(f"meta/runtime.yml: add {name} to action_groups.all." for name in set(MODULES) - group),
            *(
                f"meta/runtime.yml: remove {name} from action_groups.all: no such module."
                for name in group - {*MODULES}
            ),
            *(f"meta/runtime.yml: remove {name} from plugin_routing: it is a module." for name in routed & {*MODULES}),
            *(
                f"plugins/modules/{name}.py: extends_documentation_fragment must contain {fragment}."
                for name in MODULES
                for fragment in fragments - set(page(name)["DOCUMENTATION"]["extends_documentation_fragment"])
            ),
        ]
    )


def test_modules_all_have_examples() -> None:
    require(
        f"plugins/modules/{name}.py: EXAMPLES must contain a task with {COLLECTION}.{name}."
        for name in MODULES
        if not any(f"{COLLECTION}.{name}" in task for task in page(name)["EXAMPLES"])
    )


# -- tests -------------------------------------------------------------------------------------------------------------


def test_resources_all_have_cases() -> None:
    resources, infos = set(resource_classes(ApiObject, BulkResource)) - set(INTERNAL), set(info_classes())
    require(
        [
            *(f"tests/unit/test_resource_laws.py: add a Case for {name} to CASES." for name in resources - set(CASES)),
            *(
                f"tests/unit/test_resource_laws.py: CASES: no resource is named {name}."
                for name in set(CASES) - resources
            ),
            *(f"tests/unit/test_info.py: add a Case for {name} to INFOS." for name in infos - set(INFOS)),
            *(f"tests/unit/test_info.py: INFOS: no info class is named {name}." for name in set(INFOS) - infos),
        ]
    )


# -- a module and its info module --------------------------------------------------------------------------------------


def test_resources_all_have_info_modules() -> None:
    names, infos = set(resource_classes(ApiObject, BulkResource)) - set(INTERNAL), set(info_classes())
    require(
        [
            *(
                f"{name}: add an Info class named {info_of(name)}, or to WITHOUT_INFO the info module that returns its"
                " objects."
                for name in names
                if info_of(name) not in infos
            ),
            *(f"WITHOUT_INFO: remove {name}: {name}_info exists." for name in WITHOUT_INFO if f"{name}_info" in infos),
            *(f"{name}: no resource has these objects." for name in infos if name.removesuffix("_info") not in names),
        ]
    )


@pytest.mark.parametrize("module", [name for name in MODULES if f"{name}_info" in MODULES])
def test_info_module_documents_shared_results_alike(module: str) -> None:
    info = f"{module}_info"
    own = documented_attributes(module, module)
    listed = documented_attributes(info, info_classes()[info].result_key)
    require(
        f"plugins/modules/{info}.py: RETURN: {name}: {key} must be that of {module}.py: {own[name].get(key)!r}."
        for name in own
        if name in listed
        for key in ("description", "type", "elements")
        if own[name].get(key) != listed[name].get(key)
    )


@pytest.mark.parametrize("module", CASES)
def test_module_documents_all_results(run: Runner, module: str) -> None:
    case = CASES[module]
    for needed, options in case.needs:
        run.ok(needed, **options)
    result = run.ok(module, **case.create)
    value = result[module]
    found = {key for item in value for key in item} if isinstance(value, list) else set(value)
    require(
        [
            *(
                f"plugins/modules/{module}.py: RETURN: describe {name}."
                for name in set(result) - RESULT_KEYS - set(page(module)["RETURN"])
            ),
            *(
                f"plugins/modules/{module}.py: RETURN: describe {name} of {module}."
                for name in found - set(documented_attributes(module, module))
            ),
        ]
    )


# -- pages -------------------------------------------------------------------------------------------------------------


def test_readme_lists_all_modules() -> None:
    table = (ROOT / "README.md").read_text().partition("| module | resource |")[2].partition("\n\n")[0]
    listed = names_in_code(table, "`")
    require(
        f"README.md: add {name} to the table of modules."
        for name in MODULES
        if name not in listed and not (name.endswith("_info") and "`..._info`" in table)
    )


def test_rate_limit_guide_lists_all_modules() -> None:
    guide = (ROOT / "docs/docsite/rst/rate_limit.rst").read_text().partition("\nRequests per module\n")[2]
    listed = names_in_code(guide, "``")
    require(
        f"docs/docsite/rst/rate_limit.rst: add the requests of {name} to the table of modules."
        for name in MODULES
        if name not in listed and not (name.endswith("_info") and "``..._info``" in guide)
    )


# -- errors and permissions --------------------------------------------------------------------------------------------


def test_resources_all_have_error_families(families: dict[str, set[str]]) -> None:
    remedied = {family for family, _code in remedies.REMEDIES}
    require(
        [
            *(
                f"plugins/module_utils/_cloudflare/errors.py: PRODUCTS: add a family for the endpoints of {name}."
                for name, found in families.items()
                if found & ANY_PRODUCT
            ),
            *(
                f"plugins/module_utils/_cloudflare/remedies.py: REMEDIES: add remedies for the error codes of {family},"
                " or add it to WITHOUT_REMEDIES."
                for family in set[str]().union(*families.values()) - remedied - ANY_PRODUCT - WITHOUT_REMEDIES
            ),
        ]
    )


def test_error_families_all_have_permissions() -> None:
    readme = re.sub(r"\*([^*\n]+): (\w+)\*", r"\1:\2", (ROOT / "README.md").read_text().replace("\n  ", " "))
    remedy = "plugins/module_utils/_cloudflare/remedies.py: PERMISSIONS"
    require(
        [
            *(
                f"tests/unit/test_completeness.py: PERMISSIONS: add the token permission of the family {family}."
                for family, _pattern in errors.PRODUCTS
                if family not in PERMISSIONS
            ),
            *(
                f"{place}: name the permission {permission}."
                for place, text in ((remedy, remedies.PERMISSIONS), ("README.md: Requirements", readme))
                for permission in sorted(set(PERMISSIONS.values()))
                if permission not in text
            ),
        ]
    )


def test_modules_all_document_permissions(families: dict[str, set[str]]) -> None:
    common = (ROOT / "plugins/doc_fragments/auth.py").read_text()
    problems = []
    for name, found in families.items():
        for permission in {PERMISSIONS[family] for family in found} - {"Zone:Read"}:
            if permission in common:
                continue
            for module in (name, info_of(name)):
                allowed = (permission, permission.replace(":Edit", ":Read"))
                if not any(one in " ".join(page(module)["DOCUMENTATION"]["description"]) for one in allowed):
                    problems.append(
                        f"plugins/modules/{module}.py: name the permission {allowed[module != name]} in description, or"
                        " in plugins/doc_fragments/auth.py if most modules need it."
                    )
    require(problems)


# -- options -----------------------------------------------------------------------------------------------------------


def identifying_options(name: str) -> set[str]:
    """Return the options of a module that identify objects by a text."""
    resources = resource_classes(ApiObject, BulkResource, Info)
    identity = {*resources[name].identity, *getattr(resources.get(name.removesuffix("_info")), "identity", ())}
    return {
        option
        for option, spec in resources[name].spec().items()
        if (option in identity or option in IDENTIFYING or option.endswith("_id"))
        and spec.get("type") == "str"
        and not spec.get("choices")
    }


@pytest.mark.parametrize("value", ["", None])
@pytest.mark.parametrize("module", [*CASES, *INFOS])
def test_module_identifying_option_cannot_be_empty(run: Runner, module: str, value: str | None) -> None:
    options: Options = CASES[module].create if module in CASES else INFOS[module].scope
    results = {option: run(module, check=True, **{**options, option: value}) for option in identifying_options(module)}
    require(
        f"plugins/module_utils/_arguments.py: add {option} to NON_EMPTY_OPTIONS. {module} accepts {value!r} and"
        " then acts on other objects."
        for option, result in results.items()
        if not result.get("failed") or not re.search(rf"\b{option}\b", result["msg"])
    )
