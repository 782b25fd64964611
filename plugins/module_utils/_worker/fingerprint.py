# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two tags of a Worker that belong to this collection.

C(tenantry.owner.<owner>) stores the owner. The fingerprint tag, C(tenantry.1.<16 hex>.<8 hex>.<time>), stores a hash of
code and settings, a hash of the secrets, and the upload time (seconds since 1970, base 36). A listing returns tags, so
one request covers 1000 Workers. C(1) is the version of the algorithm. Later releases must still be able to compute it.

If static assets are managed, their hash (10 hex digits) precedes the time. If the code was bundled, C(.<8 hex>) at the
end is a hash of the bundle, since other versions of the bundler produce other code from the same sources.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import typing as t
from dataclasses import dataclass, field

VERSION = "1"
TAG_PREFIX = "tenantry."
OWNER_PREFIX = TAG_PREFIX + "owner."
NO_FINGERPRINT, NO_SECRETS, NO_ASSETS = "0" * 16, "0" * 8, "0" * 10
FINGERPRINT_TAG = re.compile(
    rf"^{re.escape(TAG_PREFIX)}{VERSION}\.([0-9a-f]{{16}})\.([0-9a-f]{{8}})(?:\.([0-9a-f]{{10}}))?"
    r"\.([0-9a-z]+)(?:\.([0-9a-f]{8}))?$"
)
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class FingerprintTag:
    """Hashes of an upload: of code and settings (C(fingerprint)), secrets, assets and bundle (C(code)).

    C(assets) is empty if they are not managed, C(code) if the code was not bundled. C(uploaded_at) is in seconds since
    1970.
    """

    fingerprint: str
    secrets: str = NO_SECRETS
    assets: str = ""
    uploaded_at: float = field(default=0.0, compare=False)
    code: str = field(default="", compare=False)

    def render(self, now: float) -> str:
        """Return the tag for an upload at C(now), seconds since 1970."""
        segments = (VERSION, self.fingerprint, self.secrets, self.assets, _base36(int(now)), self.code)
        return TAG_PREFIX + ".".join(segment for segment in segments if segment)


def find_fingerprint_tag(tags: t.Iterable[str]) -> FingerprintTag | None:
    """Find and parse the fingerprint tag among the tags of a Worker."""
    found = next((found for tag in tags if (found := FINGERPRINT_TAG.fullmatch(tag))), None)
    return (
        FingerprintTag(found[1], found[2], found[3] or "", float(int(found[4], 36)), found[5] or "") if found else None
    )


def find_owner(tags: t.Iterable[str]) -> str | None:
    """Return the owner from the tags of a Worker, or None."""
    return next((tag.removeprefix(OWNER_PREFIX) for tag in tags if tag.startswith(OWNER_PREFIX)), None)


def user_tags(tags: t.Iterable[str]) -> list[str]:
    """Return the tags set by the user, sorted."""
    return sorted(tag for tag in tags if not tag.startswith(TAG_PREFIX))


def canonical(value: t.Any) -> bytes:
    """Serialize a value as JSON bytes, independent of the order of its keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def fingerprint(value: t.Any) -> str:
    """Return the SHA-256 of a JSON value, shortened to 16 hex digits."""
    return hashlib.sha256(canonical(value)).hexdigest()[:16]


def bundle_digest(modules: t.Iterable[t.Mapping[str, t.Any]]) -> str:
    """Hash the names and hashes of bundled modules to 8 hex digits."""
    return fingerprint([[module["name"], module["sha256"]] for module in modules])[:8]


def secrets_digest(secrets: t.Mapping[str, t.Any] | None, key: str | None) -> str:
    """Hash the secrets to 8 hex digits: an HMAC of their values with a key, a hash of their names without one.

    None means that the Worker must have no secrets. An empty mapping means that none are managed.
    """
    if secrets is not None and not secrets:
        return NO_SECRETS
    digest_input = secrets if key or secrets is None else {name: value is not None for name, value in secrets.items()}
    return hmac.new((key or "").encode(), canonical(digest_input), hashlib.sha256).hexdigest()[:8]


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = DIGITS[digit] + digits
    return digits or "0"
