# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a Worker as a table: the declaration, the snapshot, and the writes between. No test sends a request.

Each snapshot is made from the declaration of an earlier upload, as the API would return it.
"""

from __future__ import annotations

import copy
import dataclasses
import subprocess
import sys
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.errors import CloudflareError
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.script.comparison import Comparison
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.script.desired import (
    Desired,
    Endpoint,
    Resolved,
    resolve,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.script.memo import make_memo
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.script.other_options import (
    differing_options,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.script.planner import (
    ScriptPlan,
    plan,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.script.snapshot import Snapshot
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._worker.tag_limits import NAMESPACED

PATH = "/scripts/a"
NOW = 1_800_000_000.0
CODE = "export default { fetch: () => new Response('one') };"
OTHER_CODE = "export default { fetch: () => new Response('two') };"
SITE = {"directory": str(Path(__file__).parent / "sites" / "before")}
OTHER_SITE = {"directory": str(Path(__file__).parent / "sites" / "after")}
OPTIONS: dict[str, t.Any] = {
    "state": "present",
    "owner": "default",
    "unmanaged_bindings": "remove",
    "take_over": False,
    "allow_replace": False,
    "drift_detection": "fingerprint",
    "rebundle": False,
}
WORKER = {"content": CODE, "compatibility_date": "2026-11-01"}
KEYED = {**WORKER, "fingerprint_key": "a-key"}
V1 = {"tag": "v1", "new_sqlite_classes": ["Room"]}
V2 = {"tag": "v2", "new_sqlite_classes": ["Hall"]}
W1 = {"tag": "w1", "new_sqlite_classes": ["Hall"]}


class Clock:
    """Stands where a plan keeps the client, for the steps: a plan must not send anything."""

    def server_time(self) -> float:
        return NOW


def declare(params: t.Mapping[str, t.Any], is_listed: bool = False) -> Resolved:
    """Return what a task with these options desires. No binding here needs an id."""
    client = t.cast(t.Any, Clock())
    endpoint = Endpoint(PATH, f"{PATH}/content", "PUT", f"{PATH}/tags", lambda tags: {"json": tags}, NAMESPACED, client)
    options = {**OPTIONS, **params}
    return resolve(Desired.from_options("Worker 'a'", endpoint, {"name": "a"}, params, options, is_listed), client)


def uploaded(params: t.Mapping[str, t.Any], depth: str = "summary", **by_others: t.Any) -> Snapshot:
    """Return the snapshot of a Worker that was uploaded with these options, read to a depth.

    ``by_others`` replaces parts of it: settings, modules, tags, has_drifted, has_assets, owner.
    """
    resolved = declare(params)
    comparison = Comparison(resolved, None)
    source = comparison.source
    tag = dataclasses.replace(comparison.desired_tag, code=source.bundle_digest).render(NOW)
    owner, tags = by_others.pop("owner", "default"), by_others.pop("tags", params.get("tags", []))
    summary = {
        "tags": [*tags, f"tenantry.owner.{owner}", tag],
        "created_on": "2026-11-01T00:00:00Z",
        "modified_on": "2026-11-01T00:00:00Z",
        "etag": "one",
        "migration_tag": params["migrations"][-1]["tag"] if params.get("migrations") else None,
        "has_assets": by_others.pop("has_assets", "assets" in params),
    }
    secrets = [{"name": name, "type": "secret_text"} for name in params.get("secrets", {})]
    settings = {
        "compatibility_date": params["compatibility_date"],
        "compatibility_flags": params.get("compatibility_flags", []),
        "bindings": [*copy.deepcopy(resolved.bindings or []), *secrets],
    }
    read = {
        "settings": settings if depth != "summary" else None,
        "modules": source.modules if depth == "content" else None,
    }
    return Snapshot(summary, **{**read, **by_others})


def remembered(params: t.Mapping[str, t.Any]) -> Snapshot:
    """Return a snapshot of which only the ledger's memo is known, beside the listing."""
    resolved = declare(params)
    written = t.cast("dict[str, t.Any]", plan(resolved, None).after)
    return dataclasses.replace(uploaded(params), memo=make_memo(written, resolved.bindings or []))


def operations(planned: ScriptPlan) -> list[str]:
    """Shorten operations to the method and the part of the Worker."""
    return [operation.replace(PATH, "", 1).rstrip() for operation in planned.operations]


@dataclass
class Case:
    """A row: options of the task, the snapshot, the operations that follow, and the fields that differ."""

    declared: t.Mapping[str, t.Any]
    snapshot: Snapshot | None
    operations: t.Sequence[str]
    changed: t.Sequence[str] = ()
    state: str = "present"
    is_listed: bool = False
    verifies: t.AbstractSet[str] | None = None
    fields: dict[str, t.Any] = field(default_factory=dict)


