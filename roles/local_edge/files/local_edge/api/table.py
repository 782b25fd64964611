# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which path leads to which handler."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from local_edge.api import accounts, kv_namespaces, kv_values, namespaces, script_settings, scripts, uploads, zone_routes
from local_edge.api.call import Handler

ACCOUNT = "/accounts/{account}"
SPACES = f"{ACCOUNT}/workers/dispatch/namespaces"
SPACED = f"{SPACES}/{{namespace}}/scripts"
SCRIPTS = f"{ACCOUNT}/workers/scripts"
ROUTES = "/zones/{zone}/workers/routes"
KV = f"{ACCOUNT}/storage/kv/namespaces"

Entry = tuple[str, str, Handler]


def common(base: str) -> Iterator[Entry]:
    """What Workers of an account and of a namespace have in common."""
    one = f"{base}/{{script}}"
    yield "PUT", one, uploads.put_script
    yield "DELETE", one, scripts.delete_script
    yield "GET", f"{one}/content", scripts.get_content
    yield "PUT", f"{one}/content", uploads.put_content
    yield "GET", f"{one}/settings", script_settings.get_settings
    yield "PATCH", f"{one}/settings", script_settings.patch_settings
    yield "GET", f"{one}/bindings", script_settings.get_bindings
    yield "GET", f"{one}/secrets", script_settings.list_secrets
    yield "PUT", f"{one}/secrets", script_settings.put_secret
    yield "PATCH", f"{one}/secrets-bulk", script_settings.patch_secrets
    yield "GET", f"{one}/secrets/{{secret}}", script_settings.get_secret
    yield "DELETE", f"{one}/secrets/{{secret}}", script_settings.delete_secret
    yield "GET", f"{one}/tags", script_settings.get_tags
    yield "PUT", f"{one}/tags", script_settings.put_tags
    yield "PUT", f"{one}/tags/{{tag}}", script_settings.put_tag
    yield "DELETE", f"{one}/tags/{{tag}}", script_settings.delete_tag


#: `{name}` is one segment, `{name+}` all that remain: clients differ in whether they escape the slashes of a KV key.
ENTRIES: tuple[Entry, ...] = (
    ("GET", "/user/tokens/verify", accounts.verify_token),
    ("GET", f"{ACCOUNT}/tokens/verify", accounts.verify_token),
    ("GET", "/accounts", accounts.list_accounts),
    ("GET", ACCOUNT, accounts.get_account),
    ("GET", "/zones", accounts.list_zones),
    ("GET", "/zones/{zone}", accounts.get_zone),
    ("GET", SPACES, namespaces.list_namespaces),
    ("POST", SPACES, namespaces.create_namespace),
    ("GET", f"{SPACES}/{{namespace}}", namespaces.get_namespace),
    ("PUT", f"{SPACES}/{{namespace}}", namespaces.put_namespace),
    ("DELETE", f"{SPACES}/{{namespace}}", namespaces.delete_namespace),
    ("GET", SPACED, scripts.list_namespaced),
    ("DELETE", SPACED, scripts.delete_by_tag),
    ("GET", f"{SPACED}/{{script}}", scripts.get_namespaced),
    *common(SPACED),
    ("GET", SCRIPTS, scripts.list_account),
    ("GET", f"{SCRIPTS}/{{script}}", scripts.get_content),
    ("GET", f"{SCRIPTS}/{{script}}/content/v2", scripts.get_content),
    ("GET", f"{SCRIPTS}/{{script}}/script-settings", script_settings.get_script_settings),
    ("PATCH", f"{SCRIPTS}/{{script}}/script-settings", script_settings.patch_script_settings),
    *common(SCRIPTS),
    ("GET", ROUTES, zone_routes.list_routes),
    ("POST", ROUTES, zone_routes.create_route),
    ("GET", f"{ROUTES}/{{route}}", zone_routes.get_route),
    ("PUT", f"{ROUTES}/{{route}}", zone_routes.put_route),
    ("DELETE", f"{ROUTES}/{{route}}", zone_routes.delete_route),
    ("GET", KV, kv_namespaces.list_namespaces),
    ("POST", KV, kv_namespaces.create_namespace),
    ("GET", f"{KV}/{{kv}}", kv_namespaces.get_namespace),
    ("PUT", f"{KV}/{{kv}}", kv_namespaces.put_namespace),
    ("DELETE", f"{KV}/{{kv}}", kv_namespaces.delete_namespace),
    ("GET", f"{KV}/{{kv}}/keys", kv_values.list_keys),
    ("GET", f"{KV}/{{kv}}/values/{{key+}}", kv_values.get_value),
    ("PUT", f"{KV}/{{kv}}/values/{{key+}}", kv_values.put_value),
    ("DELETE", f"{KV}/{{kv}}/values/{{key+}}", kv_values.delete_value),
    ("GET", f"{KV}/{{kv}}/metadata/{{key+}}", kv_values.get_metadata),
    ("PUT", f"{KV}/{{kv}}/bulk", kv_values.bulk_put),
    ("DELETE", f"{KV}/{{kv}}/bulk", kv_values.bulk_delete),
    ("POST", f"{KV}/{{kv}}/bulk/delete", kv_values.bulk_delete),
    ("POST", f"{KV}/{{kv}}/bulk/get", kv_values.bulk_get),
)
#: POST, but nothing is written.
READING_POSTS = frozenset({kv_values.bulk_get})


@dataclass
class Node:
    """One segment of all paths that begin alike."""

    literal: dict[str, Node] = field(default_factory=dict)
    variable: tuple[str, Node] | None = None
    rest: tuple[str, Node] | None = None
    handlers: dict[str, Handler] = field(default_factory=dict)

    def add(self, segments: list[str]) -> Node:
        """The node of a path, made where it is missing."""
        if not segments:
            return self
        head, tail = segments[0], segments[1:]
        if head.endswith("+}"):
            self.rest = self.rest or (head[1:-2], Node())
            return self.rest[1]
        if head.startswith("{"):
            self.variable = self.variable or (head[1:-1], Node())
            return self.variable[1].add(tail)
        return self.literal.setdefault(head, Node()).add(tail)

    def find(self, segments: list[str]) -> tuple[Mapping[str, Handler], dict[str, str]]:
        """The handlers by method and the parameters of a path; both empty where no path leads."""
        node, params = self, dict[str, str]()
        for position, segment in enumerate(segments):
            if segment in node.literal:
                node = node.literal[segment]
            elif node.variable and segment:
                name, node = node.variable
                params[name] = segment
            elif node.rest and any(segments[position:]):
                name, node = node.rest
                params[name] = "/".join(segments[position:])
                break
            else:
                return {}, {}
        return node.handlers, params


def tree() -> Node:
    root = Node()
    for method, path, handler in ENTRIES:
        root.add(path.strip("/").split("/")).handlers[method] = handler
    return root
