# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors of the Cloudflare API, with messages that name the cause and the remedy.

Cloudflare's codes collide across products: 10013 is a missing KV namespace, and also a server error of Workers. All
lookups here use the product of the endpoint together with the code.
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
    ("queue", re.compile(r"^/accounts/[^/]+/queues")),
    ("hostname", re.compile(r"/custom_hostnames")),
    ("dns", re.compile(r"/dns_records")),
    ("zone", re.compile(r"^/zones")),
    ("account", re.compile(r"^/accounts")),
)

NOT_AN_API_RESPONSE = -1  # in place of a code, for responses without the API's envelope

# The codes of a product that mean "not found", in addition to HTTP 404.
NOT_FOUND_CODES = {
    "kv": {10009, 10013},
    "route": {10007, 10009},
    "script": {10007, 10090, 10092, 100119},
    "namespace": {100119},
}

CREDENTIALS = "Check api_token (CLOUDFLARE_API_TOKEN), or api_key and email, and that the token has not expired."
PERMISSIONS = (
    "The credentials are valid but lack a permission. The token needs: Workers Scripts:Edit, Workers KV Storage:Edit"
    " and Account Settings:Read on the account, Workers Routes:Edit and Zone:Read on the zone,"
    " DNS:Edit for DNS records, SSL and Certificates:Edit for custom hostnames."
)
PLAN = "Workers for Platforms is not enabled on this account. Buy it in the dashboard under Workers for Platforms."
NAMESPACE = (
    "Create the dispatch namespace first, with tenantry.cloudflare_workers.dispatch_namespace, or correct its name."
)
WORKER = "Upload the Worker first, with tenantry.cloudflare_workers.worker, or correct worker."
RECORD = "Remove that record first, with tenantry.cloudflare_workers.dns_record, or choose another name."

# Remedies by (product or "*", code).
HINTS = {
    ("*", 10000): PERMISSIONS,
    ("*", 9103): CREDENTIALS,
    ("*", 9106): CREDENTIALS,
    ("*", 9109): CREDENTIALS,
    ("*", 6003): CREDENTIALS,
    ("*", 1001): CREDENTIALS,
    ("*", 7003): "Check account_id, zone_id and the other ids: one of them does not exist, or the credentials have no"
    " access to it. Also check that api_url ends in /client/v4.",
    ("*", 971): "The rate limit of 1200 requests in 5 minutes is exceeded. Wait five minutes, and run fewer jobs in"
    " parallel.",
    ("*", 10121): PLAN,
    ("script", 100119): NAMESPACE,
    ("namespace", 100119): NAMESPACE,
    ("script", 10007): "The Worker does not exist. Upload it first, or correct its name.",
    (
        "script",
        10016,
    ): "Rename the Worker. Its name may contain lower-case letters, digits, - and _, and must begin with"
    " a letter, a digit or _.",
    ("script", 10021): "The Worker's code or bindings are not valid. Correct them as the message describes.",
    (
        "script",
        10027,
    ): "The Worker is larger than 10 MB gzipped, the limit of a paid plan. Remove or split parts of it.",
    ("script", 10041): "A kv_namespace binding refers to a KV namespace that does not exist. Set its title, or correct"
    " namespace_id.",
    ("script", 10053): "A secret and another binding have the same name. Rename one of them, or remove it from vars or"
    " bindings.",
    ("script", 10057): "A binding that was to be kept no longer exists. Run again to read the bindings again.",
    ("script", 10061): "A durable_object_namespace binding refers to a class without storage. Declare the class in"
    " migrations, or correct class_name and script_name.",
    ("script", 10068): "The Worker has no handler. Its main module must export default { fetch }, or another handler.",
    ("script", 10085): "An r2_bucket binding refers to a bucket that does not exist. Create it first, or correct"
    " bucket_name and jurisdiction.",
    ("script", 10162): "Cloudflare does not accept modules of this type. Upload JSON as an ES module with a default"
    " export, as path and entrypoint do.",
    ("script", 10144): "A service binding refers to a Worker that does not exist. Upload that Worker first.",
    ("script", 10157): "A hyperdrive binding refers to a configuration that does not exist. Create it first, or correct"
    " id.",
    ("script", 10159): "A vectorize binding refers to an index that does not exist. Create it first, or correct"
    " index_name.",
    ("script", 10181): "A d1 binding refers to a database that does not exist. Set its database_name, or correct"
    " database_id.",
    ("script", 10182): "A secrets_store_secret binding refers to a store that does not exist. Create it first, or"
    " correct store_id.",
    ("script", 11000): "A queue binding refers to a queue that does not exist. Create it first, with"
    " tenantry.cloudflare_workers.queue, or correct queue_name.",
    ("script", 100143): "An mtls_certificate binding refers to a certificate that does not exist. Upload it first, or"
    " correct certificate_id.",
    ("script", 100324): "Correct the file _headers or _redirects, or the suboption of assets that the message names.",
    ("assets", 10000): "An upload of assets is valid for one hour. Run again to send only the missing files.",
    ("route", 7003): "Check zone_id: the zone does not exist, or the credentials have no access to it.",
    ("route", 9109): "Check zone_id, and that the token has read and edit access to the zone's Workers Routes.",
    ("route", 10019): WORKER,
    ("route", 10020): "The pattern already exists in this zone. Run again to find and adopt the route.",
    (
        "route",
        10022,
    ): "Correct the pattern: wildcards only at the start of the host and at the end of the path, no query string.",
    ("domain", 10007): WORKER,
    ("domain", 100117): "Remove these records first, with tenantry.cloudflare_workers.dns_record, or use"
    " tenantry.cloudflare_workers.worker_route to route the hostname to the Worker.",
    ("dns", 81053): RECORD,
    ("dns", 81054): RECORD,
    ("dns", 81058): "Run again to find and adopt the record.",
    ("dns", 81062): "Remove the custom domain first, with tenantry.cloudflare_workers.worker_domain, or choose another"
    " name.",
    ("hostname", 1406): "Run again to find and adopt the custom hostname. If it is being deleted, or belongs to another"
    " zone, wait until it is removed there.",
    ("hostname", 1421): "Create the record of the origin first, with tenantry.cloudflare_workers.dns_record.",
    ("queue", 11009): "Run again to find and adopt the queue.",
    ("kv", 10014): "A KV namespace with that title exists. Run again to find and adopt it.",
    ("kv", 10052): "A Worker is bound to the KV namespace. Remove the Worker or its binding first.",
}


