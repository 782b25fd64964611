# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the query of the page asks for: `?namespace=prod&tag=plan-pro&q=customer-&after=customer-7`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from urllib.parse import parse_qsl, urlencode

#: As `namespace`, the account itself: no namespace has a slash in its name.
ACCOUNT = "/"


@dataclass(frozen=True)
class Query:
    """What is looked at; '' is everything. `q` is how a Worker's name begins, `after` where the page before ended."""

    account: str = ""
    namespace: str = ""
    tag: str = ""
    q: str = ""
    after: str = ""

    @classmethod
    def read(cls, query: str) -> Query:
        """What is not known is ignored, as any page does."""
        given = dict(parse_qsl(query))
        typed = {name: given[name].strip() for name in ("tag", "q") if name in given}
        return cls(**{name: given[name] for name in cls.__dataclass_fields__ if name in given} | typed)

    @property
    def filtered(self) -> bool:
        return bool(self.namespace or self.tag or self.q)

    def link(self, **changes: str) -> str:
        """The address of this page with something changed; a change of anything else begins at the first page again."""
        fields: Mapping[str, str] = asdict(replace(self, **{"after": "", **changes}))
        query = urlencode({name: value for name, value in fields.items() if value})
        return f"/?{query}" if query else "/"

    def link_to(self, namespace: str = "", q: str = "") -> str:
        """The address of another place of the account, or of all, without the filters of this one."""
        return Query(self.account).link(namespace=namespace, q=q)
