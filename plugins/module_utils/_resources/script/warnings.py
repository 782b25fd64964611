# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Warnings about Workers. Each covers all Workers of a task."""

from __future__ import annotations

import typing as t

from ..._engine.text import list_names
from ..._worker import bindings
from .comparison import Comparison
from .other_options import differing_options
from .planner import ScriptPlan

MAX_WORKERS = 5  # in a warning; the search for the options of another task covers them too


def plan_warnings(plans: t.Iterable[ScriptPlan], user_params: t.Iterable[t.Mapping[str, t.Any]]) -> list[str]:
    """Return the warnings about the Workers with these plans and options."""
    all_plans = list(plans)
    return [
        *uncompared_secrets_warnings(sum(plan.uncompared_secrets for plan in all_plans)),
        *_outdated_bundle_warnings(sum(plan.is_outdated_bundle for plan in all_plans)),
        *_left_out_warnings(plan.left_out for plan in all_plans),
        *_unknown_binding_warnings({label for params in user_params for label in bindings.unknown_types(params)}),
        *_missing_assets_warnings(
            [plan.comparison for plan in all_plans if plan.comparison is not None and plan.is_missing_assets]
        ),
        *_other_options_warnings(
            [plan.comparison for plan in all_plans if plan.comparison is not None and plan.has_other_options]
        ),
    ]


def uncompared_secrets_warnings(count: int) -> list[str]:
    """Return the warning that ``count`` secrets were left as they are, if any were."""
    remedy = "Give fingerprint_key (CLOUDFLARE_FINGERPRINT_KEY) to have changed values noticed."
    return [f"Secrets whose values could not be compared with what exists: {count}. {remedy}"] if count else []


def _unknown_binding_warnings(types: t.Collection[str]) -> list[str]:
    """Return the warning that bindings of these types were sent without validation."""
    names = ", ".join(sorted(types))
    return (
        [f"bindings: types that this collection does not know were sent without validation: {names}."] if types else []
    )


def _outdated_bundle_warnings(count: int) -> list[str]:
    """Return the warning that ``count`` Workers run code that other versions of the bundler's packages made."""
    remedy = "They stay as they are. Set rebundle: true to upload the code that the present versions make."
    problem = "Workers whose code was bundled by another version of esbuild or of the Node.js preset"
    return [f"{problem}: {count}. {remedy}"] if count else []


def _left_out_warnings(left_out: t.Iterable[tuple[str, ...]]) -> list[str]:
    """Return the warning that files in the folders of Workers are not part of these Workers.

    C(left_out) are the paths of each Worker. Workers that share a source share the tuple, which is read once.
    """
    groups = {id(paths): paths for paths in left_out}
    all_paths = list(dict.fromkeys(path for paths in groups.values() for path in paths))
    if not all_paths:
        return []
    names = list_names(all_paths)
    return [f"path: left out of the upload, since they are not modules of a Worker: {len(all_paths)} ({names})."]


def _other_options_warnings(comparisons: t.Sequence[Comparison]) -> list[str]:
    """Return the warning about these Workers, with the options in which the first of them differ."""
    if not comparisons:
        return []
    found = sorted({option for comparison in comparisons[:MAX_WORKERS] for option in differing_options(comparison)})
    text = (
        "Only the fingerprint differs: another task manages this Worker with other options, or an option that changes"
        f" nothing was added or removed. Workers: {_count_and_labels(comparisons)}."
        f" Options that differ: {', '.join(found) or '(unknown)'}. Set the same options in all tasks that manage a"
        " Worker: otherwise each run changes its fingerprint."
    )
    return [text]


def _missing_assets_warnings(comparisons: t.Sequence[Comparison]) -> list[str]:
    """Return the warning that an upload may lose the configuration of the assets of these Workers."""
    if not comparisons:
        return []
    text = (
        "assets: the files stay, but Cloudflare may lose their configuration at an upload that does not contain it:"
        " _headers, _redirects, html_handling, not_found_handling and run_worker_first."
        f" Workers: {_count_and_labels(comparisons)}. Declare assets too."
    )
    return [text]


def _count_and_labels(comparisons: t.Sequence[Comparison]) -> str:
    labels = [comparison.desired.label for comparison in comparisons]
    return f"{len(labels)}, {list_names(labels, MAX_WORKERS)}"
