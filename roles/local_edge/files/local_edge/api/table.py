# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routes of the API: method and path to handler."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from local_edge.api import (
    account_scripts,
    accounts,
    assets,
    custom_hostnames,
    d1,
    dns_records,
    domains,
    graphql,
    kv_namespaces,
    kv_values,
    namespaces,
    products,
    queues,
    r2_buckets,
    r2_objects,
    script_settings,
    scripts,
    uploads,
    versions,
    workflows,
    zone_routes,
)
from local_edge.api.request import Handler

ACCOUNT = "/accounts/{account}"
NAMESPACES = f"{ACCOUNT}/workers/dispatch/namespaces"
NAMESPACED_SCRIPTS = f"{NAMESPACES}/{{namespace}}/scripts"
WORKERS = f"{ACCOUNT}/workers"
SCRIPTS = f"{WORKERS}/scripts"
SERVICE = f"{WORKERS}/services/{{script}}"
WORKFLOWS = f"{ACCOUNT}/workflows"
ROUTES = "/zones/{zone}/workers/routes"
DOMAINS = f"{WORKERS}/domains"
RECORDS = "/zones/{zone}/dns_records"
HOSTNAMES = "/zones/{zone}/custom_hostnames"
KV = f"{ACCOUNT}/storage/kv/namespaces"
BUCKETS = f"{ACCOUNT}/r2/buckets"
OBJECTS = f"{BUCKETS}/{{bucket}}/objects"

Route = tuple[str, str, Handler]


def common_routes(base: str) -> Iterator[Route]:
    """Yield the routes that Workers of an account and of a namespace have in common."""
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
    yield "POST", f"{one}/assets-upload-session", assets.create_session
    yield "GET", f"{one}/tags", script_settings.get_tags
    yield "PUT", f"{one}/tags", script_settings.put_tags
    yield "PUT", f"{one}/tags/{{tag}}", script_settings.put_tag
    yield "DELETE", f"{one}/tags/{{tag}}", script_settings.delete_tag


def account_routes(one: str) -> Iterator[Route]:
    """Yield the routes of account Workers only."""
    yield "GET", f"{one}/schedules", account_scripts.get_schedules
    yield "PUT", f"{one}/schedules", account_scripts.put_schedules
    yield "GET", f"{one}/subdomain", account_scripts.get_subdomain
    yield "POST", f"{one}/subdomain", account_scripts.post_subdomain
    yield "DELETE", f"{one}/subdomain", account_scripts.delete_subdomain
    yield "PUT", f"{one}/routes", zone_routes.put_script_routes
    yield "GET", f"{one}/queue-consumers", account_scripts.list_queue_consumers
    yield "GET", f"{one}/usage-model", account_scripts.get_usage_model
    yield "GET", f"{one}/references", account_scripts.references
    yield "GET", f"{one}/versions", versions.list_versions
    yield "POST", f"{one}/versions", versions.create_version
    yield "GET", f"{one}/versions/{{version}}", versions.get_version
    yield "GET", f"{one}/deployments", versions.list_deployments
    yield "POST", f"{one}/deployments", versions.create_deployment
    yield "GET", f"{one}/deployments/{{deployment}}", versions.get_deployment


