# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The responses of the API: one shape per endpoint, with its form and the keys that a resource may rely on.

The client believes no other response of these endpoints. It applies the shape to each: it fills in what may be missing,
null or empty, and refuses a response of another form or without a required key. The local edge's contract test and the
tests of thin answers read the same table.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .items import Item, Object, ShapeError, check_type, fill

# -- the objects -------------------------------------------------------------------------------------------------------

ACCOUNT = Item("an account", required=("id",))
ZONE = Item("a zone", required=("id", "name"))
NAMESPACE = Item("a dispatch namespace", required=("namespace_name",), types={"trusted_workers": bool})
WORKER = Item("a Worker", required=("id",), nulls={"tags": []}, parts={"tags": str})
UPLOADED = Item("a Worker", types={"etag": str})
ONE_WORKER = Item("a Worker", nulls={"tags": []}, parts={"tags": str})  # its name is in the path
BINDING = Item("a binding", required=("name", "type"))
SETTINGS = Item(
    "settings",
    defaults={"tags": []},
    types={
        **dict.fromkeys(("bindings", "compatibility_flags", "tail_consumers"), list),
        **dict.fromkeys(("limits", "observability", "placement", "cache_options"), dict),
    },
    parts={"bindings": BINDING, "tags": str, "tail_consumers": Item("a tail consumer")},
)
SECRET = Item("a secret", required=("name",))
SUBDOMAIN = Item("a subdomain", defaults={"enabled": False})
SCHEDULES = Item("schedules", defaults={"schedules": []}, parts={"schedules": Item("a schedule", required=("cron",))})
SESSION = Item("an upload session", defaults={"buckets": []}, parts={"buckets": list})
ROUTE = Item("a route", required=("id", "pattern"))
DOMAIN = Item("a custom domain", required=("id", "hostname", "zone_id", "zone_name"))
RECORD = Item(
    "a DNS record", required=("id", "name", "type"), defaults={"tags": []}, types={"data": dict}, parts={"tags": str}
)
CREATED_RECORD = Item("a DNS record", required=("name",))
CERTIFICATE = Item(
    "a certificate",
    types={"settings": dict, "validation_records": list, "validation_errors": list},
    parts={"validation_records": Item("a validation record"), "validation_errors": Item("a validation error")},
)
HOSTNAME = Item(
    "a custom hostname",
    required=("id", "hostname"),
    types={
        **dict.fromkeys(("ssl", "custom_metadata", "ownership_verification"), dict),
        "verification_errors": list,
        "custom_origin_server": str,
    },
    parts={"ssl": CERTIFICATE, "verification_errors": str},
)
KV_NAMESPACE = Item("a KV namespace", required=("id", "title"))
KV_KEY = Item("a key", required=("name",))
KV_VALUE = Item("an entry", values=("value",), types={"value": str})
KV_VALUES = Item(
    "entries",
    values=("values",),
    types={"values": dict},
    parts={"values": Item("entries", parts={"*": KV_VALUE}, is_mapping=True)},
)
KV_REPORT = Item("a report", defaults={"unsuccessful_keys": []}, parts={"unsuccessful_keys": str})
D1_DATABASE = Item("a D1 database", required=("uuid", "name"))
R2_BUCKET = Item("an R2 bucket", required=("name",))
HYPERDRIVE = Item("a Hyperdrive configuration", required=("id",))
VECTORIZE_INDEX = Item("a Vectorize index", required=("name",))
SECRETS_STORE = Item("a Secrets Store", required=("id",))
MTLS_CERTIFICATE = Item("an mTLS certificate", required=("id",))
QUEUE = Item(
    "a queue",
    required=("queue_id", "queue_name"),
    defaults={"settings": {}, "producers": [], "consumers": []},
)
DELETION = Item("a report")
ANY = Item("a result")


# -- normalizations ----------------------------------------------------------------------------------------------------


def flatten(worker: t.Any) -> t.Any:
    """Merge a Worker nested under ``script`` into the object around it. Return a flat one unchanged."""
    nested = worker.get("script") if isinstance(worker, dict) else None
    if not isinstance(nested, dict):
        return worker
    known = {key: value for key, value in nested.items() if value is not None or key not in worker}
    return {**{key: value for key, value in worker.items() if key != "script"}, **known}