VARS, OTHER_VARS = {**WORKER, "vars": {"PLAN": "free"}}, {**WORKER, "vars": {"PLAN": "pro"}}
SECRET, OTHER_SECRET = {**KEYED, "secrets": {"KEY": "one"}}, {**KEYED, "secrets": {"KEY": "two"}}
BY_HAND = {"compatibility_date": "2026-11-01", "bindings": [{"name": "PLAN", "type": "plain_text", "text": "hacked"}]}
KEPT = {**WORKER, "unmanaged_bindings": "keep"}


def by_another(values: dict[str, str], params: dict[str, t.Any]) -> Snapshot:
    """Return the snapshot of a Worker with these vars, of which another task manages some."""
    bound = [{"name": name, "type": "plain_text", "text": value} for name, value in values.items()]
    return uploaded(params, "content", settings={"compatibility_date": "2026-11-01", "bindings": bound})


def untagged(params: dict[str, t.Any]) -> Snapshot:
    """Return the snapshot of a Worker that another program uploaded."""
    snapshot = uploaded(params, "settings")
    return dataclasses.replace(snapshot, summary={**snapshot.summary, "tags": []})


PATCH, PUT, TAGS, SECRETS = "PATCH /settings", "PUT", "PUT /tags", "PATCH /secrets-bulk"
SESSION = "POST /assets-upload-session"

