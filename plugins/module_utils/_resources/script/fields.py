# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fields that every Worker has, wherever it lives."""

from __future__ import annotations

from ..._engine.fields import Field, as_set
from ..._worker import assets, binding_types, multipart, settings, upload_metadata
from . import secrets

UPLOAD_METADATA = Field(upload_metadata.NAME, upload_metadata.SPEC, initial={}, removed={})
MEMO_FIELDS = (Field("modules", None, multipart.modules_key, initial=[]), *settings.FIELDS, UPLOAD_METADATA)
"""The fields that the ledger's memo holds by a hash."""

UPLOADED_FIELDS = frozenset({"modules", "assets", upload_metadata.NAME, *settings.UPLOAD_ONLY})
"""The fields that only an upload changes."""

FIELDS = (
    MEMO_FIELDS[0],
    Field("assets", assets.SPEC, initial=None),
    *settings.FIELDS,
    UPLOAD_METADATA,
    Field("migration_tag", None, initial=None),
    Field("bindings", binding_types.SPEC, initial=[], removed=[]),
    Field("secrets", secrets.SPEC, initial={}, removed={}),
    Field("tags", {"type": "list", "elements": "str"}, as_set, initial=[], removed=[]),
    Field("owner", {"type": "str", "default": "default"}),
)
