# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run knows of its own writes of a Worker, so that a later listing is not taken for their result."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..._cloudflare.responses import ApiResponse
from ..._worker.fingerprint import find_fingerprint_tag
from .mapping import fingerprint_tag_text


@dataclass
class Receipt:
    """The fingerprint tag that was sent last, and the etag and date in the response of the upload.

    All are None without such a write. Only an upload is answered by an etag.
    """

    fingerprint_tag: str | None = None
    etag: str | None = None
    modified_on: str | None = None

    @property
    def written_at(self) -> float:
        """The time of the fingerprint tag that was sent last, in seconds since 1970, or 0."""
        tag = find_fingerprint_tag([self.fingerprint_tag] if self.fingerprint_tag else [])
        return tag.uploaded_at if tag else 0.0

    def sent(self, tags: list[str]) -> list[str]:
        """Record the fingerprint tag among the tags of a write, and return them."""
        self.fingerprint_tag = fingerprint_tag_text(tags)
        return tags

    def acknowledge_upload(self, response: ApiResponse) -> None:
        """Record the response of an upload, some of which may be missing."""
        worker = response.result if isinstance(response.result, dict) else {}
        self.etag, self.modified_on = _text(worker, "etag"), _text(worker, "modified_on")


def _text(worker: t.Mapping[str, t.Any], key: str) -> str | None:
    value = worker.get(key)
    return value if isinstance(value, str) else None
