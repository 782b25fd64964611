# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The questions: each behavior with its experiment and the interpretation of the result.

A result without an interpretation is reported as unanswered, with the evidence.
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
    """A behavior, and how to detect it. `needs` is the option of the probe that enables it.

    `interpret` returns one of the choices of the behavior, '' for an unexpected result.
    """

    behavior: str
    experiment: Callable[[Sandbox], Any]
    interpret: Callable[[Any], str]
    needs: str = ""


def one_of(**choices: Any) -> Callable[[Any], str]:
    """Interpret a result as the choice with this value."""
    return lambda result: next((choice for choice, value in choices.items() if value == result), "")


def either(yes: str, no: str) -> Callable[[Any], str]:
    """Interpret a result by its truth value."""
    return lambda result: yes if result else no


def by_key(key: str, yes: str, no: str) -> Callable[[Any], str]:
    return lambda result: yes if key in result else no


def by_text(text: bytes, yes: str, no: str) -> Callable[[Reply], str]:
    """Interpret a body by whether it contains a text."""
    return lambda reply: yes if text.lower() in reply.body.lower() else no


def by_success(yes: str, no: str) -> Callable[[Reply], str]:
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
    """Interpret the body of the response to a deletion."""
    if not reply.body:
        return "empty"
    if "deleted_count" in reply.envelope:
        return "bare"
    if isinstance(reply.result, dict):
        return "counts" if "deleted_count" in reply.result else ""
    first = reply.result[0] if isinstance(reply.result, list) and reply.result else reply.result
    return (
        {dict: "objects", str: "names", type(None): "null"}.get(type(first), "") if "result" in reply.envelope else ""
    )


def supported(reply: Reply) -> str:
    return "update" if reply.ok else "405" if reply.status == 405 else ""


def longest(lengths: list[int]) -> str:
    return str(max(lengths, default=""))


def bound(names: Mapping[str, str]) -> str:
    return next((choice for choice in ("stay", "follow") if names["bound to"] == names[choice]), "")


QUESTIONS: tuple[Question, ...] = (
    Question("missing_script_response", experiments.get_missing_script, absence),
    Question("upload_without_tags", experiments.upload_without_tags, either("keep", "clear")),
    Question("upload_without_keep_bindings", experiments.upload_without_secrets, either("keep", "clear")),
    Question("upload_without_code", experiments.upload_without_code, by_success("keep", "refuse")),
    Question("upload_without_assets_config", experiments.upload_without_assets_config, one_of(keep="none", clear=None)),
    Question("inherit_with_keep_bindings", experiments.inherit_with_keep_bindings, by_success("accept", "refuse")),
    Question("namespace_update_without_trusted", experiments.update_trusted_namespace, one_of(keep=True, reset=False)),
    Question("trusted_workers_on_create", experiments.create_trusted_namespace, one_of(honor=True, ignore=False)),
    Question("namespace_patch", experiments.patch_namespace, supported),
    Question(
        "namespace_optional_fields",
        experiments.get_namespace,
        one_of(
            both=["trusted_workers", "script_count"],
            trusted_workers=["trusted_workers"],
            script_count=["script_count"],
            neither=[],
        ),
    ),
    Question("bindings_after_rename", experiments.rename_bound_namespace, bound),
    Question("delete_nonempty_namespace", experiments.delete_nonempty_namespace, by_success("cascade", "refuse")),
    Question("route_create_response", experiments.create_route, by_key("pattern", "object", "id"), needs="zone"),
    Question(
        "list_includes_tags",
        experiments.list_one_worker,
        one_of(yes=["tags", "etag"], tags=["tags"], etag=["etag"], no=[]),
    ),
    Question("list_item_form", experiments.get_list_item, by_key("script", "nested", "flat")),
    Question("last_page_cursor", experiments.list_all_workers, end_of_list),
    Question(
        "modified_on_updated_by",
        experiments.probe_modified_on,
        one_of(
            all={"tags": True, "secrets": True, "settings": True},
            content={"tags": False, "secrets": False, "settings": False},
            all_but_tags={"tags": False, "secrets": True, "settings": True},
            all_but_secrets={"tags": True, "secrets": False, "settings": True},
        ),
    ),
    Question("max_namespaced_tags", experiments.probe_tag_count, longest),
    Question("max_tag_length", experiments.probe_tag_length, longest),
    Question(
        "special_character_tags",
        experiments.probe_tag_characters,
        one_of(accept=["a,b", "a&b", "a b"], refuse=["a b"], refuse_spaces=[]),
    ),
    Question("content_file_names", experiments.get_two_modules, by_text(b'filename="', "yes", "no")),
    Question("single_module_content", experiments.get_one_module, by_text(b"Content-Disposition", "multipart", "bare")),
    Question(
        "upload_only_settings_returned",
        experiments.get_upload_only_settings,
        by_key("streaming_tail_consumers", "yes", "no"),
    ),
    Question("service_props_returned", experiments.bind_service, by_key("props", "yes", "no")),
    Question("delete_response", experiments.delete_worker, shape),
    Question("bulk_delete_response", experiments.delete_by_tag, shape),
    Question("bulk_delete_limit", experiments.delete_limited_by_tag, one_of(request=2, one=1, all=3)),
    Question("status_of_100120", experiments.create_namespace_twice, status_of(100120)),
    Question("status_of_10035", experiments.write_concurrently, status_of(10035)),
    Question("status_of_10018", experiments.upload_conditionally, status_of(10018)),
    Question("asset_without_content_type", experiments.upload_untyped_asset, by_success("accept", "refuse")),
    Question("untrusted_default_cache", experiments.read_default_cache, by_success("reject", "throw")),
    Question("code_of_429", experiments.exhaust_rate_limit, lambda reply: str(reply.code), needs="exhaust-budget"),
)