PLANS = {
    # -- create, and nothing to do
    "a new Worker": Case(WORKER, None, [PUT]),
    "a new Worker with assets": Case({**WORKER, "assets": SITE}, None, [SESSION, PUT]),
    "an unchanged Worker, by its fingerprint tag": Case(VARS, uploaded(VARS), []),
    "an unchanged Worker, read whole": Case({**VARS, "drift_detection": "content"}, uploaded(VARS, "content"), []),
    "an absent Worker that does not exist": Case(WORKER, None, [], state="absent"),
    "an absent Worker that exists": Case(WORKER, uploaded(WORKER), ["DELETE"], state="absent"),
    # -- change of code, settings, bindings
    "other code": Case({**WORKER, "content": OTHER_CODE}, uploaded(WORKER, "content"), [PUT], ["modules"]),
    "another setting": Case(
        {**WORKER, "compatibility_flags": ["nodejs_compat"]},
        uploaded(WORKER, "content"),
        [PATCH],
        ["compatibility_flags"],
    ),
    "another var": Case(OTHER_VARS, uploaded(VARS, "content"), [PATCH], ["bindings"]),
    "another var, in a bulk run": Case(OTHER_VARS, uploaded(VARS, "content"), [PUT], ["bindings"], is_listed=True),
    "another var, by the ledger's memo": Case(OTHER_VARS, remembered(VARS), [PUT], ["bindings"], is_listed=True),
    "other code, by the ledger's memo": Case(
        {**VARS, "content": OTHER_CODE}, remembered(VARS), [PUT], ["modules"], is_listed=True
    ),
    # -- secrets
    "a new secret": Case(SECRET, uploaded(KEYED, "settings"), [SECRETS, TAGS], ["secrets"]),
    "another value of a secret": Case(OTHER_SECRET, uploaded(SECRET, "settings"), [SECRETS, TAGS], ["secrets"]),
    "a secret set to null": Case(
        {**KEYED, "secrets": {"KEY": None}}, uploaded(SECRET, "settings"), [SECRETS, TAGS], ["secrets"]
    ),
    "a secret and other code": Case(
        {**OTHER_SECRET, "content": OTHER_CODE}, uploaded(SECRET, "content"), [PUT], ["modules", "secrets"]
    ),
    "a secret sent always": Case(
        {**SECRET, "update_secrets": "always"}, uploaded(SECRET, "settings"), [SECRETS, TAGS], ["secrets"]
    ),
    # -- tags and assets
    "another tag": Case({**WORKER, "tags": ["pro"]}, uploaded({**WORKER, "tags": ["free"]}), [TAGS], ["tags"]),
    "other assets": Case(
        {**WORKER, "assets": OTHER_SITE}, uploaded({**WORKER, "assets": SITE}, "content"), [SESSION, PUT], ["assets"]
    ),
    "assets deleted by others": Case(
        {**WORKER, "assets": SITE},
        uploaded({**WORKER, "assets": SITE}, "content", has_assets=False),
        [SESSION, PUT],
        ["assets"],
    ),
    # -- drift, at each depth
    "drift below the depth of fingerprint is not read": Case(VARS, uploaded(VARS), []),
    "a var changed by hand, at the depth of settings": Case(
        {**VARS, "drift_detection": "settings"}, uploaded(VARS, "settings", settings=BY_HAND), [PATCH], ["bindings"]
    ),
    "code changed by hand, at the depth of content": Case(
        {**WORKER, "drift_detection": "content"},
        uploaded(WORKER, "content", modules=declare({**WORKER, "content": OTHER_CODE}).desired.source.modules),
        [PUT],
        ["modules"],
    ),
    "a var changed by hand, noticed by the date": Case(
        VARS, uploaded(VARS, "content", settings=BY_HAND, has_drifted=True), [PATCH], ["bindings"]
    ),
    "a write by others that changed nothing": Case(
        VARS, uploaded(VARS, "content", has_drifted=True), [TAGS], ["fingerprint"]
    ),
    # -- another task with other options
    "an option less than another task, of no effect": Case(
        WORKER, uploaded({**WORKER, "logpush": False}, "content"), [TAGS], ["fingerprint"]
    ),
    "other vars than another task, all kept": Case(
        {**KEPT, "vars": {"A": "1"}},
        by_another({"A": "1", "B": "2"}, {**KEPT, "vars": {"B": "2"}}),
        [TAGS],
        ["fingerprint"],
    ),
    # -- verification, also after an ambiguous result
    "a write that arrived": Case(OTHER_VARS, uploaded(OTHER_VARS), [], verifies=set()),
    "a write that did not arrive": Case(OTHER_VARS, uploaded(VARS, "content"), [PATCH], ["bindings"], verifies=set()),
    "a write that lost a secret": Case(
        VARS, uploaded(VARS, "settings"), [SECRETS, TAGS], ["secrets"], verifies={"BY_HAND"}
    ),
    "a write of this run is no drift": Case(VARS, uploaded(VARS, has_drifted=True), [], verifies=set()),
    # -- migrations and replacement
    "a further migration": Case(
        {**WORKER, "migrations": [V1, V2]},
        uploaded({**WORKER, "migrations": [V1]}, "content"),
        [PATCH],
        ["migration_tag"],
    ),
    "a replacement that is allowed": Case(
        {**WORKER, "migrations": [W1], "allow_replace": True},
        uploaded({**WORKER, "migrations": [V1]}, "settings"),
        ["DELETE", PUT],
        ["migration_tag"],
    ),
    # -- without code
    "nothing but a name": Case({}, uploaded(VARS, "settings"), []),
    "a setting without code": Case({"logpush": True}, uploaded(VARS, "settings"), [PATCH], ["logpush"]),
    "a setting without code that is as declared": Case({"logpush": False}, uploaded(VARS, "settings"), []),
    "a var without code": Case({"vars": {"PLAN": "pro"}}, uploaded(VARS, "settings"), [PATCH], ["bindings"]),
    "a var without code, in a bulk run": Case(
        {"vars": {"PLAN": "pro"}}, uploaded(VARS, "settings"), [PATCH], ["bindings"], is_listed=True
    ),
    "a secret without code": Case(
        {"secrets": {"KEY": "two"}, "fingerprint_key": "a-key"},
        uploaded(SECRET, "settings"),
        [SECRETS, TAGS],
        ["secrets"],
    ),
    "the same secret without code": Case(
        {"secrets": {"KEY": "one"}, "fingerprint_key": "a-key"}, uploaded(SECRET, "settings"), []
    ),
    "a tag without code": Case({"tags": ["pro"]}, uploaded(VARS, "settings"), [TAGS], ["tags"]),
    "a migration without code": Case(
        {"migrations": [V1, V2]},
        uploaded({**WORKER, "migrations": [V1]}, "settings"),
        [PATCH],
        ["migration_tag"],
    ),
    "no code, of a Worker that others have written": Case({}, uploaded(VARS, "settings", has_drifted=True), []),
    "no code, of a Worker without tags": Case({"vars": {"PLAN": "free"}}, untagged(VARS), []),
    "a setting without code, predicted for a Worker that does not exist": Case({"logpush": True}, None, [PATCH]),
    "nothing but a name, predicted for a Worker that does not exist": Case({}, None, [TAGS]),
    "a Worker taken over": Case({**WORKER, "take_over": True}, uploaded(WORKER, owner="them"), [TAGS], ["owner"]),
}


def resolved_of(case: Case) -> Resolved:
    resolved = declare(case.declared, case.is_listed)
    return resolved if case.verifies is None else resolved.for_verification(frozenset(case.verifies))


@pytest.mark.parametrize("name", PLANS)
def test_plan_from_two_values_lists_operations(name: str) -> None:
    case = PLANS[name]
    planned = plan(resolved_of(case), case.snapshot, case.state)
    assert operations(planned) == case.operations
    if planned.before and planned.after:
        assert list(planned.changed) == list(case.changed)


