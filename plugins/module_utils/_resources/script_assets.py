# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The static assets of a Worker: what can be told of them, and how they are uploaded."""

from __future__ import annotations

import typing as t

from .._engine.resource import Attributes
from .._worker import assets
from .._worker.fingerprint import FingerprintTag
from .script_mapping import assets_from_api
from .secrets import SecretsMixin


class AssetsMixin(SecretsMixin):
    """A Worker as far as its static assets go. Its stamp holds a hash of them."""

    def __init__(self, client: t.Any, given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
        super().__init__(client, given, options)
        self._has_assets = self._has_drifted = False

    @property
    def _assets(self) -> assets.Assets | None:
        return (
            assets.load(self.user_params["assets"], self.options.get("source_root"))
            if self.user_params.get("assets")
            else None
        )

    @property
    def _assets_missing(self) -> bool:
        """Whether somebody has removed what the stamp may speak of."""
        return self._assets is not None and not self._has_assets

    def _current_assets(self, wanted: FingerprintTag) -> Attributes | None:
        """Return what can be told of the assets that it has: Cloudflare lists them for nobody, and the stamp knows them unless others have written."""
        fingerprint_tag = None if self._has_drifted else self._fingerprint_tag
        if self._assets and fingerprint_tag and fingerprint_tag.assets == wanted.assets and not self._assets_missing:
            return self._assets.summary
        return assets_from_api(self._has_assets, fingerprint_tag)

    def _upload_session(self, before: Attributes | None, after: Attributes) -> assets.UploadSession | None:
        """Return the upload of the assets, if they differ. Without code there is always one: nothing else makes an upload of assets alone."""
        if self._assets is None or (before is not None and before["assets"] == after["assets"] and after["modules"]):
            return None
        return assets.UploadSession(self.client, self.path, self._assets.folder)

    def _assets_metadata(self, session: assets.UploadSession | None) -> Attributes:
        """Return what an upload says of assets: those that it does not mention are gone."""
        if self._assets and session:
            return {"assets": {"jwt": session.token, "config": self._assets.config}}
        if self._assets:
            return {"keep_assets": True, "assets": {"config": self._assets.config}}
        return {"keep_assets": True} if self._has_assets and "assets" not in self.user_params else {}
