# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cloudflare's limits for the tags of a Worker, and their validation."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .fingerprint import TAG_PREFIX

OWN_TAGS = 2  # the owner tag and the fingerprint tag
# Tested against account Workers: github.com/alchemy-run/alchemy, pull request 824. Spaces and Unicode are accepted.
MAX_BYTES = 1024  # of one tag, in UTF-8
RESERVED = re.compile("[,&]")


@dataclass(frozen=True)
class TagLimits:
    """The number of tags that a Worker may have, the collection's included."""

    count: int

    @property
    def user_tags(self) -> int:
        """The number of tags that are left for the user."""
        return self.count - OWN_TAGS

    def errors(self, tags: t.Sequence[str]) -> t.Iterator[str]:
        """Yield the validation errors of the option C(tags)."""
        for tag in tags:
            if not tag or RESERVED.search(tag) or len(tag.encode()) > MAX_BYTES or tag.startswith(TAG_PREFIX):
                yield (
                    f"tags: {tag[:80]!r} is not a valid tag. Use 1 to {MAX_BYTES} bytes without commas and &, "
                    f"not starting with {TAG_PREFIX!r}."
                )
        count = len(set(tags))
        if count > self.user_tags:
            yield (
                f"tags: {count} tags are set, and the limit is {self.user_tags}. "
                f"Remove some: Cloudflare allows {self.count} on this Worker, and the collection needs {OWN_TAGS}."
            )


NAMESPACED = TagLimits(8)  # developers.cloudflare.com/cloudflare-for-platforms/workers-for-platforms/configuration/tags
ACCOUNT = TagLimits(10)  # tested: github.com/alchemy-run/alchemy, pull request 824