def flatten_all(workers: t.Any) -> t.Any:
    """Flatten each Worker of a list."""
    return [flatten(worker) for worker in workers] if isinstance(workers, list) else workers


def flatten_one(worker: t.Any) -> t.Any:
    """Return a flat Worker, or None: an object without one means that it does not exist."""
    if worker is None:
        raise ShapeError("is empty")
    if not isinstance(worker, dict):
        return worker
    return flatten(worker) if worker.get("script") or worker.get("id") else None


def count_deleted(result: t.Any) -> Object:
    """Return ``deleted_count``, None if it is unknown, and ``has_more`` of a deletion by tag."""
    if isinstance(result, list):
        return {"deleted_count": len(result), "has_more": False}
    report = result if isinstance(result, dict) else {}
    deleted, count = report.get("deleted"), report.get("deleted_count")
    if not isinstance(count, int):
        count = len(deleted) if isinstance(deleted, list) else None
    return {"deleted_count": count, "has_more": report.get("has_more") is True}


def buckets_of(result: t.Any) -> t.Any:
    """Return the list of R2 buckets, which is the value of a key."""
    return result.get("buckets") if isinstance(result, dict) else result


# -- the endpoints -----------------------------------------------------------------------------------------------------

ResultKind = t.Literal["list", "object", "bytes", "unused"]
Form = t.Literal["envelope", "json", "bytes", "empty", "endless", "unknown"]
"""A successful response: JSON in the API's envelope, other JSON, bytes, no content; or none of these, such as HTML."""
ENVELOPE: tuple[Form, ...] = ("envelope",)
DELETION_KEYS = ("deleted", "deleted_count", "has_more")


@dataclass(frozen=True)
class Shape:
    """The response of one endpoint.

    ``result`` is the kind of result: a list of ``item``, one ``item``, bytes, or a result that nothing depends on,
    which may be null. A list or an object may be null only with ``may_be_null``. ``forms`` are the possible forms of a
    successful response, and ``bare_keys`` the keys of JSON without an envelope, one of which it must have.
    ``normalize`` converts a result before it is checked. ``is_read`` tells a POST that only reads from a write.
    ``source`` is the evidence.
    """

    method: str
    path: str
    result: ResultKind
    item: Item | type = ANY
    source: str = ""
    forms: tuple[Form, ...] = ENVELOPE
    bare_keys: tuple[str, ...] = ()
    may_be_null: bool = False
    normalize: t.Callable[[t.Any], t.Any] | None = None
    is_read: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def accepts(self, form: Form, status: int, body: t.Any) -> bool:
        """Return whether a successful response with this status and parsed body has a form of the endpoint.

        Bytes may be none at all, unless the status means that there is no content.
        """
        if form == "empty" and status == 200 and "bytes" in self.forms:
            return True
        has_key = not self.bare_keys or (isinstance(body, dict) and any(key in body for key in self.bare_keys))
        return form in self.forms and (form != "json" or has_key)

    def apply(self, result: t.Any) -> t.Any:
        """Return a result in this shape, with defaults. Raise ShapeError if it cannot be brought into it."""
        if self.result in ("bytes", "unused"):
            return result
        if self.normalize:
            result = self.normalize(result)
            if self.normalize is flatten_one and result is None:
                return None
        if result is None and self.may_be_null:
            result = [] if self.result == "list" else {}
        if self.result == "object":
            return self._apply_object(result)
        if not isinstance(result, list):
            raise ShapeError("is not a list")
        for each in result:
            self._apply_item(each)
        return result

    def _apply_item(self, value: t.Any) -> None:
        if isinstance(self.item, Item):
            fill(value, self.item)
        else:
            check_type(value, self.item, "an element that")

    def _apply_object(self, result: t.Any) -> t.Any:
        if not isinstance(result, dict):
            raise ShapeError("is empty" if result is None else "is not an object")
        self._apply_item(result)
        return result


OPENAPI = "OpenAPI 2026-07"
SDK = "TypeScript SDK 7.3"
DOCS = "Cloudflare's documentation"
WRANGLER = "wrangler 4.164"
GO = "response bodies in the tests of cloudflare-go 0.115"
CONTENT_SOURCE = f"{SDK}; {WRANGLER}; 204 for a Worker with only assets"
LIVE = "observed on the live API by alchemy"

