# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The programs that bundle an entrypoint."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from . import esbuild, wrangler
from .bundle import Bundle, Entrypoint
from .nodejs import Compatibility


@dataclass(frozen=True)
class Bundler:
    """A way to bundle. C(relevant) reduces date and flags to what the output depends on."""

    build: t.Callable[[Entrypoint], Bundle]
    relevant: t.Callable[[Compatibility], Compatibility]


BUNDLERS = {
    "esbuild": Bundler(esbuild.build, lambda compatibility: compatibility.for_nodejs),
    "wrangler": Bundler(wrangler.build, lambda compatibility: compatibility),
}


def bundle(entrypoint: Entrypoint) -> Bundle:
    """Bundle an entrypoint and its imports. Raise CloudflareError with the output of the bundler if it fails."""
    return _bundler(entrypoint.options).build(entrypoint)


def relevant(options: t.Mapping[str, t.Any], compatibility: Compatibility) -> Compatibility:
    """Return date and flags as far as the bundle depends on them, so that Workers which differ in others share it."""
    return _bundler(options).relevant(compatibility)


def _bundler(options: t.Mapping[str, t.Any]) -> Bundler:
    return BUNDLERS[options.get("bundler") or "esbuild"]
