# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The query string of the page: `?namespace=prod&tag=plan-pro&q=customer-&after=customer-7`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from urllib.parse import parse_qsl, urlencode

#: The value of `namespace` for the account itself. The name of a namespace has no slash.
ACCOUNT = "/"


@dataclass(frozen=True)
class Query:
    """The filters of the page, '' for all. `q` is a prefix of names, `after` the last name of the previous page."""

    account: str = ""
    namespace: str = ""
    tag: str = ""
    q: str = ""
    after: str = ""

    @classmethod
    def read(cls, query: str) -> Query:
        """Parse a query string. Unknown parameters are ignored."""
        parameters = dict(parse_qsl(query))
        typed = {name: parameters[name].strip() for name in ("tag", "q") if name in parameters}
        return cls(**{name: parameters[name] for name in cls.__dataclass_fields__ if name in parameters} | typed)

    @property
    def filtered(self) -> bool:
        return bool(self.namespace or self.tag or self.q)

    def link(self, **changes: str) -> str:
        """Return the URL of this page with changed filters, from the first page on unless `after` is given."""
        fields: Mapping[str, str] = asdict(replace(self, **{"after": "", **changes}))
        query = urlencode({name: value for name, value in fields.items() if value})
        return f"/?{query}" if query else "/"

    def link_to(self, namespace: str = "", q: str = "") -> str:
        """Return the URL of another namespace of the account, or of all, without the current filters."""
        return Query(self.account).link(namespace=namespace, q=q)
