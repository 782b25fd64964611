# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a Worker says by itself what it was made from: two of its eight tags are ours.

C(tenantry.owner.<owner>) says whose it is. The stamp, C(tenantry.1.<16 hex>.<8 hex>.<time>), says what was uploaded: a hash of
code and settings, a hash of the secrets, and when (seconds since 1970, base 36). A listing returns tags, so one request decides
for a thousand Workers. C(1) is the version of the algorithm: a later one must still be able to compute it.

Where static assets are managed, a hash of them, 10 hex, stands before the time. Where a bundler made the code, C(.<8 hex>) at the end
is a hash of what it made, since another version of it makes other code of the same sources.
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
    rf"^{re.escape(TAG_PREFIX)}{VERSION}\.([0-9a-f]{{16}})\.([0-9a-f]{{8}})(?:\.([0-9a-f]{{10}}))?\.([0-9a-z]+)(?:\.([0-9a-f]{{8}}))?$"
)
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class FingerprintTag:
    """What was uploaded: C(fingerprint) of code and settings, C(secrets) of the secrets, C(assets) of the static assets, empty where
    they are not managed; C(time) is when, seconds since 1970; C(code) is a hash of what a bundler made, empty where none did."""

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
    """Return the stamp among a Worker's tags."""
    found = next((found for tag in tags if (found := FINGERPRINT_TAG.fullmatch(tag))), None)
    return (
        FingerprintTag(found[1], found[2], found[3] or "", float(int(found[4], 36)), found[5] or "") if found else None
    )


def find_owner(tags: t.Iterable[str]) -> str | None:
    """Return whose a Worker is, by its tags; None where nobody has said so."""
    return next((tag.removeprefix(OWNER_PREFIX) for tag in tags if tag.startswith(OWNER_PREFIX)), None)


def user_tags(tags: t.Iterable[str]) -> list[str]:
    """Return the tags that are the user's."""
    return sorted(tag for tag in tags if not tag.startswith(TAG_PREFIX))


def canonical(material: t.Any) -> bytes:
    """Return the same bytes for the same value, whatever the order of its keys."""
    return json.dumps(material, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def fingerprint(material: t.Any) -> str:
    """Hash what a Worker is made of: 16 hex digits."""
    return hashlib.sha256(canonical(material)).hexdigest()[:16]


def bundle_digest(modules: t.Iterable[t.Mapping[str, t.Any]]) -> str:
    """Hash what a bundler made, by the names of modules and their own hashes: 8 hex digits."""
    return fingerprint([[module["name"], module["sha256"]] for module in modules])[:8]


def secrets_digest(secrets: t.Mapping[str, t.Any] | None, key: str | None) -> str:
    """Hash the secrets: 8 hex digits. With a key their values count, as an HMAC; without one only their names do.

    C(None) is a Worker that shall have none, which is more than one of which none are managed.
    """
    if secrets is not None and not secrets:
        return NO_SECRETS
    material = secrets if key or secrets is None else {name: value is not None for name, value in secrets.items()}
    return hmac.new((key or "").encode(), canonical(material), hashlib.sha256).hexdigest()[:8]


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = DIGITS[digit] + digits
    return digits or "0"
