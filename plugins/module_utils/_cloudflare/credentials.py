# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who asks: an API token, or a key with its e-mail address, from options or the environment."""

from __future__ import annotations

import hashlib
import re
import typing as t
from dataclasses import dataclass, field

from .errors import CloudflareError


def first_env(environ: t.Mapping[str, str], names: t.Iterable[str]) -> str | None:
    """Return the first of these variables that is set and not empty."""
    return next((environ[name] for name in names if environ.get(name)), None)


def validated_credential(name: str, value: str) -> str:
    """Return a credential without the white space around it. What no header can carry is refused, unsaid."""
    if not re.fullmatch(r"[!-~]+", value.strip()):
        raise CloudflareError(
            f"{name} holds characters that no {name} has, such as a space or a line's end: copy it anew."
        )
    return value.strip()


@dataclass(frozen=True)
class Credentials:
    """The headers that authenticate. Options beat the environment; a token beats a key."""

    headers: t.Mapping[str, str] = field(repr=False)

    @classmethod
    def resolve(
        cls, api_token: str | None, api_key: str | None, email: str | None, environ: t.Mapping[str, str]
    ) -> Credentials:
        """Take C(api_token), else C(api_key) with C(email), else the same from C(environ)."""
        if api_token and api_key:
            raise CloudflareError(
                "Both api_token and api_key are given: give one of them. api_token is the better one."
            )
        token = api_token or ("" if api_key else environ.get("CLOUDFLARE_API_TOKEN", ""))
        if token:
            return cls({"Authorization": f"Bearer {validated_credential('api_token', token)}"})
        key = api_key or environ.get("CLOUDFLARE_API_KEY", "")
        email = email or environ.get("CLOUDFLARE_EMAIL", "")
        if key and not email:
            raise CloudflareError(
                "api_key is given without email: give email (CLOUDFLARE_EMAIL) too, or an api_token instead."
            )
        if not key:
            raise CloudflareError(
                "No credentials: give api_token, or set CLOUDFLARE_API_TOKEN in the environment of the play."
            )
        return cls(
            {"X-Auth-Key": validated_credential("api_key", key), "X-Auth-Email": validated_credential("email", email)}
        )

    @property
    def digest(self) -> str:
        """Tell one set of credentials from another without keeping it."""
        return hashlib.sha256(repr(sorted(self.headers.items())).encode()).hexdigest()

    @property
    def secrets(self) -> list[str]:
        """The values that must appear nowhere."""
        return [value.removeprefix("Bearer ") for name, value in self.headers.items() if name != "X-Auth-Email"]
