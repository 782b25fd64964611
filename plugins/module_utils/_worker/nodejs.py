# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Support of a Worker for the modules of Node.js, which its compatibility date and flags decide."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

ON_BY_DEFAULT = "2026-08-04"  # the first compatibility date that implies nodejs_compat
POLYFILLED = "2024-09-23"  # the first at which nodejs_compat implies nodejs_compat_v2

# Modules of Node.js that packages import without the prefix "node:", which Workers with nodejs_compat require.
MODULES = (
    *("assert", "async_hooks", "buffer", "child_process", "cluster", "console", "constants", "crypto", "dgram"),
    *("diagnostics_channel", "dns", "domain", "events", "fs", "http", "http2", "https", "inspector", "module", "net"),
    *("os", "path", "perf_hooks", "process", "punycode", "querystring", "readline", "repl", "stream"),
    *("string_decoder", "sys", "timers", "tls", "trace_events", "tty", "url", "util", "v8", "vm", "wasi"),
    *("worker_threads", "zlib"),
)


@dataclass(frozen=True)
class Compatibility:
    """The compatibility date and flags of a Worker. Without a date, Cloudflare's default is older than all of these."""

    date: str = ""
    flags: t.Sequence[str] = ()

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any]) -> Compatibility:
        """Create it from the options of a Worker."""
        return cls(str(options.get("compatibility_date") or ""), tuple(options.get("compatibility_flags") or ()))

    @property
    def has_nodejs(self) -> bool:
        """Whether the Worker can import modules of Node.js."""
        return self._has("nodejs_compat", self.date >= ON_BY_DEFAULT) or self.has_polyfills

    @property
    def has_polyfills(self) -> bool:
        """Whether the bundler must add the modules of Node.js that the runtime lacks at this date."""
        implied = self._has("nodejs_compat", self.date >= ON_BY_DEFAULT) and self.date >= POLYFILLED
        return self._has("nodejs_compat_v2", implied)

    @property
    def for_nodejs(self) -> Compatibility:
        """This date and these flags, as far as support for Node.js depends on them."""
        if self.has_polyfills:
            return self
        return Compatibility(flags=("nodejs_compat",)) if self.has_nodejs else Compatibility()

    def _has(self, flag: str, by_default: bool) -> bool:
        return flag in self.flags or (by_default and f"no_{flag}" not in self.flags)
