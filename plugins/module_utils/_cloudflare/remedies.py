# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The remedies of API errors, by product and code, each with the source that documents the error."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Sources: Cloudflare's documentation, its programs, and projects that tested against the API.
DOCS = "developers.cloudflare.com"
WORKERS_ERRORS = f"{DOCS}/workers/observability/errors"
WORKERS_LIMITS = f"{DOCS}/workers/platform/limits"
WRANGLER = "github.com/cloudflare/workers-sdk"
WRANGLER_AUTH = f"{WRANGLER}: packages/wrangler/src/core/handle-errors.ts"
ALCHEMY = "github.com/alchemy-run/alchemy: tests against the API"
DISTILLED = "github.com/alchemy-run/distilled: packages/cloudflare/patches"
TAG_TESTS = "github.com/alchemy-run/alchemy: pull request 824"
MIGRATION_TESTS = "github.com/alchemy-run/alchemy: packages/alchemy/src/Cloudflare/Workers/WorkerProvider.ts"
CLIENT_REPORTS = "reports of several API clients"

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


@dataclass(frozen=True)
class Remedy:
    """What the user can do about an error, and the source that documents the error."""

    text: str
    source: str


REMEDIES: dict[tuple[str, int], Remedy] = {
    ("*", 10000): Remedy(PERMISSIONS, WRANGLER_AUTH),
    ("*", 9103): Remedy(CREDENTIALS, CLIENT_REPORTS),
    ("*", 9106): Remedy(CREDENTIALS, WRANGLER_AUTH),
    ("*", 9109): Remedy(CREDENTIALS, f"{WRANGLER}: packages/wrangler/src/__tests__/whoami.test.ts"),
    ("*", 6003): Remedy(CREDENTIALS, CLIENT_REPORTS),
    ("*", 1001): Remedy(CREDENTIALS, CLIENT_REPORTS),
    ("*", 7003): Remedy(
        "Check account_id, zone_id and the other ids: one of them does not exist, or the credentials have no"
        " access to it. Also check that api_url ends in /client/v4.",
        DISTILLED,
    ),
    ("*", 971): Remedy(
        "The rate limit of 1200 requests in 5 minutes is exceeded. Wait five minutes, and run fewer jobs in parallel.",
        f"{DOCS}/fundamentals/api/reference/limits",
    ),
    ("*", 10121): Remedy(PLAN, "github.com/cloudflare/templates: worker-publisher-template"),
    ("script", 100119): Remedy(NAMESPACE, ALCHEMY),
    ("namespace", 100119): Remedy(NAMESPACE, ALCHEMY),
    ("script", 10007): Remedy("The Worker does not exist. Upload it first, or correct its name.", WORKERS_ERRORS),
    ("script", 10016): Remedy(
        "Rename the Worker. Its name may contain lower-case letters, digits, - and _, and must begin with"
        " a letter, a digit or _.",
        WORKERS_ERRORS,
    ),
    ("script", 10021): Remedy(
        "The Worker's code, settings or bindings are not valid. Correct them as the message describes.", WORKERS_ERRORS
    ),
    ("script", 10027): Remedy(
        "The Worker's modules are larger than 64 MiB, the limit of every plan, without compression. Remove or split"
        " parts of it.",
        WORKERS_LIMITS,
    ),
    ("script", 10037): Remedy(
        "The account has the maximum number of Workers. Delete some, or upload the Worker to a dispatch namespace.",
        WORKERS_ERRORS,
    ),
    ("script", 10041): Remedy(
        "A kv_namespace binding refers to a KV namespace that does not exist. Set its title, or correct namespace_id.",
        ALCHEMY,
    ),
    ("script", 10053): Remedy(
        "A secret and another binding have the same name. Rename one of them, or remove it from vars or bindings.",
        f"{WRANGLER}: packages/wrangler/src/secret",
    ),
    ("script", 10057): Remedy(
        "A binding that was to be kept no longer exists. Run again to read the bindings again.",
        f"{WRANGLER}: INVALID_INHERIT_BINDING_CODE",
    ),
    ("script", 10061): Remedy(
        "A durable_object_namespace binding refers to a class without storage. Declare the class in"
        " migrations, or correct class_name and script_name.",
        ALCHEMY,
    ),
    ("script", 10068): Remedy(
        "The Worker has no handler. Its main module must export default { fetch }, or another handler.", WORKERS_ERRORS
    ),
    ("script", 10079): Remedy(
        "The steps in migrations do not begin where the Worker is. Run again to read its current step.", MIGRATION_TESTS
    ),
    ("script", 10085): Remedy(
        "An r2_bucket binding refers to a bucket that does not exist. Create it first, or correct"
        " bucket_name and jurisdiction.",
        ALCHEMY,
    ),
    ("script", 10144): Remedy(
        "A service binding refers to a Worker that does not exist. Upload that Worker first.", ALCHEMY
    ),
    ("script", 10157): Remedy(
        "A hyperdrive binding refers to a configuration that does not exist. Create it first, or correct id.", ALCHEMY
    ),
    ("script", 10159): Remedy(
        "A vectorize binding refers to an index that does not exist. Create it first, or correct index_name.", ALCHEMY
    ),
    ("script", 10181): Remedy(
        "A d1 binding refers to a database that does not exist. Set its database_name, or correct database_id.", ALCHEMY
    ),
    ("script", 10182): Remedy(
        "A secrets_store_secret binding refers to a store that does not exist. Create it first, or correct store_id.",
        ALCHEMY,
    ),
    ("script", 11000): Remedy(
        "A queue binding refers to a queue that does not exist. Create it first, with"
        " tenantry.cloudflare_workers.queue, or correct queue_name.",
        ALCHEMY,
    ),
    ("script", 10162): Remedy(
        "Cloudflare does not accept modules of this type. Upload JSON as an ES module with a default export, as path"
        " and entrypoint do.",
        f"{WRANGLER}: reports of rejected modules",
    ),
    ("script", 10304): Remedy(
        "Cloudflare does not accept the manifest of the assets. In a name, a percent sign must begin an encoded"
        " character such as %20.",
        f"{WRANGLER}: issue 14461",
    ),
    ("script", 100143): Remedy(
        "An mtls_certificate binding refers to a certificate that does not exist. Upload it first, or"
        " correct certificate_id.",
        ALCHEMY,
    ),
    ("script", 100324): Remedy(
        "Correct the file _headers or _redirects, or the suboption of assets that the message names.",
        f"{WRANGLER}: reports of rejected _redirects files",
    ),
    ("assets", 10000): Remedy(
        "An upload of assets is valid for one hour. Run again to send only the missing files.",
        f"{DOCS}/workers/static-assets/direct-upload",
    ),
    ("route", 7003): Remedy(
        "Check zone_id: the zone does not exist, or the credentials have no access to it.", DISTILLED
    ),
    ("route", 9109): Remedy(
        "Check zone_id, and that the token has read and edit access to the zone's Workers Routes.", CLIENT_REPORTS
    ),
    ("route", 10019): Remedy(WORKER, DISTILLED),
    ("route", 10020): Remedy(
        "The pattern already exists in this zone. Run again to find and adopt the route.",
        "github.com/cloudflare/terraform-provider-cloudflare: issue 5501",
    ),
    ("route", 10022): Remedy(
        "Correct the pattern: wildcards only at the start of the host and at the end of the path, no query string.",
        f"{DOCS}/workers/configuration/routing/routes",
    ),
    ("domain", 10007): Remedy(WORKER, DISTILLED),
    ("domain", 100117): Remedy(
        "Remove these records first, with tenantry.cloudflare_workers.dns_record, or use"
        " tenantry.cloudflare_workers.worker_route to route the hostname to the Worker.",
        CLIENT_REPORTS,
    ),
    ("dns", 81053): Remedy(RECORD, CLIENT_REPORTS),
    ("dns", 81054): Remedy(RECORD, CLIENT_REPORTS),
    ("dns", 81058): Remedy("Run again to find and adopt the record.", CLIENT_REPORTS),
    ("dns", 81062): Remedy(
        "Remove the custom domain first, with tenantry.cloudflare_workers.worker_domain, or choose another name.",
        CLIENT_REPORTS,
    ),
    ("hostname", 1406): Remedy(
        "Run again to find and adopt the custom hostname. If it is being deleted, or belongs to another"
        " zone, wait until it is removed there.",
        f"{DOCS}/cloudflare-for-platforms/cloudflare-for-saas/reference/status-codes/custom-hostnames",
    ),
    ("hostname", 1421): Remedy(
        "Create the record of the origin first, with tenantry.cloudflare_workers.dns_record.",
        f"{DOCS}/cloudflare-for-platforms/cloudflare-for-saas/reference/status-codes/custom-hostnames",
    ),
    ("queue", 11009): Remedy("Run again to find and adopt the queue.", DISTILLED),
    ("kv", 10014): Remedy("A KV namespace with that title exists. Run again to find and adopt it.", DISTILLED),
    ("kv", 10052): Remedy(
        "A Worker is bound to the KV namespace. Remove the Worker or its binding first.", CLIENT_REPORTS
    ),
}
# Remedies by the text of the message: for its details, which the remedy may contain as groups of the pattern, and for
# errors without a published code.
REMEDIES_BY_MESSAGE: tuple[tuple[str, re.Pattern[str], Remedy], ...] = (
    (
        "script",
        re.compile(r"(?i)migration tag .*(?:expected|current) tag is '?([^'\s]*[^'\s.])"),
        Remedy(
            "The current step of the Worker is {0}. Declare in migrations all steps up to {0}, in the order in which"
            " they were applied, before new ones. If they are declared, another client has applied a step: run again.",
            MIGRATION_TESTS,
        ),
    ),
    (
        "script",
        re.compile(r"limit of (\d+) tags"),
        Remedy("Remove some from tags. Of the {0} tags, this collection needs 2.", TAG_TESTS),
    ),
    (
        "script",
        re.compile("(?i)tag is too large"),
        Remedy("Shorten the tags: each may have 1024 bytes.", TAG_TESTS),
    ),
    (
        "script",
        re.compile("assets binding without assets"),
        Remedy("Declare assets, or remove the binding.", "github.com/alchemy-run/alchemy: issue 914"),
    ),
    (
        "script",
        re.compile(r'No such module "(node:[^"]+)"'),
        Remedy(
            "The runtime does not have {0} at this compatibility_date with these compatibility_flags. An entrypoint is"
            " bundled with a polyfill of it if wrangler is installed in the project (npm install --save-dev wrangler)"
            " and node is on PATH, or with bundler: wrangler.",
            f"{DOCS}/workers/runtime-apis/nodejs",
        ),
    ),
)


def find_remedy(product: str, code: int, message: str) -> str:
    """Return the remedy of an error, or "" for an unknown one."""
    for name, pattern, remedy in REMEDIES_BY_MESSAGE:
        if name == product and (found := pattern.search(message)):
            return remedy.text.format(*found.groups())
    by_code = REMEDIES.get((product, code)) or REMEDIES.get(("*", code))
    return by_code.text if by_code else ""
