# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Redaction of secrets in texts, by value: as they are, and in the encodings in which a server may return them."""

from __future__ import annotations

import base64
import bisect
import functools
import itertools
import json
import re
import typing as t
from urllib.parse import quote

from ._cloudflare.errors import printable
from ._decoders import decodings

REDACTED = "********"
MIN_NO_LOG_LENGTH = 8  # characters: every text of a result is redacted, and shorter values would mangle it
MIN_REDACT_LENGTH = 4  # characters: the same for messages, which may quote a server
MIN_LINE_LENGTH = 8  # characters of one line of a longer secret
MAX_ENCODING_DEPTH = 3  # encodings around a secret, such as JSON in JSON in a query string
MAX_DECODED_LENGTH = 100_000  # characters; in a longer text, secrets are found as they are and in base64
# Where a text was cut, possibly within a secret, and within an escape sequence.
CUT = re.compile(r"\ufffd?(?:%[0-9A-Fa-f]?|\\(?:u[0-9A-Fa-f]{0,3}|x[0-9A-Fa-f]?)?|&#?\w{0,8})?(…|\.\.\.)")

Span = tuple[int, int]


def encoded_forms(secret: str) -> set[str]:
    """Return the texts that reveal a secret: itself, its lines, and both in base64, base64url and hexadecimal."""
    lines = [line.strip() for line in secret.splitlines()]
    plain = {secret, printable(secret, len(secret)), *(line for line in lines if len(line) >= MIN_LINE_LENGTH)}
    contents = {text.encode(errors="surrogatepass") for text in (secret, *_escaped(secret))}
    return {
        *plain,
        *itertools.chain.from_iterable(map(_base64_forms, contents)),
        *(encode(content) for content in contents for encode in (bytes.hex, lambda content: content.hex().upper())),
    }


def _escaped(secret: str) -> t.Iterator[str]:
    """Yield the forms in which a secret is part of a JSON text or a URL, which may be in base64 as a whole."""
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield quote(secret.encode(errors="surrogatepass"), safe="")


def _base64_forms(content: bytes) -> t.Iterator[str]:
    """Yield the characters that depend on the content alone, at each offset in the base64 encoding of a longer text."""
    yield base64.b64encode(content).decode()
    yield base64.urlsafe_b64encode(content).decode()
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + content).decode()
        first, last = -(-offset * 4 // 3), (offset + len(content)) * 4 // 3
        yield encoded[first:last]
        yield encoded[first:last].translate(str.maketrans("+/", "-_"))


class _Forms:
    """Forms of secrets with the same first characters, sorted."""

    def __init__(self, forms: list[str]) -> None:
        self._sorted, self._set = forms, frozenset(forms)
        self._lengths = sorted({len(form) for form in forms})

    def ends(self, text: str, start: int, cuts: t.Iterable[int]) -> t.Iterator[int]:
        """Yield the ends of the forms that begin at ``start`` in the text, also of those that are cut."""
        for length in self._lengths:
            if start + length <= len(text) and text[start : start + length] in self._set:
                yield start + length
        for cut in cuts:
            if start + MIN_REDACT_LENGTH <= cut <= start + self._lengths[-1]:
                at = bisect.bisect_left(self._sorted, text[start:cut])
                if at < len(self._sorted) and self._sorted[at].startswith(text[start:cut]):
                    yield cut


class Redactor:
    """Replaces secrets in texts with asterisks. ``min_length`` is the number of characters of the shortest secret."""

    def __init__(self, secrets: t.Iterable[str], min_length: int = MIN_REDACT_LENGTH) -> None:
        self._secrets = [secret for secret in secrets if len(secret) >= min_length]

    @functools.cached_property
    def _index(self) -> dict[str, _Forms]:
        """The forms of the secrets by their first characters, since there may be thousands of secrets."""
        forms = sorted({form for secret in self._secrets for form in encoded_forms(secret)})
        groups = itertools.groupby(forms, lambda form: form[:MIN_REDACT_LENGTH])
        return {start: _Forms(list(group)) for start, group in groups if len(start) == MIN_REDACT_LENGTH}

    def __call__(self, text: str) -> str:
        """Return the text without secrets. Overlapping secrets are replaced together."""
        if not self._secrets:
            return text
        depth = MAX_ENCODING_DEPTH if len(text) <= MAX_DECODED_LENGTH else 0
        parts, position = [], 0
        for start, end in _merged(self._find(text, depth)):
            parts += [text[position:start], REDACTED]
            position = end
        return "".join((*parts, text[position:])) if parts else text

    def redact_values(self, value: t.Any) -> t.Any:
        """Redact the texts in a value and the keys of dictionaries, at every depth."""
        match value:
            case str():
                return self(value)
            case dict():
                return {self.redact_values(key): self.redact_values(item) for key, item in value.items()}
            case list() | tuple():
                return [self.redact_values(item) for item in value]
        return value

    def _find(self, text: str, depth: int) -> t.Iterator[Span]:
        cuts = {match.start(group) for match in CUT.finditer(text) for group in (0, 1)}
        for start in range(len(text) - MIN_REDACT_LENGTH + 1):
            if forms := self._index.get(text[start : start + MIN_REDACT_LENGTH]):
                yield from ((start, end) for end in forms.ends(text, start, cuts))
        for decoded, positions in decodings(text) if depth else ():
            yield from ((positions[start], positions[end]) for start, end in self._find(decoded, depth - 1))


def _merged(spans: t.Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
