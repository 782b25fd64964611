# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong, in words that name the cause and the remedy.

Cloudflare's codes collide across products (10013 is a missing KV namespace and a Workers server error), so everything
here is looked up by the family of the endpoint and the code together.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

PRODUCTS = (
    ("kv", re.compile(r"/storage/kv/")),
    ("assets", re.compile(r"/workers/assets/")),
    ("route", re.compile(r"/workers/routes")),
    ("domain", re.compile(r"/workers/domains")),
    ("script", re.compile(r"/workers/(dispatch/namespaces/[^/]+/)?scripts")),
    ("namespace", re.compile(r"/workers/dispatch/namespaces")),
    ("hostname", re.compile(r"/custom_hostnames")),
    ("dns", re.compile(r"/dns_records")),
    ("zone", re.compile(r"^/zones")),
    ("account", re.compile(r"^/accounts")),
)

NOT_AN_API_RESPONSE = -1  # in place of a code: who answered was not the API

# The codes by which a family says "there is no such object", besides HTTP 404.
NOT_FOUND_CODES = {
    "kv": {10009, 10013},
    "route": {10007, 10009},
    "script": {10007, 10090, 10092, 100119},
    "namespace": {100119},
}

CREDENTIALS = "Check api_token (CLOUDFLARE_API_TOKEN), or api_key and email, and that the token has not expired."
PERMISSIONS = (
    "The credentials are valid but not allowed to do this. The token needs: Workers Scripts:Edit, Workers KV Storage:Edit and"
    " Account Settings:Read on the account, Workers Routes:Edit and Zone:Read on the zone,"
    " DNS:Edit for DNS records, SSL and Certificates:Edit for custom hostnames."
)
PLAN = (
    "Workers for Platforms is not enabled on this account; it is bought in the dashboard under Workers for Platforms."
)
NAMESPACE = (
    "Create the dispatch namespace first, with tenantry.cloudflare_workers.dispatch_namespace, or correct its name."
)

# (family or "*", code) -> what to do about it.
HINTS = {
    ("*", 10000): PERMISSIONS,
    ("*", 9103): CREDENTIALS,
    ("*", 9106): CREDENTIALS,
    ("*", 9109): CREDENTIALS,
    ("*", 6003): CREDENTIALS,
    ("*", 1001): CREDENTIALS,
    ("*", 7003): "Check account_id, zone_id and the other ids: one of them does not exist or is not visible"
    " to these credentials. And check that api_url ends in /client/v4.",
    ("*", 971): "The API budget of 1200 requests in 5 minutes is spent. Wait five minutes; fewer parallel jobs help.",
    ("*", 10121): PLAN,
    ("script", 100119): NAMESPACE,
    ("namespace", 100119): NAMESPACE,
    ("script", 10007): "The Worker does not exist: upload it first, or correct its name.",
    (
        "script",
        10016,
    ): "Rename it: a Worker's name has lower-case letters, digits, - and _, and begins with a letter, a digit or _.",
    ("script", 10021): "The Worker's code or its bindings did not pass validation: correct what the message points at.",
    ("script", 10027): "The Worker is too large: 10 MB gzipped on a paid plan. Leave out or split what it bundles.",
    (
        "script",
        10041,
    ): "A kv_namespace binding points at a KV namespace that does not exist: name it by title, or correct namespace_id.",
    (
        "script",
        10061,
    ): "A durable_object_namespace binding names a class without storage: declare it in migrations, or correct class_name and script_name.",
    (
        "script",
        10085,
    ): "An r2_bucket binding points at a bucket that does not exist: create it first, or correct bucket_name and jurisdiction.",
    (
        "script",
        10157,
    ): "A hyperdrive binding points at a configuration that does not exist: create it first, or correct id.",
    (
        "script",
        10159,
    ): "A vectorize binding points at an index that does not exist: create it first, or correct index_name.",
    (
        "script",
        10181,
    ): "A d1 binding points at a database that does not exist: name it by database_name, or correct database_id.",
    (
        "script",
        10182,
    ): "A secrets_store_secret binding points at a store that does not exist: create it first, or correct store_id.",
    ("script", 11000): "A queue binding points at a queue that does not exist: create it first, or correct queue_name.",
    (
        "script",
        100143,
    ): "An mtls_certificate binding points at a certificate that does not exist: upload it first, or correct certificate_id.",
    ("script", 10057): "A binding that was to be kept is gone: run again, so that it is read anew.",
    ("script", 10068): "The Worker handles nothing: its main module must export default { fetch }, or another handler.",
    ("script", 100324): "Correct the file _headers or _redirects, or the suboption of assets that the message names.",
    ("assets", 10000): "An upload of assets has an hour: run again, and only what is still missing is sent.",
    ("script", 10144): "A service binding points at a Worker that does not exist: upload that one first.",
    ("route", 7003): "Check zone_id: there is no such zone, or these credentials do not see it.",
    ("route", 9109): "Check zone_id, and that the token may read and edit this zone's Workers Routes.",
    (
        "script",
        10053,
    ): "A secret and another binding have one name: rename one, or declare vars or bindings without it.",
    ("route", 10019): "Upload the Worker first, with tenantry.cloudflare_workers.worker, or correct script.",
    ("route", 10020): "The pattern is taken on this zone: run again, so that the route is found and adopted.",
    (
        "route",
        10022,
    ): "Correct the pattern: wildcards only at the start of the host and at the end of the path, no query string.",
    ("domain", 10007): "Upload the Worker first, with tenantry.cloudflare_workers.worker, or correct service.",
    (
        "domain",
        100117,
    ): "Remove these records first, with tenantry.cloudflare_workers.dns_record, or lead them to the Worker by a worker_route.",
    ("dns", 81053): "Remove that record first, with tenantry.cloudflare_workers.dns_record, or choose another name.",
    ("dns", 81054): "Remove that record first, with tenantry.cloudflare_workers.dns_record, or choose another name.",
    ("dns", 81058): "Run again, so that the record is found and adopted.",
    (
        "dns",
        81062,
    ): "Remove the custom domain first, with tenantry.cloudflare_workers.worker_domain, or choose another name.",
    (
        "hostname",
        1406,
    ): "Run again, so that it is found and adopted. If it is being deleted, or another zone has it, that must end first.",
    ("hostname", 1421): "Create the record of the origin first, with tenantry.cloudflare_workers.dns_record.",
    ("kv", 10014): "A KV namespace of that title exists: run again, so that it is found and adopted.",
    ("kv", 10052): "A Worker is still bound to the KV namespace: remove the Worker or its binding first.",
}


