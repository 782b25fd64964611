# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The questions: a behavior, what is done to find out where it stands, and how the answer is read.

What reads as no position of the behavior is told as unanswered, with what was seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local_edge.probe import experiments
from local_edge.probe.api import Reply
from local_edge.probe.sandbox import Sandbox


@dataclass(frozen=True)
class Question:
    """One behavior and how to find out where it stands. `needs` names an option of the probe without which it is not asked."""

    behavior: str
    do: Callable[[Sandbox], Any]
    read: Callable[[Any], str]
    needs: str = ""


def one_of(**positions: Any) -> Callable[[Any], str]:
    """The position whose value was seen."""
    return lambda seen: next((position for position, value in positions.items() if value == seen), "")


def either(yes: str, no: str) -> Callable[[Any], str]:
    """One position where something was seen, another where nothing was."""
    return lambda seen: yes if seen else no


def having(key: str, yes: str, no: str) -> Callable[[Any], str]:
    return lambda seen: yes if key in seen else no


def went_through(yes: str, no: str) -> Callable[[Reply], str]:
    return lambda reply: yes if reply.ok else no


def status_of(code: int) -> Callable[[Reply], str]:
    return lambda reply: str(reply.status) if reply.code == code else "ignored" if reply.ok else ""


def absence(reply: Reply) -> str:
    return str(reply.code) if not reply.ok else "null" if not (reply.result or {}).get("script") else ""


def end_of_list(info: Any) -> str:
    if info is None:
        return "without_info"
    return {"": "empty", None: "null"}.get(info["cursor"], "") if "cursor" in info else "absent"


def shape(reply: Reply) -> str:
    """How the body of a deletion looks."""
    if not reply.body:
        return "empty"
    first = reply.result[0] if isinstance(reply.result, list) and reply.result else reply.result
    return (
        {dict: "objects", str: "names", type(None): "null"}.get(type(first), "") if "result" in reply.envelope else ""
    )


def longest(lengths: list[int]) -> str:
    return str(max(lengths, default=""))


def bound(seen: Mapping[str, str]) -> str:
    return next((position for position in ("stay", "follow") if seen["bound to"] == seen[position]), "")


QUESTIONS: tuple[Question, ...] = (
    Question("missing_script_response", experiments.get_what_never_was, absence),
    Question("upload_without_tags", experiments.tags_after_an_upload_without, either("keep", "clear")),
    Question("upload_without_keep_bindings", experiments.secrets_after_an_upload_without, either("keep", "clear")),
    Question("upload_without_code", experiments.upload_without_code, went_through("keep", "refuse")),
    Question("inherit_with_keep_bindings", experiments.keep_by_name_and_by_type, went_through("accept", "refuse")),
    Question("namespace_update_without_trusted", experiments.put_a_trusted_namespace, one_of(keep=True, reset=False)),
    Question("trusted_workers_on_create", experiments.create_a_trusted_namespace, one_of(honor=True, ignore=False)),
    Question(
        "namespace_optional_fields",
        experiments.get_a_namespace,
        one_of(
            both=["trusted_workers", "script_count"],
            trusted_workers=["trusted_workers"],
            script_count=["script_count"],
            neither=[],
        ),
    ),
    Question("bindings_after_rename", experiments.rename_what_is_bound, bound),
    Question(
        "delete_nonempty_namespace", experiments.delete_a_namespace_with_a_worker, went_through("cascade", "refuse")
    ),
    Question("route_create_response", experiments.create_a_route, having("pattern", "object", "id"), needs="zone"),
    Question(
        "list_includes_tags", experiments.list_one, one_of(yes=["tags", "etag"], tags=["tags"], etag=["etag"], no=[])
    ),
    Question("last_page_cursor", experiments.list_all, end_of_list),
    Question(
        "modified_on_updated_by",
        experiments.write_this_and_that,
        one_of(
            all={"tags": True, "secrets": True, "settings": True},
            content={"tags": False, "secrets": False, "settings": False},
            all_but_tags={"tags": False, "secrets": True, "settings": True},
            all_but_secrets={"tags": True, "secrets": False, "settings": True},
        ),
    ),
    Question("max_tag_length", experiments.tag_longer_and_longer, longest),
    Question("special_character_tags", experiments.tag_oddly, one_of(accept=["a,b", "a&b", "a b"], refuse=[])),
    Question("service_props_returned", experiments.bind_a_service, having("props", "yes", "no")),
    Question("delete_response", experiments.delete_a_worker, shape),
    Question("bulk_delete_response", experiments.delete_by_tag, shape),
    Question("status_of_100120", experiments.create_a_namespace_twice, status_of(100120)),
    Question("status_of_10035", experiments.write_at_once, status_of(10035)),
    Question("status_of_10018", experiments.upload_on_condition, status_of(10018)),
    Question("code_of_429", experiments.exhaust_the_budget, lambda reply: str(reply.code), needs="exhaust-budget"),
)
