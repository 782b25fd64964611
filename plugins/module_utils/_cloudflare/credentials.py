# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials from options or the environment: an API token, or an API key with its e-mail address."""

from __future__ import annotations

import hashlib
import re
import typing as t
from dataclasses import dataclass, field

from .errors import CloudflareError


def first_env(environ: t.Mapping[str, str], names: t.Iterable[str]) -> str | None:
    """Return the value of the first of these variables that is set and not empty, or None."""
    return next((environ[name] for name in names if environ.get(name)), None)


def validated_credential(name: str, value: str) -> str:
    """Return a credential without surrounding white space.

    Raise CloudflareError, without the value in the message, if it contains characters that are not valid in a header.
    """
    if not re.fullmatch(r"[!-~]+", value.strip()):
        raise CloudflareError(
            f"{name}: the value contains characters that are not allowed, such as a space or a line break."
            " Copy it again."
        )
    return value.strip()


@dataclass(frozen=True)
class Credentials:
    """The headers that authenticate. Options override the environment, and a token overrides a key."""

    headers: t.Mapping[str, str] = field(repr=False)

    @classmethod
    def resolve(
        cls, api_token: str | None, api_key: str | None, email: str | None, environ: t.Mapping[str, str]
    ) -> Credentials:
        """Use ``api_token``, or else ``api_key`` with ``email``, or else the same from ``environ``.

        Raise CloudflareError if the credentials are missing, incomplete or ambiguous.
        """
        if api_token and api_key:
            raise CloudflareError(
                "api_key: it cannot be combined with api_token. Set only one of them, preferably api_token."
            )
        token = api_token or ("" if api_key else environ.get("CLOUDFLARE_API_TOKEN", ""))
        if token:
            return cls({"Authorization": f"Bearer {validated_credential('api_token', token)}"})
        key = api_key or environ.get("CLOUDFLARE_API_KEY", "")
        email = email or environ.get("CLOUDFLARE_EMAIL", "")
        if key and not email:
            raise CloudflareError(
                "email: it is required with api_key. Set email (CLOUDFLARE_EMAIL), or use api_token instead."
            )
        if not key:
            raise CloudflareError(
                "api_token: no credentials are set."
                " Set api_token, or CLOUDFLARE_API_TOKEN in the environment of the play."
            )
        return cls(
            {"X-Auth-Key": validated_credential("api_key", key), "X-Auth-Email": validated_credential("email", email)}
        )

    @property
    def digest(self) -> str:
        """A hash that identifies the credentials without containing them."""
        return hashlib.sha256(repr(sorted(self.headers.items())).encode()).hexdigest()

    @property
    def secrets(self) -> list[str]:
        """The values that must not appear in any output."""
        return [value.removeprefix("Bearer ") for name, value in self.headers.items() if name != "X-Auth-Email"]