def product_of(path: str) -> str:
    """Return the product that answers for a path, such as C(kv), or C(other)."""
    return next((name for name, pattern in PRODUCTS if pattern.search(path)), "other")


class CloudflareError(Exception):
    """Something the user can act on. Its text is the whole message."""


class AmbiguousResult(CloudflareError):
    """The connection broke or the server failed: whether the request was carried out is not known."""


class ConnectError(CloudflareError):
    """No connection could be made: nothing was sent."""


@dataclass
class ApiError(CloudflareError):
    """An answer that says no. C(code) is Cloudflare's, 0 where there is none; C(ray) is for their support."""

    method: str
    path: str
    status: int
    code: int
    message: str
    ray_id: str = ""
    retry_after: float = 0.0

    def __str__(self) -> str:
        family = product_of(self.path)
        remedy = HINTS.get((family, self.code)) or HINTS.get(("*", self.code)) or ""
        what = (
            f"Cloudflare answered {self.status}"
            + (f", code {self.code}" if self.code > 0 else "")
            + f": {self.message.rstrip('.')}."
        )
        if self.retry_after:
            what += f" It asks to wait {self.retry_after:.0f} s."
        where = f"[{self.method} {self.path}" + (f", ray {self.ray_id}]" if self.ray_id else "]")
        return " ".join(part for part in (what, remedy, where) if part)

    @property
    def is_not_found(self) -> bool:
        """Whether this only says that the object does not exist. 7003 says more: that the account or the zone does not."""
        return self.code in NOT_FOUND_CODES.get(product_of(self.path), ()) or (
            self.status == 404 and self.code not in (NOT_AN_API_RESPONSE, 7003)
        )

    @property
    def is_account_wide(self) -> bool:
        """Whether every other request would fail the same way, so that going on is pointless."""
        return self.status in (401, 429) or self.code in (10000, 9103, 9106, 9109, 6003, 1001, 10121, 100119)


def parse_errors(envelope: t.Any) -> tuple[int, str]:
    """Return code and message of an error envelope, whose lists may be null and whose cause may hide in C(error_chain)."""
    errors = (envelope.get("errors") if isinstance(envelope, dict) else None) or []
    texts = []
    for error in errors:
        chain = [link.get("message", "") for link in error.get("error_chain") or []]
        texts.append(": ".join(text for text in (error.get("message") or "", *chain) if text))
    code = next((int(error["code"]) for error in errors if error.get("code")), 0)
    return code, "; ".join(texts) or "no reason given"