@pytest.mark.parametrize(
    ("ours", "theirs", "differing"),
    [
        ({}, {"logpush": False}, ["logpush"]),
        ({"limits": None}, {}, ["limits"]),
        (
            {"compatibility_flags": [], "usage_model": "standard"},
            {"vars": {}},
            ["compatibility_flags", "usage_model", "vars"],
        ),
        ({"vars": {}}, {"bindings": []}, ["bindings"]),
        ({"vars": {}, "unmanaged_bindings": "keep"}, {"vars": {}}, ["vars"]),
        ({"limits": {}}, {}, ["limits"]),
        ({}, {"limits": None, "logpush": False, "placement": None, "usage_model": "standard"}, []),
    ],
)
def test_plan_of_only_the_tag_names_options_of_another_task(
    ours: dict[str, t.Any], theirs: dict[str, t.Any], differing: list[str]
) -> None:
    planned = plan(declare({**WORKER, **ours}), uploaded({**WORKER, **theirs}, "content"))
    assert operations(planned) == [TAGS] and planned.has_other_options
    assert planned.comparison and sorted(differing_options(planned.comparison)) == differing
    (diff,) = planned.extra_diffs()
    assert diff["before"]["fingerprint"] != diff["after"]["fingerprint"]


@pytest.mark.parametrize("name", PLANS)
def test_plan_made_twice_changes_neither_argument(name: str) -> None:
    case = PLANS[name]
    resolved, snapshot = resolved_of(case), copy.deepcopy(case.snapshot)
    as_before = repr((resolved, case.snapshot)), copy.deepcopy(resolved.desired.user_params)
    first, second = (plan(resolved, case.snapshot, case.state) for _attempt in range(2))
    assert (first.before, first.after, first.operations) == (second.before, second.after, second.operations)
    assert (repr((resolved, case.snapshot)), resolved.desired.user_params) == as_before
    assert case.snapshot == snapshot


REFUSALS = {
    "another owner's Worker": (WORKER, uploaded(WORKER, owner="them"), "belongs to owner 'them'"),
    "a migration that leads nowhere": (
        {**WORKER, "migrations": [W1]},
        uploaded({**WORKER, "migrations": [V1]}, "settings"),
        "migrations: Worker 'a' has the migration tag 'v1', which is none of 'w1'",
    ),
    "a replacement without code": (
        {"migrations": [W1], "allow_replace": True},
        uploaded({**WORKER, "migrations": [V1]}, "settings"),
        "or set allow_replace: true and code",
    ),
    "a replacement that loses a secret": (
        {**KEYED, "migrations": [W1], "allow_replace": True},
        uploaded({**SECRET, "migrations": [V1]}, "content"),
        "would lose its secrets KEY",
    ),
    "a var that takes the name of a secret": (
        {**WORKER, "vars": {"KEY": "plain"}},
        uploaded(SECRET, "content"),
        "bindings: KEY of Worker 'a' is a secret",
    ),
    "a binding to keep that does not exist": (
        {**WORKER, "bindings": [{"name": "GONE", "type": "inherit"}]},
        uploaded(WORKER, "content"),
        "bindings: GONE: Worker 'a' has no binding GONE to keep",
    ),
    "tags of others that leave no room": (
        {**WORKER, "content": OTHER_CODE},
        uploaded(WORKER, "content", tags=list("abcdefg")),
        "tags: Worker 'a' has 7 tags of others",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_plan_that_must_be_asked_for_is_refused(name: str) -> None:
    declared, snapshot, message = REFUSALS[name]
    with pytest.raises(CloudflareError) as refusal:
        plan(declare(declared), snapshot)
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("declared", "snapshot", "parts"),
    [
        (VARS, uploaded(VARS), ()),
        (OTHER_VARS, uploaded(VARS), ("settings", "content")),
        ({**VARS, "drift_detection": "settings"}, uploaded(VARS), ("settings",)),
        ({**VARS, "drift_detection": "content"}, uploaded(VARS), ("settings", "content")),
        (VARS, uploaded(VARS, has_drifted=True), ("settings", "content")),
        (OTHER_VARS, remembered(VARS), ()),
        (OTHER_SECRET, uploaded(SECRET), ("settings",)),
    ],
)
def test_comparison_needs_no_more_than_its_plan(
    declared: dict[str, t.Any], snapshot: Snapshot, parts: tuple[str, ...]
) -> None:
    assert Comparison(declare(declared), snapshot).parts_to_read(needs_full_read=False) == parts


def test_comparison_for_a_diff_reads_what_a_memo_would_replace() -> None:
    assert Comparison(declare(OTHER_VARS), remembered(VARS)).parts_to_read(needs_full_read=True) == (
        "settings",
        "content",
    )


def test_planner_without_client_is_imported() -> None:
    program = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.endswith("_cloudflare.client") or name.split(".")[0] == "requests":
            raise ImportError(name)

sys.meta_path.insert(0, Refuse())
import ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.script.planner as planner
assert callable(planner.plan)
"""
    paths = [path for path in sys.path if (Path(path) / "ansible_collections").is_dir()]
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": ":".join(paths)})