ACCOUNTS = "/accounts/{account_id}"
WORKERS = f"{ACCOUNTS}/workers"
NAMESPACES = f"{WORKERS}/dispatch/namespaces"
NAMESPACED = f"{NAMESPACES}/{{namespace}}/scripts"
SCRIPTS = f"{WORKERS}/scripts"
ROUTES = "/zones/{zone_id}/workers/routes"
DOMAINS = f"{WORKERS}/domains"
RECORDS = "/zones/{zone_id}/dns_records"
HOSTNAMES = "/zones/{zone_id}/custom_hostnames"
KV = f"{ACCOUNTS}/storage/kv/namespaces"
QUEUES = f"{ACCOUNTS}/queues"


def _worker_shapes(scripts: str) -> t.Iterator[Shape]:
    """Yield the endpoints that Workers of an account and of a namespace have in common."""
    one = f"{scripts}/{{script}}"
    yield Shape("GET", scripts, "list", WORKER, f"nested: {OPENAPI}; flat: {DOCS}", normalize=flatten_all)
    yield Shape("PUT", one, "object", UPLOADED, SDK)
    yield Shape("DELETE", one, "unused", source=f"{SDK}: null, or no body", forms=("envelope", "empty"))
    yield Shape("GET", f"{one}/settings", "object", SETTINGS, f"{SDK}: all keys optional")
    yield Shape("PATCH", f"{one}/settings", "unused", source=SDK)
    yield Shape("GET", f"{one}/bindings", "list", BINDING, SDK)
    yield Shape("GET", f"{one}/secrets", "list", SECRET, SDK)
    yield Shape("PATCH", f"{one}/secrets-bulk", "unused", source=SDK)
    yield Shape("POST", f"{one}/assets-upload-session", "object", SESSION, f"{SDK}: all keys optional", is_read=True)


def _collection(root: str, item: Item, source: str, *writes: str) -> t.Iterator[Shape]:
    """Yield a list and the writes of its objects. A POST creates one. Nothing depends on the results of the others."""
    yield Shape("GET", root, "list", item, source)
    for method in writes:
        if method == "POST":
            yield Shape(method, root, "object", source=source)
        else:
            yield Shape(method, f"{root}/{{id}}", "unused", source=source)