def product_of(path: str) -> str:
    """Return the product that a path of the API belongs to, such as ``kv``. Return ``other`` for unknown paths."""
    return next((name for name, pattern in PRODUCTS if pattern.search(path)), "other")


class CloudflareError(Exception):
    """An error that the user can correct. Its text is the complete message."""


class AmbiguousResult(CloudflareError):
    """The response was lost or the server failed, so the request may or may not have been carried out."""


class ConnectError(CloudflareError):
    """No connection was made, so the request was not sent."""


@dataclass
class ApiError(CloudflareError):
    """An error response. ``code`` is Cloudflare's, 0 without one. Cloudflare's support can look up ``ray_id``."""

    method: str
    path: str
    status: int
    code: int
    message: str
    ray_id: str = ""
    retry_after: float = 0.0

    def __str__(self) -> str:
        hint = HINTS.get((product_of(self.path), self.code)) or HINTS.get(("*", self.code)) or ""
        code = f", code {self.code}" if self.code > 0 else ""
        problem = f"Cloudflare answered {self.status}{code}: {self.message.rstrip('.')}."
        if self.retry_after:
            problem += f" Retry after {self.retry_after:.0f} s."
        request = f"[{self.method} {self.path}" + (f", ray {self.ray_id}]" if self.ray_id else "]")
        return " ".join(part for part in (problem, hint, request) if part)

    @property
    def is_not_found(self) -> bool:
        """Whether the object does not exist. False for 7003, since then the account or the zone does not exist."""
        return self.code in NOT_FOUND_CODES.get(product_of(self.path), ()) or (
            self.status == 404 and self.code not in (NOT_AN_API_RESPONSE, 7003)
        )

    @property
    def is_account_wide(self) -> bool:
        """Whether every other request would fail with the same error."""
        return self.status in (401, 429) or self.code in (10000, 9103, 9106, 9109, 6003, 1001, 10121, 100119)


def parse_errors(envelope: t.Any) -> tuple[int, str]:
    """Return the code and the message of an error envelope, including the causes in ``error_chain``.

    Return code 0 if the envelope contains none. The lists in the envelope may be null.
    """
    errors = (envelope.get("errors") if isinstance(envelope, dict) else None) or []
    texts = []
    for error in errors:
        chain = [link.get("message", "") for link in error.get("error_chain") or []]
        texts.append(": ".join(text for text in (error.get("message") or "", *chain) if text))
    code = next((int(error["code"]) for error in errors if error.get("code")), 0)
    return code, "; ".join(texts) or "no reason given"