#: `{name}` matches one segment, `{name+}` all remaining ones, since some clients do not escape the slashes of a key.
API_ROUTES: tuple[Route, ...] = (
    ("GET", "/user", accounts.get_user),
    ("GET", "/user/tokens/verify", accounts.verify_token),
    ("GET", "/user/tokens/{token}", accounts.get_token),
    ("GET", "/memberships", accounts.list_memberships),
    ("GET", f"{ACCOUNT}/tokens/verify", accounts.verify_token),
    ("GET", f"{ACCOUNT}/tokens/{{token}}", accounts.get_token),
    ("GET", "/accounts", accounts.list_accounts),
    ("GET", ACCOUNT, accounts.get_account),
    ("GET", "/zones", accounts.list_zones),
    ("GET", "/zones/{zone}", accounts.get_zone),
    ("GET", WORKFLOWS, workflows.list_workflows),
    *((method, f"{WORKFLOWS}/{{workflow+}}", workflows.refuse) for method in ("GET", "PUT", "POST", "PATCH", "DELETE")),
    ("GET", NAMESPACES, namespaces.list_namespaces),
    ("POST", NAMESPACES, namespaces.create_namespace),
    ("GET", f"{NAMESPACES}/{{namespace}}", namespaces.get_namespace),
    ("PUT", f"{NAMESPACES}/{{namespace}}", namespaces.put_namespace),
    ("PATCH", f"{NAMESPACES}/{{namespace}}", namespaces.patch_namespace),
    ("DELETE", f"{NAMESPACES}/{{namespace}}", namespaces.delete_namespace),
    ("GET", NAMESPACED_SCRIPTS, scripts.list_namespaced),
    ("DELETE", NAMESPACED_SCRIPTS, scripts.delete_by_tag),
    ("GET", f"{NAMESPACED_SCRIPTS}/{{script}}", scripts.get_namespaced),
    *common_routes(NAMESPACED_SCRIPTS),
    ("GET", SCRIPTS, scripts.list_account),
    ("GET", f"{SCRIPTS}/{{script}}", scripts.get_content),
    ("GET", f"{SCRIPTS}/{{script}}/content/v2", scripts.get_content),
    ("GET", f"{SCRIPTS}/{{script}}/script-settings", script_settings.get_script_settings),
    ("PATCH", f"{SCRIPTS}/{{script}}/script-settings", script_settings.patch_script_settings),
    *common_routes(SCRIPTS),
    ("POST", f"{WORKERS}/assets/upload", assets.upload),
    *account_routes(f"{SCRIPTS}/{{script}}"),
    ("GET", f"{WORKERS}/scripts-search", account_scripts.search),
    ("GET", f"{WORKERS}/subdomain", account_scripts.get_account_subdomain),
    ("PUT", f"{WORKERS}/subdomain", account_scripts.put_account_subdomain),
    ("DELETE", f"{WORKERS}/subdomain", account_scripts.delete_account_subdomain),
    ("GET", f"{WORKERS}/workers/{{script}}", account_scripts.get_worker),
    ("GET", f"{WORKERS}/workers/{{script}}/versions/latest", versions.get_latest),
    ("PATCH", f"{WORKERS}/workers/{{script}}/versions/latest", versions.patch_latest),
    ("GET", f"{WORKERS}/tails/by-consumer/{{script}}", account_scripts.list_tails),
    ("GET", f"{WORKERS}/durable_objects/namespaces", account_scripts.list_durable_objects),
    ("GET", SERVICE, account_scripts.get_service),
    ("DELETE", SERVICE, account_scripts.delete_service),
    ("GET", f"{SERVICE}/environments/{{environment}}", account_scripts.get_environment),
    ("GET", f"{SERVICE}/environments/{{environment}}/bindings", account_scripts.get_service_bindings),
    ("GET", f"{SERVICE}/environments/{{environment}}/routes", account_scripts.get_service_routes),
    ("GET", ROUTES, zone_routes.list_routes),
    ("POST", ROUTES, zone_routes.create_route),
    ("GET", f"{ROUTES}/{{route}}", zone_routes.get_route),
    ("PUT", f"{ROUTES}/{{route}}", zone_routes.put_route),
    ("DELETE", f"{ROUTES}/{{route}}", zone_routes.delete_route),
    ("GET", DOMAINS, domains.list_domains),
    ("PUT", DOMAINS, domains.put_domain),
    ("GET", f"{DOMAINS}/{{domain}}", domains.get_domain),
    ("DELETE", f"{DOMAINS}/{{domain}}", domains.delete_domain),
    ("GET", f"{DOMAINS}/records", domains.list_domain_records),
    ("GET", f"{DOMAINS}/records/{{domain}}", domains.get_domain_record),
    ("POST", f"{SCRIPTS}/{{script}}/domains/changeset", domains.compare_domains),
    ("PUT", f"{SCRIPTS}/{{script}}/domains/records", domains.put_script_domains),
    ("GET", RECORDS, dns_records.list_records),
    ("POST", RECORDS, dns_records.create_record),
    ("POST", f"{RECORDS}/batch", dns_records.batch_records),
    ("GET", f"{RECORDS}/{{record}}", dns_records.get_record),
    ("PUT", f"{RECORDS}/{{record}}", dns_records.put_record),
    ("PATCH", f"{RECORDS}/{{record}}", dns_records.patch_record),
    ("DELETE", f"{RECORDS}/{{record}}", dns_records.delete_record),
    ("GET", HOSTNAMES, custom_hostnames.list_hostnames),
    ("POST", HOSTNAMES, custom_hostnames.create_hostname),
    ("GET", f"{HOSTNAMES}/quota", custom_hostnames.get_quota),
    ("GET", f"{HOSTNAMES}/fallback_origin", custom_hostnames.get_fallback_origin),
    ("PUT", f"{HOSTNAMES}/fallback_origin", custom_hostnames.put_fallback_origin),
    ("DELETE", f"{HOSTNAMES}/fallback_origin", custom_hostnames.delete_fallback_origin),
    ("GET", f"{HOSTNAMES}/{{hostname}}", custom_hostnames.get_hostname),
    ("PATCH", f"{HOSTNAMES}/{{hostname}}", custom_hostnames.patch_hostname),
    ("DELETE", f"{HOSTNAMES}/{{hostname}}", custom_hostnames.delete_hostname),
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
    ("GET", BUCKETS, r2_buckets.list_buckets),
    ("POST", BUCKETS, r2_buckets.create_bucket),
    ("GET", f"{BUCKETS}/{{bucket}}", r2_buckets.get_bucket),
    ("PATCH", f"{BUCKETS}/{{bucket}}", r2_buckets.patch_bucket),
    ("DELETE", f"{BUCKETS}/{{bucket}}", r2_buckets.delete_bucket),
    ("GET", OBJECTS, r2_objects.list_objects),
    ("DELETE", OBJECTS, r2_objects.delete_objects),
    ("GET", f"{OBJECTS}/{{key+}}", r2_objects.get_object),
    ("PUT", f"{OBJECTS}/{{key+}}", r2_objects.put_object),
    ("DELETE", f"{OBJECTS}/{{key+}}", r2_objects.delete_object),
    ("POST", "/graphql", graphql.query),
    *(route for product in (*products.PRODUCTS, d1.DATABASES, queues.QUEUES) for route in product.routes(ACCOUNT)),
)
#: POST requests that do not count as writes: queries, and asset files before the upload of their Worker.
READ_ONLY_POSTS = frozenset({kv_values.bulk_get, d1.export, graphql.query, assets.upload})
#: Handlers that check another authorization than the API token.
SELF_AUTHENTICATING = frozenset({assets.upload, d1.upload, d1.download})


@dataclass
class Node:
    """A node of the routing tree: one segment of a path."""

    literal: dict[str, Node] = field(default_factory=dict)
    variable: tuple[str, Node] | None = None
    rest: tuple[str, Node] | None = None
    handlers: dict[str, Handler] = field(default_factory=dict)

    def add(self, segments: list[str]) -> Node:
        """Return the node of a path. Create it if it is missing."""
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
        """Return the handlers by method and the parameters of a path. Both are empty for an unknown path."""
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
            elif not any(segments[position:]):
                break  # a trailing slash is significant in a key only
            else:
                return {}, {}
        return node.handlers, params


def tree() -> Node:
    root = Node()
    for method, path, handler in API_ROUTES:
        root.add(path.strip("/").split("/")).handlers[method] = handler
    return root