SHAPES: tuple[Shape, ...] = (
    Shape("GET", "/accounts", "list", ACCOUNT, SDK),
    Shape("GET", "/zones", "list", ZONE, SDK),
    Shape("GET", NAMESPACES, "list", NAMESPACE, f"{OPENAPI}: trusted_workers is optional, false by default"),
    Shape("POST", NAMESPACES, "object", source=OPENAPI),
    Shape("GET", f"{NAMESPACES}/{{namespace}}", "object", NAMESPACE, f"{OPENAPI}: all keys optional"),
    Shape("PATCH", f"{NAMESPACES}/{{namespace}}", "unused", source=f"{OPENAPI}: omitted fields are left unchanged"),
    Shape("PUT", f"{NAMESPACES}/{{namespace}}", "unused", source=OPENAPI),
    Shape("DELETE", f"{NAMESPACES}/{{namespace}}", "unused", source=f"{GO}: null"),
    *_worker_shapes(NAMESPACED),
    Shape(
        "DELETE",
        NAMESPACED,
        "object",
        DELETION,
        # A listing follows each deletion, so that nothing depends on a response without content.
        f"{OPENAPI}: deleted, deleted_count, has_more, without an envelope",
        forms=("envelope", "json", "empty"),
        bare_keys=DELETION_KEYS,
        normalize=count_deleted,
    ),
    Shape(
        "GET",
        f"{NAMESPACED}/{{script}}",
        "object",
        ONE_WORKER,
        f"{SDK}; {LIVE}: script is null for a missing Worker",
        normalize=flatten_one,
    ),
    Shape("GET", f"{NAMESPACED}/{{script}}/content", "bytes", source=CONTENT_SOURCE, forms=("bytes", "empty")),
    Shape("GET", f"{NAMESPACED}/{{script}}/tags", "list", str, f"{DOCS}: null without tags", may_be_null=True),
    Shape("PUT", f"{NAMESPACED}/{{script}}/tags", "unused", source=OPENAPI),
    *_worker_shapes(SCRIPTS),
    Shape("GET", f"{SCRIPTS}/{{script}}/content/v2", "bytes", source=CONTENT_SOURCE, forms=("bytes", "empty")),
    Shape("PATCH", f"{SCRIPTS}/{{script}}/script-settings", "unused", source=SDK),
    Shape("GET", f"{SCRIPTS}/{{script}}/subdomain", "object", SUBDOMAIN, SDK),
    Shape("POST", f"{SCRIPTS}/{{script}}/subdomain", "unused", source=SDK),
    Shape("GET", f"{SCRIPTS}/{{script}}/schedules", "object", SCHEDULES, SDK),
    Shape("PUT", f"{SCRIPTS}/{{script}}/schedules", "unused", source=SDK),
    Shape(
        "POST",
        f"{WORKERS}/assets/upload",
        "object",
        source=f"{DOCS}: a jwt in the last one",
        may_be_null=True,
        is_read=True,
    ),
    *_collection(ROUTES, ROUTE, f"{SDK}; {GO}: a new route has only an id", "POST", "PUT", "DELETE"),
    *_collection(DOMAINS, DOMAIN, SDK, "DELETE"),
    Shape("PUT", DOMAINS, "unused", source=SDK),
    *_collection(RECORDS, RECORD, SDK, "PATCH", "DELETE"),
    Shape("POST", RECORDS, "object", CREATED_RECORD, SDK),
    *_collection(HOSTNAMES, HOSTNAME, SDK, "POST", "PATCH", "DELETE"),
    *_collection(KV, KV_NAMESPACE, SDK, "POST", "PUT", "DELETE"),
    Shape("GET", f"{KV}/{{id}}", "object", KV_NAMESPACE, SDK),
    Shape("GET", f"{KV}/{{id}}/keys", "list", KV_KEY, SDK),
    Shape("GET", f"{KV}/{{id}}/values/{{key}}", "bytes", source=SDK, forms=("bytes", "json")),
    Shape("PUT", f"{KV}/{{id}}/bulk", "object", KV_REPORT, f"{SDK}: may be null", may_be_null=True),
    Shape("POST", f"{KV}/{{id}}/bulk/delete", "object", KV_REPORT, f"{SDK}: may be null", may_be_null=True),
    Shape("POST", f"{KV}/{{id}}/bulk/get", "object", KV_VALUES, SDK, is_read=True),
    Shape("GET", f"{ACCOUNTS}/d1/database", "list", D1_DATABASE, SDK),
    Shape("GET", f"{ACCOUNTS}/r2/buckets", "list", R2_BUCKET, f"{SDK}: below buckets", normalize=buckets_of),
    Shape("GET", f"{ACCOUNTS}/hyperdrive/configs", "list", HYPERDRIVE, SDK),
    Shape("GET", f"{ACCOUNTS}/vectorize/v2/indexes", "list", VECTORIZE_INDEX, f"{SDK}: all keys optional"),
    Shape("GET", f"{ACCOUNTS}/secrets_store/stores", "list", SECRETS_STORE, SDK),
    Shape("GET", f"{ACCOUNTS}/mtls_certificates", "list", MTLS_CERTIFICATE, f"{SDK}: all keys optional"),
    *_collection(QUEUES, QUEUE, f"{SDK}: all keys optional", "POST", "PATCH", "DELETE"),
)


# -- lookup ------------------------------------------------------------------------------------------------------------

Node = dict[str, t.Any]  # segment -> Node, "" -> Shape; "{}" is any segment


def _compile(shapes: t.Iterable[Shape]) -> Node:
    root: Node = {}
    for shape in shapes:
        node = root.setdefault(shape.method, {})
        for segment in shape.path.strip("/").split("/"):
            node = node.setdefault("{}" if segment.startswith("{") else segment, {})
        node[""] = shape
    return root


_TREE = _compile(SHAPES)


def find(method: str, path: str) -> Shape | None:
    """Return the shape of an endpoint, or None for one that no resource uses."""
    node: Node | None = _TREE.get(method)
    for segment in path.strip("/").split("/"):
        if node is None:
            return None
        node = node.get(segment) or node.get("{}")
    return node.get("") if node else None
