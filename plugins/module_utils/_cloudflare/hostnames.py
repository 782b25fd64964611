# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Host names with international characters: Punycode for the API and for comparisons, Unicode for people."""

from __future__ import annotations

import contextlib

try:
    import idna  # a dependency of requests

    HAS_IDNA = True
except ImportError:
    HAS_IDNA = False

PREFIX = "xn--"


def to_ascii(host: str) -> str:
    """Return a host name in lower case and Punycode, by the rules of browsers (UTS 46, not transitional).

    Leading wildcards stay. A name that cannot be encoded is returned in lower case.
    """
    lower = host.lower()
    if lower.isascii() or not HAS_IDNA:
        return lower
    bare = lower.lstrip("*")
    try:
        mapped = idna.uts46_remap(bare, std3_rules=False, transitional=False)
        return lower[: len(lower) - len(bare)] + ".".join(map(_encode_label, mapped.split(".")))
    except idna.IDNAError:
        return lower


def _encode_label(label: str) -> str:
    if label.isascii():
        return label
    try:
        return idna.alabel(label).decode()
    except idna.InvalidCodepoint:  # such as emoji, which browsers accept
        return PREFIX + label.encode("punycode").decode()


def to_unicode(host: str) -> str:
    """Return a host name, or a pattern that begins with one, with its Punycode decoded."""
    if PREFIX not in host:
        return host
    head, slash, path = host.partition("/")
    return ".".join(map(_decode_label, head.split("."))) + slash + path


def _decode_label(label: str) -> str:
    bare = label.lstrip("*")
    if not bare.startswith(PREFIX) or not HAS_IDNA:
        return label
    star = label[: len(label) - len(bare)]
    with contextlib.suppress(idna.IDNAError):
        return star + idna.ulabel(bare)
    with contextlib.suppress(UnicodeError):
        return star + bare[len(PREFIX) :].encode().decode("punycode")
    return label
